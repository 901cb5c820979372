-- Triggers of the user's table: they fire as for plain SQL, and may not interfere with what docstore promises
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');
CREATE TABLE fired (nr serial, what text);
CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fired (what) SELECT concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL,
		CASE WHEN TG_LEVEL = 'ROW' AND TG_OP <> 'INSERT' THEN OLD.id || ' at ' || OLD.version END,
		CASE WHEN TG_LEVEL = 'ROW' AND TG_OP <> 'DELETE' THEN 'to ' || NEW.id || ' at ' || NEW.version END);
	RETURN COALESCE(NEW, OLD);
END
$$;
CREATE TRIGGER a_before BEFORE INSERT OR UPDATE OR DELETE ON shops FOR EACH ROW EXECUTE FUNCTION record();
CREATE TRIGGER b_after AFTER INSERT OR UPDATE OR DELETE ON shops FOR EACH ROW EXECUTE FUNCTION record();
CREATE FUNCTION pg_temp.what_fired() RETURNS SETOF text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM fired RETURNING *) SELECT what FROM gone ORDER BY nr $$;

-- single writes, each trigger once; a conflict fires none
SELECT docstore.upsert('shops', 'a', '{}');
SELECT docstore.upsert('shops', 'a', '{}', 1);
SELECT docstore.upsert('shops', 'a', '{}', -1);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', '{}', 2) $$);
SELECT docstore.delete('shops', 'a', 3);
SELECT pg_temp.what_fired();

-- a batch: each document once, the AFTER triggers when all of it is written
SELECT docstore.create_collection('batched');
SELECT docstore.upsert_many('batched', '{d,c}', '{"{}","{}"}', NULL);
CREATE TRIGGER a_before BEFORE INSERT OR UPDATE OR DELETE ON batched FOR EACH ROW EXECUTE FUNCTION record();
CREATE TRIGGER b_after AFTER INSERT OR UPDATE OR DELETE ON batched FOR EACH ROW EXECUTE FUNCTION record();
CREATE TRIGGER c_statement AFTER INSERT OR UPDATE OR DELETE ON batched FOR EACH STATEMENT EXECUTE FUNCTION record();
SELECT item FROM docstore.save('[
	{"op": "upsert", "collection": "batched", "id": "e", "data": {}},
	{"op": "upsert", "collection": "batched", "id": "d", "data": {}, "expected": 1},
	{"op": "delete", "collection": "batched", "id": "c", "expected": 1},
	{"op": "assert", "collection": "batched", "id": "x", "expected": "none"}]');
SELECT what FROM fired ORDER BY what COLLATE "C" DESC;
SELECT max(nr) FILTER (WHERE what ~ '^BEFORE') < min(nr) FILTER (WHERE what ~ '^AFTER') AS after_all FROM fired;
CALL pg_temp.try($$ SELECT docstore.upsert_many('batched', '{d,f}', '{"{}","{}"}', '{1,0}') $$);
SELECT count(*) FROM pg_temp.what_fired();
DROP TABLE batched;

-- transition tables
CREATE FUNCTION record_many() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fired (what) SELECT 'new: ' || string_agg(id || COALESCE(data ->> 'n', ''), ' ' ORDER BY id) FROM new_rows;
	RETURN NULL;
END
$$;
DROP TRIGGER a_before ON shops;
DROP TRIGGER b_after ON shops;
SELECT docstore.upsert_many('shops', '{d,e}', '{"{}","{}"}', NULL) IS NOT NULL AS saved;
CREATE TRIGGER d_transition AFTER UPDATE ON shops REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_many();
SELECT docstore.upsert_many('shops', '{e,d}', '{"{\"n\": 5}","{\"n\": 4}"}', '{-2,-2}') IS NOT NULL AS saved;
SELECT pg_temp.what_fired();
DROP TRIGGER d_transition ON shops;

-- a BEFORE trigger may change the data
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.data := NEW.data || '{"stamped": true}'; RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON shops FOR EACH ROW EXECUTE FUNCTION stamp();
SELECT docstore.upsert('shops', 'd', '{"n": 1}', -1) > 0 AS single,
	docstore.upsert_many('shops', '{e,f}', '{"{\"n\": 2}","{\"n\": 3}"}', '{-1,-1}') IS NOT NULL AS many;
SELECT id, data FROM shops ORDER BY id;
DROP TRIGGER stamp ON shops;

-- but it may not keep a document from being written, nor change its id or version: 27000, and nothing is written
SELECT docstore.create_collection('plain');
SELECT docstore.upsert_many('plain', '{a,b}', '{"{}","{}"}', NULL);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER nothing BEFORE INSERT OR UPDATE OR DELETE ON plain FOR EACH ROW EXECUTE FUNCTION nothing();
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'a', '{}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'a', '{}', -1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'c', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.delete('plain', 'a', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('plain', '{a,b}', '{"{}","{}"}', '{1,1}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('plain', '{c,d}', '{"{}","{}"}', '{0,-1}') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.try_save('[{"op": "delete", "collection": "plain", "id": "a", "expected": 1}]') $$);
-- a conflict stays one
SELECT pg_temp.verdict($$ SELECT docstore.upsert('plain', 'a', '{}', 7) $$), pg_temp.verdict($$ SELECT docstore.upsert('plain', 'a', '{}') $$),
	pg_temp.verdict($$ SELECT docstore.upsert_many('plain', '{a,b}', '{"{}","{}"}', '{7,0}') $$);
DROP TRIGGER nothing ON plain;
CREATE FUNCTION raise_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.version := NEW.version + 1; RETURN NEW; END $$;
CREATE TRIGGER raise_version BEFORE INSERT OR UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION raise_version();
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'a', '{}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'c', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('plain', '{a,b}', '{"{}","{}"}', '{1,1}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('plain', '{c,d}', '{"{}","{}"}', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'a', '{}', -1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'a', '{}', -2) $$);
DROP TRIGGER raise_version ON plain;
CREATE FUNCTION rename() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id || '!'; RETURN NEW; END $$;
CREATE TRIGGER rename BEFORE INSERT OR UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION rename();
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'a', '{}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('plain', 'c', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('plain', '{a,b}', '{"{}","{}"}', '{1,1}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('plain', '{c,d}', '{"{}","{}"}', NULL) $$);
DROP TRIGGER rename ON plain;
SELECT id, version FROM plain ORDER BY id;

-- triggers that fire at the end of the transaction, where it counts what they see
CREATE FUNCTION count_plain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fired (what) SELECT NEW.id || ' sees ' || string_agg(id, ' ' ORDER BY id) FROM plain;
	RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON plain DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION count_plain();
BEGIN;
SELECT docstore.upsert_many('plain', '{m,n}', '{"{}","{}"}', NULL) IS NOT NULL AS saved;
SELECT docstore.upsert('plain', 'o', '{}') IS NOT NULL AS saved;
COMMIT;
SELECT what FROM pg_temp.what_fired() what ORDER BY what COLLATE "C";

DROP TABLE shops, plain, fired;
DROP FUNCTION record, record_many, stamp, nothing, raise_version, rename, count_plain;
