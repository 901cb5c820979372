-- Triggers that themselves call docstore, or touch other rows of the batch that fires them
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('plain'), docstore.create_collection('audit', 'bigint');
SELECT docstore.upsert_many('plain', '{a,b}', '{"{}","{}"}', NULL);

-- a trigger that itself saves documents, in another collection and in its own
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.upsert('audit', (SELECT count(*) + 1 FROM audit)::text, jsonb_build_object('of', NEW.id, 'at', NEW.version));
	IF NEW.id = 'a' THEN
		PERFORM docstore.save('[{"op": "upsert", "collection": "plain", "id": "b", "data": {"by": "trigger"}, "expected": "any"}]');
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION audit();
SELECT docstore.upsert('plain', 'a', '{}', 1);
SELECT docstore.upsert_many('plain', '{a,c}', '{"{}","{}"}', '{2,0}');
SELECT id, version, data FROM plain ORDER BY id;
SELECT data FROM audit ORDER BY data::text COLLATE "C";
-- its conflict is the caller's; and its exception block goes on after one
ALTER TABLE plain DISABLE TRIGGER audit;
CREATE FUNCTION stale() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM docstore.upsert('audit', '1', '{}', 99); RETURN NULL; END $$;
CREATE TRIGGER stale AFTER UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION stale();
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'c', '{}', 1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.try_save('[{"op": "upsert", "collection": "plain", "id": "c", "data": {}, "expected": 1}]') $$);
CREATE OR REPLACE FUNCTION stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.upsert('audit', '1', '{}', 99);
	RETURN NULL;
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	RETURN NULL;
END
$$;
SELECT docstore.upsert('plain', 'c', '{}', 1), docstore.upsert_many('plain', '{b}', '{"{}"}', '{-1}') IS NOT NULL AS many;

DROP TRIGGER stale ON plain;

-- before the row is written, for each row of a batch: every document keeps its own data
CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.upsert_many('audit', ARRAY[NEW.data ->> 'n', '5' || (NEW.data ->> 'n')],
		'{"{\"by\": \"before\"}","{\"by\": \"before\"}"}', '{-1,-1}');
	PERFORM docstore.save('[{"op": "upsert", "collection": "audit", "id": 1, "data": {"by": "before"}, "expected": 77}]');
	RETURN NEW;
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	RETURN NEW;
END
$$;
CREATE TRIGGER before BEFORE INSERT OR UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION before();
SELECT item FROM docstore.save('[
	{"op": "upsert", "collection": "plain", "id": "z", "data": {"n": 20}, "expected": "any"},
	{"op": "upsert", "collection": "plain", "id": "c", "data": {"n": 30}, "expected": "exists"},
	{"op": "upsert", "collection": "plain", "id": "y", "data": {"n": 40}},
	{"op": "upsert", "collection": "plain", "id": "b", "data": {"n": 50}, "expected": "any"},
	{"op": "upsert", "collection": "plain", "id": "x", "data": {"n": 60}}]');
SELECT id, data FROM plain ORDER BY id;
DROP TRIGGER before ON plain;

-- a trigger that changes another row of the same batch, but not its version: no harm
CREATE TABLE counted (id text PRIMARY KEY, version bigint NOT NULL, data jsonb, inserts int DEFAULT 0);
SELECT docstore.upsert('counted', 'counter', '{}');
CREATE FUNCTION count_inserts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE counted SET inserts = inserts + 1 WHERE id = 'counter';
	RETURN NEW;
END
$$;
CREATE TRIGGER count_inserts BEFORE INSERT ON counted FOR EACH ROW EXECUTE FUNCTION count_inserts();
SELECT item, version FROM docstore.save('[
	{"op": "upsert", "collection": "counted", "id": "a", "data": {}},
	{"op": "upsert", "collection": "counted", "id": "b", "data": {}, "expected": "any"},
	{"op": "upsert", "collection": "counted", "id": "counter", "data": {"n": 1}, "expected": 1}]');
SELECT item, version FROM docstore.save('[
	{"op": "upsert", "collection": "counted", "id": "c", "data": {}},
	{"op": "upsert", "collection": "counted", "id": "counter", "data": {"n": 2}, "expected": "any"}]');
SELECT id, version, data, inserts FROM counted ORDER BY id;
SELECT item, op, version FROM docstore.save('[
	{"op": "upsert", "collection": "counted", "id": "d", "data": {}},
	{"op": "delete", "collection": "counted", "id": "counter", "expected": 3}]') WHERE op = 'delete';
