-- Privileges are the caller's: whoever lacks one gets 42501, and nobody gets more than plain SQL gives
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('orders');
SELECT docstore.upsert_many('shops', '{a,b,c,d}', '{"{}","{}","{}","{}"}', NULL), docstore.upsert('orders', '1', '{}');
CREATE SCHEMA closed;
SELECT docstore.create_collection('closed.shops');

CREATE ROLE regress_docstore_nobody;
CREATE ROLE regress_docstore_reader;
CREATE ROLE regress_docstore_creator;
CREATE ROLE regress_docstore_updater;
CREATE ROLE regress_docstore_deleter;
CREATE ROLE regress_docstore_writer;
GRANT SELECT ON shops TO regress_docstore_reader;
GRANT SELECT, INSERT ON shops TO regress_docstore_creator;
GRANT SELECT, UPDATE ON shops TO regress_docstore_updater;
GRANT SELECT, DELETE ON shops TO regress_docstore_deleter;
GRANT SELECT, INSERT, UPDATE, DELETE ON shops TO regress_docstore_writer;
GRANT ALL ON closed.shops TO regress_docstore_writer;

-- what each of them may do; each call is taken back
CREATE TEMP TABLE attempts (nr serial, what text, query text);
INSERT INTO attempts (what, query) VALUES
	('load', $$ SELECT version FROM docstore.load('public.shops', 'a') $$),
	('load, absent', $$ SELECT count(*) FROM docstore.load('public.shops', 'x') $$),
	('load_many', $$ SELECT count(*) FROM docstore.load_many('public.shops', '{a,b}') $$),
	('create', $$ SELECT docstore.upsert('public.shops', 'x', '{}') $$),
	('create what exists', $$ SELECT docstore.upsert('public.shops', 'a', '{}') $$),
	('update', $$ SELECT docstore.upsert('public.shops', 'a', '{}', 1) $$),
	('update any', $$ SELECT docstore.upsert('public.shops', 'a', '{}', -1) $$),
	('update stale', $$ SELECT docstore.upsert('public.shops', 'a', '{}', 7) $$),
	('update missing', $$ SELECT docstore.upsert('public.shops', 'x', '{}', 1) $$),
	('patch', $$ SELECT docstore.patch('public.shops', 'a', '{}', 1) $$),
	('patch any', $$ SELECT docstore.patch('public.shops', 'a', '{}', -1) $$),
	('patch any, absent', $$ SELECT docstore.patch('public.shops', 'x', '{}', -1) $$),
	('patch stale', $$ SELECT docstore.patch('public.shops', 'a', '{}', 7) $$),
	('patch missing', $$ SELECT docstore.patch('public.shops', 'x', '{}', -2) $$),
	('get', $$ SELECT docstore.get('public.shops', 'a') #> '{@metadata,version}' $$),
	('put', $$ SELECT docstore.put('{"@metadata": {"collection": "public.shops", "id": "a", "version": 1}}') #> '{@metadata,version}' $$),
	('put, absent', $$ SELECT docstore.put('{"@metadata": {"collection": "public.shops", "id": "x"}}') #> '{@metadata,version}' $$),
	('delete', $$ SELECT docstore.delete('public.shops', 'a', 1) $$),
	('delete any', $$ SELECT docstore.delete('public.shops', 'a', -1) $$),
	('delete absent', $$ SELECT docstore.delete('public.shops', 'x', -1) $$),
	('delete stale', $$ SELECT docstore.delete('public.shops', 'a', 7) $$),
	('delete missing', $$ SELECT docstore.delete('public.shops', 'x', 1) $$),
	('create two', $$ SELECT docstore.upsert_many('public.shops', '{x,y}', '{"{}","{}"}', NULL) $$),
	('update two', $$ SELECT docstore.upsert_many('public.shops', '{a,b}', '{"{}","{}"}', '{1,1}') $$),
	('save create', $$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "x", "data": {}}]') $$),
	('save update', $$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "a", "data": {}, "expected": 1}]') $$),
	('save any', $$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "a", "data": {}, "expected": "any"}]') $$),
	('save patch', $$ SELECT version FROM docstore.save('[{"op": "patch", "collection": "public.shops", "id": "a", "data": {}, "expected": 1}]') $$),
	('save put', $$ SELECT version FROM docstore.save('[{"op": "put", "data": {"@metadata": {"collection": "public.shops", "id": "a", "version": 1}}}]') $$),
	('save stale', $$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "a", "data": {}, "expected": 7}]') $$),
	('save delete', $$ SELECT version FROM docstore.save('[{"op": "delete", "collection": "public.shops", "id": "a", "expected": 1}]') $$),
	('assert none', $$ SELECT version FROM docstore.save('[{"op": "assert", "collection": "public.shops", "id": "x", "expected": 0}]') $$),
	('assert', $$ SELECT version FROM docstore.save('[{"op": "assert", "collection": "public.shops", "id": "a", "expected": 1}]') $$),
	('try_save', $$ SELECT reason FROM docstore.try_save('[{"op": "upsert", "collection": "public.shops", "id": "a", "data": {}, "expected": 7}]') $$),
	('other table', $$ SELECT docstore.upsert('public.orders', 'x', '{}') $$),
	('put there', $$ SELECT docstore.put('{"@metadata": {"collection": "closed.shops", "id": "x"}}') #> '{@metadata,version}' $$),
	('other schema', $$ SELECT docstore.upsert('closed.shops', 'x', '{}') $$),
	('schema by OID', format($$ SELECT docstore.upsert(%s::oid::regclass, 'x', '{}') $$, 'closed.shops'::regclass::oid)),
	('read by OID', format($$ SELECT count(*) FROM docstore.load(%s::oid::regclass, 'x') $$, 'closed.shops'::regclass::oid)),
	('save there', $$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "closed.shops", "id": "x", "data": {}}]') $$),
	('create table', $$ SELECT docstore.create_collection('closed.mine') $$),
	('in docstore', $$ SELECT docstore.create_collection('docstore.mine') $$),
	('violations', $$ SELECT count(*) FROM docstore.violations('{"total": 1, "violations": []}') $$),
	('request', $$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "public.shops", "id": "x", "data": {}}]', '00000000-0000-0000-0000-000000000001') $$),
	('requests', $$ SELECT count(*) FROM docstore.requests $$),
	('forget', $$ SELECT docstore.forget_requests('0') $$),
	('check', $$ SELECT docstore.check_conflicts() $$),
	('constants', $$ SELECT docstore.no_version() + docstore.any_version() + docstore.some_version() $$);
