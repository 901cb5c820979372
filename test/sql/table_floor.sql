-- No ABA: a new document starts above every version that was deleted. C10 and C11 are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');

-- in a collection that never saw a delete versions start at 1
SELECT docstore.upsert('shops', id, '{}') FROM unnest('{a,b,c}'::text[]) id;
SELECT docstore.upsert('shops', 'a', '{}', 1), docstore.upsert('shops', 'b', '{}', 1);

-- C10: the old version does not match the new document, and no version of the new one was ever one of the old
SELECT docstore.delete('shops', 'a', 2);
SELECT docstore.upsert('shops', 'a', '{}');
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', '{}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', '{}', 2) $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'a', 2) $$);

-- C11: the last version before the delete does not create
SELECT docstore.delete('shops', 'b', docstore.any_version());
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'b', '{}', 2) $$);

-- the others go on as before, and a delete at a lower version leaves the floor where it is
SELECT docstore.upsert('shops', 'c', '{}', 1);
SELECT docstore.delete('shops', 'c', 2);
SELECT docstore.upsert('shops', 'c', '{}'), docstore.upsert('shops', 'd', '{}', docstore.any_version());
SELECT item, id, version FROM docstore.save('[
	{"op": "delete", "collection": "shops", "id": "c", "expected": 3},
	{"op": "upsert", "collection": "shops", "id": "e", "data": {}},
	{"op": "upsert", "collection": "shops", "id": "f", "data": {}, "expected": "any"}]');
SELECT docstore.upsert_many('shops', '{g,h}', '{"{}","{}"}', NULL);

-- delete and create in one transaction; what is rolled back may leave the floor higher, which does no harm
BEGIN;
SELECT docstore.upsert('shops', 'd', '{}', 3), docstore.upsert('shops', 'd', '{}', 4);
SELECT docstore.delete('shops', 'd', 5);
SELECT docstore.upsert('shops', 'd', '{}');
ROLLBACK;
SELECT id, version FROM shops WHERE id = 'd';
SELECT docstore.upsert('shops', 'new', '{}');

-- a batch that deletes several raises the floor to the highest of their versions, in whatever order they come
SELECT docstore.create_collection('several');
SELECT docstore.upsert('several', id, '{}') FROM unnest('{a,b,c,d}'::text[]) id;
SELECT docstore.upsert('several', id, '{}', 1), docstore.upsert('several', id, '{}', 2) FROM unnest('{a,d}'::text[]) id;
SELECT item, id, version FROM docstore.save('[{"op": "delete", "collection": "several", "id": "a", "expected": 3}, {"op": "delete", "collection": "several", "id": "b", "expected": 1}]');
SELECT docstore.upsert('several', 'a', '{}');
SELECT item, id, version FROM docstore.save('[{"op": "delete", "collection": "several", "id": "c", "expected": 1}, {"op": "delete", "collection": "several", "id": "a", "expected": 4}]');
SELECT docstore.upsert('several', 'a', '{}'), docstore.upsert('several', 'c', '{}');
DROP TABLE several;

-- also with the checks off
SET docstore.checks = off;
SELECT docstore.delete('shops', 'new', 1);
SELECT docstore.upsert('shops', 'new', '{}', 77);
RESET docstore.checks;

-- the floor is a sequence that the version column owns: it comes and goes with the table
SELECT sequencename, last_value FROM pg_sequences WHERE sequencename LIKE 'shops%';
ALTER TABLE shops RENAME TO places;
CREATE SCHEMA elsewhere;
ALTER TABLE places SET SCHEMA elsewhere;
SELECT docstore.upsert('elsewhere.places', 'moved', '{}');
SELECT schemaname, sequencename FROM pg_sequences WHERE sequencename LIKE 'shops%';
DROP TABLE elsewhere.places;
SELECT count(*) FROM pg_sequences WHERE sequencename LIKE 'shops%';
DROP SCHEMA elsewhere;

