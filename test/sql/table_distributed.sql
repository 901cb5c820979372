-- Tables that Citus distributes, as its catalogue names them: their documents are read, locked and written one by one, each by a statement that can be planned for its node
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SET docstore.engine = 'auto';
SELECT docstore.create_collection('d'), docstore.create_collection('local'), docstore.create_log('l'), docstore.create_log('far'), docstore.create_collection('tracked');
SELECT docstore.track('tracked'), docstore.upsert('tracked', 'a', '{}');
CREATE TABLE bare (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb);

-- The catalogue is there until the end of the transaction.
BEGIN;
SET LOCAL allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass NOT NULL);
RESET allow_system_table_mods;
INSERT INTO pg_dist_partition VALUES ('d'), ('bare');

-- all items, and one conflict with all violations, together with what is not distributed
SELECT * FROM docstore.save('[{"op": "upsert", "collection": "d", "id": "b", "data": {"n": 1}}, {"op": "upsert", "collection": "d", "id": "a", "data": {"n": 1}},
	{"op": "upsert", "collection": "d", "id": "c", "data": {"n": 1}, "expected": "any"}, {"op": "upsert", "collection": "bare", "id": "7", "data": {}},
	{"op": "patch", "collection": "d", "id": "p", "data": {"n": 1, "x": null}, "expected": "none"},
	{"op": "upsert", "collection": "local", "id": "a", "data": {"n": 1}}, {"op": "append", "log": "l", "stream": "s", "events": [{"type": "T"}], "expected": 0}]');
SELECT * FROM docstore.save('[{"op": "assert", "collection": "d", "id": "a", "expected": 1}, {"op": "patch", "collection": "d", "id": "b", "data": {"m": 2}, "expected": "exists"},
	{"op": "delete", "collection": "d", "id": "c", "expected": 1}, {"op": "merge", "collection": "d", "id": "p", "data": {"n": 2}, "base": {"n": 1}, "expected": 1},
	{"op": "assert", "collection": "d", "id": "z", "expected": "none"}, {"op": "patch", "collection": "local", "id": "a", "data": {"m": 2}, "expected": 1}]');
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "d", "id": "new", "data": {}}, {"op": "upsert", "collection": "d", "id": "b", "data": {}, "expected": 1},
	{"op": "delete", "collection": "d", "id": "z", "expected": 1}, {"op": "upsert", "collection": "d", "id": "p", "data": {}},
	{"op": "patch", "collection": "d", "id": "a", "data": {}, "expected": 1, "if_contains": {"n": 2}},
	{"op": "upsert", "collection": "local", "id": "a", "data": {}, "expected": 9}, {"op": "append", "log": "l", "stream": "s", "events": [{"type": "T"}], "expected": 0}]') $$);
SELECT item, reason, expected, actual FROM docstore.try_save('[{"op": "upsert", "collection": "d", "id": "new", "data": {}}, {"op": "upsert", "collection": "d", "id": "a", "data": {}}]');
SELECT docstore.upsert_many('d', '{c,new,a}', '{"{}","{}","{}"}', '{0,0,1}'), docstore.upsert_many('bare', '{8,7}', '{"{}","{}"}', '{0,1}');
SELECT id, version, data FROM docstore.load_many('d', '{new,none,b,a,new,c}');
SELECT id, version, data FROM docstore.load_many('bare', '{7,9,8}');
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "d", "id": "r", "data": {}}]', '00000000-0000-0000-0000-000000000001');
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "d", "id": "r", "data": {}}]', '00000000-0000-0000-0000-000000000001');

-- no statement was on many documents, nor found them by their places; the local table was written without any
SELECT count(*) > 0 AS one_by_one, count(*) FILTER (WHERE ident LIKE '%unnest%' OR ident LIKE '%t.ctid%') AS many
FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident LIKE '% public.d %';
SELECT count(*) AS of_local FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident LIKE '% public.local %' AND ident NOT LIKE '%merge_patch%';

-- what is refused: a log, whose events are not here any more; and a guard
INSERT INTO pg_dist_partition VALUES ('far');
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "append", "log": "far", "stream": "s", "events": [{"type": "T"}]}, {"op": "upsert", "collection": "d", "id": "q", "data": {}}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_log('far') $$);
CALL pg_temp.try($$ SELECT docstore.mark('far') $$);
CALL pg_temp.try($$ SELECT docstore.log_end('far') $$);
CALL pg_temp.try($$ SELECT docstore.repair_log('far') $$);
SELECT options ->> 'fault' AS fault FROM docstore.logs WHERE name = 'public.far';
CALL pg_temp.try($$ SELECT docstore.guard('d') $$);
SET LOCAL citus.enable_unsafe_triggers = on;
SELECT docstore.guard('local');
INSERT INTO pg_dist_partition VALUES ('local');
CALL pg_temp.try($$ TRUNCATE local $$);

