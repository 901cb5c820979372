-- docstore.create_log(): names, and the tables it makes
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- what it makes: the events, the heads of the streams, the cursors of consumers
SELECT docstore.create_log('ledger');
SELECT c.relname, a.attname, a.atttypid::regtype, a.attnotnull AS required, NULLIF(a.attidentity, '') AS identity,
	(SELECT collname FROM pg_collation WHERE oid = a.attcollation AND collname <> 'default') AS collation,
	pg_get_expr(d.adbin, d.adrelid) AS default
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.oid IN ('ledger'::regclass, 'ledger_streams'::regclass, 'ledger_consumers'::regclass) ORDER BY c.relname COLLATE "C", a.attnum;
SELECT pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid IN ('ledger'::regclass, 'ledger_streams'::regclass, 'ledger_consumers'::regclass) ORDER BY pg_get_indexdef(indexrelid) COLLATE "C";
SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
WHERE tgrelid IN ('ledger'::regclass, 'ledger_streams'::regclass, 'ledger_consumers'::regclass) ORDER BY tgname;
-- they are the user's: no members of the extension; the one thing that depends on it is the trigger
SELECT relname, relkind, relpersistence, relowner = current_user::regrole AS mine, reloptions FROM pg_class
WHERE oid IN ('ledger'::regclass, 'ledger_streams'::regclass, 'ledger_consumers'::regclass) ORDER BY relname COLLATE "C";
SELECT count(*) FROM pg_depend WHERE deptype = 'e' AND classid = 'pg_class'::regclass AND objid IN (
	'ledger'::regclass, 'ledger_streams'::regclass, 'ledger_consumers'::regclass, pg_get_serial_sequence('ledger', 'log_position')::regclass);
SELECT (attcompression = 'l') = EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) AS lz4, count(*)
FROM pg_attribute WHERE attrelid IN ('ledger'::regclass, 'ledger_streams'::regclass, 'ledger_consumers'::regclass)
	AND atttypid = 'jsonb'::regtype GROUP BY 1;

-- the log is its table of events; consumers are a collection
SELECT * FROM docstore.append('ledger', 'acc-1', '[{"type": "Opened"}, {"type": "Deposited", "data": {"amount": 10}}]', 0);
SELECT docstore.upsert('ledger_consumers', 'mails', '{"cursor": ""}');
SELECT stream, version, type, data, metadata, event_id, source_type, stream_type, stream_id FROM ledger ORDER BY log_position;
SELECT stream, version, revision, properties, closed_at FROM ledger_streams;

-- heads are updated in place: appends to all streams of a full page leave them on it
SELECT count(*) FROM generate_series(1, 200) i, docstore.append('ledger', 'h' || i, '[{"type": "Opened"}]');
VACUUM ledger_streams;
CREATE TEMP TABLE pages AS SELECT stream, (ctid::text::point)[0] AS page FROM ledger_streams;
SELECT count(*) FROM generate_series(3, 200, 3) i, docstore.append('ledger', 'h' || i, '[{"type": "Opened"}]', 1);
SELECT count(DISTINCT p.page) > 1 AS several_pages, bool_and((s.ctid::text::point)[0] = p.page) AS same_page FROM ledger_streams s JOIN pages p USING (stream);

-- with notify: one trigger more
SELECT docstore.create_log('mails', notify => true), docstore.create_log('quiet', false);
SELECT tgrelid::regclass, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'docstore_notify' ORDER BY 1;

-- a name is taken, be it that of a table beside it: nothing is made
CREATE TABLE one_streams ();
CREATE TABLE two_consumers ();
CREATE VIEW three AS SELECT 1;
CALL pg_temp.try($$ SELECT docstore.create_log('ledger') $$);
CALL pg_temp.try($$ SELECT docstore.create_log('LEDGER') $$);
CALL pg_temp.try($$ SELECT docstore.create_log('one') $$);
CALL pg_temp.try($$ SELECT docstore.create_log('two') $$);
CALL pg_temp.try($$ SELECT docstore.create_log('three') $$);
SELECT to_regclass('one') IS NULL AND to_regclass('two') IS NULL AND to_regclass('two_streams') IS NULL
	AND to_regclass('three_streams') IS NULL AS nothing_made;

