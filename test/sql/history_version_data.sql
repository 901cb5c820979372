-- docstore.merge() without a base, and items to merge: what both edits began with is what history has at the expected version
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare
\set VERBOSITY terse

SELECT docstore.create_collection('d');
-- somebody has stored versions 1 and 2 of a
SELECT docstore.upsert('d', 'a', '{"x": 1, "y": 1, "z": 1}'), docstore.upsert('d', 'a', '{"x": 1, "y": 2, "z": 1}', 1);
-- not tracked: not known
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 2, "y": 1, "z": 1}', 1) $$);
SELECT docstore.track('d', 0);
-- history has no version 1, and version 2 not yet; it does once that is overwritten
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 2, "y": 1, "z": 1}', 1) $$);
SELECT docstore.patch('d', 'a', '{"y": 3}', 2);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 2, "y": 1, "z": 1}', 1) $$);
SELECT * FROM docstore.merge('d', 'a', '{"x": 2, "y": 2, "z": 1}', 2);
SELECT version, op, data FROM d_history ORDER BY version;

-- at the expected version it is an upsert, at any that history has a merge, and merged again it changes nothing
SELECT * FROM docstore.merge('d', 'a', '{"x": 2, "y": 3, "z": 2}', 4);
SELECT * FROM docstore.merge('d', 'a', '{"x": 1, "y": 3, "z": 1, "w": 1}', 3);
SELECT * FROM docstore.merge('d', 'a', '{"x": 1, "y": 3, "z": 1, "w": 1}', 3);
-- with rules; a base that is given counts, not history
SELECT * FROM docstore.merge('d', 'a', '{"x": 1, "y": 13, "z": 1}', 3, rules => '{"/y": "sum"}');
SELECT * FROM docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 2}', 3, '{"x": 2, "y": 13, "z": 2, "w": 1}');
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 5, "y": 3, "z": 5}', 3) $$);
-- a version that is not there yet, and one that never will be
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{}', 10) $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{}', -7) $$);

-- in a batch, with others that are merged over a base, or not at all
SELECT docstore.upsert('d', 'b', '{"n": 1, "m": 1}'), docstore.upsert('d', 'b', '{"n": 1, "m": 2}', 1), docstore.upsert('d', 'c', '{}');
SELECT item, id, version FROM docstore.save('[{"op": "merge", "collection": "d", "id": "b", "data": {"n": 2, "m": 1}, "expected": 1},
	{"op": "merge", "collection": "d", "id": "a", "data": {"x": 2, "y": 13, "z": 2, "w": 3}, "base": null, "expected": 9}, {"op": "delete", "collection": "d", "id": "c", "expected": 1}]');
SELECT id, version, data FROM d ORDER BY id COLLATE "C";
SELECT id, version, reason, expected, actual FROM docstore.try_save('[{"op": "merge", "collection": "d", "id": "b", "data": {"n": 3, "m": 2}, "expected": 2},
	{"op": "merge", "collection": "d", "id": "a", "data": {}, "expected": 1}, {"op": "merge", "collection": "d", "id": "c", "data": {}, "expected": 1}]');

