-- The conflict: every field of the error, its settings, and docstore.violations()
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('orders', 'integer');
SELECT docstore.upsert_many('shops', '{a,b,c}', '{"{}","{}","{}"}', NULL), docstore.upsert('orders', '7', '{}');

-- what a client gets, without any prose
CREATE PROCEDURE pg_temp.show_fields(statement text) LANGUAGE plpgsql AS $$
DECLARE
	code text; message text; detail text; hint text; constr text; schema text; tab text;
BEGIN
	EXECUTE statement;
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, constr = CONSTRAINT_NAME, schema = SCHEMA_NAME, tab = TABLE_NAME;
	RAISE INFO E'% %\nDETAIL:  %\nHINT:  %\nCONSTRAINT: "%", SCHEMA: "%", TABLE: "%"', code, message, detail, hint, constr, schema, tab;
END
$$;

-- E10: one violation; two in one collection; two in different ones, which then is not named
CALL pg_temp.show_fields($$ SELECT docstore.upsert('shops', 'a', '{}', 9) $$);
CALL pg_temp.show_fields($$ SELECT docstore.delete('orders', '8', docstore.some_version()) $$);
CALL pg_temp.show_fields($$ SELECT docstore.upsert_many('shops', '{a,b,c}', '{"{}","{}","{}"}', '{0,1,5}') $$);
CALL pg_temp.show_fields($$ SELECT * FROM docstore.save('[
	{"op": "assert", "collection": "orders", "id": 8,   "expected": 3},
	{"op": "upsert", "collection": "shops",  "id": "a", "expected": 9, "data": {}},
	{"op": "assert", "collection": "shops",  "id": "b", "expected": 1}]') $$);
-- the one violation is in shops, whatever else the batch holds
CALL pg_temp.show_fields($$ SELECT * FROM docstore.save('[
	{"op": "assert", "collection": "orders", "id": 7,   "expected": 1},
	{"op": "upsert", "collection": "shops",  "id": "a", "expected": 9, "data": {}}]') $$);

-- at most docstore.max_violations are listed, the first ones; total counts all
SHOW docstore.max_violations;
SET docstore.max_violations = 2;
CALL pg_temp.show_fields($$ SELECT docstore.upsert_many('shops', '{a,b,c}', '{"{}","{}","{}"}', '{9,8,7}') $$);
SET docstore.max_violations = 0;
RESET docstore.max_violations;
SELECT docstore.upsert_many('orders', array_agg(i::text), array_agg('{}'::jsonb), NULL) IS NOT NULL AS created
FROM generate_series(1001, 1150) i;
CREATE FUNCTION pg_temp.detail_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; BEGIN EXECUTE statement; RETURN NULL;
EXCEPTION WHEN SQLSTATE 'PT409' THEN GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL; RETURN detail; END
$$;
SELECT d::jsonb -> 'total' AS total, jsonb_array_length(d::jsonb -> 'violations') AS listed, d::jsonb #> '{violations,99,id}' AS last
FROM pg_temp.detail_of($$ SELECT docstore.upsert_many('orders', array_agg(i::text), array_agg('{}'::jsonb), NULL)
	FROM generate_series(1001, 1150) i $$) d;

-- any character in an id or in a name: one line of valid JSON, from which the id comes back as it was
SELECT docstore.create_collection('"Odd ""na\me"');
CREATE TEMP TABLE odd (nr serial, id text);
INSERT INTO odd (id) VALUES ('it''s'), ('"quoted"'), ('back\slash'), (E'line\nfeed\r\ttab'), (E'\x01\x1f\x7f'), (U&'\00e4\6f22\+01f600'),
	(U&'\2028\2029'), ('{"total": 1}'), (' '), ('</script>'), ('%s %d');
SELECT o.nr, d::jsonb -> 'total' AS total, d !~ '[\n\r\t\x01-\x1f]' AS one_line, v.id = o.id AS same_id, v.target, v.reason
FROM odd o, pg_temp.detail_of(format('SELECT docstore.upsert(%L, %L, %L, 1)', '"Odd ""na\me"', o.id, '{}')) d, docstore.violations(d) v
ORDER BY o.nr;

-- docstore.conflict_sqlstate
SHOW docstore.conflict_sqlstate;
SET docstore.conflict_sqlstate = 'DS001';
CALL pg_temp.show_fields($$ SELECT docstore.upsert('shops', 'a', '{}', 9) $$);
SET docstore.conflict_sqlstate = '23505';
SELECT docstore.upsert('shops', 'a', '{}', 9);
\echo :LAST_ERROR_SQLSTATE
-- refused: what clients replay blindly, what is no error, what is no SQLSTATE; the setting stays
SET docstore.conflict_sqlstate = '40001';
SET docstore.conflict_sqlstate = '00000';
SET docstore.conflict_sqlstate = '01004';
SET docstore.conflict_sqlstate = '02000';
SET docstore.conflict_sqlstate = 'pt409';
SET docstore.conflict_sqlstate = 'PT4090';
SET docstore.conflict_sqlstate = 'PT40';
SET docstore.conflict_sqlstate = 'PT 09';
SET docstore.conflict_sqlstate = '';
SHOW docstore.conflict_sqlstate;
RESET docstore.conflict_sqlstate;

-- the prefix is reserved: a setting that does not exist is refused
SET docstore.conflict_sqlstat = 'PT409';

-- violations(): rows, with expected and actual as in SQL
SELECT * FROM docstore.violations(pg_temp.detail_of($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops",  "id": "a", "data": {}, "expected": 9},
	{"op": "upsert", "collection": "shops",  "id": "b", "data": {}, "expected": "none"},
	{"op": "delete", "collection": "orders", "id": 9, "expected": "exists"},
	{"op": "assert", "collection": "orders", "id": 7, "expected": "any"},
	{"op": "assert", "collection": "orders", "id": 8, "expected": 3}]') $$));

-- also with what proxies and drivers put around it
SELECT * FROM docstore.violations(E'proxy {7}: DETAIL:  {"total": 1, "violations": [{"item": 1, "op": "upsert", "kind": "document",
	"collection": "public.shops", "id": "a}{", "reason": "stale", "expected": "any", "actual": null}]}\r\n (at line 1)');
SELECT * FROM docstore.violations('{"total": 1, "violations": []}');
SELECT * FROM docstore.violations(NULL);

-- what is no conflict's DETAIL
CALL pg_temp.try($$ SELECT docstore.violations('') $$);
CALL pg_temp.try($$ SELECT docstore.violations('Key (id)=(a) already exists.') $$);
CALL pg_temp.try($$ SELECT docstore.violations('{"total": 1}') $$);
CALL pg_temp.try($$ SELECT docstore.violations('{"total": 1, "violations": {}}') $$);
CALL pg_temp.try($$ SELECT docstore.violations('{"total": 1, "violations": ["a"]}') $$);
CALL pg_temp.try($$ SELECT docstore.violations('} before {"total": ') $$);
-- what has nothing to do with the DETAIL keeps its code: here the server's stack ends
SELECT pg_temp.verdict($$ SELECT docstore.violations('{"total": ' || repeat('{"a": ', 100000) || '1' || repeat('}', 100001)) $$);
SELECT detail, pg_temp.verdict(format('SELECT docstore.violations(%L)', detail))
FROM unnest('{"{\"total\": }", "{\"total\": 1, \"violations\": [{\"item\": 3000000000}]}", "{\"total\": 1, \"violations\": [{\"item\": 1e30}]}",
	"{\"total\": 1, \"violations\": [{\"item\": 1, \"expected\": \"latest\"}]}", "{\"total\": 1, \"violations\": [[]]}"}'::text[]) detail;

-- settings that were made before the library was loaded are checked when it is
\c -
SET docstore.conflict_sqlstate = '40001';
SET docstore.max_violations = 0;
SET docstore.checks = off;
SELECT docstore.upsert('shops', 'a', '{}', 9);
SHOW docstore.checks;
SHOW docstore.max_violations;
RESET docstore.checks;
SELECT docstore.upsert('shops', 'a', '{}', 9);
\echo :LAST_ERROR_SQLSTATE

DROP TABLE shops, orders, "Odd ""na\me";