-- a table made by hand gets its floor with its first delete
CREATE TABLE hand (id bigint PRIMARY KEY, version bigserial, data jsonb NOT NULL);
SELECT docstore.upsert('hand', '1', '{}'), docstore.upsert('hand', '1', '{}', 1), docstore.upsert('hand', '2', '{}');
SELECT docstore.delete('hand', '1', docstore.any_version()), docstore.delete('hand', '9', docstore.any_version());
SELECT docstore.upsert('hand', '1', '{}'), docstore.upsert('hand', '9', '{}');
SELECT sequencename, last_value FROM pg_sequences WHERE sequencename LIKE 'hand%' ORDER BY 1;
-- one that is taken back takes its floor along, and the next makes it
CREATE TABLE hand2 (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
SELECT docstore.upsert('hand2', 'a', '{}');
BEGIN;
SAVEPOINT s;
SELECT docstore.delete('hand2', 'a', 1), docstore.upsert('hand2', 'a', '{}');
ROLLBACK TO s;
SELECT docstore.upsert('hand2', 'b', '{}');
COMMIT;
SELECT docstore.delete('hand2', 'a', 1), docstore.upsert('hand2', 'a', '{}');

-- and so do those whose floor somebody drops
DROP SEQUENCE hand2_version_floor;
SELECT docstore.upsert('hand2', 'c', '{}'), docstore.delete('hand2', 'a', 2), docstore.upsert('hand2', 'a', '{}');

-- partitions share the floor of the table they are a part of
CREATE TABLE parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY HASH (id);
CREATE TABLE parts0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT docstore.upsert('parts', 'a', '{}'), docstore.upsert('parts', 'a', '{}', 1), docstore.upsert('parts', 'b', '{}');
SELECT tableoid::regclass AS part, id, version FROM parts ORDER BY id;
SELECT docstore.delete((SELECT tableoid::regclass FROM parts WHERE id = 'a'), 'a', 2);
SELECT docstore.upsert('parts', 'a', '{}');
SELECT sequencename FROM pg_sequences WHERE sequencename LIKE 'parts%';

-- a temporary collection
SELECT docstore.create_collection('pg_temp.brief');
SELECT docstore.upsert('brief', 'a', '{}'), docstore.delete('brief', 'a', 1), docstore.upsert('brief', 'a', '{}');

-- callers need no privilege on the floor; the owner of the table makes it
CREATE ROLE regress_docstore_owner;
CREATE ROLE regress_docstore_writer;
CREATE SCHEMA own AUTHORIZATION regress_docstore_owner;
GRANT USAGE ON SCHEMA own TO PUBLIC;
SET ROLE regress_docstore_owner;
CREATE TABLE own.things (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON own.things TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
SELECT docstore.upsert('own.things', 'a', '{}');
SELECT docstore.delete('own.things', 'a', 1), docstore.upsert('own.things', 'a', '{}');
SELECT current_user;
CALL pg_temp.try($$ SELECT setval('own.things_version_floor', 1) $$);
CALL pg_temp.try($$ SELECT last_value FROM own.things_version_floor $$);
RESET ROLE;
SELECT sequenceowner FROM pg_sequences WHERE sequencename = 'things_version_floor';
-- where the owner must not make it, nothing is deleted
SET ROLE regress_docstore_owner;
CREATE TABLE own.more (LIKE own.things INCLUDING ALL);
GRANT SELECT, INSERT, UPDATE, DELETE ON own.more TO regress_docstore_writer;
RESET ROLE;
ALTER SCHEMA own OWNER TO CURRENT_USER;
SET ROLE regress_docstore_writer;
SELECT docstore.upsert('own.more', 'a', '{}');
CALL pg_temp.try($$ SELECT docstore.delete('own.more', 'a', 1) $$);
SELECT version FROM docstore.load('own.more', 'a');
SELECT current_user;
RESET ROLE;
-- nor does anybody make it who may not delete: that he is told first
REVOKE DELETE ON own.more FROM regress_docstore_writer;
SET ROLE regress_docstore_writer;
CALL pg_temp.try($$ SELECT docstore.delete('own.more', 'a', 1) $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "delete", "collection": "own.more", "id": "a", "expected": 1}]') $$);
RESET ROLE;

-- the highest version there is
SELECT docstore.create_collection('high');
INSERT INTO high (id, version, data) VALUES ('a', 9223372036854775807, '{}'), ('b', 9223372036854775806, '{}');
SELECT docstore.delete('high', 'b', 9223372036854775806);
SELECT docstore.upsert('high', 'b', '{}');
SELECT docstore.delete('high', 'a', 9223372036854775807);
CALL pg_temp.try($$ SELECT docstore.upsert('high', 'a', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "high", "id": "c", "data": {}}]') $$);
SELECT docstore.upsert('high', 'b', '{}', 9223372036854775807) IS NULL AS never;
SELECT setval('high_version_floor', 9);
SELECT docstore.upsert('high', 'a', '{}');

-- who was too low starts higher and higher, but not above the highest version: a trigger uses up versions before the id is won
SELECT docstore.create_collection('greedy');
SELECT docstore.upsert('greedy', 'a', '{}'), docstore.delete('greedy', 'a', 1);
CREATE FUNCTION pg_temp.use_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setval('greedy_version_floor', last_value + (last_value < 9223372036854775806)::int) FROM greedy_version_floor;
	RETURN NEW;
END $$;
CREATE TRIGGER use_up BEFORE INSERT ON greedy FOR EACH ROW EXECUTE FUNCTION pg_temp.use_up();
SELECT setval('greedy_version_floor', 9223372036854775804);
SELECT docstore.upsert('greedy', 'a', '{}');
SELECT setval('greedy_version_floor', 9223372036854775804);
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "greedy", "id": "b", "data": {}}]');

-- who has raised the floor holds up nobody else who raises it, until it commits
SELECT docstore.create_collection('shelf');
SELECT docstore.upsert('shelf', 'a', '{}');
BEGIN;
SELECT docstore.delete('shelf', 'a', 1);
SELECT locktype, mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'page';
COMMIT;

-- the sequence is dropped, and its owner puts another in its place
DROP SEQUENCE shelf_version_floor;
CREATE SEQUENCE shelf_versions MINVALUE 0 START 100 OWNED BY shelf.version;
SELECT docstore.upsert('shelf', 'b', '{}');
SELECT docstore.delete('shelf', 'b', 101);
SELECT last_value FROM shelf_versions;

DROP TABLE hand, hand2, parts, brief, high, greedy, shelf, own.things, own.more;
DROP SCHEMA own;
DROP ROLE regress_docstore_owner, regress_docstore_writer;
