-- A table that somebody has already, with columns, keys and triggers of its own, used as a collection.
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION docstore;
SELECT plan(23);

CREATE TABLE customer (
	id uuid PRIMARY KEY, version bigint NOT NULL DEFAULT 1, data jsonb NOT NULL DEFAULT '{}', tenant text NOT NULL DEFAULT 'acme',
	name text GENERATED ALWAYS AS (data ->> 'name') STORED);
CREATE TABLE invoice (
	id integer PRIMARY KEY, version bigint NOT NULL, data jsonb,
	customer uuid GENERATED ALWAYS AS ((data ->> 'customer')::uuid) STORED REFERENCES customer);

-- rows that were there before
INSERT INTO customer (id, data) VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"name": "Ada"}');
SELECT is((SELECT version FROM docstore.load('customer', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11')), 1::bigint, 'rows of plain SQL are documents');
SELECT is(docstore.upsert('customer', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"name": "Ada L."}', 1), 2::bigint, 'and are saved');
SELECT results_eq('SELECT name, tenant FROM customer', $$ VALUES ('Ada L.'::text, 'acme'::text) $$, 'columns of the user''s are kept');

-- an ORM that increments the version in plain SQL, and docstore, see each other
UPDATE customer SET data = '{"name": "Ada K."}', version = version + 1 WHERE id = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AND version = 2;
SELECT throws_ok('SELECT docstore.upsert(''customer'', ''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'', ''{}'', 2)', 'PT409', NULL,
	'a plain UPDATE makes a version stale');

-- foreign keys: the child first, in one save
SELECT lives_ok($$ SELECT docstore.save('[
	{"op": "upsert", "collection": "invoice",  "id": 1, "data": {"customer": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"}},
	{"op": "upsert", "collection": "customer", "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12", "data": {}}]') $$, 'child before parent');
SELECT throws_ok($$ SELECT docstore.upsert('invoice', '2', '{"customer": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380aff"}') $$, '23503');
SELECT throws_ok($$ SELECT docstore.delete('customer', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', 1) $$, '23503');
SELECT lives_ok($$ SELECT docstore.save('[
	{"op": "delete", "collection": "customer", "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12", "expected": 1},
	{"op": "delete", "collection": "invoice",  "id": 1, "expected": 1}]') $$, 'parent and child deleted together');

-- ids of the wrong type; what a table lacks
SELECT throws_ok('SELECT docstore.upsert(''invoice'', ''one'', ''{}'')', '22P02');
SELECT throws_ok('SELECT docstore.upsert(''customer'', ''one'', ''{}'')', '22P02');
ALTER TABLE invoice RENAME version TO revision;
SELECT throws_ok('SELECT docstore.load(''invoice'', ''1'')', '42809', '"public.invoice" is not a collection');
ALTER TABLE invoice RENAME revision TO version;
SELECT is(docstore.upsert('invoice', '2', '{}') > 0, true, 'renamed back, it is one again');

-- a trigger may change the data, but not undo the write
CREATE FUNCTION no_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER no_change BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION no_change();
SELECT throws_ok('SELECT docstore.upsert(''customer'', ''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'', ''{}'', 3)', '27000');
DROP TRIGGER no_change ON customer;

-- privileges and row security are the caller's
CREATE ROLE docstore_test_clerk;
GRANT SELECT, INSERT, UPDATE ON customer TO docstore_test_clerk;
ALTER TABLE customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON customer TO docstore_test_clerk USING (tenant = 'other');
SET ROLE docstore_test_clerk;
SELECT is_empty('SELECT * FROM docstore.load(''customer'', ''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'')', 'a policy hides what it hides');
SELECT throws_ok('SELECT docstore.upsert(''customer'', ''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'', ''{}'', 3)', 'PT409', NULL, 'what is hidden is missing');
SELECT throws_ok('SELECT docstore.delete(''customer'', ''a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'', 3)', '42501', NULL, 'no DELETE without the privilege');
SELECT throws_ok('SELECT docstore.load(''invoice'', ''2'')', '42501', NULL, 'no SELECT without the privilege');
RESET ROLE;

-- a table that an ORM owns, under a strict guard
CREATE TABLE payment (nr int PRIMARY KEY, lock_version int NOT NULL DEFAULT 0, note text);
SELECT lives_ok($$ SELECT docstore.guard('payment', 'lock_version', true) $$, 'a strict guard');
SELECT is((SELECT strict FROM docstore.guarded WHERE name LIKE '%.payment'), true, 'which the view shows');
INSERT INTO payment VALUES (1);
SELECT throws_ok($$ UPDATE payment SET note = 'x' WHERE nr = 1 $$, 'PT428', NULL, 'an UPDATE that does not name the version is refused');
SELECT throws_ok($$ UPDATE payment SET note = 'x', lock_version = 7 WHERE nr = 1 $$, 'PT409', NULL, 'a stale one is the conflict');
SELECT lives_ok($$ UPDATE payment SET note = 'x', lock_version = lock_version WHERE nr = 1 $$, 'one that keeps the version names it');
SELECT is((SELECT lock_version FROM payment), 1, 'and is counted');

SELECT * FROM finish();
ROLLBACK;
