-- The floor of a guarded table goes on to rise whatever becomes of the table: its triggers need the columns version and id, and no more
-- of what makes it a collection.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE FUNCTION pg_temp.floor_of(collection text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	value bigint;
BEGIN
	EXECUTE format('SELECT last_value FROM %s', pg_get_serial_sequence(collection, 'version')) INTO value;
	RETURN value;
END $$;
SELECT docstore.create_collection('g');
SELECT docstore.guard('g');

-- a primary key that is dropped and made again
INSERT INTO g (id, version, data) SELECT 'a' || n, n, '{}' FROM generate_series(1, 60) n;
ALTER TABLE g DROP CONSTRAINT g_pkey;
DELETE FROM g WHERE id = 'a10';
SELECT pg_temp.floor_of('g');
UPDATE g SET id = 'b11' WHERE id = 'a11';
SELECT pg_temp.floor_of('g');
UPDATE g SET data = '{"a": 1}' WHERE id = 'a50';
SELECT pg_temp.floor_of('g');
ALTER TABLE g ADD PRIMARY KEY (id);
SELECT docstore.upsert('g', 'a10', '{}');
-- a rule
CREATE RULE nothing AS ON UPDATE TO g WHERE OLD.id = 'never' DO INSTEAD NOTHING;
DELETE FROM g WHERE id = 'a20';
SELECT pg_temp.floor_of('g');
DROP RULE nothing ON g;
-- a deferrable key, another type of id, no data, another type of version
ALTER TABLE g DROP CONSTRAINT g_pkey, ADD PRIMARY KEY (id) DEFERRABLE;
DELETE FROM g WHERE id = 'a21';
SELECT pg_temp.floor_of('g');
ALTER TABLE g DROP CONSTRAINT g_pkey, ADD PRIMARY KEY (id, version);
DELETE FROM g WHERE id = 'a22';
SELECT pg_temp.floor_of('g');
ALTER TABLE g DROP COLUMN data;
DELETE FROM g WHERE id = 'a23';
SELECT pg_temp.floor_of('g');
ALTER TABLE g DROP CONSTRAINT g_pkey, ALTER version DROP NOT NULL, ALTER id DROP NOT NULL, ALTER version TYPE integer;
UPDATE g SET id = NULL WHERE id = 'a24';
SELECT pg_temp.floor_of('g');
BEGIN;
DELETE FROM g WHERE id = 'a30';
TRUNCATE g;
ROLLBACK;
SELECT pg_temp.floor_of('g');
-- where there is no version any more to go by it is an error, as for updates
ALTER TABLE g RENAME version TO v;
CALL pg_temp.try($$ DELETE FROM g WHERE id = 'a40' $$);
CALL pg_temp.try($$ TRUNCATE g $$);
CALL pg_temp.try($$ UPDATE g SET id = 'b41' WHERE id = 'a41' $$);
ALTER TABLE g RENAME v TO version;
DROP TABLE g;

-- a partition with a rule, and one whose columns are in another order
CREATE TABLE parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF parts FOR VALUES IN ('a', 'b', 'c', 'd');
CREATE TABLE other (data jsonb NOT NULL, gone text, id text PRIMARY KEY, version bigint NOT NULL);
ALTER TABLE other DROP gone;
ALTER TABLE parts ATTACH PARTITION other DEFAULT;
SELECT docstore.guard('parts');
CREATE RULE nothing AS ON UPDATE TO part WHERE OLD.id = 'never' DO INSTEAD NOTHING;
INSERT INTO parts VALUES ('a', 3, '{}'), ('b', 5, '{}'), ('c', 7, '{}'), ('d', 9, '{}'), ('x', 11, '{}'), ('y', 13, '{}'), ('z', 15, '{}');
DELETE FROM parts WHERE id = 'a';
SELECT pg_temp.floor_of('parts');
DELETE FROM part WHERE id = 'b';
SELECT pg_temp.floor_of('parts');
UPDATE parts SET id = 'u' WHERE id = 'c';
SELECT pg_temp.floor_of('parts');
DELETE FROM other WHERE id = 'x';
SELECT pg_temp.floor_of('parts');
TRUNCATE parts;
SELECT pg_temp.floor_of('parts');
SELECT docstore.upsert('parts', 'a', '{}');
DROP TABLE parts;

-- what inherits from a table has ids and versions of its own, which TRUNCATE of the table alone leaves as they are
SELECT docstore.create_collection('family');
SELECT docstore.guard('family');
CREATE TABLE heirs () INHERITS (family);
INSERT INTO heirs (id, version, data) VALUES ('h', 50, '{}');
SELECT docstore.upsert('family', 'a', '{}');
TRUNCATE ONLY family;
SELECT pg_temp.floor_of('family');
SELECT docstore.upsert('family', 'a', '{}');
DROP TABLE heirs, family;
