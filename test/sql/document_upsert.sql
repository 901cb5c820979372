-- docstore.upsert(): save one document. A01 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');

-- A01: absent, expected absent: stored, with the first version
SELECT docstore.upsert('shops', 'c1', '{"name": "Mozart''s", "open": true}', docstore.no_version());

-- A02: absent, expected "any": stored
SELECT docstore.upsert('shops', 'c2', '{}', docstore.any_version());

-- A04: expected the version that is there: a new version, and the body is replaced as a whole
SELECT docstore.upsert('shops', 'c1', '{"name": "Mozart"}', 1);
SELECT id, version, data FROM shops WHERE id = 'c1';

-- A05: expected an older version: the conflict names the id, the expected and the actual version, and the body stays
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'c1', '{"name": "Salieri"}', 1) $$);
SELECT id, version, data FROM shops WHERE id = 'c1';

-- A07: expected "any": overwritten, one version more
SELECT docstore.upsert('shops', 'c1', '{"name": "Wolfgang"}', docstore.any_version());

-- A08: expected a version ahead of anything ever given: equality, not "at least"
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'c1', '{"name": "Salieri"}', 9) $$);
SELECT id, version, data FROM shops WHERE id = 'c1';

-- A11: s2 loaded version 3; s3 saves; s2 gets the conflict, and again when it retries unchanged
SELECT docstore.upsert('shops', 'c1', '{"by": "s3"}', 3);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'c1', '{"by": "s2"}', 3) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'c1', '{"by": "s2"}', 3) $$);
SELECT id, version, data FROM shops WHERE id = 'c1';

-- A13: no id, or an empty one: an argument error, not a conflict
CALL pg_temp.try($$ SELECT docstore.upsert('shops', NULL, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', '', '{}', 7) $$);

-- A14: 0, NULL or nothing on what is there: a conflict, never silently "any"
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'c1', '{}', 0) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'c1', '{}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'c1', '{}') $$);
SELECT id, version, data FROM shops WHERE id = 'c1';

-- expected to be there, and it is not: never an insert
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'new', '{}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'new', '{}', docstore.some_version()) $$);
SELECT count(*) FROM shops WHERE id = 'new';

-- expected to be there, at whatever version
SELECT docstore.upsert('shops', 'c2', '{"n": 1}', docstore.some_version());

-- identical data is a write
SELECT docstore.upsert('shops', 'c2', '{"n": 1}', 2);

-- without a subtransaction around it, and with its code
SELECT docstore.upsert('shops', 'c2', '{"n": 2}', 2);
\echo :LAST_ERROR_SQLSTATE
SELECT id, version, data FROM shops WHERE id = 'c2';

-- A17: unicode, surrogate pairs, and what needs escapes in JSON
SELECT docstore.upsert('shops', 'u', '{"k\u00e4se": "\ud83d\ude00 \u6f22\u5b57 \"quoted\" \\ \n \u00a0"}');
SELECT data = U&'{"k\00e4se": "\+01f600 \6f22\5b57 \\"quoted\\" \\\\ \\n \00a0"}'::jsonb AS equal FROM docstore.load('shops', 'u');

-- created_at stays, updated_at is the time of the writing transaction
UPDATE shops SET created_at = '2001-01-01', updated_at = '2001-01-01' WHERE id = 'c2';
BEGIN;
SELECT docstore.upsert('shops', 'c2', '{}', 3), docstore.upsert('shops', 'c3', '{}');
SELECT id, created_at = '2001-01-01' AS kept, created_at = now() AS created_now, updated_at = now() AS updated_now
FROM shops WHERE id IN ('c2', 'c3') ORDER BY id;
COMMIT;

-- a version that was rolled back was never there
BEGIN;
SELECT docstore.upsert('shops', 'c2', '{}', 4);
ROLLBACK;
SELECT docstore.upsert('shops', 'c2', '{}', 4);

-- a create that fails again and again does not leave a dead row each time; nor does one that fails now and then
CREATE FUNCTION pg_temp.rows_left(creates text[], OUT taken int, OUT left_dead bigint) LANGUAGE plpgsql AS $$
DECLARE
	id text;
	inserted bigint := pg_stat_get_xact_tuples_inserted('shops'::regclass);
	created int := 0;
BEGIN
	taken := 0;
	FOREACH id IN ARRAY creates LOOP
		BEGIN
			PERFORM docstore.upsert('shops', id, '{}');
			created := created + 1;
		EXCEPTION WHEN SQLSTATE 'PT409' THEN
			taken := taken + 1;
		END;
	END LOOP;
	left_dead := pg_stat_get_xact_tuples_inserted('shops'::regclass) - inserted - created;
END
$$;
SELECT taken, left_dead <= 1 AS at_most_one FROM pg_temp.rows_left(array_fill('c2'::text, ARRAY[25]));
SELECT taken, left_dead FROM pg_temp.rows_left(array_fill('c2'::text, ARRAY[25]));
SELECT taken, left_dead FROM pg_temp.rows_left((SELECT array_agg(CASE WHEN n % 20 = 0 THEN 'c2' ELSE 'new-' || n END ORDER BY n) FROM generate_series(1, 60) n));

DROP TABLE shops;
