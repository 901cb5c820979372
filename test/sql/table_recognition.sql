-- Which tables are collections: those with the right columns and key, however they were made
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- a user's own: extra columns, other order, more indexes, no times, data that may be NULL
CREATE TABLE own (
	note text DEFAULT 'none', data jsonb, gone int, version bigint NOT NULL CHECK (version > 0), id uuid, rank int UNIQUE,
	CONSTRAINT own_key PRIMARY KEY (id) INCLUDE (note));
ALTER TABLE own DROP COLUMN gone;
SELECT docstore.upsert('own', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"n": 1}');
UPDATE own SET rank = 7, note = 'mine', data = NULL;
SELECT docstore.upsert('own', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"n": 2}', 1);
TABLE own;
-- columns with names that the extension's own statements use
CREATE TABLE words (t int DEFAULT 1, u int DEFAULT 2, item int DEFAULT 3, ordinality int DEFAULT 4, excluded int DEFAULT 5, ids int DEFAULT 6,
	id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
SELECT docstore.upsert_many('words', '{a,b}', '{"{}","{}"}', NULL), docstore.upsert('words', 'c', '{}');
SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "words", "id": "a", "data": {"n": 2}, "expected": 1},
	{"op": "delete", "collection": "words", "id": "b", "expected": 1},
	{"op": "assert", "collection": "words", "id": "c", "expected": 1}]');
SELECT docstore.upsert('words', 'c', '{"n": 2}', 1);
SELECT id FROM docstore.load_many('words', '{c,b,a}');
SELECT * FROM words ORDER BY id;
-- created_at and updated_at of another type, or generated, are the user's
CREATE TABLE times (id text PRIMARY KEY, version bigint NOT NULL, data jsonb,
	created_at date DEFAULT '2001-01-01', updated_at text GENERATED ALWAYS AS (data ->> 'at') STORED);
SELECT docstore.upsert('times', 'a', '{"at": "noon"}'), docstore.upsert_many('times', '{b}', '{"{}"}', NULL);
SELECT * FROM times ORDER BY id;
SELECT * FROM docstore.load('times', 'a');
-- ids that are an identity column; rows that others have made, with any number as version
CREATE TABLE numbered (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, version bigint NOT NULL DEFAULT 0, data jsonb);
INSERT INTO numbered (version) VALUES (0), (0), (0), (-1), (-1), (-7);
SELECT docstore.upsert('numbered', '1', '{}', -1), docstore.delete('numbered', '2', -1), docstore.upsert('numbered', '4', '{}', -2);
SELECT item, version FROM docstore.save('[
	{"op": "upsert", "collection": "numbered", "id": 3,  "data": {}, "expected": "any"},
	{"op": "upsert", "collection": "numbered", "id": 5,  "data": {}, "expected": "exists"},
	{"op": "delete", "collection": "numbered", "id": 6,  "expected": "any"},
	{"op": "upsert", "collection": "numbered", "id": 77, "data": {}}]') WHERE id <> '77';
SELECT docstore.upsert('numbered', '78', '{}') > 0 AS created, pg_temp.verdict($$ SELECT docstore.upsert('numbered', '4', '{}') $$),
	pg_temp.verdict($$ SELECT docstore.upsert('numbered', '4', '{}', 1) $$);
SELECT id, version FROM numbered WHERE id < 77 ORDER BY id;
-- unlogged and temporary tables, partitioned tables and their partitions, parents and children by inheritance
CREATE UNLOGGED TABLE unlogged (id integer PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TEMP TABLE temporary (id integer PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE parts (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (unlogged);
SELECT docstore.upsert('unlogged', '1', '{}'), docstore.upsert('temporary', '1', '{}'), docstore.upsert('parts', '1', '{}'),
	docstore.upsert('part_1', '2', '{}'), docstore.upsert('child', '1', '{}');

-- what a table lacks is said, all of it
CREATE TABLE nothing ();
CREATE TABLE no_key (id text NOT NULL UNIQUE, version bigint NOT NULL, data jsonb);
CREATE TABLE wide_key (id text, version bigint NOT NULL, data jsonb, PRIMARY KEY (id, version));
CREATE TABLE other_key (id text, version bigint NOT NULL, data jsonb, key text PRIMARY KEY);
CREATE TABLE late_key (id text PRIMARY KEY DEFERRABLE, version bigint NOT NULL, data jsonb);
CREATE TABLE varchar_id (id varchar PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE DOMAIN name_of_shop AS text;
CREATE TABLE domain_id (id name_of_shop PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE generated_id (id text PRIMARY KEY GENERATED ALWAYS AS (data ->> 'id') STORED, version bigint NOT NULL, data jsonb);
CREATE TABLE quoted_id ("Id" text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE integer_version (id text PRIMARY KEY, version integer NOT NULL, data jsonb);
CREATE TABLE null_version (id text PRIMARY KEY, version bigint, data jsonb);
CREATE TABLE generated_version (id text PRIMARY KEY, version bigint NOT NULL GENERATED ALWAYS AS (1) STORED, data jsonb);
CREATE TABLE json_data (id text PRIMARY KEY, version bigint NOT NULL, data json);
CREATE TABLE generated_data (id text PRIMARY KEY, version bigint NOT NULL, data jsonb GENERATED ALWAYS AS ('{}') STORED);
CREATE COLLATION case_blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE blind (id text COLLATE case_blind PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE ruled (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE RULE nothing AS ON DELETE TO ruled DO INSTEAD NOTHING;
CREATE VIEW a_view AS SELECT * FROM no_key;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM own;
CREATE SEQUENCE a_sequence;
CREATE TYPE a_type AS (id text, version bigint, data jsonb);
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{nothing,no_key,wide_key,other_key,late_key,varchar_id,domain_id,generated_id,quoted_id,integer_version,null_version,
		generated_version,json_data,generated_data,blind,ruled,a_view,a_matview,a_sequence,a_type,own_key,pg_class,pg_tables}'::text[] LOOP
		CALL pg_temp.try(format('SELECT docstore.upsert(%L, %L, %L)', name, 'x', '{}'));
	END LOOP;
END
$$;
-- whatever the function
CALL pg_temp.try($$ SELECT docstore.load('no_key', 'x') $$);
CALL pg_temp.try($$ SELECT docstore.load_many('no_key', '{x}') $$);
CALL pg_temp.try($$ SELECT docstore.load_many('a_view', '{}') $$);
CALL pg_temp.try($$ SELECT docstore.delete('no_key', 'x', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('a_view', '{}', '{}', NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "assert", "collection": "late_key", "id": "x", "expected": 1}]') $$);
-- and what is missing can be added
ALTER TABLE no_key ADD PRIMARY KEY (id);
ALTER TABLE null_version ALTER version SET NOT NULL;
ALTER TABLE json_data ALTER data TYPE jsonb;
DROP RULE nothing ON ruled;
SELECT docstore.upsert('no_key', 'x', '{}'), docstore.upsert('null_version', 'x', '{}'), docstore.upsert('json_data', 'x', '{}'),
	docstore.upsert('ruled', 'x', '{}');

DROP MATERIALIZED VIEW a_matview;
DROP VIEW a_view;
DROP TABLE own, words, times, numbered, temporary, parts, child, unlogged, nothing, no_key, wide_key, other_key, late_key, varchar_id, domain_id,
	generated_id, quoted_id, integer_version, null_version, generated_version, json_data, generated_data, blind, ruled;
DROP COLLATION case_blind;
DROP DOMAIN name_of_shop;
DROP SEQUENCE a_sequence;
DROP TYPE a_type;
