-- What a document was: docstore.history(), load_version(), load_at(), and back to that: revert(). F01 and the like are the numbers of the
-- behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');
SELECT docstore.track('shops');
SET docstore.actor = 'ann';
SELECT docstore.upsert('shops', 'd', '{"seats": 1}');
SET docstore.context = '{"why": "more guests"}';
SELECT docstore.upsert('shops', 'd', '{"seats": 2}', 1);
RESET docstore.context;
SET docstore.actor = 'ben';
SELECT docstore.patch('shops', 'd', '{"seats": 3}', 2);
SELECT docstore.upsert('shops', 'd', '{"seats": 4}', 3);
SELECT docstore.upsert('shops', 'e', '{"seats": 9}');

-- F01: newest first
SELECT id, version, op, data, actor, context FROM docstore.history('shops', 'd');
SELECT pg_typeof(id), pg_typeof(version), pg_typeof(op), pg_typeof(data), pg_typeof(recorded_at), pg_typeof(actor), pg_typeof(context) FROM docstore.history('shops', 'e');
-- times grow along a document
SELECT bool_and(recorded_at > before) FROM (SELECT recorded_at, lag(recorded_at) OVER (ORDER BY version) AS before FROM docstore.history('shops', 'd')) AS h;
-- F02: a part of them
SELECT array_agg(version) FROM docstore.history('shops', 'd', skip => 1);
SELECT array_agg(version) FROM docstore.history('shops', 'd', max_count => 2, skip => 1);
SELECT array_agg(version) FROM docstore.history('shops', 'd', 2);
SELECT array_agg(version) FROM docstore.history('shops', 'd', 2, 3);
SELECT array_agg(version) FROM docstore.history('shops', 'd', before_version => 4, max_count => 2, skip => 1);
SELECT array_agg(version) FROM docstore.history('shops', 'd', before_version => 1);
SELECT array_agg(version) FROM docstore.history('shops', 'd', before_version => 9223372036854775807);
SELECT array_agg(version) FROM docstore.history('shops', 'd', 0);
SELECT array_agg(version) FROM docstore.history('shops', 'd', skip => 4);
-- F05: how many
SELECT count(*) FROM docstore.history('shops', 'd');
-- no such document
SELECT count(*) FROM docstore.history('shops', 'nope');

-- F04: one version; an unknown one is no error, and in a list it alone is empty
SELECT id, version, op, data, actor, context FROM docstore.load_version('shops', 'd', 2);
SELECT * FROM docstore.load_version('shops', 'd', 5);
SELECT * FROM docstore.load_version('shops', 'd', 0);
SELECT * FROM docstore.load_version('shops', 'd', -1);
SELECT * FROM docstore.load_version('shops', 'nope', 1);
SELECT wanted, version, data FROM unnest('{1,7,3}'::bigint[]) AS wanted LEFT JOIN docstore.load_version('shops', 'd', wanted) ON true;

-- F11: a document that was deleted and created again has all of its history
SELECT docstore.delete('shops', 'd', 4);
SELECT docstore.upsert('shops', 'd', '{"seats": 6}');
SELECT version, op, data, actor FROM docstore.history('shops', 'd');
SELECT version, op, data FROM docstore.load_version('shops', 'd', 5);

-- As it was at a time. Where two times are as here, nothing depends on the clock.
UPDATE shops_history SET recorded_at = timestamptz '2030-01-01 UTC' + version * interval '1 day';
UPDATE shops SET updated_at = '2030-01-07 UTC';
SELECT at, version, op, data FROM unnest('{2030-01-01 UTC,2030-01-02 UTC,2030-01-02 23:59 UTC,2030-01-03 UTC,2030-01-05 23:59 UTC,2030-01-06 UTC,2030-01-06 23:59 UTC,2030-01-07 UTC,infinity,-infinity}'::timestamptz[]) AS at
LEFT JOIN docstore.load_at('shops', 'd', at) ON true;
SELECT * FROM docstore.load_at('shops', 'nope', 'infinity');
SELECT id, version, op, data, actor, context FROM docstore.load_at('shops', 'd', '2030-01-03 UTC');

-- What is read is what the snapshot of the query shows.
SELECT docstore.upsert('shops', 'e', '{"seats": 10}', 1) AS version, (SELECT count(*) FROM docstore.history('shops', 'e')) AS seen;
SELECT count(*) FROM docstore.history('shops', 'e');

--
-- Back to that
--

