-- Tables that change while plans and descriptions of them are kept: no stale plan reads or writes anything
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- Uses every statement on the collection, so that its plans are kept, and says who wrote what is there in the end.
-- The collection is given by its OID, as it would come from a stored column; save() takes its name.
CREATE FUNCTION pg_temp.use_all(collection regclass, id text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text := collection::text;
	versions bigint[];
BEGIN
	PERFORM docstore.upsert(collection, id, '{"by": "upsert"}', -1);
	PERFORM docstore.upsert(collection, id, '{"by": "upsert"}', (docstore.load(collection, id)).version);
	versions := docstore.upsert_many(collection, ARRAY[id, '88'], '{"{\"by\": \"many\"}","{\"by\": \"many\"}"}', '{-1,-1}');
	PERFORM docstore.delete(collection, '88', versions[2]);
	versions := ARRAY(SELECT version FROM docstore.save(jsonb_build_array(
		jsonb_build_object('op', 'assert', 'collection', name, 'id', id, 'expected', versions[1]),
		jsonb_build_object('op', 'upsert', 'collection', name, 'id', '88', 'data', '{"by": "save"}'::jsonb),
		jsonb_build_object('op', 'upsert', 'collection', name, 'id', '99', 'expected', 'any', 'data', '{"by": "save"}'::jsonb))));
	PERFORM docstore.save(jsonb_build_array(
		jsonb_build_object('op', 'upsert', 'collection', name, 'id', '99', 'expected', versions[3], 'data', '{"by": "save again"}'::jsonb),
		jsonb_build_object('op', 'delete', 'collection', name, 'id', '88', 'expected', versions[2])));
	RETURN (SELECT string_agg(d.id || ' by ' || (d.data ->> 'by'), ', ') FROM docstore.load_many(collection, ARRAY['88', id, '99']) d);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END
$$;
CREATE SCHEMA one;
SELECT docstore.create_collection('one.shops') AS shops \gset
SELECT :'shops'::regclass::oid AS shops \gset
SELECT pg_temp.use_all(:shops, '1');

-- renamed, and another table takes its name
ALTER TABLE one.shops RENAME TO stores;
SELECT pg_temp.use_all(:shops, '2');
SELECT docstore.create_collection('one.shops');
SELECT pg_temp.use_all(:shops, '3');
SELECT id, data FROM one.stores ORDER BY id;
SELECT count(*) FROM one.shops;

-- the schema is renamed, and another one takes its name, with a table of that name
ALTER SCHEMA one RENAME TO two;
SELECT pg_temp.use_all(:shops, '4');
CREATE SCHEMA one;
SELECT docstore.create_collection('one.stores');
SELECT pg_temp.use_all(:shops, '5');
ALTER TABLE two.stores SET SCHEMA public;
SELECT pg_temp.use_all(:shops, '6');
SELECT count(*) FROM stores;
SELECT (SELECT count(*) FROM one.stores) + (SELECT count(*) FROM two.shops) AS elsewhere;

-- dropped, and made again under the same name
SELECT pg_temp.use_all('two.shops', '1');
DROP TABLE two.shops;
SELECT docstore.create_collection('two.shops', 'integer');
SELECT pg_temp.use_all('two.shops', '1');
DROP TABLE one.stores, two.shops;
DROP SCHEMA one, two;
DELETE FROM stores;

-- columns are renamed: refused; another column takes the name: it is used
ALTER TABLE stores RENAME data TO body;
CALL pg_temp.try($$ SELECT docstore.upsert('stores', '1', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.load('stores', '1') $$);
CALL pg_temp.try($$ SELECT docstore.load_many('stores', '{1}') $$);
CALL pg_temp.try($$ SELECT docstore.delete('stores', '1', 1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "assert", "collection": "stores", "id": "1", "expected": 1}]') $$);
ALTER TABLE stores ALTER body SET DEFAULT '"body"', ADD data jsonb;
SELECT pg_temp.use_all('stores', '1');
SELECT id, body, data FROM stores ORDER BY id;
ALTER TABLE stores RENAME version TO revision;
ALTER TABLE stores ADD version bigint NOT NULL DEFAULT 41;
SELECT pg_temp.use_all('stores', '1');
SELECT id, revision < 41 AS old_stays, version > 41 AS new_grows FROM stores ORDER BY id;
DELETE FROM stores;

-- the times: dropped, and back again
ALTER TABLE stores DROP created_at, DROP updated_at;
SELECT pg_temp.use_all('stores', '1');
SELECT created_at, updated_at FROM docstore.load('stores', '1');
ALTER TABLE stores ADD created_at timestamptz DEFAULT '2001-01-01', ADD updated_at timestamptz DEFAULT '2001-01-01';
BEGIN;
SELECT pg_temp.use_all('stores', '1');
SELECT created_at = '2001-01-01' AS created_before, updated_at = now() AS updated_now FROM docstore.load('stores', '1');
SELECT docstore.upsert('stores', '2', '{}') IS NOT NULL AS saved;
SELECT created_at = now() AS created_now, updated_at = now() AS updated_now FROM docstore.load('stores', '2');
COMMIT;

-- the primary key: dropped, made again, moved elsewhere
ALTER TABLE stores DROP CONSTRAINT shops_pkey;
SELECT pg_temp.use_all('stores', '1');
ALTER TABLE stores ADD PRIMARY KEY (id) DEFERRABLE;
SELECT pg_temp.use_all('stores', '1');
ALTER TABLE stores DROP CONSTRAINT stores_pkey, ADD PRIMARY KEY (revision, id);
SELECT pg_temp.use_all('stores', '1');
ALTER TABLE stores DROP CONSTRAINT stores_pkey, ADD PRIMARY KEY (id);
SELECT pg_temp.use_all('stores', '1');

-- the type of the ids; NOT NULL; the number of unique indexes; a trigger; persistence
TRUNCATE stores;
ALTER TABLE stores ALTER id TYPE integer USING id::integer;
SELECT pg_temp.use_all('stores', '007');
SELECT pg_temp.use_all('stores', 'x');
ALTER TABLE stores ALTER version DROP NOT NULL;
SELECT pg_temp.use_all('stores', '7');
ALTER TABLE stores ALTER version SET NOT NULL, ADD CONSTRAINT second_key UNIQUE (version, id);
SELECT pg_temp.use_all('stores', '7');
ALTER TABLE stores DROP CONSTRAINT second_key;
ALTER TABLE stores SET UNLOGGED;
SELECT pg_temp.use_all('stores', '7');

-- what a transaction changed and took back
BEGIN;
ALTER TABLE stores RENAME data TO payload;
SELECT pg_temp.use_all('stores', '7');
ROLLBACK;
SELECT pg_temp.use_all('stores', '7');
BEGIN;
DROP TABLE stores;
SELECT docstore.create_collection('stores') \gset
SELECT pg_temp.use_all('stores', 'new');
ROLLBACK;
SELECT pg_temp.use_all('stores', '7');

-- the search_path decides which table a name means, each time
CREATE SCHEMA one;
SELECT docstore.create_collection('one.stores');
SET search_path = one, public;
SELECT target FROM docstore.save('[{"op": "upsert", "collection": "stores", "id": "1", "data": {}}]');
SET search_path = public, one;
SELECT target FROM docstore.save('[{"op": "upsert", "collection": "stores", "id": "1", "data": {}}]');
SELECT pg_temp.use_all('public.stores', '7');
RESET search_path;

DROP TABLE stores, one.stores;
DROP SCHEMA one;
