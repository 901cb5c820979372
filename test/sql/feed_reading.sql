-- docstore.stream(), docstore.read_stream() and docstore.read_log(): read streams and logs. J01 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
-- The texts of cursors differ from server to server.
CREATE FUNCTION pg_temp.page(after text, max_count int DEFAULT 1000, scope jsonb DEFAULT NULL)
RETURNS TABLE (log_position bigint, stream text, version bigint, type text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	CALL pg_temp.settle();
	RETURN QUERY SELECT log_position, stream, version, type FROM docstore.read_log('ledger', after, max_count, scope);
END $$;

-- G04, G07: an absent stream: no row, no error
SELECT * FROM docstore.stream('ledger', 'a');
-- J01: likewise when it is read
SELECT * FROM docstore.read_stream('ledger', 'a');
SELECT * FROM docstore.read_log('ledger');

-- J02: made empty: a head, and no events
SELECT docstore.create_stream('ledger', 'empty', '{"owner": "ann"}');
SELECT stream, version, revision, properties, created_at <= now() AS made, closed_at FROM docstore.stream('ledger', 'empty');
SELECT * FROM docstore.read_stream('ledger', 'empty');

SELECT * FROM docstore.append('ledger', 'a', '[{"type": "Opened", "data": {"n": 1}, "metadata": {"by": "ann"}, "event_id": "7f0e6a3c-5b0e-4b7b-9d0f-2f4a3c1d9e10",
	"source_type": "Account", "stream_type": "Transactions", "stream_id": "2026-11"}, {"type": "Deposited", "data": {"n": 2}}]');
SELECT * FROM docstore.append('ledger', 'b', '[{"type": "Opened"}]');
SELECT * FROM docstore.append('ledger', 'a', '[{"type": "Withdrawn", "data": {"n": 3}}]', 2);
SELECT * FROM docstore.append('ledger', 'c', '[{"type": "Deposited"}]');

-- the columns
SELECT log_position, stream, version, type, data, metadata, event_id, source_type, stream_type, stream_id,
	recorded_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS recorded FROM docstore.read_stream('ledger', 'a');

-- forwards: from a version on, at most so many
SELECT version FROM docstore.read_stream('ledger', 'a', 2);
SELECT version FROM docstore.read_stream('ledger', 'a', 2, 1);
-- J05: more than there are
SELECT version FROM docstore.read_stream('ledger', 'a', max_count => 5);
-- J04: after the end
SELECT version FROM docstore.read_stream('ledger', 'a', 4);
-- J07: a version that the stream does not have, and one that only another stream has
SELECT version FROM docstore.read_stream('ledger', 'b', 2, 1);
SELECT version FROM docstore.read_stream('ledger', 'c', 3, 1);
SELECT version FROM docstore.read_stream('ledger', 'a', 0);
SELECT version FROM docstore.read_stream('ledger', 'a', NULL);
SELECT version FROM docstore.read_stream('ledger', 'a', 1, 0);
SELECT version FROM docstore.read_stream('ledger', 'a', 9223372036854775807);
-- backwards: from a version down, NULL is the last one; page by page, until nothing is left
SELECT version FROM docstore.read_stream('ledger', 'a', NULL, NULL, true);
SELECT version FROM docstore.read_stream('ledger', 'a', NULL, 1, true);
SELECT version FROM docstore.read_stream('ledger', 'a', 2, backwards => true);
SELECT version FROM docstore.read_stream('ledger', 'a', 9, 2, true);
SELECT version FROM docstore.read_stream('ledger', 'a', backwards => true);
SELECT version FROM docstore.read_stream('ledger', 'a', 0, backwards => true);
-- upper and lower case differ, and so do blanks
SELECT version FROM docstore.read_stream('ledger', 'A');
SELECT version FROM docstore.read_stream('ledger', 'a ');

-- J08: all streams, in the order of insertion, each event once
SELECT * FROM pg_temp.page(NULL);
CALL pg_temp.settle();
SELECT count(*), count(DISTINCT cursor) FROM docstore.read_log('ledger', max_count => NULL);
-- every cursor goes on after its event
SELECT r.log_position, (SELECT array_agg(n.log_position) FROM docstore.read_log('ledger', r.cursor) n) AS next FROM docstore.read_log('ledger') r;
-- page by page
SELECT cursor AS at FROM docstore.read_log('ledger', max_count => 2) OFFSET 1 \gset
SELECT * FROM pg_temp.page(:'at', 2);
SELECT * FROM pg_temp.page(:'at', 0);
SELECT cursor AS at FROM docstore.read_log('ledger', :'at', 2) OFFSET 1 \gset
SELECT * FROM pg_temp.page(:'at', 2);
SELECT cursor AS at FROM docstore.read_log('ledger', :'at', 2) \gset
SELECT * FROM pg_temp.page(:'at', 2);

