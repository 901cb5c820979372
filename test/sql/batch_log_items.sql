-- Items of save() and try_save() on logs, beside those on documents. M31 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger'), docstore.create_collection('accounts'), docstore.create_collection('stock', 'bigint');

-- every op, in one unit of work: a row for each item, in the order given
SELECT * FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "acc-1", "events": [{"type": "Opened"}, {"type": "Deposited", "data": {"amount": 10}}], "expected": "none"},
	{"op": "upsert", "collection": "accounts", "id": "acc-1", "data": {"balance": 10}},
	{"op": "create_stream", "log": "ledger", "stream": "acc-2", "properties": {"owner": "bob"}},
	{"op": "create_stream", "log": "ledger", "stream": "acc-3"},
	{"op": "assert", "log": "ledger", "stream": "acc-4", "expected": "none"},
	{"op": "assert", "log": "ledger", "scope": {"types": ["Closed"], "expected": "none"}},
	{"op": "put", "data": {"n": 1, "@metadata": {"collection": "stock", "id": 7, "version": 0}}}]');
SELECT * FROM docstore.save('[
	{"op": "set_properties", "log": "ledger", "stream": "acc-2", "properties": {"owner": "ann"}, "expected_revision": 1},
	{"op": "assert", "collection": "stock", "id": 8, "expected": "none"},
	{"op": "close_stream", "log": "ledger", "stream": "acc-1", "expected": 2},
	{"op": "patch", "collection": "accounts", "id": "acc-1", "data": {"closed": true}, "expected": 1},
	{"op": "append", "log": "ledger", "stream": "acc-3", "events": [{"type": "Opened"}], "expected": "exists", "expected_revision": 1, "scopes": [{"source": "acc-1", "expected": 2}]},
	{"op": "delete", "collection": "stock", "id": 7, "expected": 1},
	{"op": "close_stream", "log": "ledger", "stream": "acc-9", "expected": "any"},
	{"op": "assert", "log": "ledger", "stream": "acc-9", "expected": "any"}]');
SELECT stream, version, revision, properties, closed_at IS NOT NULL AS closed FROM ledger_streams ORDER BY stream;
SELECT log_position, stream, version, type FROM ledger ORDER BY log_position;
SELECT id, version, data FROM accounts;

-- several items on one stream: each is about the stream before the call, events keep the order of the items, a row of each says where its events end
SELECT * FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "m", "events": [{"type": "e1"}, {"type": "e2"}], "expected": 0},
	{"op": "append", "log": "ledger", "stream": "n", "events": [{"type": "e3"}], "expected": 0},
	{"op": "append", "log": "ledger", "stream": "m", "events": [{"type": "e4"}], "expected": "none"},
	{"op": "assert", "log": "ledger", "stream": "m", "expected": "none"},
	{"op": "append", "log": "ledger", "stream": "m", "events": [{"type": "e5"}], "expected": "any"}]');
SELECT stream, version, type, log_position - min(log_position) OVER () AS nr FROM ledger WHERE stream IN ('m', 'n') ORDER BY log_position;
SELECT stream, version, revision FROM ledger_streams WHERE stream IN ('m', 'n') ORDER BY stream;
-- one that expects what only holds after another item is stale; so is one that expects existence
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "m", "events": [{"type": "e6"}], "expected": 4},
	{"op": "append", "log": "ledger", "stream": "m", "events": [{"type": "e7"}], "expected": 5},
	{"op": "append", "log": "ledger", "stream": "o", "events": [{"type": "e8"}], "expected": 0},
	{"op": "append", "log": "ledger", "stream": "o", "events": [{"type": "e9"}], "expected": "exists"}]') $$);
-- given events and properties, and closed, or made and given events: in one call
SELECT * FROM docstore.save('[
	{"op": "close_stream", "log": "ledger", "stream": "m", "expected": 4},
	{"op": "append", "log": "ledger", "stream": "m", "events": [{"type": "last"}], "expected": 4},
	{"op": "set_properties", "log": "ledger", "stream": "m", "properties": {"done": true}, "expected_revision": 1}]');
