-- docstore.erase(): blank what events say, and nothing else about them. L25 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
SELECT * FROM docstore.append('ledger', 'a', '[{"type": "Opened", "data": {"name": "Ann"}, "metadata": {"by": "ben"}, "event_id": "7f0e6a3c-5b0e-4b7b-9d0f-2f4a3c1d9e10", "source_type": "Account"},
	{"type": "Deposited", "data": {"amount": 10}}, {"type": "Moved", "metadata": {"by": "ben"}}, {"type": "Touched"}, {"type": "Closed", "data": {"why": "secret"}}]');
SELECT * FROM docstore.append('ledger', 'b', '[{"type": "Opened", "data": {"name": "Ben"}}]');
CALL pg_temp.settle();
SELECT cursor AS at FROM docstore.read_log('ledger', NULL, 1) \gset
CREATE TABLE before AS SELECT log_position, stream, version, type, event_id, source_type, recorded_at, cursor FROM docstore.read_log('ledger');

-- some versions; those that are not there are not there
SELECT docstore.erase('ledger', 'a', '{2, 9, 0, -1}');
SELECT version, type, data, metadata FROM docstore.read_stream('ledger', 'a');
-- what is blank already does not count, twice the same counts once
SELECT docstore.erase('ledger', 'a', '{2}');
SELECT docstore.erase('ledger', 'a', '{1, 1, 2}');
SELECT docstore.erase('ledger', 'a', '[7:8]={4, 5}');
SELECT docstore.erase('ledger', 'a', '{}');
-- all of them; metadata alone is blanked as well
SELECT docstore.erase('ledger', 'a');
SELECT version, type, data, metadata FROM docstore.read_stream('ledger', 'a');
SELECT docstore.erase('ledger', 'a');
SELECT docstore.erase('ledger', 'a', NULL);
-- an absent stream
SELECT docstore.erase('ledger', 'nope'), docstore.erase('ledger', 'nope', '{1}');

-- everything else is as it was: places, types, tags, ids, times, cursors; and the other stream
CALL pg_temp.settle();
SELECT count(*) FROM (TABLE before EXCEPT SELECT log_position, stream, version, type, event_id, source_type, recorded_at, cursor FROM docstore.read_log('ledger')) changed;
SELECT data FROM docstore.read_stream('ledger', 'b');
SELECT version, revision FROM docstore.stream('ledger', 'a');
SELECT stream, version FROM docstore.read_log('ledger', :'at', 3);
SELECT version FROM docstore.append('ledger', 'a', '[{"type": "Opened"}]', 5);
-- an event that was appended before is still known by its id
SELECT * FROM docstore.append('ledger', 'a', '[{"type": "Opened", "event_id": "7f0e6a3c-5b0e-4b7b-9d0f-2f4a3c1d9e10"}]', 0);
-- L25: scopes find what they found
SELECT docstore.tail('ledger', '{"types": ["Closed"]}'), docstore.tail('ledger', '{"source_type": "Account"}');
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'b', '[{"type": "T"}]', 1, '[{"types": ["Closed"], "expected": 4}]') $$);

-- undone with its transaction
BEGIN;
SELECT docstore.erase('ledger', 'b');
ROLLBACK;
SELECT data FROM docstore.read_stream('ledger', 'b');
-- a statement sees what was there when it began
SELECT docstore.erase('ledger', 'b') AS erased, (SELECT data FROM docstore.read_stream('ledger', 'b')) AS seen;

-- what a large event had beside its row goes as well
CREATE FUNCTION pg_temp.chunks() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE (SELECT format('SELECT count(*) FROM %s', reltoastrelid::regclass) FROM pg_class WHERE oid = 'ledger'::regclass) INTO result;
	RETURN result;
END $$;
SELECT version FROM docstore.append('ledger', 'large', (SELECT jsonb_build_array(jsonb_build_object('type', 'T', 'data',
	jsonb_build_object('text', string_agg(md5(n::text), '')))) FROM generate_series(1, 4000) n));
SELECT pg_temp.chunks() > 0 AS apart;
SELECT docstore.erase('ledger', 'large');
SELECT pg_temp.chunks();

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.erase(NULL, 'a') $$);
CALL pg_temp.try($$ SELECT docstore.erase('ledger', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.erase('ledger', '') $$);
CALL pg_temp.try($$ SELECT docstore.erase('ledger', 'a', '{1, NULL}') $$);
CALL pg_temp.try($$ SELECT docstore.erase('ledger', 'a', '{{1, 2}, {3, 4}}') $$);
CALL pg_temp.try($$ SELECT docstore.erase('ledger_streams', 'a') $$);
CALL pg_temp.try($$ SELECT docstore.erase('no_such_log', 'a') $$);
BEGIN READ ONLY;
CALL pg_temp.try($$ SELECT docstore.erase('ledger', 'a') $$);
COMMIT;

-- the caller needs UPDATE on the events; that can be for these two columns only, and policies are obeyed
CREATE ROLE officer;
GRANT SELECT ON ledger TO officer;
SELECT count(*) FROM docstore.append('ledger', 'c', '[{"type": "T", "data": {"n": 1}}, {"type": "T", "data": {"n": 2}}]');
SET ROLE officer;
CALL pg_temp.try($$ SELECT docstore.erase('ledger', 'c') $$);
RESET ROLE;
GRANT UPDATE (data, metadata) ON ledger TO officer;
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY odd ON ledger TO officer USING (version % 2 = 1);
SET ROLE officer;
SELECT docstore.erase('ledger', 'c');
RESET ROLE;
SELECT version, data FROM docstore.read_stream('ledger', 'c');

DROP OWNED BY officer;
DROP ROLE officer;
DROP TABLE before, ledger, ledger_streams, ledger_consumers;