-- a scope; what it expects is not looked at
SELECT * FROM pg_temp.page(NULL, scope => '{"source": "a"}');
SELECT * FROM pg_temp.page(NULL, scope => '{"types": ["Opened", "Withdrawn"], "expected": 1}');
SELECT * FROM pg_temp.page(NULL, scope => '{"source_type": "Account"}');
SELECT * FROM pg_temp.page(NULL, scope => '{"source_type": null, "types": ["Deposited"]}');
SELECT * FROM pg_temp.page(NULL, scope => '{"source": null}');
SELECT * FROM pg_temp.page(NULL, scope => '{}');
SELECT * FROM pg_temp.page(NULL, 1, '{"stream_id": "2026-11", "stream_type": "Transactions"}');
SELECT cursor AS at FROM docstore.read_log('ledger', NULL, 1, '{"types": ["Deposited"]}') \gset
SELECT * FROM pg_temp.page(:'at', scope => '{"types": ["Deposited"]}');

-- J16: the position of the last of three events of a source
SELECT docstore.tail('ledger', '{"source": "a"}');

-- a transaction that has appended does not read its own events from the log before it commits, for others may still come before them
SELECT cursor AS end FROM docstore.read_log('ledger') ORDER BY log_position DESC LIMIT 1 \gset
BEGIN;
SELECT * FROM pg_temp.page(:'end');
SELECT * FROM docstore.append('ledger', 'b', '[{"type": "Closed"}]');
SELECT * FROM pg_temp.page(:'end');
SELECT version FROM docstore.read_stream('ledger', 'b');
SAVEPOINT s;
SELECT * FROM docstore.append('ledger', 'b', '[{"type": "Opened"}]');
ROLLBACK TO s;
SELECT * FROM pg_temp.page(:'end');
COMMIT;
SELECT * FROM pg_temp.page(:'end');
-- rolled back: nothing, and versions have no gap
BEGIN;
SELECT version FROM docstore.append('ledger', 'b', '[{"type": "Opened"}]');
ROLLBACK;
SELECT stream, version, type FROM pg_temp.page(:'end');
SELECT version FROM docstore.append('ledger', 'b', '[{"type": "Opened"}]');
SELECT stream, version, type FROM pg_temp.page(:'end');

-- at every isolation level, in transactions that may not write, and without a transaction id
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT stream, version FROM pg_temp.page(:'end');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT stream, version FROM pg_temp.page(:'end');
SELECT version FROM docstore.read_stream('ledger', 'b', 3);
SELECT version, revision FROM docstore.stream('ledger', 'b');
SELECT pg_current_xact_id_if_assigned() IS NULL AS wrote_nothing;
COMMIT;
-- a statement sees what was there when it began
SELECT (SELECT version FROM docstore.append('ledger', 'c', '[{"type": "Closed"}]')) AS new, (SELECT count(*) FROM docstore.read_log('ledger')) AS seen,
	(SELECT count(*) FROM docstore.read_stream('ledger', 'c')) AS of_c, (SELECT version FROM docstore.stream('ledger', 'c')) AS head;