SELECT version, revision, properties, closed_at IS NOT NULL AS closed FROM docstore.stream('ledger', 'm');
SELECT * FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "first"}], "expected": 0},
	{"op": "create_stream", "log": "ledger", "stream": "p", "properties": {"made": true}}]');
SELECT version, revision, properties FROM docstore.stream('ledger', 'p');
-- two items that make, set or close one stream are one too many, as two items on one document are
SELECT name, pg_temp.verdict(format('SELECT version FROM docstore.save(%L)', items)) FROM (VALUES
	('create, create', '[{"op": "create_stream", "log": "ledger", "stream": "q"}, {"op": "create_stream", "log": "ledger", "stream": "q", "properties": {"a": 2}}]'),
	('set, set', '[{"op": "set_properties", "log": "ledger", "stream": "p", "properties": {"a": 1}, "expected_revision": 1}, {"op": "set_properties", "log": "ledger", "stream": "p", "properties": {"a": 2}, "expected_revision": 1}]'),
	('create, set', '[{"op": "create_stream", "log": "ledger", "stream": "q"}, {"op": "set_properties", "log": "ledger", "stream": "q", "properties": {"a": 2}, "expected_revision": "any"}]'),
	('close, close', '[{"op": "close_stream", "log": "ledger", "stream": "p", "expected": 1}, {"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1}, {"op": "close_stream", "log": "ledger", "stream": "p", "expected": "any"}]'),
	('create, close', '[{"op": "create_stream", "log": "ledger", "stream": "q"}, {"op": "close_stream", "log": "ledger", "stream": "q", "expected": "none"}]'),
	('append, close', '[{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1}, {"op": "close_stream", "log": "ledger", "stream": "p", "expected": 1}]'),
	('set, close', '[{"op": "set_properties", "log": "ledger", "stream": "p", "properties": {"a": 2}, "expected_revision": 1}, {"op": "close_stream", "log": "ledger", "stream": "p", "expected": 1}]'),
	('append any, close any', '[{"op": "append", "log": "ledger", "stream": "q", "events": [{"type": "T"}]}, {"op": "close_stream", "log": "ledger", "stream": "q", "expected": "any"}]')) v(name, items);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1},
	{"op": "set_properties", "log": "ledger", "stream": "p", "properties": {"a": 1}, "expected_revision": 1},
	{"op": "set_properties", "log": "public.ledger", "stream": "p", "properties": {"a": 2}, "expected_revision": 7}]') $$);
SELECT version, revision, properties FROM docstore.stream('ledger', 'p');
SELECT count(*) FROM docstore.stream('ledger', 'q');
-- the same name in two logs, and as a document, is something else each time
SELECT docstore.create_log('book');
SELECT * FROM docstore.save('[
	{"op": "append", "log": "book", "stream": "p", "events": [{"type": "T"}], "expected": 0},
	{"op": "append", "log": "public.ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1},
	{"op": "append", "log": "LEDGER", "stream": "p", "events": [{"type": "T"}], "expected": 1},
	{"op": "upsert", "collection": "accounts", "id": "p", "data": {}},
	{"op": "upsert", "collection": "ledger_consumers", "id": "p", "data": {"cursor": ""}}]');

-- M31 and more: one conflict with documents, streams and scopes, each with its kind, in the order of the items; nothing is stored
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1},
	{"op": "upsert", "collection": "accounts", "id": "acc-1", "data": {"lost": 1}, "expected": 1},
	{"op": "append", "log": "ledger", "stream": "n", "events": [{"type": "T"}], "expected": 1, "expected_revision": 9, "scopes": [{"source": "p", "expected": "none"}, {"types": ["Opened"], "expected": 1}]},
	{"op": "append", "log": "ledger", "stream": "new", "events": [{"type": "T"}], "expected": 0},
	{"op": "append", "log": "book", "stream": "p", "events": [{"type": "T"}], "expected": 0},
	{"op": "append", "log": "ledger", "stream": "acc-1", "events": [{"type": "T"}], "expected": 2},
	{"op": "set_properties", "log": "ledger", "stream": "acc-2", "properties": {"lost": 1}, "expected_revision": 1},
	{"op": "set_properties", "log": "ledger", "stream": "absent", "properties": {"lost": 1}, "expected_revision": "exists"},
	{"op": "create_stream", "log": "ledger", "stream": "acc-3"},
	{"op": "close_stream", "log": "ledger", "stream": "p", "expected": 2},
	{"op": "close_stream", "log": "ledger", "stream": "gone", "expected": 2},
	{"op": "assert", "log": "ledger", "stream": "n", "expected": "none"},
	{"op": "assert", "log": "ledger", "stream": "away", "expected": "exists"},
	{"op": "assert", "log": "ledger", "scope": {"source": "p", "strict": true, "expected": 2}},
	{"op": "delete", "collection": "stock", "id": 8, "expected": 1}]') $$);
