-- docstore.append(): events and expected versions. H01 and the like are the numbers of the behaviour cases; H16, H20 and H26 need more than one
-- session: test/stress, test/specs, test/t.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
\set one '\'[{"type": "T"}]\''
\set two '\'[{"type": "T"}, {"type": "T"}]\''

-- H01, H25: no stream, append two with 0: versions and positions of each, in the order given
SELECT * FROM docstore.append('ledger', 's', '[{"type": "e1"}, {"type": "e2"}]', 0);
-- H02
SELECT * FROM docstore.append('ledger', 's', '[{"type": "e3"}, {"type": "e4"}]', 2);
SELECT version, type, log_position FROM ledger ORDER BY version;
-- H04: behind
SELECT * FROM docstore.append('ledger', 's', :one, 4);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '[{"type": "T"}]', 3) $$);
-- H05: ahead
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '[{"type": "T"}]', 9) $$);
-- H07, H08: a stream that was made empty has no events yet; NULL is 0
SELECT docstore.create_stream('ledger', 'empty' || n) FROM generate_series(1, 3) n;
SELECT * FROM docstore.append('ledger', 'empty1', :one, docstore.no_version());
SELECT * FROM docstore.append('ledger', 'empty2', :one, NULL);
-- ... but it is there
SELECT * FROM docstore.append('ledger', 'empty3', :one, docstore.some_version());
-- H10: negative numbers that mean nothing
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '[{"type": "T"}]', -3) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'absent', '[{"type": "T"}]', -9223372036854775808) $$);
-- H11: no events
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '[]', 5) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '[]', 1) $$);
-- H13: any: consecutive versions; it is what is expected when nothing is said
SELECT * FROM docstore.append('ledger', 's', :two, docstore.any_version());
SELECT * FROM docstore.append('ledger', 's', :one);
-- H14: any, no stream
SELECT * FROM docstore.append('ledger', 'new', :one, -1);
-- H17: stale; log, stream, expected and actual are told
SELECT * FROM docstore.append('ledger', 'new', :two, 1);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'new', '[{"type": "T"}]', 2) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'new', '[{"type": "T"}]', 0) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'new', '[{"type": "T"}]', NULL) $$);
-- a version on a stream that is not there, or has no events
SELECT docstore.create_stream('ledger', 'empty4');
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'absent', '[{"type": "T"}]', 1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'empty4', '[{"type": "T"}]', 1) $$);
-- H19: another stream moves
SELECT s, a.* FROM unnest('{x,y}'::text[]) s, docstore.append('ledger', s, :one) a;
SELECT * FROM docstore.append('ledger', 'y', :two, 1);
SELECT * FROM docstore.append('ledger', 'x', :one, 1);
-- H22, H23: exists
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'absent', '[{"type": "T"}]', docstore.some_version()) $$);
SELECT * FROM docstore.append('ledger', 'x', :one, docstore.some_version());
-- no refused append has left a stream, a version or a position behind
SELECT count(*) FROM ledger_streams WHERE stream = 'absent';
SELECT max(log_position), count(*) FROM ledger;
SELECT stream, s.version, s.revision, count(e.version), max(e.version) FROM ledger_streams s LEFT JOIN ledger e USING (stream) GROUP BY stream ORDER BY stream;

-- all that an event can have; what it does not have; null is nothing
SELECT * FROM docstore.append('ledger', 'full', '[
	{"type": "MoneyDeposited", "data": {"amount": 10, "tags": ["a", {"b": null}]}, "metadata": {"user": "ann"}, "event_id": "00000000-0000-0000-0000-000000000001",
	 "source_type": "Account", "stream_type": "Transactions", "stream_id": "2026-11"},
	{"type": "Bare"},
	{"type": "Nulls", "data": {}, "metadata": null, "event_id": null, "source_type": null, "stream_type": null, "stream_id": null},
	{"type": "Empty", "data": {"": ""}, "metadata": {}}]', 0);
SELECT version, type, data, metadata, event_id, source_type, stream_type, stream_id FROM ledger WHERE stream = 'full' ORDER BY version;
SELECT bool_and(recorded_at BETWEEN now() - interval '1 minute' AND clock_timestamp()) AS recorded FROM ledger;

-- I05: twice the same, without ids: both are stored
SELECT * FROM docstore.append('ledger', 'same', '[{"type": "T", "data": {"n": 1}}, {"type": "T", "data": {"n": 1}}]');
SELECT * FROM docstore.append('ledger', 'same', '[{"type": "T", "data": {"n": 1}}, {"type": "T", "data": {"n": 1}}]');