-- a new version, with the data of an old one
SELECT docstore.revert('shops', 'd', 2, 6);
SELECT version, data FROM docstore.load('shops', 'd');
SELECT version, op, data, actor FROM docstore.history('shops', 'd', 2);
-- with what it expects
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'd', 1, 6) $$);
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'd', 1, NULL) $$);
SELECT docstore.revert('shops', 'd', 1, docstore.any_version());
SELECT docstore.revert('shops', 'd', 4, docstore.some_version());
-- to what is there, it is a write as any other
SELECT docstore.revert('shops', 'd', 9, 9);
SELECT version, data FROM docstore.load('shops', 'd');
-- one that was deleted comes back; the version says that it expects nothing
SELECT docstore.delete('shops', 'e', 2);
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'e', 1, 2) $$);
SELECT docstore.revert('shops', 'e', 1, docstore.no_version());
SELECT version, data FROM docstore.load('shops', 'e');
SELECT version, op, data FROM docstore.history('shops', 'e');
-- what this transaction has written
BEGIN;
SELECT docstore.upsert('shops', 'f', '{"seats": 1}'), docstore.upsert('shops', 'f', '{"seats": 2}', docstore.any_version()), docstore.delete('shops', 'f', docstore.any_version());
SELECT version, op FROM docstore.history('shops', 'f');
SELECT docstore.revert('shops', 'f', (SELECT max(version) - 1 FROM docstore.history('shops', 'f')), 0) > 0;
SELECT data FROM docstore.load('shops', 'f');
ROLLBACK;
SELECT count(*) FROM docstore.history('shops', 'f');
-- and what this very statement has
BEGIN;
SELECT docstore.revert('shops', 'd', two - 1, two) - two AS after
FROM (SELECT docstore.upsert('shops', 'd', '{"seats": 8}', one) AS two FROM (SELECT docstore.upsert('shops', 'd', '{"seats": 7}', docstore.any_version()) AS one OFFSET 0) AS a OFFSET 0) AS b;
SELECT data FROM docstore.load('shops', 'd');
ROLLBACK;
-- deferred, and unchecked
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.revert('shops', 'd', 1, 3);
CALL pg_temp.try('SELECT docstore.check_conflicts()');
ROLLBACK;
BEGIN;
SET LOCAL docstore.checks = off;
SELECT docstore.revert('shops', 'd', 1, 3);
ROLLBACK;
-- refused: not there, a deletion, erased; whatever is expected
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'd', 77, 10) $$);
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'd', 0, 3) $$);
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'nope', 1, 0) $$);
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'd', 5, 10) $$);
SELECT docstore.erase_history('shops', 'd', '{3}');
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'd', 3, 10) $$);
SELECT version, data FROM docstore.load('shops', 'd');

--
-- What is not recorded yet: documents that were there before, until they are changed
--

SELECT docstore.create_collection('menus');
SELECT count(docstore.upsert('menus', id, jsonb_build_object('name', id))) FROM unnest('{a,b,c}'::text[]) AS id;
SELECT docstore.upsert('menus', 'b', '{"name": "bee"}', 1);
SELECT docstore.track('menus', max_rows => 1);
SELECT id, version FROM menus_history;
UPDATE menus_history SET recorded_at = '2030-01-02 UTC';
UPDATE menus SET updated_at = '2030-01-02 UTC';
SELECT id, version, op, data, recorded_at = '2030-01-02 UTC' AS recorded_at, actor, context FROM docstore.load_version('menus', 'b', 2);
SELECT * FROM docstore.load_version('menus', 'b', 1);
SELECT * FROM docstore.load_version('menus', 'b', 3);
SELECT count(*) FROM docstore.history('menus', 'b');
-- it has been so since its updated_at; what was before that nobody knows
SELECT at, version, data FROM unnest('{2030-01-01 UTC,2030-01-02 UTC,2030-01-03 UTC}'::timestamptz[]) AS at LEFT JOIN docstore.load_at('menus', 'b', at) ON true;
-- a change records it first
SELECT docstore.upsert('menus', 'b', '{"name": "bean"}', 2);
SELECT version, op, data FROM docstore.history('menus', 'b');
SELECT version, op, data FROM docstore.load_at('menus', 'b', 'infinity');
-- back to what is not recorded
SELECT docstore.revert('menus', 'c', 1, 1);
SELECT version, data FROM docstore.history('menus', 'c');
-- without updated_at it has been so since the transaction began, at least
CREATE TABLE plain (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb);
INSERT INTO plain VALUES (1, 1, '{}'), (2, 1, '{"n": 2}'), (3, 1, NULL);
SELECT docstore.track('plain', max_rows => 1);
SELECT at, version, data, recorded_at FROM unnest(ARRAY[now() - interval '1 s', now()]) WITH ORDINALITY AS times (time, at) LEFT JOIN docstore.load_at('plain', '2', time) ON true;
-- data that is NULL counts as {}
SELECT docstore.revert('plain', '3', 1, 1);
SELECT version, data FROM plain WHERE id = 3;
SELECT version, op, data FROM docstore.history('plain', '3');
SELECT docstore.revert('plain', '3', 1, 2);
SELECT version, data FROM plain WHERE id = 3;