SELECT count(*) FROM docstore.stream('ledger', 'new');
SELECT stream, version, revision FROM ledger_streams ORDER BY stream;
-- only in one log: its name is in the error's fields
DO $$
DECLARE
	schema text; tab text; constr text;
BEGIN
	PERFORM docstore.append('ledger', 'p', '[{"type": "T"}]', 0, '[{"source": "p", "expected": "none"}]');
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	GET STACKED DIAGNOSTICS schema = SCHEMA_NAME, tab = TABLE_NAME, constr = CONSTRAINT_NAME;
	RAISE INFO '% % %', schema, tab, constr;
END $$;

-- as rows; with another SQLSTATE
CREATE FUNCTION pg_temp.violations(changes jsonb) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM docstore.save(changes);
EXCEPTION WHEN SQLSTATE 'PT409' OR SQLSTATE 'P0409' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN QUERY SELECT v.*, SQLSTATE FROM docstore.violations(detail) v;
END
$$;
SELECT * FROM pg_temp.violations('[
	{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1, "scopes": [{"source": "n", "expected": "none"}]},
	{"op": "upsert", "collection": "accounts", "id": "acc-1", "data": {}},
	{"op": "assert", "log": "ledger", "scope": {"types": ["Opened"], "expected": 1}}]')
	v(item int, op text, kind text, target text, id text, reason text, expected bigint, actual bigint, code text);
SET docstore.conflict_sqlstate = 'P0409';
SELECT DISTINCT code FROM pg_temp.violations('[{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1}]')
	v(item int, op text, kind text, target text, id text, reason text, expected bigint, actual bigint, code text);
RESET docstore.conflict_sqlstate;

-- try_save(): when one item is in the way nothing is written, and each row says how its item stands
SELECT * FROM docstore.try_save('[
	{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1},
	{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 3},
	{"op": "append", "log": "ledger", "stream": "new", "events": [{"type": "T"}]},
	{"op": "append", "log": "ledger", "stream": "n", "events": [{"type": "T"}], "expected": 1, "scopes": [{"source": "p", "expected": "none"}]},
	{"op": "append", "log": "ledger", "stream": "n", "events": [{"type": "T"}], "expected_revision": 7},
	{"op": "append", "log": "ledger", "stream": "m", "events": [{"type": "T"}], "expected": 5},
	{"op": "set_properties", "log": "ledger", "stream": "acc-2", "properties": {}, "expected_revision": 1},
	{"op": "create_stream", "log": "ledger", "stream": "acc-3"},
	{"op": "create_stream", "log": "ledger", "stream": "acc-4"},
	{"op": "close_stream", "log": "ledger", "stream": "n", "expected": 9},
	{"op": "assert", "log": "ledger", "stream": "acc-1", "expected": 2},
	{"op": "assert", "log": "ledger", "scope": {"types": ["Opened"], "expected": 1}},
	{"op": "assert", "log": "ledger", "scope": {"types": ["Nothing"], "expected": 1, "strict": true}},
	{"op": "upsert", "collection": "accounts", "id": "acc-1", "data": {}, "expected": 2}]');
