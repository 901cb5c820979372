-- docstore.commit_cursor() and docstore.consumers(): how far the consumers of a log have come. J13 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
SELECT * FROM docstore.consumers('ledger');
SELECT count(*) FROM docstore.append('ledger', 'a', '[{"type": "T"}, {"type": "T"}, {"type": "T"}, {"type": "T"}, {"type": "T"}]');
CALL pg_temp.settle();
SELECT max(cursor) FILTER (WHERE version = 1) AS one, max(cursor) FILTER (WHERE version = 2) AS two, max(cursor) FILTER (WHERE version = 5) AS five
FROM docstore.read_log('ledger') \gset

-- compare and set
SELECT docstore.commit_cursor('ledger', 'mail', :'one', 0);
SELECT docstore.commit_cursor('ledger', 'mail', :'two', 1);
SELECT docstore.commit_cursor('ledger', 'stock', :'five', NULL);
SELECT docstore.commit_cursor('ledger', 'audit', :'one', docstore.any_version()), docstore.commit_cursor('ledger', 'audit', :'five', docstore.some_version());
-- the same cursor again is a write
SELECT docstore.commit_cursor('ledger', 'stock', :'five', 1);
-- how far each has come
SELECT consumer, version, cursor = :'two' AS two, cursor = :'five' AS five, updated_at BETWEEN now() - interval '1 minute' AND now() AS updated, behind FROM docstore.consumers('ledger');

-- the same conflict as everywhere: stale, exists, missing
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'mail', %L, 1) $$, :'five'));
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'mail', %L, 0) $$, :'five'));
-- NULL never switches the check off
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'mail', %L, NULL) $$, :'five'));
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'new', %L, 1) $$, :'five'));
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'new', %L, -2) $$, :'five'));
-- and deferred
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.commit_cursor('ledger', 'mail', :'five', 1) IS NULL AS refused, docstore.commit_cursor('ledger', 'new', :'five', 0) AS accepted;
CALL pg_temp.try('SELECT docstore.check_conflicts()');
ROLLBACK;
SET docstore.checks = 'off';
SELECT docstore.commit_cursor('ledger', 'mail', :'two', 77);
RESET docstore.checks;

-- J13: a consumer that stored its cursor goes on after it; what was read and not committed comes again
SELECT r.version FROM docstore.consumers('ledger') c, docstore.read_log('ledger', c.cursor, 2) r WHERE c.consumer = 'mail';
SELECT r.version FROM docstore.consumers('ledger') c, docstore.read_log('ledger', c.cursor, 2) r WHERE c.consumer = 'mail';
-- what a consumer does, and how far it has come, is one transaction
CREATE TABLE sent (version bigint PRIMARY KEY);
BEGIN;
SELECT c.version AS expected, c.cursor AS at FROM docstore.consumers('ledger') c WHERE c.consumer = 'mail' \gset
INSERT INTO sent SELECT version FROM docstore.read_log('ledger', :'at', 2);
SELECT cursor AS at FROM docstore.read_log('ledger', :'at', 2) OFFSET 1 \gset
SELECT docstore.commit_cursor('ledger', 'mail', :'at', :expected);
COMMIT;
SELECT array_agg(version) FROM sent;
SELECT version, behind FROM docstore.consumers('ledger') WHERE consumer = 'mail';
-- J14: a backlog is there without anybody appending anything
SELECT r.version FROM docstore.consumers('ledger') c, docstore.read_log('ledger', c.cursor) r WHERE c.consumer = 'mail';

-- events that are not safe yet count as well: the consumer has still to read them
BEGIN;
SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]');
SELECT consumer, behind FROM docstore.consumers('ledger');
ROLLBACK;

-- they are documents: what works on these works here
SELECT id, version, data = jsonb_build_object('cursor', :'five') AS same FROM docstore.load('ledger_consumers', 'stock');
SELECT docstore.delete('ledger_consumers', 'audit', 2);
-- created again, it does not get a version that it once had
SELECT docstore.commit_cursor('ledger', 'audit', :'five', 0);
-- what plain SQL or docstore.upsert() can put there: no cursor is where a log begins, and of what is none nothing can be said
SELECT docstore.upsert('ledger_consumers', 'begins', '{}'), docstore.upsert('ledger_consumers', 'no cursor', '{"cursor": 7}'),
	docstore.upsert('ledger_consumers', 'null', '{"cursor": null}'), docstore.upsert('ledger_consumers', 'other', '{"cursor": "1-2-3"}');