--
-- Whose history it is
--

CREATE ROLE reader;
GRANT SELECT ON shops, menus TO reader;
SET ROLE reader;
CALL pg_temp.try($$ SELECT count(*) FROM docstore.history('shops', 'd') $$);
CALL pg_temp.try($$ SELECT count(*) FROM docstore.load_version('shops', 'd', 1) $$);
CALL pg_temp.try($$ SELECT count(*) FROM docstore.load_at('shops', 'd', now()) $$);
RESET ROLE;
GRANT SELECT ON shops_history, menus_history TO reader;
REVOKE SELECT ON shops FROM reader;
SET ROLE reader;
SELECT count(*) FROM docstore.history('shops', 'd');
SELECT data FROM docstore.load_version('shops', 'd', 1);
SELECT version FROM docstore.load_at('shops', 'd', '2030-01-03 UTC');
-- a version that history does not have is in the collection, which is another table
SELECT * FROM docstore.load_version('shops', 'd', 77);
SELECT data FROM docstore.load_version('menus', 'a', 1);
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'd', 1, 10) $$);
CALL pg_temp.try($$ SELECT docstore.prune_history('shops', '0') $$);
CALL pg_temp.try($$ SELECT docstore.erase_history('shops', 'd') $$);
RESET ROLE;
-- row security of the history
ALTER TABLE shops_history ENABLE ROW LEVEL SECURITY;
SET ROLE reader;
SELECT count(*) FROM docstore.history('shops', 'd');
RESET ROLE;
CREATE POLICY anns ON shops_history FOR SELECT TO reader USING (actor = 'ann');
SET ROLE reader;
SELECT array_agg(version) FROM docstore.history('shops', 'd');
SELECT * FROM docstore.load_version('shops', 'd', 4);
RESET ROLE;
DROP POLICY anns ON shops_history;
ALTER TABLE shops_history DISABLE ROW LEVEL SECURITY;

--
-- Which history it is
--

-- it is still there when the collection is not tracked any more
SELECT docstore.untrack('menus');
SELECT version, op FROM docstore.history('menus', 'b');
SELECT data FROM docstore.load_version('menus', 'b', 2);
-- what nobody recorded is what the document says itself
SELECT docstore.upsert('menus', 'b', '{"name": "late"}', 3);
SELECT version FROM docstore.history('menus', 'b', 1);
SELECT version, data FROM docstore.load_at('menus', 'b', 'infinity');
SELECT docstore.revert('menus', 'b', version, version) - version AS one_more FROM menus WHERE id = 'b';
-- never tracked, or dropped
SELECT docstore.create_collection('tables');
CALL pg_temp.try($$ SELECT * FROM docstore.history('tables', 'a') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.load_version('tables', 'a', 1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.load_at('tables', 'a', now()) $$);
CALL pg_temp.try($$ SELECT docstore.revert('tables', 'a', 1, 0) $$);
CALL pg_temp.try($$ SELECT docstore.prune_history('tables', '1 day') $$);
CALL pg_temp.try($$ SELECT docstore.erase_history('tables', 'a') $$);
DROP TABLE menus_history;
CALL pg_temp.try($$ SELECT * FROM docstore.history('menus', 'b') $$);
-- one of that name that was another collection's
SELECT docstore.untrack('plain');
ALTER TABLE plain_history RENAME TO tables_history;
CALL pg_temp.try($$ SELECT * FROM docstore.history('tables', '1') $$);
-- no collection, no such table
CALL pg_temp.try($$ SELECT * FROM docstore.history('tables_history', '1') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.history(4711, '1') $$);

--
-- Bad arguments
--

CALL pg_temp.try($$ SELECT * FROM docstore.history(NULL, 'd') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.history('shops', NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.history('shops', '') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.history('shops', 'd', -1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.history('shops', 'd', skip => -1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.history('shops', 'd', skip => NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.history('shops', 'd', before_version => 0) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.load_version('shops', 'd', NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.load_at('shops', 'd', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'd', NULL, 1) $$);
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'd', 1, -7) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.history('plain', 'x') $$);

DROP TABLE shops, shops_history, menus, plain, tables, tables_history;
DROP ROLE reader;
