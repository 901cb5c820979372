-- docstore.load() and docstore.load_many(): read documents. B01 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');
SELECT docstore.upsert('shops', 'c1', '{"name": "Mozart''s"}');
SELECT docstore.upsert('shops', 'c2', '{"n": 2}');
SELECT docstore.upsert('shops', 'C2', '{"n": 3}');

-- B01: no such document: an empty result, no error
SELECT id, version, data FROM docstore.load('shops', 'nope');

-- B02: the body and the version
SELECT id, version, data FROM docstore.load('shops', 'c1');

-- the columns, and when it was written
SELECT docstore.upsert('shops', 'c2', '{"n": 2}', 1);
UPDATE shops SET created_at = '2001-01-01 00:00+00', updated_at = '2002-02-02 00:00+00' WHERE id = 'c2';
SET timezone = 'UTC';
SELECT * FROM docstore.load('shops', 'c2');
RESET timezone;

-- B04: still at that version: no row
SELECT id, version, data FROM docstore.load('shops', 'c2', 2);
SELECT id, version, data FROM docstore.load('shops', 'c2', unless_version => 1);
SELECT id, version, data FROM docstore.load('shops', 'c2', 3);
SELECT id, version, data FROM docstore.load('shops', 'c2', NULL);

-- B05: no such document: no row either
SELECT id, version, data FROM docstore.load('shops', 'nope', 1);
SELECT id, version, data FROM docstore.load('shops', 'nope', 0);

-- B07: deleted
SELECT docstore.delete('shops', 'c1', 1);
SELECT id, version, data FROM docstore.load('shops', 'c1');

-- many: each document that is found, once, in the order of the ids
SELECT id, version, data FROM docstore.load_many('shops', ARRAY['c2', 'nope', 'C2', 'c1', 'c2']);
SELECT id, version, data FROM docstore.load_many('shops', '{C2,c2}');
SELECT id FROM docstore.load_many('shops', '{c2,c2}');
SELECT id FROM docstore.load_many('shops', '{c2,C2,c2,C2,C2}');
SELECT id FROM docstore.load_many('shops', '[5:6]={C2,c2}');
SELECT id FROM docstore.load_many('shops', '{}');
SELECT id FROM docstore.load_many('shops', '{nope}');

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.load(NULL, 'c2') $$);
CALL pg_temp.try($$ SELECT docstore.load('shops', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.load('shops', '') $$);
CALL pg_temp.try($$ SELECT docstore.load_many(NULL, '{c2}') $$);
CALL pg_temp.try($$ SELECT docstore.load_many('shops', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.load_many('shops', '{c2,NULL}') $$);
CALL pg_temp.try($$ SELECT docstore.load_many('shops', '{c2,""}') $$);
CALL pg_temp.try($$ SELECT docstore.load_many('shops', '{{c2},{C2}}') $$);
CALL pg_temp.try($$ SELECT docstore.load('pg_class', 'c2') $$);
CALL pg_temp.try($$ SELECT docstore.load('no_such_table', 'c2') $$);
CALL pg_temp.try($$ SELECT docstore.load(4294967295::oid::regclass, 'c2') $$);

-- a table without the two times
CREATE TABLE plain (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
INSERT INTO plain VALUES ('a', 5, '{"x": 1}'), ('b', 1, NULL);
SELECT * FROM docstore.load('plain', 'a');
SELECT * FROM docstore.load_many('plain', '{b,a}');

-- reading needs no transaction that may write, and takes no transaction id
BEGIN READ ONLY;
SELECT id FROM docstore.load('shops', 'c2');
SELECT id FROM docstore.load_many('shops', '{c2}');
SELECT pg_current_xact_id_if_assigned() IS NULL AS wrote_nothing;
COMMIT;

-- in a FROM clause, in a select list, and once for each row
SELECT s.n, d.id, d.version FROM (VALUES (1, 'c2'), (2, 'nope'), (3, 'C2')) s(n, id), LATERAL docstore.load('shops', s.id) d;
SELECT (docstore.load('shops', 'C2')).data;

-- a statement sees what was there when it began
SELECT docstore.upsert('shops', 'C2', '{"n": 4}', 1) AS new, (SELECT version FROM docstore.load('shops', 'C2')) AS seen;

DROP TABLE shops, plain;
