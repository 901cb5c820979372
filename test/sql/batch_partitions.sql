-- Batches over partitions: what one document is, however it is named
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE TABLE parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY LIST (id);
CREATE TABLE part_ab PARTITION OF parts FOR VALUES IN ('a', 'b');
CREATE TABLE part_rest PARTITION OF parts DEFAULT PARTITION BY LIST (id);
CREATE TABLE part_cd PARTITION OF part_rest FOR VALUES IN ('c', 'd');
SELECT docstore.upsert('parts', id, '{}') FROM unnest('{a,b,c,d}'::text[]) id;

CREATE FUNCTION pg_temp.item(op text, collection text, id text, expected text) RETURNS jsonb LANGUAGE sql
	RETURN jsonb_strip_nulls(jsonb_build_object('op', op, 'collection', collection, 'id', id, 'expected', expected,
		'data', CASE op WHEN 'upsert' THEN '{}'::jsonb WHEN 'patch' THEN '{}'::jsonb END));
CREATE FUNCTION pg_temp.save(VARIADIC items jsonb[]) RETURNS text LANGUAGE sql
	RETURN format('SELECT item, target, id, version FROM docstore.save(%L)', to_jsonb(items));

-- a document that is named twice, through its table and through a partition, of whatever level
CALL pg_temp.try(pg_temp.save(pg_temp.item('upsert', 'parts', 'a', 'any'), pg_temp.item('upsert', 'part_ab', 'a', 'any')));
CALL pg_temp.try(pg_temp.save(pg_temp.item('upsert', 'part_ab', 'a', 'exists'), pg_temp.item('upsert', 'parts', 'b', 'any'), pg_temp.item('delete', 'parts', 'a', 'any')));
CALL pg_temp.try(pg_temp.save(pg_temp.item('assert', 'part_cd', 'c', 'exists'), pg_temp.item('patch', 'part_rest', 'c', 'any')));
CALL pg_temp.try(pg_temp.save(pg_temp.item('upsert', 'parts', 'c', 'none'), pg_temp.item('upsert', 'part_cd', 'c', 'none')));
CALL pg_temp.try(pg_temp.save(pg_temp.item('upsert', 'part_ab', 'a', 'any'), pg_temp.item('upsert', 'part_cd', 'a', 'any')));
SELECT id, version FROM parts ORDER BY id;

-- different documents, all at once
SELECT item, op, target, id, version FROM docstore.save(jsonb_build_array(pg_temp.item('delete', 'part_cd', 'd', 'any'),
	pg_temp.item('upsert', 'parts', 'b', 'any'), pg_temp.item('upsert', 'part_rest', 'c', 'any'), pg_temp.item('patch', 'part_ab', 'a', 'exists')));

-- a partition on its own again is a collection of its own
ALTER TABLE parts DETACH PARTITION part_ab;
CREATE TABLE part_ab_new PARTITION OF parts FOR VALUES IN ('a', 'b');
SELECT item, target, id FROM docstore.save(jsonb_build_array(
	pg_temp.item('upsert', 'parts', 'a', 'any'), pg_temp.item('upsert', 'part_ab', 'a', 'any')));
-- and is a part again
TRUNCATE part_ab_new;
ALTER TABLE parts DETACH PARTITION part_ab_new;
ALTER TABLE parts ATTACH PARTITION part_ab FOR VALUES IN ('a', 'b');
CALL pg_temp.try(pg_temp.save(pg_temp.item('upsert', 'parts', 'a', 'any'), pg_temp.item('upsert', 'part_ab', 'a', 'any')));
-- a part of another table, with the partitions of its own that it has
CREATE TABLE whole (id text NOT NULL, version bigint NOT NULL, data jsonb) PARTITION BY LIST (id);
ALTER TABLE ONLY whole ADD CONSTRAINT whole_key PRIMARY KEY (id);
ALTER TABLE whole ATTACH PARTITION parts FOR VALUES IN ('a', 'b', 'c', 'd');
CALL pg_temp.try(pg_temp.save(pg_temp.item('upsert', 'whole', 'a', 'any'), pg_temp.item('upsert', 'part_ab', 'a', 'any')));
CALL pg_temp.try(pg_temp.save(pg_temp.item('upsert', 'part_cd', 'c', 'any'), pg_temp.item('upsert', 'whole', 'c', 'any')));
DROP TABLE whole, part_ab_new;

-- partitions by something else, each with a key of its own: the same id is another document
CREATE TABLE tenants (tenant int, id text NOT NULL, version bigint NOT NULL, data jsonb) PARTITION BY LIST (tenant);
CREATE TABLE tenant_1 PARTITION OF tenants (tenant DEFAULT 1) FOR VALUES IN (1);
CREATE TABLE tenant_2 PARTITION OF tenants (tenant DEFAULT 2) FOR VALUES IN (2);
ALTER TABLE tenant_1 ADD PRIMARY KEY (id);
ALTER TABLE tenant_2 ADD PRIMARY KEY (id);
SELECT item, target, id, version FROM docstore.save(jsonb_build_array(
	pg_temp.item('upsert', 'tenant_1', 'a', 'none'), pg_temp.item('upsert', 'tenant_2', 'a', 'none')));
DROP TABLE tenants;

-- a child by inheritance has ids of its own
CREATE TABLE parent (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
SELECT item, target, id, version FROM docstore.save(jsonb_build_array(
	pg_temp.item('upsert', 'parent', 'a', 'none'), pg_temp.item('upsert', 'child', 'a', 'none')));
DROP TABLE child, parent;
