-- Events without a stream: no head, no version, guarded by scopes alone
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
SELECT * FROM docstore.append('ledger', 'a', '[{"type": "A"}]', 0);
SELECT docstore.append_to_log('ledger', '[{"type": "Enrolled", "tags": ["student:1", "course:7"], "data": {"n": 1}, "metadata": {"m": 1}, "source_type": "s", "stream_type": "t", "stream_id": "i"}, {"type": "Enrolled", "tags": ["student:2", "course:7"]}]');
SELECT position FROM docstore.append_to_log('ledger', '[{"type": "Enrolled", "tags": ["student:3", "course:8"]}]', '[{"tags": ["student:3"], "expected": "none"}]') AS position;
SELECT log_position, stream, version, type, tags, data, metadata, source_type, stream_type, stream_id, event_id FROM ledger ORDER BY log_position;
SELECT * FROM ledger_streams WHERE stream IS DISTINCT FROM 'a';
-- in the order of the log, with those of streams
CALL pg_temp.settle();
SELECT log_position, stream, version, type, tags FROM docstore.read_log('ledger');
SELECT log_position, stream, version FROM docstore.read_log('ledger', NULL, NULL, '{"tags": ["course:7"]}');
SELECT log_position, stream, version FROM docstore.read_scope('ledger', '[{"tags": ["course:8"]}, {"source": "a"}]');
-- no source is a source that scopes can ask for
SELECT docstore.tail('ledger', '{"source": null}'), docstore.tail('ledger', '{"source": null, "tags": ["course:7"]}'), docstore.tail('ledger', '{"source": "a"}'), docstore.tail('ledger', '{"source": null, "types": ["A"]}');
SELECT log_position FROM docstore.read_log('ledger', NULL, NULL, '{"source": null}');
SELECT log_position FROM docstore.read_scope('ledger', '{"source": null}');

-- scopes
SELECT docstore.mark('ledger') AS mark \gset
SELECT pg_temp.verdict(format($$ SELECT docstore.append_to_log('ledger', '[{"type": "T"}]', '[{"tags": ["course:7"], "seen": "%s"}, {"source": null, "seen": "%1$s"}]') $$, :'mark')),
	pg_temp.verdict($$ SELECT docstore.append_to_log('ledger', '[{"type": "T"}]', '[{"tags": ["course:7"], "expected": 2}, {"tags": ["course:8"], "expected": "none"}, {"source": null, "expected": 3}]') $$);
SELECT count(*) FROM docstore.append_to_log('ledger', '[{"type": "Enrolled", "tags": ["student:4", "course:7"]}]');
CALL pg_temp.try($$ SELECT docstore.append_to_log('ledger', '[{"type": "T"}]', '[{"tags": ["course:7"], "expected": 3}, {"source": null, "types": ["Enrolled"], "expected": 4}, {"source": "a", "expected": 1}]') $$);
SELECT pg_temp.verdict(format($$ SELECT docstore.append_to_log('ledger', '[{"type": "T"}]', '[{"tags": ["course:8"], "seen": "%s"}]') $$, :'mark')),
	pg_temp.verdict(format($$ SELECT docstore.append_to_log('ledger', '[{"type": "T"}]', '[{"tags": ["course:7"], "seen": "%s"}]') $$, :'mark')),
	pg_temp.verdict(format($$ SELECT docstore.append_to_log('ledger', '[{"type": "T"}]', '[{"source": null, "seen": "%s"}]') $$, :'mark')),
	pg_temp.verdict(format($$ SELECT docstore.append_to_log('ledger', '[{"type": "T"}]', '[{"source": "a", "seen": "%s"}]') $$, :'mark'));
-- deferred: no row
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.append_to_log('ledger', '[{"type": "T"}]', '[{"tags": ["course:7"], "expected": 1}]');
SELECT pg_temp.verdict('SELECT docstore.check_conflicts()');
ROLLBACK;
-- many
SELECT min(p), max(p), count(*) FROM docstore.append_to_log('ledger', (SELECT jsonb_agg(jsonb_build_object('type', 'Many', 'tags', jsonb_build_array('n:' || n))) FROM generate_series(1, 2500) n)) p;
SELECT docstore.tail('ledger', '{"tags": ["n:2500"]}') - docstore.tail('ledger', '{"tags": ["n:1"]}') AS between;

