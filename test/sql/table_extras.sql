-- It is the user's table: extra columns, defaults, checks, unique indexes, partitions, inheritance
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- columns of the user's: defaults when a document is made, left alone after that, generated columns follow the data
CREATE TABLE shops (
	id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL, serial int GENERATED ALWAYS AS IDENTITY, owner name DEFAULT current_user,
	color text NOT NULL DEFAULT 'red', name text GENERATED ALWAYS AS (data ->> 'name') STORED,
	email text GENERATED ALWAYS AS (data ->> 'email') STORED UNIQUE,
	CONSTRAINT named CHECK (data ->> 'name' <> ''));
SELECT docstore.upsert('shops', 'a', '{"name": "Mozart", "email": "m@x"}');
SELECT docstore.upsert_many('shops', '{b,c}', '{"{\"name\": \"Haydn\"}","{}"}', NULL);
UPDATE shops SET color = 'blue' WHERE id = 'a';
SELECT docstore.upsert('shops', 'a', '{"name": "Wolfgang", "email": "m@x"}', 1);
SELECT docstore.upsert_many('shops', '{b}', '{"{\"name\": \"Joseph\"}"}', '{1}');
SELECT id, version, serial, owner = current_user AS mine, color, name, email FROM shops ORDER BY id;

-- a check constraint keeps its code, and is no violation; nothing is written
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', '{"name": ""}', 7) $$);
\set VERBOSITY terse
SELECT docstore.upsert('shops', 'a', '{"name": ""}', 2);
\set VERBOSITY default
\echo :LAST_ERROR_SQLSTATE
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'd', '{"name": ""}') $$),
	pg_temp.verdict($$ SELECT docstore.upsert_many('shops', '{c,d}', '{"{}","{\"name\": \"\"}"}', '{1,0}') $$);
ALTER TABLE shops ADD note text NOT NULL DEFAULT '';
ALTER TABLE shops ALTER note DROP DEFAULT;
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'd', '{}') $$);
ALTER TABLE shops DROP note;

-- a second unique index: 23505 is the server's own, never a conflict
SELECT docstore.upsert('shops', 'd', '{"email": "m@x"}');
\echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'b', '{"email": "m@x"}', 2) $$),
	pg_temp.verdict($$ SELECT docstore.upsert('shops', 'd', '{"email": "m@x"}', -1) $$),
	pg_temp.verdict($$ SELECT docstore.upsert_many('shops', '{b,d}', '{"{}","{\"email\": \"m@x\"}"}', '{2,0}') $$),
	pg_temp.verdict($$ SELECT item FROM docstore.try_save('[{"op": "upsert", "collection": "shops", "id": "d", "data": {"email": "m@x"}}]') $$);
-- a version question and another one: the version is asked first
SELECT pg_temp.verdict($$ SELECT docstore.upsert_many('shops', '{b,d}', '{"{}","{\"email\": \"m@x\"}"}', '{9,0}') $$);
-- freed and taken within one batch: by an update, by a delete
SELECT item, version FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "d", "data": {"email": "m@x"}},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {"email": "a@x"}, "expected": 2}]');
SELECT item, op FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "b", "data": {"email": "m@x"}, "expected": 2},
	{"op": "upsert", "collection": "shops", "id": "e", "data": {"email": "a@x"}},
	{"op": "delete", "collection": "shops", "id": "d", "expected": 1},
	{"op": "delete", "collection": "shops", "id": "a", "expected": 3}]');
SELECT id, email FROM shops ORDER BY id;
-- an exclusion constraint is one of those, too
ALTER TABLE shops DROP CONSTRAINT shops_email_key, ADD CONSTRAINT one_email EXCLUDE (email WITH =);
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'f', '{"email": "m@x"}') $$);
SELECT item FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "f", "data": {"email": "m@x"}},
	{"op": "upsert", "collection": "shops", "id": "b", "data": {}, "expected": 3}]');

-- created_at and updated_at are kept when they are there; further defaults of them do not matter
CREATE TABLE timed (id text PRIMARY KEY, version bigint NOT NULL, data jsonb,
	updated_at timestamptz NOT NULL, created_at timestamptz NOT NULL DEFAULT 'epoch');
BEGIN;
SELECT docstore.upsert('timed', 'a', '{}'), docstore.upsert_many('timed', '{b}', '{"{}"}', NULL);
SELECT bool_and(created_at = now() AND updated_at = now()) AS now FROM timed;
UPDATE timed SET created_at = 'epoch', updated_at = 'epoch';
SELECT docstore.upsert('timed', 'a', '{}', 1), docstore.upsert_many('timed', '{b}', '{"{}"}', '{1}');
SELECT bool_and(created_at = 'epoch' AND updated_at = now()) AS kept FROM timed;
COMMIT;

-- hash partitions: every verb finds its document, and conflicts name the table that was asked for
CREATE TABLE parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY HASH (id);
CREATE TABLE part_0 PARTITION OF parts FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES WITH (MODULUS 3, REMAINDER 2);
SELECT docstore.upsert_many('parts', array_agg('p' || i), array_agg('{"n": 1}'::jsonb), NULL) FROM generate_series(1, 9) i;
SELECT count(DISTINCT tableoid) AS used, count(*) FROM parts;
SELECT docstore.upsert('parts', 'p3', '{"n": 2}', 1), docstore.upsert('parts', 'p4', '{"n": 2}', -1);
SELECT item, version FROM docstore.save('[
	{"op": "upsert", "collection": "parts", "id": "p1", "data": {"n": 3}, "expected": 1},
	{"op": "upsert", "collection": "parts", "id": "p2", "data": {"n": 3}, "expected": "any"},
	{"op": "assert", "collection": "parts", "id": "p5", "expected": 1},
	{"op": "delete", "collection": "parts", "id": "p6", "expected": 1}]');
SELECT docstore.delete('parts', 'p7', 1);
SELECT id, version, data FROM docstore.load_many('parts', '{p7,p6,p5,p4,p3,p2,p1}');
CALL pg_temp.try($$ SELECT docstore.upsert_many('parts', '{p9,p8,p1}', '{"{}","{}","{}"}', '{2,1,0}') $$);
SELECT count(*) FROM parts WHERE version > 1;
-- a partition that is not there
DROP TABLE part_0, part_1;
SELECT pg_temp.verdict($$ SELECT docstore.upsert_many('parts', array_agg('q' || i), array_agg('{}'::jsonb), NULL) FROM generate_series(1, 9) i $$);

-- inheritance: a child has ids of its own; parent and child do not see each other's documents
CREATE TABLE parent (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
SELECT docstore.upsert('child', 'a', '{"in": "child"}'), docstore.upsert('parent', 'a', '{"in": "parent"}');
SELECT docstore.upsert('child', 'b', '{"in": "child"}'), pg_temp.verdict($$ SELECT docstore.upsert('parent', 'b', '{}', 1) $$);
SELECT docstore.upsert('parent', 'a', '{"in": "parent"}', 1), docstore.upsert_many('parent', '{a}', '{"{\"in\": \"parent\"}"}', '{-1}');
SELECT tableoid::regclass, id, version, data FROM parent ORDER BY tableoid::regclass::text, id;
SELECT id, version FROM docstore.load_many('parent', '{a,b}');
SELECT docstore.delete('parent', 'a', -1), docstore.delete('parent', 'b', -1) IS NULL AS none;
SELECT id, version FROM child ORDER BY id;

DROP TABLE shops, timed, parts, child, parent;
