-- Tags: any number of strings that an event is about
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
SELECT version, log_position FROM docstore.append('ledger', 'a', '[
	{"type": "Opened", "tags": ["account:1", "customer:7"]},
	{"type": "Noted"},
	{"type": "Noted", "tags": []},
	{"type": "Noted", "tags": null},
	{"type": "Moved", "tags": ["account:2", "account:1", "account:2", "account:2"]}]', 0);
SELECT version, log_position FROM docstore.append('ledger', 'b', '[{"type": "Moved", "tags": ["account:1"], "event_id": "00000000-0000-0000-0000-000000000001"}]');
-- each once, in the order given; none is NULL
SELECT version, type, tags FROM docstore.read_stream('ledger', 'a');
SELECT version, tags FROM docstore.read_stream('ledger', 'a', NULL, 1, true);
CALL pg_temp.settle();
SELECT stream, version, tags, cursor IS NOT NULL AS "cursor" FROM docstore.read_log('ledger');
-- the same call again
SELECT version, log_position FROM docstore.append('ledger', 'b', '[{"type": "Moved", "tags": ["account:1"], "event_id": "00000000-0000-0000-0000-000000000001"}]');
-- 64, and 3,000, some of them twice; what is odd in an array as text
SELECT version FROM docstore.append('ledger', 'many', jsonb_build_array(jsonb_build_object('type', 'T', 'tags', (SELECT jsonb_agg('tag:' || n) FROM generate_series(1, 64) n)),
	jsonb_build_object('type', 'T', 'tags', (SELECT jsonb_agg('tag:' || n % 2000) FROM generate_series(1, 3000) n)),
	jsonb_build_object('type', 'T', 'tags', '["{", "}", ",", "\"", "\\", "NULL", "null", " ", "a b", "o''brien", "\u00e9", "e\u0301", "{a,b}", "x\ty"]'::jsonb)));
SELECT version, cardinality(tags), tags[1], tags[cardinality(tags)] FROM docstore.read_stream('ledger', 'many');
SELECT t FROM docstore.read_stream('ledger', 'many', 3), unnest(tags) t WHERE version = 3;

-- what is none
SELECT tags, pg_temp.verdict(format('SELECT version FROM docstore.append(%L, %L, %L)', 'ledger', 'c', jsonb_build_array('{"type": "T"}'::jsonb, jsonb_build_object('type', 'T', 'tags', tags))))
FROM unnest('{"\"a\"",7,"{\"a\": 1}","[1]","[null]","[\"a\", \"\"]","[[\"a\"]]",true}'::jsonb[]) tags;
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T", "tags": "account:1"}]') $$);
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T", "tags": ["a", 1]}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "c", "events": [{"type": "T", "tags": [""]}]}]') $$);
-- one that the index cannot take; the longest that it can, which does not compress
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'c', jsonb_build_array(jsonb_build_object('type', 'T', 'tags', jsonb_build_array(repeat('x', 2049))))) $$);
CALL pg_temp.try($$ SELECT docstore.tail('ledger', jsonb_build_object('tags', jsonb_build_array(repeat('x', 2049)))) $$);
SELECT version, (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 64) n) AS long
FROM docstore.append('ledger', 'long', jsonb_build_array(jsonb_build_object('type', 'T', 'tags', (SELECT jsonb_build_array(string_agg(md5(n::text), '')) FROM generate_series(1, 64) n)))) \gset
SELECT :version AS version, docstore.tail('ledger', jsonb_build_object('tags', jsonb_build_array(:'long'))) = max(log_position) FROM ledger;

-- scopes: all of the tags, with each other and with other keys; null is without
CREATE TEMP TABLE cases (scope jsonb);
INSERT INTO cases VALUES ('{"tags": ["account:1"]}'), ('{"tags": ["account:2"]}'), ('{"tags": ["account:2", "account:1"]}'), ('{"tags": ["account:1", "customer:7"]}'),
	('{"tags": ["account:2", "customer:7"]}'), ('{"tags": ["account:1", "account:1"]}'), ('{"tags": ["account"]}'), ('{"tags": ["account:1"], "types": ["Opened", "Noted"]}'),
	('{"tags": ["account:1"], "source": "a"}'), ('{"tags": ["account:1"], "source": "c"}'), ('{"tags": ["account:1"], "stream_id": null}'), ('{"tags": ["account:1"], "stream_id": "x"}'),
	('{"tags": null}'), ('{"tags": null, "source": "b"}'), ('{"tags": null, "types": ["Opened"]}'), ('{"tags": ["{a,b}", "NULL"]}'), ('{"tags": ["tag:1", "tag:64"]}'), ('{"tags": ["a"]}');
