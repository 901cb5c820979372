-- docstore.log_end(), and docstore.read_log() until a cursor and of several scopes: readers whose scopes match nothing move on all the same
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
CALL pg_temp.settle();
-- where a log is empty there is an end, too: it is good as a cursor, and stays so
SELECT docstore.log_end('ledger') AS empty \gset
SELECT :'empty' AS "end", count(*) FROM docstore.read_log('ledger', :'empty', until => :'empty');
SELECT docstore.commit_cursor('ledger', 'mail', :'empty', 0);

SELECT * FROM docstore.append('ledger', 'a', '[{"type": "Opened", "stream_id": "lamp"}, {"type": "Deposited", "source_type": "Account"}]');
SELECT * FROM docstore.append('ledger', 'b', '[{"type": "Opened"}]');
SELECT * FROM docstore.append('ledger', 'a', '[{"type": "Withdrawn", "stream_type": "Transactions"}]');
SELECT * FROM docstore.append('ledger', 'c', '[{"type": "Deposited", "stream_id": "lamp", "tags": ["x", "y"]}]');
CALL pg_temp.settle();
SELECT consumer, behind, state FROM docstore.consumers('ledger');
SELECT count(*) FROM docstore.read_log('ledger', :'empty');
-- nothing is between a beginning and that end
SELECT count(*) FROM docstore.read_log('ledger', until => :'empty');

-- the end is where the last event is
SELECT docstore.log_end('ledger') AS end \gset
SELECT log_position, cursor = :'end' AS at_end FROM docstore.read_log('ledger');
SELECT safe_end = :'end' AS same FROM docstore.log_status('ledger');
-- up to and including a cursor; the same one; one that comes before
SELECT cursor AS second FROM docstore.read_log('ledger') WHERE log_position = 2 \gset
SELECT cursor AS fourth FROM docstore.read_log('ledger') WHERE log_position = 4 \gset
SELECT log_position FROM docstore.read_log('ledger', until => :'second');
SELECT log_position FROM docstore.read_log('ledger', :'second', until => :'fourth');
SELECT log_position FROM docstore.read_log('ledger', :'second', until => :'second');
SELECT log_position FROM docstore.read_log('ledger', :'fourth', until => :'second');
SELECT log_position FROM docstore.read_log('ledger', NULL, 1, NULL, :'end');
SELECT log_position FROM docstore.read_log('ledger', NULL, NULL, '{"source": "a"}', :'second');
SELECT log_position FROM docstore.read_log('ledger', :'second', NULL, '{"source": "a"}', :'end');

