-- event_id: unique in a stream, and what makes a retry safe. I01 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');

-- events with these ids, 0 for one without: pg_temp.events(1, 2)
CREATE FUNCTION pg_temp.events(VARIADIC ids int[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('type', 'e' || id, 'data', jsonb_build_object('nr', nr)) || CASE id WHEN 0 THEN '{}'
		ELSE jsonb_build_object('event_id', format('00000000-0000-0000-0000-%s', lpad(id::text, 12, '0'))) END ORDER BY nr)
	FROM unnest(ids) WITH ORDINALITY i(id, nr) $$;
CREATE FUNCTION pg_temp.stored(name text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s %s at %s', version, type, log_position), ', ' ORDER BY version) FROM ledger WHERE stream = name $$;
-- what a statement comes to, in one line
CREATE FUNCTION pg_temp.append(stream text, expected bigint, VARIADIC ids int[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
	code text;
	detail text;
BEGIN
	RETURN (SELECT string_agg(format('%s at %s', a.version, a.log_position), ', ') FROM docstore.append('ledger', stream, pg_temp.events(VARIADIC ids), expected) a);
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, answer = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' ', code, answer, NULLIF(detail, ''));
END
$$;

-- I01: some are stored: the ids are named, nothing is stored
SELECT pg_temp.append('s', 0, 1, 2);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', pg_temp.events(3, 2), 2) $$);
SELECT pg_temp.stored('s');
-- a retry: the same versions and positions, whatever it expects, as often as it likes; positions are not used up
SELECT pg_temp.append('s', 0, 1, 2), pg_temp.append('s', -1, 1, 2), pg_temp.append('s', 2, 1, 2), pg_temp.append('s', 7, 1, 2), pg_temp.append('s', -2, 1, 2);
SELECT version, revision FROM ledger_streams;
-- only the ids are compared: another type, other data are answered alike, and dropped
SELECT * FROM docstore.append('ledger', 's', (SELECT jsonb_agg(e || '{"type": "other", "data": {"other": true}, "stream_id": "t"}') FROM jsonb_array_elements(pg_temp.events(1, 2)) e), 0);
SELECT version, type, data, stream_id FROM ledger ORDER BY version;
SELECT pg_temp.append('s', 2, 3);
SELECT version, revision FROM ledger_streams;
-- a part of what was stored, in that order, is a retry, too
SELECT pg_temp.append('s', 0, 1), pg_temp.append('s', 0, 2), pg_temp.append('s', 0, 1, 3), pg_temp.append('s', 0, 2, 3), pg_temp.append('s', 0, 1, 2, 3);
-- not in that order
SELECT pg_temp.append('s', 3, 2, 1), pg_temp.append('s', 3, 3, 1, 2);
-- what the events say otherwise does not matter
SELECT * FROM docstore.append('ledger', 's', '[{"type": "other", "data": {"n": 1}, "event_id": "00000000-0000-0000-0000-000000000002"}]', 3);
SELECT type, data FROM ledger WHERE stream = 's' AND version = 2;

-- I02: the version is stale, too: ids are looked at first
SELECT pg_temp.append('s', 1, 1, 2, 3), pg_temp.append('s', 1, 3, 4), pg_temp.append('s', 1, 4);
-- I04: partly equal
SELECT pg_temp.append('s', 3, 1, 9);
SELECT pg_temp.append('s', -1, 9, 1);
-- I07: the same id twice in one append
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', pg_temp.events(7, 8, 7), 3) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', pg_temp.events(1, 1), 3) $$);
SELECT pg_temp.stored('s');
-- I08: ids 1, 3, 7 stored; 2, 7, 14
SELECT pg_temp.append('t', 0, 1, 3, 7);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 't', pg_temp.events(2, 7, 14), 3) $$);
SELECT pg_temp.stored('t');
-- several: all of them are named, up to a bound
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 't', pg_temp.events(7, 2, 1, 14, 3), 3) $$);
SELECT left(a, 21), right(a, 10) FROM pg_temp.append('many', 0, VARIADIC ARRAY(SELECT generate_series(1, 200))) a;
SELECT left(a, 5), length(a) < 8000 AS short FROM pg_temp.append('many', 200, VARIADIC ARRAY(SELECT generate_series(0, 200))) a;
SELECT pg_temp.append('many', 0, VARIADIC ARRAY(SELECT generate_series(1, 200))) = (SELECT string_agg(format('%s at %s', version, log_position), ', ' ORDER BY version) FROM ledger WHERE stream = 'many') AS same;

-- events with an id and without: those without have nothing to be known by, so this is no retry
SELECT pg_temp.append('mixed', 0, 1, 0, 2);
SELECT pg_temp.append('mixed', 3, 1, 0, 2);
SELECT pg_temp.append('mixed', 3, 0, 0);
SELECT pg_temp.append('mixed', 0, 1, 2);
SELECT pg_temp.stored('mixed');

