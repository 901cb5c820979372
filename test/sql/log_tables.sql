-- The tables of a log are the user's: indexes, triggers, foreign keys, columns, names
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
\set one '\'[{"type": "T"}]\''
\set two '\'[{"type": "T"}, {"type": "U"}]\''
SELECT version FROM docstore.append('ledger', 'a', :two, 0);

-- indexes of the user's, also unique ones: 23505 is the server's own, and nothing of the call stays
CREATE INDEX ON ledger (type, log_position);
CREATE INDEX ON ledger USING gin (data);
CREATE UNIQUE INDEX one_order ON ledger ((data ->> 'order'));
CREATE INDEX ON ledger_streams ((properties ->> 'owner'));
SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T", "data": {"order": 7}}]', 2);
SELECT version FROM docstore.append('ledger', 'b', '[{"type": "T"}, {"type": "T", "data": {"order": 7}}]', 0);
\echo :LAST_ERROR_SQLSTATE
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T", "data": {"order": 7}}]', 9) $$) AS stale,
	pg_temp.verdict($$ SELECT item FROM docstore.try_save('[{"op": "append", "log": "ledger", "stream": "b", "events": [{"type": "T", "data": {"order": 7}}]}]') $$) AS try_save;
SELECT count(*) FROM docstore.stream('ledger', 'b');
DROP INDEX one_order;
SELECT docstore.tail('ledger', '{"types": ["U"]}');

-- columns of the user's: defaults, generated ones, checks
ALTER TABLE ledger ADD by name NOT NULL DEFAULT current_user, ADD amount numeric GENERATED ALWAYS AS ((data ->> 'amount')::numeric) STORED,
	ADD CONSTRAINT positive CHECK ((data ->> 'amount')::numeric > 0);
ALTER TABLE ledger_streams ADD serial int GENERATED ALWAYS AS IDENTITY, ADD tenant text NOT NULL DEFAULT 'acme', ADD CONSTRAINT named CHECK (properties ->> 'owner' <> '');
SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T", "data": {"amount": 10.50}}]', 3);
SELECT docstore.create_stream('ledger', 'c', '{"owner": "ann"}');
SELECT version, by = current_user AS mine, amount FROM ledger WHERE stream = 'a' ORDER BY version;
SELECT stream, serial, tenant FROM ledger_streams ORDER BY stream;
UPDATE ledger_streams SET tenant = 'other' WHERE stream = 'a';
SELECT version FROM docstore.append('ledger', 'a', :one, 4), docstore.set_properties('ledger', 'a', '{}', -1);
SELECT tenant FROM ledger_streams WHERE stream = 'a';
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}, {"type": "T", "data": {"amount": -1}}]', 5) $$) AS checked, pg_temp.verdict($$ SELECT docstore.create_stream('ledger', 'd', '{"owner": ""}') $$) AS checked, pg_temp.verdict($$ SELECT docstore.set_properties('ledger', 'c', '{"owner": ""}', 1) $$) AS checked,
	pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T", "data": {"amount": "x"}}]', 5) $$) AS generated;
ALTER TABLE ledger ADD needed int;
ALTER TABLE ledger ADD CHECK (needed IS NOT NULL) NOT VALID;
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 5) $$);
ALTER TABLE ledger DROP needed;
-- columns in another order, and one dropped: what counts is their names
ALTER TABLE ledger DROP by, DROP CONSTRAINT positive;
SELECT version FROM docstore.append('ledger', 'a', '[{"type": "V", "data": {"amount": -2}, "stream_id": "i"}]', 5);
SELECT version, type, amount, stream_id FROM ledger WHERE stream = 'a' AND version = 6;
SELECT max(version) = (SELECT version FROM ledger_streams WHERE stream = 'a') AS consistent, max(version) FROM ledger WHERE stream = 'a';

-- a foreign key to a log's streams, and one from its events to them
CREATE TABLE accounts (id text PRIMARY KEY, stream text NOT NULL REFERENCES ledger_streams, owner text);
ALTER TABLE ledger ADD CONSTRAINT of_stream FOREIGN KEY (stream) REFERENCES ledger_streams;
SELECT pg_temp.verdict($$ INSERT INTO accounts VALUES ('1', 'nobody', 'ann') RETURNING id $$);
INSERT INTO accounts VALUES ('1', 'a', 'ann');
SELECT version FROM docstore.append('ledger', 'a', :one, 6);
SELECT version FROM docstore.append('ledger', 'new', :two, 0);
INSERT INTO accounts VALUES ('2', 'new', 'bob');
SELECT item, version FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "new", "events": [{"type": "T"}], "expected": 2},
	{"op": "append", "log": "ledger", "stream": "newer", "events": [{"type": "T"}], "expected": 0}]');
