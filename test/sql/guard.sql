-- docstore.guard(): plain SQL is held to the rule of versions, and a collection's deletes are noted
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE TABLE orders (nr int PRIMARY KEY, version int, note text);
SELECT docstore.guard('orders');

-- INSERT: what the writer sends, and 1 for nothing
INSERT INTO orders VALUES (1, NULL), (2, 0), (3, 1), (4, 7);
INSERT INTO orders (nr) VALUES (5);
SELECT nr, version FROM orders ORDER BY nr;

-- UPDATE: the same version, or one more; anything else is the conflict
UPDATE orders SET note = 'x' WHERE nr = 1;
UPDATE orders SET note = 'y', version = 3 WHERE nr = 1;
UPDATE orders SET note = 'z', version = version + 1 WHERE nr = 1;
SELECT * FROM orders WHERE nr = 1;
CALL pg_temp.try($$ UPDATE orders SET version = 3 WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE orders SET version = 6 WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE orders SET version = NULL WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE orders SET version = 0 $$);
SELECT nr, version FROM orders ORDER BY nr;

-- the conflict as rows, and its fields
DO $$
DECLARE
	detail text;
	fields text;
	table_field text;
BEGIN
	UPDATE orders SET version = 2 WHERE nr = 4;
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, fields = CONSTRAINT_NAME, table_field = TABLE_NAME;
	RAISE INFO '% %', fields, table_field;
	RAISE INFO '%', (SELECT v FROM docstore.violations(detail) v);
END $$;

-- ON CONFLICT, UPDATE .. FROM, COPY, MERGE's likes: all are inserts and updates
INSERT INTO orders VALUES (1, 1, 'again') ON CONFLICT (nr) DO UPDATE SET note = excluded.note RETURNING version;
CALL pg_temp.try($$ INSERT INTO orders VALUES (1, 1, 'again') ON CONFLICT (nr) DO UPDATE SET note = excluded.note, version = excluded.version $$);
UPDATE orders o SET note = s.note FROM (VALUES (2, 'b'), (3, 'c')) s(nr, note) WHERE o.nr = s.nr RETURNING o.nr, o.version;
COPY orders FROM stdin;
9	\N	copied
\.
SELECT version FROM orders WHERE nr = 9;

-- keys of several columns, and none
CREATE TABLE parts (a int, b text, lock_version smallint NOT NULL DEFAULT 0, PRIMARY KEY (a, b));
CREATE TABLE loose (version bigint NOT NULL);
SELECT docstore.guard('parts', 'lock_version'), docstore.guard('loose');
INSERT INTO parts VALUES (1, 'say "x"', 0), (2, 'high', 32767);
INSERT INTO loose VALUES (1);
CALL pg_temp.try($$ UPDATE parts SET lock_version = 9 WHERE a = 1 $$);
CALL pg_temp.try($$ UPDATE parts SET b = 'moved' WHERE a = 2 $$);
CALL pg_temp.try($$ UPDATE loose SET version = 9 $$);
UPDATE loose SET version = 2 RETURNING version;

-- versions at the ends of each type, and NULL
CREATE TABLE ends (nr int PRIMARY KEY, version bigint);
CREATE TABLE ends4 (nr int PRIMARY KEY, version int);
SELECT docstore.guard('ends'), docstore.guard('ends4');
INSERT INTO ends VALUES (1, 9223372036854775807), (2, 9223372036854775806), (3, -9223372036854775808), (4, -5), (5, -1);
INSERT INTO ends4 VALUES (1, 2147483647), (2, 2147483646);
CALL pg_temp.try($$ UPDATE ends SET nr = nr WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE ends SET version = -9223372036854775808 WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE ends SET version = 9223372036854775807 WHERE nr = 3 $$);
CALL pg_temp.try($$ UPDATE ends4 SET nr = nr WHERE nr = 1 $$);
UPDATE ends SET version = version + (nr % 2) WHERE nr > 1;
UPDATE ends4 SET nr = nr WHERE nr = 2;
SELECT * FROM ends ORDER BY nr;
SELECT * FROM ends4 ORDER BY nr;
ALTER TABLE ends DISABLE TRIGGER docstore_guard;
UPDATE ends SET version = NULL;
ALTER TABLE ends ENABLE TRIGGER docstore_guard;
CALL pg_temp.try($$ UPDATE ends SET version = 2 WHERE nr = 1 $$);
UPDATE ends SET version = CASE nr WHEN 1 THEN 1 WHEN 2 THEN 0 END;
SELECT * FROM ends ORDER BY nr;
DROP TABLE ends, ends4;

