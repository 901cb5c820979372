-- docstore.track() and docstore.untrack(): what can be tracked, by whom, and what becomes of the history
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare
\set VERBOSITY terse
CREATE FUNCTION pg_temp.changes(history regclass) RETURNS TABLE (id text, version bigint, op text, data jsonb) LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE format('SELECT id::text, version, op, data FROM %s ORDER BY change_position', history); END $$;

-- Bad arguments, and what is no collection
CALL pg_temp.try($$ SELECT docstore.track(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.untrack(NULL) $$);
CREATE TABLE plain (id text PRIMARY KEY);
CREATE VIEW seen AS SELECT * FROM plain;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM plain;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE afar (id text NOT NULL, version bigint NOT NULL, data jsonb) SERVER nowhere;
CREATE SEQUENCE numbers;
SELECT docstore.create_log('ledger');
CALL pg_temp.try($$ SELECT docstore.track('plain') $$);
CALL pg_temp.try($$ SELECT docstore.track('seen') $$);
CALL pg_temp.try($$ SELECT docstore.track('kept') $$);
CALL pg_temp.try($$ SELECT docstore.track('afar') $$);
CALL pg_temp.try($$ SELECT docstore.track('numbers') $$);
CALL pg_temp.try($$ SELECT docstore.track('ledger') $$);
CALL pg_temp.try($$ SELECT docstore.track('ledger_streams') $$);
CALL pg_temp.try($$ SELECT docstore.track(0) $$);
CALL pg_temp.try($$ SELECT docstore.track('plain', -1) $$);
CALL pg_temp.try($$ SELECT docstore.untrack('plain') $$);
DROP FOREIGN DATA WRAPPER nowhere CASCADE;
DROP MATERIALIZED VIEW kept;
DROP VIEW seen;
DROP TABLE plain;
DROP SEQUENCE numbers;

-- What is there is recorded first, with its time
SELECT docstore.create_collection('orders');
SELECT docstore.upsert('orders', i, '{"n": 1}') FROM unnest('{a,b,c,d}'::text[]) i;
UPDATE orders SET created_at = '2020-01-01', updated_at = '2020-01-01' WHERE id = 'a';
UPDATE orders SET updated_at = '2100-01-01' WHERE id = 'b';
CALL pg_temp.try($$ SELECT docstore.untrack('orders') $$);
SELECT docstore.track('orders', 2);
SELECT id, version, op, actor, recorded_at < now() - interval '1 day' AS old, recorded_at <= clock_timestamp() AS past FROM orders_history ORDER BY change_position;
-- others are recorded when they are written, or by further calls
SELECT docstore.upsert('orders', 'd', '{"n": 2}', 1);
SELECT docstore.track('orders', 100);
SELECT docstore.track('orders', 0);
SELECT docstore.track('orders');
SELECT * FROM pg_temp.changes('orders_history');
-- with the time that they have themselves, unless that is in the future
SELECT id, recorded_at = '2020-01-01' AS as_it_says, recorded_at <= clock_timestamp() AS past FROM orders_history WHERE id IN ('a', 'b') ORDER BY id;
SELECT name, history, fault FROM docstore.tracked;
SELECT docstore.delete('orders', 'c', 1);

-- Whether more may be there is said; what is recorded is not locked again; what was deleted behind the back of all is found by a call for all
CREATE TABLE made_by_hand (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
ALTER TABLE made_by_hand ALTER data SET COMPRESSION pglz;
INSERT INTO made_by_hand SELECT i, 1, '{}' FROM unnest('{a,b,c}'::text[]) i;
SET client_min_messages = notice;
SELECT docstore.track('made_by_hand', 1);
SELECT docstore.track('made_by_hand', 1);
SELECT docstore.track('made_by_hand', 2);
SET client_min_messages = warning;
SELECT id FROM made_by_hand WHERE xmax::text <> '0' ORDER BY id;
-- its floor is there, before anything is deleted with rows locked; its history compresses as it does
SELECT pg_get_serial_sequence('made_by_hand', 'version') IS NOT NULL AS has_floor, attcompression FROM pg_attribute WHERE attrelid = 'made_by_hand_history'::regclass AND attname = 'data';
ALTER TABLE made_by_hand DISABLE TRIGGER docstore_track;
DELETE FROM made_by_hand WHERE id = 'b';
ALTER TABLE made_by_hand ENABLE ALWAYS TRIGGER docstore_track;
SELECT docstore.track('made_by_hand', 100);
SELECT * FROM pg_temp.changes('made_by_hand_history');
SELECT docstore.track('made_by_hand');
SELECT * FROM pg_temp.changes('made_by_hand_history') OFFSET 3;
-- two who track cannot wait for each other: neither has a weaker lock before the one that is needed
CREATE FUNCTION pg_temp.locks(name text) RETURNS text[] LANGUAGE sql
	RETURN (SELECT array_agg(mode ORDER BY mode) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = name::regclass);
BEGIN;
SELECT docstore.track('made_by_hand');
SELECT lock, lock = ANY (pg_temp.locks('made_by_hand')) AS held FROM unnest('{RowExclusiveLock,ShareRowExclusiveLock}'::text[]) lock;
COMMIT;
-- what has no floor any more has none to keep
DELETE FROM made_by_hand;
DROP SEQUENCE made_by_hand_version_floor;
TRUNCATE made_by_hand;
SELECT pg_get_serial_sequence('made_by_hand', 'version') IS NOT NULL AS has_floor;
DROP TABLE made_by_hand, made_by_hand_history;

-- Ended, and begun again: what has changed in between is recorded, and what was deleted
SELECT docstore.untrack('orders');
CALL pg_temp.try($$ SELECT docstore.untrack('orders') $$);
SELECT count(*) FROM docstore.tracked;
SELECT docstore.upsert('orders', 'a', '{"n": 3}', -1), docstore.upsert('orders', 'e', '{"n": 1}'), docstore.delete('orders', 'b', -1);
SELECT docstore.track('orders');
SELECT id, version, op, data FROM orders_history ORDER BY change_position OFFSET 6;
-- a version that is above all that history has
SELECT docstore.upsert('orders', 'b', '{}') > (SELECT max(version) FROM orders_history WHERE id = 'b' AND op = 'deleted') AS above;
SELECT docstore.untrack('orders');
-- one that was deleted before, and is there again: not at the version that its deletion has; it is created
CALL pg_temp.try($$ INSERT INTO orders (id, version, data) VALUES ('c', 2, '{"back": true}'); SELECT docstore.track('orders') $$);
SELECT docstore.upsert('orders', 'c', '{"back": true}') > 0 AS written;
SELECT docstore.track('orders');
SELECT version, op, data FROM orders_history WHERE id = 'c' ORDER BY version;
SELECT docstore.untrack('orders');
UPDATE orders SET version = 1 WHERE id = 'a';
CALL pg_temp.try($$ SELECT docstore.track('orders') $$);
UPDATE orders SET version = 100 WHERE id = 'a';
SELECT docstore.track('orders');

-- History goes with its collection wherever either goes
ALTER TABLE orders RENAME TO bills;
ALTER TABLE orders_history RENAME TO past;
CREATE SCHEMA elsewhere;
ALTER TABLE past SET SCHEMA elsewhere;
SELECT docstore.upsert('bills', 'e', '{"n": 2}', -1);
SELECT id, version FROM elsewhere.past ORDER BY change_position DESC LIMIT 1;
SELECT name, history, fault FROM docstore.tracked;
-- names that are swapped: history follows
SELECT docstore.create_collection('orders');
SELECT docstore.track('orders');
ALTER TABLE orders RENAME TO swap;
ALTER TABLE bills RENAME TO orders;
ALTER TABLE swap RENAME TO bills;
SELECT docstore.upsert('orders', 'e', '{"n": 3}', -1), docstore.upsert('bills', 'first', '{}');
SELECT id, version FROM elsewhere.past ORDER BY change_position DESC LIMIT 1;
SELECT * FROM pg_temp.changes('orders_history');
SELECT name, history FROM docstore.tracked ORDER BY name;
-- the name of a history that another collection has
SELECT docstore.untrack('orders');
CALL pg_temp.try($$ SELECT docstore.track('orders') $$);
ALTER TABLE orders_history RENAME TO bills_history;
ALTER INDEX orders_history_pkey RENAME TO bills_history_pkey;
ALTER INDEX orders_history_generation_transaction_id_change_position_idx RENAME TO bills_history_feed;
ALTER SEQUENCE orders_history_change_position_seq RENAME TO bills_history_positions;
ALTER TABLE elsewhere.past SET SCHEMA public;
ALTER TABLE past RENAME TO orders_history;
SELECT docstore.track('orders');
SELECT name, history FROM docstore.tracked ORDER BY name;
-- a table of that name that is no history, or has other ids
SELECT docstore.create_collection('parcels', 'bigint');
CREATE TABLE parcels_history (id bigint);
CALL pg_temp.try($$ SELECT docstore.track('parcels') $$);
DROP TABLE parcels_history;
SELECT docstore.untrack('bills');
ALTER TABLE bills_history RENAME TO parcels_history;
CALL pg_temp.try($$ SELECT docstore.track('parcels') $$);
DROP TABLE bills, parcels_history;

-- A further call goes on where the last one has stopped, and does not look at the first documents again before it has come round
CREATE TABLE many (id int PRIMARY KEY, version bigint NOT NULL DEFAULT 1, data jsonb NOT NULL DEFAULT '{}') WITH (fillfactor = 10);
INSERT INTO many SELECT generate_series(1, 1000);
SELECT docstore.track('many', 600);
DELETE FROM many_history WHERE id <= 10;
SELECT docstore.track('many', 200);
SELECT count(*), min(id) FROM many_history;
SELECT docstore.track('many', 1000);
SELECT count(*), min(id), max(id) FROM many_history;
DROP TABLE many, many_history;

-- A temporary collection that is emptied at COMMIT, of which no trigger is told: track records that
CREATE TEMP TABLE cart (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) ON COMMIT DELETE ROWS;
SELECT docstore.track('cart');
BEGIN;
SELECT docstore.upsert('cart', 'a', '{"n": 1}', 0), docstore.upsert('cart', 'a', '{"n": 2}', 1);
COMMIT;
-- without the name, which has the number of the temporary schema
DO $$
DECLARE
	said text;
BEGIN
	PERFORM docstore.upsert('cart', 'a', '{"n": 3}', 0);
EXCEPTION WHEN unique_violation THEN
	GET STACKED DIAGNOSTICS said = PG_EXCEPTION_HINT;
	RAISE INFO '%', said;
END
$$;
BEGIN;
SELECT docstore.track('cart');
SELECT docstore.upsert('cart', 'a', '{"n": 3}', 0);
COMMIT;
SELECT id, version, op, data FROM cart_history ORDER BY version;
DROP TABLE cart, cart_history;

-- All types of ids, unlogged and temporary tables, odd names
SELECT docstore.create_collection('by_uuid', 'uuid'), docstore.create_collection('"Odd ""Name"""', 'integer');
CREATE UNLOGGED TABLE unlogged (id text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TEMP TABLE temporary (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb);
SELECT docstore.track(t) FROM unnest('{parcels,by_uuid,"\"Odd \"\"Name\"\"\"",unlogged,temporary}'::regclass[]) t;
SELECT docstore.upsert('parcels', '7', '{}'), docstore.upsert('by_uuid', '00000000-0000-0000-0000-000000000001', '{}'),
	docstore.upsert('"Odd ""Name"""', '7', '{}'), docstore.upsert('unlogged', '7', '{}'), docstore.upsert('temporary', '7', '{}');
SELECT t, c.relpersistence, a.atttypid::regtype, a.attcollation::regcollation, h.* FROM unnest('{parcels_history,by_uuid_history,"\"Odd \"\"Name\"\"_history\"",unlogged_history,temporary_history}'::regclass[]) t
	JOIN pg_class c ON c.oid = t JOIN pg_attribute a ON a.attrelid = t AND a.attname = 'id', pg_temp.changes(t) h
ORDER BY c.relname COLLATE "C";
CREATE TABLE a234567890b23456789c23456789d23456789e23456789f23456789 (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE a234567890b23456789c23456789d23456789e23456789f23456789x (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CALL pg_temp.try($$ SELECT docstore.track('a234567890b23456789c23456789d23456789e23456789f23456789x') $$);
SELECT docstore.track('a234567890b23456789c23456789d23456789e23456789f23456789') IS NOT NULL AS fits;
DROP TABLE parcels, parcels_history, by_uuid, by_uuid_history, "Odd ""Name""", "Odd ""Name""_history", unlogged, unlogged_history, temporary, temporary_history,
	a234567890b23456789c23456789d23456789e23456789f23456789, a234567890b23456789c23456789d23456789e23456789f23456789_history, a234567890b23456789c23456789d23456789e23456789f23456789x;

-- Partitions
CREATE TABLE parts (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
CREATE TABLE part_2 (data jsonb, note text, id bigint PRIMARY KEY, version bigint NOT NULL);
ALTER TABLE part_2 DROP COLUMN note;
INSERT INTO parts (id, version, data) VALUES (1, 1, '{"n": 1}');
INSERT INTO part_2 VALUES ('{"n": 11}', 11, 1);
SELECT docstore.track('part_2');
CALL pg_temp.try($$ ALTER TABLE parts ATTACH PARTITION part_2 FOR VALUES FROM (10) TO (20); SELECT docstore.track('parts') $$);
SELECT docstore.untrack('part_2');
ALTER TABLE parts ATTACH PARTITION part_2 FOR VALUES FROM (10) TO (20);
SELECT docstore.track('parts');
CALL pg_temp.try($$ SELECT docstore.track('part_1') $$);
CALL pg_temp.try($$ SELECT docstore.untrack('part_1') $$);
CREATE TABLE part_3 PARTITION OF parts FOR VALUES FROM (20) TO (30);
SELECT docstore.upsert('parts', '2', '{}'), docstore.upsert('part_2', '12', '{}'), docstore.upsert('parts', '21', '{}'), docstore.patch('parts', '11', '{"m": 1}', 1);
UPDATE parts SET id = 22, version = 5 WHERE id = 2;
SELECT docstore.delete('parts', '1', 1);
DELETE FROM part_3 WHERE id = 22;
-- tracked again: all are there, in whichever partition
SELECT docstore.untrack('parts');
SELECT docstore.track('parts');
SELECT * FROM pg_temp.changes('parts_history');
ALTER TABLE parts DETACH PARTITION part_3;
-- a table that is a partition no more is not tracked, whoever writes it, and has its ids to itself
CALL pg_temp.try($$ SELECT * FROM docstore.history('part_3', '21') $$);
SELECT docstore.upsert('part_3', '21', '{}', -1);
SET docstore.engine = 'sql';
SELECT docstore.upsert('part_3', '21', '{"n": 1}', -1);
UPDATE part_3 SET data = '{}';
RESET docstore.engine;
CREATE TABLE part_4 PARTITION OF parts FOR VALUES FROM (20) TO (30);
SELECT docstore.upsert('parts', '21', '{"n": "another"}');
TRUNCATE parts;
SELECT * FROM pg_temp.changes('parts_history') OFFSET 10;
DROP TABLE part_4;
-- what the server leaves of its trigger keeps it from being attached, until it is dropped
CALL pg_temp.try($$ ALTER TABLE parts ATTACH PARTITION part_3 FOR VALUES FROM (20) TO (30) $$);
SELECT docstore.untrack('part_3');
CALL pg_temp.try($$ SELECT docstore.untrack('part_3') $$);
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'part_3'::regclass;
ALTER TABLE parts ATTACH PARTITION part_3 FOR VALUES FROM (20) TO (30);
CALL pg_temp.try($$ SELECT docstore.untrack('part_3') $$);
UPDATE parts SET version = 20 WHERE id = 21;
SELECT * FROM pg_temp.changes('parts_history') OFFSET 15;
-- or a history of its own takes its place
ALTER TABLE parts DETACH PARTITION part_3;
SELECT docstore.track('part_3');
SELECT docstore.upsert('part_3', '21', '{"n": 2}', 20);
SELECT * FROM pg_temp.changes('parts_history') OFFSET 16;
SELECT * FROM pg_temp.changes('part_3_history');
SELECT name, history, fault FROM docstore.tracked WHERE name = 'public.parts';
ALTER TABLE part_1 DISABLE TRIGGER docstore_track;
SELECT fault FROM docstore.tracked WHERE name = 'public.parts';
SELECT docstore.track('parts');
SELECT fault FROM docstore.tracked WHERE name = 'public.parts';
-- partitions of what is detached are not tracked, either; those of what is tracked for itself still are
CREATE TABLE half PARTITION OF parts FOR VALUES FROM (30) TO (50) PARTITION BY RANGE (id);
CREATE TABLE quarter PARTITION OF half FOR VALUES FROM (30) TO (40);
SELECT docstore.upsert('parts', '31', '{}');
ALTER TABLE parts DETACH PARTITION half;
SELECT docstore.upsert('half', '32', '{}'), docstore.upsert('quarter', '33', '{}');
INSERT INTO quarter (id, version, data) VALUES (34, 1, '{}');
INSERT INTO half (id, version, data) VALUES (35, 1, '{}');
SELECT * FROM pg_temp.changes('parts_history') OFFSET 16;
SELECT docstore.untrack('half');
SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('half'::regclass, 'quarter'::regclass);
SELECT docstore.untrack('parts'), docstore.track('half');
ALTER TABLE parts ATTACH PARTITION half FOR VALUES FROM (30) TO (50);
INSERT INTO quarter (id, version, data) VALUES (36, 1, '{}');
SELECT docstore.upsert('parts', '37', '{}'), docstore.upsert('quarter', '38', '{}');
SELECT * FROM pg_temp.changes('half_history');
DROP TABLE parts, part_3, parts_history, part_2_history, part_3_history, half_history;
-- max_rows is for all partitions together
CREATE TABLE parts (id int PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT n, 1, '{}' FROM generate_series(1, 3) n;
SELECT docstore.track('parts', 2);
SELECT count(*) FROM parts_history;
-- and partitions are locked as for a write
BEGIN;
SELECT docstore.track('parts', 2);
SELECT pg_temp.locks('part_1'), pg_temp.locks('part_2');
COMMIT;
DROP TABLE parts, parts_history;

-- Triggers that are switched off, missing or made by hand
ALTER TABLE orders DISABLE TRIGGER docstore_track;
SELECT fault FROM docstore.tracked;
SELECT docstore.upsert('orders', 'd', '{"n": "not recorded"}', -1);
ALTER TABLE orders ENABLE TRIGGER ALL;
SELECT fault FROM docstore.tracked;
SELECT docstore.track('orders');
SELECT fault FROM docstore.tracked;
ALTER TABLE orders ENABLE REPLICA TRIGGER docstore_track_truncate;
SELECT fault FROM docstore.tracked;
DROP TRIGGER docstore_track_truncate ON orders;
SELECT fault FROM docstore.tracked;
SELECT docstore.track('orders', 0);
-- that of the history, as a restore of the data alone leaves it, and DROP EXTENSION
ALTER TABLE orders_history ENABLE TRIGGER ALL;
SELECT fault FROM docstore.tracked;
SELECT docstore.track('orders', 0);
SELECT fault FROM docstore.tracked;
DROP TRIGGER docstore_replicate_change ON orders_history;
SELECT fault FROM docstore.tracked;
SELECT docstore.track('orders');
SELECT fault FROM docstore.tracked;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'orders_history'::regclass;
ALTER TRIGGER docstore_track ON orders RENAME TO "Own name";
ALTER TABLE orders ENABLE TRIGGER "Own name";
SELECT fault FROM docstore.tracked;
SELECT docstore.track('orders', 0);
SELECT fault FROM docstore.tracked;
ALTER TRIGGER "Own name" ON orders RENAME TO own_name;
ALTER TRIGGER docstore_track_truncate ON orders RENAME TO other_name;
SELECT name, fault FROM docstore.tracked;
SELECT docstore.upsert('orders', 'd', '{"n": "renamed"}', -1);
SELECT id, version, op, data FROM orders_history ORDER BY change_position DESC LIMIT 2;
-- what is created over a document whose deletion was not recorded: that deletion has the version after its last, if one is left for it
INSERT INTO orders (id, version, data) VALUES ('next', 1, '{}'), ('above', 1, '{}');
ALTER TABLE orders DISABLE TRIGGER own_name;
DELETE FROM orders WHERE id IN ('next', 'above');
ALTER TABLE orders ENABLE ALWAYS TRIGGER own_name;
INSERT INTO orders (id, version, data) VALUES ('next', 2, '{"n": 2}'), ('above', 3, '{"n": 3}');
SELECT id, version, op, data FROM orders_history WHERE id IN ('next', 'above') ORDER BY change_position;
DELETE FROM orders WHERE id IN ('next', 'above');
SELECT docstore.untrack('orders');
CREATE CONSTRAINT TRIGGER less AFTER INSERT ON orders FROM orders_history FOR EACH ROW EXECUTE FUNCTION docstore_internal.track_row();
SELECT name, fault FROM docstore.tracked;
SELECT docstore.upsert('orders', 'd', '{"n": "not recorded"}', -1), docstore.upsert('orders', 'f', '{"n": "recorded"}', -1);
SELECT id, version, op, data FROM orders_history ORDER BY change_position DESC LIMIT 1;
-- a condition is the server's to look at
DROP TRIGGER less ON orders;
CREATE CONSTRAINT TRIGGER less AFTER INSERT OR UPDATE OR DELETE ON orders FROM orders_history FOR EACH ROW WHEN (current_setting('docstore.actor') <> 'nobody') EXECUTE FUNCTION docstore_internal.track_row();
SELECT name, fault FROM docstore.tracked;
SET docstore.actor = 'nobody';
SELECT docstore.upsert('orders', 'f', '{"n": "not recorded"}', -1);
RESET docstore.actor;
SELECT docstore.upsert('orders', 'f', '{"n": "recorded"}', -1);
SELECT id, version, op, data, actor = current_user AS by_role FROM orders_history WHERE id = 'f' ORDER BY change_position;
SELECT docstore.track('orders');
SELECT name, fault FROM docstore.tracked;
CREATE TRIGGER own AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION docstore_internal.track_row();
CALL pg_temp.try($$ INSERT INTO orders (id, version, data) VALUES ('g', 1, '{}') $$);
CREATE OR REPLACE TRIGGER own BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION docstore_internal.track_truncate();
CALL pg_temp.try($$ INSERT INTO orders (id, version, data) VALUES ('g', 1, '{}') $$);
DROP TRIGGER own ON orders;
CREATE TRIGGER own AFTER INSERT ON orders_history FOR EACH ROW EXECUTE FUNCTION docstore_internal.replicate_change();
CALL pg_temp.try($$ INSERT INTO orders_history SELECT * FROM orders_history $$);
DROP TRIGGER own ON orders_history;
CALL pg_temp.try($$ SELECT docstore_internal.track_row() $$);

-- Who has TRIGGER on another's history, and no more, neither writes it nor learns what is there
CREATE ROLE docstore_ann;
GRANT TRIGGER ON orders_history TO docstore_ann;
GRANT CREATE ON SCHEMA public TO docstore_ann;
SELECT version AS latest FROM docstore.history('orders', 'd', 1) \gset
GRANT ALL ON orders TO docstore_ann;
SET ROLE docstore_ann;
CALL pg_temp.try($$ SELECT docstore.track('orders', 0) $$);
CALL pg_temp.try($$ SELECT docstore.untrack('orders') $$);
CREATE TABLE forged (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE CONSTRAINT TRIGGER own AFTER INSERT OR UPDATE OR DELETE ON forged FROM orders_history NOT DEFERRABLE FOR EACH ROW EXECUTE FUNCTION docstore_internal.track_row();
CALL pg_temp.try($$ INSERT INTO forged (id, version, data) VALUES ('d', 1000, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('forged', 'd', '{}') $$);
ALTER TABLE forged DISABLE TRIGGER own;
INSERT INTO forged (id, version, data) VALUES ('d', 1000, '{}');
ALTER TABLE forged ENABLE ALWAYS TRIGGER own;
CREATE TRIGGER whole BEFORE TRUNCATE ON forged EXECUTE FUNCTION docstore_internal.track_truncate();
ALTER TABLE forged ENABLE ALWAYS TRIGGER whole;
CALL pg_temp.try(format($$ SELECT docstore.merge('forged', 'd', '{"n": "renamed"}', %s) $$, :latest));
SELECT fault FROM docstore.tracked WHERE name = 'public.forged';
RESET ROLE;
-- with INSERT his writes go there, and he still does not learn what merges begin with
GRANT INSERT ON orders_history TO docstore_ann;
SET ROLE docstore_ann;
CALL pg_temp.try(format($$ SELECT docstore.merge('forged', 'd', '{"n": "renamed"}', %s) $$, :latest));
INSERT INTO forged (id, version, data) VALUES ('new', 1, '{}');
RESET ROLE;
SELECT id, version, actor FROM orders_history ORDER BY change_position DESC LIMIT 1;
DROP OWNED BY docstore_ann;
DROP ROLE docstore_ann;

-- What keeps a history from being written
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION pg_temp.obstacle(altered text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE detail text;
	fault text;
BEGIN
	EXECUTE altered;
	fault := (SELECT t.fault FROM docstore.tracked t WHERE name = 'public.orders');
	PERFORM docstore.upsert('orders', 'd', '{}', -1);
	RAISE EXCEPTION 'none';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RAISE INFO '%: % [%]', altered, concat_ws(' ', SQLSTATE, SQLERRM, detail), fault;
END
$$;
SELECT pg_temp.obstacle(a) FROM unnest(ARRAY[
	'CREATE TRIGGER t AFTER INSERT ON orders_history FOR EACH ROW EXECUTE FUNCTION nothing()', 'CREATE TRIGGER t AFTER UPDATE ON orders_history FOR EACH ROW EXECUTE FUNCTION nothing()',
	'CREATE TRIGGER t AFTER INSERT ON orders_history FOR EACH ROW EXECUTE FUNCTION nothing(); ALTER TABLE orders_history DISABLE TRIGGER t',
	'ALTER TABLE orders_history ADD more text', 'ALTER TABLE orders_history ADD more text NOT NULL DEFAULT ''x''', 'ALTER TABLE orders_history ADD more text DEFAULT ''x''', 'ALTER TABLE orders_history ADD CHECK (version > 0)',
	'ALTER TABLE orders_history ADD more text GENERATED ALWAYS AS (op) STORED', 'ALTER TABLE orders_history ADD UNIQUE (change_position) DEFERRABLE', 'ALTER TABLE orders_history ADD UNIQUE (change_position)',
	'ALTER TABLE orders_history ALTER recorded_at TYPE timestamptz(0)', 'ALTER TABLE orders_history DROP op', 'ALTER TABLE orders_history DROP CONSTRAINT orders_history_pkey',
	'ALTER TABLE orders_history RENAME actor TO who', 'ALTER TABLE orders_history ALTER change_position DROP IDENTITY', 'CREATE INDEX ON orders_history ((data ->> ''n''))', 'CREATE INDEX ON orders_history (actor) WHERE op = ''deleted''',
	'ALTER TABLE orders_history ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'CREATE RULE r AS ON INSERT TO orders_history DO INSTEAD NOTHING',
	'ALTER TABLE orders RENAME data TO body', 'ALTER TABLE orders_history SET UNLOGGED', 'ALTER TABLE orders ALTER id TYPE uuid USING md5(id)::uuid', 'ALTER TABLE orders ALTER id TYPE varchar']) a;
-- an index that its owner has added has all rows from then on
CREATE INDEX orders_history_n ON orders_history ((data ->> 'n'));
SELECT docstore.upsert('orders', 'd', '{"n": "indexed"}', -1) > 0 AS written;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id, op FROM orders_history WHERE data ->> 'n' = 'indexed';
SELECT id, op FROM orders_history WHERE data ->> 'n' = 'indexed';
RESET enable_seqscan;
DROP INDEX orders_history_n;
-- a collection that is none any more is refused to plain SQL, too
CALL pg_temp.try($$ ALTER TABLE orders ALTER id TYPE varchar; INSERT INTO orders (id, version, data) VALUES ('x', 1, '{}') $$);
CALL pg_temp.try($$ ALTER TABLE orders RENAME version TO v; INSERT INTO orders (id, v, data) VALUES ('x', 1, '{}') $$);
DROP FUNCTION nothing();

-- Dropped: the history takes its trigger along, and the collection leaves its history
DROP TABLE orders_history;
SELECT docstore.upsert('orders', 'd', '{}', -1) > 0 AS written, (SELECT count(*) FROM docstore.tracked) AS tracked;
SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'docstore_track%' OR tgname LIKE '%_name';
SELECT docstore.track('orders');
DROP TABLE orders;
SELECT count(*) FROM orders_history;
-- one of the same name goes on with it, above all its versions
SELECT docstore.create_collection('orders');
SELECT docstore.track('orders');
SELECT docstore.upsert('orders', 'd', '{}') > (SELECT max(version) FROM orders_history WHERE id = 'd' AND op = 'deleted') AS above;
SELECT op, count(*) FROM orders_history WHERE id <> 'd' GROUP BY op ORDER BY op;
DROP TABLE orders, orders_history;

-- Of its owner, and with its row security
CREATE ROLE docstore_owner;
CREATE SCHEMA AUTHORIZATION docstore_owner;
SET ROLE docstore_owner;
SELECT docstore.create_collection('docstore_owner.orders');
ALTER TABLE docstore_owner.orders ENABLE ROW LEVEL SECURITY;
RESET ROLE;
SELECT docstore.track('docstore_owner.orders');
SELECT relowner::regrole, relrowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS policies FROM pg_class c WHERE oid = 'docstore_owner.orders_history'::regclass;
-- once it is not tracked any more, a table of that name is its history only when both are of one owner
SELECT docstore.untrack('docstore_owner.orders');
SELECT count(*) FROM docstore.history('docstore_owner.orders', 'a');
ALTER TABLE docstore_owner.orders_history OWNER TO CURRENT_USER;
CALL pg_temp.try($$ SELECT * FROM docstore.history('docstore_owner.orders', 'a') $$);
CALL pg_temp.try($$ SELECT docstore.track('docstore_owner.orders') $$);
DROP SCHEMA docstore_owner, elsewhere CASCADE;
DROP OWNED BY docstore_owner;
DROP ROLE docstore_owner;
DROP TABLE ledger, ledger_streams, ledger_consumers;