SELECT scope, docstore.tail('ledger', scope), (SELECT string_agg(log_position::text, ' ' ORDER BY log_position) FROM docstore.read_log('ledger', NULL, NULL, scope)) AS read FROM cases;
-- by the index, by none, and with many events after those that match
CREATE TEMP TABLE found AS SELECT scope, docstore.tail('ledger', scope) FROM cases;
SELECT count(*) FROM docstore.append('ledger', 'more', (SELECT jsonb_agg(jsonb_build_object('type', 'More', 'tags', jsonb_build_array('more'))) FROM generate_series(1, 1500)));
SELECT scope, tail, docstore.tail('ledger', scope) FROM found WHERE tail IS DISTINCT FROM docstore.tail('ledger', scope);
DROP INDEX ledger_tags_idx;
SELECT scope, tail, docstore.tail('ledger', scope) FROM found WHERE tail IS DISTINCT FROM docstore.tail('ledger', scope);
CREATE INDEX ON ledger USING gin (tags);
SELECT scope, tail, docstore.tail('ledger', scope) FROM found WHERE tail IS DISTINCT FROM docstore.tail('ledger', scope);
CALL pg_temp.try($$ SELECT docstore.tail('ledger', '{"tags": []}') $$);
CALL pg_temp.try($$ SELECT docstore.tail('ledger', '{"tags": "a"}') $$);
CALL pg_temp.try($$ SELECT docstore.tail('ledger', '{"tags": ["a", null]}') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'c', '[{"type": "T"}]', -1, '[{"tags": ["account:1", "account:2"], "expected": 4}]') $$);
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T", "tags": ["account:1", "account:2"]}]', -1, '[{"tags": ["account:1", "account:2"], "expected": 5}]') $$),
	pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T"}]', -1, '[{"tags": ["account:1", "customer:7"], "expected": 1, "strict": true}, {"tags": ["nobody:1"], "expected": "none"}]') $$);

-- a trigger that changes the tags; one that gives some to an event without
CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.tags := array_append(NEW.tags, 'tampered'); RETURN NEW; END $$;
CREATE TRIGGER tamper BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION tamper();
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T", "tags": ["a"]}]') $$);
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'c', '[{"type": "T"}]') $$);
DROP TRIGGER tamper ON ledger;
DROP FUNCTION tamper;
-- a default that would give some to an event without: it does not, by either engine
ALTER TABLE ledger ALTER tags SET DEFAULT '{default}';
SELECT version FROM docstore.append('ledger', 'd', '[{"type": "T"}]', 0);
SET docstore.engine = 'sql';
SELECT version FROM docstore.append('ledger', 'd', '[{"type": "T"}, {"type": "T"}]', 1);
SELECT version FROM docstore.append('ledger', 'd', '[{"type": "T"}, {"type": "T", "tags": ["a"]}]', 3);
RESET docstore.engine;
SELECT version, tags FROM docstore.read_stream('ledger', 'd');
DROP TABLE ledger, ledger_streams, ledger_consumers;

-- events without tags or an id before those with some, in one call: all are in the indexes
SELECT docstore.create_log('mixed');
SELECT version FROM docstore.append('mixed', 'm', '[{"type": "T"}, {"type": "T", "tags": ["m:1"]}, {"type": "T", "event_id": "00000000-0000-0000-0000-000000000002"}]', 0);
SELECT count(*) FROM docstore.append_to_log('mixed', '[{"type": "T"}, {"type": "T", "tags": ["m:1"]}]');
SET enable_seqscan = off;
SELECT stream, version FROM mixed WHERE tags @> '{m:1}' ORDER BY log_position;
SELECT version FROM mixed WHERE stream = 'm' AND event_id = '00000000-0000-0000-0000-000000000002';
RESET enable_seqscan;
DROP TABLE mixed, mixed_streams, mixed_consumers;