-- a cursor from a future that never was is stored as any other, and shown for what it is
SELECT docstore.commit_cursor('ledger', 'ahead', regexp_replace(:'five', '-\d+$', '-500'), 0);
SELECT consumer, version, behind, state FROM docstore.consumers('ledger');

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.commit_cursor(NULL, 'mail', '1-2-3', 0) $$);
CALL pg_temp.try($$ SELECT docstore.commit_cursor('ledger', NULL, '1-2-3', 0) $$);
CALL pg_temp.try($$ SELECT docstore.commit_cursor('ledger', '', '1-2-3', 0) $$);
CALL pg_temp.try($$ SELECT docstore.commit_cursor('ledger', 'mail', NULL, 0) $$);
CALL pg_temp.try($$ SELECT docstore.commit_cursor('ledger', 'mail', '12', 0) $$);
SELECT pg_temp.verdict(format('SELECT docstore.commit_cursor(%L, %L, %L, 0)', 'ledger', 'new', given)), given
FROM unnest(ARRAY['', '1-2', '1-2-3-4', '-1-2-3', '01-2-3', '1-02-3', '1-2-03', '+1-2-3', ' 1-2-3', '1-2-3 ', '1-2-x', '0x1-2-3', '1--2', '9223372036854775808-0-0',
	'0-18446744073709551616-0', '0-0-9223372036854775808', '9223372036854775807-18446744073709551615-9223372036854775807', '0-0-0']) WITH ORDINALITY c(given, nr) ORDER BY nr;
CALL pg_temp.try($$ SELECT docstore.commit_cursor('ledger', 'mail', '1-2-3', -3) $$);
CALL pg_temp.try($$ SELECT docstore.commit_cursor('ledger_consumers', 'mail', '1-2-3', 0) $$);
CALL pg_temp.try($$ SELECT docstore.consumers(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.consumers('ledger_consumers') $$);
BEGIN READ ONLY;
SELECT count(*) FROM docstore.consumers('ledger');
CALL pg_temp.try($$ SELECT docstore.commit_cursor('ledger', 'mail', '1-2-3', 0) $$);
COMMIT;
ALTER TABLE ledger_consumers RENAME TO elsewhere;
CALL pg_temp.try($$ SELECT docstore.commit_cursor('ledger', 'mail', '1-2-3', 0) $$);
ALTER TABLE elsewhere RENAME TO ledger_consumers;

-- privileges are the caller's: a consumer needs none on the events to store how far it has come
CREATE ROLE consumer;
SET ROLE consumer;
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'mine', %L, 0) $$, :'five'));
CALL pg_temp.try($$ SELECT docstore.consumers('ledger') $$);
RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON ledger_consumers TO consumer;
SET ROLE consumer;
SELECT docstore.commit_cursor('ledger', 'mine', :'five', 0);
CALL pg_temp.try($$ SELECT docstore.consumers('ledger') $$);
RESET ROLE;
GRANT SELECT ON ledger TO consumer;
ALTER TABLE ledger_consumers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ledger_consumers TO consumer USING (id = 'mine');
SET ROLE consumer;
SELECT consumer, version, behind FROM docstore.consumers('ledger');
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'mail', %L, 0) $$, :'five'));
RESET ROLE;

-- a cursor does not go back, whatever version is expected
SELECT docstore.commit_cursor('ledger', 'back', :'two', 0), docstore.commit_cursor('ledger', 'back', :'five', 1);
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'back', %L, 2) $$, :'two'));
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'back', %L, -1) $$, :'two'));
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('ledger', 'back', %L, -2) $$, :'two'));
-- which version is there comes first
SELECT pg_temp.verdict(format($$ SELECT docstore.commit_cursor('ledger', 'back', %L, 1) $$, :'two')) AS stale,
	pg_temp.verdict(format($$ SELECT docstore.commit_cursor('ledger', 'back', %L, 0) $$, :'two')) AS "exists",
	pg_temp.verdict(format($$ SELECT docstore.commit_cursor('ledger', 'nobody', %L, -1) $$, :'two')) AS created;
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.commit_cursor('ledger', 'back', :'two', 2) IS NULL AS refused, docstore.commit_cursor('ledger', 'back', :'five', 2) AS accepted;
CALL pg_temp.try('SELECT docstore.check_conflicts()');
ROLLBACK;
-- who wants to go back says so: by the document, or with no checks at all
SELECT docstore.upsert('ledger_consumers', 'back', jsonb_build_object('cursor', :'one'), 2), docstore.commit_cursor('ledger', 'back', :'five', 3);
SET docstore.checks = 'off';
SELECT docstore.commit_cursor('ledger', 'back', :'one', 0), docstore.commit_cursor('ledger', 'back', :'five', 0);
RESET docstore.checks;
SELECT docstore.delete('ledger_consumers', 'back', 6), docstore.commit_cursor('ledger', 'back', :'one', 0);
-- what is stored is no cursor, or its event is not there: that does not hold anybody up
SELECT docstore.upsert('ledger_consumers', 'back', data, -1), docstore.commit_cursor('ledger', 'back', :'one', -1)
FROM unnest(ARRAY['{}', '{"cursor": null}', '{"cursor": 7}', '{"cursor": "none"}', '{"cursor": {"cursor": "1-2-3"}}', jsonb_build_object('cursor', regexp_replace(:'five', '-\d+$', '-500'))]) data;
SELECT docstore.delete('ledger_consumers', 'back', -1) > 0 AS deleted;

DROP OWNED BY consumer;
DROP ROLE consumer;
DROP TABLE sent, ledger, ledger_streams, ledger_consumers;