-- items: beside appends to streams, and documents
SELECT docstore.create_collection('documents');
SELECT * FROM docstore.save('[
	{"op": "append_to_log", "log": "ledger", "events": [{"type": "Item", "tags": ["item:1"]}]},
	{"op": "upsert", "collection": "documents", "id": "d", "data": {}},
	{"op": "append", "log": "ledger", "stream": "a", "events": [{"type": "Item"}], "expected": 1},
	{"op": "append_to_log", "log": "ledger", "events": [{"type": "Item", "tags": ["item:2"]}, {"type": "Item"}], "scopes": [{"tags": ["item:2"], "expected": "none"}]},
	{"op": "append_to_log", "log": "ledger", "events": [{"type": "Item"}], "scopes": null}]');
SELECT stream, version, tags FROM ledger WHERE type = 'Item' ORDER BY log_position;
SELECT item, op, id, version, reason, expected, actual > 2500 AS actual FROM docstore.try_save('[
	{"op": "append_to_log", "log": "ledger", "events": [{"type": "Item", "tags": ["item:1"]}]},
	{"op": "append_to_log", "log": "ledger", "events": [{"type": "Item"}], "scopes": {"tags": ["item:2"], "expected": "none"}},
	{"op": "append", "log": "ledger", "stream": "a", "events": [{"type": "Item"}], "expected": 1}]');
SELECT * FROM docstore.save('[{"op": "append_to_log", "log": "ledger", "events": [{"type": "Once"}]}]', '00000000-0000-0000-0000-000000000001');
SELECT * FROM docstore.save('[{"op": "append_to_log", "log": "ledger", "events": [{"type": "Once"}]}]', '00000000-0000-0000-0000-000000000001');
SELECT count(*) FROM ledger WHERE type = 'Once';
DELETE FROM docstore.requests WHERE request_id = '00000000-0000-0000-0000-000000000001';