-- a log that an older version has made: it goes on as it is, without tags
SELECT docstore.create_log('old');
ALTER TABLE old DROP COLUMN tags;
SELECT version FROM docstore.append('old', 'a', '[{"type": "T"}, {"type": "T", "tags": null}, {"type": "T", "tags": []}]', 0);
CALL pg_temp.try($$ SELECT version FROM docstore.append('old', 'a', '[{"type": "T"}, {"type": "T", "tags": ["a"]}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "append", "log": "old", "stream": "c", "events": [{"type": "T", "tags": ["a"]}]}]') $$);
SELECT version, tags FROM docstore.read_stream('old', 'a');
CALL pg_temp.settle();
SELECT version, tags FROM docstore.read_log('old');
SELECT docstore.tail('old', '{"tags": ["a"]}'), docstore.tail('old', '{"tags": null}'), pg_temp.verdict($$ SELECT version FROM docstore.append('old', 'b', '[{"type": "T"}]', -1, '[{"tags": ["a"], "expected": "none"}]') $$);
-- a column of that name that is the user's
ALTER TABLE old ADD COLUMN tags jsonb DEFAULT '[]';
SELECT version FROM docstore.append('old', 'a', '[{"type": "T"}]', 3);
CALL pg_temp.try($$ SELECT version FROM docstore.append('old', 'a', '[{"type": "T", "tags": ["a"]}]') $$);
SELECT version, tags FROM docstore.read_stream('old', 'a', 4);
ALTER TABLE old DROP COLUMN tags;
-- one that is computed, too
ALTER TABLE old ADD COLUMN tags text[] GENERATED ALWAYS AS (ARRAY[type]) STORED;
SELECT version FROM docstore.append('old', 'computed', '[{"type": "T"}]', 0);
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('old', 'computed', '[{"type": "T", "tags": ["a"]}]') $$);
SELECT version, tags, docstore.tail('old', '{"tags": ["T"]}') FROM docstore.read_stream('old', 'computed');
ALTER TABLE old DROP COLUMN tags;
-- or in which two tags can be equal that are not the same
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
ALTER TABLE old ADD COLUMN tags text[] COLLATE caseless;
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('old', 'computed', '[{"type": "T", "tags": ["a"]}]') $$);
ALTER TABLE old DROP COLUMN tags;
DROP COLLATION caseless;
-- until it is repaired
CREATE ROLE regress_docstore_other;
GRANT SELECT, INSERT, UPDATE ON old, old_streams TO regress_docstore_other;
SET ROLE regress_docstore_other;
SELECT pg_temp.verdict($$ SELECT docstore.repair_log('old') $$);
RESET ROLE;
SELECT docstore.repair_log('old');
SELECT attname, format_type(atttypid, atttypmod), attcollation::regcollation, attnotnull FROM pg_attribute WHERE attrelid = 'old'::regclass AND attname = 'tags';
SELECT pg_get_indexdef('old_tags_idx'::regclass);
SELECT docstore.repair_log('old');
SELECT version FROM docstore.append('old', 'a', '[{"type": "T", "tags": ["a"]}]', 4);
SELECT version, tags FROM docstore.read_stream('old', 'a', 4);
SELECT docstore.tail('old', '{"tags": ["a"]}') = max(log_position) FROM old;
-- who may not write tags appends without
REVOKE INSERT ON old FROM regress_docstore_other;
GRANT INSERT (log_position, version, recorded_at, generation, transaction_id, event_id, stream, type, source_type, stream_type, stream_id, data, metadata) ON old TO regress_docstore_other;
SET ROLE regress_docstore_other;
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('old', 'a', '[{"type": "T"}]', 5) $$), pg_temp.verdict($$ SELECT version FROM docstore.append('old', 'a', '[{"type": "T", "tags": ["a"]}]', 5) $$);
RESET ROLE;
DROP TABLE old, old_streams, old_consumers;
DROP ROLE regress_docstore_other;