-- a history, whose rows would be put where nobody finds them, so that nothing is written, either
INSERT INTO pg_dist_partition VALUES ('tracked_history');
CALL pg_temp.try($$ SELECT docstore.upsert('tracked', 'a', '{}', 1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.history('tracked', 'a') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('tracked') $$);
SELECT fault FROM docstore.tracked;
SELECT docstore.untrack('tracked');
ALTER TABLE tracked_history RENAME TO tracked_before;
SELECT docstore.track('tracked'), docstore.upsert('tracked', 'a', '{}', 1);

-- what stays here says so
SET LOCAL allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_schema (schemaid oid NOT NULL, colocationid integer NOT NULL);
RESET allow_system_table_mods;
CREATE SCHEMA tenant; CREATE SCHEMA other;
INSERT INTO pg_dist_schema VALUES ('tenant'::regnamespace, 1);
SET LOCAL client_min_messages = notice;
SELECT docstore.create_collection('tenant.docs'), docstore.create_log('tenant.log'), docstore.create_collection('other.docs');
SET LOCAL client_min_messages = warning;

-- a floor is made here, on the coordinator, also where it comes late
SELECT version FROM docstore.save('[{"op": "delete", "collection": "bare", "id": "7", "expected": 2}]');
SELECT docstore.upsert('bare', '7', '{}');
ROLLBACK;
SELECT count(*) FROM d;

-- A shard, which has a number of that catalogue at the end of its name, is no collection of its own, and its guard does not name it.
-- What is deleted there raises the floor of the table, on the coordinator: here, a function in its place
CREATE TABLE d_7 (LIKE d INCLUDING ALL);
INSERT INTO d_7 (id, version, data, created_at, updated_at) VALUES ('a', 5, '{}', now(), now()), ('b', 6, '{}', now(), now());
SELECT docstore.guard('d_7');
BEGIN;
SET LOCAL allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_shard (logicalrelid regclass NOT NULL, shardid bigint NOT NULL);
INSERT INTO pg_catalog.pg_dist_shard VALUES ('d', 7);
RESET allow_system_table_mods;
SELECT docstore.create_collection('d_x7'), docstore.create_collection('d_8');
SELECT docstore.upsert('d_x7', 'a', '{}'), docstore.upsert('d_8', 'a', '{}');
ALTER TABLE d_7 SET (fillfactor = 90);
CALL pg_temp.try($$ SELECT docstore.upsert('d_7', 'n', '{}') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "upsert", "collection": "d_7", "id": "n", "data": {}}]') $$);
CALL pg_temp.try($$ SELECT version FROM docstore.load('d_7', 'a') $$);
CALL pg_temp.try($$ UPDATE d_7 SET version = 9 $$);
CALL pg_temp.try($$ DELETE FROM d_7 WHERE id = 'a' $$);
SET LOCAL allow_system_table_mods = on;
CREATE FUNCTION pg_catalog.run_command_on_coordinator(command text, give_warning_for_connection_errors boolean DEFAULT false, OUT nodeid integer, OUT success boolean, OUT result text)
	RETURNS SETOF record LANGUAGE plpgsql AS $$ BEGIN EXECUTE command INTO result; success := true; RETURN NEXT; EXCEPTION WHEN OTHERS THEN success := false; result := SQLERRM; RETURN NEXT; END $$;
RESET allow_system_table_mods;
DELETE FROM d_7 WHERE id = 'a';
SELECT docstore_internal.next_version('d', 0), docstore.upsert('d', 'a', '{}');
DELETE FROM d_7 WHERE id = 'b';
SELECT docstore_internal.next_version('d', 0), docstore_internal.is_used_up('d', 6), docstore_internal.is_used_up('d', 7);
SELECT last_value FROM d_7_version_floor;
ROLLBACK;

-- What other nodes ask the coordinator: for those who can write, and who sees nothing finds out nothing
CREATE ROLE floor_reader; CREATE ROLE floor_writer;
GRANT SELECT ON d TO floor_reader; GRANT INSERT, UPDATE (data) ON d TO floor_writer;
SELECT docstore_internal.use_up('d', 0), docstore_internal.next_version('d', 0);
SELECT docstore_internal.use_up('d', 40), docstore_internal.next_version('d', 0), docstore_internal.is_used_up('d', 40), docstore_internal.is_used_up('d', 41);
SET ROLE floor_reader;
CALL pg_temp.try($$ SELECT docstore_internal.next_version('d', 0) $$);
CALL pg_temp.try($$ SELECT docstore_internal.is_used_up('d', 1) $$);
CALL pg_temp.try($$ SELECT docstore_internal.use_up('d', 1) $$);
SET ROLE floor_writer;
SELECT docstore_internal.next_version('d', 0) > 1000000000000000 AS by_the_clock, docstore_internal.is_used_up('d', 40), docstore_internal.is_used_up('d', 41);
SELECT docstore_internal.use_up('d', 50);
CALL pg_temp.try($$ SELECT docstore_internal.use_up('d', 9000000000000000000) $$);
RESET ROLE;
SELECT docstore_internal.next_version('d', 0);
DROP OWNED BY floor_reader, floor_writer; DROP ROLE floor_reader, floor_writer;
DROP TABLE d_7, d, local, bare, tracked, tracked_history, l, l_streams, l_consumers, far, far_streams, far_consumers;