-- An id that was used before: the version is of another document, and no base; neither is a deletion. A base that is given is one
SELECT docstore.upsert('d', 'c', '{"again": 1, "o": 1}');
SELECT version, op, data FROM d_history WHERE id = 'c' ORDER BY version;
CALL pg_temp.try($$ SELECT docstore.merge('d', 'c', '{"mine": 1}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'c', '{"mine": 1}', 2) $$);
SELECT * FROM docstore.merge('d', 'c', '{"mine": 1}', 1, '{}');
SELECT docstore.patch('d', 'c', '{"o": 2}', 4);
SELECT * FROM docstore.merge('d', 'c', '{"mine": 2, "again": 1, "o": 1}', 4);
-- Erased, pruned, or no longer tracked: not known
UPDATE d_history SET op = 'erased', data = NULL WHERE id = 'b' AND version = 2;
DELETE FROM d_history WHERE id = 'b' AND version = 1;
CALL pg_temp.try($$ SELECT docstore.merge('d', 'b', '{"n": 9}', 2) $$);
CALL pg_temp.try($$ SELECT docstore.merge('d', 'b', '{"n": 9}', 1) $$);
SELECT docstore.untrack('d');
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{}', 4) $$);
SELECT docstore.track('d');
-- What was deleted and created again while nobody recorded it is another document, as history says
SELECT docstore.upsert('d', 'e', '{"name": "Ann"}');
SELECT docstore.untrack('d');
SELECT docstore.delete('d', 'e', docstore.any_version()), docstore.upsert('d', 'e', '{"name": "Ben"}');
SELECT docstore.track('d');
SELECT version, op, data FROM d_history WHERE id = 'e' ORDER BY version;
CALL pg_temp.try($$ SELECT docstore.merge('d', 'e', '{"name": "Ann", "phone": 5}', 3) $$);
-- Data that is NULL counts as {}
CREATE TABLE n (id int PRIMARY KEY, version bigint NOT NULL, data jsonb);
SELECT docstore.track('n');
INSERT INTO n VALUES (1, 1, NULL);
UPDATE n SET version = 2, data = '{"a": 1}';
SELECT * FROM docstore.merge('n', '1', '{"b": 1}', 1);
-- A partitioned table, whose triggers see what was merged
CREATE TABLE p (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.data := NEW.data || '{"stamped": true}'; RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE UPDATE ON p FOR EACH ROW EXECUTE FUNCTION stamp();
SELECT docstore.track('p');
SELECT docstore.upsert('p', i, '{"a": 1, "b": 1}'), docstore.upsert('p', i, '{"a": 2, "b": 1}', 1) FROM unnest('{x,y}'::text[]) i;
SELECT m.* FROM unnest('{x,y}'::text[]) i, docstore.merge('p', i, '{"a": 1, "b": 2}', 1) m;

-- Who may write the document needs nothing on its history; who may not read the document learns nothing
CREATE ROLE history_editor;
GRANT SELECT, UPDATE ON d TO history_editor;
SET ROLE history_editor;
SELECT has_table_privilege('d_history', 'SELECT'), m.* FROM docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 2, "v": 1}', 9) m;
RESET ROLE;
REVOKE SELECT ON d FROM history_editor;
GRANT SELECT (id, version) ON d TO history_editor;
SET ROLE history_editor;
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 2, "v": 1}', 9) $$);
RESET ROLE;
GRANT SELECT ON d TO history_editor;
-- Under row security it is what history shows to the caller: nothing without a privilege on it and a policy
ALTER TABLE d ENABLE ROW LEVEL SECURITY;
ALTER TABLE d_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON d USING (data ? 'x');
SET ROLE history_editor;
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 2, "v": 2}', 9) $$);
RESET ROLE;
GRANT SELECT ON d_history TO history_editor;
SET ROLE history_editor;
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 2, "v": 2}', 9) $$);
RESET ROLE;
CREATE POLICY p ON d_history USING (data ? 'x' AND version > 9);
SET ROLE history_editor;
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 2, "v": 2}', 9) $$);
SELECT * FROM docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 3, "u": 1}', 10);
RESET ROLE;
-- what was erased is not known then, either, though the row is shown; nor is what inherits from the history
CREATE TABLE d_child () INHERITS (d_history);
INSERT INTO d_child SELECT * FROM d_history WHERE id = 'a' AND version = 10;
BEGIN;
UPDATE ONLY d_history SET op = 'erased', data = NULL WHERE id = 'a' AND version = 10;
DROP POLICY p ON d_history;
CREATE POLICY p ON d_history USING (version > 9);
SET ROLE history_editor;
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 3, "u": 2}', 10) $$);
RESET ROLE;
DELETE FROM ONLY d_history WHERE id = 'a' AND version = 10;
SET ROLE history_editor;
CALL pg_temp.try($$ SELECT docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 3, "u": 2}', 10) $$);
ROLLBACK;
-- and data that is NULL counts as {}
GRANT SELECT, UPDATE ON n TO history_editor;
GRANT SELECT ON n_history TO history_editor;
ALTER TABLE n ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON n USING (true);
SET ROLE history_editor;
SELECT * FROM docstore.merge('n', '1', '{"c": 1}', 1);
RESET ROLE;
-- the owner is under no policy
SELECT * FROM docstore.merge('d', 'a', '{"x": 2, "y": 13, "z": 2, "w": 2, "s": 1}', 9);

-- A history that is not fit for one any more says so, as for any write
ALTER TABLE n_history ADD CHECK (version > 0);
CALL pg_temp.try($$ SELECT docstore.merge('n', '1', '{"b": 1}', 1) $$);

DROP TABLE d, d_history, d_child, n, n_history, p, p_history;
DROP FUNCTION stamp;
DROP ROLE history_editor;
