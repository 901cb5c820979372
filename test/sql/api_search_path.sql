-- A hostile search_path changes nothing: functions, operators, casts, types and tables in it are never used
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('orders', 'integer');
SELECT docstore.upsert('shops', 'before', '{}'), docstore.upsert('orders', '1', '{}');

-- everything that the extension's SQL could trip over, each of which says so
CREATE SCHEMA evil;
SET search_path = evil, pg_catalog;
CREATE FUNCTION evil.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.trap(bigint, bigint) RETURNS boolean LANGUAGE sql RETURN evil.trap();
CREATE FUNCTION evil.trap(integer, integer) RETURNS boolean LANGUAGE sql RETURN evil.trap();
CREATE FUNCTION evil.trap(bigint, integer) RETURNS boolean LANGUAGE sql RETURN evil.trap();
CREATE FUNCTION evil.trap(text, text) RETURNS boolean LANGUAGE sql RETURN evil.trap();
CREATE FUNCTION evil.trap_plus(bigint, integer) RETURNS bigint LANGUAGE sql RETURN evil.trap()::integer;
CREATE FUNCTION evil.trap_plus(bigint, bigint) RETURNS bigint LANGUAGE sql RETURN evil.trap()::integer;
CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.trap);
CREATE OPERATOR evil.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.trap);
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.trap);
CREATE OPERATOR evil.<> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.trap);
CREATE OPERATOR evil.< (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.trap);
CREATE OPERATOR evil.< (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = evil.trap);
CREATE OPERATOR evil.+ (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = evil.trap_plus);
CREATE OPERATOR evil.+ (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.trap_plus);
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.unnest(text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.unnest(integer[]) RETURNS SETOF integer LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.unnest(jsonb[]) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.merge_patch(jsonb, jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.jsonb_concat(jsonb, jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION evil.jsonb_delete(jsonb, text) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR evil.|| (LEFTARG = jsonb, RIGHTARG = jsonb, FUNCTION = evil.jsonb_concat);
CREATE OPERATOR evil.- (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = evil.jsonb_delete);
CREATE FUNCTION evil.violations(text) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.trap());
CREATE DOMAIN evil.int8 AS pg_catalog.int8 CHECK (evil.trap());
CREATE DOMAIN evil.int4 AS pg_catalog.int4 CHECK (evil.trap());
CREATE DOMAIN evil.uuid AS pg_catalog.uuid CHECK (evil.trap());
CREATE DOMAIN evil.jsonb AS pg_catalog.jsonb CHECK (evil.trap());
CREATE DOMAIN evil.timestamptz AS pg_catalog.timestamptz CHECK (evil.trap());
CREATE TABLE evil.t (id pg_catalog.text PRIMARY KEY, version bigint NOT NULL, data pg_catalog.jsonb);
CREATE TABLE evil.u (id pg_catalog.text PRIMARY KEY, version bigint NOT NULL, data pg_catalog.jsonb);
CREATE TEMP TABLE t (LIKE evil.t INCLUDING ALL);
CREATE TEMP TABLE u (LIKE evil.t INCLUDING ALL);

-- the traps work
SELECT 1::bigint = 1::bigint;
SELECT now();

-- all functions, on new plans
SELECT docstore.create_collection('public.more', 'pg_catalog.uuid'::regtype),
	docstore.create_collection('public.last', 'pg_catalog.int8'::regtype);
SELECT docstore.upsert('public.shops', 'a', '{}'), docstore.upsert('public.orders', '2', '{}');
SELECT docstore.upsert('public.shops', 'a', '{}', 1), docstore.upsert('public.orders', '2', '{}', -1);
SELECT docstore.upsert_many('public.shops', '{b,a}', '{"{}","{}"}', '{-1,2}'),
	docstore.upsert_many('public.orders', '{3,2}', '{"{}","{}"}', '{0,-2}');
SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "public.shops",  "id": "c", "data": {}},
	{"op": "upsert", "collection": "public.more",   "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "data": {}},
	{"op": "upsert", "collection": "public.last",   "id": 7,   "data": {}, "expected": "any"},
	{"op": "upsert", "collection": "public.shops",  "id": "a", "data": {}, "expected": 3},
	{"op": "assert", "collection": "public.orders", "id": 2,   "expected": 3},
	{"op": "delete", "collection": "public.orders", "id": 3,   "expected": 1}]');
SELECT item, reason FROM docstore.try_save('[
	{"op": "upsert", "collection": "public.shops",  "id": "a", "data": {}, "expected": 9},
	{"op": "upsert", "collection": "public.orders", "id": 2,   "data": {}}]');
SELECT id, version FROM docstore.load('public.shops', 'a', 3);
SELECT id, version FROM docstore.load_many('public.orders', '{2,1}');
SELECT docstore.delete('public.orders', '2', 3), docstore.delete('public.shops', 'b', -1), docstore.delete('public.shops', 'x', -1) IS NULL AS none;
SELECT docstore.patch('public.shops', 'p', '{"a": {"b": 1}}', -1), docstore.patch('public.shops', 'p', '{"a": {"c": 2}}', -1), docstore.patch('public.shops', 'p', '{"d": null}', 3);
SELECT docstore.merge_patch('{"a": {"b": 1}}', '{"a": {"c": 2}}'), docstore.put(docstore.get('public.shops', 'p'));
SELECT id, version FROM docstore.save('[
	{"op": "patch", "collection": "public.shops", "id": "p", "data": {"e": 1}, "expected": "exists"},
	{"op": "patch", "collection": "public.shops", "id": "q", "data": {"e": null}, "expected": "none"},
	{"op": "put", "data": {"f": 1, "@metadata": {"collection": "public.shops", "id": "r"}}}]');
SELECT id, data FROM docstore.load_many('public.shops', '{p,q,r}');
SELECT docstore.upsert('public.shops', 'a', '{}', 9);
SELECT item, target FROM docstore.violations('{"total": 1, "violations": [{"item": 1, "collection": "c", "expected": 1}]}');
RESET search_path;
SELECT attrelid::regclass, attname, atttypid::regtype FROM pg_attribute
WHERE attrelid IN ('more'::regclass, 'last'::regclass) AND attnum > 0 ORDER BY attrelid::regclass::text, attnum;

-- a view in pg_temp that has the name of a collection hides it, as it does for SQL, and is refused
CREATE TEMP VIEW shops AS SELECT 1;
SELECT pg_temp.verdict($$ SELECT item FROM docstore.save('[{"op": "assert", "collection": "shops", "id": "a", "expected": 4}]') $$);
SELECT version FROM docstore.save('[{"op": "assert", "collection": "public.shops", "id": "a", "expected": 4}]');

DROP VIEW pg_temp.shops;
DROP TABLE t, u, shops, orders, more, last;
DROP SCHEMA evil CASCADE;
