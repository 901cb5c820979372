-- Random logs and scopes against plain SQL over the table: docstore.tail(), an append with the scope, an assert of it must say what a filter says
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');

-- one of few values, or null
CREATE FUNCTION pg_temp.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT choices[1 + floor(random() * cardinality(choices))::int] $$;
CREATE FUNCTION pg_temp.random_event() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
	SELECT jsonb_build_object('type', pg_temp.pick('T1', 'T2', 'T3', 'T4'), 'source_type', pg_temp.pick(NULL, 'S1', 'S2'), 'stream_type', pg_temp.pick(NULL, 'K1', 'K2', 'K3'))
		|| CASE WHEN random() < 0.5 THEN jsonb_build_object('stream_id', pg_temp.pick('1', '2', NULL)) ELSE '{}' END
		|| CASE WHEN random() < 0.5 THEN jsonb_build_object('tags', (SELECT jsonb_agg(pg_temp.pick('G1', 'G2', 'G3')) FROM generate_series(1, ceil(random() * 3)::int))) ELSE '{}' END $$;
CREATE FUNCTION pg_temp.random_scope() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN random() < 0.5 THEN '{}' ELSE jsonb_build_object('source', pg_temp.pick('a', 'b', 'c', 'd', 'nobody', NULL)) END
		|| CASE WHEN random() < 0.6 THEN '{}' ELSE jsonb_build_object('source_type', pg_temp.pick(NULL, 'S1', 'S2', 'S3')) END
		|| CASE WHEN random() < 0.6 THEN '{}' ELSE jsonb_build_object('stream_type', pg_temp.pick(NULL, 'K1', 'K2', 'K3')) END
		|| CASE WHEN random() < 0.6 THEN '{}' ELSE jsonb_build_object('stream_id', pg_temp.pick(NULL, '1', '2', '3')) END
		|| CASE WHEN random() < 0.6 THEN '{}' WHEN random() < 0.2 THEN '{"tags": null}' ELSE jsonb_build_object('tags',
			(SELECT jsonb_agg(pg_temp.pick('G1', 'G2', 'G3', 'G4')) FROM generate_series(0, floor(random() * 2)::int))) END
		|| CASE WHEN random() < 0.5 THEN '{}' ELSE jsonb_build_object('types',
			(SELECT jsonb_agg(pg_temp.pick('T1', 'T2', 'T3', 'T4', 'T5')) FROM generate_series(0, floor(random() * 3)::int))) END $$;

-- the oracle
CREATE FUNCTION pg_temp.tail(scope jsonb) RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT max(log_position) FROM ledger
	WHERE (NOT scope ? 'source' OR stream IS NOT DISTINCT FROM scope ->> 'source')
		AND (NOT scope ? 'source_type' OR source_type IS NOT DISTINCT FROM scope ->> 'source_type')
		AND (NOT scope ? 'stream_type' OR stream_type IS NOT DISTINCT FROM scope ->> 'stream_type')
		AND (NOT scope ? 'stream_id' OR stream_id IS NOT DISTINCT FROM scope ->> 'stream_id')
		AND (NOT scope ? 'tags' OR CASE WHEN scope -> 'tags' = 'null' THEN tags IS NULL ELSE to_jsonb(tags) @> (scope -> 'tags') END)
		AND (NOT scope ? 'types' OR scope -> 'types' ? type) $$;