-- names that are none
CALL pg_temp.try($$ SELECT docstore.create_log(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.create_log('other', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.create_log('') $$);
CALL pg_temp.try($$ SELECT docstore.create_log(' ') $$);
CALL pg_temp.try($$ SELECT docstore.create_log('a; b') $$);
CALL pg_temp.try($$ SELECT docstore.create_log('a.b.c.d') $$);
CALL pg_temp.try($$ SELECT docstore.create_log('elsewhere.public.other') $$);
CALL pg_temp.try($$ SELECT docstore.create_log('nowhere.other') $$);
SELECT to_regclass('other') IS NULL AS nothing_made;

-- a name whose companions' names would be cut; in bytes, not characters
SELECT pg_temp.verdict(format('SELECT docstore.create_log(%L)', repeat('x', 53))) AS x53,
	pg_temp.verdict(format('SELECT docstore.create_log(%L)', repeat('x', 54))) AS x54,
	pg_temp.verdict(format('SELECT docstore.create_log(%L)', repeat('x', 64))) AS x64,
	pg_temp.verdict(format('SELECT docstore.create_log(%L)', repeat(U&'\00fc', 27))) AS umlauts_27;
CALL pg_temp.try(format('SELECT docstore.create_log(%L)', repeat('x', 54)));
SELECT docstore.create_log(repeat('x', 53)), docstore.create_log(repeat(U&'\00fc', 26));
SELECT version, log_position FROM docstore.append(repeat('x', 53)::regclass, 'a', '[{"type": "T"}]'),
	docstore.create_stream(repeat(U&'\00fc', 26)::regclass, 'a');

-- names are read as SQL reads them: folded unless quoted, and all characters go
SELECT docstore.create_log('Lower'), docstore.create_log('"Upper"'), docstore.create_log('"two words"'), docstore.create_log('"a.b"'),
	docstore.create_log('"say ""hi"""'), docstore.create_log('"select"'), docstore.create_log(U&'"\00fc\6f22"'),
	docstore.create_log('"it''s; DROP TABLE ledger; --"', true);
SELECT l, s.version, s.log_position, to_regclass(replace(l::text || '_streams', '"_', '_') || CASE WHEN l::text LIKE '"%' THEN '"' ELSE '' END) AS streams
FROM unnest(ARRAY['lower', '"Upper"', '"two words"', '"a.b"', '"say ""hi"""', '"select"', U&'"\00fc\6f22"', '"it''s; DROP TABLE ledger; --"']::regclass[]) l,
	docstore.append(l, 'a', '[{"type": "T"}]') s;

-- in other schemas, with the same name twice
CREATE SCHEMA "North Sea";
CREATE SCHEMA south;
SELECT docstore.create_log('"North Sea".ledger'), docstore.create_log('south.ledger'), docstore.create_log('south."Ledger"');
SELECT count(*) FROM unnest(ARRAY['"North Sea".ledger', 'south.ledger', 'south."Ledger"']::regclass[]) l, docstore.append(l, 'here', '[{"type": "T"}]');
SELECT n.stream, s.stream, u.stream FROM "North Sea".ledger n, south.ledger s, south."Ledger" u;
-- without a schema: the first one of the search_path
SET search_path = south, public;
SELECT docstore.create_log('here');
SELECT relname, relnamespace::regnamespace FROM pg_class WHERE relname ~ '^here' AND relkind = 'r' ORDER BY relname COLLATE "C";
SELECT version FROM docstore.append('ledger', 'here', '[{"type": "T"}]', 1);
SET search_path = pg_catalog;
SELECT version FROM docstore.append('south.here', 'a', '[{"type": "T"}]', 0);
CALL pg_temp.try($$ SELECT docstore.create_log('other') $$);
RESET search_path;

-- a temporary one
SELECT docstore.create_log('pg_temp.scratch');
SELECT version, log_position FROM docstore.append('scratch', 'a', '[{"type": "T"}]');

-- not where nothing may be written
BEGIN READ ONLY;
CALL pg_temp.try($$ SELECT docstore.create_log('other') $$);
COMMIT;
-- in a transaction that goes on, and in one that does not
BEGIN;
SELECT docstore.create_log('undone');
SELECT version FROM docstore.append('undone', 'a', '[{"type": "T"}]');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT docstore.create_log('undone');
SELECT version FROM docstore.append('undone', 'a', '[{"type": "T"}]');
ROLLBACK TO s;
SELECT to_regclass('undone') IS NULL AND to_regclass('undone_streams') IS NULL AS undone;
SELECT docstore.create_log('undone');
SELECT version, log_position FROM docstore.append('undone', 'a', '[{"type": "T"}]', 0);
COMMIT;

-- the triggers' functions are for triggers
CALL pg_temp.try($$ SELECT docstore_internal.notify_log() $$);
CREATE TABLE plain (id int);
CREATE TRIGGER wrong BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION docstore_internal.replicate_event();
-- what no replication applies is left alone
CALL pg_temp.try($$ INSERT INTO plain VALUES (1) $$);

SET client_min_messages = error;
DROP SCHEMA "North Sea", south CASCADE;
DROP TABLE ledger, ledger_streams, ledger_consumers, mails, mails_streams, mails_consumers, quiet, quiet_streams, quiet_consumers, one_streams,
	two_consumers, undone, undone_streams, undone_consumers, plain, scratch, scratch_streams, scratch_consumers, pages;
DROP VIEW three;
-- those with long and odd names
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['lower', 'Upper', 'two words', 'a.b', 'say "hi"', 'select', U&'\00fc\6f22', 'it''s; DROP TABLE ledger; --',
		repeat('x', 53), repeat(U&'\00fc', 26)] LOOP
		EXECUTE format('DROP TABLE %I, %I, %I', name, name || '_streams', name || '_consumers');
	END LOOP;
END $$;
