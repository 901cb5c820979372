-- What the columns and indexes of a log must be like, and what of them the engines must not overlook
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
\set one '\'[{"type": "T"}]\''
SELECT version FROM docstore.append('ledger', 'a', :one, 0);

-- columns that events may leave empty, which the owner of the log wants filled: as plain SQL says, whatever the engine
CREATE FUNCTION pg_temp.refused(change text, event jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answers text[];
BEGIN
	EXECUTE change;
	SET LOCAL docstore.engine = 'auto';
	answers := ARRAY[pg_temp.verdict($q$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 1) $q$),
		pg_temp.verdict(format('SELECT version FROM docstore.append(%L, %L, %L, 1)', 'ledger', 'a', jsonb_build_array(event))),
		pg_temp.verdict($q$ SELECT version FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "b", "events": [{"type": "T"}]}, {"op": "append", "log": "ledger", "stream": "c", "events": [{"type": "T"}]}]') $q$)];
	SET LOCAL docstore.engine = 'sql';
	answers := answers || pg_temp.verdict($q$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 1) $q$);
	RAISE EXCEPTION 'take it back';
EXCEPTION WHEN raise_exception THEN
	RETURN array_to_string(answers, ', ');
END
$$;
TRUNCATE ledger, ledger_streams;
SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T", "data": {}, "metadata": {}, "event_id": "00000000-0000-0000-0000-000000000001", "source_type": "S", "stream_type": "S", "stream_id": "S"}]', 0);
SELECT key, pg_temp.refused(format('ALTER TABLE ledger ALTER %I SET NOT NULL', key), jsonb_build_object('type', 'T', key, value))
FROM (VALUES ('event_id', '"00000000-0000-0000-0000-000000000002"'::jsonb), ('source_type', '"S"'), ('stream_type', '"S"'), ('stream_id', '"S"'), ('metadata', '{}')) v(key, value);
SELECT version FROM docstore.append('ledger', 'a', :one, 1);

-- names of streams that are long, and compressed where they are stored
SELECT version FROM docstore.append('ledger', repeat('n', 100000), :one, 0);
SELECT version FROM docstore.append('ledger', repeat('n', 100000), :one, 1);
SELECT item, version FROM docstore.save(jsonb_build_array(jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', repeat('n', 100000), 'events', :one::jsonb, 'expected', 2),
	'{"op": "assert", "log": "ledger", "stream": "a", "expected": 2}'::jsonb));
SET docstore.engine = 'sql';
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', repeat('n', 100000), '[{"type": "T"}]', 3) $$);
RESET docstore.engine;
SELECT length(stream), version FROM ledger_streams ORDER BY stream;