CREATE FUNCTION pg_temp.holds(scope jsonb, tail bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN scope ->> 'expected' = 'none' THEN tail IS NULL
		WHEN scope ->> 'strict' = 'true' THEN (scope ->> 'expected')::bigint = COALESCE(tail, 0)
		ELSE COALESCE(tail, 0) <= (scope ->> 'expected')::bigint END $$;

-- a scope with a position that is near its tail, so that about half of them hold
CREATE FUNCTION pg_temp.with_expected(scope jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
	SELECT scope || jsonb_build_object('expected', CASE floor(random() * 8)::int WHEN 0 THEN '"none"' WHEN 1 THEN '0' WHEN 2 THEN '1'
			WHEN 3 THEN to_jsonb(GREATEST(t - 1, 0)) WHEN 4 THEN to_jsonb(t + 1) WHEN 5 THEN to_jsonb(top) ELSE to_jsonb(t) END)
		|| CASE floor(random() * 6)::int WHEN 0 THEN '{"strict": true}' WHEN 1 THEN '{"strict": false}' ELSE '{}' END::jsonb
	FROM COALESCE(pg_temp.tail(scope), 0) t, COALESCE(pg_temp.tail('{}'), 0) top $$;

CREATE FUNCTION pg_temp.play(rounds int) RETURNS TABLE (appended bigint, refused bigint, differing bigint) LANGUAGE plpgsql AS $$
DECLARE
	scopes jsonb;
	events jsonb;
	wanted jsonb;
	given jsonb;
	detail text;
	tails_differ int;
	target text;
BEGIN
	appended := 0;
	refused := 0;
	differing := 0;
	FOR round IN 1..rounds LOOP
		SELECT jsonb_agg(pg_temp.with_expected(pg_temp.random_scope())) INTO scopes FROM generate_series(0, floor(random() * 1.6)::int);
		SELECT jsonb_agg(pg_temp.random_event()) INTO events FROM generate_series(0, floor(random() * 2)::int);
		target := pg_temp.pick('a', 'b', 'c', 'd');
		-- what plain SQL says: the violated scopes with their tails, in order
		SELECT jsonb_agg(jsonb_build_array(s, t) ORDER BY nr) FILTER (WHERE NOT pg_temp.holds(s, t)), count(*) FILTER (WHERE docstore.tail('ledger', s) IS DISTINCT FROM t)
			INTO wanted, tails_differ FROM jsonb_array_elements(scopes) WITH ORDINALITY e(s, nr), pg_temp.tail(s) t;
		differing := differing + tails_differ;
		given := NULL;
		BEGIN
			CASE round % 4
			WHEN 0 THEN
				PERFORM docstore.append('ledger', target, events, -1, scopes);
			WHEN 1 THEN
				PERFORM docstore.save(jsonb_build_array(jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', target, 'events', events, 'expected', 'any', 'scopes', scopes)));
			WHEN 2 THEN
				PERFORM docstore.append_to_log('ledger', events, scopes);
			ELSE
				PERFORM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'assert', 'log', 'ledger', 'scope', s) ORDER BY nr) FROM jsonb_array_elements(scopes) WITH ORDINALITY e(s, nr)));
			END CASE;
			appended := appended + 1;
		EXCEPTION WHEN SQLSTATE 'PT409' THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			SELECT jsonb_agg(jsonb_build_array(v -> 'scope', v -> 'actual') ORDER BY nr) INTO given FROM jsonb_array_elements(detail::jsonb -> 'violations') WITH ORDINALITY e(v, nr);
			refused := refused + 1;
		END;
		differing := differing + (given IS DISTINCT FROM wanted)::int;
		-- a new log now and then, so that short ones are met, too
		IF round % 150 = 0 THEN
			DELETE FROM ledger;
			DELETE FROM ledger_streams;
		END IF;
	END LOOP;
	RETURN NEXT;
END
$$;
CREATE FUNCTION pg_temp.verdict_of(rounds int) RETURNS TABLE (many_held boolean, many_refused boolean, differences bigint) LANGUAGE sql AS $$
	SELECT appended > rounds / 5, refused > rounds / 5, differing FROM pg_temp.play(rounds) $$;
SELECT setseed(0.25) \gset
SELECT * FROM pg_temp.verdict_of(1200);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM pg_temp.verdict_of(300);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM pg_temp.verdict_of(300);
COMMIT;
-- with indexes of the user's, and whatever plans the server is told to make
CREATE INDEX ON ledger (type, log_position);
CREATE INDEX ON ledger (stream_type, stream_id, log_position);
SELECT * FROM pg_temp.verdict_of(300);
CREATE INDEX by_id ON ledger (stream_id, log_position);
CREATE INDEX ON ledger (stream_type, log_position DESC);
CREATE INDEX ON ledger (source_type, log_position) INCLUDE (type);
SELECT * FROM pg_temp.verdict_of(300);
DROP INDEX by_id;
CREATE INDEX ON ledger (stream_id, log_position) WHERE stream_type = 'K1';
SELECT * FROM pg_temp.verdict_of(300);
SET plan_cache_mode = force_custom_plan;
SET enable_indexscan = off;
SET enable_sort = off;
SET jit = off;
SELECT * FROM pg_temp.verdict_of(300);
RESET plan_cache_mode;
RESET enable_indexscan;
RESET enable_sort;
RESET jit;

-- tails alone, of one log: many scopes
SELECT count(*) FROM generate_series(1, 60) n, docstore.append('ledger', (ARRAY['a', 'b', 'c', 'd'])[1 + n % 4],
	(SELECT jsonb_agg(pg_temp.random_event()) FROM generate_series(0, n % 5)));
SELECT count(*) AS scopes, count(DISTINCT scope) > 1000 AS many_different, count(expected) > 500 AS many_found, count(*) FILTER (WHERE docstore.tail('ledger', scope) IS DISTINCT FROM expected) AS differing
FROM (SELECT scope, pg_temp.tail(scope) AS expected FROM (SELECT pg_temp.random_scope() AS scope, n FROM generate_series(1, 4000) n OFFSET 0) s OFFSET 0) s;

DROP TABLE ledger, ledger_streams, ledger_consumers;
