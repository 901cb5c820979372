-- Bad arguments: each has its SQLSTATE, says what is wrong with which item, and what to do; nothing changes
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('guests', 'uuid'), docstore.create_collection('orders', 'bigint');
CREATE TABLE plain (id text PRIMARY KEY, version integer);
SELECT docstore.upsert('shops', 'a', '{"n": 1}'), docstore.upsert('orders', '7', '{"n": 1}');

-- save: changes must be an array of objects
CREATE PROCEDURE pg_temp.save(changes text) LANGUAGE plpgsql AS $$
BEGIN
	CALL pg_temp.try(pg_catalog.format('SELECT * FROM docstore.save(%L)', changes));
END
$$;
CALL pg_temp.save(NULL);
CALL pg_temp.save('{"op": "upsert"}');
CALL pg_temp.save('"[]"');
CALL pg_temp.save('7');
CALL pg_temp.save('null');
CALL pg_temp.save('[7]');
CALL pg_temp.save('[null]');
CALL pg_temp.save('["{}"]');
CALL pg_temp.save('[[]]');

-- op
CALL pg_temp.save('[{"collection": "shops", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "replace", "collection": "shops", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "UPSERT", "collection": "shops", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": null, "collection": "shops", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": 1, "collection": "shops", "id": "a", "data": {}}]');

-- unknown and superfluous keys
CREATE FUNCTION pg_temp.refused(items text, OUT message text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.save(items::jsonb);
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END
$$;
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expcted": 1}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "Expected": 1}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "": 1}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "new\nline": 1}]');
-- near misses: the key that was meant, if that op has it, and all that it has
SELECT op, left(key, 20) AS key, message, hint FROM (VALUES (1, 'patch', 'patch'), (2, 'patch', 'document'), (3, 'put', 'document'), (4, 'delete', 'document'), (5, 'upsert', 'version'),
	(6, 'upsert', 'expected_version'), (7, 'upsert', 'expectedVersion'), (8, 'upsert', 'table'), (9, 'upsert', 'COLLECTION'), (10, 'upsert', 'Id'), (11, 'assert', 'Scope'),
	(12, 'append', 'event'), (13, 'append', 'version'), (14, 'append', 'expectedRevision'), (15, 'set_properties', 'version'), (16, 'set_properties', 'revision'),
	(17, 'create_stream', 'property'), (18, 'close_stream', 'source'), (19, 'upsert', 'more'), (20, 'nothing', 'documents'), (21, 'upsert', repeat('expected', 1000)))
	k(nr, op, key), pg_temp.refused(format('[{"op": "%s", "%s": {}}]', op, key)) ORDER BY nr;
CALL pg_temp.save('[{"Op": "upsert", "collection": "shops", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"patch": {"open": true}}]');
CALL pg_temp.save('[{"op": "delete", "collection": "shops", "id": "a", "data": {}, "expected": 1}]');
CALL pg_temp.save('[{"op": "assert", "collection": "shops", "id": "a", "data": null, "expected": 1}]');

-- collection
CALL pg_temp.save('[{"op": "upsert", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": null, "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": 1259, "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "b", "data": {}}, {"op": "upsert", "collection": "shoppes", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "nowhere.shops", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "plain", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "a; b", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "a.b.c.d", "id": "a", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "elsewhere.public.shops", "id": "a", "data": {}}]');
CALL pg_temp.save(format('[{"op": "upsert", "collection": "%s", "id": "a", "data": {}}]', repeat('x', 300)));

-- id
CALL pg_temp.save('[{"op": "delete", "collection": "shops", "expected": 1}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": null, "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": 7, "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": {}, "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "guests", "id": "mozart", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "guests", "id": true, "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "orders", "id": 8, "data": {}}, {"op": "upsert", "collection": "orders", "id": "x7", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "orders", "id": 1.5, "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "orders", "id": "9223372036854775808", "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "orders", "id": 1e1000, "data": {}}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "orders", "id": [7], "data": {}}]');

-- data
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a"}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": null}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": []}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": true}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": "{}"}]');

-- expected: the vocabulary is in the test expectations
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 99999999999999999999}]');
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 1e1000}]');
CALL pg_temp.save('[{"op": "delete", "collection": "shops", "id": "a"}]');
CALL pg_temp.save('[{"op": "assert", "collection": "shops", "id": "a"}]');

-- upsert and delete
CALL pg_temp.try($$ SELECT docstore.upsert(NULL, 'a', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', 'null') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', '[1]') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', '"{\"a\": 1}"') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'a', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('guests', 'x', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('orders', '', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('orders', 'seven', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert(0::oid::regclass, 'a', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.delete('orders', '9223372036854775808', 1) $$);
CALL pg_temp.try($$ SELECT docstore.delete('plain', 'a', 1) $$);

-- upsert_many: NULLs, lengths, dimensions
CALL pg_temp.try($$ SELECT docstore.upsert_many(NULL, '{a}', '{"{}"}', '{1}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', NULL, '{"{}"}', '{1}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{a}', NULL, '{1}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b,NULL}', '{"{}","{}"}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b,c}', '{"{}",NULL}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b,""}', '{"{}","{}"}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b,c}', '{"{}","\"{}\""}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b,c}', '{"{}"}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b,c}', '{"{}","{}","{}"}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b,c}', '{"{}","{}"}', '{0}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b}', '{"{}"}', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{}', '{}', '{1}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{{b,c}}', '{"{}","{}"}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b,c}', '{{"{}"},{"{}"}}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{b}', '{"{}"}', '{{0}}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('orders', '{8,x}', '{"{}","{}"}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('plain', '{b}', '{"{}"}', NULL) $$);

-- nothing has changed; the same calls refuse bad arguments while conflicts are deferred, and remember nothing
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', '[1]', 9) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('guests', 'x', '{}', 9) $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'a', 0) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{a,a}', '{"{}","{}"}', '{9,9}') $$);
CALL pg_temp.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 9}, {"op": "delete", "collection": "shops"}]');
COMMIT;
SELECT id, version, data FROM shops;
SELECT id, version, data FROM orders;
SELECT count(*) FROM guests;

DROP TABLE shops, guests, orders, plain;
