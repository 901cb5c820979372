-- docstore.guard() of partitioned tables: partitions of any depth, that come and go, rows that move, guards that meet
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- partitions whose columns are in another order, one that is partitioned itself
CREATE TABLE orders (region text, nr int, note text, version smallint, PRIMARY KEY (region, nr)) PARTITION BY LIST (region);
CREATE TABLE orders_eu PARTITION OF orders FOR VALUES IN ('eu');
CREATE TABLE orders_us (version smallint, gone int, nr int NOT NULL, note text, region text NOT NULL) PARTITION BY RANGE (nr);
ALTER TABLE orders_us DROP gone;
CREATE TABLE orders_us_low (note text, region text NOT NULL, version smallint, nr int NOT NULL);
ALTER TABLE orders_us ATTACH PARTITION orders_us_low FOR VALUES FROM (0) TO (100);
CREATE TABLE orders_us_high PARTITION OF orders_us FOR VALUES FROM (100) TO (200);
ALTER TABLE orders ATTACH PARTITION orders_us FOR VALUES IN ('us');
SELECT docstore.guard('orders');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname ~ 'docstore_guard' ORDER BY 1;

-- through the whole and through each part; the conflict names the table that is guarded
INSERT INTO orders VALUES ('eu', 1, 'new', NULL), ('us', 1, 'new', 0), ('us', 100, 'new', 1);
INSERT INTO orders_us_low (region, nr, version) VALUES ('us', 2, NULL);
UPDATE orders SET note = 'changed';
UPDATE orders_us SET note = 'part', version = version + 1;
UPDATE orders_us_low SET note = 'part of part' WHERE nr = 1;
SELECT tableoid::regclass, region, nr, note, version FROM orders ORDER BY region, nr;
CALL pg_temp.try($$ UPDATE orders SET version = 9 WHERE region = 'us' AND nr = 1 $$);
CALL pg_temp.try($$ UPDATE orders_us SET version = 9 WHERE nr = 100 $$);
CALL pg_temp.try($$ UPDATE orders_us_low SET version = 9 WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE orders_eu SET version = 32767 $$);
INSERT INTO orders VALUES ('us', 1, 'upsert', 1) ON CONFLICT (region, nr) DO UPDATE SET note = excluded.note RETURNING *;
CALL pg_temp.try($$ INSERT INTO orders VALUES ('us', 1, 'upsert', 1) ON CONFLICT (region, nr) DO UPDATE SET version = excluded.version $$);
MERGE INTO orders o USING (VALUES ('us', 1, 'merged'), ('us', 150, 'merged')) s(region, nr, note) ON o.region = s.region AND o.nr = s.nr
	WHEN MATCHED THEN UPDATE SET note = s.note
	WHEN NOT MATCHED THEN INSERT VALUES (s.region, s.nr, s.note, NULL);
COPY orders FROM stdin;
us	151	copied	\N
\.
SELECT tableoid::regclass, region, nr, note, version FROM orders WHERE region = 'us' ORDER BY region, nr;

-- rows that move to another partition are updated: the version counts on
UPDATE orders SET region = 'us', nr = 50 WHERE region = 'eu' RETURNING tableoid::regclass, *;
UPDATE orders SET nr = 160, version = version + 1 WHERE nr = 50 RETURNING tableoid::regclass, *;
CALL pg_temp.try($$ UPDATE orders SET region = 'eu', version = 9 WHERE nr = 160 $$);
MERGE INTO orders o USING (VALUES ('us', 160)) s(region, nr) ON o.region = s.region AND o.nr = s.nr WHEN MATCHED THEN UPDATE SET region = 'eu', version = o.version;
SELECT tableoid::regclass, * FROM orders WHERE nr = 160;

-- partitions that come later are guarded with the others, and free when they go
CREATE TABLE orders_asia PARTITION OF orders FOR VALUES IN ('asia');
CREATE TABLE orders_rest (region text NOT NULL, nr int NOT NULL, note text, version smallint);
INSERT INTO orders_rest VALUES ('rest', 1, 'was there', 4);
ALTER TABLE orders ATTACH PARTITION orders_rest DEFAULT;
INSERT INTO orders VALUES ('asia', 1, 'new', NULL);
UPDATE orders SET note = 'changed' WHERE region IN ('asia', 'rest') RETURNING *;
CALL pg_temp.try($$ UPDATE orders_rest SET version = 9 $$);
ALTER TABLE orders DETACH PARTITION orders_rest;
UPDATE orders_rest SET version = 9 RETURNING *;
CALL pg_temp.try($$ SELECT docstore.unguard('orders_rest') $$);
SELECT docstore.guard('orders_rest');
CALL pg_temp.try($$ UPDATE orders_rest SET version = 1 $$);