GRANT SELECT ON attempts TO PUBLIC;
CREATE TEMP TABLE outcome (role text, nr integer, result text);
GRANT INSERT ON outcome TO PUBLIC;
PREPARE attempt(text) AS INSERT INTO outcome SELECT $1, nr, pg_temp.verdict(query) FROM attempts ORDER BY nr;
SET ROLE regress_docstore_nobody;
EXECUTE attempt('nobody');
SET ROLE regress_docstore_reader;
EXECUTE attempt('reader');
SET ROLE regress_docstore_creator;
EXECUTE attempt('creator');
SET ROLE regress_docstore_updater;
EXECUTE attempt('updater');
SET ROLE regress_docstore_deleter;
EXECUTE attempt('deleter');
SET ROLE regress_docstore_writer;
EXECUTE attempt('writer');
RESET ROLE;
SELECT what, max(result) FILTER (WHERE role = 'nobody') AS nobody, max(result) FILTER (WHERE role = 'reader') AS reader,
	max(result) FILTER (WHERE role = 'creator') AS creator, max(result) FILTER (WHERE role = 'updater') AS updater,
	max(result) FILTER (WHERE role = 'deleter') AS deleter, max(result) FILTER (WHERE role = 'writer') AS writer
FROM outcome JOIN attempts USING (nr) GROUP BY nr, what ORDER BY nr;

-- what a role may not do by plain SQL either: the same code, in the server's own words
SET ROLE regress_docstore_reader;
CALL pg_temp.try($$ UPDATE shops SET data = '{}' WHERE id = 'a' $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a', '{}', 1) $$);
-- nothing is told to whom may not read: neither that a document is there, nor its version
SET ROLE regress_docstore_nobody;
CALL pg_temp.try($$ SELECT docstore.upsert('public.shops', 'a', '{}', 7) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('public.shops', '{a,b}', '{"{}","{}"}', '{7,7}') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.try_save('[{"op": "assert", "collection": "public.shops", "id": "a", "expected": 7}]') $$);
SET docstore.checks = off;
CALL pg_temp.try($$ SELECT docstore.upsert('public.shops', 'a', '{}', 7) $$);
RESET docstore.checks;

-- privileges on columns: those that plain SQL would need
RESET ROLE;
GRANT SELECT (id, version), UPDATE (version, data, updated_at) ON shops TO regress_docstore_nobody;
SET ROLE regress_docstore_nobody;
SELECT docstore.upsert('public.shops', 'a', '{}', 1);
SELECT docstore.upsert_many('public.shops', '{a,b}', '{"{}","{}"}', '{2,1}');
SELECT pg_temp.verdict($$ SELECT docstore.upsert('public.shops', 'a', '{}', 7) $$),
	pg_temp.verdict($$ SELECT docstore.upsert('public.shops', 'x', '{}') $$),
	pg_temp.verdict($$ SELECT version FROM docstore.load('public.shops', 'a') $$);
-- a patch reads what it changes
SELECT pg_temp.verdict($$ SELECT docstore.patch('public.shops', 'a', '{}', 3) $$);
RESET ROLE;
GRANT SELECT (data) ON shops TO regress_docstore_nobody;
SET ROLE regress_docstore_nobody;
SELECT pg_temp.verdict($$ SELECT docstore.patch('public.shops', 'a', '{}', 3) $$);

-- a kept plan asks again when privileges or the role have changed
RESET ROLE;
REVOKE ALL ON shops FROM regress_docstore_writer;
REVOKE UPDATE (version, data, updated_at) ON shops FROM regress_docstore_nobody;
SET ROLE regress_docstore_nobody;
SELECT pg_temp.verdict($$ SELECT docstore.upsert('public.shops', 'a', '{}', 3) $$);
SET ROLE regress_docstore_writer;
SELECT pg_temp.verdict($$ SELECT docstore.upsert('public.shops', 'a', '{}', 3) $$);
RESET ROLE;
SELECT docstore.upsert('shops', 'a', '{}', 3);

-- who may make tables makes collections, and owns them
GRANT CREATE ON SCHEMA closed TO regress_docstore_writer;
GRANT USAGE ON SCHEMA closed TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
SELECT docstore.create_collection('closed.mine');
SELECT docstore.upsert('closed.mine', 'a', '{}'), docstore.upsert('closed.shops', 'a', '{}');
RESET ROLE;
SELECT relowner::regrole FROM pg_class WHERE oid = 'closed.mine'::regclass;

DROP TABLE shops, orders, attempts, outcome;
DROP SCHEMA closed CASCADE;
DROP ROLE regress_docstore_nobody, regress_docstore_reader, regress_docstore_creator, regress_docstore_updater, regress_docstore_deleter,
	regress_docstore_writer;
