-- Scopes: an append holds only when nothing newer is in them. K01, M01 and the like are the numbers of the behaviour cases; M22, M25 and M26 need
-- two sessions: test/specs.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
\set one '\'[{"type": "T"}]\''
-- positions 1 to 42, of which 40 is the last of type X
SELECT max(log_position), count(*) FROM generate_series(1, 42) n,
	docstore.append('ledger', 's' || n % 3, jsonb_build_array(jsonb_build_object('type', CASE n WHEN 40 THEN 'X' WHEN 1 THEN 'First' ELSE 'T' END)));
SELECT docstore.tail('ledger', '{}'), docstore.tail('ledger', '{"types": ["X"]}'), docstore.tail('ledger', '{"types": ["First"]}'), docstore.tail('ledger', '{"types": ["Y"]}');

-- K01: at the tail
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"expected": 42}]') $$);
-- K02: ahead of it; strict
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["X"], "expected": 42}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["X"], "expected": 42, "strict": true}]') $$);
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["X"], "expected": 40, "strict": true}]') $$),
	pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["X"], "expected": 42, "strict": false}]') $$);
-- K04: nothing matches
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["Y"], "expected": 42}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["Y"], "expected": 42, "strict": true}]') $$);
-- K05: none
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["Y"], "expected": "none"}]') $$),
	pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["Y"], "expected": "none", "strict": true}]') $$),
	pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["Y"], "expected": null}]') $$);
-- K07: one event at the very first position
SELECT e, pg_temp.verdict(format('SELECT version FROM docstore.append(%L, %L, %L, 0, %L)', 'ledger', 'a', '[{"type": "T"}]', format('[{"types": ["First"], "expected": %s}]', e)))
FROM unnest('{"\"none\"",0,"null",1,2}'::text[]) e;
-- K11, M29: nothing is stored, no position is used; log, scope as given, expected and actual are told
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 0, '[{"types": ["X", "First", "X"], "source_type": null, "expected": 39}]') $$);
SELECT count(*) FROM ledger_streams WHERE stream = 'a';
SELECT * FROM docstore.append('ledger', 'a', :one, 0, '[{"types": ["X"], "expected": 40}]');

-- M01: three scopes, none stale
SELECT * FROM docstore.append('ledger', 'a', :one, 1, '[{"source": "s0", "expected": 42}, {"source": "s1", "expected": 40}, {"types": ["Y"], "expected": "none"}]');
-- M02: one of three is stale: one violation
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 2, '[{"source": "s0", "expected": 42}, {"source": "s1", "expected": 39}, {"types": ["Y"], "expected": "none"}]') $$);
-- all of them, and the stream, too: all violations at once, of one item
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 1, '[{"source": "s0", "expected": 41}, {"source": "s1", "expected": "none"}, {"types": ["X"], "expected": 7}, {"source": "s2", "expected": 41}]') $$);
-- as rows
SELECT v.* FROM docstore.violations('{"total": 2, "violations": [{"item": 1, "op": "append", "kind": "stream", "log": "public.ledger", "id": "a", "reason": "stale", "expected": 1, "actual": 2}, {"item": 1, "op": "append", "kind": "scope", "log": "public.ledger", "scope": {"source": "s1", "expected": "none"}, "reason": "scope", "expected": 0, "actual": 40}]}') v;
-- M08: with violations it is no success: no rows, and nothing stored
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT count(*) FROM docstore.append('ledger', 'a', :one, 2, '[{"types": ["X"], "expected": 39}]');
COMMIT;
SELECT max(version) FROM ledger WHERE stream = 'a';

-- M10: a decision on one scope, a commit to two streams
SELECT item, id, version FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "x", "events": [{"type": "T"}], "expected": "none", "scopes": [{"types": ["First"], "expected": 1}]},
	{"op": "append", "log": "ledger", "stream": "y", "events": [{"type": "T"}], "expected": "none"}]');