-- I19: large events, and all characters
SELECT version FROM docstore.append('ledger', 'large', jsonb_build_array(
	jsonb_build_object('type', '5 KB', 'data', jsonb_build_object('text', repeat('x', 5000))),
	jsonb_build_object('type', '1 MB', 'data', jsonb_build_object('text', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 32768) i)), 'metadata', '{"m": 1}'::jsonb),
	jsonb_build_object('type', U&'\00fc\6f22\+01F600', 'data', jsonb_build_object('text', U&'a\0001\00fc\6f22\+01F600', U&'\00fc', '\"'), 'stream_type', U&'\6f22')));
SELECT version, type, octet_length(data ->> 'text'), metadata FROM ledger WHERE stream = 'large' ORDER BY version;
SELECT (SELECT data ->> 'text' FROM ledger WHERE stream = 'large' AND version = 2) = string_agg(md5(i::text), '') AS equal FROM generate_series(1, 32768) i;
SELECT data = jsonb_build_object('text', U&'a\0001\00fc\6f22\+01F600', U&'\00fc', '\"') AS equal, stream_type FROM ledger WHERE stream = 'large' AND version = 3;
-- numbers to the last digit
SELECT version FROM docstore.append('ledger', 'numbers', '[{"type": "T", "data": {"a": 1.000, "b": 123456789012345678901234567890.123456789, "c": -0.5e-20}}]');
SELECT data FROM ledger WHERE stream = 'numbers';
-- many in a call: in their order
SELECT count(*), min(version), max(version), max(log_position) - min(log_position) AS span, bool_and(a.log_position - a.version = first) AS consecutive
FROM (SELECT *, min(log_position) OVER () - 1 AS first
	FROM docstore.append('ledger', 'many', (SELECT jsonb_agg(jsonb_build_object('type', 'T', 'data', jsonb_build_object('n', n)) ORDER BY n) FROM generate_series(1, 5000) n), 0)) a;
SELECT count(*) FROM ledger WHERE stream = 'many' AND version = (data ->> 'n')::bigint;

-- I10: a stale version, and many events: nothing is stored, no position is used
SELECT pg_temp.verdict(format('SELECT version FROM docstore.append(%L, %L, %L, 4999)', 'ledger', 'many', (SELECT jsonb_agg('{"type": "T"}'::jsonb) FROM generate_series(1, 1000))));
SELECT version - 5000 AS next, log_position - (SELECT max(log_position) FROM ledger) AS next FROM docstore.append('ledger', 'many', :one, 5000);

-- append in a query: once for each row, and its rows can be joined
SELECT s, e.version FROM generate_series(1, 3) s, docstore.append('ledger', 'query', :two, (s - 1) * 2) e ORDER BY s, e.version;
SELECT (docstore.append('ledger', 'query', :one)).version;
SELECT version FROM docstore.append('ledger', 'query', :two) LIMIT 1;
SELECT max(version) FROM ledger WHERE stream = 'query';
-- with names
SELECT * FROM docstore.append(log => 'ledger', stream => 'named', events => :one, scopes => NULL, expected_version => 0) a (v, p) WHERE v = 1;

-- in one transaction: what was appended before counts; what is rolled back leaves no gap in the versions
BEGIN;
SELECT version FROM docstore.append('ledger', 'tx', :two, 0);
SELECT version FROM docstore.append('ledger', 'tx', :one, 2);
SAVEPOINT a;
SELECT version FROM docstore.append('ledger', 'tx', :one, 3);
ROLLBACK TO a;
SELECT version FROM docstore.append('ledger', 'tx', :one, 4);
ROLLBACK TO a;
SELECT version FROM docstore.append('ledger', 'tx', :one, 3);
COMMIT;
BEGIN;
SELECT version FROM docstore.append('ledger', 'tx', :two, 4);
ROLLBACK;
SELECT version FROM docstore.append('ledger', 'tx', :one, 4);
SELECT array_agg(version ORDER BY log_position) FROM ledger WHERE stream = 'tx';
DO $$
BEGIN
	FOR i IN 1..5 LOOP
		BEGIN
			PERFORM docstore.append('ledger', 'plpgsql', '[{"type": "T"}]', i / 2);
		EXCEPTION WHEN SQLSTATE 'PT409' THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT array_agg(version ORDER BY log_position) FROM ledger WHERE stream = 'plpgsql';

