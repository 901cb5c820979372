-- The caller's settings for the planner: docstore's statements go by the keys, whatever they say, and what they run sees the caller's
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- tables that are so small that to scan them is the best plan, of the kind that needs SQL; each write says which setting it saw
CREATE TABLE seen (mode text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (current_setting('plan_cache_mode')); RETURN NULL; END $$;
SELECT docstore.create_collection('shops');
CREATE TABLE parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY HASH (id);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT docstore.create_log('ledger');
-- where there is no event the heads are looked at for the generation
SELECT version FROM docstore.append('ledger', 'first', '[{"type": "t0"}]');
CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON shops FOR EACH ROW EXECUTE FUNCTION see();
CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON parts FOR EACH ROW EXECUTE FUNCTION see();
CREATE TRIGGER see AFTER INSERT OR UPDATE ON ledger_streams FOR EACH ROW EXECUTE FUNCTION see();

CREATE FUNCTION pg_temp.use(collection text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	names text[] := ARRAY(SELECT 'd' || i FROM generate_series(1, 20) i);
BEGIN
	PERFORM docstore.upsert(collection::regclass, id, '{}', -1) FROM unnest(names) id;
	PERFORM docstore.upsert(collection::regclass, 'd1', '{}', (docstore.load(collection::regclass, 'd1')).version);
	PERFORM docstore.patch(collection::regclass, 'd1', '{"a": 1}', -2), docstore.patch(collection::regclass, 'd1', '{"a": 1}', -1);
	PERFORM docstore.upsert_many(collection::regclass, names, array_agg('{}'::jsonb), array_agg(-1)) FROM unnest(names);
	PERFORM docstore.save(jsonb_agg(jsonb_build_object('op', 'patch', 'collection', collection, 'id', id, 'data', '{}'::jsonb, 'expected', 'exists'))) FROM unnest(names) id;
	PERFORM docstore.try_save(jsonb_agg(jsonb_build_object('op', 'assert', 'collection', collection, 'id', id, 'expected', 'none'))) FROM unnest(names) id;
	PERFORM count(*) FROM docstore.load_many(collection::regclass, names);
	PERFORM docstore.get(collection::regclass, 'd2'), docstore.delete(collection::regclass, 'd2', -1);
	PERFORM docstore.save(jsonb_agg(jsonb_build_object('op', 'delete', 'collection', collection, 'id', id, 'expected', 'any'))) FROM unnest(names) id;
END
$$;
CREATE FUNCTION pg_temp.use_log() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	events jsonb := (SELECT jsonb_agg(jsonb_build_object('type', 't' || i, 'stream_id', 's' || i, 'event_id', gen_random_uuid())) FROM generate_series(1, 20) i);
	fresh text := gen_random_uuid();
BEGIN
	PERFORM docstore.append('ledger', stream, events) FROM unnest('{a,b,a}'::text[]) stream;
	PERFORM docstore.append('ledger', 'c', events, -1, '[{"types": ["t1", "none"], "expected": 1000000}, {"stream_id": "s1", "expected": 1000000}, {"source": "a", "expected": 1000000}]');
	PERFORM docstore.set_properties('ledger', 'a', '{"a": 1}', -1);
	PERFORM docstore.create_stream('ledger', fresh), docstore.close_stream('ledger', fresh, -1);
	PERFORM docstore.tail('ledger', scope) FROM unnest(ARRAY['{"types": ["t1"]}', '{"stream_id": "s1"}', '{"source": "b"}', '{}']::jsonb[]) scope;
	PERFORM count(*) FROM docstore.read_stream('ledger', 'a');
	PERFORM count(*) FROM docstore.stream('ledger', 'a');
	PERFORM count(*) FROM docstore.read_log('ledger');
	PERFORM docstore.erase('ledger', 'b', '{1}');
END
$$;
CREATE FUNCTION pg_temp.request(number int) RETURNS void LANGUAGE sql AS $$
	SELECT docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": "any"}]', ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid)
$$;

-- how often this transaction has scanned a whole table
CREATE FUNCTION pg_temp.scans() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(pg_stat_get_xact_numscans(oid)) FROM pg_class
	WHERE oid::regclass::text ~ '^(shops|parts_?|ledger|ledger_streams|docstore.requests)[01]?$' AND relkind = 'r'
$$;
CREATE PROCEDURE pg_temp.check(setting text, value text) LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	PERFORM set_config(setting, value, true);
	DELETE FROM seen;
	-- plans are made anew, under this setting
	ALTER TABLE shops SET (fillfactor = 100);
	ALTER TABLE parts ADD CHECK (version > 0);
	ALTER TABLE ledger SET (fillfactor = 100);
	ALTER TABLE ledger_streams SET (fillfactor = 100);
	before := pg_temp.scans();
	FOR i IN 1 .. 3 LOOP
		PERFORM pg_temp.use('shops'), pg_temp.use('parts'), pg_temp.use_log();
	END LOOP;
	PERFORM pg_temp.request(number) FROM generate_series(1, 10) number;
	PERFORM pg_temp.request(number) FROM generate_series(1, 10) number;
	RAISE INFO '% = %: % scans, seen: %', setting, value, pg_temp.scans() - before, (SELECT string_agg(DISTINCT mode, ', ') FROM seen);
	ASSERT current_setting(setting) = value;
END
$$;
SET docstore.engine = 'sql';
BEGIN; CALL pg_temp.check('plan_cache_mode', 'force_custom_plan'); ROLLBACK;
BEGIN; CALL pg_temp.check('plan_cache_mode', 'force_generic_plan'); ROLLBACK;
BEGIN; CALL pg_temp.check('plan_cache_mode', 'auto'); ROLLBACK;
BEGIN; CALL pg_temp.check('enable_indexscan', 'off'); ROLLBACK;
BEGIN; CALL pg_temp.check('enable_nestloop', 'off'); ROLLBACK;
BEGIN; CALL pg_temp.check('enable_tidscan', 'off'); ROLLBACK;
BEGIN; CALL pg_temp.check('random_page_cost', '1e+09'); ROLLBACK;
RESET docstore.engine;
-- planned while a table had one row: an id is looked up, and no index is read as a whole
CREATE FUNCTION pg_temp.read(key regclass, query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	before bigint := pg_stat_get_xact_tuples_fetched(key);
BEGIN
	EXECUTE query;
	RETURN pg_stat_get_xact_tuples_fetched(key) - before;
END
$$;
CREATE TABLE lone (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
INSERT INTO lone VALUES ('a', 1, '{}');
INSERT INTO ledger_streams (stream, version, revision, generation, transaction_id) VALUES ('a', 0, 1, 1, '3');
VACUUM ANALYZE lone, ledger_streams;
\set load '\'SELECT count(*) FROM docstore.load_many(\'\'lone\'\', \'\'{a,b}\'\')\''
\set assert '\'SELECT docstore.try_save(\'\'[{"op": "assert", "collection": "lone", "id": "a", "expected": 7}, {"op": "assert", "collection": "lone", "id": "none", "expected": "none"}]\'\')\''
\set stream '\'SELECT docstore.try_save(\'\'[{"op": "assert", "log": "ledger", "stream": "a", "expected": 7}, {"op": "assert", "log": "ledger", "stream": "none", "expected": 7}]\'\')\''
SET docstore.engine = 'sql';
SELECT pg_temp.read('lone_pkey', :load) AS load, pg_temp.read('lone_pkey', :assert) > 0 AS assert, pg_temp.read('ledger_streams_pkey', :stream) > 0 AS stream;
BEGIN;
INSERT INTO lone SELECT i, 1, '{}' FROM generate_series(1, 1000) i;
INSERT INTO ledger_streams (stream, version, revision, generation, transaction_id) SELECT i, 0, 1, 1, '3' FROM generate_series(1, 1000) i;
SELECT pg_temp.read('lone_pkey', :load) < 10 AS load, pg_temp.read('lone_pkey', :assert) < 10 AS assert, pg_temp.read('ledger_streams_pkey', :stream) < 10 AS stream;
COMMIT;
RESET docstore.engine;
DROP TABLE lone;
DELETE FROM ledger_streams;

-- an error leaves the setting as it was
SET plan_cache_mode = force_custom_plan;
CALL pg_temp.try($$ SELECT docstore.patch('parts', 'x', '{}', 7) $$);
SELECT pg_temp.verdict($$ SELECT docstore.append('ledger', 'a', '[{"type": "t"}]', 70) $$);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no: %', current_setting('plan_cache_mode'); END $$;
CREATE TRIGGER refuse BEFORE INSERT ON parts_0 FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse BEFORE INSERT ON parts_1 FOR EACH ROW EXECUTE FUNCTION refuse();
CALL pg_temp.try($$ SELECT docstore.patch('parts', 'x', '{}', 0) $$);
SHOW plan_cache_mode;
DROP TABLE shops, parts, ledger, ledger_streams, ledger_consumers, seen;
DROP FUNCTION see, refuse;
