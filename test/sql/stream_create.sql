-- docstore.create_stream(), stream(): provisioning a stream and looking at it. G01 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');

-- G04: no such stream: no row, no error
SELECT * FROM docstore.stream('ledger', 's');

-- G01: provision: version 0, no events; what comes back is its version
SELECT docstore.create_stream('ledger', 's');
SELECT count(*) FROM ledger;
-- G07: one row, no row
SELECT stream, version, revision, properties, created_at = (SELECT created_at FROM ledger_streams) AS created, closed_at FROM docstore.stream('ledger', 's');
SELECT count(*) FROM docstore.stream('ledger', 'S');
-- G02: provision again
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 's') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 's', '{"owner": "bob"}') $$);
-- with properties; when it was made is when its transaction began
BEGIN;
SELECT docstore.create_stream('ledger', 't', '{"owner": "ann", "limits": {"day": 100}}');
SELECT stream, version, revision, properties, created_at = now() AS now, closed_at FROM docstore.stream('ledger', 't');
COMMIT;
-- what was appended to without being made first is a stream, too
SELECT * FROM docstore.append('ledger', 'u', '[{"type": "A"}, {"type": "B"}]');
SELECT stream, version, revision, properties, created_at <= now() AS past, closed_at FROM docstore.stream('ledger', 'u');
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 'u') $$);

-- all names that are not empty are streams, to the byte
SELECT docstore.create_stream('ledger', n) FROM unnest(ARRAY['S', ' s', 's ', U&'\00e9', U&'e\0301', 's;', '"', '{"}', repeat('x', 2000)]) n;
SELECT length(s.stream), s.version FROM ledger_streams l, docstore.stream('ledger', l.stream) s WHERE l.stream = s.stream AND l.version = 0 ORDER BY 1, l.stream;
SELECT version FROM docstore.append('ledger', U&'\00e9', '[{"type": "A"}]', 0);
SELECT version FROM docstore.stream('ledger', U&'e\0301');
-- too long for an index
SELECT docstore.create_stream('ledger', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) i));
SELECT version FROM docstore.append('ledger', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) i), '[{"type": "A"}]');

-- properties that are no object, and other bad arguments
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 'x', '[1]') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 'x', '7') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 'x', 'null') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 'x', '"{\"owner\": \"ann\"}"') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 'x', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', '') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream(NULL, 'x') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream(0, 'x') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger_streams', 'x') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger_consumers', 'x') $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('pg_class', 'x') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.stream(NULL, 's') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.stream('ledger', NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.stream('ledger', '') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.stream('ledger_consumers', 's') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.stream('ledger_pkey', 's') $$);
-- an argument error is told before a conflict
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 's', '[1]') $$);
SELECT count(*) FROM ledger_streams WHERE stream = 'x';

-- where nothing may be written
BEGIN READ ONLY;
SELECT version FROM docstore.stream('ledger', 'u');
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 'x') $$);
COMMIT;

-- what is rolled back has never been
BEGIN;
SELECT docstore.create_stream('ledger', 'x');
SAVEPOINT a;
SELECT version FROM docstore.append('ledger', 'x', '[{"type": "A"}]', 0);
ROLLBACK TO a;
SELECT version, revision FROM docstore.stream('ledger', 'x');
SELECT version FROM docstore.append('ledger', 'x', '[{"type": "A"}]', 0);
ROLLBACK;
SELECT count(*) FROM docstore.stream('ledger', 'x');
SELECT docstore.create_stream('ledger', 'x');

-- docstore.checks = off: every expectation is any, also that a stream is new; what there is stays
SET docstore.checks = off;
SELECT pg_temp.verdict($$ SELECT docstore.create_stream('ledger', 'u', '{"owner": "eve"}') $$);
RESET docstore.checks;
SELECT version FROM docstore.stream('ledger', 'u');

-- deferred conflicts: NULL, and the conflict at the end
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.create_stream('ledger', 's'), docstore.create_stream('ledger', 'new');
COMMIT;
SELECT count(*) FROM docstore.stream('ledger', 'new');

DROP TABLE ledger, ledger_streams, ledger_consumers;