SELECT pg_temp.verdict($$ DELETE FROM ledger_streams WHERE stream = 'a' RETURNING stream $$);
-- a collection with a key to a stream that the same unit of work makes, or makes after it
SELECT docstore.create_collection('cards');
ALTER TABLE cards ADD account text GENERATED ALWAYS AS (data ->> 'account') STORED REFERENCES ledger_streams;
SELECT item, id, version FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "fresh", "events": [{"type": "T"}], "expected": 0},
	{"op": "upsert", "collection": "cards", "id": "1", "data": {"account": "fresh"}}]');
SELECT pg_temp.verdict($$ SELECT item FROM docstore.save('[{"op": "upsert", "collection": "cards", "id": "2", "data": {"account": "nobody"}}]') $$);
DROP TABLE accounts, cards;
ALTER TABLE ledger DROP CONSTRAINT of_stream;

-- triggers on events: one that changes what is stored, one that writes elsewhere, one that refuses
CREATE TABLE copies (position bigint, stream text, type text);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.metadata := COALESCE(NEW.metadata, '{}') || '{"stamped": true}'; RETURN NEW; END $$;
CREATE FUNCTION copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO copies VALUES (NEW.log_position, NEW.stream, NEW.type); RETURN NULL; END $$;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = 'P0123'; END $$;
CREATE FUNCTION count_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO copies SELECT count(*), string_agg(DISTINCT stream, ','), 'statement' FROM added; RETURN NULL; END $$;
CREATE TRIGGER stamp BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER copy AFTER INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION copy();
CREATE TRIGGER refuse BEFORE INSERT ON ledger FOR EACH ROW WHEN (NEW.type = 'Refused') EXECUTE FUNCTION refuse();
CREATE TRIGGER count_rows AFTER INSERT ON ledger REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_rows();
SELECT version FROM docstore.append('ledger', 't', '[{"type": "A"}, {"type": "B", "metadata": {"m": 1}}]', 0);
SELECT item, version FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "u", "events": [{"type": "A"}], "expected": 0},
	{"op": "append", "log": "ledger", "stream": "t", "events": [{"type": "C"}], "expected": 2}]');
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 't', '[{"type": "D"}, {"type": "Refused"}]', 3) $$);
SELECT stream, version, type, metadata FROM ledger WHERE stream IN ('t', 'u') ORDER BY log_position;
SELECT c.stream, c.type, e.version, CASE c.type WHEN 'statement' THEN c.position END AS rows FROM copies c LEFT JOIN ledger e ON e.log_position = c.position AND c.type <> 'statement' ORDER BY c.ctid;
DROP TRIGGER count_rows ON ledger;
-- one that swallows an event: never a version without its event, nor a hole that is called a success
CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER swallow BEFORE INSERT ON ledger FOR EACH ROW WHEN (NEW.type = 'Swallowed') EXECUTE FUNCTION swallow();
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 't', '[{"type": "Swallowed"}]', 3) $$);
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 't', '[{"type": "D"}, {"type": "Swallowed"}, {"type": "E"}]', 3) $$);
DROP TRIGGER swallow ON ledger;
-- one that changes the place of an event
CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	CASE NEW.type
		WHEN 'version' THEN NEW.version := NEW.version + 100;
		WHEN 'stream' THEN NEW.stream := 'elsewhere';
		WHEN 'log_position' THEN NEW.log_position := NEW.log_position + 100;
		WHEN 'transaction_id' THEN NEW.transaction_id := '3';
		WHEN 'generation' THEN NEW.generation := 0;
		WHEN 'event_id' THEN NEW.event_id := '00000000-0000-0000-0000-000000000009';
		ELSE NEW.data := '{"changed": true}';
	END CASE;
	RETURN NEW;
END $$;
CREATE TRIGGER move BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION move();
SELECT changed, pg_temp.verdict(format('SELECT version FROM docstore.append(%L, %L, %L, 3)', 'ledger', 't', jsonb_build_array(jsonb_build_object('type', changed)))) AS one,
	pg_temp.verdict(format('SELECT version FROM docstore.append(%L, %L, %L, 3)', 'ledger', 't', jsonb_build_array(jsonb_build_object('type', 'data'), jsonb_build_object('type', changed)))) AS second
FROM unnest('{version,stream,log_position,transaction_id,generation,event_id,data}'::text[]) changed;
DROP TRIGGER move ON ledger;
-- one that appends to another stream, one that appends to the stream that is appended to
CREATE FUNCTION echo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.append('ledger', COALESCE(NEW.data ->> 'to', 'echo'), jsonb_build_array(jsonb_build_object('type', 'Echo', 'data', jsonb_build_object('of', NEW.version))));
	RETURN NULL;
