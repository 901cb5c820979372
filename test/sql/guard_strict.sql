-- docstore.guard(..., strict => true): an UPDATE whose SET list does not name the version column is refused, by whatever path it comes
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE TABLE orders (nr int PRIMARY KEY, version int, note text, size int GENERATED ALWAYS AS (length(note)) STORED);
SELECT docstore.guard('orders', strict => true);
SELECT name, options -> 'version_column' AS version_column, strict FROM docstore.guarded;

-- an INSERT needs no version, a COPY neither
INSERT INTO orders (nr, note) VALUES (1, 'a'), (2, 'b');
INSERT INTO orders VALUES (3, 5, 'c');
COPY orders (nr, note) FROM stdin;
4	copied
\.

-- an UPDATE does, whatever row it finds
CALL pg_temp.try($$ UPDATE orders SET note = 'x' WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE orders SET note = 'x' WHERE nr = 1 AND version = 1 $$);
CALL pg_temp.try($$ UPDATE orders SET (nr, note) = (9, 'x') $$);
CALL pg_temp.try($$ UPDATE orders o SET note = s.note FROM (VALUES (2, 'b')) s(nr, note) WHERE o.nr = s.nr $$);
CALL pg_temp.try($$ WITH u AS (UPDATE orders SET note = 'x' RETURNING nr) SELECT count(*) FROM u $$);
UPDATE orders SET note = 'x' WHERE nr = 99;
SELECT nr, version, note FROM orders ORDER BY nr;

-- one that names it is compared as ever
UPDATE orders SET note = 'd', version = 1 WHERE nr = 1 RETURNING nr, version, note;
UPDATE orders SET note = 'e', version = version WHERE nr = 1 RETURNING nr, version, note;
UPDATE orders SET note = 'f', version = version + 1 WHERE nr = 1 RETURNING nr, version, note;
UPDATE orders SET (version, note) = (SELECT 4, 'g') WHERE nr = 1 RETURNING nr, version, note;
CALL pg_temp.try($$ UPDATE orders SET note = 'h', version = 1 WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE orders SET note = 'h', version = DEFAULT WHERE nr = 1 $$);

