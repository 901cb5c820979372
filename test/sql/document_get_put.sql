-- docstore.get(), docstore.put() and items to put: the version travels inside the document
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('orders', 'bigint'), docstore.create_collection('guests', 'uuid');
CREATE SCHEMA "My Sales";
SELECT docstore.create_collection('"My Sales"."Shops"', 'integer');

-- put without a version creates, get gives back what was put, with its version
SELECT docstore.put('{"name": "Sperl", "@metadata": {"collection": "shops", "id": "c1"}}');
SELECT docstore.get('shops', 'c1');
SELECT docstore.get('shops', 'nowhere') IS NULL AS absent;
-- there and back: the new version comes with the answer, and what is stored knows nothing of it
SELECT docstore.put(docstore.get('shops', 'c1') || '{"open": true}');
SELECT docstore.put(docstore.put(docstore.get('shops', 'c1')) - 'open');
SELECT id, version, data FROM shops;

-- with a version that is not there any more: the conflict
CALL pg_temp.try($$ SELECT docstore.put('{"name": "Salieri", "@metadata": {"collection": "shops", "id": "c1", "version": 3}}') $$);
CALL pg_temp.try($$ SELECT docstore.put('{"name": "Salieri", "@metadata": {"collection": "shops", "id": "c1"}}') $$);
CALL pg_temp.try($$ SELECT docstore.put('{"name": "Salieri", "@metadata": {"collection": "shops", "id": "c2", "version": 1}}') $$);
SELECT id, version, data FROM shops;
-- the words for versions
SELECT pg_temp.verdict(format('SELECT docstore.put(%L)', format('{"@metadata": {"collection": "shops", "id": "%s", "version": %s}}', id, version))) AS verdict, id, version
FROM unnest('{c1,c2}'::text[]) id, jsonb_array_elements('[0, null, "none", "any", "exists", 4, -1, -2, -3, 1.5, "4", true, 1e70]') WITH ORDINALITY v(version, nr) ORDER BY id, nr;
SET docstore.checks = off;
SELECT docstore.put('{"n": 1, "@metadata": {"collection": "shops", "id": "c1", "version": 77}}');
RESET docstore.checks;

-- every type of id, which get gives as text; numbers are understood, too; names are qualified and quoted
SELECT docstore.put('{"@metadata": {"collection": "orders", "id": 7}}'), docstore.put('{"@metadata": {"collection": "\"My Sales\".\"Shops\"", "id": "8"}}'),
	docstore.put('{"@metadata": {"collection": "public.guests", "id": "A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11"}}');
SELECT docstore.put(docstore.get('orders', '7')), docstore.put(docstore.get('"My Sales"."Shops"', '8')),
	docstore.put(docstore.get('guests', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'));

-- without an id: a new UUID where the type of the ids allows one
SELECT docstore.put(docstore.put('{"n": 1, "@metadata": {"collection": "guests"}}') || '{"n": 2}') #- '{@metadata,id}' AS guest,
	docstore.put(docstore.put('{"n": 1, "@metadata": {"collection": "shops"}}')) #- '{@metadata,id}' AS shop;
SELECT length(id::text), version, data FROM guests WHERE data ? 'n' UNION ALL SELECT length(id), version, data FROM shops WHERE id <> 'c1';
CALL pg_temp.try($$ SELECT docstore.put('{"@metadata": {"collection": "orders"}}') $$);

-- names are read under the search_path
SET search_path = "My Sales";
SELECT docstore.put('{"n": 1, "@metadata": {"collection": "\"Shops\"", "id": 9}}');
RESET search_path;

-- a key @metadata that was stored is hidden by get, and gone after put; further down it is a key like others
SELECT docstore.upsert('shops', 'm', '{"n": 1, "@metadata": "stored", "in": {"@metadata": 1}}');
SELECT docstore.get('shops', 'm'), docstore.put(docstore.get('shops', 'm'));
SELECT data FROM shops WHERE id = 'm';

-- get after plain SQL: data that is NULL counts as {}, what is no object cannot carry a version
CREATE TABLE odd (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
INSERT INTO odd VALUES ('a', 1, NULL), ('b', 2, '[1]'), ('c', 3, '"text"'), ('d', 4, '{}');
SELECT docstore.get('odd', 'a'), docstore.get('odd', 'd');
CALL pg_temp.try($$ SELECT docstore.get('odd', 'b') $$);
CALL pg_temp.try($$ SELECT docstore.get('odd', 'c') $$);

-- get sees what the calling query's snapshot shows, and can be called for many rows
SELECT count(docstore.get('shops', id)) = count(*) AS each FROM shops;

-- large: stored out of line
SELECT length(docstore.put(jsonb_build_object('text', string_agg(md5(i::text), ''), '@metadata', '{"collection": "shops", "id": "big"}'::jsonb))::text)
FROM generate_series(1, 100000) i;
SELECT docstore.get('shops', 'big') - '@metadata' = data AS equal, length(data::text) FROM shops WHERE id = 'big';

-- items to put
SELECT item, op, target, id, version FROM docstore.save(jsonb_build_array(
	jsonb_build_object('op', 'put', 'data', docstore.get('shops', 'c1') || '{"n": 2}'),
	'{"op": "put", "data": {"n": 3, "@metadata": {"collection": "orders", "id": 8}}}'::jsonb,
	'{"op": "patch", "collection": "orders", "id": 7, "data": {"n": 4}, "expected": 2}'::jsonb,
	'{"op": "put", "data": {"n": 5, "@metadata": {"collection": "shops", "id": "c3", "version": "any"}}}'::jsonb));
SELECT id, version, data FROM shops WHERE id IN ('c1', 'c3') ORDER BY id;
SELECT id, version, data FROM orders ORDER BY id;
SELECT op, target, length(id) AS length, version FROM docstore.save('[{"op": "put", "data": {"@metadata": {"collection": "guests"}}}]');
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "put", "data": {"n": 1, "@metadata": {"collection": "shops", "id": "c1", "version": 1}}},
	{"op": "put", "data": {"n": 1, "@metadata": {"collection": "orders", "id": "8"}}},
	{"op": "put", "data": {"n": 1, "@metadata": {"collection": "orders", "id": "9"}}}]') $$);
SELECT * FROM docstore.try_save('[
	{"op": "put", "data": {"n": 1, "@metadata": {"collection": "shops", "id": "c1", "version": 6}}},
	{"op": "put", "data": {"n": 1, "@metadata": {"collection": "orders", "id": "9", "version": "exists"}}}]');
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "put", "data": {"@metadata": {"collection": "shops", "id": "c1", "version": 6}}},
	{"op": "assert", "collection": "public.shops", "id": "c1", "expected": 6}]') $$);

