-- Expected versions: one vocabulary, whatever the function, in SQL and in JSON
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.no_version(), docstore.any_version(), docstore.some_version();

-- documents at version 2, and none with the id "absent"; deletes have a collection of their own
SELECT docstore.create_collection('shops'), docstore.create_collection('bin');
SELECT c, docstore.upsert_many(c, '{there,other}', '{"{}","{}"}', NULL) FROM unnest('{shops,bin}'::regclass[]) c;
SELECT c, docstore.upsert_many(c, '{there,other}', '{"{}","{}"}', '{1,1}') FROM unnest('{shops,bin}'::regclass[]) c;

-- in SQL: what each expected version answers
CREATE TEMP TABLE expected_in_sql (nr serial, expected bigint);
INSERT INTO expected_in_sql (expected) VALUES (2), (1), (3), (0), (NULL), (-1), (-2), (-3),
	(9223372036854775807), (-9223372036854775808);
PREPARE in_sql AS
SELECT e.expected, d.id AS document,
	pg_temp.verdict(format('SELECT docstore.upsert(%L, %L, %L, %L::bigint)', 'shops', d.id, '{}', e.expected)) AS upsert,
	pg_temp.verdict(format('SELECT docstore.delete(%L, %L, %L::bigint)', 'bin', d.id, e.expected)) AS delete,
	pg_temp.verdict(format('SELECT docstore.upsert_many(%L, %L, %L, ARRAY[%L::bigint])',
						   'shops', '{' || d.id || '}', '{"{}"}', e.expected)) AS upsert_many,
	pg_temp.verdict(format('SELECT docstore.upsert_many(%L, %L, %L, ARRAY[2, %L::bigint])',
						   'shops', '{other,' || d.id || '}', '{"{}","{}"}', e.expected)) AS upsert_two
FROM expected_in_sql e, (VALUES ('there'), ('absent')) d(id)
ORDER BY d.id COLLATE "C" DESC, e.nr;
EXECUTE in_sql;

-- left out: absent
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'there', '{}') $$) AS there,
	pg_temp.verdict($$ SELECT docstore.upsert('shops', 'absent', '{}') $$) AS absent;
SELECT pg_temp.verdict($$ SELECT docstore.upsert_many('shops', '{there}', '{"{}"}', NULL) $$) AS there,
	pg_temp.verdict($$ SELECT docstore.upsert_many('shops', '{absent}', '{"{}"}', NULL) $$) AS absent;

-- in JSON; NULL stands for an item without the key
CREATE TEMP TABLE expected_in_json (nr serial, expected text);
INSERT INTO expected_in_json (expected) VALUES ('2'), ('1'), ('3'), ('0'), ('"none"'), ('null'), (NULL), ('-1'), ('"any"'),
	('-2'), ('"exists"'), ('2.0'), ('0.2e1'), ('-0'), ('9223372036854775807'), ('9223372036854775808'), ('-3'), ('1.5'), ('1e30'),
	('""'), ('"2"'), ('"1"'), ('"0"'), ('"-1"'), ('"02"'), ('"9223372036854775807"'), ('"9223372036854775808"'), ('"Any"'), ('"any "'), ('"stale"'), ('true'), ('false'), ('[]'), ('{}');
CREATE FUNCTION pg_temp.items(op text, id text, expected text) RETURNS text RETURN
	format('[{"op": "%s", "collection": "%s", "id": "%s"%s%s}]', op, CASE op WHEN 'delete' THEN 'bin' ELSE 'shops' END, id,
		   CASE op WHEN 'upsert' THEN ', "data": {}' END, ', "expected": ' || expected);
PREPARE in_json AS
SELECT e.expected, d.id AS document,
	pg_temp.verdict(format('SELECT version FROM docstore.save(%L)', pg_temp.items('upsert', d.id, e.expected))) AS upsert,
	pg_temp.verdict(format('SELECT version FROM docstore.save(%L)', pg_temp.items('delete', d.id, e.expected))) AS delete,
	pg_temp.verdict(format('SELECT version FROM docstore.save(%L)', pg_temp.items('assert', d.id, e.expected))) AS assert,
	pg_temp.verdict(format('SELECT COALESCE(reason, version::text) FROM docstore.try_save(%L)',
						   pg_temp.items('upsert', d.id, e.expected))) AS try_upsert
FROM expected_in_json e, (VALUES ('there'), ('absent')) d(id)
ORDER BY d.id COLLATE "C" DESC, e.nr;
EXECUTE in_json;

-- A14: a wrong word or number, an empty one too, is told from a conflict, and answered with the vocabulary
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'there', '{}', -3) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{there,absent}', '{"{}","{}"}', '{1,-4}') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save(pg_temp.items('upsert', 'there', '"latest"')::jsonb) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save(pg_temp.items('upsert', 'there', '""')::jsonb) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save(pg_temp.items('upsert', 'there', '1.5')::jsonb) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save(pg_temp.items('upsert', 'there', 'true')::jsonb) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save(pg_temp.items('assert', 'there', NULL)::jsonb) $$);

-- docstore.checks = off: every expectation counts as "any", and what is none is still refused
SET docstore.checks = off;
EXECUTE in_sql;
EXECUTE in_json;
RESET docstore.checks;

-- for one transaction only
BEGIN;
SET LOCAL docstore.checks = off;
SELECT docstore.upsert('shops', 'there', '{}', 7);
COMMIT;
SHOW docstore.checks;
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'there', '{}', 7) $$);

DROP TABLE shops, bin, expected_in_sql, expected_in_json;
