-- One document: saved with the version that was loaded, refused with any other.
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION docstore;
SELECT plan(33);

SELECT docstore.create_collection('shops');

-- create
SELECT is(docstore.upsert('shops', 'c1', '{"name": "Mozart''s"}'), 1::bigint, 'a new document is at version 1');
SELECT results_eq('SELECT id, version, data FROM docstore.load(''shops'', ''c1'')',
	$$ VALUES ('c1'::text, 1::bigint, '{"name": "Mozart''s"}'::jsonb) $$, 'it can be loaded');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''c1'', ''{}'')', 'PT409',
	'version conflict: 1 of 1 items does not match its expected version', 'without a version nothing is overwritten');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''c1'', ''{}'', NULL)', 'PT409', NULL, 'nor with NULL');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''c1'', ''{}'', docstore.no_version())', 'PT409', NULL, 'nor with no_version()');

-- change
SELECT is(docstore.upsert('shops', 'c1', '{"name": "Haydn''s"}', 1), 2::bigint, 'each write makes the version grow by one');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''c1'', ''{}'', 1)', 'PT409', NULL, 'a stale version is refused');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''c1'', ''{}'', 3)', 'PT409', NULL, 'a version ahead is refused, too');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''c2'', ''{}'', 1)', 'PT409', NULL, 'a version of what is not there is refused');
SELECT results_eq('SELECT version, data FROM shops', $$ VALUES (2::bigint, '{"name": "Haydn''s"}'::jsonb) $$, 'the refused writes have changed nothing');
SELECT is(docstore.upsert('shops', 'c1', '{}', docstore.any_version()), 3::bigint, 'any_version() overwrites');
SELECT is(docstore.upsert('shops', 'c1', '{}', docstore.some_version()), 4::bigint, 'some_version() overwrites what is there');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''c2'', ''{}'', docstore.some_version())', 'PT409', NULL, 'but creates nothing');
SELECT is(docstore.upsert('shops', 'c1', '{}', 4), 5::bigint, 'identical data is a write');

-- load
SELECT is_empty('SELECT * FROM docstore.load(''shops'', ''nope'')', 'what is not there has no row');
SELECT is_empty('SELECT * FROM docstore.load(''shops'', ''c1'', 5)', 'not modified: no row');
SELECT isnt_empty('SELECT * FROM docstore.load(''shops'', ''c1'', 4)', 'modified: a row');
SELECT docstore.upsert('shops', 'c2', '{}'), docstore.upsert('shops', 'c3', '{}');
SELECT results_eq('SELECT id FROM docstore.load_many(''shops'', ''{c3,nope,c1,c3}'')', $$ VALUES ('c3'::text), ('c1') $$,
	'many: those that are there, once, in the order of the ids');
SELECT results_eq('SELECT created_at, updated_at FROM docstore.load(''shops'', ''c1'')', 'SELECT now(), now()', 'with the times it was created and updated');

-- delete
SELECT throws_ok('SELECT docstore.delete(''shops'', ''c1'', 4)', 'PT409', NULL, 'a stale delete is refused');
SELECT is(docstore.delete('shops', 'c1', 5), 5::bigint, 'delete returns the version that it deleted');
SELECT is_empty('SELECT * FROM docstore.load(''shops'', ''c1'')', 'it is gone');
SELECT throws_ok('SELECT docstore.delete(''shops'', ''c1'', 5)', 'PT409', NULL, 'to delete it again is refused');
SELECT is(docstore.delete('shops', 'c1', docstore.any_version()), NULL, 'unless any version will do');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''c1'', ''{}'', 5)', 'PT409', NULL, 'and to save it with its last version is refused');
SELECT throws_ok('SELECT docstore.delete(''shops'', ''c2'', 0)', '22023', 'a delete cannot expect absence');

-- bad arguments are no conflicts
SELECT throws_ok('SELECT docstore.upsert(''shops'', '''', ''{}'')', '22023', 'id must not be empty');
SELECT throws_ok('SELECT docstore.upsert(''shops'', NULL, ''{}'')', '22023', 'id must not be NULL');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''a'', ''[]'')', '22023', 'data must be a JSON object');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''a'', ''"{}"'')', '22023', 'data must be a JSON object, not a JSON string');
SELECT throws_ok('SELECT docstore.upsert(''shops'', ''a'', ''{}'', -3)', '22023', 'invalid expected version -3');
SELECT throws_ok('SELECT docstore.upsert(''pg_class'', ''a'', ''{}'')', '42809', '"pg_catalog.pg_class" is not a collection');
SELECT throws_ok('SELECT docstore.upsert(''nowhere'', ''a'', ''{}'')', '42P01', NULL, 'a table that does not exist');

SELECT * FROM finish();
ROLLBACK;
