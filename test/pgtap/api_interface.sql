-- What the extension gives: functions with their arguments and results, settings, and a collection's table.
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION docstore;
SELECT plan(84);

SELECT has_extension('docstore');
SELECT has_schema('docstore');
SELECT schema_privs_are('docstore', 'public', ARRAY['USAGE']);

SELECT has_function('docstore'::name, f.name::name, f.arguments::name[]) FROM (VALUES
	('create_collection', '{text,regtype}'), ('upsert', '{regclass,text,jsonb,bigint}'), ('delete', '{regclass,text,bigint}'),
	('patch', '{regclass,text,jsonb,bigint,jsonb}'), ('merge_patch', '{jsonb,jsonb}'), ('merge3', '{jsonb,jsonb,jsonb,jsonb}'), ('merge', '{regclass,text,jsonb,bigint,jsonb,jsonb}'), ('preview_merge', '{regclass,text,jsonb,jsonb,jsonb}'), ('get', '{regclass,text}'), ('put', '{jsonb}'),
	('load', '{regclass,text,bigint}'), ('load_many', '{regclass,text[]}'), ('upsert_many', '{regclass,text[],jsonb[],bigint[]}'),
	('try_save', '{jsonb}'), ('violations', '{text}'), ('no_version', '{}'), ('any_version', '{}'), ('some_version', '{}'),
	('guard', '{regclass,name,boolean}'), ('unguard', '{regclass}'),
	('read_log', '{regclass,text,integer,jsonb,text}'), ('log_end', '{regclass}'), ('read_scope', '{regclass,jsonb,bigint,integer,boolean}'), ('mark', '{regclass}'), ('append_to_log', '{regclass,jsonb,jsonb}')
) f(name, arguments);
SELECT has_function('docstore'::name, 'save'::name);

SELECT function_returns('docstore'::name, f.name::name, f.result) FROM (VALUES
	('create_collection', 'regclass'), ('upsert', 'bigint'), ('delete', 'bigint'), ('patch', 'bigint'), ('put', 'jsonb'), ('upsert_many', 'bigint[]'), ('any_version', 'bigint'),
	('read_log', 'setof record'), ('log_end', 'text'), ('read_scope', 'setof record'), ('mark', 'text'), ('append_to_log', 'setof bigint')
) f(name, result);
SELECT volatility_is('docstore'::name, f.name::name, f.volatility) FROM (VALUES
	('upsert', 'volatile'), ('save', 'volatile'), ('load', 'stable'), ('load_many', 'stable'), ('get', 'stable'), ('put', 'volatile'), ('merge_patch', 'immutable'), ('merge3', 'immutable'), ('merge', 'volatile'), ('preview_merge', 'stable'), ('violations', 'immutable'), ('no_version', 'immutable'),
	('read_log', 'stable'), ('log_end', 'stable'), ('read_scope', 'stable'), ('mark', 'stable')
) f(name, volatility);
SELECT isnt_definer('docstore'::name, f.name::name) FROM (VALUES ('upsert'), ('save'), ('create_collection')) f(name);

-- views show what is there
SELECT has_view('docstore'::name, v.name::name, v.name) FROM (VALUES ('collections'), ('logs'), ('guarded'), ('error_codes')) v(name);
SELECT columns_are('docstore', v.name, '{name,estimated_rows,size,options}') FROM (VALUES ('collections'::name), ('logs')) v(name);
SELECT columns_are('docstore', 'guarded', ARRAY['name', 'estimated_rows', 'size', 'options', 'strict']);
SELECT columns_are('docstore', 'error_codes', ARRAY['sqlstate', 'condition', 'retry', 'meaning', 'remedy']);
SELECT table_privs_are('docstore', 'collections', 'public', ARRAY['SELECT']);

-- a collection is an ordinary table of the caller's
SELECT is(docstore.create_collection('shops')::text, 'shops', 'create_collection returns the table');
SELECT has_table('shops'::name);
SELECT table_owner_is('shops', current_user);
SELECT columns_are('shops', ARRAY['id', 'version', 'data', 'created_at', 'updated_at']);
SELECT col_is_pk('shops', 'id', 'the id is the key');
SELECT col_type_is('shops', c.name, c.type) FROM (VALUES
	('id', 'text'), ('version', 'bigint'), ('data', 'jsonb'), ('created_at', 'timestamp with time zone')
) c(name, type);
SELECT col_not_null('shops', 'version', 'every document has a version');
SELECT lives_ok('SELECT docstore.create_collection(''by_uuid'', ''uuid'')', 'ids can be UUIDs');
SELECT col_type_is('by_uuid', 'id', 'uuid');
SELECT throws_ok('SELECT docstore.create_collection(''shops'')', '42P07', NULL, 'a name is taken once');
SELECT throws_ok('SELECT docstore.create_collection(''other'', ''varchar'')', '22023', 'ids cannot be of type character varying');

SELECT is(current_setting('docstore.checks'), 'on', 'expected versions are compared');

SELECT * FROM finish();
ROLLBACK;