SELECT id FROM counted ORDER BY id;

-- but one that writes it, version and all, is between the comparison and the write: nothing is lost
SELECT docstore.upsert('counted', 'total', '{}') > 0 AS saved;
CREATE OR REPLACE FUNCTION count_inserts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id <> 'total' THEN
		PERFORM docstore.upsert('counted', 'total', '{"by": "trigger"}', -1);
	END IF;
	RETURN NEW;
END
$$;
SELECT pg_temp.verdict($$ SELECT count(*) FROM counted c, docstore.save(format('[
	{"op": "upsert", "collection": "counted", "id": "e", "data": {}},
	{"op": "upsert", "collection": "counted", "id": "total", "data": {"by": "caller"}, "expected": %s}]', c.version)::jsonb)
	WHERE c.id = 'total' $$);
SELECT data FROM counted WHERE id = 'total';

-- one that makes what the batch asserts to be absent: it was, before the call
SELECT docstore.create_collection('made');
CREATE FUNCTION make() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id <> 'x' THEN
		PERFORM docstore.upsert('made', 'x', '{}');
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER make BEFORE INSERT ON made FOR EACH ROW EXECUTE FUNCTION make();
SELECT pg_temp.verdict($$ SELECT count(*) FROM docstore.save('[{"op": "upsert", "collection": "made", "id": "a", "data": {}},
	{"op": "assert", "collection": "made", "id": "x", "expected": "none"}]') $$);
SELECT item, version, reason FROM docstore.try_save('[{"op": "upsert", "collection": "made", "id": "a", "data": {}},
	{"op": "assert", "collection": "made", "id": "x", "expected": "none"}]');
SELECT count(*) FROM made;

-- a row that is moved, or locked, by its own AFTER trigger
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE counted SET inserts = 99 WHERE id = NEW.id AND inserts <> 99;
	RETURN NULL;
END
$$;
CREATE TRIGGER touch AFTER UPDATE ON counted FOR EACH ROW EXECUTE FUNCTION touch();
SELECT docstore.upsert_many('counted', '{a,b}', '{"{}","{}"}', '{1,1}'), docstore.upsert('counted', 'c', '{}', -1);
SELECT id, version, inserts FROM counted WHERE id IN ('a', 'b', 'c') ORDER BY id;

-- AFTER triggers that are switched off, of rows and of statements, and of a log
SELECT docstore.create_collection('silent'), docstore.create_log('silent_log', true);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON silent FOR EACH ROW EXECUTE FUNCTION audit();
CREATE TRIGGER audit_all AFTER INSERT OR UPDATE OR DELETE ON silent FOR EACH STATEMENT EXECUTE FUNCTION audit();
ALTER TABLE silent DISABLE TRIGGER USER;
ALTER TABLE silent_log DISABLE TRIGGER docstore_notify;
CREATE PROCEDURE pg_temp.write_all() LANGUAGE plpgsql AS $$
BEGIN
	RAISE INFO '%', (SELECT array_agg(op ORDER BY item) FROM docstore.save('[
		{"op": "upsert", "collection": "silent", "id": "a", "data": {}},
		{"op": "append", "log": "silent_log", "stream": "s", "events": [{"type": "T"}, {"type": "T"}], "expected": "none"}]'));
	RAISE INFO '%', (SELECT array_agg(op ORDER BY item) FROM docstore.save('[
		{"op": "upsert", "collection": "silent", "id": "b", "data": {}},
		{"op": "patch", "collection": "silent", "id": "a", "data": {"n": 1}, "expected": "exists"}]'));
	RAISE INFO '%', (SELECT array_agg(op ORDER BY item) FROM docstore.save('[
		{"op": "delete", "collection": "silent", "id": "b", "expected": "exists"},
		{"op": "delete", "collection": "silent", "id": "a", "expected": "exists"}]'));
	ROLLBACK;
END
$$;
CALL pg_temp.write_all();
-- and those for replicas only, here and on a replica
ALTER TABLE silent ENABLE REPLICA TRIGGER audit;
CALL pg_temp.write_all();
SET session_replication_role = replica;
CALL pg_temp.write_all();
RESET session_replication_role;
DROP TABLE silent, silent_log, silent_log_streams, silent_log_consumers;

DROP TABLE plain, audit, counted, made;
DROP FUNCTION audit, stale, before, count_inserts, make, touch;
