-- save() with a request_id: executed once, answered again with the same rows; each role has its own requests
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('orders', 'bigint');
SELECT docstore.upsert('shops', 'a', '{}'), docstore.upsert('orders', '7', '{}');
\set one '\'00000000-0000-0000-0000-000000000001\''
\set two '\'00000000-0000-0000-0000-000000000002\''
\set three '\'00000000-0000-0000-0000-000000000003\''

-- every kind of item, and a generated id: what comes back the second time is what came back the first time
\set changes '\'[{"op": "upsert", "collection": "shops", "id": "a", "data": {"n": 1}, "expected": 1}, {"op": "upsert", "collection": "shops", "data": {}}, {"op": "delete", "collection": "orders", "id": 7, "expected": 1}, {"op": "delete", "collection": "orders", "id": 8, "expected": "any"}, {"op": "assert", "collection": "orders", "id": 9, "expected": 0}, {"op": "upsert", "collection": "shops", "id": "\\"\\u00e4\\\\", "data": {}}]\''
CREATE TEMP TABLE first AS SELECT * FROM docstore.save(:changes, :one);
CREATE TEMP TABLE second AS SELECT * FROM docstore.save(:changes, request_id => :one);
SELECT item, op, target, CASE item WHEN 2 THEN id::uuid IS NOT NULL ELSE NULL END AS generated, CASE item WHEN 2 THEN NULL ELSE id END AS id, version FROM first;
SELECT count(*) AS same FROM first f JOIN second s USING (item, op, target, id) WHERE f.version IS NOT DISTINCT FROM s.version;
SELECT count(*), max(version) FROM shops;
SELECT role::text = current_user AS own, request_id, length(changes_hash) AS hashed, jsonb_array_length(result) AS items, created_at = now() AS now
FROM docstore.requests;
-- the documents have changed since, and the collection is gone: the answer stays, and nothing is written
SELECT docstore.upsert('shops', 'a', '{"n": 2}', 2);
SELECT item, version FROM docstore.save(:changes, :one) WHERE item = 1;
ALTER TABLE shops RENAME TO away;
SELECT item, target, version FROM docstore.save(:changes, :one) WHERE item = 1;
ALTER TABLE away RENAME TO shops;
SELECT id, version, data FROM docstore.load('shops', 'a');
-- the same JSON, spelt otherwise; an empty unit of work; the call's order of keys does not matter
SELECT * FROM docstore.save('[]', :two);
SELECT * FROM docstore.save(' [ ] ', :two);
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "order", "data": {}}]', :three);
SELECT version FROM docstore.save('[{"data": {}, "id": "order", "collection": "shops", "op": "upsert"}]', :three);

-- versions beyond an integer
UPDATE shops SET version = 9223372036854775806 WHERE id = 'a';
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": "any"}]', '00000000-0000-0000-0000-000000000007');
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": "any"}]', '00000000-0000-0000-0000-000000000007');
UPDATE shops SET version = 3 WHERE id = 'a';
DELETE FROM docstore.requests WHERE request_id = '00000000-0000-0000-0000-000000000007';
-- other changes are refused, whatever they are; without a request_id nothing is remembered
CALL pg_temp.try(format('SELECT * FROM docstore.save(%L, %L)', '[]', :one));
CALL pg_temp.try(format('SELECT * FROM docstore.save(%L, %L)', '[7]', :one));
CALL pg_temp.try(format('SELECT * FROM docstore.save(%L, %L)', '[{"op": "upsert", "collection": "shops", "id": "order", "data": {"n": 1}}]', :three));
CALL pg_temp.try(format('SELECT * FROM docstore.save(NULL, %L)', :one));
-- be it the last character of a long document, or of all, which is that of the collection's name
CREATE FUNCTION pg_temp.long(last text, collection text DEFAULT 'drafts') RETURNS jsonb RETURN
	jsonb_build_array(jsonb_build_object('op', 'upsert', 'collection', collection, 'id', 'long', 'expected', 'any', 'data', jsonb_build_object('text', repeat('0123456789', 200000) || last)));
