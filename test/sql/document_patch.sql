-- docstore.patch() and items to patch. D01 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('orders', 'bigint');
SELECT docstore.upsert('shops', 'c1', '{"name": "Mozart''s", "address": {"city": "Wien", "street": "Opernring"}, "tags": ["a", "b"]}');

-- D01, D04: there, expected "any": merged, other keys kept, a new version
SELECT docstore.patch('shops', 'c1', '{"address": {"street": null, "zip": "1010"}, "tags": ["c"]}', docstore.any_version());
SELECT id, version, data FROM shops;

-- D02: absent: a patch starts from {}, and what it removes is not there; with "exists" nothing is stored
SELECT docstore.patch('shops', 'c2', '{"name": "Sperl", "gone": null, "in": {"gone": null}}', docstore.any_version()),
	docstore.patch('shops', 'c3', '{"name": "Hawelka", "gone": null}', docstore.no_version()), docstore.patch('shops', 'c4', '{}', NULL);
CALL pg_temp.try($$ SELECT docstore.patch('shops', 'c5', '{"name": "Demel"}', docstore.some_version()) $$);
CALL pg_temp.try($$ SELECT docstore.patch('shops', 'c5', '{"name": "Demel"}', 1) $$);
SELECT id, version, data FROM shops ORDER BY id;

-- D05: another version, behind or ahead, or none: a conflict, and the body stays
CALL pg_temp.try($$ SELECT docstore.patch('shops', 'c1', '{"name": "Salieri"}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.patch('shops', 'c1', '{"name": "Salieri"}', 3) $$);
CALL pg_temp.try($$ SELECT docstore.patch('shops', 'c1', '{"name": "Salieri"}', 0) $$);
CALL pg_temp.try($$ SELECT docstore.patch('shops', 'c1', '{"name": "Salieri"}', NULL) $$);
SELECT id, version, data FROM shops WHERE id = 'c1';

-- D07: a patch that changes nothing is a write
SELECT docstore.patch('shops', 'c1', '{"name": "Mozart''s"}', 2), docstore.patch('shops', 'c1', '{}', 3), docstore.patch('shops', 'c1', '{}', -2);
SELECT id, version, data FROM shops WHERE id = 'c1';

-- items: changed, created, and the collection's own kind of id
SELECT * FROM docstore.save('[
	{"op": "patch",  "collection": "shops",  "id": "c1", "data": {"tags": null}, "expected": 5},
	{"op": "patch",  "collection": "orders", "id": 7,    "data": {"shop": "c1", "gone": null}, "expected": "none"},
	{"op": "upsert", "collection": "shops",  "id": "c2", "data": {"name": "Cafe Sperl"}, "expected": 1},
	{"op": "patch",  "collection": "shops",  "id": "c3", "data": {"open": true}, "expected": "exists"},
	{"op": "patch",  "collection": "shops",  "id": "c6", "data": {"name": "Sluka", "in": {"gone": null, "list": [null]}}, "expected": "any"},
	{"op": "delete", "collection": "shops",  "id": "c4", "expected": 1}]');
SELECT id, version, data FROM shops ORDER BY id;
SELECT id, version, data FROM orders;

-- D08: one of several has another version: none is changed
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "patch", "collection": "shops", "id": "c1", "data": {"n": 1}, "expected": 6},
	{"op": "patch", "collection": "shops", "id": "c2", "data": {"n": 1}, "expected": 1},
	{"op": "patch", "collection": "shops", "id": "c3", "data": {"n": 1}, "expected": 2}]') $$);
SELECT * FROM docstore.try_save('[
	{"op": "patch", "collection": "shops", "id": "c1", "data": {"n": 1}, "expected": 6},
	{"op": "patch", "collection": "shops", "id": "c2", "data": {"n": 1}, "expected": 1},
	{"op": "patch", "collection": "shops", "id": "new", "data": {"n": 1}, "expected": "none"}]');
SELECT count(*) FROM shops WHERE data ? 'n';

-- E05: a stale upsert, a stale delete, a missing patch: one error, each with its kind
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "c1",      "data": {"n": 1}, "expected": 1},
	{"op": "delete", "collection": "shops", "id": "c2",                        "expected": 1},
	{"op": "patch",  "collection": "shops", "id": "nowhere", "data": {"n": 1}, "expected": "exists"}]') $$);

-- one document, two items: refused, whatever they do
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "patch", "collection": "shops", "id": "c1", "data": {"n": 1}, "expected": "any"},
	{"op": "patch", "collection": "shops", "id": "c1", "data": {"m": 1}, "expected": "any"}]') $$);

-- what an item to patch must say
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "c1", "data": {}}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "patch", "collection": "shops", "data": {}, "expected": "none"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "c1", "expected": "any"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "c1", "data": [], "expected": "any"}]') $$);
SELECT version FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "null", "data": {}, "expected": null}]');

-- docstore.checks = off: whatever is expected is taken as "any"
SET docstore.checks = off;
SELECT docstore.patch('shops', 'c1', '{"n": 1}', 77), docstore.patch('shops', 'c9', '{"n": 1}', 77);
SELECT version FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "c1", "data": {"m": 2}, "expected": 77}]');
RESET docstore.checks;
SELECT id, version, data FROM shops WHERE id IN ('c1', 'c9') ORDER BY id;

