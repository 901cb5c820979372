-- docstore.read_scope(): the events to decide by. Random scopes against plain SQL, for docstore.read_log() as well
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
SELECT * FROM docstore.read_scope('ledger', '{}');
SELECT * FROM docstore.append('ledger', 'a', '[{"type": "Opened", "data": {"n": 1}, "metadata": {"by": "ann"}, "event_id": "7f0e6a3c-5b0e-4b7b-9d0f-2f4a3c1d9e10",
	"source_type": "Account", "stream_type": "Transactions", "stream_id": "2026-11", "tags": ["account:1", "owner:ann"]}, {"type": "Deposited", "tags": ["account:1"]}]');
SELECT * FROM docstore.append('ledger', 'b', '[{"type": "Opened", "tags": ["account:2", "owner:ann"]}, {"type": "Deposited", "tags": ["account:2", "account:1"]}]');
SELECT * FROM docstore.append('ledger', 'a', '[{"type": "Withdrawn"}]');

-- the columns are those of read_stream()
SELECT log_position, stream, version, type, data, metadata, event_id, source_type, stream_type, stream_id,
	recorded_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS recorded, tags FROM docstore.read_scope('ledger', '{"tags": ["owner:ann"]}');
SELECT count(*) FROM (SELECT * FROM docstore.read_scope('ledger', '{"source": "a"}') EXCEPT SELECT * FROM docstore.read_stream('ledger', 'a')) d;
-- all tags of a scope, any of the scopes; an event that is in several comes once
CREATE FUNCTION pg_temp.positions(scopes jsonb, after bigint DEFAULT NULL, max_count int DEFAULT NULL, backwards boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(log_position::text, ' ' ORDER BY nr) FROM docstore.read_scope('ledger', scopes, after, max_count, backwards) WITH ORDINALITY AS r(log_position, stream, version, type, data,
		metadata, event_id, source_type, stream_type, stream_id, recorded_at, tags, nr) $$;
SELECT pg_temp.positions('{"tags": ["account:1", "account:2"]}'), pg_temp.positions('[{"tags": ["account:1"]}, {"tags": ["account:2"]}, {"types": ["Opened"]}]');
SELECT pg_temp.positions('{"tags": null}'), pg_temp.positions('{"tags": ["account:3"]}'), pg_temp.positions('{}'), pg_temp.positions('[{"source": "a", "expected": 9}, {"source": "b", "types": ["Opened"]}]');
-- after a position, at most so many, from the end
SELECT pg_temp.positions('{}', 2), pg_temp.positions('{}', 2, 2), pg_temp.positions('{}', 5), pg_temp.positions('{}', -1, 1), pg_temp.positions('{}', NULL, 0);
SELECT pg_temp.positions('{}', NULL, NULL, true), pg_temp.positions('{}', 3, NULL, true), pg_temp.positions('{"types": ["Deposited"]}', NULL, 1, true), pg_temp.positions('{}', 1, NULL, true);
-- it shows what the statement sees, of the own transaction as well, be it safe to read for others or not
BEGIN;
SELECT version FROM docstore.append('ledger', 'c', '[{"type": "Opened", "tags": ["account:3"]}]');
SELECT pg_temp.positions('{"tags": ["account:3"]}');
SELECT (SELECT log_position FROM docstore.append('ledger', 'c', '[{"type": "Closed", "tags": ["account:3"]}]')) AS new, (SELECT count(*) FROM docstore.read_scope('ledger', '{"tags": ["account:3"]}')) AS seen;
ROLLBACK;
-- for each row; and where nothing is in it
SELECT t.tag, e.log_position FROM unnest('{account:2, account:9, account:1}'::text[]) WITH ORDINALITY AS t(tag, nr)
	LEFT JOIN LATERAL docstore.read_scope('ledger', jsonb_build_object('tags', ARRAY[t.tag])) AS e ON true ORDER BY t.nr, e.log_position;
-- the mark and what it shows in one statement, also where nothing matches; a scope that is read may carry it
SELECT m.mark <> '' AS marked, e.log_position, e.type FROM (SELECT docstore.mark('ledger')) AS m(mark) LEFT JOIN LATERAL docstore.read_scope('ledger', '{"tags": ["account:2"]}') AS e ON true;
SELECT m.mark, e.log_position IS NULL AS none FROM (SELECT docstore.mark('ledger')) AS m(mark) LEFT JOIN LATERAL docstore.read_scope('ledger', '[{"tags": ["account:9"]}, {"source": "z"}]') AS e ON true \gset
SELECT :'none' AS none;
SELECT format('[{"tags": ["account:9"], "seen": "%1$s"}, {"source": "z", "seen": "%1$s"}]', :'mark') AS scopes \gset
SELECT count(*) FROM docstore.read_scope('ledger', :'scopes'), docstore.read_log('ledger', scope => :'scopes') AS l;
BEGIN;
SELECT version FROM docstore.append('ledger', 'n', '[{"type": "Opened", "tags": ["account:9"]}]', scopes => :'scopes');
ROLLBACK;

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.read_scope(NULL, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.read_scope('ledger', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.read_scope('ledger', '[]') $$);
CALL pg_temp.try($$ SELECT docstore.read_scope('ledger', '7') $$);
CALL pg_temp.try($$ SELECT docstore.read_scope('ledger', '{"tag": "a"}') $$);
CALL pg_temp.try($$ SELECT docstore.read_scope('ledger', '{}', max_count => -1) $$);
CALL pg_temp.try($$ SELECT docstore.read_scope('ledger', '{}', backwards => NULL) $$);
CALL pg_temp.try($$ SELECT docstore.read_scope('ledger_streams', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.read_scope('ledger', (SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 129))) $$);
-- privileges and row security are the caller's, in the same session
CREATE ROLE reader;
SET ROLE reader;
CALL pg_temp.try($$ SELECT docstore.read_scope('ledger', '{}') $$);
RESET ROLE;
GRANT SELECT ON ledger TO reader;
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY theirs ON ledger TO reader USING (stream = 'b');
SET ROLE reader;
SELECT pg_temp.positions('{}'), pg_temp.positions('{"tags": ["account:1"]}');
RESET ROLE;
SELECT pg_temp.positions('{}');
ALTER TABLE ledger DISABLE ROW LEVEL SECURITY;
-- own operators first in the search_path change nothing
CREATE SCHEMA evil;
CREATE FUNCTION evil.lies(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE FUNCTION evil.lies(text[], text[]) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR evil.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.lies);
CREATE OPERATOR evil.@> (LEFTARG = text[], RIGHTARG = text[], FUNCTION = evil.lies);
SET search_path = evil, public, pg_catalog;
SELECT pg_catalog.count(*) FROM docstore.read_scope('ledger', '{"tags": ["account:1"]}', 1);
RESET search_path;
DROP SCHEMA evil CASCADE;

-- whatever the caller's plan_cache_mode: planned for the values, not for any; of 20,000 events few are looked at
SELECT docstore.create_log('big');
SELECT count(*) FROM docstore.read_scope('big', '{"tags": ["t7"]}');
SELECT count(*) FROM docstore.append('big', 'a', (SELECT jsonb_agg(jsonb_build_object('type', 'T', 'tags', ARRAY['t' || n % 1000, 'all'])) FROM generate_series(1, 20000) n));
ANALYZE big;
CREATE FUNCTION pg_temp.looked_at() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(pg_stat_get_xact_tuples_returned(i))::bigint FROM (SELECT 'big'::regclass::oid UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = 'big'::regclass) t(i) $$;
CREATE FUNCTION pg_temp.looks(scopes jsonb, after bigint DEFAULT NULL, max_count int DEFAULT NULL, backwards boolean DEFAULT false) RETURNS TABLE (events bigint, looked_at text) LANGUAGE plpgsql AS $$
DECLARE
	before bigint := pg_temp.looked_at();
BEGIN
	SELECT count(*) INTO events FROM docstore.read_scope('big', scopes, after, max_count, backwards);
	looked_at := CASE WHEN pg_temp.looked_at() - before < 100 THEN 'few' ELSE 'many' END;
	RETURN NEXT;
END $$;
SELECT * FROM pg_temp.looks('{"tags": ["t7"]}');
SELECT * FROM pg_temp.looks('[{"tags": ["t7", "all"]}, {"tags": ["t8"]}]');
SELECT * FROM pg_temp.looks('{"tags": ["all"]}');
SELECT * FROM pg_temp.looks('{"tags": ["all"]}', 19990);
SELECT * FROM pg_temp.looks('{"tags": ["all"]}', NULL, 5, true);
-- for one event that is not there it does not go back through all
SELECT * FROM pg_temp.looks('{"tags": ["nobody"]}', NULL, 1, true);
SET plan_cache_mode = 'force_generic_plan';
SELECT * FROM pg_temp.looks('{"tags": ["all"]}', 19990);
SELECT * FROM pg_temp.looks('{"tags": ["t7"]}');
SHOW plan_cache_mode;
RESET plan_cache_mode;
-- events with a rare tag are looked at, and not all that the index has of a frequent one; what is asked for besides is asked of these
SELECT * FROM pg_temp.looks('{"tags": ["all", "t7"], "types": ["T"]}');
SELECT * FROM pg_temp.looks('[{"tags": ["t7", "all"], "types": ["U"]}, {"tags": ["t8"], "stream_id": null}, {"tags": ["t8", "all"]}]', 10000, 3);
SELECT count(*), bool_and(same) FROM (
	SELECT (SELECT array_agg(log_position) FROM docstore.read_scope('big', scopes, after, max_count, backwards)) IS NOT DISTINCT FROM
		(SELECT array_agg(log_position) FROM (SELECT log_position FROM big e WHERE tags && '{t7,t8,t9}' AND EXISTS (SELECT FROM jsonb_array_elements(scopes) s WHERE to_jsonb(e.tags) @> (s -> 'tags') AND (NOT s ? 'types' OR s -> 'types' ? e.type))
			AND CASE WHEN backwards THEN log_position < COALESCE(after, 100000) ELSE log_position > COALESCE(after, 0) END ORDER BY CASE WHEN backwards THEN - log_position ELSE log_position END LIMIT max_count) w) AS same
	FROM unnest('{"[{\"tags\": [\"t7\"]}]", "[{\"tags\": [\"all\", \"t7\"]}, {\"tags\": [\"t8\"]}]", "[{\"tags\": [\"t7\", \"t8\"]}]", "[{\"tags\": [\"t9\"], \"types\": [\"U\"]}, {\"tags\": [\"t8\"], \"types\": [\"T\", \"U\"]}]"}'::jsonb[]) scopes,
		unnest('{NULL,7000,19500}'::bigint[]) after, unnest('{NULL,3}'::int[]) max_count, unnest('{t,f}'::boolean[]) backwards) t;

-- Random logs and scopes: what a filter says, with indexes and without
CREATE FUNCTION pg_temp.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT choices[1 + floor(random() * cardinality(choices))::int] $$;
CREATE FUNCTION pg_temp.random_event() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
	SELECT jsonb_build_object('type', pg_temp.pick('T1', 'T2', 'T3', 'T4'), 'source_type', pg_temp.pick(NULL, 'S1', 'S2'), 'stream_type', pg_temp.pick(NULL, 'K1', 'K2', 'K3'),
		'stream_id', pg_temp.pick('1', '2', NULL), 'tags', (SELECT jsonb_agg(pg_temp.pick('G1', 'G2', 'G3')) FROM generate_series(1, floor(random() * 4)::int))) $$;
CREATE FUNCTION pg_temp.random_scope() RETURNS jsonb LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN random() < 0.6 THEN '{}' ELSE jsonb_build_object('source', pg_temp.pick('a', 'b', 'c', 'nobody', NULL)) END
		|| CASE WHEN random() < 0.6 THEN '{}' ELSE jsonb_build_object('source_type', pg_temp.pick(NULL, 'S1', 'S2', 'S3')) END
		|| CASE WHEN random() < 0.6 THEN '{}' ELSE jsonb_build_object('stream_type', pg_temp.pick(NULL, 'K1', 'K2', 'K3')) END
		|| CASE WHEN random() < 0.6 THEN '{}' ELSE jsonb_build_object('stream_id', pg_temp.pick(NULL, '1', '2', '3')) END
		|| CASE WHEN random() < 0.6 THEN '{}' WHEN random() < 0.2 THEN '{"tags": null}' ELSE jsonb_build_object('tags',
			(SELECT jsonb_agg(pg_temp.pick('G1', 'G2', 'G3', 'G4')) FROM generate_series(0, floor(random() * 2)::int))) END
		|| CASE WHEN random() < 0.5 THEN '{}' ELSE jsonb_build_object('types',
			(SELECT jsonb_agg(pg_temp.pick('T1', 'T2', 'T3', 'T4', 'T5')) FROM generate_series(0, floor(random() * 3)::int))) END $$;
-- the oracle
CREATE FUNCTION pg_temp.is_in(e ledger, scope jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT (NOT scope ? 'source' OR e.stream IS NOT DISTINCT FROM scope ->> 'source')
		AND (NOT scope ? 'source_type' OR e.source_type IS NOT DISTINCT FROM scope ->> 'source_type')
		AND (NOT scope ? 'stream_type' OR e.stream_type IS NOT DISTINCT FROM scope ->> 'stream_type')
		AND (NOT scope ? 'stream_id' OR e.stream_id IS NOT DISTINCT FROM scope ->> 'stream_id')
		AND (NOT scope ? 'tags' OR CASE WHEN scope -> 'tags' = 'null' THEN e.tags IS NULL ELSE COALESCE(to_jsonb(e.tags) @> (scope -> 'tags'), false) END)
		AND (NOT scope ? 'types' OR scope -> 'types' ? e.type) $$;
CREATE FUNCTION pg_temp.compare(rounds int) RETURNS TABLE (rounds_with_events text, differing text) LANGUAGE plpgsql AS $$
DECLARE
	scopes jsonb;
	after_cursor text;
	until_cursor text;
	after_position bigint;
	how_many int;
	wanted bigint[];
	given bigint[];
	hits int := 0;
	wrong int := 0;
BEGIN
	FOR round IN 1..rounds LOOP
		SELECT jsonb_agg(pg_temp.random_scope()) INTO scopes FROM generate_series(0, floor(random() * 3)::int);
		how_many := CASE WHEN random() < 0.5 THEN floor(random() * 6) END;
		-- by position
		after_position := CASE WHEN random() < 0.5 THEN floor(random() * 200) END;
		SELECT array_agg(p ORDER BY p) INTO wanted FROM (SELECT log_position AS p FROM ledger l WHERE l.log_position > COALESCE(after_position, 0)
			AND EXISTS (SELECT FROM jsonb_array_elements(scopes) s WHERE pg_temp.is_in(l, s)) ORDER BY log_position LIMIT how_many) w;
		SELECT array_agg(r.log_position) INTO given FROM docstore.read_scope('ledger', scopes, after_position, how_many) r;
		wrong := wrong + (wanted IS DISTINCT FROM given)::int;
		hits := hits + (wanted IS NOT NULL)::int;
		SELECT array_agg(p ORDER BY p DESC) INTO wanted FROM (SELECT log_position AS p FROM ledger l WHERE l.log_position < COALESCE(after_position, 1000)
			AND EXISTS (SELECT FROM jsonb_array_elements(scopes) s WHERE pg_temp.is_in(l, s)) ORDER BY log_position DESC LIMIT how_many) w;
		SELECT array_agg(r.log_position) INTO given FROM docstore.read_scope('ledger', scopes, after_position, how_many, true) r;
		wrong := wrong + (wanted IS DISTINCT FROM given)::int;
		-- in the order of the feed
		SELECT concat_ws('-', generation, transaction_id, log_position) INTO after_cursor FROM ledger WHERE random() < 0.9 ORDER BY random() LIMIT 1;
		SELECT concat_ws('-', generation, transaction_id, log_position) INTO until_cursor FROM ledger WHERE random() < 0.9 ORDER BY random() LIMIT 1;
		after_cursor := CASE WHEN random() < 0.6 THEN after_cursor END;
		until_cursor := CASE WHEN random() < 0.6 THEN until_cursor END;
		SELECT array_agg(p ORDER BY generation, transaction_id, p) INTO wanted FROM (SELECT log_position AS p, generation, transaction_id FROM ledger l
			WHERE (after_cursor IS NULL OR (generation, transaction_id, log_position) > (split_part(after_cursor, '-', 1)::bigint, split_part(after_cursor, '-', 2)::xid8, split_part(after_cursor, '-', 3)::bigint))
			AND (until_cursor IS NULL OR (generation, transaction_id, log_position) <= (split_part(until_cursor, '-', 1)::bigint, split_part(until_cursor, '-', 2)::xid8, split_part(until_cursor, '-', 3)::bigint))
			AND EXISTS (SELECT FROM jsonb_array_elements(scopes) s WHERE pg_temp.is_in(l, s)) ORDER BY generation, transaction_id, log_position LIMIT how_many) w;
		SELECT array_agg(r.log_position) INTO given FROM docstore.read_log('ledger', after_cursor, how_many, scopes, until_cursor) r;
		wrong := wrong + (wanted IS DISTINCT FROM given)::int;
	END LOOP;
	RETURN QUERY SELECT CASE WHEN hits > rounds / 4 THEN 'many' ELSE 'only ' || hits END, wrong::text;
END $$;
SELECT count(*) > 200 AS many FROM generate_series(1, 160) n, LATERAL docstore.append('ledger', pg_temp.pick('a', 'b', 'c', 'd'),
	(SELECT jsonb_agg(pg_temp.random_event()) FROM generate_series(0, floor(random() * 2)::int + n * 0)));
SELECT count(*) FROM generate_series(1, 20) n, LATERAL docstore.append_to_log('ledger', (SELECT jsonb_agg(pg_temp.random_event()) FROM generate_series(0, n % 2)));
-- and some in other generations, and transactions whose ids are not in the order of positions
DO $$ BEGIN FOR i IN 1..20 LOOP PERFORM docstore.append('ledger', 'e' || i, jsonb_build_array(pg_temp.random_event())); COMMIT; END LOOP; END $$;
UPDATE ledger SET transaction_id = (transaction_id::text::bigint - (random() * 5)::int)::text::xid8 WHERE stream LIKE 'e%';
CALL pg_temp.settle();
SELECT * FROM pg_temp.compare(250);
CREATE INDEX ON ledger (type, generation, transaction_id, log_position);
CREATE INDEX ON ledger (stream_id, generation, transaction_id, log_position);
CREATE INDEX ON ledger (stream_type, generation, transaction_id, log_position);
CREATE INDEX ON ledger (type, log_position);
SELECT * FROM pg_temp.compare(250);

DROP FUNCTION pg_temp.is_in;
DROP OWNED BY reader;
DROP ROLE reader;
DROP TABLE ledger, ledger_streams, ledger_consumers, big, big_streams, big_consumers;