-- M11: T at 0 and U at its tail; a U arrives: refused, and the target stays empty
SELECT log_position FROM docstore.append('ledger', 'u', '[{"type": "U"}]');
SELECT log_position FROM docstore.append('ledger', 'u', '[{"type": "U"}]');
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'target', '[{"type": "T"}]', 0, '[{"types": ["V"], "expected": 0}, {"types": ["U"], "expected": 57}]') $$);
SELECT count(*) FROM docstore.stream('ledger', 'target');
-- M19: three events, all in the scope: they are not in each other's way, nor in that of another item
SELECT * FROM docstore.append('ledger', 'v', '[{"type": "V"}, {"type": "V"}, {"type": "V"}]', 0, '[{"types": ["V"], "expected": "none"}, {"source": "v", "expected": "none"}]');
SELECT item, version FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "w", "events": [{"type": "W"}], "scopes": [{"types": ["W"], "expected": "none"}]},
	{"op": "append", "log": "ledger", "stream": "w2", "events": [{"type": "W"}, {"type": "W"}], "scopes": [{"types": ["W"], "expected": "none"}]},
	{"op": "assert", "log": "ledger", "scope": {"types": ["W"], "expected": "none", "strict": true}}]');
-- events of an earlier call of the same transaction are in the way
BEGIN;
SELECT version FROM docstore.append('ledger', 'w3', '[{"type": "W3"}]', 0, '[{"types": ["W3"], "expected": "none"}]');
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'w4', '[{"type": "W3"}]', 0, '[{"types": ["W3"], "expected": "none"}]') $$);
ROLLBACK;
-- M20: A, B, A in one ordered batch: just that order, positions one after the other
SELECT item, id, version FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "B", "events": [{"type": "e1"}, {"type": "e2"}], "expected": 0},
	{"op": "append", "log": "ledger", "stream": "A", "events": [{"type": "e3"}], "expected": 0},
	{"op": "append", "log": "ledger", "stream": "B", "events": [{"type": "e4"}], "expected": 0}]');
SELECT type, stream, version, log_position - min(log_position) OVER () AS nr FROM ledger WHERE stream IN ('A', 'B') ORDER BY log_position;
-- M23: a violated constraint and a stale scope at once: ids are looked at before scopes; a check is seen only by what is written
SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]');
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}, {"type": "T"}]', 1, '[{"types": ["X"], "expected": 39}]') $$);
ALTER TABLE ledger ADD CONSTRAINT no_debt CHECK (NOT (data ? 'debt'));
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T", "data": {"debt": 1}}]', 1, '[{"types": ["X"], "expected": 39}]') $$) AS both,
	pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T", "data": {"debt": 1}}]', 1, '[{"types": ["X"], "expected": 40}]') $$) AS only_check;
-- M31: expected versions of two streams and of a document, all stale: one error, three entries, nothing stored
SELECT docstore.create_collection('accounts');
SELECT docstore.upsert('accounts', 'd', '{}');
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "x", "events": [{"type": "T"}], "expected": 9},
	{"op": "upsert", "collection": "accounts", "id": "d", "data": {"lost": 1}, "expected": "none"},
	{"op": "append", "log": "ledger", "stream": "y", "events": [{"type": "T"}], "expected": 0}]') $$);
SELECT stream, version FROM ledger_streams WHERE stream IN ('x', 'y') ORDER BY stream;
SELECT version, data FROM accounts;
-- M32: a check of a stream that is not written
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "assert", "log": "ledger", "stream": "y", "expected": 2},
	{"op": "append", "log": "ledger", "stream": "x", "events": [{"type": "T"}], "expected": 1}]') $$);
SELECT item, op, id, version FROM docstore.save('[
	{"op": "assert", "log": "ledger", "stream": "y", "expected": 1},
	{"op": "append", "log": "ledger", "stream": "x", "events": [{"type": "T"}], "expected": 1}]');
SELECT stream, version, revision FROM ledger_streams WHERE stream IN ('x', 'y') ORDER BY stream;

-- a scope over a stream that is not there, or has no events, is checked and makes no stream
SELECT version FROM docstore.append('ledger', 'x', :one, 2, '[{"source": "nobody", "expected": "none"}, {"source": "nobody", "types": ["T"], "expected": "none"}]');
SELECT docstore.create_stream('ledger', 'empty');
SELECT version FROM docstore.append('ledger', 'x', :one, 3, '[{"source": "empty", "expected": "none"}]');
SELECT count(*) FROM ledger_streams WHERE stream = 'nobody' OR (stream = 'empty' AND revision <> 1);
-- the same scope twice, and one that contains the other: each is told
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'x', '[{"type": "T"}]', 4, '[{"source": "y", "expected": 1}, {"source": "y", "expected": 1}, {"expected": 1}]') $$);
-- no scopes at all
SELECT version FROM docstore.append('ledger', 'x', :one, 4, '[]');
SELECT version FROM docstore.append('ledger', 'x', :one, 5, NULL);
-- many scopes
SELECT version FROM docstore.append('ledger', 'x', :one, 6, (SELECT jsonb_agg(jsonb_build_object('source', 'none' || n, 'types', jsonb_build_array('T' || n, 'U' || n), 'stream_id', 'i' || n, 'expected', 'none')) FROM generate_series(1, 500) n));
SET docstore.max_violations = 2;
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'x', '[{"type": "T"}]', 7, '[{"expected": 1}, {"expected": 2}, {"expected": 3}]') $$);
RESET docstore.max_violations;
-- docstore.checks = off: scopes are expectations
SET docstore.checks = off;
SELECT version FROM docstore.append('ledger', 'x', :one, 9, '[{"expected": 1}]');
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'x', '[{"type": "T"}]', 9, '[{}]') $$);
RESET docstore.checks;