-- what cannot be guarded
CREATE VIEW seen AS SELECT * FROM orders;
CREATE TABLE odd (id text, version text, made bigint GENERATED ALWAYS AS (1) STORED);
CALL pg_temp.try($$ SELECT docstore.guard('orders') $$);
CALL pg_temp.try($$ SELECT docstore.guard('seen') $$);
CALL pg_temp.try($$ SELECT docstore.guard('odd') $$);
CALL pg_temp.try($$ SELECT docstore.guard('odd', 'made') $$);
CALL pg_temp.try($$ SELECT docstore.guard('odd', 'nothing') $$);
CALL pg_temp.try($$ SELECT docstore.guard('odd', 'ctid') $$);
CALL pg_temp.try($$ SELECT docstore.guard(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.guard('orders', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.guard(0) $$);
CALL pg_temp.try($$ SELECT docstore.unguard('odd') $$);
CALL pg_temp.try($$ SELECT docstore.unguard(NULL) $$);
CALL pg_temp.try($$ SELECT docstore_internal.guard_row() $$);
CREATE TRIGGER own AFTER DELETE ON odd FOR EACH ROW EXECUTE FUNCTION docstore_internal.guard_row();
INSERT INTO odd VALUES ('a', 'b');
CALL pg_temp.try($$ DELETE FROM odd $$);
DROP TRIGGER own ON odd;
-- nor does any other trigger that is made by hand do harm: each says so, and none skips what it was fired for
SELECT docstore.create_collection('hand');
SELECT docstore.upsert('hand', 'a', '{}');
CREATE PROCEDURE pg_temp.try_trigger(fired text, function text, statement text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE pg_catalog.format('CREATE TRIGGER own %s EXECUTE FUNCTION docstore_internal.%s()', fired, function);
	CALL pg_temp.try(statement);
	DROP TRIGGER own ON hand;
END
$$;
CALL pg_temp.try_trigger('AFTER DELETE ON hand FOR EACH STATEMENT', 'guard_delete', 'DELETE FROM hand');
CALL pg_temp.try_trigger('BEFORE DELETE ON hand FOR EACH ROW', 'guard_delete', 'DELETE FROM hand');
CALL pg_temp.try_trigger('AFTER INSERT ON hand FOR EACH ROW', 'guard_delete', $$INSERT INTO hand VALUES ('b', 1, '{}')$$);
CALL pg_temp.try_trigger('BEFORE INSERT ON hand FOR EACH ROW', 'guard_truncate', $$INSERT INTO hand VALUES ('b', 1, '{}')$$);
CALL pg_temp.try_trigger('AFTER TRUNCATE ON hand', 'guard_truncate', 'TRUNCATE hand');
CALL pg_temp.try_trigger('BEFORE UPDATE ON hand FOR EACH STATEMENT', 'guard_row', 'UPDATE hand SET version = 2');
CALL pg_temp.try_trigger('AFTER UPDATE ON hand FOR EACH ROW', 'guard_row', 'UPDATE hand SET version = 2');
CALL pg_temp.try_trigger('BEFORE UPDATE ON hand FOR EACH ROW', 'guard_row', 'UPDATE hand SET version = 2');
SELECT id, version FROM hand;
DROP TABLE hand;

-- a version column that is renamed or changes its type
ALTER TABLE loose RENAME version TO revision;
CALL pg_temp.try($$ UPDATE loose SET revision = revision + 1 $$);
CALL pg_temp.try($$ SELECT docstore.guard('loose') $$);
CALL pg_temp.try($$ SELECT docstore.guard('loose', 'nothing') $$);
SELECT docstore.unguard('loose'), docstore.guard('loose', 'revision');
UPDATE loose SET revision = revision + 1 RETURNING revision;
SELECT docstore.unguard('loose');
UPDATE loose SET revision = 77 RETURNING revision;

-- or is made again as one that nobody can write
CREATE TABLE doubled (nr int PRIMARY KEY, version int);
INSERT INTO doubled VALUES (1, 1);
SELECT docstore.guard('doubled');
ALTER TABLE doubled DROP version, ADD version int GENERATED ALWAYS AS (nr * 2) STORED;
CALL pg_temp.try($$ UPDATE doubled SET nr = 2 $$);
CALL pg_temp.try($$ INSERT INTO doubled VALUES (2) $$);
SELECT docstore.unguard('doubled');
-- a trigger that has the guard's name, and guards nothing
CREATE TRIGGER docstore_guard BEFORE UPDATE ON doubled FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CALL pg_temp.try($$ SELECT docstore.guard('doubled', 'nr') $$);
CALL pg_temp.try($$ SELECT docstore.unguard('doubled') $$);
ALTER TRIGGER docstore_guard ON doubled RENAME TO docstore_guard_delete;
SELECT docstore.guard('doubled', 'nr'), docstore.unguard('doubled');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'doubled'::regclass;
DROP TABLE doubled;

-- privileges: those of CREATE TRIGGER
CREATE ROLE regress_docstore_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON orders, odd TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
CALL pg_temp.try($$ SELECT docstore.guard('public.loose', 'revision') $$);
CALL pg_temp.try($$ SELECT docstore.unguard('public.orders') $$);
UPDATE public.orders SET note = 'writer' WHERE nr = 1 RETURNING version;
CALL pg_temp.try($$ UPDATE public.orders SET version = 1 WHERE nr = 1 $$);
RESET ROLE;
-- TRIGGER on a table is enough to guard it, but for a collection; to unguard it takes its owner
CREATE TABLE lent (nr int PRIMARY KEY, version int);
SELECT docstore.create_collection('kept');
GRANT SELECT, TRIGGER ON lent, kept TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
SELECT docstore.guard('public.lent');
CALL pg_temp.try($$ SELECT docstore.unguard('public.lent') $$);
CALL pg_temp.try($$ SELECT docstore.guard('public.kept') $$);
RESET ROLE;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid IN ('lent'::regclass, 'kept'::regclass);
DROP TABLE lent, kept;

-- the conflict tells nobody what he may not read: neither the key nor the version
CREATE TABLE vault (code text, nr int, version int, open bool, PRIMARY KEY (nr, code));
INSERT INTO vault VALUES ('secret', 1, 42, true);
SELECT docstore.guard('vault');
GRANT UPDATE ON vault TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
CALL pg_temp.try($$ UPDATE public.vault SET version = 7 $$);
RESET ROLE;
GRANT SELECT (nr, version) ON vault TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
CALL pg_temp.try($$ UPDATE public.vault SET version = 7 $$);
RESET ROLE;
GRANT SELECT ON vault TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
CALL pg_temp.try($$ UPDATE public.vault SET version = 7 $$);
RESET ROLE;
ALTER TABLE vault ENABLE ROW LEVEL SECURITY;
CREATE POLICY write ON vault FOR UPDATE TO regress_docstore_writer USING (true);
SET ROLE regress_docstore_writer;
SELECT count(*) FROM public.vault;
CALL pg_temp.try($$ UPDATE public.vault SET version = 7 $$);
RESET ROLE;
DROP TABLE vault;

-- the guard's conflict is raised at once, and compares whatever docstore.checks says
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SET LOCAL docstore.checks = off;
CALL pg_temp.try($$ UPDATE orders SET version = 50 WHERE nr = 1 $$);
SELECT docstore.check_conflicts();
COMMIT;

-- replication applies changes as they come
SET session_replication_role = replica;
UPDATE orders SET version = 100 WHERE nr = 1 RETURNING version;
RESET session_replication_role;

-- a guarded collection serves docstore as before
SELECT docstore.create_collection('shops');
SELECT docstore.guard('shops');
SELECT docstore.upsert('shops', 'a', '{}'), docstore.upsert('shops', 'a', '{}', 1), docstore.upsert('shops', 'a', '{}', docstore.any_version());
SELECT docstore.patch('shops', 'a', '{"n": 1}', 3);
SELECT docstore.put(docstore.get('shops', 'a'));
SELECT id, version, reason FROM docstore.try_save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 1}, {"op": "upsert", "collection": "shops", "id": "b", "data": {}}]');
SELECT id, version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 5}, {"op": "upsert", "collection": "shops", "id": "b", "data": {}}]');
SELECT id, version FROM shops ORDER BY id;
CALL pg_temp.try($$ UPDATE shops SET version = 1 WHERE id = 'a' $$);
UPDATE shops SET data = '{"by": "sql"}' WHERE id = 'b' RETURNING version;

