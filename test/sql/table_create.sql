-- docstore.create_collection(): names, id types, and the table it makes
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- what it makes
SELECT docstore.create_collection('shops');
SELECT a.attname, a.atttypid::regtype, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS default
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'shops'::regclass AND a.attnum > 0 ORDER BY a.attnum;
SELECT c.relkind, c.relpersistence, c.relowner = current_user::regrole AS mine, c.reloptions,
	(SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p') AS key
FROM pg_class c WHERE c.oid = 'shops'::regclass;
-- it is the user's: no member of the extension, and nothing depends on docstore
SELECT count(*) FROM pg_depend WHERE objid = 'shops'::regclass AND (deptype = 'e' OR refclassid = 'pg_extension'::regclass);

-- large documents are compressed with lz4 where the server has it
SELECT (attcompression = 'l') = EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) AS lz4
FROM pg_attribute WHERE attrelid = 'shops'::regclass AND attname = 'data';

-- a full page has room for new versions of a third of its documents
SELECT array_length(docstore.upsert_many('shops', array_agg('h' || i), array_agg('{}'::jsonb), NULL), 1) FROM generate_series(1, 300) i;
CREATE TEMP TABLE pages AS SELECT id, (ctid::text::point)[0] AS page FROM shops;
SELECT array_length(docstore.upsert_many('shops', array_agg('h' || i), array_agg('{}'::jsonb), array_agg(1)), 1) FROM generate_series(3, 300, 3) i;
SELECT count(DISTINCT p.page) > 1 AS several_pages, bool_and((s.ctid::text::point)[0] = p.page) AS same_page FROM shops s JOIN pages p USING (id);

-- every id type, under each of its names
SELECT name, docstore.create_collection('of_' || name, type) = ('of_' || name)::regclass AS made
FROM (VALUES ('text', 'text'::regtype), ('uuid', 'uuid'), ('bigint', 'bigint'), ('int8', 'int8'), ('integer', 'integer'), ('int4', 'int4'))
	v(name, type) ORDER BY name COLLATE "C";