-- what is wrong with the arguments: the event is named, and nothing is written
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', NULL, '[{"type": "T"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', '', '[{"type": "T"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append(NULL, 's', '[{"type": "T"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append(0, 's', '[{"type": "T"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger_streams', 's', '[{"type": "T"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger_consumers', 's', '[{"type": "T"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '{"type": "T"}') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '7') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', 'null') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '"[{\"type\": \"T\"}]"') $$);
CREATE TEMP TABLE wrong (nr serial, event text);
INSERT INTO wrong (event) VALUES ('null'), ('7'), ('"T"'), ('"{\"type\": \"T\"}"'), ('[]'), ('[{"type": "T"}]'), ('{}'), ('{"data": {}}'), ('{"type": ""}'), ('{"type": null}'), ('{"type": 7}'),
	('{"type": ["T"]}'), ('{"type": {}}'), ('{"type": "T", "data": null}'), ('{"type": "T", "data": 7}'), ('{"type": "T", "data": [{}]}'), ('{"type": "T", "data": "{}"}'),
	('{"type": "T", "metadata": []}'), ('{"type": "T", "metadata": true}'), ('{"type": "T", "metadata": "{}"}'), ('{"type": "T", "event_id": 7}'), ('{"type": "T", "event_id": ""}'),
	('{"type": "T", "event_id": "x"}'), ('{"type": "T", "event_id": {}}'), ('{"type": "T", "event_id": "00000000-0000-0000-0000-00000000000g"}'), ('{"type": "T", "source_type": ""}'),
	('{"type": "T", "source_type": 1}'), ('{"type": "T", "stream_type": []}'), ('{"type": "T", "stream_id": true}'), ('{"type": "T", "stream_id": {"a": 1}}'),
	('{"type": "T", "Type": "T"}'), ('{"type": "T", "id": 1}'), ('{"type": "T", "": 1}'), ('{"type": "T", "version": 1}'), ('{"type": "T", "stream": "s"}');
CREATE PROCEDURE pg_temp.try_event(event text) LANGUAGE plpgsql AS $$
BEGIN
	RAISE INFO '%', event;
	CALL pg_temp.try(format('SELECT * FROM docstore.append(%L, %L, %L, 1)', 'ledger', 's', format('[{"type": "T"}, %s]', event)));
END
$$;
DO $$
DECLARE
	e text;
BEGIN
	FOR e IN SELECT event FROM wrong ORDER BY nr LOOP
		CALL pg_temp.try_event(e);
	END LOOP;
END $$;
-- names and types of any length
SELECT pg_temp.verdict(format('SELECT version FROM docstore.append(%L, %L, %L)', 'ledger', 'long', jsonb_build_array(jsonb_build_object('type', repeat('T', 100000)))));
SELECT max(version), count(*) FROM ledger WHERE stream = 's';

-- where nothing may be written; in a session without a snapshot of its own
BEGIN READ ONLY;
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '[{"type": "T"}]') $$);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT version FROM docstore.append('ledger', 's', :one, 8);
SELECT version FROM docstore.append('ledger', 's', :one, 9);
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 's', '[{"type": "T"}]', 9) $$);
COMMIT;
PREPARE appending AS SELECT version FROM docstore.append('ledger', $1, $2, $3);
EXECUTE appending('prepared', :two, 0);
EXECUTE appending('prepared', :two, 2);
EXECUTE appending('prepared', :two, 2);

-- docstore.checks = off
SET docstore.checks = off;
SELECT version FROM docstore.append('ledger', 's', :one, 1);
SELECT version FROM docstore.append('ledger', 'unchecked', :one, 7);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '[]', 1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 's', '[{"type": "T"}]', -3) $$);
RESET docstore.checks;

-- deferred: no rows, and the conflict at the end
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT version FROM docstore.append('ledger', 's', :one, 1);
SELECT version FROM docstore.append('ledger', 's', :one, 11);
SELECT version FROM docstore.append('ledger', 'absent', :one, 1);
SELECT max(version) FROM ledger WHERE stream = 's';
COMMIT;
SELECT max(version) FROM ledger WHERE stream = 's';

-- versions have an end; nothing is overwritten there
UPDATE ledger_streams SET version = 9223372036854775806 WHERE stream = 'same';
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'same', '[{"type": "T"}, {"type": "T"}]') $$);
SELECT version FROM docstore.append('ledger', 'same', :one, 9223372036854775806);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'same', '[{"type": "T"}]') $$);

-- in the end: versions of each stream (but that one) are 1..n without a gap, the head knows how many, and positions are as versions
SELECT count(*) FROM (SELECT stream, h.version AS head, count(e.version) AS n, min(e.version) AS lowest, max(e.version) AS highest
	FROM ledger_streams h LEFT JOIN ledger e USING (stream) WHERE stream <> 'same' GROUP BY stream, h.version) s
WHERE head <> n OR (n > 0 AND (lowest <> 1 OR highest <> n));
SELECT count(*) FROM (SELECT version, row_number() OVER (PARTITION BY stream ORDER BY log_position) AS nr FROM ledger WHERE stream <> 'same') e WHERE version <> nr;
SELECT count(*) FROM (SELECT log_position, row_number() OVER (PARTITION BY stream ORDER BY generation, transaction_id, log_position) AS nr, version
	FROM ledger WHERE stream <> 'same') e WHERE version <> nr;

DROP TABLE ledger, ledger_streams, ledger_consumers, wrong;
