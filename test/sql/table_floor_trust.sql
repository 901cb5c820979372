-- Whom a floor follows, and what it tells: no role can use up the versions of others, nor learn from a version what others have deleted.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- versions of today are told from others, and not shown
CREATE FUNCTION pg_temp.v(version bigint) RETURNS text LANGUAGE sql
	RETURN CASE WHEN version BETWEEN 1700000000000000 AND 5000000000000000 THEN 'of the clock' ELSE version::text END;
CREATE FUNCTION pg_temp.now() RETURNS bigint LANGUAGE sql RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
CREATE FUNCTION pg_temp.floor_of(collection text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	value bigint;
BEGIN
	EXECUTE format('SELECT last_value FROM %s', pg_get_serial_sequence(collection, 'version')) INTO value;
	RETURN pg_temp.v(value);
END $$;
CREATE ROLE regress_docstore_owner;
CREATE ROLE regress_docstore_tenant;
CREATE ROLE regress_docstore_other;
CREATE SCHEMA own AUTHORIZATION regress_docstore_owner;
GRANT USAGE ON SCHEMA own TO PUBLIC;
SET ROLE regress_docstore_owner;
SELECT docstore.create_collection('own.shared'), docstore.create_collection('own.guarded');
SELECT docstore.guard('own.guarded');
ALTER TABLE own.shared ADD COLUMN tenant name DEFAULT current_user, ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenants ON own.shared TO PUBLIC USING (tenant = current_user);
GRANT SELECT, INSERT, UPDATE, DELETE ON own.shared TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON own.guarded TO PUBLIC;

-- where nothing was deleted versions start at 1, for all
SET ROLE regress_docstore_other;
SELECT docstore.upsert('own.shared', 'first', '{}'), docstore_internal.is_used_up('own.shared', 1);

-- a forged version is refused where it would use up versions: in every verb, and where plain SQL deletes
SET ROLE regress_docstore_tenant;
INSERT INTO own.shared (id, version, data) VALUES ('q', 9223372036854775807, '{}'), ('r', 9000000000000000000, '{}'), ('s', 1, '{}');
CALL pg_temp.try($$ SELECT docstore.delete('own.shared', 'q', -1) $$);
CALL pg_temp.try($$ SELECT docstore.delete('own.shared', 'r', 9000000000000000000) $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "delete", "collection": "own.shared", "id": "r", "expected": "any"}, {"op": "delete", "collection": "own.shared", "id": "s", "expected": 1}]') $$);
CALL pg_temp.try($$ SELECT docstore.try_save('[{"op": "delete", "collection": "own.shared", "id": "r", "expected": "any"}]') $$);
INSERT INTO own.guarded (id, version, data) VALUES ('q', 9000000000000000000, '{}');
CALL pg_temp.try($$ SELECT docstore.delete('own.guarded', 'q', -1) $$);
CALL pg_temp.try($$ DELETE FROM own.guarded $$);
CALL pg_temp.try($$ UPDATE own.guarded SET id = 'p' $$);
CALL pg_temp.try($$ TRUNCATE own.guarded $$);
-- so others go on as before
SET ROLE regress_docstore_other;
SELECT docstore.upsert('own.shared', 'second', '{}');

-- nor do functions of the owner's, which delete what their callers have put there
SET ROLE regress_docstore_owner;
CREATE FUNCTION own.remove(id text) RETURNS bigint SECURITY DEFINER LANGUAGE sql AS $$ SELECT docstore.delete('own.guarded', id, -1) $$;
SET ROLE regress_docstore_tenant;
CALL pg_temp.try($$ SELECT own.remove('q') $$);

-- nor foreign keys, which act in the owner's name
SET ROLE regress_docstore_owner;
CREATE TABLE own.parents (id text PRIMARY KEY);
GRANT SELECT, INSERT, DELETE ON own.parents TO PUBLIC;
ALTER TABLE own.guarded ADD COLUMN parent text REFERENCES own.parents ON DELETE CASCADE;
SET ROLE regress_docstore_tenant;
INSERT INTO own.parents VALUES ('p');
INSERT INTO own.guarded (id, version, data, parent) VALUES ('child', 9000000000000000000, '{}', 'p');
CALL pg_temp.try($$ DELETE FROM own.parents $$);

