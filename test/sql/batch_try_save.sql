-- docstore.try_save(): a conflict is an answer, not an error
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('stock', 'integer');

-- what can be saved is saved
SELECT * FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "b", "data": {"n": 1}},
	{"op": "upsert", "collection": "stock", "id": 7,   "data": {"n": 2}, "expected": "any"},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 3}},
	{"op": "assert", "collection": "shops", "id": "w", "expected": "none"},
	{"op": "delete", "collection": "shops", "id": "x", "expected": "any"}]');

-- when one item is in the way nothing is written, and each row says how its item stands
SELECT * FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "b", "data": {"n": 4}, "expected": 1},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 5}, "expected": 2},
	{"op": "upsert", "collection": "shops", "id": "c", "data": {"n": 6}},
	{"op": "upsert", "collection": "shops", "id": "d", "data": {"n": 7}, "expected": "any"},
	{"op": "delete", "collection": "stock", "id": 7,   "expected": "exists"},
	{"op": "assert", "collection": "stock", "id": 8,   "expected": "any"}]');

-- every reason, every kind of item
SELECT * FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 2},
	{"op": "upsert", "collection": "shops", "id": "b", "data": {}},
	{"op": "upsert", "collection": "shops", "id": "c", "data": {}, "expected": 1},
	{"op": "upsert", "collection": "shops", "id": "d", "data": {}, "expected": "exists"},
	{"op": "delete", "collection": "stock", "id": 7,  "expected": 3},
	{"op": "delete", "collection": "stock", "id": 8,  "expected": 3},
	{"op": "delete", "collection": "stock", "id": 9,  "expected": "exists"},
	{"op": "assert", "collection": "shops", "id": "e", "expected": 1},
	{"op": "assert", "collection": "shops", "id": "f", "expected": "exists"},
	{"op": "assert", "collection": "stock", "id": 10, "expected": 4}]');

-- creates that are found only when it writes: what was written is taken back
SELECT * FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "0", "data": {}},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}},
	{"op": "upsert", "collection": "shops", "id": "z", "data": {}}]');
SELECT * FROM docstore.try_save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}}]');
SELECT * FROM docstore.try_save('[{"op": "assert", "collection": "shops", "id": "a", "expected": "none"}]');
SELECT * FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "0", "data": {}, "expected": "any"},
	{"op": "assert", "collection": "shops", "id": "a", "expected": "none"},
	{"op": "delete", "collection": "shops", "id": "b", "expected": 1}]');
SELECT id, version, data FROM shops ORDER BY id COLLATE "C";
SELECT id, version, data FROM stock ORDER BY id;

-- the transaction goes on: what came before stays, and the corrected batch is saved
BEGIN;
SELECT docstore.upsert('shops', 'before', '{}');
SELECT item, version, reason FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 9},
	{"op": "upsert", "collection": "shops", "id": "during", "data": {}, "expected": "any"}]');
SELECT item, version, reason FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 1},
	{"op": "upsert", "collection": "shops", "id": "during", "data": {}, "expected": "any"}]');
COMMIT;
SELECT id, version, data FROM shops ORDER BY id COLLATE "C";

-- more violations than a conflict lists: all of them
SET docstore.max_violations = 1;
SELECT item, reason, expected, actual FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 7},
	{"op": "upsert", "collection": "shops", "id": "b", "data": {}, "expected": 7},
	{"op": "upsert", "collection": "shops", "id": "c", "data": {}, "expected": 7}]');
RESET docstore.max_violations;

-- everything that is no version question is still an error
ALTER TABLE shops ADD CHECK (data <> '{"bad": true}');
CALL pg_temp.try($$ SELECT * FROM docstore.try_save('[{"op": "upsert", "collection": "shops", "id": "g", "data": []}]') $$);
SELECT pg_temp.verdict($$ SELECT item FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "g", "data": {"bad": true}}]') $$);
SELECT pg_temp.verdict($$ SELECT item FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "g", "data": {"bad": true}},
	{"op": "upsert", "collection": "shops", "id": "h", "data": {}}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.try_save(NULL) $$);

DROP TABLE shops, stock;
