-- Which tables do without the executor, and that the answers are the same: docstore.engine = 'sql' never does
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare
SET docstore.engine = 'auto';

-- Whether documents of a table were inserted and updated by SQL in this session: then its plan is kept.
CREATE FUNCTION pg_temp.has_plan(verb text, collection text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN count(*) > 0 THEN 'sql' ELSE 'direct' END FROM pg_backend_memory_contexts
	WHERE name = 'CachedPlanSource' AND ident LIKE verb || ' public.' || collection || ' %' $$;

-- Create, change and conflict, one by one and in batches; everything that comes back, in one line.
CREATE FUNCTION pg_temp.use(collection regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answers text[];
	detail text;
	item jsonb := jsonb_build_object('op', 'upsert', 'collection', collection);
BEGIN
	answers := answers || docstore.upsert(collection, '1', '{"n": 1}')::text;
	answers := answers || docstore.upsert(collection, '1', '{"n": 2}', 1)::text;
	answers := answers || docstore.upsert(collection, '1', '{"n": 3}', docstore.some_version())::text;
	answers := answers || docstore.upsert(collection, '2', '{"n": 1}', docstore.any_version())::text;
	answers := answers || (SELECT string_agg(s.version::text, '+' ORDER BY s.item) FROM docstore.save(jsonb_build_array(
		item || '{"id": "1", "data": {"n": 4}, "expected": 3}', item || '{"id": "3", "data": {"n": 1}}',
		item || '{"id": "4", "data": {"n": 1}, "expected": "any"}', item || '{"id": "2", "data": {"n": 2}, "expected": "exists"}')) s);
	answers := answers || docstore.upsert_many(collection, '{3,5}', '{"{}","{}"}', '{1,0}')::text;
	BEGIN
		PERFORM docstore.upsert(collection, '1', '{}', 3);
	EXCEPTION WHEN SQLSTATE 'PT409' THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		answers := answers || (SELECT string_agg(concat_ws(' ', id, reason, actual), ', ') FROM docstore.violations(detail));
	END;
	BEGIN
		PERFORM docstore.upsert(collection, '9', '{}', 3);
	EXCEPTION WHEN SQLSTATE 'PT409' THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		answers := answers || (SELECT string_agg(concat_ws(' ', id, reason, actual), ', ') FROM docstore.violations(detail));
	END;
	BEGIN
		PERFORM docstore.save(jsonb_build_array(item || '{"id": "6", "data": {}}', item || '{"id": "5", "data": {}}',
			item || '{"id": "3", "data": {}, "expected": 1}', item || '{"id": "4", "data": {}, "expected": 1}'));
	EXCEPTION WHEN SQLSTATE 'PT409' THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		answers := answers || (SELECT string_agg(concat_ws(' ', id, reason, actual), ', ' ORDER BY v.item) FROM docstore.violations(detail) v);
	END;
	RETURN array_to_string(answers, '; ');
END
$$;

CREATE FUNCTION pg_temp.column(options text) RETURNS text LANGUAGE sql RETURN
	'CREATE TABLE %I (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL' || options;
CREATE TEMP TABLE kinds (nr serial, name text, made text);
INSERT INTO kinds (name, made) VALUES
	('plain', $$ SELECT docstore.create_collection(%L) $$),
	('by_hand', pg_temp.column(')')),
	('numbers', 'CREATE TABLE %I (data jsonb, version bigint NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)'),
	('more_columns', pg_temp.column(', note text, more int[])')),
	('indexed', pg_temp.column('); CREATE INDEX ON indexed USING gin (data); CREATE INDEX ON indexed ((data->''n'')); CREATE INDEX ON indexed USING brin (version)')),
	('unlogged', 'CREATE UNLOGGED TABLE %I (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL)'),
	('dropped_column', 'CREATE TABLE %I (old text, id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL); ALTER TABLE dropped_column DROP old'),
	('child', 'CREATE TABLE %I (PRIMARY KEY (id)) INHERITS (by_hand)'),
	('defaults', pg_temp.column(', note text DEFAULT ''x'')')),
	('needed', pg_temp.column(', note text NOT NULL DEFAULT ''x'')')),
	('filled', pg_temp.column(', nr int GENERATED ALWAYS AS IDENTITY)')),
	('checked', pg_temp.column(', CHECK (version > 0))')),
	('generated', pg_temp.column(', n text GENERATED ALWAYS AS (data->>''n'') STORED)')),
	('other_unique', pg_temp.column(', code text UNIQUE)')),
	('referred', pg_temp.column(')')),
	('refers', pg_temp.column(', other text REFERENCES referred)')),
	('triggered', pg_temp.column('); CREATE TRIGGER t AFTER UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger(); DROP TRIGGER t ON triggered; '
		'CREATE TRIGGER t BEFORE UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()')),
	('secured', pg_temp.column('); ALTER TABLE secured ENABLE ROW LEVEL SECURITY')),
	('part', pg_temp.column(') PARTITION BY HASH (id); CREATE TABLE part0 PARTITION OF part FOR VALUES WITH (MODULUS 1, REMAINDER 0)'));
DO $$ BEGIN EXECUTE (SELECT string_agg(format(made, name), ';' ORDER BY nr) FROM kinds); END $$;

SELECT name, pg_temp.use(name::regclass) AS answers, pg_temp.has_plan('INSERT INTO', name) AS inserts,
	CASE WHEN pg_temp.has_plan('UPDATE', name) = 'sql' OR pg_temp.has_plan('UPDATE ONLY', name) = 'sql' THEN 'sql' ELSE 'direct' END AS updates
FROM kinds ORDER BY nr;
-- a table that gets a trigger in the middle of a session
CREATE TRIGGER t BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT docstore.upsert('plain', '77', '{}'), pg_temp.has_plan('INSERT INTO', 'plain');

-- the setting
SELECT docstore.create_collection('chosen');
SET docstore.engine = 'sql';
SELECT docstore.upsert('chosen', 'a', '{}'), pg_temp.has_plan('INSERT INTO', 'chosen');
SET docstore.engine = 'auto';
SET docstore.engine = 'fast';

-- an old snapshot, and privileges on columns only
SELECT docstore.create_collection('read_often'), docstore.create_collection('granted');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT docstore.upsert('read_often', 'a', '{}');
COMMIT;
SELECT pg_temp.has_plan('INSERT INTO', 'read_often');
CREATE ROLE regress_docstore_writer;
GRANT SELECT, INSERT (id, version, data, created_at, updated_at), UPDATE (version, data, updated_at) ON granted TO regress_docstore_writer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_temp TO regress_docstore_writer;
SET ROLE regress_docstore_writer;
SELECT docstore.upsert('public.granted', 'a', '{}'), docstore.upsert('public.granted', 'a', '{}', 1);
RESET ROLE;
SELECT pg_temp.has_plan('INSERT INTO', 'granted'), pg_temp.has_plan('UPDATE ONLY', 'granted');

-- a published table without an identity takes no updates, as the server has it
SELECT docstore.create_collection('published');
SELECT docstore.upsert('published', 'a', '{}'), pg_temp.has_plan('INSERT INTO', 'published');
SET client_min_messages = error;
CREATE PUBLICATION regress_docstore_publication FOR TABLE published;
RESET client_min_messages;
ALTER TABLE published REPLICA IDENTITY NOTHING;
CALL pg_temp.try($$ SELECT docstore.upsert('published', 'a', '{}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "published", "id": "a", "data": {}, "expected": 1}]') $$);
SELECT docstore.upsert('published', 'b', '{}');

-- large documents, out of line and compressed, there and back
SELECT docstore.upsert('chosen', 'big', jsonb_build_object('text', repeat('x', 100000), 'list', (SELECT jsonb_agg(i) FROM generate_series(1, 20000) i)));
SELECT docstore.upsert('chosen', 'big', data || '{"more": 1}', version) FROM docstore.load('chosen', 'big');
SELECT length(data->>'text'), jsonb_array_length(data->'list'), data->'more' FROM docstore.load('chosen', 'big');

-- The rows of a batch are inserted under one lock, which those wait for who want the same id meanwhile; it is gone when the call ends.
BEGIN;
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "chosen", "id": "s1", "data": {}}, {"op": "upsert", "collection": "chosen", "id": "s2", "data": {}}, {"op": "upsert", "collection": "chosen", "id": "s3", "data": {}}]');
SELECT count(*) AS waited_for FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'spectoken';
ROLLBACK;

DROP PUBLICATION regress_docstore_publication;
DROP TABLE child;
DO $$ BEGIN EXECUTE (SELECT string_agg('DROP TABLE ' || name, ';' ORDER BY nr DESC) FROM kinds WHERE name <> 'child'); END $$;
DROP TABLE chosen, read_often, granted, published;
DROP OWNED BY regress_docstore_writer;
DROP ROLE regress_docstore_writer;