-- what is in nobody's way is written
SELECT * FROM docstore.try_save('[
	{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}, {"type": "T"}], "expected": 3},
	{"op": "set_properties", "log": "ledger", "stream": "acc-2", "properties": {}, "expected_revision": 2},
	{"op": "create_stream", "log": "ledger", "stream": "acc-4"},
	{"op": "close_stream", "log": "ledger", "stream": "n", "expected": 1},
	{"op": "assert", "log": "ledger", "scope": {"types": ["Nothing"], "expected": 1}},
	{"op": "upsert", "collection": "accounts", "id": "acc-1", "data": {}, "expected": 2}]');

-- request_id: once, and again the same answer; the log can have gone on
\set one '\'10600000-0000-0000-0000-000000000001\''
\set changes '\'[{"op": "append", "log": "ledger", "stream": "r", "events": [{"type": "T"}, {"type": "T"}], "expected": 0}, {"op": "create_stream", "log": "ledger", "stream": "r2"}, {"op": "assert", "log": "ledger", "scope": {"source": "r", "expected": "none"}}]\''
SELECT * FROM docstore.save(:changes, :one);
SELECT version FROM docstore.append('ledger', 'r', '[{"type": "T"}]');
SELECT * FROM docstore.save(:changes, :one);
SELECT count(*) FROM ledger WHERE stream = 'r';
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "r", "events": [{"type": "T"}], "expected": 3}]', '10600000-0000-0000-0000-000000000001') $$);
-- one that ended in a conflict is not remembered
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "r", "events": [{"type": "T"}], "expected": 2}]', '10600000-0000-0000-0000-000000000002') $$);
SELECT * FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "r", "events": [{"type": "T"}], "expected": 3}]', '10600000-0000-0000-0000-000000000002');
DELETE FROM docstore.requests WHERE request_id::text LIKE '10600000%';

-- deferred conflicts: of all calls, with the items counted on
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.upsert('accounts', 'acc-1', '{}', 1);
SELECT version FROM docstore.append('ledger', 'r', '[{"type": "T"}]', 1, '[{"source": "p", "expected": "none"}]');
SELECT * FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "r", "events": [{"type": "T"}], "expected": 4},
	{"op": "assert", "log": "ledger", "scope": {"source": "p", "expected": "none"}}]');
SELECT version FROM docstore.append('ledger', 'r', '[{"type": "T"}]', 4);
CALL pg_temp.try($$ SELECT docstore.check_conflicts() $$);
COMMIT;
SELECT max(version) FROM ledger WHERE stream = 'r';

-- docstore.checks = off
SET docstore.checks = off;
SELECT * FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "r", "events": [{"type": "T"}], "expected": 99, "expected_revision": 99, "scopes": [{"source": "p", "expected": "none"}]},
	{"op": "set_properties", "log": "ledger", "stream": "r", "properties": {"a": 1}, "expected_revision": 99},
	{"op": "assert", "log": "ledger", "stream": "p", "expected": 99},
	{"op": "assert", "log": "ledger", "scope": {"source": "p", "expected": "none", "strict": true}}]');
RESET docstore.checks;