SELECT docstore.create_collection('drafts'), docstore.create_collection('drafty');
SELECT version FROM docstore.save(pg_temp.long('a'), '00000000-0000-0000-0000-00000000000a');
SELECT version FROM docstore.save(pg_temp.long('a'), '00000000-0000-0000-0000-00000000000a');
CALL pg_temp.try($$ SELECT version FROM docstore.save(pg_temp.long('b'), '00000000-0000-0000-0000-00000000000a') $$);
CALL pg_temp.try($$ SELECT version FROM docstore.save(pg_temp.long('a', 'drafty'), '00000000-0000-0000-0000-00000000000a') $$);
DROP TABLE drafts, drafty;
DELETE FROM docstore.requests WHERE request_id = '00000000-0000-0000-0000-00000000000a';
CALL pg_temp.try('SELECT * FROM docstore.save(''[]'', ''one'')');
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "order", "data": {}, "expected": 1}]', NULL);
SELECT count(*) FROM docstore.requests;

-- a call that fails has not been made: conflict, bad argument, rollback
\set four '\'00000000-0000-0000-0000-000000000004\''
\set stale '\'[{"op": "upsert", "collection": "shops", "id": "b", "data": {}, "expected": 1}]\''
CALL pg_temp.try(format('SELECT * FROM docstore.save(%L, %L)', :stale, :four));
CALL pg_temp.try(format('SELECT * FROM docstore.save(%L, %L)', '[{"op": "upsert", "collection": "shops", "id": "", "data": {}}]', :four));
BEGIN;
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "b", "data": {}}]', :four);
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "b", "data": {}}]', :four);
ROLLBACK;
SELECT count(*) FROM docstore.requests WHERE request_id = :four;
SELECT docstore.upsert('shops', 'b', '{}');
SELECT version FROM docstore.save(:stale, :four);
SELECT version FROM docstore.save(:stale, :four);
SELECT version FROM docstore.load('shops', 'b');

-- a trigger that makes a call with the same id, while that is being executed; and one that deletes the request
CREATE FUNCTION pg_temp.call_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.save(pg_catalog.current_setting('test.changes')::jsonb, '00000000-0000-0000-0000-000000000005');
	RETURN NEW;
END
$$;
CREATE TRIGGER again BEFORE INSERT ON shops FOR EACH ROW EXECUTE FUNCTION pg_temp.call_again();
SET test.changes = '[{"op": "upsert", "collection": "shops", "id": "nested", "data": {}}]';
CALL pg_temp.try($$ SELECT * FROM docstore.save(current_setting('test.changes')::jsonb, '00000000-0000-0000-0000-000000000005') $$);
SET test.changes = '[]';
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "nested", "data": {}}]', '00000000-0000-0000-0000-000000000005') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "nested", "data": {}}]', '00000000-0000-0000-0000-000000000006') $$);
DROP TRIGGER again ON shops;
CREATE FUNCTION pg_temp.forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.forget_requests('0');
	IF NEW.data ? 'delete' THEN
		DELETE FROM docstore.requests;
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER forget BEFORE INSERT ON shops FOR EACH ROW EXECUTE FUNCTION pg_temp.forget();
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "forgotten", "data": {"delete": true}}]', '00000000-0000-0000-0000-000000000007') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "forgotten", "data": {}}]', '00000000-0000-0000-0000-000000000007') $$);
DROP TRIGGER forget ON shops;
SELECT count(*) FROM docstore.requests;
SELECT count(*) FROM shops WHERE id IN ('nested', 'forgotten');

-- forgotten by a statement, it is executed anew by the same one; what cannot be replicated is not deleted
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "anew", "data": {}, "expected": "any"}]', :four);
SELECT docstore.forget_requests('0') > 0 AS forgotten,
	(SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "anew", "data": {}, "expected": "any"}]', :four)) AS version;
BEGIN;
ALTER TABLE docstore.requests REPLICA IDENTITY NOTHING;
SET LOCAL client_min_messages = error;
CREATE PUBLICATION requests FOR TABLE docstore.requests;
SET LOCAL client_min_messages = warning;
CALL pg_temp.try($$ SELECT docstore.forget_requests('0') $$);
ROLLBACK;
DELETE FROM shops WHERE id = 'anew';