END $$;
CREATE TRIGGER echo AFTER INSERT ON ledger FOR EACH ROW WHEN (NEW.type = 'Loud') EXECUTE FUNCTION echo();
SELECT version FROM docstore.append('ledger', 't', '[{"type": "Loud"}, {"type": "Loud"}]', 3);
SELECT version, data FROM ledger WHERE stream = 'echo' ORDER BY version;
SELECT version FROM docstore.append('ledger', 't', '[{"type": "Loud", "data": {"to": "t"}}]', 5);
SELECT version, type, data FROM ledger WHERE stream = 't' AND version > 5 ORDER BY version;
DROP TRIGGER echo ON ledger;
-- before the event is stored, while others of its call are still to come; and a conflict of its own that it swallows
CREATE OR REPLACE FUNCTION echo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.type = 'Quiet' THEN
		PERFORM docstore.append('ledger', 'before', '[{"type": "B1"}, {"type": "B2", "event_id": "00000000-0000-0000-0000-000000000001"}]', docstore.any_version(), '[{"types": ["B9"], "expected": "none"}]');
		RETURN NEW;
	END IF;
	PERFORM docstore.append('ledger', 'before', jsonb_build_array('{"type": "B1"}'::jsonb, jsonb_build_object('type', 'B2', 'data', jsonb_build_object('of', NEW.version))));
	BEGIN
		PERFORM docstore.append('ledger', 'before', '[{"type": "B3"}]', 0);
	EXCEPTION WHEN SQLSTATE 'PT409' THEN
		NEW.data := NEW.data || '{"swallowed": true}';
	END;
	RETURN NEW;
END $$;
CREATE TRIGGER echo BEFORE INSERT ON ledger FOR EACH ROW WHEN (NEW.type IN ('Loud', 'Quiet')) EXECUTE FUNCTION echo();
SELECT version FROM docstore.append('ledger', 'v', '[{"type": "Loud"}, {"type": "Calm", "data": {"n": 1}}, {"type": "Loud", "metadata": {"m": 1}}]', 0);
SELECT item, version FROM docstore.save('[
	{"op": "append", "log": "ledger", "stream": "v", "events": [{"type": "Loud"}, {"type": "Calm"}], "expected": 3},
	{"op": "append", "log": "ledger", "stream": "w", "events": [{"type": "Calm"}, {"type": "Quiet"}, {"type": "Calm"}], "expected": 0}]');
SELECT stream, version, type, data, metadata FROM ledger WHERE stream IN ('v', 'w', 'before') ORDER BY stream, version;
-- before any event of the statement is stored
CREATE FUNCTION tick() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() = 1 THEN PERFORM docstore.append('ledger', 'ticks', '[{"type": "Tick"}]'); END IF; RETURN NULL; END $$;
CREATE TRIGGER tick BEFORE INSERT ON ledger FOR EACH STATEMENT EXECUTE FUNCTION tick();
SELECT version FROM docstore.append('ledger', 'ticked', :two, 0);
SELECT stream, version, type FROM ledger WHERE stream ~ '^tick' ORDER BY stream, version;
DROP TRIGGER tick ON ledger;
DROP FUNCTION tick;

-- a trigger on the heads
CREATE TRIGGER on_streams BEFORE UPDATE ON ledger_streams FOR EACH ROW WHEN (NEW.stream = 'u') EXECUTE FUNCTION swallow();
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'u', '[{"type": "T"}]', 1) $$);
DROP TRIGGER on_streams ON ledger_streams;
CREATE TRIGGER on_streams BEFORE INSERT ON ledger_streams FOR EACH ROW EXECUTE FUNCTION swallow();
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'never', '[{"type": "T"}]', 0) $$);
CALL pg_temp.try($$ SELECT docstore.create_stream('ledger', 'never') $$);
DROP TRIGGER on_streams ON ledger_streams;
-- in all of that no stream has lost or got anything
SELECT stream, s.version, count(e.version), max(e.version) FROM ledger_streams s LEFT JOIN ledger e USING (stream) GROUP BY stream ORDER BY stream;
DROP TRIGGER stamp ON ledger;
DROP TRIGGER copy ON ledger;
DROP TRIGGER refuse ON ledger;
DROP TRIGGER echo ON ledger;
DROP TABLE copies;
DROP FUNCTION stamp, copy, refuse, count_rows, swallow, move, echo;

