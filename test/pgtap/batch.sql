-- A unit of work over several collections: all of it, or nothing and one error.
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION docstore;
SELECT plan(25);

SELECT docstore.create_collection('shops'), docstore.create_collection('orders', 'bigint');

SELECT results_eq($$ SELECT * FROM docstore.save('[
		{"op": "upsert", "collection": "orders", "id": 9,    "data": {"total": 5}},
		{"op": "upsert", "collection": "shops",  "id": "c1", "data": {"name": "Mozart''s"}, "expected": "none"},
		{"op": "assert", "collection": "shops",  "id": "c9", "expected": "none"}]') $$,
	$$ VALUES (1, 'upsert'::text, 'public.orders'::text, '9'::text, 1::bigint), (2, 'upsert', 'public.shops', 'c1', 1),
		(3, 'assert', 'public.shops', 'c9', NULL) $$, 'save answers with a row for each item, in the order given');

-- a conflict names all items that are in the way, and only those
PREPARE stale AS SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "orders", "id": 9,    "data": {"total": 6}, "expected": 1},
	{"op": "upsert", "collection": "shops",  "id": "c1", "data": {}},
	{"op": "delete", "collection": "shops",  "id": "c2", "expected": 4}]');
SELECT throws_ok('stale', 'PT409', 'version conflict: 2 of 3 items do not match their expected version', 'a conflict counts all violations');
SELECT results_eq('SELECT data FROM orders', $$ VALUES ('{"total": 5}'::jsonb) $$, 'the right item is not saved either');
SELECT results_eq($$ SELECT item, version, reason, expected, actual FROM docstore.try_save('[
		{"op": "upsert", "collection": "orders", "id": 9,    "data": {"total": 6}, "expected": 1},
		{"op": "upsert", "collection": "shops",  "id": "c1", "data": {}},
		{"op": "delete", "collection": "shops",  "id": "c2", "expected": 4}]') $$,
	$$ VALUES (1, NULL::bigint, NULL::text, 1::bigint, 1::bigint), (2, NULL, 'exists', 0, 1), (3, NULL, 'missing', 4, NULL) $$,
	'try_save says it in rows');
SELECT results_eq('SELECT data FROM orders', $$ VALUES ('{"total": 5}'::jsonb) $$, 'and saves nothing');
SELECT results_eq($$ SELECT item, version, reason FROM docstore.try_save('[
		{"op": "upsert", "collection": "orders", "id": 9,    "data": {"total": 6}, "expected": 1},
		{"op": "upsert", "collection": "shops",  "id": "c1", "data": {}, "expected": 1}]') $$,
	$$ VALUES (1, 2::bigint, NULL::text), (2, 2, NULL) $$, 'unless nothing is in the way');

-- words and numbers for what is expected
SELECT lives_ok(format('SELECT docstore.save(%L)',
	format('[{"op": "upsert", "collection": "shops", "id": "c1", "data": {}, "expected": %s}]', e)), format('%s holds', e))
FROM unnest('{2,"\"any\"",-1,"\"exists\"",-2}'::text[]) e;
SELECT throws_ok(format('SELECT docstore.save(%L)',
	format('[{"op": "upsert", "collection": "shops", "id": "c1", "data": {}, "expected": %s}]', e)), 'PT409', NULL, format('%s is refused', e))
FROM unnest('{2,99,0,"\"none\"","null"}'::text[]) e;

-- bad arguments
SELECT throws_ok($$ SELECT docstore.save('[{"op": "upsert", "collection": "shops", "id": "x", "data": {}},
	{"op": "delete", "collection": "shops", "id": "x", "expected": "any"}]') $$, '22023',
	'items 1 and 2 name the same document "x" of collection "public.shops"');
SELECT throws_ok($$ SELECT docstore.save('[{"op": "replace"}]') $$, '22023', 'item 1: unknown op "replace"');
SELECT throws_ok($$ SELECT docstore.save('{}') $$, '22023', 'changes must be a JSON array of items');
SELECT is_empty($$ SELECT docstore.save('[]') $$, 'an empty batch is none');

-- arrays, for drivers
SELECT is(docstore.upsert_many('shops', '{c1,c3,c4}', ARRAY['{}', '{}', '{"n": 1}']::jsonb[], ARRAY[7, NULL, -1]), '{8,1,1}'::bigint[],
	'upsert_many answers with the new versions');
SELECT throws_ok($$ SELECT docstore.upsert_many('shops', '{c1,c5}', '{"{}","{}"}', '{7,0}') $$, 'PT409');
SELECT is_empty('SELECT FROM shops WHERE id = ''c5''', 'all or nothing');
SELECT throws_ok($$ SELECT docstore.upsert_many('shops', '{c1,c5}', '{"{}"}', NULL) $$, '22023');

SELECT docstore.create_collection('guests', 'uuid');
SELECT isnt_empty($$ SELECT FROM docstore.save('[{"op": "upsert", "collection": "guests", "data": {}}]') WHERE id::uuid IS NOT NULL $$,
	'an item without id gets a new UUID');

SELECT * FROM finish();
ROLLBACK;