-- what plain SQL may have put there counts as {} when it is no object
CREATE TABLE odd (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
INSERT INTO odd VALUES ('a', 1, NULL), ('b', 1, '[1]'), ('c', 1, 'null'), ('d', 1, NULL);
SELECT docstore.patch('odd', 'a', '{"x": 1, "y": null}', 1), docstore.patch('odd', 'b', '{"x": 1, "y": null}', -1), docstore.patch('odd', 'c', '{"x": 1}', -2);
SELECT version FROM docstore.save('[{"op": "patch", "collection": "odd", "id": "d", "data": {"x": 1, "y": null}, "expected": 1}]');
SELECT * FROM odd ORDER BY id;

-- a trigger sees the merged document, and what it makes of it stays; where it changes the version the write is refused
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.data := NEW.data || jsonb_build_object('seen', NEW.data); RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE ON odd FOR EACH ROW EXECUTE FUNCTION note();
SELECT docstore.patch('odd', 'a', '{"y": 2}', -1), docstore.patch('odd', 'e', '{"y": null}', -1);
SELECT version FROM docstore.save('[{"op": "patch", "collection": "odd", "id": "b", "data": {"y": 2}, "expected": "any"}]');
SELECT * FROM odd WHERE id IN ('a', 'b', 'e') ORDER BY id;
CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.version := 9; RETURN NEW; END $$;
SELECT pg_temp.verdict($$ SELECT docstore.patch('odd', 'a', '{"y": 3}', -1) $$), pg_temp.verdict($$ SELECT docstore.patch('odd', 'a', '{"y": 3}', 3) $$),
	pg_temp.verdict($$ SELECT version FROM docstore.save('[{"op": "patch", "collection": "odd", "id": "a", "data": {"y": 3}, "expected": 3}]') $$);

-- constraints judge the merged document; partitions and other unique indexes work
CREATE TABLE own (id text, version bigint NOT NULL, data jsonb CONSTRAINT has_name CHECK (data ? 'name'), PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE own_0 PARTITION OF own FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE own_1 PARTITION OF own FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT docstore.patch('own', 'a', '{"name": "A"}', 0), docstore.patch('own', 'b', '{"name": "B"}', -1);
SELECT pg_temp.verdict($$ SELECT docstore.patch('own', 'a', '{"name": null}', 1) $$), pg_temp.verdict($$ SELECT docstore.patch('own', 'c', '{"n": 1}', -1) $$);
SELECT count(*), sum(version) FROM docstore.save('[{"op": "patch", "collection": "own", "id": "a", "data": {"n": 1}, "expected": 1},
	{"op": "patch", "collection": "own", "id": "b", "data": {"n": 1}, "expected": "exists"}, {"op": "patch", "collection": "own", "id": "c", "data": {"name": "C", "n": 1}, "expected": "any"}]');
SELECT * FROM own ORDER BY id;
CREATE UNIQUE INDEX ON shops ((data ->> 'email'));
SELECT docstore.patch('shops', 'c1', '{"email": "1@example.com"}', -1), docstore.patch('shops', 'c2', '{"email": "2@example.com"}', -1);
SELECT pg_temp.verdict($$ SELECT docstore.patch('shops', 'c1', '{"email": "2@example.com"}', -1) $$),
	pg_temp.verdict($$ SELECT count(*) FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "c1", "data": {"email": "2@example.com"}, "expected": "any"}]') $$);

-- updated_at is the time of the writing transaction, created_at stays
UPDATE shops SET created_at = '2001-01-01', updated_at = '2001-01-01' WHERE id = 'c2';
BEGIN;
SELECT docstore.patch('shops', 'c2', '{}', -2);
SELECT created_at = '2001-01-01' AS kept, updated_at = now() AS updated_now FROM shops WHERE id = 'c2';
COMMIT;

-- at the highest version
INSERT INTO shops (id, version, data) VALUES ('top', 9223372036854775807, '{}');
CALL pg_temp.try($$ SELECT docstore.patch('shops', 'top', '{}', -1) $$);
CALL pg_temp.try($$ SELECT version FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "top", "data": {}, "expected": "any"}]') $$);

-- a large batch of patches, mixed with upserts: each gets its own document
CREATE TEMP TABLE many AS SELECT i AS id, jsonb_build_object('collection', 'orders', 'id', i, 'data', jsonb_build_object('n' || i % 2, i), 'expected', 'any') AS item
FROM generate_series(1001, 3500) i;
SELECT count(*), sum(version) FROM docstore.save((SELECT jsonb_agg(item || '{"op": "upsert", "data": {"old": 1}}') FROM many));
SELECT count(*), sum(version) FROM docstore.save((SELECT jsonb_agg(item || jsonb_build_object('op', (ARRAY['patch', 'upsert', 'put', 'patch'])[1 + id % 4])) FROM many
	WHERE id % 4 <> 2));
SELECT data - 'n0' - 'n1' AS rest, version, count(*), count(*) FILTER (WHERE data ->> ('n' || id % 2) = id::text) AS own
FROM orders WHERE id > 1000 GROUP BY 1, 2 ORDER BY 1, 2;

DROP TABLE shops, orders, odd, own, many;
DROP FUNCTION note;