-- conflicts deferred: what was not written is never answered to another transaction; an answer counts with its items
SELECT docstore.forget_requests('0');
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "later", "data": {}}]', :one);
SAVEPOINT s;
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}}]', :two);
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}}]', :two);
SELECT docstore.upsert('shops', 'later', '{}');
ROLLBACK TO s;
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "later", "data": {}}]', :one);
SELECT docstore.check_conflicts();
SELECT docstore.upsert('shops', 'a', '{}');
COMMIT;
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SAVEPOINT s;
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}}]', :two);
ROLLBACK TO s;
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "later", "data": {}}]', :two);
COMMIT;
SELECT request_id, result FROM docstore.requests WHERE request_id IN (:one, :two);

BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}}]', :three);
COMMIT;
BEGIN;
SAVEPOINT s;
SET LOCAL docstore.conflicts = 'deferred';
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}}]', :three);
RELEASE s;
COMMIT;
SELECT count(*) FROM docstore.requests WHERE request_id = :three;
-- at other isolation levels, and where nothing may be written
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "later", "data": {}}]', :two);
COMMIT;
BEGIN READ ONLY;
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "later", "data": {}}]', :two);
ROLLBACK;

-- a result larger than a page, stored out of line
CREATE TEMP TABLE many AS SELECT jsonb_agg(jsonb_build_object('op', 'upsert', 'collection', 'shops',
	'id', repeat(md5(i::text), 10) || i, 'data', '{}'::jsonb)) AS changes FROM generate_series(1, 2000) i;
SELECT docstore.forget_requests('0') > 0 AS forgotten;
SELECT count(*), sum(version), max(length(id)) FROM docstore.save((SELECT changes FROM many), :three);
SELECT count(*), sum(version), max(length(id)) FROM docstore.save((SELECT changes FROM many), :three);
DELETE FROM shops WHERE length(id) > 100;

-- forget_requests(): how many, bad arguments
SELECT docstore.forget_requests('1 hour');
UPDATE docstore.requests SET created_at = now() - interval '2 hours';
SELECT docstore.forget_requests('3 hours');
SELECT docstore.forget_requests('1 hour');
SELECT docstore.forget_requests('0');
CALL pg_temp.try($$ SELECT docstore.forget_requests(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.forget_requests('-1 second') $$);
CALL pg_temp.try($$ SELECT docstore.forget_requests('1 day -25 hours') $$);
CALL pg_temp.try($$ SELECT docstore.forget_requests('170000000 years') $$);
BEGIN READ ONLY;
SELECT docstore.forget_requests('0');
ROLLBACK;

-- two roles, one with a name that needs quotes, and nobody sees or touches what is the other's, nor does a superuser's call
CREATE ROLE "regress_docstore "" Ann";
CREATE ROLE regress_docstore_ben;
GRANT SELECT, INSERT, UPDATE ON shops TO "regress_docstore "" Ann", regress_docstore_ben;
\set mine '\'[{"op": "upsert", "collection": "public.shops", "id": "mine", "data": {}, "expected": "any"}]\''
SELECT version FROM docstore.save(:mine, :one);
SET ROLE "regress_docstore "" Ann";
SELECT version FROM docstore.save(:mine, :one);
SELECT version FROM docstore.save(:mine, :one);
SELECT version FROM docstore.save('[]', :two);
SELECT role, request_id FROM docstore.requests ORDER BY request_id;
SET ROLE regress_docstore_ben;
SELECT count(*) FROM docstore.requests;
SELECT version FROM docstore.save(:mine, :one);
SELECT version FROM docstore.save(:mine, :one);
SELECT version FROM docstore.save(:mine, :two);
SELECT role, request_id FROM docstore.requests ORDER BY request_id;
DELETE FROM docstore.requests WHERE request_id = :two;
UPDATE docstore.requests SET result = '[]';
INSERT INTO docstore.requests (role, request_id, changes_hash) VALUES ('"regress_docstore "" Ann"', :one, '');
INSERT INTO docstore.requests (role, request_id, changes_hash) VALUES ('"regress_docstore "" Ann"', :three, '') ON CONFLICT DO NOTHING;
UPDATE docstore.requests SET role = '"regress_docstore "" Ann"';
TRUNCATE docstore.requests;
SELECT docstore.forget_requests('0');
SELECT count(*) FROM docstore.save(:mine, :one);
RESET ROLE;
SELECT role, count(*) FROM docstore.requests WHERE role::text ~ 'regress_docstore' GROUP BY role ORDER BY role::text COLLATE "C";
SELECT version FROM docstore.save(:mine, :one);
SELECT docstore.forget_requests('0');
SELECT count(*) FROM docstore.requests;
-- somebody who may do nothing, and where an administrator has taken the right away
REVOKE INSERT ON docstore.requests FROM PUBLIC;
SET ROLE regress_docstore_ben;
SELECT version FROM docstore.save(:mine, :three);
RESET ROLE;
GRANT INSERT ON docstore.requests TO PUBLIC;
-- nobody can lock the table, or delete but by forgetting
SET ROLE regress_docstore_ben;
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT version FROM docstore.save(:mine, :three);
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "mine", "data": {}}]', :two);
ROLLBACK;
BEGIN;
LOCK TABLE docstore.requests IN SHARE MODE;
ROLLBACK;
DELETE FROM docstore.requests;
SELECT docstore.forget_requests('0'), current_user;
RESET ROLE;

