-- The conflict's hint: what to do for each reason that occurs, and nothing else
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_log('ledger');
SELECT docstore.upsert('shops', 'a', '{}'), docstore.upsert('shops', 'm', '{"n": 1}'), docstore.upsert('shops', 'm', '{"n": 2}', 1);
SELECT * FROM docstore.append('ledger', 's', '[{"type": "x"}]');
SELECT * FROM docstore.append('ledger', 'ended', '[{"type": "x"}]');
SELECT docstore.close_stream('ledger', 'ended', 1);
CREATE TABLE posts (id int PRIMARY KEY, version int);
INSERT INTO posts VALUES (1, 5);
SELECT docstore.guard('posts');

-- the reasons of a conflict and its hint
CREATE FUNCTION pg_temp.hint(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN (SELECT string_agg(concat_ws(' ', op, reason), ', ' ORDER BY item) FROM docstore.violations(detail)) || ': ' || hint;
END
$$;
CREATE TEMP TABLE items (name text, item jsonb);
INSERT INTO items VALUES
	('stale', '{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 2}'),
	('missing', '{"op": "patch", "collection": "shops", "id": "b", "data": {}, "expected": 2}'),
	('exists', '{"op": "put", "data": {"@metadata": {"collection": "shops", "id": "a"}}}'),
	('stream', '{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "x"}], "expected": 2}'),
	('revision', '{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "x"}], "expected_revision": 2}'),
	('properties', '{"op": "set_properties", "log": "ledger", "stream": "s", "properties": {}, "expected_revision": 2}'),
	('closed', '{"op": "append", "log": "ledger", "stream": "ended", "events": [{"type": "x"}]}'),
	('closed twice', '{"op": "close_stream", "log": "ledger", "stream": "ended", "expected": "any"}'),
	('condition', '{"op": "patch", "collection": "shops", "id": "a", "data": {}, "expected": "any", "if_contains": {"open": true}}'),
	('merge', '{"op": "merge", "collection": "shops", "id": "m", "data": {"n": 3}, "base": {"n": 1}, "expected": 1}'),
	('scope', '{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "x"}], "scopes": [{"expected": 1}]}'),
	('asserted scope', '{"op": "assert", "log": "ledger", "scope": {"types": ["x"], "expected": "none"}}');
CREATE FUNCTION pg_temp.saved(VARIADIC names text[]) RETURNS text RETURN format('SELECT docstore.save(%L)',
	(SELECT jsonb_agg(item ORDER BY array_position(names, name)) FROM items WHERE name = ANY (names)));

-- one reason
SELECT name, pg_temp.hint(pg_temp.saved(name)) FROM items;
SELECT pg_temp.hint($$ SELECT docstore.upsert('shops', 'a', '{}') $$) AS single,
	pg_temp.hint($$ SELECT docstore.append('ledger', 'ended', '[{"type": "x"}]') $$) AS closed,
	pg_temp.hint($$ UPDATE posts SET version = 4 $$) AS guarded;
-- many, each sentence once
SELECT pg_temp.hint(pg_temp.saved(VARIADIC string_to_array(names, ', ')))
FROM unnest('{"stale, missing, stream", "stale, closed", "scope, asserted scope, missing", "closed, asserted scope", "closed, asserted scope, stale, missing", "condition, missing", "condition, closed", "merge, stale"}'::text[]) names;
-- also for violations that are counted and not listed
SET docstore.max_violations = 1;
SELECT pg_temp.hint(pg_temp.saved('stale', 'closed'));
RESET docstore.max_violations;

-- row security is named to those from whom it hides rows, where one is missing, and to nobody else
CREATE ROLE regress_docstore_hidden;
GRANT SELECT, INSERT, UPDATE ON shops TO regress_docstore_hidden;
ALTER TABLE shops ENABLE ROW LEVEL SECURITY;
CREATE POLICY most ON shops USING (id <> 'm');
SELECT pg_temp.hint(pg_temp.saved('missing')) AS owner;
SET ROLE regress_docstore_hidden;
SELECT pg_temp.hint($$ SELECT docstore.upsert('shops', 'm', '{}', 2) $$) AS missing, pg_temp.hint($$ SELECT docstore.upsert('shops', 'a', '{}', 2) $$) AS stale;
RESET ROLE;
DROP POLICY most ON shops;
ALTER TABLE shops DISABLE ROW LEVEL SECURITY;
DROP OWNED BY regress_docstore_hidden;
DROP ROLE regress_docstore_hidden;

-- deferred: check_conflicts(), COMMIT, PREPARE; what was undone gives no advice
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT version FROM docstore.append('ledger', 'ended', '[{"type": "x"}]');
SAVEPOINT a;
SELECT docstore.upsert('shops', 'a', '{}', 2);
SELECT pg_temp.hint('SELECT docstore.check_conflicts()');
ROLLBACK TO a;
SELECT pg_temp.hint('SELECT docstore.check_conflicts()');
COMMIT;
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT item, version FROM docstore.save((SELECT jsonb_agg(item) FROM items WHERE name IN ('stale', 'asserted scope')));
PREPARE TRANSACTION 'hints';

DROP FUNCTION pg_temp.saved;
DROP TABLE shops, ledger, ledger_streams, ledger_consumers, posts, items;