-- the loop: what is read goes on from until, when nothing, or fewer than were asked for, came
CREATE FUNCTION pg_temp.poll(name text, max_count int, scope jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	version bigint;
	seen text;
	until text := docstore.log_end('ledger');
	events text;
	last text;
	handled int;
BEGIN
	SELECT l.version, l.data ->> 'cursor' INTO version, seen FROM docstore.load('ledger_consumers', name) l;
	SELECT string_agg(r.log_position::text, ' ' ORDER BY r.nr), (array_agg(r.cursor ORDER BY r.nr DESC))[1], count(*) INTO events, last, handled
		FROM docstore.read_log('ledger', seen, max_count, scope, until) WITH ORDINALITY AS r(log_position, stream, version, type, data, metadata, event_id, source_type, stream_type, stream_id,
			recorded_at, tags, cursor, nr);
	last := CASE WHEN handled < max_count THEN until ELSE last END;
	IF last IS DISTINCT FROM seen THEN
		PERFORM docstore.commit_cursor('ledger', name, last, version);
	END IF;
	RETURN events;
END $$;
SELECT pg_temp.poll('nobody', 2, '{"types": ["Closed"]}');
SELECT pg_temp.poll('all', 2, '{}'), pg_temp.poll('some', 2, '{"types": ["Opened"]}');
SELECT pg_temp.poll('all', 2, '{}'), pg_temp.poll('some', 2, '{"types": ["Opened"]}');
SELECT pg_temp.poll('all', 2, '{}'), pg_temp.poll('some', 2, '{"types": ["Opened"]}');
SELECT consumer, behind, cursor = :'end' AS at_end FROM docstore.consumers('ledger') ORDER BY consumer;
SELECT count(*) FROM docstore.append('ledger', 'b', '[{"type": "Closed"}, {"type": "Opened"}]');
CALL pg_temp.settle();
SELECT pg_temp.poll('nobody', 2, '{"types": ["Closed"]}'), pg_temp.poll('all', 2, '{}'), pg_temp.poll('some', 2, '{"types": ["Opened"]}');
SELECT DISTINCT state, behind FROM docstore.consumers('ledger') WHERE consumer <> 'mail';

-- any of several scopes: each event once, in order, whichever of them it is in
CREATE FUNCTION pg_temp.positions(scope jsonb, max_count int DEFAULT 1000, after text DEFAULT NULL, until text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(log_position::text, ' ') FROM docstore.read_log('ledger', after, max_count, scope, until) $$;
SELECT pg_temp.positions('[{"source": "a"}, {"types": ["Opened"]}]');
SELECT pg_temp.positions('[{"source": "b"}, {"source": "a"}, {"source": "b"}]'), pg_temp.positions('[{"source": "b"}, {"source": "a"}]', 3);
SELECT pg_temp.positions('[{"source": "c"}, {"source": "a", "types": ["Withdrawn", "Opened"]}, {"tags": ["x"]}]');
SELECT pg_temp.positions('[{"source": "nobody"}, {"types": ["None"]}]'), pg_temp.positions('[{}]'), pg_temp.positions('[{}, {"source": "a"}]');
SELECT pg_temp.positions('[{"source": "b"}, {"source": "a"}]', NULL, :'second', :'fourth');
SELECT pg_temp.positions('[{"source_type": null, "types": ["Deposited"]}, {"stream_type": "Transactions", "expected": 7}]');
SELECT pg_temp.positions('[{"source": "nobody"}, {"source": "a"}, {"source": "b"}, {"source": "a"}]');
-- of many scopes and types the last ones count, too: more than are walked by, and as many
SELECT last, pg_temp.positions((SELECT jsonb_agg(jsonb_build_object('source', CASE n WHEN last THEN 'a' WHEN last - 1 THEN 'b' ELSE 'nobody' || n END)) FROM generate_series(1, last) n)) FROM unnest('{31,32,33,34,60}'::int[]) last;

-- what is not below the horizon, or not what the statement sees, nobody reads until: he would skip what can come before it still
BEGIN;
SELECT version FROM docstore.append('ledger', 'd', '[{"type": "Opened"}]');
SELECT format('SELECT count(*) FROM docstore.read_log(''ledger'', until => ''%s-%s-%s'')', generation, transaction_id, log_position) AS ahead FROM ledger WHERE stream = 'd' \gset
CALL pg_temp.try(:'ahead');
SELECT docstore.log_end('ledger') = cursor AS before_it FROM docstore.read_log('ledger') ORDER BY log_position DESC LIMIT 1;
COMMIT;
CALL pg_temp.settle();
SELECT pg_temp.verdict(:'ahead');
-- bad arguments
CALL pg_temp.try($$ SELECT docstore.log_end(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.log_end('ledger_streams') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', until => '12') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', until => '0-0-1') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', until => '9223372036854775807-18446744073709551615-9223372036854775807') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', scope => '[]') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', scope => '[{"source": "a"}, 7]') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', scope => '"{}"') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', scope => (SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 129))) $$);
SELECT docstore.create_log('other');
SELECT log_position FROM docstore.append('other', 'a', '[{"type": "Opened"}]');
CALL pg_temp.settle();
SELECT format('SELECT docstore.read_log(''ledger'', until => %L)', docstore.log_end('other')) AS foreign \gset
CALL pg_temp.try(:'foreign');

-- all that is left is the origin, when all were deleted
BEGIN;
DELETE FROM other;
SELECT docstore.log_end('other');
ROLLBACK;

-- privileges and row security are the caller's
CREATE ROLE reader;
SET ROLE reader;
CALL pg_temp.try($$ SELECT docstore.log_end('ledger') $$);
RESET ROLE;
GRANT SELECT ON ledger TO reader;
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY theirs ON ledger TO reader USING (stream = 'b');
SET ROLE reader;
SELECT docstore.log_end('ledger') AS "end" \gset
SELECT log_position, cursor = :'end' AS at_end FROM docstore.read_log('ledger', until => :'end');
SELECT log_position FROM docstore.read_log('ledger', scope => '[{"source": "a"}, {"source": "b", "types": ["Closed"]}]');
RESET ROLE;
ALTER TABLE ledger DISABLE ROW LEVEL SECURITY;
-- columns that docstore does not read need no privilege
ALTER TABLE ledger ADD COLUMN secret text;
REVOKE SELECT ON ledger FROM reader;
GRANT SELECT (log_position, version, recorded_at, generation, transaction_id, event_id, stream, type, source_type, stream_type, stream_id, data, metadata, tags) ON ledger TO reader;
SET ROLE reader;
SELECT pg_temp.positions('[{"source": "b"}, {"source": "a"}]');
RESET ROLE;

-- A reader of a source looks at that stream alone, from the cursor on; one of types and the like at the values of theirs, where an index has them in the order of the feed. Of
-- each of four streams every fourth event; of types one is rare. The plans are those that were made while the log was empty.
SELECT docstore.create_log('big');
SELECT count(*) FROM docstore.read_log('big', scope => '{"source": "s1"}') a, docstore.read_log('big', scope => '[{"source": "s1"}, {"source": "s2"}]') b;
SELECT count(*) FROM docstore.read_log('big', scope => '{"types": ["Rare"]}') a, docstore.read_log('big', scope => '{"stream_id": "rare"}') b;
SELECT sum((SELECT count(*) FROM docstore.append('big', 's' || part % 4, (SELECT jsonb_agg(jsonb_build_object('type', CASE n WHEN 7 THEN 'Rare' ELSE 'T' END,
	'stream_id', CASE n WHEN 9 THEN 'rare' END)) FROM generate_series(1, 25) n)))) FROM generate_series(1, 200) part;
CALL pg_temp.settle();
SELECT cursor AS at FROM docstore.read_log('big', max_count => NULL) WHERE stream = 's1' AND version = 1240 \gset
SELECT docstore.log_end('big') AS end \gset
-- whether a call has looked at few events, and at none by a sequential scan
CREATE FUNCTION pg_temp.looked_at(log regclass) RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(pg_stat_get_xact_tuples_returned(i))::bigint FROM (SELECT log::oid UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = log) t(i) $$;
CREATE FUNCTION pg_temp.looks(scope jsonb, after text DEFAULT NULL, max_count int DEFAULT 3, until text DEFAULT NULL, log text DEFAULT 'big') RETURNS TABLE (events text, looked_at text) LANGUAGE plpgsql AS $$
DECLARE
	before bigint := pg_temp.looked_at(log::regclass);
	looked bigint;
BEGIN
	SELECT string_agg(COALESCE(stream || '/' || version, log_position::text), ' ') INTO events FROM docstore.read_log(log::regclass, after, max_count, scope, until);
	looked := pg_temp.looked_at(log::regclass) - before;
	looked_at := CASE WHEN looked < 100 THEN 'few' WHEN looked < 1000 THEN 'some' ELSE 'many' END;
	RETURN NEXT;
END $$;
SELECT * FROM pg_temp.looks('{"source": "s1"}');
SELECT * FROM pg_temp.looks('{"source": "s1"}', :'at');
SELECT * FROM pg_temp.looks('{"source": "s1"}', :'at', NULL);
SELECT * FROM pg_temp.looks('{"source": "s1"}', :'at', NULL, :'at');
SELECT * FROM pg_temp.looks('{"source": "s1"}', :'end');
SELECT * FROM pg_temp.looks('{"source": "nobody"}');
SELECT * FROM pg_temp.looks('[{"source": "s1"}, {"source": "s2"}]', :'at');
SELECT * FROM pg_temp.looks('{"source": "s1", "types": ["Rare"]}', :'at');
-- without an index all is looked at, once
SELECT * FROM pg_temp.looks('{"types": ["None"]}');
SELECT * FROM pg_temp.looks('{"types": ["None"]}', :'end');
CREATE INDEX ON big (type, generation, transaction_id, log_position);
CREATE INDEX ON big (stream_id, generation, transaction_id, log_position);
SELECT * FROM pg_temp.looks('{"types": ["None"]}');
SELECT * FROM pg_temp.looks('{"types": ["Rare"]}');
SELECT * FROM pg_temp.looks('{"types": ["Rare", "None", "Rare"]}', :'at');
SELECT events, last FROM unnest('{31,32,33,34}'::int[]) last, pg_temp.looks(jsonb_build_object('types', (SELECT jsonb_agg(CASE n WHEN last THEN 'Rare' ELSE 'None' || n END) FROM generate_series(1, last) n)), :'at', 1);
SELECT * FROM pg_temp.looks('{"stream_id": "rare", "types": ["T"]}', :'at', NULL);
SELECT * FROM pg_temp.looks('[{"types": ["Rare"]}, {"source": "s0"}, {"stream_id": "rare"}]', :'at', 5);
SELECT * FROM pg_temp.looks('{"types": ["T"]}', :'at', 2);
SELECT log_position, type FROM docstore.read_log('big', NULL, NULL, '{"types": ["T"]}', (SELECT cursor FROM docstore.read_log('big', max_count => 1)));
-- no other index may seem as good
CREATE INDEX ON big (type, log_position);
CREATE INDEX ON big (type);
ANALYZE big;
SELECT * FROM pg_temp.looks('{"types": ["T"]}', :'at', 2);
SELECT * FROM pg_temp.looks('{"types": ["Rare", "T"]}', :'at', 2);

-- A reader of tags looks at the events that have them, where they are few by what ANALYZE has found, and else at the feed. The order is that of the feed, which is not that of
-- positions here.
SELECT docstore.create_log('tagged');
ALTER TABLE tagged SET (autovacuum_enabled = off);
SELECT count(*) FROM generate_series(1, 200) part, docstore.append_to_log('tagged', (SELECT jsonb_agg(jsonb_build_object('type', 'T' || n % 3,
	'tags', CASE WHEN n <> 13 THEN jsonb_build_array('all', 'part:' || part, 'n:' || n) END)) FROM generate_series(1, 25) n));
UPDATE tagged SET transaction_id = (transaction_id::text::bigint - log_position % 7)::text::xid8;
CALL pg_temp.settle();
SELECT docstore.log_end('tagged') AS end \gset
SELECT cursor AS at FROM docstore.read_log('tagged', max_count => NULL) OFFSET 2400 LIMIT 1 \gset
-- nothing is known of the tags
SELECT * FROM pg_temp.looks('{"tags": ["nothing"]}', log => 'tagged');
ANALYZE tagged;
SELECT * FROM pg_temp.looks('{"tags": ["nothing"]}', log => 'tagged');
SELECT * FROM pg_temp.looks('{"tags": ["nothing"]}', NULL, NULL, :'end', log => 'tagged');
SELECT * FROM pg_temp.looks('{"tags": ["part:7"]}', max_count => NULL, log => 'tagged');
SELECT * FROM pg_temp.looks('{"tags": ["part:7"]}', log => 'tagged');
SELECT * FROM pg_temp.looks('{"tags": ["part:150", "all"]}', :'at', log => 'tagged');
SELECT * FROM pg_temp.looks('{"tags": ["part:150", "n:3"]}', :'at', log => 'tagged');
SELECT * FROM pg_temp.looks('{"tags": ["part:150"], "types": ["T1"]}', :'at', 2, log => 'tagged');
SELECT * FROM pg_temp.looks('[{"tags": ["part:150"]}, {"source": "nobody"}, {"tags": ["part:160", "n:1"]}, {"tags": ["n:5", "part:150"]}]', :'at', 100, log => 'tagged');
-- what is frequent comes soon
SELECT * FROM pg_temp.looks('{"tags": ["all"]}', log => 'tagged');
SELECT * FROM pg_temp.looks('{"tags": ["n:3"]}', log => 'tagged');
-- one scope without a way of its own, and all is read
SELECT looked_at FROM pg_temp.looks('[{"tags": ["part:7"]}, {"types": ["None"]}]', max_count => 1000, log => 'tagged');
-- only a few events are left
SELECT * FROM pg_temp.looks('{"tags": ["part:7"]}', (SELECT cursor FROM docstore.read_log('tagged', max_count => NULL) OFFSET 4950 LIMIT 1), log => 'tagged');
-- what comes of it is what a plain query says
SELECT count(*), bool_and(same) FROM (
	SELECT (SELECT array_agg(log_position) FROM docstore.read_log('tagged', f.cursor, max_count, scope, u.cursor)) IS NOT DISTINCT FROM
		(SELECT array_agg(log_position) FROM (SELECT log_position FROM tagged WHERE tags @> ARRAY(SELECT jsonb_array_elements_text(scope -> 'tags')) AND (scope -> 'types') IS NULL IS DISTINCT FROM (scope -> 'types' ? type)
			AND ((generation, transaction_id, log_position) > (f.g, f.x, f.p) OR f.cursor IS NULL) AND (generation, transaction_id, log_position) <= (u.g, u.x, u.p)
			ORDER BY generation, transaction_id, log_position LIMIT max_count) e) AS same
	FROM (SELECT NULL::text, 0::bigint, '0'::xid8, 0::bigint UNION ALL SELECT concat_ws('-', generation, transaction_id, log_position), generation, transaction_id, log_position FROM tagged WHERE log_position IN (1, 700, 1700, 2701)) f(cursor, g, x, p),
		(SELECT concat_ws('-', generation, transaction_id, log_position), generation, transaction_id, log_position FROM tagged WHERE log_position IN (4000, 4990)) u(cursor, g, x, p),
		unnest('{"{\"tags\": [\"part:90\"]}", "{\"tags\": [\"n:4\"]}", "{\"tags\": [\"n:9\", \"all\"]}", "{\"tags\": [\"part:160\"], \"types\": [\"T2\", \"T0\"]}", "{\"tags\": [\"none\"]}"}'::jsonb[]) scope, unnest('{1,20,1000,NULL}'::int[]) max_count) t;
-- under a policy, which is asked first, all is read; what it hides stays hidden
GRANT SELECT ON tagged, tagged_streams TO reader;
ALTER TABLE tagged ENABLE ROW LEVEL SECURITY;
CREATE POLICY others ON tagged USING (type <> 'T1');
SET ROLE reader;
SELECT * FROM pg_temp.looks('{"tags": ["part:7"]}', log => 'tagged');
RESET ROLE;
-- How frequent a tag is: of all events, of which few have any; and not one that begins like it. What ANALYZE finds later counts.
SELECT docstore.create_log('sparse');
ALTER TABLE sparse SET (autovacuum_enabled = off);
SELECT count(*) FROM generate_series(0, 199) part, docstore.append_to_log('sparse', (SELECT jsonb_agg(jsonb_build_object('type', 'T',
	'tags', CASE WHEN n = 1 AND part % 20 = 0 THEN '["x", "xy"]'::jsonb WHEN n < 3 THEN '["xy"]' END)) FROM generate_series(1, 25) n));
CALL pg_temp.settle();
ANALYZE sparse;
SELECT * FROM pg_temp.looks('{"tags": ["x"]}', max_count => NULL, log => 'sparse');
SELECT looked_at FROM pg_temp.looks('{"tags": ["xy"]}', max_count => NULL, log => 'sparse');
SELECT * FROM unnest('{"{\"tags\": [\"x\"]}","{\"tags\": [\"xy\"]}"}'::jsonb[]) scope, pg_temp.looks(scope, log => 'sparse');
-- beside all that would be read: from a cursor, until another one, and what the index brings takes longer
SELECT max(cursor) FILTER (WHERE log_position = 25) AS p25, max(cursor) FILTER (WHERE log_position = 500) AS p500, max(cursor) FILTER (WHERE log_position = 2000) AS p2000, max(cursor) FILTER (WHERE log_position = 4500) AS p4500,
	max(cursor) FILTER (WHERE log_position = 4976) AS p4976 FROM docstore.read_log('sparse', max_count => NULL) \gset
SELECT events, looked_at FROM pg_temp.looks('{"tags": ["x"]}', :'p4500', NULL, log => 'sparse');
SELECT events, looked_at FROM pg_temp.looks('{"tags": ["x"]}', NULL, NULL, :'p500', log => 'sparse');
SELECT looked_at FROM pg_temp.looks('{"tags": ["xy"]}', :'p2000', NULL, log => 'sparse');
SELECT count(*), max(log_position) FROM docstore.read_log('sparse', NULL, NULL, '{"tags": ["xy"]}', :'p4976');
SELECT count(*), min(log_position) FROM docstore.read_log('sparse', :'p25', NULL, '{"tags": ["xy"]}');
SELECT count(*), max(log_position) FROM docstore.read_log('sparse', max_count => NULL, until => :'p500');
-- without an index on tags the feed is read, until enough has come
BEGIN;
DROP INDEX sparse_tags_idx;
SELECT * FROM pg_temp.looks('{"tags": ["x"]}', max_count => 1, log => 'sparse');
ROLLBACK;
UPDATE sparse SET tags = '{x}' WHERE tags IS NULL;
ANALYZE sparse;
SELECT * FROM pg_temp.looks('{"tags": ["x"]}', log => 'sparse');

DROP OWNED BY reader;
DROP ROLE reader;
DROP TABLE sparse, sparse_streams, sparse_consumers;
DROP TABLE ledger, ledger_streams, ledger_consumers, other, other_streams, other_consumers, big, big_streams, big_consumers, tagged, tagged_streams, tagged_consumers;