-- what its owner has made of a stored result is refused, or answered, but never breaks anything
SELECT version FROM docstore.save('[]', :one);
CREATE FUNCTION pg_temp.answer(stored jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE docstore.requests SET result = stored WHERE request_id = '00000000-0000-0000-0000-000000000001' AND role::text = current_user;
	RETURN (SELECT count(*) FROM docstore.save('[]', '00000000-0000-0000-0000-000000000001'));
EXCEPTION WHEN others THEN
	RETURN concat_ws(': ', SQLSTATE, SQLERRM);
END
$$;
SELECT stored, pg_temp.answer(stored) FROM (VALUES ('7'::jsonb), ('"x"'), ('null'), ('{}'), ('[]'), ('[7]'), ('[{}]'), ('[[]]'), ('[null]'),
	('[{"item": 1, "op": "upsert", "target": "t", "id": "i", "version": 1}]'),
	('[{"item": "1", "op": "upsert", "target": "t", "id": "i", "version": 1}]'),
	('[{"item": 1, "op": 7, "target": "t", "id": "i", "version": 1}]'),
	('[{"item": 1, "op": "upsert", "target": "t", "id": {}, "version": 1}]'),
	('[{"item": 1e20, "op": "upsert", "target": "t", "id": "i", "version": 1}]'),
	('[{"item": 1, "op": "upsert", "target": "t", "id": "i", "version": []}]')) v(stored);
SELECT pg_temp.answer(NULL);

-- a search_path that is hostile
CREATE SCHEMA evil;
CREATE FUNCTION evil.trap(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.trap(regrole, regrole) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.trap(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.trap(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.to_regrole(text) RETURNS regrole LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.quote_ident(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.trap);
CREATE OPERATOR evil.= (LEFTARG = regrole, RIGHTARG = regrole, FUNCTION = evil.trap);
CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.trap);
CREATE OPERATOR evil.< (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.trap);
CREATE TABLE evil.requests (role regrole, request_id uuid);
CREATE TEMP TABLE requests (role regrole, request_id uuid);
GRANT USAGE ON SCHEMA evil TO PUBLIC;
SET search_path = evil, pg_catalog;
SELECT :one::uuid = :one::uuid;
SET ROLE regress_docstore_ben;
SELECT version FROM docstore.save(:mine, :two);
SELECT version FROM docstore.save(:mine, :two);
SELECT docstore.forget_requests('0');
RESET ROLE;
RESET search_path;
DROP SCHEMA evil CASCADE;
DROP TABLE pg_temp.requests;

-- DROP EXTENSION forgets the requests; CREATE EXTENSION in the same session begins anew. An update of an older version keeps them.
SELECT version FROM docstore.save(:mine, :two);
DROP EXTENSION docstore;
CREATE EXTENSION docstore VERSION '0.4.0';
SELECT version FROM docstore.save(:mine);
SELECT version FROM docstore.save(:mine, :two);
ALTER EXTENSION docstore UPDATE;
SELECT version FROM docstore.save(:mine, :two);
SELECT version FROM docstore.save(:mine);

DROP TABLE shops, orders;
DELETE FROM docstore.requests;
DROP ROLE "regress_docstore "" Ann", regress_docstore_ben;
