-- What the planner is told that calls cost: more than an operator, so that it evaluates @> first
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- nothing that reads or writes a table is as cheap as an operator; these do not, and triggers are in no plan
SELECT oid::regprocedure FROM pg_proc
WHERE pronamespace = ANY ('{docstore,docstore_internal}'::regnamespace[]) AND prorettype <> 'trigger'::regtype AND procost < 20
	AND proname <> ALL ('{check_conflicts,conflict_sqlstate,estimated_rows,load_many_support}')
ORDER BY oid::regprocedure::text COLLATE "C";
-- whatever writes costs more than what reads, and what makes a table more than that
SELECT max(procost) FILTER (WHERE proname IN ('get', 'load', 'stream', 'tail')) AS read_one,
	min(procost) FILTER (WHERE provolatile = 'v' AND prorettype <> 'trigger'::regtype AND procost > 1) AS write_one,
	min(procost) FILTER (WHERE proname IN ('save', 'try_save', 'upsert_many')) AS write_many,
	min(procost) FILTER (WHERE proname ~ '^(create_(collection|log)|guard|unguard)$') AS make
FROM pg_proc WHERE pronamespace = 'docstore'::regnamespace;
-- how many rows each returns
SELECT proname, prorows FROM pg_proc
WHERE pronamespace = 'docstore'::regnamespace AND proretset ORDER BY proname COLLATE "C";

-- in a plan: the cheap condition first, whatever the order in which they are written
SELECT docstore.create_collection('shops');
SELECT docstore.create_log('ledger');
CREATE FUNCTION pg_temp.filter(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT FROM shops WHERE ' || condition LOOP
		IF line ~ 'Filter:' THEN
			RETURN regexp_replace(line, '^.*Filter: ', '');
		END IF;
	END LOOP;
END
$$;
SELECT pg_temp.filter(condition || $$ AND data @> '{"a": 1}' $$)
FROM unnest(ARRAY[
	$$ docstore.get('shops', id) ? 'a' $$,
	$$ docstore.merge_patch(data, '{}') ? 'a' $$,
	$$ docstore.tail('ledger', jsonb_build_object('source', id)) > 7 $$,
	$$ docstore.upsert('shops', id, data, -1) > 7 $$,
	$$ docstore.delete('shops', id, -1) > 7 $$]) condition;
DROP TABLE shops, ledger, ledger_streams, ledger_consumers;
