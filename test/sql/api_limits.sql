-- Limits: many, large, deep, the highest version, and transactions that may not write
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('orders', 'integer');

-- a thousand collections in one batch: created, changed, one conflict over all of them
DO $$
BEGIN
	FOR i IN 1..1000 LOOP
		PERFORM docstore.create_collection('limit_' || i);
		COMMIT;
	END LOOP;
END
$$;
CREATE FUNCTION pg_temp.one_for_each(op jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('collection', 'limit_' || i, 'id', 'a') || op ORDER BY i * 37 % 1000)
	FROM generate_series(1, 1000) i $$;
SELECT count(*), sum(version) FROM docstore.save(pg_temp.one_for_each('{"op": "upsert", "data": {}}'));
SELECT count(*), sum(version) FROM docstore.save(pg_temp.one_for_each('{"op": "upsert", "data": {}, "expected": 1}'));
SELECT count(*), sum(actual) FROM docstore.try_save(pg_temp.one_for_each('{"op": "assert", "expected": 3}')) WHERE reason = 'stale';
SELECT count(*), sum(version) FROM docstore.save(pg_temp.one_for_each('{"op": "delete", "expected": "any"}'));
-- and one after the other, twice, since not all plans can be kept
SELECT sum(docstore.upsert(format('limit_%s', i)::regclass, 'b', '{}', -1)) > 0 AS saved FROM generate_series(1, 1000) i;
SELECT sum((SELECT count(*) FROM docstore.load(format('limit_%s', i)::regclass, 'b'))) AS loaded FROM generate_series(1, 1000) i;
DO $$
BEGIN
	FOR i IN 1..1000 LOOP
		EXECUTE 'DROP TABLE limit_' || i;
		COMMIT;
	END LOOP;
END
$$;

-- a hundred thousand items: as JSON, as arrays, changed, stale, deleted
CREATE FUNCTION pg_temp.items(op jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('collection', 'orders', 'id', i) || op ORDER BY i * 7919::bigint % 100000)
	FROM generate_series(1, 100000) i $$;
SELECT count(*), sum(version), min(item), max(item) FROM docstore.save(pg_temp.items('{"op": "upsert", "data": {"n": 1}}'));
SELECT count(*), sum(version) FROM docstore.save(pg_temp.items('{"op": "upsert", "data": {"n": 2}, "expected": 1}'));
SELECT pg_temp.verdict($$ SELECT count(*) FROM docstore.save(pg_temp.items('{"op": "upsert", "data": {"n": 3}, "expected": 7}')) $$)
	~ '^(stale, ){99}stale$' AS hundred_listed;
SELECT count(*), sum(actual) FROM docstore.try_save(pg_temp.items('{"op": "delete", "expected": 7}'))
WHERE reason = 'stale' AND version IS NULL;
SELECT array_length(docstore.upsert_many('orders', array_agg(i::text), array_agg('{"n": 4}'::jsonb), array_agg(2)), 1)
FROM generate_series(1, 100000) i;
SELECT count(*), sum(version) FROM docstore.load_many('orders', ARRAY(SELECT i::text FROM generate_series(1, 100000) i));
SELECT version, data, count(*) FROM orders GROUP BY 1, 2;
SELECT count(*), sum(version) FROM docstore.save(pg_temp.items('{"op": "delete", "expected": 3}'));
SELECT count(*) FROM orders;
-- the last one fails: none is saved
SELECT docstore.upsert('shops', 'stale', '{}');
SELECT pg_temp.verdict($$ SELECT count(*) FROM docstore.save(pg_temp.items('{"op": "upsert", "data": {}}')
	|| '[{"op": "upsert", "collection": "shops", "id": "stale", "data": {}, "expected": 9}]') $$);
SELECT count(*) FROM orders;

