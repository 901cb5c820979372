-- A description may not outlive what it describes within one call: what one table of a call fires can alter the next one
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- runs what the setting says, once
CREATE FUNCTION fire() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	command text := current_setting('regress.command', true);
BEGIN
	IF command <> '' THEN
		PERFORM set_config('regress.command', '', true);
		EXECUTE command;
	END IF;
	RETURN true;
END
$$;
CREATE FUNCTION fire_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM fire(); RETURN NEW; END $$;
CREATE FUNCTION fire_index(data jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN fire();
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;

-- Save while a command is run by what table a has; how it ends, and what b and l have then. Nothing of it stays.
CREATE PROCEDURE pg_temp.alter_while(has text, command text, items jsonb) LANGUAGE plpgsql AS $$
DECLARE
	code text;
	message text;
	written text;
	found text;
BEGIN
	PERFORM docstore.create_collection('a');
	PERFORM docstore.create_collection('b');
	PERFORM docstore.create_log('l');
	PERFORM docstore.upsert('a', 'a', '{}');
	ALTER TABLE b ADD n bigint;
	-- in this order in the table, and in the other one in its key
	PERFORM docstore.upsert('b', id, '{}'), docstore.create_stream('l', id) FROM unnest('{z,y,x}'::text[]) AS id;
	EXECUTE has;
	PERFORM set_config('regress.command', command, true);
	BEGIN
		SELECT string_agg(format('%s/%s at %s', target, id, version), ', ' ORDER BY item) INTO written FROM docstore.save(items);
	EXCEPTION WHEN others THEN
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
		RAISE INFO E'%\n=> % %', command, code, regexp_replace(message, '\d{5,}', 'N');
		RAISE EXCEPTION USING errcode = 'ZZ000';
	END;
	SELECT string_agg(part, ', ' ORDER BY part) INTO found FROM (
		SELECT format('b %s, %s', id, version) FROM b
		UNION ALL SELECT format('l %s, %s %s', stream, version, type) FROM l) AS f(part);
	RAISE INFO E'%\n=> %\n%', command, written, found;
	RAISE EXCEPTION USING errcode = 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
	NULL;
END
$$;

\set trigger '''CREATE TRIGGER fire BEFORE INSERT OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION fire_trigger()'''
\set index '''CREATE INDEX ON a (fire_index(data))'''
\set default '''ALTER TABLE a ADD f boolean DEFAULT fire()'''
\set check '''ALTER TABLE a ADD CHECK (fire())'''
\set write '[{"op": "upsert", "collection": "a", "id": "a", "data": {"n": 1}, "expected": 1}, {"op": "upsert", "collection": "b", "id": "x", "data": {}, "expected": 1}]'
\set create '[{"op": "upsert", "collection": "a", "id": "new", "data": {"n": 1}}, {"op": "upsert", "collection": "b", "id": "new", "data": {}}, {"op": "patch", "collection": "b", "id": "x", "data": {}, "expected": 1}, {"op": "delete", "collection": "b", "id": "y", "expected": 1}]'
\set append '[{"op": "upsert", "collection": "a", "id": "a", "data": {"n": 1}, "expected": 1}, {"op": "append", "log": "l", "stream": "x", "events": [{"type": "Happened", "data": {}, "source_type": "Account"}]}]'

-- documents: every command by a trigger
CALL pg_temp.alter_while(:trigger, 'SELECT', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b ALTER version TYPE text', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b ALTER id TYPE varchar', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b ALTER data TYPE json', :'write');
CALL pg_temp.alter_while(:trigger, 'CLUSTER b USING b_pkey', :'write');
CALL pg_temp.alter_while(:trigger, 'TRUNCATE b', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b ADD CHECK (version < 2)', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b DROP data', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b RENAME data TO other', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b RENAME version TO v; ALTER TABLE b RENAME n TO version', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b ALTER n SET NOT NULL', :'write');
CALL pg_temp.alter_while(:trigger, 'CREATE TRIGGER refuse BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION refuse()', :'write');
CALL pg_temp.alter_while(:trigger, 'CREATE TRIGGER refuse AFTER UPDATE ON b FOR EACH ROW EXECUTE FUNCTION refuse()', :'write');
CALL pg_temp.alter_while(:trigger, 'CREATE TRIGGER refuse AFTER UPDATE ON b REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION refuse()', :'write');
CALL pg_temp.alter_while(:trigger, 'CREATE RULE nothing AS ON UPDATE TO b DO INSTEAD NOTHING', :'write');
CALL pg_temp.alter_while(:trigger, 'CREATE UNIQUE INDEX ON b ((data IS NULL)) WHERE version > 1', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b DROP CONSTRAINT b_pkey', :'write');
CALL pg_temp.alter_while(:trigger, 'DROP TABLE b', :'write');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b RENAME TO old; CREATE TABLE b (LIKE old INCLUDING ALL)', :'write');
CALL pg_temp.alter_while(:trigger, 'CREATE SCHEMA s; ALTER TABLE b SET SCHEMA s; CREATE TABLE b (LIKE s.b INCLUDING ALL)', :'write');

-- what else writes: insert, patch, delete
CALL pg_temp.alter_while(:trigger, 'SELECT', :'create');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b ALTER version TYPE text', :'create');
CALL pg_temp.alter_while(:trigger, 'CLUSTER b USING b_pkey', :'create');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b ADD CHECK (version < 2)', :'create');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE b ALTER n SET DEFAULT 1, ADD CHECK (n IS NULL)', :'create');

-- whatever it is that runs it: without the executor, in it, in a default and in a check
CALL pg_temp.alter_while(:index, 'ALTER TABLE b ALTER version TYPE text', :'write');
CALL pg_temp.alter_while(:index, 'CLUSTER b USING b_pkey', :'write');
CALL pg_temp.alter_while(:index, 'ALTER TABLE b ADD CHECK (version < 2)', :'write');
CALL pg_temp.alter_while(:index, 'DROP TABLE b', :'write');
CALL pg_temp.alter_while(:index, 'DROP TABLE a', :'write');
CALL pg_temp.alter_while(:default, 'ALTER TABLE b ALTER version TYPE text', :'create');
CALL pg_temp.alter_while(:default, 'CLUSTER b USING b_pkey', :'create');
CALL pg_temp.alter_while(:check, 'ALTER TABLE b ALTER version TYPE text', :'write');
CALL pg_temp.alter_while(:check, 'CLUSTER b USING b_pkey', :'write');

-- heads and events
CALL pg_temp.alter_while(:trigger, 'SELECT', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l_streams ALTER version TYPE text', :'append');
CALL pg_temp.alter_while(:trigger, 'CLUSTER l_streams USING l_streams_pkey', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l_streams ADD CHECK (version < 1)', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l_streams DROP CONSTRAINT l_streams_pkey', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l_streams RENAME TO old; CREATE TABLE l_streams (LIKE old INCLUDING ALL)', :'append');
CALL pg_temp.alter_while(:trigger, 'DROP TABLE l_streams', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l ALTER source_type TYPE bigint USING NULL', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l ALTER version TYPE text', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l ALTER metadata TYPE json', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l RENAME type TO t; ALTER TABLE l RENAME source_type TO type; ALTER TABLE l RENAME t TO source_type', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l ALTER log_position DROP IDENTITY', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l ADD CHECK (version < 1)', :'append');
CALL pg_temp.alter_while(:trigger, 'TRUNCATE l', :'append');
CALL pg_temp.alter_while(:trigger, 'ALTER TABLE l RENAME TO m', :'append');
CALL pg_temp.alter_while(:trigger, 'DROP TABLE l', :'append');
CALL pg_temp.alter_while(:trigger, 'CREATE TRIGGER refuse AFTER INSERT ON l FOR EACH ROW EXECUTE FUNCTION refuse()', :'append');
CALL pg_temp.alter_while(:index, 'ALTER TABLE l ALTER source_type TYPE bigint USING NULL', :'append');
CALL pg_temp.alter_while(:index, 'ALTER TABLE l_streams ALTER version TYPE text', :'append');
CALL pg_temp.alter_while(:index, 'ALTER TABLE l_streams RENAME TO old; CREATE TABLE l_streams (LIKE old INCLUDING ALL)', :'append');

-- a trigger of the heads and the events' table; one append
CALL pg_temp.alter_while('CREATE TRIGGER fire BEFORE UPDATE ON l_streams FOR EACH ROW EXECUTE FUNCTION fire_trigger()',
	'ALTER TABLE l ALTER source_type TYPE bigint USING NULL', :'append');
CALL pg_temp.alter_while('CREATE TRIGGER fire BEFORE UPDATE ON l_streams FOR EACH ROW EXECUTE FUNCTION fire_trigger()',
	'DROP TABLE l', :'append');
CALL pg_temp.alter_while('CREATE INDEX ON l_streams (fire_index(properties), revision)',
	'ALTER TABLE l ALTER source_type TYPE bigint USING NULL', :'append');

-- privileges and row security, which a trigger that runs as the owner can change
CREATE ROLE regress_docstore_writer;
ALTER FUNCTION fire() SECURITY DEFINER;
\set by_writer '''CREATE TRIGGER fire BEFORE INSERT OR UPDATE ON a FOR EACH ROW EXECUTE FUNCTION fire_trigger(); GRANT SELECT, INSERT, UPDATE, DELETE ON a, b, l, l_streams TO regress_docstore_writer; SET LOCAL ROLE regress_docstore_writer'''
CALL pg_temp.alter_while(:by_writer, 'ALTER TABLE b ENABLE ROW LEVEL SECURITY', :'write');
CALL pg_temp.alter_while(:by_writer, 'REVOKE UPDATE ON b FROM regress_docstore_writer', :'write');
CALL pg_temp.alter_while(:by_writer, 'REVOKE SELECT ON b FROM regress_docstore_writer', :'write');
CALL pg_temp.alter_while(:by_writer, 'ALTER TABLE l_streams ENABLE ROW LEVEL SECURITY', :'append');
CALL pg_temp.alter_while(:by_writer, 'ALTER TABLE l ENABLE ROW LEVEL SECURITY', :'append');
DROP ROLE regress_docstore_writer;

-- the message and its hint
SELECT docstore.create_collection('a'), docstore.create_collection('b');
CREATE TRIGGER fire BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION fire_trigger();
SET regress.command = 'ALTER TABLE b ALTER version TYPE text';
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "a", "id": "a", "data": {}}, {"op": "upsert", "collection": "b", "id": "a", "data": {}}]') $$);
SET regress.command = 'DROP TABLE b';
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "a", "id": "a", "data": {}}, {"op": "upsert", "collection": "b", "id": "a", "data": {}}]') $$);


-- rows whose very places are gone: a table that the transaction itself has made is truncated where it is
DROP TABLE a, b;
BEGIN;
SELECT docstore.create_collection('a'), docstore.create_collection('b');
SELECT docstore.upsert('a', 'a', '{}'), docstore.upsert('b', 'x', '{}');
CREATE TRIGGER fire BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION fire_trigger();
SET LOCAL regress.command = 'TRUNCATE b';
SELECT * FROM docstore.save(:'write');
ROLLBACK;

DROP FUNCTION fire, fire_trigger, fire_index, refuse;
