-- docstore.close_stream(): nobody appends any more. N14 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
\set one '\'[{"type": "T"}]\''
SELECT version FROM docstore.append('ledger', 'x', '[{"type": "T"}, {"type": "T"}]'), docstore.append('ledger', 'y', :one) y(v, p);

-- it needs the version that the caller has seen
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger', 'x', 1) $$);
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger', 'x', 3) $$);
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger', 'absent', 1) $$);
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger', 'absent', docstore.some_version()) $$);
SELECT docstore.close_stream('ledger', 'absent', docstore.any_version()) IS NULL AS none;
SELECT count(*) FROM ledger_streams WHERE stream = 'absent' OR closed_at IS NOT NULL;
BEGIN;
SELECT docstore.close_stream('ledger', 'x', 2);
SELECT version, revision, closed_at BETWEEN now() AND clock_timestamp() AS now FROM docstore.stream('ledger', 'x');
COMMIT;

-- N14: an append is a violation, whatever it expects; nothing is stored
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'x', '[{"type": "T"}]', 2) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'x', '[{"type": "T"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'x', '[{"type": "T"}]', 1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'x', '[{"type": "T"}]', 0) $$);
SELECT item, op, target, id, version, reason, expected, actual FROM docstore.try_save('[
	{"op": "append", "log": "ledger", "stream": "y", "events": [{"type": "T"}], "expected": 1},
	{"op": "append", "log": "ledger", "stream": "x", "events": [{"type": "T"}], "expected": 2}]');
-- N17: others go on, also that without tags
SELECT version FROM docstore.append('ledger', 'y', :one, 1);
SELECT version FROM docstore.append('ledger', 'default', :one, 0);
SELECT max(version) FROM ledger WHERE stream = 'x';

-- closed is closed
SELECT pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'x', 2) $$) AS again, pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'x', 1) $$) AS stale,
	pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'x', -1) $$) AS any, pg_temp.verdict($$ SELECT docstore.create_stream('ledger', 'x') $$) AS make,
	pg_temp.verdict($$ SELECT docstore.set_properties('ledger', 'x', '{"a": 1}', -1) $$) AS properties;
-- an assert asks for its version, and that stands
SELECT pg_temp.verdict(format('SELECT version FROM docstore.save(%L)', format('[{"op": "assert", "log": "ledger", "stream": "x", "expected": %s}]', e))), e
FROM unnest('{2,1,"\"exists\"","\"none\"","\"any\""}'::text[]) e;
-- scopes over it stand, too
SELECT version FROM docstore.append('ledger', 'y', :one, 2, '[{"source": "x", "expected": 2}]');
SELECT docstore.tail('ledger', '{"source": "x"}');

-- one without events can be closed, and one that was made for it
SELECT docstore.create_stream('ledger', 'empty');
SELECT pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'empty', 1) $$) AS one, pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'empty', -2) $$) AS exists,
	pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'empty', -1) $$) AS any, pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'empty', 0) $$) AS zero;

-- 0 and NULL are that it has no events: one that has some exists, one that is not there has nothing to close
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger', 'y', 0) $$);
SELECT pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'y', NULL) $$) AS events, pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'empty', NULL) $$) AS none,
	pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'absent', 0) $$) AS absent, pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'absent', NULL) $$) AS absent;

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger', 'y', -3) $$);
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger', NULL, 3) $$);
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger', '', 3) $$);
CALL pg_temp.try($$ SELECT docstore.close_stream(NULL, 'y', 3) $$);
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger_streams', 'y', 3) $$);
BEGIN READ ONLY;
CALL pg_temp.try($$ SELECT docstore.close_stream('ledger', 'y', 3) $$);
COMMIT;

-- append and close in one transaction; rolled back
BEGIN;
SELECT version FROM docstore.append('ledger', 'z', :one, 0);
SELECT docstore.close_stream('ledger', 'z', 1);
SAVEPOINT a;
SELECT version FROM docstore.append('ledger', 'z', :one, 1);
ROLLBACK TO a;
SELECT version, closed_at IS NOT NULL AS closed FROM docstore.stream('ledger', 'z');
ROLLBACK;
SELECT count(*) FROM docstore.stream('ledger', 'z');
BEGIN;
SELECT docstore.close_stream('ledger', 'y', 3);
ROLLBACK;
SELECT version FROM docstore.append('ledger', 'y', :one, 3);

-- docstore.checks = off is no way in; deferred
SET docstore.checks = off;
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'x', '[{"type": "T"}]', 2) $$) AS closed,
	pg_temp.verdict($$ SELECT docstore.close_stream('ledger', 'y', 1) $$) AS stale;
RESET docstore.checks;
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.close_stream('ledger', 'y', 1);
SELECT version FROM docstore.append('ledger', 'x', :one, 2);
COMMIT;
SELECT stream, version, closed_at IS NOT NULL AS closed FROM ledger_streams ORDER BY stream;

-- opened again by its owner, in plain SQL
UPDATE ledger_streams SET closed_at = NULL WHERE stream = 'x';
SELECT version FROM docstore.append('ledger', 'x', :one, 2);

DROP TABLE ledger, ledger_streams, ledger_consumers;
