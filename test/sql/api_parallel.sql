-- A function that is marked PARALLEL SAFE and writes: refused in a parallel query, as INSERT is, by every verb that writes or locks
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('d'), docstore.create_log('l');
SELECT docstore.upsert('d', 'a', '{}');
CREATE TABLE one (x int);
INSERT INTO one VALUES (1);
CREATE FUNCTION run(command text) RETURNS text LANGUAGE plpgsql PARALLEL SAFE AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE command INTO answer;
	RETURN answer;
END
$$;
-- the setting has had two names
DO $$ BEGIN
	PERFORM set_config(name, CASE vartype WHEN 'enum' THEN 'on' ELSE '2' END, false) FROM pg_settings
	WHERE name IN ('force_parallel_mode', 'debug_parallel_query', 'max_parallel_workers_per_gather');
END $$;

CREATE PROCEDURE pg_temp.run(command text) LANGUAGE plpgsql AS $$
DECLARE
	hint text;
	answer text;
BEGIN
	EXECUTE format('SELECT run(%L) FROM one', command) INTO answer;
	RAISE INFO '%', answer;
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RAISE INFO '% % %', SQLSTATE, SQLERRM, hint;
END
$$;
-- how the server says it, and how docstore does
CALL pg_temp.run('INSERT INTO one VALUES (2)');
CALL pg_temp.run($$ SELECT docstore.upsert('d', 'a', '{}', -1) $$);
CALL pg_temp.run($$ SELECT docstore.patch('d', 'a', '{}', -1) $$);
CALL pg_temp.run($$ SELECT docstore.delete('d', 'a', -1) $$);
CALL pg_temp.run($$ SELECT docstore.put('{"@metadata": {"collection": "d"}}') $$);
CALL pg_temp.run($$ SELECT docstore.upsert_many('d', '{a}', '{"{}"}', '{-1}') $$);
CALL pg_temp.run($$ SELECT docstore.save('[{"op": "assert", "collection": "d", "id": "a", "expected": 1}]') $$);
CALL pg_temp.run($$ SELECT docstore.try_save('[]') $$);
CALL pg_temp.run($$ SELECT docstore.check_conflicts() $$);
CALL pg_temp.run($$ SELECT docstore.forget_requests('1 day') $$);
CALL pg_temp.run($$ SELECT docstore.append('l', 's', '[{"type": "Happened"}]') $$);
CALL pg_temp.run($$ SELECT docstore.create_stream('l', 's') $$);
CALL pg_temp.run($$ SELECT docstore.set_properties('l', 's', '{}', 1) $$);
CALL pg_temp.run($$ SELECT docstore.close_stream('l', 's', -1) $$);
CALL pg_temp.run($$ SELECT docstore.erase('l', 's') $$);
CALL pg_temp.run($$ SELECT docstore.commit_cursor('l', 'c', '0-0-0', NULL) $$);
CALL pg_temp.run($$ SELECT docstore.create_collection('more') $$);
CALL pg_temp.run($$ SELECT docstore.create_log('more') $$);
CALL pg_temp.run($$ SELECT docstore.repair_log('l') $$);
CALL pg_temp.run($$ SELECT docstore.guard('d') $$);
CALL pg_temp.run($$ SELECT docstore.unguard('d') $$);

-- those that read are answered
CALL pg_temp.run($$ SELECT docstore.load('d', 'a') IS NOT NULL $$);
CALL pg_temp.run($$ SELECT count(*) FROM docstore.load_many('d', '{a,b}') $$);
CALL pg_temp.run($$ SELECT docstore.get('d', 'a') ->> '@metadata' $$);
CALL pg_temp.run($$ SELECT docstore.tail('l', '{}') $$);
CALL pg_temp.run($$ SELECT docstore.stream('l', 's') $$);
CALL pg_temp.run($$ SELECT docstore.read_stream('l', 's') $$);
CALL pg_temp.run($$ SELECT docstore.read_log('l') $$);
CALL pg_temp.run($$ SELECT waiting_events FROM docstore.log_status('l') $$);
CALL pg_temp.run($$ SELECT docstore.consumers('l') $$);
CALL pg_temp.run($$ SELECT count(*) > 0 FROM docstore.collections $$);

-- no function that writes is left out: what is VOLATILE is refused, but for triggers
SELECT p.oid::regprocedure FROM pg_proc AS p
WHERE p.pronamespace = ANY ('{docstore,docstore_internal}'::regnamespace[]) AND p.provolatile = 'v' AND p.proparallel = 'u' AND p.prorettype <> 'trigger'::regtype
ORDER BY p.oid::regprocedure::text COLLATE "C";

DROP FUNCTION run;
DROP TABLE d, l, l_streams, l_consumers, one;