-- what is wrong
CREATE FUNCTION pg_temp.item(item text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL pg_temp.try(format('SELECT docstore.save(%L)', '[' || item || ']')); END $$;
SELECT pg_temp.item(i) FROM unnest(ARRAY['{"op": "append_to_log", "log": "ledger"}', '{"op": "append_to_log", "log": "ledger", "events": []}', '{"op": "append_to_log", "log": "ledger", "events": [{"type": "T"}], "stream": "a"}',
	'{"op": "append_to_log", "log": "ledger", "events": [{"type": "T"}], "expected": 1}', '{"op": "append_to_log", "log": "ledger", "events": [{"type": "T"}], "expected_revision": 1}',
	'{"op": "append_to_log", "log": "ledger", "events": [{"type": "T"}], "scope": {}}', '{"op": "append_to_log", "events": [{"type": "T"}]}', '{"op": "append", "log": "ledger", "events": [{"type": "T"}]}',
	'{"op": "append_to_log", "log": "ledger", "events": [{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]}', '{"op": "append_to_log", "collection": "documents", "events": [{"type": "T"}]}']) i;
CALL pg_temp.try($$ SELECT docstore.append_to_log(NULL, '[{"type": "T"}]') $$);
CALL pg_temp.try($$ SELECT docstore.append_to_log('ledger', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.append_to_log('ledger', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]') $$);
CALL pg_temp.try($$ SELECT docstore.append('ledger', NULL, '[{"type": "T"}]') $$);
BEGIN READ ONLY;
CALL pg_temp.try($$ SELECT docstore.append_to_log('ledger', '[{"type": "T"}]') $$);
ROLLBACK;

-- erased by plain SQL, by a tag
UPDATE ledger SET data = '{}', metadata = NULL WHERE stream IS NULL AND tags @> '{student:1}';
SELECT log_position, data, metadata FROM ledger WHERE tags @> '{student:1}';
DROP TABLE ledger, ledger_streams, ledger_consumers, documents;

-- nor does a log take them where one of the two columns must be filled
SELECT docstore.create_log('half');
ALTER TABLE half ALTER version SET NOT NULL;
SELECT pg_temp.verdict($$ SELECT docstore.append_to_log('half', '[{"type": "T"}]') $$);
ALTER TABLE half ALTER version DROP NOT NULL, ALTER stream SET NOT NULL;
SELECT pg_temp.verdict($$ SELECT docstore.append_to_log('half', '[{"type": "T"}]') $$);
DROP TABLE half, half_streams, half_consumers;

-- a log of an older version takes them once it is repaired, unless foreign keys refer to its key
SELECT docstore.create_log('old');
CREATE PROCEDURE pg_temp.as_before() LANGUAGE sql AS $$
	ALTER TABLE old DROP CONSTRAINT old_pkey, DROP CONSTRAINT old_stream_version_key, DROP COLUMN tags, ADD PRIMARY KEY (stream, version), ADD UNIQUE (log_position);
$$;
CALL pg_temp.as_before();
SELECT version FROM docstore.append('old', 'a', '[{"type": "T"}, {"type": "T"}]', 0);
CALL pg_temp.try($$ SELECT docstore.append_to_log('old', '[{"type": "T"}]') $$);
SELECT docstore.tail('old', '{"source": null}');
CREATE TABLE refers (stream text, version bigint, FOREIGN KEY (stream, version) REFERENCES old (stream, version));
SELECT docstore.repair_log('old');
CALL pg_temp.try($$ SELECT docstore.append_to_log('old', '[{"type": "T"}]') $$);
SELECT version FROM docstore.append('old', 'a', '[{"type": "T", "tags": ["t"]}]', 2);
DROP TABLE refers;
-- nor while views or functions group by it and show more: they are named, before anything is changed
ALTER TABLE old DROP COLUMN tags;
CREATE VIEW "per Event" AS SELECT stream, version, type, count(*) FROM old GROUP BY stream, version;
CREATE MATERIALIZED VIEW per_event AS SELECT stream, version, data FROM old GROUP BY stream, version;
CREATE FUNCTION count_events() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC SELECT type FROM old GROUP BY stream, version; END;
CREATE VIEW per_stream AS SELECT stream, count(*) FROM old GROUP BY stream;
CALL pg_temp.try($$ SELECT docstore.repair_log('old') $$);
SELECT count(*) FROM pg_attribute WHERE attrelid = 'old'::regclass AND attname = 'tags' AND NOT attisdropped;
DROP MATERIALIZED VIEW per_event;
DROP FUNCTION count_events;
CALL pg_temp.try($$ SELECT docstore.repair_log('old') $$);
DROP VIEW "per Event";
SELECT docstore.repair_log('old');
DROP VIEW per_stream;
SELECT docstore.append_to_log('old', '[{"type": "T"}]');
SELECT version FROM docstore.append('old', 'a', '[{"type": "T"}]', 3);
SELECT docstore.repair_log('old');
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'old'::regclass AND contype IN ('p', 'u') ORDER BY conname;
SELECT attname, attnotnull FROM pg_attribute WHERE attrelid = 'old'::regclass AND attname IN ('stream', 'version', 'log_position') ORDER BY attname;
SELECT relreplident, (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = c.oid AND indisreplident) FROM pg_class c WHERE oid = 'old'::regclass;
SELECT stream, version FROM docstore.read_stream('old', 'a');
CALL pg_temp.try($$ INSERT INTO old (version, generation, transaction_id, stream, type, data) SELECT version, generation, transaction_id, stream, type, data FROM old WHERE version = 1 $$);
DROP TABLE old, old_streams, old_consumers;
-- so it does where its key was named as what identifies its rows for replication, whether it has a key on positions or not
SELECT docstore.create_log('old');
CALL pg_temp.as_before();
ALTER TABLE old REPLICA IDENTITY USING INDEX old_pkey;
SELECT docstore.repair_log('old');
SELECT relreplident, (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = c.oid AND indisreplident) FROM pg_class c WHERE oid = 'old'::regclass;
ALTER TABLE old DROP CONSTRAINT old_log_position_key, DROP CONSTRAINT old_stream_version_key, ADD PRIMARY KEY (stream, version);
ALTER TABLE old REPLICA IDENTITY USING INDEX old_pkey;
SELECT docstore.repair_log('old');
SELECT relreplident, (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = c.oid AND indisreplident) FROM pg_class c WHERE oid = 'old'::regclass;
DROP TABLE old, old_streams, old_consumers;
