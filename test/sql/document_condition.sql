-- docstore.patch(..., if_contains): what the document is to contain, under its lock, whatever its version
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('d');
SELECT docstore.upsert('d', 'a', '{"open": true, "seats": 20, "tags": ["cake", "wifi"], "address": {"city": "Wien", "zip": "1010"}}');

-- it holds: by @>, whatever else is there; at an exact version, at any, at whichever is there
SELECT docstore.patch('d', 'a', '{"n": 1}', 1, '{"open": true}');
SELECT docstore.patch('d', 'a', '{"n": 2}', docstore.any_version(), '{"address": {"city": "Wien"}, "tags": ["wifi"]}');
SELECT docstore.patch('d', 'a', '{"n": 3}', docstore.some_version(), '{"seats": 20.0}');
SELECT docstore.patch('d', 'a', '{"n": 4}', -1, '{}'), docstore.patch('d', 'a', '{"n": 5}', -1, NULL), docstore.patch('d', 'a', '{"n": 6}', -1, if_contains => '{"n": 5}');
SELECT version, data FROM d;

-- it does not: the reason is condition, unless the version is wrong as well; nothing is written, and no value is told
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', 7, '{"open": false}') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', -1, '{"shut": null}') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', -2, '{"tags": ["cake", "tea"]}') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', 3, '{"open": false}') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', 9, '{"open": false}') $$);
-- an absent document contains nothing
CALL pg_temp.try($$ SELECT docstore.patch('d', 'b', '{"n": 0}', -1, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'b', '{"n": 0}', -2, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'b', '{"n": 0}', 1, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'b', '{"n": 0}', 0, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', NULL, '{}') $$);
-- no condition
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', -1, '[]') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', -1, 'null') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', -1, '"{}"') $$);
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{"n": 0}', -3, '{}') $$);
SELECT version, data->'n' AS n FROM d;

-- what the transaction itself has written counts
BEGIN;
SELECT docstore.patch('d', 'a', '{"open": false}', -1, '{"open": true}'), docstore.patch('d', 'a', '{"open": null}', -1, '{"open": false}');
CALL pg_temp.try($$ SELECT docstore.patch('d', 'a', '{}', -1, '{"open": false}') $$);
ROLLBACK;
-- checks that are off: nothing is compared, and an absent document is created
SET docstore.checks = off;
SELECT docstore.patch('d', 'a', '{"n": 7}', 1, '{"open": false}'), docstore.patch('d', 'b', '{"n": 7}', -1, '{"open": false}');
RESET docstore.checks;
-- deferred
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.patch('d', 'a', '{"n": 0}', -1, '{"open": false}') AS deferred;
CALL pg_temp.try('SELECT docstore.check_conflicts()');
ROLLBACK;

-- data that is NULL, or of another type; triggers, which see a patch like any other
CREATE TABLE by_hand (id int PRIMARY KEY, version bigint NOT NULL, data jsonb);
INSERT INTO by_hand VALUES (1, 1, NULL), (2, 1, '["open"]'), (3, 1, '{"open": true}');
SELECT id, pg_temp.verdict(format('SELECT docstore.patch(%L, %L, %L, -1, %L)', 'by_hand', id, '{"x": 1}', '{"open": true}')) FROM by_hand ORDER BY id;
CREATE FUNCTION pg_temp.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.data := NEW.data || '{"noted": true}'; RETURN NEW; END $$;
CREATE TRIGGER noted BEFORE UPDATE ON by_hand FOR EACH ROW EXECUTE FUNCTION pg_temp.noted();
SELECT docstore.patch('by_hand', '3', '{"x": 1}', -1, '{"open": true}'), data FROM by_hand WHERE id = 3;
SELECT data FROM by_hand WHERE id = 3;
UPDATE by_hand SET version = 9223372036854775807 WHERE id = 3;
CALL pg_temp.try($$ SELECT docstore.patch('by_hand', '3', '{"x": 1}', -1, '{"open": true}') $$);

-- who may not read the data may not ask what it contains; row security hides what it hides
CREATE ROLE regress_docstore_blind;
GRANT SELECT (id, version), UPDATE, INSERT ON d TO regress_docstore_blind;
SET ROLE regress_docstore_blind;
SELECT pg_temp.verdict($$ SELECT docstore.patch('d', 'a', '{}', -1, '{"open": true}') $$);
RESET ROLE;
GRANT SELECT ON d TO regress_docstore_blind;
ALTER TABLE d ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON d FOR SELECT USING (true);
CREATE POLICY changed ON d FOR UPDATE USING (id <> 'a');
SET ROLE regress_docstore_blind;
SELECT id, pg_temp.verdict(format('SELECT docstore.patch(%L, %L, %L, -1, %L)', 'd', id, '{}', '{"n": 7}')) FROM d ORDER BY id;
RESET ROLE;
DROP POLICY seen ON d;
SET ROLE regress_docstore_blind;
SELECT pg_temp.verdict($$ SELECT docstore.patch('d', 'b', '{}', -1, '{"n": 7}') $$);
RESET ROLE;

DROP TABLE d, by_hand;
DROP ROLE regress_docstore_blind;