-- an expected position is a must; never a silent "unchecked"; any and exists are no positions
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'x', '[{"type": "T"}]', -1, '[{"source": "y"}]') $$);
CREATE TEMP TABLE wrong (nr serial, scopes text);
INSERT INTO wrong (scopes) VALUES ('[{}]'), ('[{"expected": 99}, {}]'), ('[{"expected": "any"}]'), ('[{"expected": "exists"}]'), ('[{"expected": -1}]'), ('[{"expected": -2}]'), ('[{"expected": ""}]'), ('[{"expected": "01"}]'),
	('[{"expected": 1.5}]'), ('[{"expected": 1e30}]'), ('[{"expected": 9223372036854775808}]'), ('[{"expected": true}]'), ('[{"expected": [1]}]'), ('[{"expected": 99, "strict": "yes"}]'), ('[{"expected": 99, "strict": null}]'),
	('[{"expected": 99, "strict": 1}]'), ('[{"expected": 99, "types": []}]'), ('[{"expected": 99, "types": null}]'), ('[{"expected": 99, "types": "T"}]'), ('[{"expected": 99, "types": {"T": 1}}]'), ('[{"expected": 99, "types": [null]}]'), ('[{"expected": 99, "types": ["T", 7]}]'),
	('[{"expected": 99, "types": [["T"]]}]'), ('[{"expected": 99, "types": [""]}]'), ('[{"expected": 99, "source": ""}]'), ('[{"expected": 99, "source": 7}]'), ('[{"expected": 99, "source_type": ["A"]}]'), ('[{"expected": 99, "stream_type": true}]'),
	('[{"expected": 99, "stream_id": 2024}]'), ('[{"expected": 99, "stream": "x"}]'), ('[{"expected": 99, "type": "T"}]'), ('[{"expected": 99, "Source": "x"}]'), ('[null]'), ('[7]'), ('["{}"]'), ('[[]]'), ('[[{"expected": 99}]]'),
	('7'), ('true'), ('null'), ('"[]"'), ('"{\"expected\": 99}"'), ('{"source": "x"}');
CREATE PROCEDURE pg_temp.try_scopes() LANGUAGE plpgsql AS $$
DECLARE
	s text;
BEGIN
	FOR s IN SELECT scopes FROM wrong ORDER BY nr LOOP
		RAISE INFO '%', s;
		CALL pg_temp.try(format('SELECT * FROM docstore.append(%L, %L, %L, 1, %L)', 'ledger', 'x', '[{"type": "T"}]', s));
	END LOOP;
END
$$;
CALL pg_temp.try_scopes();
SELECT max(version) FROM ledger WHERE stream = 'x';

-- who may read all columns, but not the table, can check scopes in a long log, too
SELECT count(*) FROM docstore.append('ledger', 'long', (SELECT jsonb_agg(jsonb_build_object('type', 'Many')) FROM generate_series(1, 1500)));
CREATE ROLE regress_docstore_other;
GRANT INSERT, SELECT (log_position, version, recorded_at, generation, transaction_id, event_id, stream, type, source_type, stream_type, stream_id, data, metadata, tags) ON ledger TO regress_docstore_other;
GRANT SELECT, INSERT, UPDATE ON ledger_streams TO regress_docstore_other;
SET ROLE regress_docstore_other;
SELECT version FROM docstore.append('ledger', 'x', :one, -1, '[{"types": ["None"], "expected": "none"}, {"source": "nobody", "expected": "none"}]');
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'x', '[{"type": "T"}]', -1, '[{"types": ["T"], "source": "y", "expected": "none"}]') $$);
RESET ROLE;
DROP OWNED BY regress_docstore_other;
DROP ROLE regress_docstore_other;

DROP TABLE ledger, ledger_streams, ledger_consumers, accounts, wrong;
