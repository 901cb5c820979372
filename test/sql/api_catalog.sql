-- The extension's objects: comments, labels, what may be called, and what is left after DROP EXTENSION
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- what users see: the functions that they call, and nothing else
SELECT p.oid::regprocedure, p.provolatile AS volatile, p.proparallel AS parallel, p.prosecdef AS definer, p.proretset AS set
FROM pg_proc p WHERE p.pronamespace = 'docstore'::regnamespace ORDER BY p.oid::regprocedure::text COLLATE "C";
-- out of their sight: what triggers, the views and the planner call
SELECT p.oid::regprocedure, p.provolatile AS volatile, p.proparallel AS parallel, p.prosecdef AS definer, p.proretset AS set
FROM pg_proc p WHERE p.pronamespace = 'docstore_internal'::regnamespace ORDER BY p.oid::regprocedure::text COLLATE "C";
-- all with a comment
CREATE TEMP VIEW functions AS SELECT p.* FROM pg_proc p WHERE p.pronamespace = ANY ('{docstore,docstore_internal}'::regnamespace[]);
SELECT oid::regprocedure AS without_comment FROM functions WHERE obj_description(oid, 'pg_proc') IS NULL;
SELECT obj_description('docstore'::regnamespace, 'pg_namespace') IS NOT NULL AS schema,
	obj_description('docstore_internal'::regnamespace, 'pg_namespace') IS NOT NULL AS internal,
	obj_description(oid, 'pg_extension') IS NOT NULL AS extension
FROM pg_extension WHERE extname = 'docstore';
-- the settings
SELECT count(*) FROM docstore.violations(NULL);
SELECT name, boot_val AS setting, vartype, context, min_val, max_val FROM pg_settings WHERE name ~ '^docstore\.' ORDER BY name COLLATE "C";

-- every member of the extension is in its schemas or is one of them, and everything in these schemas is a member
SELECT count(*) FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) o
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'docstore')
	AND (COALESCE(o.schema, o.name) = ANY ('{docstore,docstore_internal}')) IS NOT TRUE;
SELECT count(*) FROM functions p WHERE
	NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e');
-- all types in its interface are the server's
SELECT count(*) FROM functions p, unnest(COALESCE(p.proallargtypes, p.proargtypes) || p.prorettype) t JOIN pg_type y ON y.oid = t
WHERE y.typnamespace <> 'pg_catalog'::regnamespace;
-- its tables: what all may do with them, under row security, and that a dump takes them along
SELECT c.relname, c.relrowsecurity AS row_security, obj_description(c.oid, 'pg_class') IS NOT NULL AS comment,
	c.oid = ANY (e.extconfig) AS dumped, array_agg(DISTINCT a.privilege_type) FILTER (WHERE a.grantee = 0) AS public,
	(SELECT array_agg(DISTINCT t.attname || ': ' || a.privilege_type) FROM pg_attribute t, aclexplode(t.attacl) a WHERE t.attrelid = c.oid) AS columns
FROM pg_class c, aclexplode(c.relacl) a, pg_extension e
WHERE c.relnamespace = 'docstore'::regnamespace AND c.relkind = 'r' AND e.extname = 'docstore' GROUP BY c.oid, e.extconfig ORDER BY c.relname;
-- its views: what all may do with them, and that they and their columns have comments
SELECT c.relname, array_agg(DISTINCT a.privilege_type) FILTER (WHERE a.grantee = 0) AS public, obj_description(c.oid, 'pg_class') IS NOT NULL AS comment,
	(SELECT array_agg(t.attname ORDER BY t.attnum) FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attnum > 0 AND col_description(c.oid, t.attnum) IS NULL) AS without
FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'docstore'::regnamespace AND c.relkind = 'v' GROUP BY c.oid ORDER BY c.relname;
-- its functions are open to all, its schemas let nobody put anything into them
SELECT bool_and(has_function_privilege('public', oid, 'EXECUTE')) AS callable FROM functions;
DROP VIEW functions;
SELECT s AS schema, has_schema_privilege('public', s, 'USAGE') AS usage, has_schema_privilege('public', s, 'CREATE') AS create
FROM unnest('{docstore,docstore_internal}'::text[]) s;
-- it cannot be moved elsewhere, and is for users who may create objects in the database
SELECT extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'docstore';

-- DROP EXTENSION leaves the documents, CREATE EXTENSION finds them again
SELECT docstore.create_collection('shops');
SELECT docstore.upsert('shops', 'a', '{"n": 1}');
DROP EXTENSION docstore;
SELECT count(*) FROM pg_namespace WHERE nspname ^@ 'docstore';
SELECT id, version, data FROM shops;
UPDATE shops SET data = '{"n": 2}', version = version + 1;
-- a schema of such a name that somebody else has made is not taken over
CREATE SCHEMA docstore;
CREATE EXTENSION docstore;
\echo :LAST_ERROR_SQLSTATE
DROP SCHEMA docstore;
CREATE SCHEMA docstore_internal;
CREATE EXTENSION docstore;
\echo :LAST_ERROR_SQLSTATE
DROP SCHEMA docstore_internal;
-- no schema in the search_path at all
SET search_path = '';
CREATE EXTENSION docstore;
RESET search_path;
DROP EXTENSION docstore;
-- types and functions first in the search_path are not used by the script
CREATE SCHEMA evil;
CREATE DOMAIN evil.jsonb AS int;
CREATE DOMAIN evil.regclass AS int;
CREATE DOMAIN evil.text AS int;
SET search_path = evil, public;
CREATE EXTENSION docstore;
RESET search_path;
DROP SCHEMA evil CASCADE;
SELECT docstore.upsert('shops', 'a', '{"n": 3}', 2);
-- nor is the script read otherwise where backslashes escape, as they can before PostgreSQL 19
DROP EXTENSION docstore;
DO $$ BEGIN SET standard_conforming_strings = off; EXCEPTION WHEN feature_not_supported THEN END $$;
CREATE EXTENSION docstore;
RESET standard_conforming_strings;
SELECT count(*) FROM pg_extension WHERE extname = 'docstore';

-- somebody without superuser's rights installs it in a database of his own
CREATE ROLE regress_docstore_owner;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_docstore_owner', current_database()); END $$;
DROP EXTENSION docstore;
SET ROLE regress_docstore_owner;
CREATE EXTENSION docstore;
SELECT docstore.any_version();
RESET ROLE;
SELECT extowner::regrole, nspname, nspowner::regrole <> extowner::regrole AS schema_is_safe FROM pg_extension, pg_namespace
WHERE extname = 'docstore' AND nspname ^@ 'docstore' ORDER BY nspname;
DROP EXTENSION docstore;
DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM regress_docstore_owner', current_database()); END $$;
DROP ROLE regress_docstore_owner;
CREATE EXTENSION docstore;

DROP TABLE shops;