-- the fields of the error, for clients
CREATE PROCEDURE pg_temp.fields(statement text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN SQLSTATE 'PT428' THEN
	DECLARE
		constraint_field text;
		schema_field text;
		table_field text;
		column_field text;
		detail text;
	BEGIN
		GET STACKED DIAGNOSTICS constraint_field = CONSTRAINT_NAME, schema_field = SCHEMA_NAME, table_field = TABLE_NAME, column_field = COLUMN_NAME,
			detail = PG_EXCEPTION_DETAIL;
		RAISE INFO '% % % %, detail "%"', constraint_field, schema_field, table_field, column_field, detail;
	END;
END
$$;
CALL pg_temp.fields($$ UPDATE orders SET note = 'x' WHERE nr = 1 $$);

-- ON CONFLICT: the list of its own; of a row that is not there it is an INSERT
CALL pg_temp.try($$ INSERT INTO orders VALUES (1, 5, 'again') ON CONFLICT (nr) DO UPDATE SET note = excluded.note $$);
INSERT INTO orders VALUES (1, 5, 'again') ON CONFLICT (nr) DO UPDATE SET note = excluded.note, version = excluded.version RETURNING version;
CALL pg_temp.try($$ INSERT INTO orders VALUES (1, 5, 'again') ON CONFLICT (nr) DO UPDATE SET note = excluded.note, version = excluded.version $$);
INSERT INTO orders VALUES (5, 1, 'new') ON CONFLICT (nr) DO UPDATE SET note = excluded.note RETURNING version;

-- MERGE: its UPDATEs have one list together, so where one of them names the version the other passes as with a plain guard
CALL pg_temp.try($$ MERGE INTO orders o USING (VALUES (1, 'm')) s(nr, note) ON o.nr = s.nr WHEN MATCHED THEN UPDATE SET note = s.note $$);
CALL pg_temp.try($$ MERGE INTO orders o USING (VALUES (1, 'm')) s(nr, note) ON o.nr = s.nr WHEN MATCHED THEN UPDATE SET note = s.note, version = 1 $$);
MERGE INTO orders o USING (VALUES (1, 'm')) s(nr, note) ON o.nr = s.nr WHEN MATCHED THEN UPDATE SET note = s.note, version = o.version;
MERGE INTO orders o USING (VALUES (1, 'n')) s(nr, note) ON o.nr = s.nr
	WHEN MATCHED AND o.note = 'x' THEN UPDATE SET version = o.version
	WHEN MATCHED THEN UPDATE SET note = s.note;
MERGE INTO orders o USING (VALUES (6, 'm')) s(nr, note) ON o.nr = s.nr WHEN NOT MATCHED THEN INSERT (nr, note) VALUES (s.nr, s.note);
SELECT nr, version, note FROM orders WHERE nr IN (1, 6) ORDER BY nr;

-- through a view, whose columns have other names; and from a table that was copied into
CREATE VIEW shown AS SELECT note AS text, version AS seen, nr FROM orders;
CALL pg_temp.try($$ UPDATE shown SET text = 'x' WHERE nr = 2 $$);
UPDATE shown SET text = 'through a view', seen = 1 WHERE nr = 2 RETURNING *;
DROP VIEW shown;
CREATE TEMP TABLE staged (nr int, note text, version int);
COPY staged FROM stdin;
2	staged	2
\.
CALL pg_temp.try($$ UPDATE orders o SET note = s.note FROM staged s WHERE s.nr = o.nr $$);
UPDATE orders o SET note = s.note, version = s.version FROM staged s WHERE s.nr = o.nr RETURNING o.nr, o.version;

-- a cursor, PL/pgSQL, a prepared statement whose plan is kept
DO $$
DECLARE
	each record;
BEGIN
	FOR each IN SELECT * FROM orders WHERE nr = 2 FOR UPDATE LOOP
		UPDATE orders SET note = 'x' WHERE nr = each.nr;
	END LOOP;
EXCEPTION WHEN SQLSTATE 'PT428' THEN RAISE INFO 'refused';
END $$;
PREPARE unnamed(text, int) AS UPDATE orders SET note = $1 WHERE nr = $2;
PREPARE named(text, int, int) AS UPDATE orders SET note = $1, version = $3 WHERE nr = $2;
EXECUTE unnamed('x', 2);
EXECUTE named('prepared', 2, 3);

-- what a trigger makes of the version does not name it, before the guard or after it; an UPDATE within a trigger is one as any other
CREATE FUNCTION raise_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.version := NEW.version + 1; RETURN NEW; END $$;
CREATE TRIGGER a_raise BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION raise_version();
CALL pg_temp.try($$ UPDATE orders SET note = 'x' WHERE nr = 2 $$);
DROP TRIGGER a_raise ON orders;
DROP FUNCTION raise_version;

-- to call guard again makes it plain, or strict: its owner may; the same once more is the error that it was
SELECT docstore.guard('orders');
UPDATE orders SET note = 'plain' WHERE nr = 2 RETURNING version;
EXECUTE unnamed('plain, prepared', 2);
CALL pg_temp.try($$ SELECT docstore.guard('orders') $$);
ALTER TABLE orders ENABLE ALWAYS TRIGGER docstore_guard;
SELECT docstore.guard('orders', 'version', true);
SELECT name, strict, options ->> 'enabled' AS enabled, options ->> 'fault' AS fault FROM docstore.guarded;
EXECUTE unnamed('x', 2);
CALL pg_temp.try($$ SELECT docstore.guard('orders', 'version', true) $$);
CALL pg_temp.try($$ SELECT docstore.guard('orders', 'nr', true) $$);
CALL pg_temp.try($$ SELECT docstore.guard('orders', 'version', NULL) $$);
-- repaired, as it is called for
ALTER TABLE orders DISABLE TRIGGER docstore_guard;
UPDATE orders SET note = 'disabled' WHERE nr = 2 RETURNING version;
SELECT docstore.guard('orders', strict => true);
SELECT name, strict, options ->> 'enabled' AS enabled, options ->> 'fault' AS fault FROM docstore.guarded;
CALL pg_temp.try($$ UPDATE orders SET note = 'x' WHERE nr = 2 $$);
CREATE ROLE regress_docstore_maker;
GRANT ALL ON orders TO regress_docstore_maker;
SET ROLE regress_docstore_maker;
CALL pg_temp.try($$ SELECT docstore.guard('public.orders') $$);
CALL pg_temp.try($$ UPDATE public.orders SET note = 'x' WHERE nr = 2 $$);
RESET ROLE;
-- who may not read hears no more: names of the table and its column
REVOKE ALL ON orders FROM regress_docstore_maker;
GRANT UPDATE ON orders TO regress_docstore_maker;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON orders USING (true);
SET ROLE regress_docstore_maker;
CALL pg_temp.try($$ UPDATE public.orders SET note = 'x' $$);
RESET ROLE;
ALTER TABLE orders DISABLE ROW LEVEL SECURITY;
DROP POLICY all_rows ON orders;

-- a replica is left alone
SET session_replication_role = replica;
UPDATE orders SET note = 'replica', version = 100 WHERE nr = 2 RETURNING version;
UPDATE orders SET note = 'replica' WHERE nr = 2 RETURNING version;
RESET session_replication_role;
-- unless its owner lets the guard fire there
ALTER TABLE orders ENABLE ALWAYS TRIGGER docstore_guard;
SET session_replication_role = replica;
CALL pg_temp.try($$ UPDATE orders SET note = 'x' WHERE nr = 2 $$);
RESET session_replication_role;
ALTER TABLE orders ENABLE TRIGGER docstore_guard;

-- a column that is dropped before it, one that is called strict
ALTER TABLE orders DROP size;
ALTER TABLE orders ADD strict bigint NOT NULL DEFAULT 1;
SELECT docstore.unguard('orders');
SELECT docstore.guard('orders', 'strict');
SELECT name, strict, options ->> 'version_column' AS version_column FROM docstore.guarded;
UPDATE orders SET note = 'plain' WHERE nr = 2 RETURNING strict;
SELECT docstore.guard('orders', 'strict', true);
CALL pg_temp.try($$ UPDATE orders SET note = 'x', version = 2 WHERE nr = 2 $$);
UPDATE orders SET note = 'named', strict = 2 WHERE nr = 2 RETURNING strict;
ALTER TABLE orders RENAME strict TO "Lock Version";
SELECT docstore.unguard('orders');
SELECT docstore.guard('orders', 'Lock Version', true);
CALL pg_temp.try($$ UPDATE orders SET note = 'x' $$);
SELECT docstore.unguard('orders');
UPDATE orders SET note = 'free' WHERE nr = 2 RETURNING "Lock Version";
DROP TABLE orders, staged;
DROP ROLE regress_docstore_maker;
DEALLOCATE ALL;

-- foreign keys: what the server does by itself passes, and counts; what somebody writes does not
CREATE TABLE customers (id int PRIMARY KEY, version int NOT NULL DEFAULT 1, name text);
CREATE TABLE orders (nr int PRIMARY KEY, version int NOT NULL DEFAULT 1,
	customer int DEFAULT 0 REFERENCES customers ON UPDATE CASCADE ON DELETE SET NULL,
	payer int DEFAULT 0 REFERENCES customers ON UPDATE CASCADE ON DELETE SET DEFAULT);
SELECT docstore.guard('customers', strict => true), docstore.guard('orders', strict => true);
INSERT INTO customers (id) VALUES (0), (1), (2);
INSERT INTO orders (nr, customer, payer) VALUES (1, 1, 1), (2, 2, 2);
CALL pg_temp.try($$ UPDATE customers SET id = 10 WHERE id = 1 $$);
UPDATE customers SET id = 10, version = 1 WHERE id = 1 RETURNING id, version;
SELECT * FROM orders ORDER BY nr;
DELETE FROM customers WHERE id = 10;
SELECT * FROM orders ORDER BY nr;
CALL pg_temp.try($$ UPDATE orders SET customer = 2 WHERE nr = 1 $$);
-- a row that is at its default already, while the key moves on: the server updates it nevertheless
ALTER TABLE orders DROP CONSTRAINT orders_payer_fkey, ADD FOREIGN KEY (payer) REFERENCES customers ON UPDATE SET DEFAULT;
UPDATE orders SET payer = 0, version = version;
INSERT INTO customers (id) VALUES (-1);
UPDATE customers SET id = id + 1, version = version WHERE id IN (-1, 0);
SELECT nr, payer, version FROM orders ORDER BY nr;
-- what a trigger updates in a cascade is no part of it, though it touch a foreign key
CREATE TABLE notes (nr int PRIMARY KEY, customer int REFERENCES customers ON UPDATE CASCADE);
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE orders SET customer = NULL, nr = nr + 10; RETURN NEW; END $$;
CREATE TRIGGER meddle BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION meddle();
INSERT INTO notes VALUES (1, 2);
CALL pg_temp.try($$ UPDATE customers SET id = 20, version = version WHERE id = 2 $$);
DROP TABLE notes, orders, customers;
DROP FUNCTION meddle;
-- a trigger that takes the guard away while an UPDATE is under way: that goes on as it began
CREATE TABLE orders (nr int PRIMARY KEY, version int);
SELECT docstore.guard('orders', strict => true);
INSERT INTO orders VALUES (1, 1);
CREATE FUNCTION unguard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM docstore.unguard('orders'); RETURN NEW; END $$;
CREATE TRIGGER a_unguard BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION unguard();
CALL pg_temp.try($$ UPDATE orders SET nr = 2 $$);
CALL pg_temp.try($$ UPDATE orders SET version = 7 $$);
DROP TABLE orders;
DROP FUNCTION unguard;

-- partitions: the root's columns have other numbers in them; those that come later, and rows that move
CREATE TABLE parts (nr int, gone text, region text, version int, note text, PRIMARY KEY (nr, region)) PARTITION BY LIST (region);
ALTER TABLE parts DROP gone;
CREATE TABLE parts_eu (note text, junk int, nr int NOT NULL, version int, region text NOT NULL);
ALTER TABLE parts_eu DROP junk;
ALTER TABLE parts ATTACH PARTITION parts_eu FOR VALUES IN ('eu');
CREATE TABLE parts_us PARTITION OF parts FOR VALUES IN ('us') PARTITION BY RANGE (nr);
CREATE TABLE parts_us_low PARTITION OF parts_us FOR VALUES FROM (0) TO (100);
SELECT docstore.guard('parts', strict => true);
CREATE TABLE parts_rest (version int, note text, region text NOT NULL, nr int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_rest DEFAULT;
INSERT INTO parts VALUES (1, 'eu', 1, 'a'), (2, 'us', 1, 'a'), (3, 'xx', 1, 'a');
CALL pg_temp.try($$ UPDATE parts SET note = 'x' WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE parts SET note = 'x' WHERE nr = 2 $$);
CALL pg_temp.try($$ UPDATE parts SET note = 'x' WHERE nr = 3 $$);
CALL pg_temp.try($$ UPDATE parts_eu SET note = 'x' $$);
CALL pg_temp.try($$ UPDATE parts_us SET note = 'x' $$);
CALL pg_temp.try($$ UPDATE parts_rest SET note = 'x', nr = 3 $$);
CALL pg_temp.fields($$ UPDATE parts_rest SET note = 'x', nr = 3 $$);
CALL pg_temp.try($$ INSERT INTO parts VALUES (1, 'eu', 1, 'b') ON CONFLICT (nr, region) DO UPDATE SET note = 'x' $$);
CALL pg_temp.try($$ INSERT INTO parts VALUES (3, 'xx', 1, 'b') ON CONFLICT (nr, region) DO UPDATE SET note = 'x' $$);
CALL pg_temp.try($$ MERGE INTO parts p USING (VALUES (3)) s(nr) ON p.nr = s.nr WHEN MATCHED THEN UPDATE SET note = 'x' $$);
UPDATE parts SET note = 'b', version = version RETURNING tableoid::regclass, nr, version;
UPDATE parts_eu SET note = 'c', version = 2 RETURNING nr, version;
UPDATE parts_rest SET note = 'c', version = 2 RETURNING nr, version;
INSERT INTO parts VALUES (1, 'eu', 3, 'd'), (3, 'xx', 3, 'd') ON CONFLICT (nr, region) DO UPDATE SET note = excluded.note, version = excluded.version
	RETURNING nr, parts.version;
MERGE INTO parts p USING (VALUES (3)) s(nr) ON p.nr = s.nr WHEN MATCHED THEN UPDATE SET note = 'e', version = p.version;
-- to another partition
CALL pg_temp.try($$ UPDATE parts SET region = 'xx' WHERE nr = 1 $$);
UPDATE parts SET region = 'xx', version = 4 WHERE nr = 1 RETURNING tableoid::regclass, version;
SELECT nr, version, note FROM parts ORDER BY nr;
-- plain and strict again, in all of them; one that is detached has no guard
SELECT docstore.guard('parts');
UPDATE parts SET note = 'plain' RETURNING nr, version;
SELECT docstore.guard('parts', strict => true);
SELECT tgrelid::regclass, tgnargs, tgenabled FROM pg_trigger WHERE tgname = 'docstore_guard' ORDER BY tgrelid::regclass::text;
CALL pg_temp.try($$ UPDATE parts SET note = 'x' WHERE nr = 3 $$);
CALL pg_temp.try($$ SELECT docstore.guard('parts_rest') $$);
ALTER TABLE parts DETACH PARTITION parts_rest;
UPDATE parts_rest SET note = 'free' RETURNING nr, version;
SELECT docstore.guard('parts_rest', strict => true);
CALL pg_temp.try($$ ALTER TABLE parts ATTACH PARTITION parts_rest DEFAULT $$);
SELECT docstore.unguard('parts_rest');
ALTER TABLE parts ATTACH PARTITION parts_rest DEFAULT;
CALL pg_temp.try($$ UPDATE parts SET note = 'x' WHERE nr = 3 $$);
SELECT name, strict, options -> 'exceptions' AS exceptions FROM docstore.guarded ORDER BY name;
DROP TABLE parts;

-- a table that inherits has a guard for itself, by its own columns
CREATE TABLE parents (nr int, version int, note text);
CREATE TABLE children (extra int) INHERITS (parents);
CREATE TABLE grown (note text, nr int, version int);
ALTER TABLE grown INHERIT parents;
SELECT docstore.guard('children', strict => true), docstore.guard('grown', strict => true);
INSERT INTO parents VALUES (1, 1, 'a');
INSERT INTO children VALUES (2, 1, 'a');
CALL pg_temp.try($$ UPDATE parents SET note = 'x' $$);
INSERT INTO grown VALUES ('a', 3, 1);
DELETE FROM children;
CALL pg_temp.try($$ UPDATE parents SET note = 'x' $$);
UPDATE parents SET note = 'b', version = version RETURNING nr, version;
DROP TABLE children, grown, parents;

-- collections: docstore's own writes name the version; by whatever verb
SELECT docstore.create_collection('shops');
SELECT docstore.guard('shops', strict => true);
SELECT docstore.upsert('shops', 'a', '{"n": 1}');
SELECT docstore.upsert('shops', 'a', '{"n": 2}', 1);
SELECT docstore.patch('shops', 'a', '{"m": 3}', 2);
SELECT docstore.put(docstore.get('shops', 'a')) -> '@metadata' ->> 'version' AS version;
SELECT docstore.upsert_many('shops', '{a,b}', ARRAY['{}', '{}']::jsonb[], '{4,0}');
SELECT * FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "a", "data": {"n": 1}, "expected": "any"},
	{"op": "assert", "collection": "shops", "id": "c", "expected": "none"},
	{"op": "upsert", "collection": "shops", "id": "b", "data": {}, "expected": 1}]');
CALL pg_temp.try($$ UPDATE shops SET data = '{}' WHERE id = 'a' $$);
CALL pg_temp.try($$ UPDATE shops SET id = 'z' WHERE id = 'a' $$);
UPDATE shops SET id = 'z', version = version WHERE id = 'a' RETURNING id, version;
SELECT docstore.upsert('shops', 'a', '{}');
SET docstore.checks = off;
CALL pg_temp.try($$ UPDATE shops SET data = '{}' WHERE id = 'a' $$);
SELECT docstore.upsert('shops', 'a', '{}', 77);
RESET docstore.checks;
SELECT docstore.delete('shops', 'a', 8);
SELECT options ->> 'guard' AS guard, options -> 'fault' AS fault FROM docstore.collections WHERE name = 'public.shops';
DROP TABLE shops;