-- ids are those of a stream: another one may have them, another log too
SELECT pg_temp.append('other', 0, 2, 1);
SELECT docstore.create_log('book');
SELECT * FROM docstore.append('book', 's', pg_temp.events(2, 3), 0);

-- a UUID is one however it is written
SELECT * FROM docstore.append('ledger', 'written', '[{"type": "T", "event_id": "ABCDEF00-0000-0000-0000-000000000001"}]', 0);
SELECT * FROM docstore.append('ledger', 'written', '[{"type": "T", "event_id": "{abcdef00000000000000000000000001}"}]', 0);

-- in one transaction; after a rollback there is nothing to retry
BEGIN;
SELECT pg_temp.append('tx', 0, 1, 2), pg_temp.append('tx', 0, 1, 2);
SAVEPOINT a;
SELECT pg_temp.append('tx', 2, 3);
ROLLBACK TO a;
SELECT pg_temp.append('tx', 2, 3, 4);
ROLLBACK;
SELECT count(*) FROM ledger WHERE stream = 'tx';
SELECT left(pg_temp.append('tx', 0, 1, 2), 4);

-- a retry with scopes that do not hold any more, because of what it appended itself
SELECT * FROM docstore.append('ledger', 'scoped', pg_temp.events(1, 2), 0, '[{"source": "scoped", "expected": "none"}]');
SELECT count(*) FROM docstore.append('ledger', 'scoped', pg_temp.events(1, 2), 0, '[{"source": "scoped", "expected": "none"}]');
-- a retry of what was appended to a stream that is closed now; nothing new goes in
SELECT docstore.close_stream('ledger', 'scoped', 2);
SELECT count(*) FROM docstore.append('ledger', 'scoped', pg_temp.events(1, 2), 0);
SELECT pg_temp.append('scoped', 2, 3), left(pg_temp.append('scoped', 2, 2, 3), 5);
-- an erased event keeps its id
SELECT docstore.erase('ledger', 's', '{2}');
SELECT version, type, data, event_id IS NOT NULL AS has_id FROM ledger WHERE stream = 's' ORDER BY version;
SELECT pg_temp.append('s', 0, 1, 2);

-- docstore.checks = off: ids are no expectation
SET docstore.checks = off;
SELECT pg_temp.append('s', 9, 1, 2), pg_temp.append('s', 9, 1, 9);
RESET docstore.checks;
-- deferred: 23505 is no conflict
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT pg_temp.append('s', 0, 1, 2), left(pg_temp.append('s', 9, 1, 9), 5);
COMMIT;

-- items: retried as one; one of the items is new
SELECT * FROM docstore.save(jsonb_build_array(
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'i', 'events', pg_temp.events(1, 2), 'expected', 0),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'j', 'events', pg_temp.events(1, 2), 'expected', 0)));
SELECT * FROM docstore.save(jsonb_build_array(
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'i', 'events', pg_temp.events(1, 2), 'expected', 0),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'j', 'events', pg_temp.events(1, 2), 'expected', 0)));
SELECT * FROM docstore.save(jsonb_build_array(
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'i', 'events', pg_temp.events(1, 2), 'expected', 0),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'k', 'events', pg_temp.events(1, 2), 'expected', 0)));
SELECT stream, version, revision FROM ledger_streams WHERE stream IN ('i', 'j', 'k') ORDER BY stream;
-- an overlap in one item: nothing of the call is stored, and the item is named
CALL pg_temp.try($$ SELECT * FROM docstore.save(jsonb_build_array(
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'i', 'events', pg_temp.events(3), 'expected', 2),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'j', 'events', pg_temp.events(2, 3), 'expected', 2))) $$);
-- also when another item is stale, and for try_save
CALL pg_temp.try($$ SELECT * FROM docstore.save(jsonb_build_array(
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'i', 'events', pg_temp.events(3), 'expected', 9),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'j', 'events', pg_temp.events(2, 3), 'expected', 2))) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.try_save(jsonb_build_array(
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'j', 'events', pg_temp.events(2, 3), 'expected', 2))) $$);
-- two items on one stream: the same id in both
CALL pg_temp.try($$ SELECT * FROM docstore.save(jsonb_build_array(
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'i', 'events', pg_temp.events(4), 'expected', 2),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'i', 'events', pg_temp.events(5, 4), 'expected', 2))) $$);
-- two items on one stream, and the retry of both
SELECT * FROM docstore.save(jsonb_build_array(
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'l', 'events', pg_temp.events(1, 2), 'expected', 0),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'l', 'events', pg_temp.events(3), 'expected', 0)));
SELECT * FROM docstore.save(jsonb_build_array(
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'l', 'events', pg_temp.events(1, 2), 'expected', 0),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'l', 'events', pg_temp.events(3), 'expected', 0)));
SELECT pg_temp.stored('l');

DROP TABLE ledger, ledger_streams, ledger_consumers, book, book_streams, book_consumers;