-- what is wrong with a document, in put and in an item
CREATE TABLE bad (nr serial, document text);
INSERT INTO bad (document) VALUES ('null'), ('[]'), ('"{\"@metadata\": {}}"'), ('{}'), ('{"@metadata": null}'), ('{"@metadata": "shops"}'), ('{"@metadata": ["shops"]}'),
	('{"@metadata": {}}'), ('{"@metadata": {"id": "a"}}'), ('{"@metadata": {"collection": null}}'), ('{"@metadata": {"collection": ""}}'),
	('{"@metadata": {"collection": {}}}'), ('{"@metadata": {"collection": "shops", "id": null}}'), ('{"@metadata": {"collection": "shops", "id": ""}}'),
	('{"@metadata": {"collection": "shops", "id": 7}}'), ('{"@metadata": {"collection": "shops", "id": {}}}'), ('{"@metadata": {"collection": "orders", "id": "x"}}'),
	('{"@metadata": {"collection": "orders", "id": 1e400}}'), ('{"@metadata": {"collection": "shops", "id": "a", "verison": 1}}'),
	('{"@metadata": {"collection": "shops", "id": "a", "version": []}}'), ('{"@metadata": {"collection": "shops", "id": "a", "version": -7}}'),
	('{"@metadata": {"collection": "nowhere", "id": "a"}}'), ('{"@metadata": {"collection": "a; b", "id": "a"}}'), ('{"@metadata": {"collection": "bad", "id": "a"}}');
DO $$
DECLARE
	document text;
BEGIN
	FOR document IN SELECT b.document FROM bad b ORDER BY b.nr LOOP
		RAISE INFO '%', document;
		CALL pg_temp.try(format('SELECT docstore.put(%L)', document));
		CALL pg_temp.try(format('SELECT * FROM docstore.save(%L)', format('[{"op": "put", "data": %s}]', document)));
	END LOOP;
END
$$;
CALL pg_temp.try($$ SELECT docstore.put(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.get(NULL, 'a') $$);
CALL pg_temp.try($$ SELECT docstore.get('shops', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.get('shops', '') $$);
CALL pg_temp.try($$ SELECT docstore.get('orders', 'x') $$);
CALL pg_temp.try($$ SELECT docstore.get('bad', 'x') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "put"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "put", "collection": "shops", "data": {"@metadata": {"collection": "shops"}}}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "put", "id": "a", "data": {"@metadata": {"collection": "shops"}}}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "put", "expected": 1, "data": {"@metadata": {"collection": "shops"}}}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "put", "more": 1, "data": {"@metadata": {"collection": "shops"}}}]') $$);
BEGIN READ ONLY;
SELECT docstore.get('shops', 'c3');
CALL pg_temp.try($$ SELECT docstore.put(docstore.get('shops', 'c3')) $$);
CALL pg_temp.try($$ SELECT docstore.patch('shops', 'c3', '{}', -1) $$);
COMMIT;

DROP TABLE shops, orders, guests, odd, bad;
DROP SCHEMA "My Sales" CASCADE;