-- in a FROM clause, once for each row, and with a cursor of SQL
SELECT s, r.version FROM unnest('{a, nope, c}'::text[]) s, LATERAL docstore.read_stream('ledger', s, NULL, 1, true) r;
BEGIN;
DECLARE few CURSOR FOR SELECT log_position, stream FROM docstore.read_log('ledger');
FETCH 2 FROM few;
SELECT version FROM docstore.append('ledger', 'd', '[{"type": "Opened"}]');
FETCH ALL FROM few;
COMMIT;

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.stream(NULL, 'a') $$);
CALL pg_temp.try($$ SELECT docstore.stream('ledger', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.stream('ledger', '') $$);
CALL pg_temp.try($$ SELECT docstore.read_stream(NULL, 'a') $$);
CALL pg_temp.try($$ SELECT docstore.read_stream('ledger', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.read_stream('ledger', '') $$);
CALL pg_temp.try($$ SELECT docstore.read_stream('ledger', 'a', -1) $$);
CALL pg_temp.try($$ SELECT docstore.read_stream('ledger', 'a', 1, -1) $$);
CALL pg_temp.try($$ SELECT docstore.read_stream('ledger', 'a', 1, 1, NULL) $$);
CALL pg_temp.try($$ SELECT docstore.read_stream('ledger_streams', 'a') $$);
CALL pg_temp.try($$ SELECT docstore.read_stream(4294967295::oid::regclass, 'a') $$);
CALL pg_temp.try($$ SELECT docstore.read_log(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', max_count => -1) $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', NULL, 1, '[]') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', NULL, 1, '{"types": []}') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', NULL, 1, '{"stream": "a"}') $$);
CALL pg_temp.try($$ SELECT docstore.read_log('pg_class') $$);
-- what is no cursor
SELECT left(given, 30) AS given, pg_temp.verdict(format('SELECT docstore.read_log(''ledger'', %L)', given)) FROM unnest(ARRAY['', '1', 'a', '1-2', '1-2-', '-1-2-3', '1--2-3', '1-2-3-4',
	' 1-2-3', '1-2-3 ', '01-2-3', '1-+2-3', '1-2-0x3', '9223372036854775808-1-1', '1-18446744073709551616-1', '1-1-9223372036854775808', '1-2-3' || repeat('3', 1000)]) given;
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', '12') $$);
-- a cursor of another log would skip events or bring them again; one before which nothing is left cannot
SELECT docstore.create_log('other');
SELECT log_position FROM docstore.append('other', 'a', '[{"type": "Opened"}]');
CALL pg_temp.settle();
SELECT format('SELECT docstore.read_log(''ledger'', %L)', cursor) AS foreign FROM docstore.read_log('other') \gset
CALL pg_temp.try(:'foreign');
SELECT count(*) FROM docstore.read_log('ledger', '0-0-0');
-- one that lies beyond what this server can have written is from a future that never was
CALL pg_temp.try($$ SELECT docstore.read_log('ledger', '9223372036854775807-18446744073709551615-9223372036854775807') $$);
SELECT format('%s-%s-1000', split_part(cursor, '-', 1), pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000) AS future FROM docstore.read_log('ledger', max_count => 1) \gset
CALL pg_temp.try(format($$ SELECT docstore.read_log('ledger', %L) $$, :'future'));

CALL pg_temp.settle();
-- events that their owner has deleted: an event that is gone while older ones are kept may as well have been lost
SELECT cursor AS at FROM docstore.read_log('ledger') WHERE stream = 'b' AND version = 1 \gset
BEGIN;
DELETE FROM ledger WHERE stream = 'b' AND version = 1;
CALL pg_temp.try(format($$ SELECT docstore.read_log('ledger', %L) $$, :'at'));
-- where the oldest were deleted, all that is left comes after the cursor
DELETE FROM ledger WHERE log_position < 3;
SELECT log_position, stream, version, type FROM docstore.read_log('ledger', :'at', 2);
-- and where all were; a place that no transaction has come to yet is still none
DELETE FROM ledger;
SELECT count(*) FROM docstore.read_log('ledger', :'at');
CALL pg_temp.try(format($$ SELECT docstore.read_log('ledger', %L) $$, :'future'));
SELECT format('%s-1-1', split_part(:'at', '-', 1)::bigint + 4294967296) AS next_generation \gset
CALL pg_temp.try(format($$ SELECT docstore.read_log('ledger', %L) $$, :'next_generation'));
ROLLBACK;

-- an event that was stored by other means, at the highest position: what comes after it has a later transaction
SELECT docstore.create_log('brim');
SELECT log_position FROM docstore.append('brim', 'a', '[{"type": "First"}]');
INSERT INTO brim (log_position, generation, transaction_id, type, data) SELECT 9223372036854775807, generation, pg_current_xact_id(), 'Highest', '{}' FROM brim;
SELECT log_position FROM docstore.append('brim', 'a', '[{"type": "Next"}]', 1);
CALL pg_temp.settle();
SELECT cursor AS highest FROM docstore.read_log('brim') WHERE type = 'Highest' \gset
SELECT log_position, type FROM docstore.read_log('brim', :'highest');
SELECT log_position, type FROM docstore.read_log('brim', until => :'highest');
DROP TABLE brim, brim_streams, brim_consumers;

-- privileges and row security are the caller's
CREATE ROLE reader;
SET ROLE reader;
CALL pg_temp.try($$ SELECT docstore.read_log('ledger') $$);
CALL pg_temp.try($$ SELECT docstore.read_stream('ledger', 'a') $$);
CALL pg_temp.try($$ SELECT docstore.stream('ledger', 'a') $$);
RESET ROLE;
GRANT SELECT ON ledger TO reader;
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY theirs ON ledger TO reader USING (stream = 'a');
SET ROLE reader;
SELECT stream, version FROM docstore.read_log('ledger');
SELECT version FROM docstore.read_stream('ledger', 'a');
SELECT version FROM docstore.read_stream('ledger', 'c');
-- a cursor at an event that the caller does not see
SELECT count(*) FROM docstore.read_log('ledger', :'at');
RESET ROLE;
ALTER TABLE ledger DISABLE ROW LEVEL SECURITY;

-- the status: nothing waits, so nobody holds readers back
SELECT s.safe_end = r.cursor AS at_the_end, s.waiting_events, s.lag, s.blocked_by_pid, s.blocked_by_prepared, s.blocked_by_role, s.blocked_by_application, s.blocked_since
FROM docstore.log_status('ledger') s, docstore.read_log('ledger') r ORDER BY r.log_position DESC LIMIT 1;
SELECT docstore.create_log('unused');
SELECT * FROM docstore.log_status('unused');
-- a session that has appended and not committed waits for itself
BEGIN;
SELECT version FROM docstore.append('unused', 'a', '[{"type": "Opened"}, {"type": "Closed"}]');
SELECT safe_end, waiting_events, lag >= '0' AS lag, blocked_by_pid = pg_backend_pid() AS pid, blocked_by_prepared, blocked_by_role = current_user AS role,
	blocked_by_application = current_setting('application_name') AS application, blocked_since = now() AS since FROM docstore.log_status('unused');
COMMIT;
-- a role that may not know when the other's transaction began
BEGIN;
SELECT version FROM docstore.append('ledger', 'a', '[{"type": "Closed"}]');
SET LOCAL ROLE reader;
SELECT waiting_events, blocked_by_pid = pg_backend_pid() AS pid, blocked_since FROM docstore.log_status('ledger');
ROLLBACK;
CALL pg_temp.try($$ SELECT docstore.log_status(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.log_status('ledger_streams') $$);

-- own operators, functions and types first in the search_path change nothing
CREATE SCHEMA evil;
CREATE FUNCTION evil.lies(int8, int8) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE FUNCTION evil.lies(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.lies);
CREATE OPERATOR evil.>= (LEFTARG = int8, RIGHTARG = int8, FUNCTION = evil.lies);
CREATE FUNCTION evil.concat_ws(text, VARIADIC "any") RETURNS text LANGUAGE internal AS 'text_concat_ws';
CREATE FUNCTION evil.count() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint';
SET search_path = evil, public, pg_catalog;
SELECT version FROM docstore.read_stream('ledger', 'a', 2);
SELECT pg_catalog.count(*) FROM docstore.read_log('ledger', NULL, 3, '{"source": "a"}');
SELECT waiting_events FROM docstore.log_status('ledger');
RESET search_path;
DROP SCHEMA evil CASCADE;

-- a plan that was made while a log was empty serves when it is full: it goes by the index, wherever the cursor is
SELECT docstore.create_log('big');
SELECT count(*) FROM docstore.read_log('big');
SELECT count(*) FROM docstore.append('big', 'a', (SELECT jsonb_agg(jsonb_build_object('type', 'T', 'data', jsonb_build_object('n', n))) FROM generate_series(1, 20000) n));
CALL pg_temp.settle();
SELECT cursor AS at FROM docstore.read_log('big', max_count => NULL) WHERE log_position = 19990 \gset
BEGIN;
SELECT pg_stat_get_xact_tuples_returned('big'::regclass) AS before \gset
SELECT log_position, data FROM docstore.read_log('big', :'at', 3);
SELECT version FROM docstore.read_stream('big', 'a', 19999);
SELECT pg_stat_get_xact_tuples_returned('big'::regclass) - :before AS by_sequential_scan;
COMMIT;

DROP OWNED BY reader;
DROP ROLE reader;
DROP TABLE ledger, ledger_streams, ledger_consumers, other, other_streams, other_consumers, unused, unused_streams, unused_consumers, big, big_streams, big_consumers;