-- a guard of its own is in the way of the other's; nothing is ever guarded twice
CALL pg_temp.try($$ ALTER TABLE orders ATTACH PARTITION orders_rest DEFAULT $$);
CALL pg_temp.try($$ SELECT docstore.guard('orders') $$);
CALL pg_temp.try($$ SELECT docstore.guard('orders_us_low') $$);
CALL pg_temp.try($$ SELECT docstore.guard('orders_us') $$);
CALL pg_temp.try($$ SELECT docstore.unguard('orders_us_low') $$);
SELECT docstore.unguard('orders');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname ~ 'docstore_guard' ORDER BY 1;
UPDATE orders SET version = 9 WHERE region = 'asia' RETURNING *;
SELECT docstore.guard('orders_us');
CALL pg_temp.try($$ SELECT docstore.guard('orders') $$);
CALL pg_temp.try($$ SELECT docstore.guard('orders_us_high') $$);
-- the middle of the tree is guarded: that is the table of the conflict
CALL pg_temp.try($$ UPDATE orders SET version = 99 WHERE nr = 1 $$);
UPDATE orders SET note = 'only some are guarded' RETURNING *;
UPDATE orders SET region = 'eu' WHERE region = 'us' AND nr IN (1, 2) RETURNING *;
SELECT docstore.unguard('orders_us'), docstore.guard('orders_us_low');
CALL pg_temp.try($$ SELECT docstore.guard('orders') $$);
SELECT docstore.unguard('orders_us_low');

-- partitions elsewhere
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE TABLE spread (nr int, version int) PARTITION BY LIST (nr);
CREATE FOREIGN TABLE spread_far PARTITION OF spread FOR VALUES IN (1) SERVER nowhere;
CALL pg_temp.try($$ SELECT docstore.guard('spread') $$);
DROP TABLE spread;
DROP FOREIGN DATA WRAPPER nothing CASCADE;

-- without a key of the whole
CREATE TABLE loose (nr int, version int) PARTITION BY RANGE (nr);
CREATE TABLE loose_low PARTITION OF loose (PRIMARY KEY (nr)) FOR VALUES FROM (0) TO (100);
CREATE TABLE loose_high PARTITION OF loose FOR VALUES FROM (100) TO (200);
SELECT docstore.guard('loose');
INSERT INTO loose VALUES (1, 1), (100, 1);
CALL pg_temp.try($$ UPDATE loose SET version = 9 WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE loose SET version = 9 WHERE nr = 100 $$);
-- a version that is what partitions are made by
CREATE TABLE aged (id int, version int) PARTITION BY RANGE (version);
CREATE TABLE aged_young PARTITION OF aged FOR VALUES FROM (0) TO (3);
CREATE TABLE aged_old PARTITION OF aged FOR VALUES FROM (3) TO (100);
SELECT docstore.guard('aged');
INSERT INTO aged VALUES (1, 1);
UPDATE aged SET version = 2 RETURNING tableoid::regclass, *;
UPDATE aged SET id = 1 RETURNING tableoid::regclass, *;
UPDATE aged SET id = 1 RETURNING tableoid::regclass, *;
DROP TABLE loose, aged;

-- a collection: an UPDATE that gives a document another id uses up the version that the old id had, within a partition and beyond
CREATE TABLE shops (id int PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE shops_low PARTITION OF shops FOR VALUES FROM (0) TO (100);
CREATE TABLE shops_high PARTITION OF shops FOR VALUES FROM (100) TO (200);
SELECT docstore.guard('shops');
SELECT docstore.upsert('shops', '1', '{}'), docstore.upsert('shops', '1', '{}', 1), docstore.upsert('shops', '1', '{}', 2);
UPDATE shops SET id = 2 RETURNING *;
SELECT docstore.upsert('shops', '1', '{}');
CALL pg_temp.try($$ SELECT docstore.upsert('shops', '1', '{}', 3) $$);
UPDATE shops SET id = 102 WHERE id = 2 RETURNING *;
SELECT docstore.upsert('shops', '2', '{}');
UPDATE shops SET id = id, data = '{"n": 1}' WHERE id = 2 RETURNING *;
SELECT docstore.upsert('shops', '3', '{}');
CREATE TABLE plain (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
SELECT docstore.guard('plain');
INSERT INTO plain VALUES ('a', 7, '{}'), ('b', 9, '{}');
UPDATE plain SET id = 'c' WHERE id = 'a';
UPDATE plain SET id = 'b' WHERE id = 'b';
SELECT docstore.upsert('plain', 'a', '{}');
-- also what replication does
SET session_replication_role = replica;
UPDATE plain SET id = 'd' WHERE id = 'b';
RESET session_replication_role;
SELECT docstore.upsert('plain', 'b', '{}');

DROP TABLE orders, orders_rest, shops, plain;
