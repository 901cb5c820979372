-- docstore.merge() and items to merge: what is there at a later version is merged with, never overwritten
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('d');
-- versions 1 and 2 of a, which both editors have loaded; then theirs, version 3
SELECT docstore.upsert('d', 'a', '{"name": "Sperl"}'), docstore.upsert('d', 'a', '{"name": "Sperl", "opens": 8, "seats": 20, "lines": [{"k": 1, "n": 1}]}', 1);
SELECT data AS base FROM docstore.load('d', 'a') \gset
CREATE PROCEDURE pg_temp.theirs() LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM d WHERE id = 'a';
	INSERT INTO d (id, version, data, created_at, updated_at) VALUES ('a', 3, '{"name": "Sperl", "opens": 7, "seats": 20, "lines": [{"k": 1, "n": 1}, {"k": 2, "n": 1}]}', now(), now());
END
$$;

-- at the expected version an upsert, and a create
SELECT * FROM docstore.merge('d', 'a', '{"x": 1}', 2, '{"this": "does not count"}');
SELECT * FROM docstore.merge('d', 'new', '{"x": 1}', 0);
SELECT * FROM docstore.merge('d', 'newer', '{"x": 1}', NULL, '{"y": 1}', NULL);
-- at a later one it is merged, over the base
CALL pg_temp.theirs();
SELECT * FROM docstore.merge('d', 'a', '{"name": "Cafe Sperl", "opens": 8, "seats": 20, "lines": [{"k": 1, "n": 1}]}', 2, :'base');
SELECT version, data FROM docstore.load('d', 'a');
-- the same mine once more changes no data, though the version grows; so does it from an older version
SELECT * FROM docstore.merge('d', 'a', '{"name": "Cafe Sperl", "opens": 8, "seats": 20, "lines": [{"k": 1, "n": 1}]}', 2, :'base');
SELECT * FROM docstore.merge('d', 'a', '{"name": "Cafe Sperl", "opens": 8, "seats": 20, "lines": [{"k": 1, "n": 1}]}', 1, :'base');
-- by rules
CALL pg_temp.theirs();
SELECT * FROM docstore.merge('d', 'a', '{"name": "Sperl", "opens": 8, "seats": 18, "lines": [{"k": 0, "n": 1}, {"k": 1, "n": 1}]}', 2, :'base', '{"/lines": {"key": "k"}, "/seats": "sum"}');

-- collisions: the conflict has their paths and kinds, and no values
CALL pg_temp.theirs();
CALL pg_temp.try(format($$ SELECT docstore.merge('d', 'a', '{"name": "Sperl", "opens": 9, "seats": 20}', 2, %L) $$, :'base'));
CALL pg_temp.try(format($$ SELECT docstore.merge('d', 'a', '{"opens": 9, "lines": [{"k": 1, "n": 2}, {"k": 2, "n": 2}]}', 2, %L, '{"/lines": {"key": "k"}}') $$, :'base'));
CALL pg_temp.try(format($$ SELECT docstore.merge('d', 'a', '{"name": "Sperl", "opens": 8, "seats": 21, "lines": [{"k": 1, "n": 1}]}', 2, %L, '{"": "atomic"}') $$, :'base'));
-- up to the limit, with their total
SELECT docstore.upsert('d', 'many', (SELECT jsonb_object_agg('key ' || i, 0) FROM generate_series(1, 250) i), -1), docstore.upsert('d', 'many', (SELECT jsonb_object_agg('key ' || i, 1) FROM generate_series(1, 250) i), 1);
CREATE FUNCTION pg_temp.collision() RETURNS TABLE (listed int, total int, first text) LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM docstore.merge('d', 'many', (SELECT jsonb_object_agg('key ' || i, 2) FROM generate_series(1, 250) i), 1, (SELECT jsonb_object_agg('key ' || i, 0) FROM generate_series(1, 250) i));
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN QUERY SELECT jsonb_array_length(v->'conflicts'), (v->>'conflicts_total')::int, v->'conflicts'->>0 FROM (SELECT detail::jsonb->'violations'->0) AS r(v);
END
$$;
SELECT * FROM pg_temp.collision();
SET docstore.max_violations = 3;
SELECT * FROM pg_temp.collision();
RESET docstore.max_violations;
-- no base; a version that is not there yet; absent; there, and expected absent
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"opens": 8}', 2) $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"opens": 8}', 9, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'gone', '{"opens": 8}', 2, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'gone', '{"opens": 8}', 2) $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"opens": 8}', 0) $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"opens": 8}', 0, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"opens": 8}', NULL, '{}') $$);
SELECT version, data FROM docstore.load('d', 'a');

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{}', -1, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{}', -2, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{}', -3, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '[]', 2, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', NULL, 2, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{}', 2, '"{}"') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{}', 3, '{}', '{"a": "set"}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', NULL, '{}', 2, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.merge('pg_class', 'a', '{}', 2, '{}') $$);
-- checks that are off: an upsert, whatever is there
BEGIN;
SET LOCAL docstore.checks = off;
SELECT * FROM docstore.merge('d', 'a', '{"x": 1}', 2, '{}');
ROLLBACK;
-- deferred: no row, and the conflict at the end
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT * FROM docstore.merge('d', 'a', '{"opens": 9}', 2, :'base');
SELECT * FROM docstore.merge('d', 'a', '{"opens": 9}', 2);
COMMIT;

