-- When the triggers of guards and logs fire, what the views say when that is not as it should be, and how it is repaired.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');
CREATE TABLE invoices (nr int PRIMARY KEY, total int, lock_version int);
CREATE TABLE parts (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (100) TO (200);
SELECT docstore.guard('shops'), docstore.guard('invoices', 'lock_version'), docstore.guard('parts');
SELECT docstore.create_log('ledger'), docstore.create_log('mails', notify => true);
CREATE VIEW faults AS
SELECT 'collections' AS view, name, options ->> 'fault' AS fault FROM docstore.collections WHERE options ->> 'fault' IS NOT NULL
UNION ALL SELECT 'guarded', name, options ->> 'fault' FROM docstore.guarded WHERE options ->> 'fault' IS NOT NULL
UNION ALL SELECT 'logs', name, options ->> 'fault' FROM docstore.logs WHERE options ->> 'fault' IS NOT NULL;
CREATE VIEW states AS
SELECT tgrelid::regclass AS "table", tgname AS name, docstore_internal.trigger_state(tgenabled) AS state FROM pg_trigger
WHERE tgrelid = ANY ('{shops, invoices, parts, parts_low, parts_high, ledger, mails}'::regclass[]) AND NOT tgisinternal OR tgparentid <> 0;
SELECT * FROM faults;
SELECT * FROM states ORDER BY "table"::text, name;

-- as they are the guards are not to be made again, nor does repairing a log change anything
CALL pg_temp.try($$ SELECT docstore.guard('shops') $$);
CALL pg_temp.try($$ SELECT docstore.guard('parts') $$);
SELECT docstore.repair_log('ledger');
SELECT * FROM states WHERE "table" = 'ledger'::regclass;

-- what pg_dump --data-only --disable-triggers writes around the rows of each table
ALTER TABLE shops DISABLE TRIGGER ALL;
ALTER TABLE invoices DISABLE TRIGGER ALL;
ALTER TABLE ledger DISABLE TRIGGER ALL;
ALTER TABLE mails DISABLE TRIGGER ALL;
SELECT * FROM faults ORDER BY view, name;
ALTER TABLE shops ENABLE TRIGGER ALL;
ALTER TABLE invoices ENABLE TRIGGER ALL;
ALTER TABLE ledger ENABLE TRIGGER ALL;
ALTER TABLE mails ENABLE TRIGGER ALL;
SELECT * FROM faults ORDER BY view, name;
-- appends are as right as before, the trigger leaves them alone
SELECT * FROM docstore.append('ledger', 'a', '[{"type": "T", "data": {"n": 1}}, {"type": "T"}]', 0);
SELECT count(DISTINCT (generation, transaction_id)) FROM ledger;
SELECT docstore.erase('ledger', 'a', '{1}');
-- guard again
SELECT docstore.guard('shops');
CALL pg_temp.try($$ SELECT docstore.guard('shops') $$);
CALL pg_temp.try($$ SELECT docstore.guard('invoices', 'lock_version') $$);
SELECT docstore.repair_log('ledger'), docstore.repair_log('mails');
SELECT * FROM faults;
SELECT * FROM states WHERE "table" = ANY ('{shops, invoices, ledger, mails}'::regclass[]) ORDER BY "table"::text, name;

-- disabled, for replicas only, gone: one call each
ALTER TABLE shops DISABLE TRIGGER docstore_guard;
ALTER TABLE invoices ENABLE REPLICA TRIGGER docstore_guard;
DROP TRIGGER docstore_replicate_event ON ledger;
ALTER TABLE mails DISABLE TRIGGER docstore_notify;
SELECT * FROM faults ORDER BY view, name;
-- another column is another guard
ALTER TABLE invoices ADD other int;
CALL pg_temp.try($$ SELECT docstore.guard('invoices', 'other') $$);
SELECT docstore.guard('shops'), docstore.guard('invoices', 'lock_version'), docstore.repair_log('ledger'), docstore.repair_log('mails', true);
SELECT * FROM faults;
DROP TRIGGER docstore_guard_delete ON shops;
DROP TRIGGER docstore_guard_truncate ON shops;
SELECT * FROM faults ORDER BY view;
SELECT docstore.guard('shops');
-- a guard that fires always is its owner's wish, and stays
ALTER TABLE shops ENABLE ALWAYS TRIGGER docstore_guard;
ALTER TABLE shops DISABLE TRIGGER docstore_guard_delete;
SELECT docstore.guard('shops');
SELECT * FROM states WHERE "table" = 'shops'::regclass ORDER BY name;
CALL pg_temp.try($$ SELECT docstore.guard('shops') $$);

-- partitions: of one of them alone, and of all
ALTER TABLE parts_low DISABLE TRIGGER docstore_guard;
SELECT * FROM faults ORDER BY view;
SELECT docstore.guard('parts');
ALTER TABLE parts_high ENABLE TRIGGER ALL;
SELECT * FROM faults ORDER BY view;
CALL pg_temp.try($$ SELECT docstore.guard('parts_high') $$);
SELECT docstore.guard('parts');
ALTER TABLE parts ENABLE TRIGGER ALL;
SELECT * FROM faults ORDER BY view;
SELECT docstore.guard('parts');
SELECT * FROM faults;
SELECT * FROM states WHERE "table"::text LIKE 'parts%' ORDER BY "table"::text, name;
ALTER TABLE parts ENABLE ALWAYS TRIGGER docstore_guard;
ALTER TABLE parts_low DISABLE TRIGGER docstore_guard;
SELECT docstore.guard('parts');
SELECT * FROM faults;
SELECT * FROM states WHERE "table"::text LIKE 'parts%' AND name = 'docstore_guard' ORDER BY "table"::text;

-- replaced by whoever has TRIGGER on the table, with docstore's own function: for less, under a condition, for other columns
ALTER TABLE invoices ADD id int;
CREATE ROLE regress_docstore_triggers;
GRANT TRIGGER ON shops, invoices TO regress_docstore_triggers;
SET ROLE regress_docstore_triggers;
CREATE OR REPLACE TRIGGER docstore_guard BEFORE INSERT OR UPDATE ON invoices
	FOR EACH ROW WHEN (false) EXECUTE FUNCTION docstore_internal.guard_row('lock_version');
CREATE OR REPLACE TRIGGER docstore_guard BEFORE INSERT OR UPDATE OF data ON shops FOR EACH ROW EXECUTE FUNCTION docstore_internal.guard_row('version');
RESET ROLE;
SELECT * FROM faults ORDER BY view, name;
SELECT docstore.guard('invoices', 'lock_version'), docstore.guard('shops');
SELECT * FROM faults ORDER BY view, name;
CREATE OR REPLACE TRIGGER docstore_guard BEFORE INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION docstore_internal.guard_row('lock_version', 'strict');
CREATE OR REPLACE TRIGGER docstore_guard_delete AFTER UPDATE OF id ON shops FOR EACH ROW EXECUTE FUNCTION docstore_internal.guard_delete();
SELECT * FROM faults ORDER BY view, name;
SELECT docstore.guard('invoices', 'lock_version', strict => true), docstore.guard('shops');
SELECT * FROM faults ORDER BY view, name;
CREATE OR REPLACE TRIGGER docstore_guard_delete AFTER DELETE OR UPDATE OF version ON parts FOR EACH ROW EXECUTE FUNCTION docstore_internal.guard_delete();
CREATE OR REPLACE TRIGGER docstore_guard_truncate BEFORE TRUNCATE ON parts EXECUTE FUNCTION docstore_internal.guard_truncate();
SELECT * FROM faults ORDER BY view, name;
SELECT docstore.guard('parts');
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE 'docstore_guard%' AND tgrelid = ANY ('{shops, invoices, parts, parts_low}'::regclass[])
ORDER BY tgrelid::regclass::text, tgname;
SELECT * FROM faults;
DROP OWNED BY regress_docstore_triggers;
DROP ROLE regress_docstore_triggers;

-- DROP EXTENSION takes them away
BEGIN;
SET LOCAL client_min_messages = error;
DROP EXTENSION docstore CASCADE;
CREATE EXTENSION docstore;
SELECT name, options ->> 'fault' AS fault FROM docstore.logs ORDER BY name;
SELECT docstore.repair_log('ledger'), docstore.repair_log('mails', notify => true), docstore.guard('shops');
SELECT name, options ->> 'fault' AS fault, options ->> 'notify' AS notify FROM docstore.logs ORDER BY name;
SELECT options ->> 'fault' AS fault FROM docstore.guarded;
ROLLBACK;

-- a trigger of the guard's name that calls a function of its name, somebody else's
CREATE SCHEMA other
	CREATE TABLE own (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
CREATE FUNCTION other.guard_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER docstore_guard BEFORE UPDATE ON other.own FOR EACH ROW EXECUTE FUNCTION other.guard_row();
SELECT options ->> 'guard' AS guard, options ->> 'fault' AS fault FROM docstore.collections WHERE name = 'other.own';
CALL pg_temp.try($$ SELECT docstore.guard('other.own') $$);
SET client_min_messages = warning;
DROP SCHEMA other CASCADE;

-- privileges and bad arguments
CREATE ROLE regress_docstore_triggers;
GRANT ALL ON shops, ledger, ledger_streams TO regress_docstore_triggers;
ALTER TABLE shops ENABLE TRIGGER ALL;
SET ROLE regress_docstore_triggers;
CALL pg_temp.try($$ SELECT docstore.guard('shops') $$);
CALL pg_temp.try($$ SELECT docstore.repair_log('ledger') $$);
RESET ROLE;
CALL pg_temp.try($$ SELECT docstore.repair_log(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.repair_log('ledger', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.repair_log('shops') $$);
CALL pg_temp.try($$ SELECT docstore.repair_log(4294967295::oid::regclass) $$);
BEGIN READ ONLY;
CALL pg_temp.try($$ SELECT docstore.repair_log('ledger') $$);
COMMIT;
DROP OWNED BY regress_docstore_triggers;
DROP ROLE regress_docstore_triggers;

DROP VIEW faults, states;
DROP TABLE shops, invoices, parts, ledger, ledger_streams, ledger_consumers, mails, mails_streams, mails_consumers;
