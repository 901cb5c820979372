-- docstore.save() and docstore.upsert_many(): many documents, all or none. E01 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('orders', 'bigint');

-- a unit of work over two collections: a row for each item, in the order given
SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops",  "id": "b", "data": {"n": 1}},
	{"op": "upsert", "collection": "orders", "id": 9,   "data": {"n": 2}, "expected": 0},
	{"op": "upsert", "collection": "shops",  "id": "a", "data": {"n": 3}, "expected": "none"},
	{"op": "upsert", "collection": "orders", "id": "8", "data": {"n": 4}, "expected": "any"},
	{"op": "assert", "collection": "shops",  "id": "c",                   "expected": "none"},
	{"op": "delete", "collection": "shops",  "id": "d",                   "expected": "any"}]');

-- E01: both at version 1, both saved with 1: both new versions, in the order given
SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "b", "data": {"n": 5}, "expected": 1},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 6}, "expected": 1}]');
SELECT docstore.upsert_many('shops', '{b,a,c}', ARRAY['{"n": 7}', '{"n": 8}', '{"n": 9}']::jsonb[], '{2,2,0}');
SELECT id, version, data FROM shops ORDER BY id COLLATE "C";

-- E02: b is right, a is stale: one error, and b is unchanged too
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "b", "data": {"n": 10}, "expected": 3},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 11}, "expected": 2}]') $$);
SELECT docstore.upsert_many('shops', '{b,a}', ARRAY['{}', '{}']::jsonb[], '{3,2}');

-- E04: 3 entries, 2 stale: the error lists exactly the 2, in the order given
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "c", "data": {"n": 12}, "expected": 7},
	{"op": "upsert", "collection": "shops", "id": "b", "data": {"n": 13}, "expected": 3},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 14}, "expected": 1}]') $$);

-- E05: a stale save, a stale delete, one missing, one that exists, two asserts that fail: one error, each with its op and reason
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops",  "id": "a", "data": {}, "expected": 1},
	{"op": "delete", "collection": "shops",  "id": "b",             "expected": 1},
	{"op": "upsert", "collection": "shops",  "id": "x", "data": {}, "expected": "exists"},
	{"op": "upsert", "collection": "shops",  "id": "c", "data": {}},
	{"op": "assert", "collection": "orders", "id": 9,               "expected": 2},
	{"op": "assert", "collection": "orders", "id": 8,               "expected": "none"},
	{"op": "upsert", "collection": "shops",  "id": "y", "data": {}, "expected": "any"}]') $$);

-- a create that fails: what was inserted before it is taken back
SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "a0", "data": {}},
	{"op": "upsert", "collection": "shops", "id": "a",  "data": {}},
	{"op": "upsert", "collection": "shops", "id": "z",  "data": {}}]');

-- nothing has changed since E01
SELECT id, version, data FROM shops ORDER BY id COLLATE "C";
SELECT id, version, data FROM orders ORDER BY id;

-- E07: the same document twice: both items are named
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "b", "data": {}, "expected": 3},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 3},
	{"op": "upsert", "collection": "public.shops", "id": "b", "data": {}, "expected": 3}]') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{a,b,a}', '{"{}","{}","{}"}', '{3,3,3}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('orders', '{8,08}', '{"{}","{}"}', '{1,1}') $$);

-- D14: an assertion and a write of one document
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "assert", "collection": "shops", "id": "a", "expected": 3},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 3}]') $$);

-- the same id in two collections is two documents
SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "orders", "id": 7,   "data": {}},
	{"op": "upsert", "collection": "shops",  "id": "7", "data": {}}]');

-- E08: a stale entry first, a bad argument later: only the argument error
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 1},
	{"op": "upsert", "collection": "shops", "id": "b", "data": [], "expected": 3}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 1},
	{"op": "upsert", "collection": "shops", "id": "",  "data": {}, "expected": 3}]') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{a,b}', '{"{}","[]"}', '{1,3}') $$);

-- D11: an assertion of absence that holds, and a write
SELECT * FROM docstore.save('[
	{"op": "assert", "collection": "shops", "id": "w", "expected": "none"},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 15}, "expected": 3}]');

-- D10 with an upsert: an assertion that does not hold is named, and nothing is written
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 16}, "expected": 4},
	{"op": "assert", "collection": "shops", "id": "b", "expected": 2}]') $$);

-- D13: only assertions: they succeed or conflict, and write nothing
SELECT * FROM docstore.save('[
	{"op": "assert", "collection": "shops", "id": "a", "expected": 4},
	{"op": "assert", "collection": "shops", "id": "b", "expected": "exists"},
	{"op": "assert", "collection": "shops", "id": "c", "expected": "any"},
	{"op": "assert", "collection": "shops", "id": "w", "expected": 0},
	{"op": "assert", "collection": "shops", "id": "v", "expected": "any"}]');
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "assert", "collection": "shops", "id": "w", "expected": "exists"}]') $$);
SELECT id, version, data FROM shops ORDER BY id COLLATE "C";

-- E17: a document that a session has loaded but not changed is not checked unless the batch asserts it
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "b", "data": {"n": 17}, "expected": 3}]');
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 18}, "expected": 4}]');
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 19}, "expected": 5},
	{"op": "assert", "collection": "shops", "id": "b", "expected": 3}]') $$);

-- an empty batch does nothing, and takes no transaction id
BEGIN;
SELECT * FROM docstore.save('[]');
SELECT * FROM docstore.try_save('[]');
SELECT docstore.upsert_many('shops', '{}', '{}', '{}'), docstore.upsert_many('shops', '{}', '{}', NULL);
SELECT pg_current_xact_id_if_assigned() IS NULL AS wrote_nothing;
COMMIT;

-- an item without id gets a new one, which the result shows
SELECT docstore.create_collection('guests', 'uuid');
CREATE TEMP TABLE saved AS SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops",  "data": {"new": 1}},
	{"op": "upsert", "collection": "guests", "data": {"new": 2}},
	{"op": "upsert", "collection": "shops",  "data": {"new": 3}, "expected": "any"}]');
SELECT item, op, target, version, length(id), id::uuid IS NOT NULL AS is_uuid FROM saved ORDER BY item;
SELECT s.item, d.data FROM saved s JOIN shops d ON s.id = d.id
UNION ALL SELECT s.item, d.data FROM saved s JOIN guests d ON s.id = d.id::text ORDER BY item;
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "upsert", "collection": "orders", "data": {}}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "assert", "collection": "guests", "expected": 1}]') $$);

-- a batch in which all ops write; what was deleted is gone
SELECT * FROM docstore.save('[
	{"op": "delete", "collection": "shops",  "id": "b", "expected": 4},
	{"op": "upsert", "collection": "orders", "id": 9,   "data": {"n": 20}, "expected": "exists"},
	{"op": "delete", "collection": "orders", "id": 8,   "expected": "any"},
	{"op": "upsert", "collection": "shops",  "id": "a", "data": {"n": 21}, "expected": "any"},
	{"op": "delete", "collection": "shops",  "id": "c", "expected": "exists"}]');
SELECT id, version, data FROM orders ORDER BY id;
SELECT id, version, data FROM shops WHERE id IN ('a', 'b', 'c');

DROP TABLE shops, orders, guests, saved;