-- what a clock could have counted is believed; who sees all documents then gets the version above that
INSERT INTO own.guarded (id, version, data) VALUES ('t', pg_temp.now(), '{}');
DELETE FROM own.guarded WHERE id = 't';
SELECT pg_temp.v(docstore.upsert('own.guarded', 't', '{}'));
-- and one that is ahead by less than a day
INSERT INTO own.guarded (id, version, data) VALUES ('soon', pg_temp.now() + 23 * 3600000000, '{}'), ('later', pg_temp.now() + 25 * 3600000000, '{}');
DELETE FROM own.guarded WHERE id = 'soon';
SELECT pg_temp.v(docstore.upsert('own.guarded', 'soon', '{}'));
CALL pg_temp.try($$ DELETE FROM own.guarded WHERE id = 'later' $$);
-- the owner may delete what he likes, and then nobody is kept from what has begun above it
SET ROLE regress_docstore_owner;
DELETE FROM own.guarded WHERE id = 'child';
SELECT pg_temp.floor_of('own.guarded');
SET ROLE regress_docstore_tenant;
SELECT docstore.upsert('own.guarded', 'u', '{}'), docstore.upsert('own.guarded', 'u', '{}', 9000000000000000001), docstore.delete('own.guarded', 'u', 9000000000000000002);
SELECT docstore.upsert('own.guarded', 'u', '{}');
-- by a million versions
INSERT INTO own.guarded (id, version, data) VALUES ('near', 9000000000001000002, '{}'), ('far', 9000000000002000003, '{}');
DELETE FROM own.guarded WHERE id = 'near';
SELECT docstore.upsert('own.guarded', 'near', '{}');
CALL pg_temp.try($$ DELETE FROM own.guarded WHERE id = 'far' $$);

-- who cannot see all documents learns that something was deleted, and no more; also in batches, and beside the executor
SELECT docstore.delete('own.shared', 's', 1);
SELECT docstore.upsert('own.shared', 't', '{}') > 1700000000000000 AS is_of_the_clock;
SELECT docstore_internal.is_used_up('own.shared', 1) AS used, docstore_internal.is_used_up('own.shared', 1000) AS as_used, docstore_internal.is_used_up('own.shared', pg_temp.now()) AS new;
SELECT pg_temp.v(docstore.upsert('own.shared', 's', '{}')), pg_temp.v(docstore.patch('own.shared', 't2', '{}', 0));
SELECT pg_temp.v(version) FROM docstore.save('[{"op": "upsert", "collection": "own.shared", "id": "x", "data": {}}, {"op": "put", "data": {"@metadata": {"collection": "own.shared", "id": "y"}}}]');
SELECT pg_temp.v(version) FROM unnest(docstore.upsert_many('own.shared', '{v,w}', '{"{}","{}"}', NULL)) version;
-- such a document can be deleted, by its tenant as by anybody
SELECT pg_temp.v(docstore.delete('own.shared', 't', -1));
SET ROLE regress_docstore_owner;
SELECT pg_temp.floor_of('own.shared');
-- policies do not apply to the owner, who is told the floor
SELECT pg_temp.v(docstore.upsert('own.shared', 'mine', '{}'));
SELECT setval(pg_get_serial_sequence('own.shared', 'version'), 5);
SELECT docstore.upsert('own.shared', 'mine too', '{}');
-- who is too low time and again begins further and further above the floor
SELECT tries, docstore_internal.next_version('own.shared', tries) FROM unnest('{0,1,2,3,20,21}'::int[]) tries;
-- a floor that is ahead of the clock is that for all
SELECT setval(pg_get_serial_sequence('own.shared', 'version'), pg_temp.now() + 3600000000) AS ahead \gset
SET ROLE regress_docstore_tenant;
SELECT docstore.upsert('own.shared', 'ahead', '{}') - :ahead AS above;
SET ROLE regress_docstore_owner;

-- the floor of a partition is that of the whole table
CREATE TABLE own.whole (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY LIST (id);
CREATE TABLE own.part PARTITION OF own.whole FOR VALUES IN ('a', 'b');
CREATE TABLE own.rest PARTITION OF own.whole DEFAULT;
GRANT SELECT, INSERT, UPDATE, DELETE ON own.part TO PUBLIC;
SELECT docstore.upsert('own.whole', 'c', '{}'), docstore.delete('own.whole', 'c', 1);
SELECT docstore.upsert('own.part', 'a', '{}');
SET ROLE regress_docstore_tenant;
SELECT pg_temp.v(docstore.upsert('own.part', 'b', '{}'));
-- also where it is the partition alone that has row security
SET ROLE regress_docstore_owner;
GRANT SELECT ON own.whole TO PUBLIC;
SELECT docstore.delete('own.part', 'b', -1) > 0 AS deleted;
SELECT setval(pg_get_serial_sequence('own.whole', 'version'), 5);
SET ROLE regress_docstore_tenant;
SELECT docstore.upsert('own.part', 'b', '{}'), docstore.delete('own.part', 'b', 6);
SET ROLE regress_docstore_owner;
ALTER TABLE own.part ENABLE ROW LEVEL SECURITY;
CREATE POLICY b ON own.part TO PUBLIC USING (id = 'b');
SET ROLE regress_docstore_tenant;
SELECT pg_temp.v(docstore.upsert('own.part', 'b', '{}'));

RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA own CASCADE;
DROP ROLE regress_docstore_owner, regress_docstore_tenant, regress_docstore_other;
