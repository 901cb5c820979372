-- A hostile search_path changes nothing for logs either: functions, operators, types and tables in it are never used
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
SELECT version FROM docstore.append('ledger', 'before', '[{"type": "T"}]', 0);

-- all that the extension's SQL could trip over, each of which says so
CREATE SCHEMA evil;
SET search_path = evil, pg_catalog;
CREATE FUNCTION evil.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
DO $$
DECLARE
	type text;
	operator text;
	name text;
BEGIN
	FOREACH type IN ARRAY ARRAY['text', 'int8', 'int4', 'uuid', 'xid8', 'timestamptz', 'tid', 'jsonb'] LOOP
		type := 'pg_catalog.' || type;
		EXECUTE format('CREATE FUNCTION evil.trap(%s, %1$s) RETURNS boolean LANGUAGE sql RETURN evil.trap()', type);
		FOREACH operator IN ARRAY ARRAY['=', '<>', '<', '>', '<=', '>='] LOOP
			EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = evil.trap)', operator, type);
		END LOOP;
		EXECUTE format('CREATE FUNCTION evil.unnest(%s[]) RETURNS SETOF %1$s LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION ''''trapped''''; END''', type);
		EXECUTE format('CREATE FUNCTION evil.max(%s) RETURNS %1$s LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION ''''trapped''''; END''', type);
		EXECUTE format('CREATE DOMAIN evil.%I AS %s CHECK (evil.trap())', split_part(type, '.', 2), type);
	END LOOP;
	FOREACH name IN ARRAY ARRAY['now', 'clock_timestamp', 'pg_current_xact_id', 'current_setting'] LOOP
		EXECUTE format('CREATE FUNCTION evil.%I() RETURNS boolean LANGUAGE sql RETURN evil.trap()', name);
	END LOOP;
END $$;
CREATE FUNCTION evil.nextval(regclass) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE TABLE evil.e (stream pg_catalog.text, version bigint, log_position bigint);
CREATE TABLE evil.u (type pg_catalog.text);
CREATE TABLE evil.ledger (stream pg_catalog.text);
CREATE TABLE evil.ledger_streams (stream pg_catalog.text PRIMARY KEY);

-- the traps work
SELECT 1::bigint = 1::bigint;
SELECT clock_timestamp();

-- all functions, on new plans
SELECT docstore.create_log('public.book', true);
SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001", "stream_id": "1"}, {"type": "U"}]', 0);
SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]', 0);
SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T"}]', 2, '[{"source": "a", "stream_id": "1", "expected": 2}, {"types": ["U", "V"], "expected": 3}, {"stream_type": null, "types": ["U"], "expected": 3}, {"source": "new", "expected": "none"}]');
SELECT docstore.create_stream('public.ledger', 'c', '{"a": 1}'), docstore.create_stream('public.book', 'c');
SELECT docstore.set_properties('public.ledger', 'c', '{"a": 2}', 1), docstore.close_stream('public.book', 'c', 0);
SELECT docstore.tail('public.ledger', '{}'), docstore.tail('public.ledger', '{"source": "a", "types": ["U"]}'), docstore.tail('public.ledger', '{"types": ["U", "T"], "stream_id": "1"}');
SELECT * FROM docstore.save('[
	{"op": "append", "log": "public.ledger", "stream": "d", "events": [{"type": "T"}, {"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}], "expected": 0},
	{"op": "append", "log": "public.book", "stream": "d", "events": [{"type": "T"}], "expected": "none", "scopes": [{"expected": "none"}]},
	{"op": "append", "log": "public.ledger", "stream": "a", "events": [{"type": "T"}], "expected": 3, "expected_revision": 2},
	{"op": "set_properties", "log": "public.ledger", "stream": "c", "properties": {}, "expected_revision": 2},
	{"op": "create_stream", "log": "public.ledger", "stream": "e"},
	{"op": "close_stream", "log": "public.ledger", "stream": "before", "expected": 1},
	{"op": "assert", "log": "public.ledger", "stream": "nobody", "expected": "none"},
	{"op": "assert", "log": "public.ledger", "scope": {"source_type": null, "expected": 99}}]');
SELECT item, reason, actual FROM docstore.try_save('[
	{"op": "append", "log": "public.ledger", "stream": "a", "events": [{"type": "T"}], "expected": 9, "scopes": [{"expected": "none"}]},
	{"op": "assert", "log": "public.ledger", "scope": {"types": ["T"], "expected": "none"}}]');
-- the tables that are found along the search_path are those
\set VERBOSITY terse
SELECT * FROM docstore.append('ledger', 'a', '[{"type": "T"}]');
\set VERBOSITY default
RESET search_path;
SELECT stream, version, revision, properties, closed_at IS NOT NULL AS closed FROM ledger_streams ORDER BY stream;

SET client_min_messages = error;
DROP TABLE ledger, ledger_streams, ledger_consumers, book, book_streams, book_consumers;
DROP SCHEMA evil CASCADE;
