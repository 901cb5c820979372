-- Ids: text, uuid, bigint and integer; what is given as text or JSON becomes one canonical id
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('by_text'), docstore.create_collection('by_uuid', 'uuid'),
	docstore.create_collection('by_bigint', 'bigint'), docstore.create_collection('by_integer', 'integer');

-- each type, through each verb; results and conflicts show the canonical form
CREATE TEMP TABLE samples (nr serial, collection regclass, given text, another text);
INSERT INTO samples (collection, given, another) VALUES ('by_text', 'a b', 'A b'),
	('by_uuid', '{A0EEBC99-9C0B4EF8-BB6D6BB9BD380A11}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'),
	('by_bigint', ' +009223372036854775807 ', '-9223372036854775808'), ('by_integer', '0042', '-2147483648');
SELECT s.collection, docstore.upsert(s.collection, s.given, '{}'), docstore.upsert(s.collection, s.another, '{}') FROM samples s ORDER BY s.nr;
SELECT s.collection, d.id, d.version FROM samples s, docstore.load(s.collection, s.given) d ORDER BY s.nr;
SELECT s.collection, d.id, d.version FROM samples s, docstore.load_many(s.collection, ARRAY[s.another, 'nope', s.given]) WITH ORDINALITY d
WHERE s.nr = 1 ORDER BY d.ordinality;
SELECT s.collection, d.id, d.version FROM samples s, docstore.load_many(s.collection, ARRAY[s.another, s.given, s.another]) WITH ORDINALITY d
WHERE s.nr > 1 ORDER BY s.nr, d.ordinality;
SELECT s.collection, docstore.upsert_many(s.collection, ARRAY[s.another, s.given], '{"{}","{}"}', '{1,1}') FROM samples s ORDER BY s.nr;
SELECT s.collection, r.id, r.version, r.reason FROM samples s, docstore.try_save(jsonb_build_array(
	jsonb_build_object('op', 'upsert', 'collection', s.collection, 'id', s.given, 'data', '{}'::jsonb, 'expected', 7),
	jsonb_build_object('op', 'assert', 'collection', s.collection, 'id', s.another, 'expected', 2))) r
ORDER BY s.nr, r.item;
SELECT s.collection, docstore.delete(s.collection, s.given, 2) FROM samples s ORDER BY s.nr;
SELECT (SELECT id FROM by_text), (SELECT id FROM by_uuid) AS uuid, (SELECT id FROM by_bigint) AS bigint, (SELECT id FROM by_integer) AS integer;

-- numbers in JSON where ids are numbers
SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "by_bigint",  "id": 9007199254740993,    "data": {}, "expected": "any"},
	{"op": "assert", "collection": "by_bigint",  "id": -9223372036854775808, "expected": 2},
	{"op": "assert", "collection": "by_integer", "id": -2147483648.0,       "expected": 2},
	{"op": "assert", "collection": "by_integer", "id": 1e3,                 "expected": "none"}]') WHERE op = 'assert';
SELECT id FROM by_bigint ORDER BY id;

-- one document, however it is written
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "by_integer", "id": 7,      "data": {}},
	{"op": "upsert", "collection": "by_integer", "id": " 007", "data": {}}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "by_uuid", "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13", "data": {}},
	{"op": "upsert", "collection": "by_uuid", "id": "A0EEBC999C0B4EF8BB6D6BB9BD380A13",     "data": {}}]') $$);

-- text ids are compared by their bytes: case, blanks and normal forms make different ids
SELECT item, id = U&'e\0301' AS decomposed, length(id) FROM docstore.save(U&'[
	{"op": "upsert", "collection": "by_text", "id": "\00e9",  "data": {}, "expected": "any"},
	{"op": "upsert", "collection": "by_text", "id": "e\0301", "data": {}, "expected": "any"},
	{"op": "upsert", "collection": "by_text", "id": "E",      "data": {}, "expected": "any"},
	{"op": "upsert", "collection": "by_text", "id": "e",      "data": {}, "expected": "any"},
	{"op": "upsert", "collection": "by_text", "id": "e ",     "data": {}, "expected": "any"},
	{"op": "upsert", "collection": "by_text", "id": " ",      "data": {}, "expected": "any"}]');
SELECT count(*) FROM docstore.load_many('by_text', ARRAY[U&'\00e9', U&'e\0301', 'E', 'e', 'e ', ' ', '  ']);

-- ids of 2,000 characters, which differ in the last one only
CREATE TEMP TABLE long (id text);
INSERT INTO long SELECT string_agg(md5(i::text), '') || repeat('x', 15) || last
FROM generate_series(1, 62) i, (VALUES ('1'), ('2')) l(last) GROUP BY last;
SELECT length(id), docstore.upsert('by_text', id, jsonb_build_object('last', right(id, 1)), -1) > 0 AS saved FROM long;
SELECT d.data, d.id = l.id AS same FROM long l, docstore.load('by_text', l.id) d ORDER BY d.data;
SELECT count(*) FROM docstore.load_many('by_text', (SELECT array_agg(id) FROM long));
SELECT pg_temp.verdict(format('SELECT docstore.upsert(%L, %L, %L, 77)', 'by_text', id, '{}')) FROM long;

-- what is no id of the type
CALL pg_temp.try($$ SELECT docstore.load('by_uuid', 'a0eebc99') $$);
CALL pg_temp.try($$ SELECT docstore.load('by_bigint', '1.0') $$);
CALL pg_temp.try($$ SELECT docstore.load('by_bigint', '9223372036854775808') $$);
CALL pg_temp.try($$ SELECT docstore.load('by_integer', '2147483648') $$);
CALL pg_temp.try($$ SELECT docstore.load('by_integer', ' ') $$);
CALL pg_temp.try($$ SELECT docstore.load_many('by_integer', '{1,x}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('by_integer', '{1,2147483648}', '{"{}","{}"}', NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "delete", "collection": "by_integer", "id": 2147483648, "expected": 1}]') $$);

DROP TABLE by_text, by_uuid, by_bigint, by_integer, samples, long;
