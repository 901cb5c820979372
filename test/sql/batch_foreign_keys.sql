-- Foreign keys between collections: a batch is checked as a whole, in whatever order its items come
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- one child table is made before its parent and one after it: the order of the tables decides nothing
SELECT docstore.create_collection('early_child'), docstore.create_collection('parent', 'integer'),
	docstore.create_collection('late_child', 'bigint');
ALTER TABLE early_child ADD parent integer GENERATED ALWAYS AS ((data ->> 'parent')::integer) STORED REFERENCES parent;
ALTER TABLE late_child ADD parent integer GENERATED ALWAYS AS ((data ->> 'parent')::integer) STORED REFERENCES parent;

-- saved child first, and parent first
SELECT item, target, version FROM docstore.save('[
	{"op": "upsert", "collection": "early_child", "id": "a", "data": {"parent": 1}},
	{"op": "upsert", "collection": "late_child",  "id": 1,   "data": {"parent": 1}},
	{"op": "upsert", "collection": "parent",      "id": 1,   "data": {}}]');
SELECT item, target, version FROM docstore.save('[
	{"op": "upsert", "collection": "parent",      "id": 2,   "data": {}},
	{"op": "upsert", "collection": "late_child",  "id": 2,   "data": {"parent": 2}, "expected": "any"},
	{"op": "upsert", "collection": "early_child", "id": "b", "data": {"parent": 2}, "expected": "any"}]');
-- existing children move to a parent that is new
SELECT item, version FROM docstore.save('[
	{"op": "upsert", "collection": "early_child", "id": "a", "data": {"parent": 3}, "expected": 1},
	{"op": "upsert", "collection": "late_child",  "id": 1,   "data": {"parent": 3}, "expected": 1},
	{"op": "upsert", "collection": "parent",      "id": 3,   "data": {}}]');
-- a parent that another one takes the children of; a parent deleted with its children, and before them
SELECT item, op FROM docstore.save('[
	{"op": "delete", "collection": "parent",      "id": 3,   "expected": 1},
	{"op": "upsert", "collection": "early_child", "id": "a", "data": {"parent": 1}, "expected": 2},
	{"op": "upsert", "collection": "late_child",  "id": 1,   "data": {"parent": 1}, "expected": 2}]');
SELECT item, op FROM docstore.save('[
	{"op": "delete", "collection": "parent",      "id": 1,   "expected": 1},
	{"op": "delete", "collection": "early_child", "id": "a", "expected": "exists"},
	{"op": "delete", "collection": "late_child",  "id": 1,   "expected": "any"}]');
SELECT id, version FROM parent ORDER BY id;
SELECT id, parent FROM early_child;
SELECT id, parent FROM late_child;

-- a violation keeps its code, is no conflict, and nothing is written
CALL pg_temp.try($$ SELECT docstore.upsert('early_child', 'c', '{"parent": 7}') $$);
CALL pg_temp.try($$ SELECT docstore.delete('parent', '2', 1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "parent",      "id": 6,   "data": {}},
	{"op": "upsert", "collection": "early_child", "id": "c", "data": {"parent": 7}}]') $$);
SELECT pg_temp.verdict($$ SELECT docstore.upsert_many('late_child', '{2,8}', '{"{}","{\"parent\": 8}"}', '{1,-1}') $$),
	pg_temp.verdict($$ SELECT item FROM docstore.try_save('[{"op": "delete", "collection": "parent", "id": 2, "expected": 1}]') $$),
	pg_temp.verdict($$ SELECT item FROM docstore.try_save('[{"op": "delete", "collection": "parent", "id": 2, "expected": 1},
		{"op": "upsert", "collection": "parent", "id": 8, "data": {}}]') $$);
SELECT docstore.upsert('early_child', 'c', '{"parent": 7}');
\echo :LAST_ERROR_SQLSTATE
SELECT id FROM parent;

-- a deferred one is checked by COMMIT
ALTER TABLE early_child ALTER CONSTRAINT early_child_parent_fkey DEFERRABLE INITIALLY DEFERRED;
BEGIN;
SELECT docstore.upsert('early_child', 'c', '{"parent": 9}') IS NOT NULL AS saved;
SELECT docstore.upsert('parent', '9', '{}') IS NOT NULL AS saved;
COMMIT;
BEGIN;
SELECT docstore.upsert_many('early_child', '{d}', '{"{\"parent\": 10}"}', NULL) IS NOT NULL AS saved;
COMMIT;
\echo :LAST_ERROR_SQLSTATE
SELECT id, parent FROM early_child ORDER BY id;

-- cascades reach into other collections; a child may be in the same batch
ALTER TABLE late_child DROP CONSTRAINT late_child_parent_fkey, ADD FOREIGN KEY (parent) REFERENCES parent ON DELETE CASCADE;
ALTER TABLE early_child DROP CONSTRAINT early_child_parent_fkey;
SELECT docstore.upsert('late_child', '3', '{"parent": 2}') IS NOT NULL AS saved;
SELECT item, op FROM docstore.save('[
	{"op": "delete", "collection": "parent",     "id": 2, "expected": 1},
	{"op": "delete", "collection": "late_child", "id": 3, "expected": "exists"}]');
SELECT count(*) FROM late_child;

-- a key to the same collection
CREATE TABLE person (id text PRIMARY KEY, version bigint NOT NULL, data jsonb,
	boss text GENERATED ALWAYS AS (data ->> 'boss') STORED REFERENCES person);
SELECT docstore.upsert_many('person', '{b,a,c}', '{"{\"boss\": \"c\"}","{\"boss\": \"b\"}","{\"boss\": \"c\"}"}', NULL);
SELECT item FROM docstore.save('[
	{"op": "delete", "collection": "person", "id": "c", "expected": 1},
	{"op": "delete", "collection": "person", "id": "a", "expected": 1},
	{"op": "delete", "collection": "person", "id": "b", "expected": 1}]');

DROP TABLE early_child, late_child, parent, person;