-- and plain SQL that deletes uses versions up: DELETE, a cascade, TRUNCATE, TRUNCATE that restarts sequences
DELETE FROM shops WHERE id = 'b';
SELECT docstore.upsert('shops', 'b', '{}');
INSERT INTO shops (id, version, data) VALUES ('high', 50, '{}');
DELETE FROM shops WHERE id = 'high';
SELECT docstore.upsert('shops', 'high', '{}');
UPDATE shops SET data = '{}' WHERE id = 'high';
TRUNCATE shops;
SELECT docstore.upsert('shops', 'high', '{}'), docstore.upsert('shops', 'a', '{}');
UPDATE shops SET data = '{}' WHERE id = 'high';
TRUNCATE shops RESTART IDENTITY;
SELECT docstore.upsert('shops', 'high', '{}');
BEGIN;
TRUNCATE shops RESTART IDENTITY;
ROLLBACK;
SELECT docstore.upsert('shops', 'high', '{}', 55);
CREATE TABLE owners (name text PRIMARY KEY);
ALTER TABLE shops ADD owner text REFERENCES owners ON DELETE CASCADE;
INSERT INTO owners VALUES ('ann');
INSERT INTO shops (id, version, data, owner) VALUES ('owned', 70, '{}', 'ann');
DELETE FROM owners;
SELECT docstore.upsert('shops', 'owned', '{}');
-- what replication deletes, too
SET session_replication_role = replica;
INSERT INTO shops (id, version, data) VALUES ('copied', 80, '{}');
DELETE FROM shops WHERE id = 'copied';
RESET session_replication_role;
SELECT docstore.upsert('shops', 'copied', '{}');
-- a floor above documents that are long gone, and one that somebody has dropped
DELETE FROM shops;
TRUNCATE shops RESTART IDENTITY;
SELECT docstore.upsert('shops', 'copied', '{}');
DROP SEQUENCE shops_version_floor;
GRANT SELECT, DELETE ON shops TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
DELETE FROM public.shops WHERE id = 'copied';
RESET ROLE;
SELECT docstore.upsert('shops', 'copied', '{}');
-- who has made a document may not let its version jump, either
BEGIN;
INSERT INTO shops (id, version, data) VALUES ('own', 1, '{}');
CALL pg_temp.try($$ UPDATE shops SET version = 83 WHERE id = 'own' $$);
ROLLBACK;
SELECT docstore.unguard('shops');
DELETE FROM shops;
SELECT docstore.upsert('shops', 'copied', '{}');