-- documents of 10 MB, one by one and in a batch
CREATE TEMP TABLE big AS SELECT jsonb_build_object('text', string_agg(md5(i::text), '')) AS data FROM generate_series(1, 330000) i;
SELECT length(data::text) > 10 * 1024 * 1024 AS large FROM big;
SELECT docstore.upsert('shops', 'big1', data) FROM big;
SELECT docstore.upsert('shops', 'big1', data || '{"more": 1}', 1) FROM big;
SELECT count(*), sum(version) FROM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'upsert', 'collection', 'shops', 'id', 'big' || i,
	'data', data || '{"more": 2}', 'expected', 'any')) FROM big, generate_series(1, 3) i));
SELECT d.id, d.version, d.data - 'more' = big.data AS equal, d.data -> 'more' AS more
FROM big, docstore.load_many('shops', '{big1,big2,big3}') WITH ORDINALITY d ORDER BY d.ordinality;
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'big1', data, 1) FROM big $$);

-- JSON nested 10,000 deep: saved and loaded as it was, or refused with 54001 where the stack is too small for it
CREATE FUNCTION pg_temp.nested(depth int, inner_json text) RETURNS text RETURN repeat('{"a":', depth) || inner_json || repeat('}', depth);
DO $$
BEGIN
	PERFORM docstore.upsert('shops', 'deep1', pg_temp.nested(10000, '1')::jsonb);
	PERFORM docstore.save(('[{"op": "upsert", "collection": "shops", "id": "deep2", "data": ' || pg_temp.nested(10000, '2') || '}]')::jsonb);
	ASSERT (SELECT data::text = pg_temp.nested(10000, '2')::jsonb::text FROM docstore.load('shops', 'deep2'));
EXCEPTION WHEN statement_too_complex THEN
	ASSERT (SELECT count(*) = 0 FROM shops WHERE id ~ '^deep');
END
$$;
SELECT pg_temp.verdict(format(query, value)) IN ('22023', '54001') AS refused FROM (VALUES
	('SELECT count(*) FROM docstore.save(%L)', repeat('[', 10000) || repeat(']', 10000)),
	('SELECT count(*) FROM docstore.save(%L)', '[' || pg_temp.nested(10000, '[]') || ']'),
	('SELECT docstore.violations(%L)', '{"total": ' || repeat('[', 10000) || repeat(']', 10000) || '}')) v(query, value);

-- the highest version: it is kept, and can be deleted, but not grow
INSERT INTO shops (id, version, data) VALUES ('top', 9223372036854775807, '{"n": 1}'), ('next', 9223372036854775806, '{"n": 1}');
SELECT docstore.upsert('shops', 'next', '{"n": 2}', 9223372036854775806);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'top', '{"n": 2}', 9223372036854775807) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'top', '{"n": 2}', -1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'top', '{"n": 2}', -2) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{new,top}', '{"{}","{}"}', '{0,9223372036854775807}') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.try_save('[{"op": "upsert", "collection": "shops", "id": "top", "data": {}, "expected": "any"}]') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'top', '{"n": 2}') $$);
SELECT version FROM docstore.save('[{"op": "assert", "collection": "shops", "id": "top", "expected": 9223372036854775807}]');
SELECT id, version, data FROM shops WHERE id IN ('top', 'next', 'new') ORDER BY id;
SELECT docstore.delete('shops', 'top', 9223372036854775807), docstore.delete('shops', 'next', 9223372036854775807);

-- a read-only transaction
BEGIN READ ONLY;
CALL pg_temp.try($$ SELECT docstore.create_collection('more') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'a', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{a}', '{"{}"}', NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.try_save('[]') $$);
SELECT id, version FROM docstore.load('shops', 'stale');
SELECT id, version FROM docstore.load_many('shops', '{stale}');
SELECT count(*) FROM docstore.violations('{"total": 1, "violations": []}');
COMMIT;
SET default_transaction_read_only = on;
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'a', '{}') $$);
RESET default_transaction_read_only;

DROP TABLE shops, orders, big;