-- an argument error hides no conflict and is hidden by none, wherever it stands: the item is named, and nothing is locked or written
CREATE TEMP TABLE wrong (nr serial, item text);
INSERT INTO wrong (item) VALUES
	('{"op": "append"}'),
	('{"op": "append", "log": "ledger"}'),
	('{"op": "append", "log": "ledger", "stream": "p"}'),
	('{"op": "append", "stream": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "ledger", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [], "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{}], "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": {"type": "T"}, "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": null, "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": "[{\"type\": \"T\"}]", "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}, {"type": "T", "data": "{}"}], "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": null, "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": 7, "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": ["p"], "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "", "stream": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": null, "stream": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": 7, "stream": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "a; b", "stream": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "nowhere", "stream": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "accounts", "stream": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "ledger_streams", "stream": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "collection": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "ledger", "id": "p", "events": [{"type": "T"}], "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "data": {}, "expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "Expected": 1}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "scope": {"expected": 1}}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "properties": {}}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": "01"}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": ""}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1.5}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1e100}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 9223372036854775808}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": true}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": [1]}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected_revision": -3}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected_revision": "01"}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected_revision": 1e30}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "scopes": [{}]}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "scopes": 7}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "scopes": "[]"}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "scopes": [{"source": "p", "expected": "any"}]}'),
	('{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "scopes": [{"types": [], "expected": 1}]}'),
	('{"op": "set_properties", "log": "ledger", "stream": "p", "expected_revision": 1}'),
	('{"op": "set_properties", "log": "ledger", "stream": "p", "properties": {}}'),
	('{"op": "set_properties", "log": "ledger", "stream": "p", "properties": [], "expected_revision": 1}'),
	('{"op": "set_properties", "log": "ledger", "stream": "p", "properties": null, "expected_revision": 1}'),
	('{"op": "set_properties", "log": "ledger", "stream": "p", "properties": "{}", "expected_revision": 1}'),
	('{"op": "set_properties", "log": "ledger", "stream": "p", "properties": {}, "expected_revision": "none"}'),
	('{"op": "set_properties", "log": "ledger", "stream": "p", "properties": {}, "expected_revision": 1, "events": []}'),
	('{"op": "set_properties", "log": "ledger", "properties": {}, "expected_revision": 1}'),
	('{"op": "create_stream", "log": "ledger"}'),
	('{"op": "create_stream", "log": "ledger", "stream": "new", "properties": []}'),
	('{"op": "create_stream", "log": "ledger", "stream": "new", "properties": "{}"}'),
	('{"op": "create_stream", "log": "ledger", "stream": "new", "expected": 0}'),
	('{"op": "create_stream", "log": "ledger", "stream": "new", "expected_revision": 0}'),
	('{"op": "create_stream", "log": "ledger", "stream": ""}'),
	('{"op": "close_stream", "log": "ledger", "stream": "p"}'),
	('{"op": "close_stream", "log": "ledger", "stream": "p", "expected": 1, "properties": {}}'),
	('{"op": "assert", "log": "ledger"}'),
	('{"op": "assert", "log": "ledger", "stream": "p"}'),
	('{"op": "assert", "log": "ledger", "scope": {}}'),
	('{"op": "assert", "log": "ledger", "scope": {"source": "p"}}'),
	('{"op": "assert", "log": "ledger", "scope": [{"expected": 1}]}'),
	('{"op": "assert", "log": "ledger", "scope": null}'),
	('{"op": "assert", "log": "ledger", "scope": "{}"}'),
	('{"op": "assert", "log": "ledger", "scope": {"expected": 1}, "expected": 1}'),
	('{"op": "assert", "log": "ledger", "scope": {"expected": 1}, "stream": "p"}'),
	('{"op": "assert", "scope": {"expected": 1}}'),
	('{"op": "assert", "stream": "p", "expected": 1}'),
	('{"op": "assert", "log": "ledger", "id": "p", "expected": 1}'),
	('{"op": "assert", "log": "ledger", "collection": "accounts", "id": "p", "expected": 1}'),
	('{"op": "assert", "log": "ledger", "stream": "p", "expected": 1, "events": []}'),
	('{"op": "assert", "log": "ledger", "scopes": [{"expected": 1}]}'),
	('{"op": "upsert", "log": "ledger", "id": "p", "data": {}}'),
	('{"op": "upsert", "collection": "ledger", "id": "p", "data": {}}'),
	('{"op": "upsert", "collection": "accounts", "stream": "p", "data": {}}'),
	('{"op": "upsert", "collection": "accounts", "id": "p", "data": {}, "events": []}'),
	('{"op": "patch", "log": "ledger", "stream": "p", "data": {}, "expected": 1}'),
	('{"op": "delete", "log": "ledger", "stream": "p", "expected": 1}'),
	('{"op": "put", "log": "ledger", "data": {"@metadata": {"collection": "accounts", "id": "p", "version": 1}}}'),
	('{"op": "appends", "log": "ledger", "stream": "p", "events": [{"type": "T"}]}'),
	('{"op": "erase", "log": "ledger", "stream": "p"}');
