-- Handling a conflict as an application does: by its SQLSTATE, its constraint name and its DETAIL, never by its prose.
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION docstore;
SELECT plan(16);

SELECT docstore.create_collection('counters');
SELECT docstore.upsert_many('counters', '{a,b}', '{"{\"n\": 0}","{\"n\": 0}"}', NULL);

CREATE FUNCTION detail_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	constraint_name text;
BEGIN
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, constraint_name = CONSTRAINT_NAME;
	IF constraint_name <> 'docstore_expected_version' THEN
		RAISE;
	END IF;
	RETURN detail;
END
$$;

-- the DETAIL is JSON, and violations() turns it into rows
SELECT is(detail_of($$ SELECT docstore.upsert('counters', 'a', '{}', 7) $$)::jsonb,
	'{"total": 1, "violations": [{"item": 1, "op": "upsert", "kind": "document", "collection": "public.counters", "id": "a",
		"reason": "stale", "expected": 7, "actual": 1}]}', 'the DETAIL says what was expected and what is there');
SELECT results_eq($$ SELECT item, op, target, id, reason, expected, actual FROM docstore.violations(detail_of(
		'SELECT docstore.upsert_many(''counters'', ''{a,b,c}'', ''{"{}","{}","{}"}'', ''{7,0,-2}'')')) $$,
	$$ VALUES (1, 'upsert'::text, 'public.counters'::text, 'a'::text, 'stale'::text, 7::bigint, 1::bigint),
		(2, 'upsert', 'public.counters', 'b', 'exists', 0, 1), (3, 'upsert', 'public.counters', 'c', 'missing', -2, NULL) $$, 'one row for each');
SELECT is_empty('SELECT * FROM docstore.violations(NULL)', 'no DETAIL, no rows');
SELECT isnt_empty($$ SELECT * FROM docstore.violations('pooler: {"total": 1, "violations": [{"item": 1, "expected": 1}]} (sent to client)') $$,
	'it is found among other text');
SELECT throws_ok('SELECT docstore.violations(''Key (id)=(a) already exists.'')', '22023', 'detail is not the DETAIL of a version conflict');

-- load, change, save, again: a stale first try succeeds in the second
CREATE FUNCTION increment(counter text, seen bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	document record;
BEGIN
	LOOP
		SELECT version, data INTO document FROM docstore.load('counters', counter);
		BEGIN
			RETURN docstore.upsert('counters', counter, jsonb_set(document.data, '{n}', to_jsonb((document.data ->> 'n')::int + 1)), seen);
		EXCEPTION WHEN SQLSTATE 'PT409' THEN
			seen := document.version;
		END;
	END LOOP;
END
$$;
SELECT is(increment('a', 99), 2::bigint, 'a retry that loads again succeeds');
SELECT is(increment('a', 1), 3::bigint, 'and once more');
SELECT is((SELECT data FROM docstore.load('counters', 'a')), '{"n": 2}', 'no increment was lost');

-- settings
SET docstore.conflict_sqlstate = 'DS409';
SELECT throws_ok('SELECT docstore.upsert(''counters'', ''a'', ''{}'', 7)', 'DS409');
SELECT throws_ok('SET docstore.conflict_sqlstate = ''40001''', '22023', 'invalid value for parameter "docstore.conflict_sqlstate": "40001"');
RESET docstore.conflict_sqlstate;
SET docstore.max_violations = 1;
SELECT is(jsonb_array_length(detail_of($$ SELECT docstore.upsert_many('counters', '{a,b}', '{"{}","{}"}', '{7,7}') $$)::jsonb -> 'violations'), 1,
	'as many violations are listed as wanted');
SELECT is(detail_of($$ SELECT docstore.upsert_many('counters', '{a,b}', '{"{}","{}"}', '{7,7}') $$)::jsonb ->> 'total', '2', 'and all are counted');
SET LOCAL docstore.checks = off;
SELECT is(docstore.upsert('counters', 'a', '{}', 7), 4::bigint, 'without checks nothing is refused');
SELECT is(docstore.upsert('counters', 'new', '{}', 7), 1::bigint, 'nor missing');
RESET docstore.checks;

-- what is no version question keeps its own code
CREATE UNIQUE INDEX ON counters ((data ->> 'name'));
SELECT docstore.upsert('counters', 'a', '{"name": "a"}', 4);
SELECT throws_ok('SELECT docstore.upsert(''counters'', ''b'', ''{"name": "a"}'', 1)', '23505', NULL, 'a unique index of the user''s');
ALTER TABLE counters ADD CHECK (data ->> 'name' <> '');
SELECT throws_ok('SELECT docstore.upsert(''counters'', ''b'', ''{"name": ""}'', 1)', '23514', NULL, 'a check constraint of the user''s');

SELECT * FROM finish();
ROLLBACK;