-- renamed, all three: it goes on; in one session, with plans that are kept
SELECT version FROM docstore.append('ledger', 'a', :one, 7);
ALTER TABLE ledger RENAME TO journal;
CALL pg_temp.try($$ SELECT version FROM docstore.append('journal', 'a', '[{"type": "T"}]', 8) $$);
ALTER TABLE ledger_streams RENAME TO journal_streams;
SELECT version FROM docstore.append('journal', 'a', :one, 8, '[{"source": "t", "expected": 1000}]');
ALTER TABLE ledger_consumers RENAME TO journal_consumers;
CALL pg_temp.try($$ SELECT version FROM docstore.append('journal', 'a', '[{"type": "T"}]', 8) $$);
SELECT docstore.tail('journal', '{"source": "a"}') = max(log_position) FROM journal WHERE stream = 'a';
-- moved to another schema: one after the other
CREATE SCHEMA archive;
ALTER TABLE journal SET SCHEMA archive;
CALL pg_temp.try($$ SELECT version FROM docstore.append('archive.journal', 'a', '[{"type": "T"}]', 9) $$);
ALTER TABLE journal_streams SET SCHEMA archive;
ALTER TABLE journal_consumers SET SCHEMA archive;
SELECT version FROM docstore.append('archive.journal', 'a', :one, 9);
-- a log of the old name is another one
SELECT docstore.create_log('journal');
SELECT version FROM docstore.append('journal', 'a', :one, 0);
SELECT version FROM docstore.append('archive.journal', 'a', :one, 10);

-- what makes a log no log any more; each is undone
CREATE FUNCTION pg_temp.after(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	code text; message text; detail text;
BEGIN
	EXECUTE change;
	PERFORM docstore.append('journal', 'a', '[{"type": "T"}]', 1);
	RAISE EXCEPTION 'take it back';
EXCEPTION
	WHEN raise_exception THEN
		RETURN 'appended';
	WHEN others THEN
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
		RETURN concat_ws(E'\n', code || ': ' || message, detail);
END
$$;
CREATE ROLE regress_docstore_other;
SELECT pg_temp.after(change), change FROM unnest(ARRAY[
	'DROP TABLE journal_streams', 'DROP TABLE journal_consumers', 'ALTER TABLE journal_streams OWNER TO regress_docstore_other', 'ALTER TABLE journal_consumers OWNER TO regress_docstore_other',
	'ALTER TABLE journal_streams RENAME revision TO rev', 'ALTER TABLE journal_streams ALTER version TYPE int', 'ALTER TABLE journal_streams DROP CONSTRAINT journal_streams_pkey',
	'ALTER TABLE journal RENAME type TO kind', 'ALTER TABLE journal ALTER stream_id TYPE varchar', 'ALTER TABLE journal DROP metadata', 'ALTER TABLE journal DROP CONSTRAINT journal_stream_version_key',
	'DROP INDEX journal_generation_transaction_id_log_position_idx', 'ALTER TABLE journal DROP CONSTRAINT journal_pkey', 'DROP INDEX journal_stream_event_id_idx',
	'ALTER TABLE journal ALTER log_position DROP IDENTITY', 'DROP TABLE journal_streams; CREATE VIEW journal_streams AS SELECT 1 AS stream', 'ALTER TABLE journal RENAME TO other',
	'DROP TRIGGER docstore_replicate_event ON journal', 'ALTER TABLE journal ALTER log_position SET GENERATED ALWAYS', 'ALTER TABLE journal ALTER data DROP NOT NULL', 'ALTER TABLE journal CLUSTER ON journal_pkey; CLUSTER journal',
	'ALTER TABLE journal_streams SET (fillfactor = 100)', 'TRUNCATE journal_consumers', 'REINDEX TABLE journal']) WITH ORDINALITY c(change, nr) ORDER BY nr;
DROP ROLE regress_docstore_other;
SELECT version FROM docstore.append('journal', 'a', :one, 1);
-- without triggers of docstore's on it, whatever the name: with notify it is as without
SELECT docstore.create_log('noisy', true);
SELECT version FROM docstore.append('noisy', 'a', :two, 0);
SELECT version FROM docstore.append('noisy', 'a', :one, 2, '[{"expected": 2}]');

-- truncated: it begins anew; positions go on
TRUNCATE journal, journal_streams;
SELECT version, log_position > 3 AS further FROM docstore.append('journal', 'a', :one, 0);
-- positions that were set back: an error of the server, nothing is overwritten, and later ones go on
SELECT setval(pg_get_serial_sequence('journal', 'log_position'), (SELECT max(log_position) FROM journal), false) > 0 AS back;
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('journal', 'a', '[{"type": "T"}]', 1) $$);
SELECT version FROM docstore.append('journal', 'a', :one, 1);

DROP TABLE noisy, noisy_streams, noisy_consumers, journal, journal_streams, journal_consumers;
SET client_min_messages = error;
DROP SCHEMA archive CASCADE;
