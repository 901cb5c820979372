-- The views show just what docstore accepts, what it is like, and what its errors mean
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- tables that are collections or logs, and tables that just are not
CREATE SCHEMA "Odd ""Schema""";
SELECT docstore.create_collection('shops'), docstore.create_collection('"Odd ""Schema"""."a.b"', 'uuid'), docstore.create_log('ledger', true), docstore.create_log('quiet');
CREATE TABLE own (note text, data jsonb, gone int, version bigint NOT NULL, id integer PRIMARY KEY, updated_at timestamptz, created_at date);
ALTER TABLE own DROP gone;
CREATE UNLOGGED TABLE unlogged (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TEMP TABLE temporary (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (unlogged);
CREATE TABLE parts (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (id);
CREATE TABLE part_21 PARTITION OF part_2 FOR VALUES FROM (10) TO (20);
CREATE TABLE part_22 PARTITION OF part_2 FOR VALUES FROM (20) TO (30);
-- the partitions are collections here, and what they are a part of is none
CREATE TABLE keyless (id bigint, version bigint NOT NULL, data jsonb) PARTITION BY RANGE (version);
CREATE TABLE keyless_1 PARTITION OF keyless (PRIMARY KEY (id)) FOR VALUES FROM (1) TO (10);
CREATE TABLE keyless_2 PARTITION OF keyless FOR VALUES FROM (10) TO (20);
CREATE TABLE no_key (id text NOT NULL UNIQUE, version bigint NOT NULL, data jsonb);
CREATE TABLE wide_key (id text, version bigint NOT NULL, data jsonb, PRIMARY KEY (id, version));
CREATE TABLE late_key (id text PRIMARY KEY DEFERRABLE, version bigint NOT NULL, data jsonb);
CREATE TABLE varchar_id (id varchar PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE generated_id (id text PRIMARY KEY GENERATED ALWAYS AS (data ->> 'id') STORED, version bigint NOT NULL, data jsonb);
CREATE TABLE integer_version (id text PRIMARY KEY, version integer NOT NULL, data jsonb);
CREATE TABLE null_version (id text PRIMARY KEY, version bigint, data jsonb);
CREATE TABLE json_data (id text PRIMARY KEY, version bigint NOT NULL, data json);
CREATE COLLATION case_blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE blind (id text COLLATE case_blind PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE ruled (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE RULE nothing AS ON DELETE TO ruled DO INSTEAD NOTHING;
CREATE TABLE once_ruled (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE RULE nothing AS ON DELETE TO once_ruled DO INSTEAD NOTHING;
DROP RULE nothing ON once_ruled;
CREATE VIEW a_view AS SELECT * FROM shops;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM shops;
-- logs that have lost something, each something else
SELECT count(docstore.create_log(name)) FROM unnest('{lacks_streams,lacks_consumers,lacks_index,lacks_key,lacks_column,lacks_identity,lacks_head,other_owner,ruled_log,other_collation}'::text[]) AS u(name);
DROP TABLE lacks_streams_streams, lacks_consumers_consumers;
DROP INDEX lacks_index_generation_transaction_id_log_position_idx;
ALTER TABLE lacks_key DROP CONSTRAINT lacks_key_stream_version_key;
ALTER TABLE lacks_column RENAME metadata TO meta;
ALTER TABLE lacks_identity ALTER log_position DROP IDENTITY;
ALTER TABLE lacks_head_streams DROP revision;
CREATE ROLE regress_docstore_other;
ALTER TABLE other_owner_streams OWNER TO regress_docstore_other;
CREATE RULE nothing AS ON DELETE TO ruled_log DO INSTEAD NOTHING;
ALTER TABLE other_collation ALTER type TYPE text COLLATE case_blind;
CREATE TABLE not_of_a_log_consumers (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);

-- whether docstore takes a relation: anything but "is not a ..."
CREATE FUNCTION pg_temp.is_refused(query text, relation oid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query USING relation::regclass;
	RETURN false;
EXCEPTION
	WHEN wrong_object_type THEN RETURN true;
	WHEN invalid_text_representation THEN RETURN false;
END
$$;
CREATE TEMP VIEW relations AS SELECT c.oid, format('%I.%I', nspname, relname) AS name, relispartition FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace;

-- every relation of the database: docstore takes it, and so it is listed, or neither; but partitions of what is listed
SELECT r.name, pg_temp.is_refused('SELECT version FROM docstore.load($1, ''1'')', r.oid) AS refused, v.name IS NOT NULL AS listed
FROM relations r LEFT JOIN docstore.collections v USING (name)
WHERE pg_temp.is_refused('SELECT version FROM docstore.load($1, ''1'')', r.oid) = (v.name IS NOT NULL) ORDER BY r.name COLLATE "C";
SELECT r.name, pg_temp.is_refused('SELECT docstore.tail($1, ''{}'')', r.oid) AS refused, v.name IS NOT NULL AS listed
FROM relations r LEFT JOIN docstore.logs v USING (name)
WHERE pg_temp.is_refused('SELECT docstore.tail($1, ''{}'')', r.oid) = (v.name IS NOT NULL) ORDER BY r.name COLLATE "C";
SELECT count(*) > 300 AS many, count(*) FILTER (WHERE NOT pg_temp.is_refused('SELECT version FROM docstore.load($1, ''1'')', oid)) AS collections,
	count(*) FILTER (WHERE NOT pg_temp.is_refused('SELECT docstore.tail($1, ''{}'')', oid)) AS logs FROM relations;

-- what they are like
SELECT regexp_replace(name, '^pg_temp_\d+', 'pg_temp') AS name, options ->> 'id_type' AS id_type, options ->> 'created_at' AS created, options ->> 'updated_at' AS updated,
	options ->> 'floor' AS floor, options ->> 'partitions' AS parts, options ->> 'consumers_of' AS consumers_of
FROM docstore.collections WHERE name !~ '\m(lacks|other|ruled)_' ORDER BY name COLLATE "C";
SELECT name, options FROM docstore.logs ORDER BY name COLLATE "C";
ALTER TABLE ledger DISABLE TRIGGER docstore_notify;
SELECT options -> 'notify' AS notify FROM docstore.logs WHERE name = 'public.ledger';
SELECT docstore.upsert('own', '1', '{}'), docstore.delete('own', '1', 1);
SELECT options ->> 'floor' AS floor FROM docstore.collections WHERE name = 'public.own';

-- rows as the statistics know them, and what pg_total_relation_size() says
ALTER TABLE shops SET (autovacuum_enabled = off);
ALTER TABLE part_1 SET (autovacuum_enabled = off);
ALTER TABLE ledger SET (autovacuum_enabled = off);
ALTER TABLE ledger_streams SET (autovacuum_enabled = off);
INSERT INTO shops SELECT n::text, 1, jsonb_build_object('n', n, 'long', repeat(md5(n::text), 200)), now(), now() FROM generate_series(1, 300) n;
INSERT INTO parts SELECT n, 1, '{}' FROM generate_series(1, 15) n;
SELECT count(*) FROM docstore.append('ledger', 'a', '[{"type": "T"}, {"type": "T"}]');
SELECT name, estimated_rows FROM docstore.collections WHERE name IN ('public.shops', 'public.parts') ORDER BY name;
ANALYZE shops, part_1, ledger, ledger_streams;
SELECT name, estimated_rows FROM docstore.collections WHERE name IN ('public.shops', 'public.parts') ORDER BY name;
ANALYZE parts;
SELECT name, estimated_rows FROM docstore.collections WHERE name IN ('public.shops', 'public.parts') ORDER BY name;
SELECT estimated_rows, options ->> 'streams' AS streams FROM docstore.logs WHERE name = 'public.ledger';
VACUUM shops;
SELECT count(*) AS wrong_sizes FROM docstore.collections v WHERE name <> 'public.parts' AND size IS DISTINCT FROM pg_total_relation_size(name::regclass);
SELECT size = (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('parts')) AS same, size > 0 AS some FROM docstore.collections WHERE name = 'public.parts';
SELECT size = (SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ('ledger', 'ledger_streams', 'ledger_consumers')) AS same FROM docstore.logs
WHERE name = 'public.ledger';

-- guards: made, switched off, of columns that are gone
CREATE TABLE invoices (nr int, item int, "Lock ""Version""" smallint, v2 int, PRIMARY KEY (nr, item) INCLUDE (v2));
ALTER TABLE invoices DROP CONSTRAINT invoices_pkey, ADD PRIMARY KEY (item, nr);
CREATE TABLE keyless_rows (version int);
SELECT docstore.guard('invoices', 'Lock "Version"'), docstore.guard('keyless_rows'), docstore.guard('parts'), docstore.guard('shops');
SELECT name, estimated_rows, options FROM docstore.guarded ORDER BY name COLLATE "C";
SELECT count(*) AS wrong_sizes FROM docstore.guarded WHERE name <> 'public.parts' AND size IS DISTINCT FROM pg_total_relation_size(name::regclass);
ALTER TABLE invoices DISABLE TRIGGER docstore_guard;
ALTER TABLE shops ENABLE ALWAYS TRIGGER docstore_guard;
ALTER TABLE part_21 DISABLE TRIGGER docstore_guard;
ALTER TABLE part_1 ENABLE REPLICA TRIGGER docstore_guard;
ALTER TABLE keyless_rows RENAME version TO revision;
SELECT name, options ->> 'enabled' AS enabled, options -> 'exceptions' AS exceptions, options -> 'version_type' AS type FROM docstore.guarded ORDER BY name COLLATE "C";
SELECT name, options ->> 'guard' AS guard FROM docstore.collections WHERE options ->> 'guard' <> '' ORDER BY name COLLATE "C";
-- a trigger of that name that is none of docstore's, and one of docstore's that somebody has made of another name or without its column
CREATE TABLE others (version int);
CREATE TRIGGER docstore_guard BEFORE UPDATE ON others FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TABLE by_hand (version int);
CREATE TRIGGER docstore_guard BEFORE UPDATE ON by_hand FOR EACH ROW EXECUTE FUNCTION docstore_internal.guard_row();
CREATE TABLE by_other_name (version int);
CREATE TRIGGER z BEFORE UPDATE ON by_other_name FOR EACH ROW EXECUTE FUNCTION docstore_internal.guard_row('version');
SELECT name, options FROM docstore.guarded WHERE name ~ 'other|hand';
SELECT docstore.unguard('invoices'), docstore.unguard('parts');
SELECT name FROM docstore.guarded ORDER BY name COLLATE "C";

-- all may look, and see what they see of the server's catalogue; no privilege on a table or its schema is needed
CREATE SCHEMA closed;
SELECT docstore.create_collection('closed.shops');
CREATE TEMP TABLE seen AS SELECT name, options FROM docstore.collections;
GRANT SELECT ON seen TO PUBLIC;
SET ROLE regress_docstore_other;
SELECT count(*) > 10 AS some, count(size) = count(*) AS with_sizes, count(*) FILTER (WHERE v.name IS NULL OR s.name IS NULL) AS unseen
FROM docstore.collections v FULL JOIN seen s USING (name, options);
SELECT name FROM docstore.collections WHERE name ~ '^closed';
SELECT (SELECT count(*) FROM docstore.logs) AS logs, (SELECT count(*) FROM docstore.guarded) AS guarded, (SELECT count(*) FROM docstore.error_codes) > 15 AS codes;
SELECT pg_temp.verdict('DELETE FROM docstore.error_codes') AS read_only;
RESET ROLE;

-- what has been dropped is none, has nothing, and is no error
SELECT docstore_internal.is_collection(r), docstore_internal.log_tables(r), docstore_internal.collection_options(r), docstore_internal.estimated_rows(r), docstore_internal.table_size(r)
FROM unnest('{0,1,4294967295}'::oid[]) r;
SELECT docstore_internal.is_collection(NULL), docstore_internal.table_size('pg_class') > 0 AS shared_or_mapped, docstore_internal.estimated_rows('a_view');

-- names are those of the one who made the views
CREATE SCHEMA evil;
CREATE FUNCTION evil.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.trap(name, name) RETURNS boolean LANGUAGE sql RETURN evil.trap();
CREATE FUNCTION evil.trap(oid, oid) RETURNS boolean LANGUAGE sql RETURN evil.trap();
CREATE FUNCTION evil.trap(text, text) RETURNS boolean LANGUAGE sql RETURN evil.trap();
CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.trap);
CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.trap);
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.trap);
CREATE FUNCTION evil.format(text, VARIADIC "any") RETURNS text LANGUAGE internal AS 'text_format';
CREATE TABLE evil.pg_class (oid oid);
SET search_path = evil, pg_catalog;
SELECT count(*) > 10 AS collections FROM docstore.collections;
SELECT (SELECT count(*) FROM docstore.logs) AS logs, (SELECT count(*) FROM docstore.guarded) AS guarded, (SELECT count(*) FROM docstore.error_codes) > 15 AS codes;
RESET search_path;
DROP SCHEMA evil CASCADE;

-- every condition is PL/pgSQL's name for its SQLSTATE
DO $$
DECLARE
	code record;
BEGIN
	FOR code IN SELECT * FROM docstore.error_codes LOOP
		EXECUTE format('DO $x$ BEGIN RAISE SQLSTATE %L; EXCEPTION WHEN %s THEN NULL; END $x$',
			code.sqlstate, COALESCE(quote_ident(code.condition), 'SQLSTATE ' || quote_literal(code.sqlstate)));
	END LOOP;
END
$$;
SELECT count(*) AS rows, count(DISTINCT sqlstate) AS codes, count(condition) AS conditions, count(NULLIF(meaning, '')) AS meanings, count(NULLIF(remedy, '')) AS remedies
FROM docstore.error_codes;
SELECT retry, array_agg(sqlstate) FROM docstore.error_codes WHERE retry <> 'no' GROUP BY retry ORDER BY retry;
-- the conflict has the SQLSTATE that it is given, and no other
SET docstore.conflict_sqlstate = 'XX409';
SELECT sqlstate FROM docstore.error_codes WHERE retry = 'reload';
DO $$ BEGIN PERFORM docstore.upsert('shops', '1', '{}', 99); EXCEPTION WHEN SQLSTATE 'XX409' THEN RAISE INFO 'the conflict'; END $$;
RESET docstore.conflict_sqlstate;
-- also before the library is loaded
\c
SET client_min_messages = error;
SET docstore.conflict_sqlstate = '40001';
SELECT sqlstate FROM docstore.error_codes WHERE retry = 'reload';
SET client_min_messages = warning;

DROP SCHEMA "Odd ""Schema""", closed CASCADE;
DROP VIEW a_view;
DROP MATERIALIZED VIEW a_matview;
DROP TABLE shops, own, child, unlogged, parts, keyless, no_key, wide_key, late_key, varchar_id, generated_id, integer_version, null_version, json_data, blind, ruled,
	once_ruled, not_of_a_log_consumers, invoices, keyless_rows, others, by_hand, by_other_name;
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{ledger,quiet,lacks_streams,lacks_consumers,lacks_index,lacks_key,lacks_column,lacks_identity,lacks_head,other_owner,ruled_log,other_collation}'::text[] LOOP
		EXECUTE format('DROP TABLE IF EXISTS %I, %I, %I', name, name || '_streams', name || '_consumers');
	END LOOP;
END
$$;
DROP COLLATION case_blind;
DROP ROLE regress_docstore_other;
