-- Items with "if_contains": all that are violated are named, and nothing is written
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('d');
SELECT docstore.upsert('d', id, '{"open": true, "n": 0}') FROM unnest('{a,b,c,x}'::text[]) id;

-- patches, upserts, deletes and asserts; one alone is a batch, too
SELECT item, op, id, version FROM docstore.save('[{"op": "patch", "collection": "d", "id": "a", "data": {"n": 1}, "expected": "any", "if_contains": {"open": true}},
	{"op": "upsert", "collection": "d", "id": "b", "data": {"n": 1}, "expected": 1, "if_contains": {"n": 0}},
	{"op": "assert", "collection": "d", "id": "c", "expected": "exists", "if_contains": {"open": true}},
	{"op": "delete", "collection": "d", "id": "x", "expected": "any", "if_contains": {"n": 0}}]');
SELECT version FROM docstore.save('[{"op": "patch", "collection": "d", "id": "a", "data": {"n": 2}, "expected": "any", "if_contains": {"n": 1}}]');
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "d", "id": "a", "data": {"n": 3}, "expected": "any", "if_contains": {"n": 2}}]');
SELECT id, version, data FROM d ORDER BY id;

-- violations: each item has one reason, the version's first
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "patch", "collection": "d", "id": "a", "data": {"n": 9}, "expected": "any", "if_contains": {"n": 2}},
	{"op": "patch", "collection": "d", "id": "b", "data": {"n": 9}, "expected": 2, "if_contains": {"n": 1}},
	{"op": "assert", "collection": "d", "id": "c", "expected": 1, "if_contains": {"open": false}},
	{"op": "delete", "collection": "d", "id": "x", "expected": "any", "if_contains": {}},
	{"op": "upsert", "collection": "d", "id": "y", "data": {}},
	{"op": "upsert", "collection": "d", "id": "z", "data": {}, "expected": "any", "if_contains": {}}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "patch", "collection": "d", "id": "b", "data": {"n": 9}, "expected": 1, "if_contains": {"n": 9}}]') $$);
SELECT item, op, id, version, reason, expected, actual FROM docstore.try_save('[{"op": "patch", "collection": "d", "id": "a", "data": {"n": 9}, "expected": "any", "if_contains": {"n": 2}},
	{"op": "delete", "collection": "d", "id": "b", "expected": "exists", "if_contains": {"n": 1}}]');
SELECT id, version, data FROM d ORDER BY id;

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "patch", "collection": "d", "id": "a", "data": {}, "expected": "any"}, {"op": "patch", "collection": "d", "id": "b", "data": {}, "expected": "any", "if_contains": null}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "patch", "collection": "d", "id": "a", "data": {}, "expected": "any", "if_contains": [1]}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "patch", "collection": "d", "id": "a", "data": {}, "expected": "any", "if_contains": "{}"}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "d", "id": "q", "data": {}, "if_contains": {}}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "put", "data": {"@metadata": {"collection": "d"}}, "if_contains": {}}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "append", "log": "l", "stream": "s", "events": [], "if_contains": {}}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "patch", "collection": "d", "id": "a", "data": {}, "expected": "any", "if_contain": {}}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "patch", "collection": "d", "id": "a", "data": {}, "expected": "any", "condition": {}}]') $$);

-- checks that are off
SET docstore.checks = off;
SELECT item, version FROM docstore.save('[{"op": "patch", "collection": "d", "id": "a", "data": {"n": 4}, "expected": "any", "if_contains": {"n": 2}}, {"op": "patch", "collection": "d", "id": "new", "data": {"n": 4}, "expected": 1, "if_contains": {"n": 2}}]');
RESET docstore.checks;

-- what the call itself runs makes a condition untrue: 27000, as with a version
-- (rows that are locked are found again at their places, and so as they were compared; not where each document has a statement of its own)
DO $$ BEGIN IF current_setting('docstore.engine') = 'rows' THEN SET docstore.engine = 'sql'; END IF; END $$;
CREATE FUNCTION pg_temp.interfere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE d SET data = '{"open": false}' WHERE id = 'c'; RETURN NEW; END $$;
CREATE TRIGGER interfere BEFORE INSERT ON d FOR EACH ROW EXECUTE FUNCTION pg_temp.interfere();
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "d", "id": "i", "data": {}}, {"op": "patch", "collection": "d", "id": "c", "data": {"n": 9}, "expected": "any", "if_contains": {"open": true}}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "d", "id": "i", "data": {}}, {"op": "patch", "collection": "d", "id": "c", "data": {"n": 9}, "expected": "any", "if_contains": {}}]') $$);
DROP TRIGGER interfere ON d;
RESET docstore.engine;

-- many: 3,000 of which a third fails
SELECT count(docstore.upsert('d', 'm' || i, jsonb_build_object('third', i % 3 = 0))) FROM generate_series(1, 3000) i;
SELECT reason, count(*) FROM docstore.try_save((SELECT jsonb_agg(jsonb_build_object('op', 'patch', 'collection', 'd', 'id', 'm' || i, 'data', '{"n": 1}'::jsonb, 'expected', 'any', 'if_contains', '{"third": false}'::jsonb)) FROM generate_series(1, 3000) i)) GROUP BY reason;
SELECT count(version), min(version), max(version) FROM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'patch', 'collection', 'd', 'id', 'm' || i, 'data', '{"n": 1}'::jsonb, 'expected', 'any', 'if_contains', jsonb_build_object('third', i % 3 = 0))) FROM generate_series(1, 3000) i));

DROP TABLE d;