-- items: one conflict for all, and nothing is written
SELECT docstore.upsert('d', 'b', '{"n": 1, "m": 1}'), docstore.upsert('d', 'b', '{"n": 1, "m": 2}', 1);
SELECT item, op, id, version FROM docstore.save('[{"op": "merge", "collection": "d", "id": "b", "data": {"n": 2, "m": 1}, "base": {"n": 1, "m": 1}, "expected": 1},
	{"op": "merge", "collection": "d", "id": "c", "data": {"n": 1}, "expected": "none"}, {"op": "merge", "collection": "d", "id": "new", "data": {"n": 1}, "expected": 1},
	{"op": "upsert", "collection": "d", "id": "e", "data": {}}]');
SELECT id, version, data FROM d WHERE id IN ('b', 'c', 'new') ORDER BY id;
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "merge", "collection": "d", "id": "b", "data": {"n": 3}, "base": {"n": 1, "m": 1}, "expected": 1},
	{"op": "merge", "collection": "d", "id": "c", "data": {"n": 2}, "base": {}, "expected": 1},
	{"op": "merge", "collection": "d", "id": "new", "data": {"n": 2}, "base": null, "expected": 1},
	{"op": "merge", "collection": "d", "id": "x", "data": {}, "base": {}, "expected": 1}, {"op": "upsert", "collection": "d", "id": "e", "data": {}}]') $$);
SELECT id, version, reason, expected, actual FROM docstore.try_save('[{"op": "merge", "collection": "d", "id": "b", "data": {"n": 3}, "base": {"n": 1, "m": 1}, "expected": 1},
	{"op": "merge", "collection": "d", "id": "new", "data": {"x": 1, "y": 1}, "base": {"x": 1}, "rules": {"/x": "atomic"}, "expected": 1}]');
SELECT id, version, data FROM d WHERE id IN ('b', 'c', 'new') ORDER BY id;
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "merge", "collection": "d", "id": "b", "data": {}, "base": {}}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "merge", "collection": "d", "data": {}, "expected": 1}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "merge", "collection": "d", "id": "b", "data": {}, "base": {}, "expected": "any"}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "merge", "collection": "d", "id": "b", "data": {}, "base": [], "expected": 1}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "d", "id": "e", "data": {}}, {"op": "merge", "collection": "d", "id": "b", "data": {}, "rules": {"/a": "sets"}, "expected": 1}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "merge", "collection": "d", "id": "b", "mine": {}, "expected": 1}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "patch", "collection": "d", "id": "b", "data": {}, "base": {}, "expected": 1}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "merge", "collection": "d", "id": "b", "data": {}, "if_contains": {}, "expected": 1}]') $$);