CREATE PROCEDURE pg_temp.try_items() LANGUAGE plpgsql AS $$
DECLARE
	w record;
	stale text := '{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 1}';
BEGIN
	FOR w IN SELECT nr, item FROM wrong ORDER BY nr LOOP
		RAISE INFO '%', w.item;
		CALL pg_temp.try(format('SELECT * FROM docstore.%I(%L)', CASE w.nr % 2 WHEN 0 THEN 'save' ELSE 'try_save' END, format('[%s, %s]', stale, w.item)));
	END LOOP;
END
$$;
CALL pg_temp.try_items();
-- none of them took a row's lock or wrote: each in a transaction that then has no id of its own
CREATE FUNCTION pg_temp.took_nothing(changes text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	before text := (SELECT string_agg(concat_ws(' ', stream, version, revision, xmax), ', ' ORDER BY stream) FROM ledger_streams);
BEGIN
	BEGIN
		PERFORM docstore.save(changes::jsonb);
		RETURN false;
	EXCEPTION WHEN invalid_parameter_value OR undefined_table OR wrong_object_type THEN
		RETURN before = (SELECT string_agg(concat_ws(' ', stream, version, revision, xmax), ', ' ORDER BY stream) FROM ledger_streams)
			AND pg_current_xact_id_if_assigned() IS NULL;
	END;
END
$$;
SELECT count(*), count(*) FILTER (WHERE NOT pg_temp.took_nothing(format('[{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": 5}, %s]', item))) AS took FROM wrong;
SELECT max(version) FROM ledger WHERE stream = 'p';

-- reading only asserts takes no version or revision, and gives no version to what is absent
BEGIN;
SELECT item, id, version FROM docstore.save('[
	{"op": "assert", "log": "ledger", "stream": "p", "expected": 5},
	{"op": "assert", "log": "ledger", "stream": "p", "expected": "exists"},
	{"op": "assert", "log": "ledger", "stream": "nobody", "expected": 0},
	{"op": "assert", "log": "ledger", "stream": "acc-4", "expected": 0},
	{"op": "assert", "log": "ledger", "scope": {"source": "acc-4", "expected": 0}}]');
COMMIT;
SELECT stream, version, revision FROM ledger_streams WHERE stream IN ('p', 'acc-4', 'nobody') ORDER BY stream;

-- a subtransaction only where the stream can be absent, and the batch have to begin again: not where an item expects a version
CREATE FUNCTION pg_temp.in_subtransaction(expected text, other text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.save(format('[{"op": "append", "log": "ledger", "stream": "p", "events": [{"type": "T"}], "expected": %s}, %s]', expected, other)::jsonb);
	RETURN (SELECT xmin <> pg_current_xact_id()::xid FROM ledger_streams WHERE stream = 'p');
END
$$;
INSERT INTO stock (id, version, data) VALUES (20, 1, '{}');
SELECT pg_temp.in_subtransaction('5', '{"op": "upsert", "collection": "stock", "id": 20, "data": {}, "expected": 1}');
SELECT pg_temp.in_subtransaction('"exists"', '{"op": "upsert", "collection": "stock", "id": 20, "data": {}, "expected": 2}');
SELECT pg_temp.in_subtransaction('"any"', '{"op": "upsert", "collection": "stock", "id": 20, "data": {}, "expected": 3}');
SELECT pg_temp.in_subtransaction('8', '{"op": "upsert", "collection": "stock", "id": 20, "data": {}, "expected": "any"}');
SELECT pg_temp.in_subtransaction('9', '{"op": "assert", "log": "ledger", "stream": "acc-4", "expected": 0}');

DROP TABLE ledger, ledger_streams, ledger_consumers, book, book_streams, book_consumers, accounts, stock, wrong;