-- columns without which a table is no log, or none that can be locked
CREATE FUNCTION pg_temp.after(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE change;
	PERFORM docstore.append('ledger', 'a', '[{"type": "T"}]', 2);
	RAISE EXCEPTION 'take it back';
EXCEPTION
	WHEN raise_exception THEN
		RETURN 'appended';
	WHEN others THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		RETURN concat_ws(' ', SQLSTATE, SQLERRM, detail);
END
$$;
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT pg_temp.after(change), change FROM unnest(ARRAY[
	'ALTER TABLE ledger ALTER generation DROP NOT NULL', 'ALTER TABLE ledger ALTER transaction_id DROP NOT NULL', 'ALTER TABLE ledger ALTER recorded_at DROP NOT NULL',
	'ALTER TABLE ledger_streams ALTER version DROP NOT NULL', 'ALTER TABLE ledger_streams ALTER revision DROP NOT NULL', 'ALTER TABLE ledger_streams ALTER generation DROP NOT NULL',
	'ALTER TABLE ledger_streams ALTER transaction_id DROP NOT NULL', 'ALTER TABLE ledger_streams ALTER properties DROP NOT NULL',
	'ALTER TABLE ledger ALTER type TYPE text COLLATE caseless', 'ALTER TABLE ledger_streams ALTER stream TYPE text COLLATE caseless']) WITH ORDINALITY c(change, nr) ORDER BY nr;
DROP COLLATION caseless;

-- indexes that look like those which readers and scopes go by, and lead elsewhere: a scope still finds its last event, and a reader, in a
-- log that was restored from elsewhere, does not get what is not committed
CREATE INDEX ON ledger (generation DESC, transaction_id DESC, log_position DESC);
CREATE INDEX ON ledger USING brin (type, log_position);
CREATE INDEX ON ledger (stream_id, log_position DESC);
INSERT INTO ledger (version, generation, transaction_id, stream, type, data) VALUES (1, 5, '3', 'restored', 'Old', '{}');
CALL pg_temp.settle();
BEGIN;
SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T", "stream_id": "x"}]', 2);
SELECT log_position = docstore.tail('ledger', '{"types": ["T"]}') AS by_type, log_position = docstore.tail('ledger', '{"stream_id": "x"}') AS by_tag FROM ledger WHERE stream = 'a' AND version = 3;
SELECT count(*) FILTER (WHERE stream = 'restored') AS restored, count(*) FILTER (WHERE stream = 'a' AND version = 3) AS uncommitted FROM docstore.read_log('ledger');
COMMIT;
SELECT count(*) FILTER (WHERE stream = 'restored') AS restored, count(*) FILTER (WHERE stream = 'a' AND version = 3) AS committed FROM docstore.read_log('ledger');

-- events of another cluster, in a restore that failed: the log goes on in its generation, and readers go on to wait
SELECT docstore.create_log('own');
SELECT version FROM docstore.append('own', 'a', :one, 0);
BEGIN;
SAVEPOINT restore;
INSERT INTO own (version, generation, transaction_id, stream, type, data) VALUES (1, 42949672961, '3', 'restored', 'Old', '{}');
ROLLBACK TO restore;
SELECT version FROM docstore.append('own', 'a', :one, 1);
SELECT count(*) FROM docstore.read_log('own') WHERE version = 2;
INSERT INTO own (version, generation, transaction_id, stream, type, data) VALUES (1, 42949672961, '3', 'restored', 'Old', '{}');
ROLLBACK TO restore;
ALTER TABLE own SET (fillfactor = 90);
SELECT version FROM docstore.append('own', 'a', '[{"type": "T"}, {"type": "T"}]', 1);
SELECT count(DISTINCT generation) FROM own;
COMMIT;
-- of a copy of this cluster, which has gone its own way: it is further than this one
INSERT INTO own (version, generation, transaction_id, stream, type, data)
SELECT 1, generation, (pg_current_xact_id()::text::bigint + 1000000)::text::xid8, 'copied', 'T', '{}' FROM own LIMIT 1;
ALTER TABLE own SET (fillfactor = 80);
SELECT version FROM docstore.append('own', 'b', :one, 0);
SELECT stream, generation >> 48 AS generation, count(*) FROM own GROUP BY stream, generation ORDER BY generation, stream;
-- of one that has come further, head and all: what comes next in the stream gets an id of this cluster's
UPDATE own SET generation = 2814749767106561, transaction_id = '9000000000000000' WHERE stream = 'a';
UPDATE own_streams SET generation = 2814749767106561, transaction_id = '9000000000000000' WHERE stream = 'a';
ALTER TABLE own SET (fillfactor = 70);
SELECT version FROM docstore.append('own', 'a', :one, 3);
SELECT version, transaction_id < '9000000000000000' AS of_this_cluster FROM own WHERE stream = 'a' ORDER BY version;
CALL pg_temp.settle();
SELECT stream, version FROM docstore.read_log('own');

-- an event that was stored by other means, with a generation behind which there is none
SELECT docstore.create_log('odd');
INSERT INTO odd (version, generation, transaction_id, stream, type, data) VALUES (1, 9223372036854775807, '3', 'a', 'T', '{}');
CALL pg_temp.try($$ SELECT version FROM docstore.append('odd', 'b', '[{"type": "T"}]', 0) $$);
-- once it is deleted appends go on
DELETE FROM odd;
SELECT version FROM docstore.append('odd', 'b', :one, 0);
DROP TABLE odd, odd_streams, odd_consumers;
SELECT docstore.create_log('odd');
INSERT INTO odd (version, generation, transaction_id, stream, type, data) VALUES (1, -9223372036854775808, '3', 'a', 'T', '{}');
SELECT version FROM docstore.append('odd', 'b', :one, 0);
SELECT stream, generation > 0 AS later FROM odd ORDER BY generation;

-- 0.4.0 numbered its generations from 1, without a timeline: on the first one they go on, and so do their cursors
SELECT docstore.create_log('older');
SELECT version FROM docstore.append('older', 'a', '[{"type": "T"}, {"type": "T"}]', 0);
CREATE TEMPORARY TABLE events AS TABLE older;
CREATE TEMPORARY TABLE heads AS TABLE older_streams;
TRUNCATE older, older_streams;
UPDATE events SET generation = (1::bigint << 32) | (generation & 4294967295);
UPDATE heads SET generation = (1::bigint << 32) | (generation & 4294967295);
INSERT INTO older TABLE events;
INSERT INTO older_streams TABLE heads;
CALL pg_temp.settle();
SELECT cursor AS at FROM docstore.read_log('older') WHERE version = 1 \gset
SELECT version FROM docstore.append('older', 'a', :one, 2);
SELECT count(DISTINCT generation) FROM older;
CALL pg_temp.settle();
SELECT version FROM docstore.read_log('older', :'at');
DROP TABLE older, older_streams, older_consumers, events, heads;

-- events of this cluster's on another timeline, as after a promotion: what comes next is of the next generation, on the timeline of this server
SELECT docstore.create_log('promoted');
SELECT version FROM docstore.append('promoted', 'a', '[{"type": "T"}, {"type": "T"}]', 0);
SELECT DISTINCT generation AS own FROM promoted \gset
UPDATE promoted SET generation = :own # 4294967296;
UPDATE promoted_streams SET generation = :own # 4294967296;
ALTER TABLE promoted SET (fillfactor = 90);
SELECT version FROM docstore.append('promoted', 'a', :one, 2);
SELECT version, generation = :own + (1::bigint << 48) AS next FROM promoted ORDER BY version;
CALL pg_temp.settle();
SELECT version FROM docstore.read_log('promoted');
DROP TABLE promoted, promoted_streams, promoted_consumers;

-- guarded its versions would not be what they are
CALL pg_temp.try($$ SELECT docstore.guard('odd') $$);
CALL pg_temp.try($$ SELECT docstore.guard('odd_streams') $$);
SELECT docstore.guard('odd_consumers');

DROP TABLE ledger, ledger_streams, ledger_consumers, own, own_streams, own_consumers, odd, odd_streams, odd_consumers;
