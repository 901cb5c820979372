# shellcheck shell=bash
# Scene 4 of dev/demo: a transfer between two accounts, with a scope for each, and a reader of few events.

heading "4. A transfer between two accounts"

say "An event log keeps what has happened, in streams. Here, each account is a stream. Ann has 100, Ben has nothing yet."
as ann <<'SQL'
SELECT docstore.create_log('ledger');
SELECT * FROM docstore.append('ledger', 'ann', '[{"type": "Opened"}, {"type": "Deposited", "data": {"amount": 100}}]');
SELECT * FROM docstore.append('ledger', 'ben', '[{"type": "Opened"}]');
SQL

# What Ann sends, twice: the same decision, by what she saw at first.
transfer=$(
	cat <<'SQL'
SELECT item, op, id, version FROM docstore.save('[
    {"op": "append", "log": "ledger", "stream": "ann", "events": [{"type": "Withdrawn", "data": {"amount": 80}}],
     "scopes": [{"source": "ann", "types": ["Withdrawn"], "expected": "none"}]},
    {"op": "append", "log": "ledger", "stream": "ben", "events": [{"type": "Deposited", "data": {"amount": 80}}],
     "scopes": [{"source": "ben", "types": ["Frozen"],    "expected": "none"}]}]');
SQL
)

say "Ann is about to send 80 to Ben. That depends on two things: nothing has been withdrawn from her account, and his is not
frozen. There is a scope for each. Meanwhile Ben receives money from somewhere else, which does not conflict with them."
as ben <<'SQL'
SELECT * FROM docstore.append('ledger', 'ben', '[{"type": "Deposited", "data": {"amount": 5}}]');
SQL
as ann <<<"$transfer"

say "Each account has its event. Now Ben's account is frozen, and Ann's program sends the same call again."
as ben <<'SQL'
SELECT * FROM docstore.append('ledger', 'ben', '[{"type": "Frozen"}]');
SQL
as ann <<<"$transfer"

say "One conflict names both scopes: 80 has been withdrawn from her account already, and his is frozen. Each \"actual\" is
the position of such an event in the log, and an \"expected\" of 0 stands for \"none\". Nothing was appended.
A log is a table, so you can query it:"
as ann <<'SQL'
SELECT stream, version, type, data FROM ledger ORDER BY stream, version;
SQL

say "Somebody watches for accounts that are frozen, and reads nothing else. Such a reader takes the end of the log, reads until
there, and goes on from there the next time, whether there was anything for it or not:"
as ben <<'SQL'
SELECT docstore.log_end('ledger') AS seen \gset
SELECT stream, type FROM docstore.read_log('ledger', NULL, 100, '{"types": ["Frozen"]}', :'seen');
SELECT stream, type FROM docstore.read_log('ledger', :'seen', 100, '{"types": ["Frozen"]}', docstore.log_end('ledger'));
SQL