-- checks and triggers see the merged document, and what they make of it is returned; a generated column follows
CREATE TABLE t (id int PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL CHECK ((data->>'price')::int >= (data->>'discount')::int), price int GENERATED ALWAYS AS ((data->>'price')::int) STORED);
INSERT INTO t VALUES (1, 2, '{"price": 10, "discount": 8}');
CALL pg_temp.try($$ SELECT docstore.merge('t', '1', '{"price": 5, "discount": 1}', 1, '{"price": 10, "discount": 1}') $$);
SELECT m.*, t.price FROM docstore.merge('t', '1', '{"price": 9, "discount": 1}', 1, '{"price": 10, "discount": 1}') m, t;
SELECT * FROM t;
CREATE FUNCTION pg_temp.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.data := NEW.data || jsonb_build_object('noted', OLD.data->'price'); RETURN NEW; END $$;
CREATE TRIGGER noted BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION pg_temp.noted();
SELECT * FROM docstore.merge('t', '1', '{"price": 12, "discount": 1}', 1, '{"price": 9, "discount": 1}');
-- data that plain SQL has made of another type is a collision of the whole
CREATE TABLE by_hand (id int PRIMARY KEY, version bigint NOT NULL, data jsonb);
INSERT INTO by_hand VALUES (1, 2, NULL), (2, 2, '[1]');
SELECT pg_temp.verdict(format('SELECT docstore.merge(%L, %L, %L, 1, %L)', 'by_hand', id, '{"x": 1}', '{}')) FROM by_hand ORDER BY id;
-- the highest version
UPDATE by_hand SET version = 9223372036854775807;
CALL pg_temp.try($$ SELECT docstore.merge('by_hand', '1', '{"x": 1}', 1, '{"x": 1}') $$);

-- what an editor's page needs in one call; it writes nothing
CALL pg_temp.theirs();
SELECT * FROM docstore.preview_merge('d', 'a', '{"name": "Cafe Sperl", "opens": 8, "seats": 20, "lines": [{"k": 1, "n": 1}]}', :'base');
SELECT * FROM docstore.preview_merge('d', 'a', '{"name": "Sperl", "opens": 9, "seats": 20}', :'base');
SELECT merged, conflicts FROM docstore.preview_merge('d', 'a', '{"name": "Sperl", "opens": 7, "seats": 22, "lines": []}', :'base', '{"/lines": {"key": "k"}, "/seats": "sum"}');
SELECT * FROM docstore.preview_merge('d', 'absent', '{}', '{}');
INSERT INTO by_hand VALUES (3, 2, NULL);
SELECT * FROM docstore.preview_merge('by_hand', '3', '{"x": 1}', '{}');
SELECT * FROM docstore.merge('by_hand', '3', '{"x": 1}', 1, '{}');

-- many: 2,000 in one batch, each with an edit of either side
SELECT count(docstore.upsert('d', 'm' || i, jsonb_build_object('i', i, 'mine', 0, 'theirs', 1), -1)), count(docstore.upsert('d', 'm' || i, jsonb_build_object('i', i, 'mine', 0, 'theirs', 2), -1)) FROM generate_series(1, 2000) i;
SELECT count(*), min(version), max(version) FROM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'merge', 'collection', 'd', 'id', 'm' || i, 'expected', 1,
	'data', jsonb_build_object('i', i, 'mine', 3, 'theirs', 1), 'base', jsonb_build_object('i', i, 'mine', 0, 'theirs', 1))) FROM generate_series(1, 2000) i));
SELECT count(*) FROM d WHERE data @> '{"mine": 3, "theirs": 2}' AND id = 'm' || (data->>'i');

