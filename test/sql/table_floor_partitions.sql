-- A collection that becomes a partition brings its floor along. What it takes where nothing tells docstore of it is in the README: DETACH, and
-- a table that is copied and put in the place of another.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- a collection that has lived for a while is made a partition of its successor
SELECT docstore.create_collection('old');
SELECT docstore.upsert('old', id, '{}') FROM unnest('{a,b}'::text[]) id;
SELECT docstore.upsert('old', 'a', '{}', 1), docstore.upsert('old', 'a', '{}', 2), docstore.delete('old', 'a', 3);
CREATE TABLE new (LIKE old INCLUDING DEFAULTS) PARTITION BY RANGE (id);
ALTER TABLE new ADD PRIMARY KEY (id);
CREATE TABLE upper PARTITION OF new FOR VALUES FROM ('x') TO (MAXVALUE);
-- who knows the new table from before
SELECT docstore.upsert('new', 'y', '{}');
ALTER TABLE new ATTACH PARTITION old FOR VALUES FROM (MINVALUE) TO ('x');
SELECT docstore.upsert('new', 'a', '{}'), docstore.upsert('old', 'c', '{}'), docstore.upsert('new', 'z', '{}');
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "new", "id": "d", "data": {}}, {"op": "upsert", "collection": "old", "id": "e", "data": {}}]');
-- no version of before matches
CALL pg_temp.try($$ SELECT docstore.upsert('new', 'a', '{}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('new', 'a', '{}', 3) $$);
-- from now on it is the floor of the whole that rises
SELECT docstore.upsert('new', 'a', '{}', 4), docstore.upsert('new', 'a', '{}', 5), docstore.delete('old', 'a', 6);
SELECT docstore.upsert('new', 'a', '{}'), docstore.upsert('upper', 'x', '{}');
SELECT last_value FROM new_version_floor UNION ALL SELECT last_value FROM old_version_floor;

-- detached it is a collection of its own again, whose floor its owner sets
ALTER TABLE new DETACH PARTITION old;
SELECT setval(pg_get_serial_sequence('old', 'version'), (SELECT last_value FROM new_version_floor));
SELECT docstore.upsert('old', 'f', '{}');
DROP TABLE old;

-- partitions of partitions, whose description nobody tells of what is attached below
CREATE TABLE middle (LIKE new INCLUDING DEFAULTS) PARTITION BY RANGE (id);
ALTER TABLE middle ADD PRIMARY KEY (id);
ALTER TABLE new ATTACH PARTITION middle FOR VALUES FROM (MINVALUE) TO ('x');
CREATE TABLE below PARTITION OF middle FOR VALUES FROM ('a') TO ('b');
SELECT docstore.upsert('new', 'a', '{}'), docstore.upsert('middle', 'a2', '{}'), docstore.upsert('below', 'a3', '{}');
SELECT docstore.create_collection('deep');
SELECT docstore.upsert('deep', 'k', '{}'), docstore.upsert('deep', 'k', '{}', 1), docstore.delete('deep', 'k', 2);
SELECT setval('deep_version_floor', 40);
ALTER TABLE middle ATTACH PARTITION deep FOR VALUES FROM ('k') TO ('l');
SELECT docstore.upsert('new', 'k', '{}'), docstore.upsert('middle', 'k2', '{}'), docstore.upsert('deep', 'k3', '{}'), docstore.upsert('below', 'a4', '{}');
-- one with partitions of its own is attached with its floor
SELECT docstore.delete('new', 'k', 41);
ALTER TABLE new DETACH PARTITION middle;
CREATE SEQUENCE middle_version_floor MINVALUE 0 START 80 OWNED BY middle.version;
SELECT docstore.upsert('middle', 'k4', '{}');
ALTER TABLE new ATTACH PARTITION middle FOR VALUES FROM (MINVALUE) TO ('x');
SELECT docstore.upsert('new', 'k5', '{}'), docstore.upsert('deep', 'k6', '{}');
DROP TABLE new;

-- a guarded one, whose triggers now raise the floor of the whole
SELECT docstore.create_collection('g');
SELECT docstore.guard('g');
SELECT docstore.upsert('g', 'a', '{}'), docstore.upsert('g', 'a', '{}', 1);
DELETE FROM g;
CREATE TABLE whole (LIKE g INCLUDING DEFAULTS) PARTITION BY LIST (id);
ALTER TABLE whole ADD PRIMARY KEY (id);
ALTER TABLE whole ATTACH PARTITION g DEFAULT;
SELECT docstore.upsert('whole', 'a', '{}'), docstore.upsert('whole', 'a', '{}', 3);
DELETE FROM whole;
SELECT docstore.upsert('whole', 'a', '{}');
TRUNCATE g;
SELECT docstore.upsert('whole', 'a', '{}'), last_value FROM whole_version_floor;
DROP TABLE whole;