-- a collection that is guarded by another column, too, notes its deletes; one that is none any more is guarded like any table
SELECT docstore.create_collection('other');
ALTER TABLE other ADD revision int;
SELECT docstore.guard('other', 'revision');
SELECT docstore.upsert('other', 'a', '{}'), docstore.upsert('other', 'a', '{}', 1);
SELECT version, revision FROM other;
DELETE FROM other;
SELECT docstore.upsert('other', 'a', '{}');
ALTER TABLE other DROP data;
CALL pg_temp.try($$ UPDATE other SET revision = 9 $$);
DELETE FROM other;
INSERT INTO other VALUES ('a', 1);
TRUNCATE other;
DROP TABLE other;

-- a partitioned collection
CREATE TABLE split (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY HASH (id);
CREATE TABLE split0 PARTITION OF split FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE split1 PARTITION OF split FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT docstore.guard('split');
SELECT docstore.upsert('split', id, '{}') FROM unnest('{a,b,c,d}'::text[]) id;
UPDATE split SET data = '{"n": 1}' WHERE id IN ('a', 'c') RETURNING id, version;
CALL pg_temp.try($$ UPDATE split SET version = 9 WHERE id = 'd' $$);
-- the conflict names the table that is guarded, and tells those who may read it by that name alone
GRANT SELECT, UPDATE ON split TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
CALL pg_temp.try($$ UPDATE public.split SET version = 9 WHERE id = 'd' $$);
RESET ROLE;
DELETE FROM split WHERE id = 'a';
SELECT docstore.upsert('split', 'a', '{}');
TRUNCATE split RESTART IDENTITY;
SELECT docstore.upsert('split', 'a', '{}');

-- the triggers are the extension's: it is not dropped from under a guarded table
\set VERBOSITY terse
DROP EXTENSION docstore;
-- with CASCADE the triggers go, and the documents stay
DROP EXTENSION docstore CASCADE;
\set VERBOSITY default
UPDATE orders SET version = 1 WHERE nr = 1 RETURNING version;
SELECT count(*) FROM split;
CREATE EXTENSION docstore;

DROP VIEW seen;
DROP TABLE orders, parts, loose, odd, shops, owners, split;
DROP ROLE regress_docstore_writer;