-- a document in a partition, named by it as well; a unique value that one merge gives up and another one takes
CREATE TABLE p (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO p SELECT i, 2, '{"x": 1, "y": 2}' FROM generate_series(1, 3) i;
SELECT a.*, b.* FROM docstore.merge('p', '1', '{"x": 3, "y": 1}', 1, '{"x": 1, "y": 1}') a, docstore.merge('p0', '2', '{"x": 3, "y": 1}', 1, '{"x": 1, "y": 1}') b;
SELECT docstore.create_collection('u');
ALTER TABLE u ADD mail text GENERATED ALWAYS AS (data->>'mail') STORED UNIQUE;
INSERT INTO u (id, version, data, created_at, updated_at) SELECT id, 2, jsonb_build_object('mail', id, 'n', 2), now(), now() FROM unnest('{a,b}'::text[]) id;
CALL pg_temp.try($$ SELECT docstore.merge('u', 'a', '{"mail": "b", "n": 1}', 1, '{"mail": "a", "n": 1}') $$);
SELECT id, version FROM docstore.save('[{"op": "merge", "collection": "u", "id": "a", "data": {"mail": "c", "n": 1}, "base": {"mail": "a", "n": 1}, "expected": 1},
	{"op": "merge", "collection": "u", "id": "b", "data": {"mail": "a", "n": 1}, "base": {"mail": "b", "n": 1}, "expected": 1}]');
SELECT id, version, data FROM u ORDER BY id;

-- what the call itself runs changes what is there: it is merged with that, too, or it is 27000 where that collides
SELECT docstore.upsert('d', 'own', '{"x": 1, "y": 1}'), docstore.upsert('d', 'own', '{"x": 1, "y": 2}', 1);
-- (rows that are locked are found again at their places, and so as they were compared; not where each document has a statement of its own)
DO $$ BEGIN IF current_setting('docstore.engine') = 'rows' THEN SET docstore.engine = 'sql'; END IF; END $$;
CREATE FUNCTION pg_temp.interfere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE d SET data = data || NEW.data WHERE id = 'own'; RETURN NEW; END $$;
CREATE TRIGGER interfere BEFORE INSERT ON d FOR EACH ROW EXECUTE FUNCTION pg_temp.interfere();
SELECT id, version FROM docstore.save('[{"op": "upsert", "collection": "d", "id": "i", "data": {"z": 9}}, {"op": "merge", "collection": "d", "id": "own", "data": {"x": 3, "y": 1}, "base": {"x": 1, "y": 1}, "expected": 1}]');
SELECT version, data FROM d WHERE id = 'own';
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "d", "id": "j", "data": {"x": 9}}, {"op": "merge", "collection": "d", "id": "own", "data": {"x": 4, "y": 1}, "base": {"x": 3, "y": 1}, "expected": 1}]') $$);
DROP TRIGGER interfere ON d;
RESET docstore.engine;

-- a request that is sent again is answered again, and not merged again
SELECT version FROM docstore.save('[{"op": "merge", "collection": "u", "id": "a", "data": {"mail": "c", "n": 5}, "base": {"mail": "c", "n": 2}, "expected": 2}]', '00000000-0000-0000-0000-00000000000a');
SELECT version FROM docstore.save('[{"op": "merge", "collection": "u", "id": "a", "data": {"mail": "c", "n": 5}, "base": {"mail": "c", "n": 2}, "expected": 2}]', '00000000-0000-0000-0000-00000000000a');

-- who may not write may not merge; row security hides what it hides
CREATE ROLE regress_docstore_merger;
GRANT SELECT ON d TO regress_docstore_merger;
SET ROLE regress_docstore_merger;
SELECT pg_temp.verdict($$ SELECT docstore.merge('d', 'b', '{}', 1, '{}') $$);
SELECT version FROM docstore.preview_merge('d', 'b', '{}', '{}');
RESET ROLE;
GRANT UPDATE, INSERT ON d TO regress_docstore_merger;
ALTER TABLE d ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON d USING (id <> 'b');
SET ROLE regress_docstore_merger;
SELECT pg_temp.verdict($$ SELECT docstore.merge('d', 'b', '{}', 1, '{}') $$), pg_temp.verdict($$ SELECT version FROM docstore.merge('d', 'new', '{"x": 1, "y": 1}', 1, '{"x": 1}') $$);
SELECT version FROM docstore.preview_merge('d', 'b', '{}', '{}');
RESET ROLE;

DELETE FROM docstore.requests;
DROP TABLE d, t, by_hand, p, u;
DROP ROLE regress_docstore_merger;