SELECT c.relname, a.atttypid::regtype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relname ~ '^of_' AND c.relkind = 'r' AND a.attname = 'id' ORDER BY c.relname COLLATE "C";
CALL pg_temp.try($$ SELECT docstore.create_collection('other', 'varchar') $$);
CALL pg_temp.try($$ SELECT docstore.create_collection('other', 'smallint') $$);
CALL pg_temp.try($$ SELECT docstore.create_collection('other', 'uuid[]') $$);
CALL pg_temp.try($$ SELECT docstore.create_collection('other', 0::oid::regtype) $$);
CALL pg_temp.try($$ SELECT docstore.create_collection('other', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.create_collection(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.create_collection('') $$);
CALL pg_temp.try($$ SELECT docstore.create_collection(' ') $$);
CALL pg_temp.try($$ SELECT docstore.create_collection('a; b') $$);
CALL pg_temp.try($$ SELECT docstore.create_collection('a.b.c.d') $$);
CALL pg_temp.try($$ SELECT docstore.create_collection('elsewhere.public.other') $$);
SELECT to_regclass('other') IS NULL AS nothing_made;

-- the name is taken
CALL pg_temp.try($$ SELECT docstore.create_collection('shops') $$);
CALL pg_temp.try($$ SELECT docstore.create_collection('SHOPS', 'uuid') $$);

-- names are read as SQL reads them: folded unless quoted, and all characters go
SELECT docstore.create_collection('Lower'), docstore.create_collection('"Upper"'), docstore.create_collection('"two words"'),
	docstore.create_collection('"a.b"'), docstore.create_collection('"say ""hi"""'), docstore.create_collection('"select"'),
	docstore.create_collection(U&'"\00fc\6f22"'), docstore.create_collection('"it''s; DROP TABLE shops; --"');
SELECT item, target, version FROM docstore.save(U&'[
	{"op": "upsert", "collection": "LOWER",                        "id": "1", "data": {}},
	{"op": "upsert", "collection": "\005c"Upper\005c"",            "id": "1", "data": {}},
	{"op": "upsert", "collection": "\005c"two words\005c"",        "id": "1", "data": {}},
	{"op": "upsert", "collection": "public.\005c"a.b\005c"",       "id": "1", "data": {}},
	{"op": "upsert", "collection": "\005c"say \005c"\005c"hi\005c"\005c"\005c"", "id": "1", "data": {}},
	{"op": "upsert", "collection": "\005c"select\005c"",           "id": "1", "data": {}},
	{"op": "upsert", "collection": "\00fc\6f22",                   "id": "1", "data": {}},
	{"op": "upsert", "collection": "\005c"it''s; DROP TABLE shops; --\005c"", "id": "1", "data": {}}]');
SELECT (docstore.load('"say ""hi"""', '1')).id, docstore.upsert('"it''s; DROP TABLE shops; --"', '1', '{}', 1),
	docstore.delete('"Upper"', '1', 1);

-- in other schemas, with the same name twice
CREATE SCHEMA "North Sea";
CREATE SCHEMA south;
SELECT docstore.create_collection('"North Sea".shops'), docstore.create_collection('south.shops', 'bigint'),
	docstore.create_collection('south."Shops"');
SELECT item, target, id, version FROM docstore.save('[
	{"op": "upsert", "collection": "shops",                  "id": "1", "data": {"in": "public"}},
	{"op": "upsert", "collection": "\"North Sea\".shops",    "id": "1", "data": {"in": "north"}},
	{"op": "upsert", "collection": "south.shops",            "id": "1", "data": {"in": "south"}},
	{"op": "upsert", "collection": "south.\"Shops\"",        "id": "1", "data": {"in": "South"}}]');
SELECT p.data, n.data, s.data, u.data FROM shops p, "North Sea".shops n, south.shops s, south."Shops" u WHERE p.id = '1';

-- without a schema: the first one of the search_path; found along the search_path
SET search_path = south, public;
SELECT docstore.create_collection('here');
SELECT (SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'here'::regclass), (docstore.load('shops', '1')).data;
SELECT target FROM docstore.save('[{"op": "assert", "collection": "shops", "id": "1", "expected": 1}]');
SET search_path = "North Sea", south;
SELECT (docstore.load('shops', '1')).data;
SELECT target FROM docstore.save('[{"op": "assert", "collection": "shops", "id": "1", "expected": 1}]');
RESET search_path;

-- a temporary one
SELECT docstore.create_collection('pg_temp.scratch');
SELECT docstore.upsert('scratch', 'a', '{}');

-- a name that the server would cut is refused, each part for itself, in bytes and without its quotes
CALL pg_temp.try(format($$ SELECT docstore.create_collection('%s') $$, repeat('x', 64)));
CALL pg_temp.try(format($$ SELECT docstore.create_collection('%s.shops') $$, repeat('x', 64)));
CALL pg_temp.try(format($$ SELECT docstore.create_collection('"%s"') $$, repeat(U&'\00fc', 32)));
CALL pg_temp.try(format($$ SELECT docstore.create_collection('"%s"') $$, repeat('""', 64)));
CALL pg_temp.try(format($$ SELECT docstore.create_log('%s') $$, repeat('x', 64)));
-- 63 bytes go, also where two names differ only in what the names of indexes and floors have no room for
SELECT docstore.upsert(docstore.create_collection(format('public."%s%s"', repeat('""', 62), last)), 'a', '{}') FROM unnest('{y,z}'::text[]) last;
SELECT docstore.upsert(docstore.create_collection(' ' || repeat('x', 62) || last || ' '), 'a', '{}') FROM unnest('{y,z}'::text[]) last;
SELECT docstore.delete(format('%I', repeat('x', 62) || last)::regclass, 'a', 1) FROM unnest('{y,z}'::text[]) last;
DO $$ BEGIN EXECUTE (SELECT string_agg(format('DROP TABLE %I, %I;', repeat('x', 62) || last, repeat('"', 62) || last), '') FROM unnest('{y,z}'::text[]) last); END $$;

CALL pg_temp.try($$ SELECT docstore.create_collection('nowhere.shops') $$);

DROP TABLE shops, pages, of_text, of_uuid, of_bigint, of_int8, of_integer, of_int4, lower, "Upper", "two words", "a.b",
	"say ""hi""", "select", U&"\00fc\6f22", "it's; DROP TABLE shops; --", scratch;
DROP SCHEMA "North Sea", south CASCADE;
