-- "17" in JSON is the version 17, wherever an expected version, revision or position stands: many drivers make strings of bigint
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- a document at version 2; a stream at version 2 and revision 2, whose second event is at position 2
SELECT docstore.create_collection('shops'), docstore.create_log('ledger');
SELECT docstore.upsert('shops', 'a', '{}'), docstore.upsert('shops', 'a', '{}', 1);
SELECT * FROM docstore.append('ledger', 's', '[{"type": "x"}]');
SELECT * FROM docstore.append('ledger', 's', '[{"type": "x"}]');

CREATE TEMP TABLE places (nr serial, place text, statement text);
INSERT INTO places (place, statement) VALUES
	('upsert', $$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": %s}]') $$),
	('patch', $$ SELECT version FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "a", "data": {}, "expected": %s}]') $$),
	('delete', $$ SELECT version FROM docstore.save('[{"op": "delete", "collection": "shops", "id": "a", "expected": %s}]') $$),
	('assert', $$ SELECT version FROM docstore.save('[{"op": "assert", "collection": "shops", "id": "a", "expected": %s}]') $$),
	('try_save', $$ SELECT COALESCE(reason, version::text) FROM docstore.try_save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": %s}]') $$),
	('put', $$ SELECT docstore.put('{"@metadata": {"collection": "shops", "id": "a", "version": %s}}') #> '{@metadata,version}' $$),
	('put item', $$ SELECT version FROM docstore.save('[{"op": "put", "data": {"@metadata": {"collection": "shops", "id": "a", "version": %s}}}]') $$),
	('request', $$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": %s}]', 'c0000000-0000-0000-0000-000000000001') $$),
	('append', $$ SELECT version FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "x"}], "expected": %s}]') $$),
	('append, revision', $$ SELECT version FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "x"}], "expected_revision": %s}]') $$),
	('set_properties', $$ SELECT version FROM docstore.save('[{"op": "set_properties", "log": "ledger", "stream": "s", "properties": {}, "expected_revision": %s}]') $$),
	('close_stream', $$ SELECT version FROM docstore.save('[{"op": "close_stream", "log": "ledger", "stream": "s", "expected": %s}]') $$),
	('assert, stream', $$ SELECT version FROM docstore.save('[{"op": "assert", "log": "ledger", "stream": "s", "expected": %s}]') $$),
	('assert, revision', $$ SELECT version FROM docstore.save('[{"op": "assert", "log": "ledger", "stream": "s", "expected": "any", "expected_revision": %s}]') $$),
	('assert, scope', $$ SELECT COALESCE(reason, 'holds') FROM docstore.try_save('[{"op": "assert", "log": "ledger", "scope": {"source": "s", "strict": true, "expected": %s}}]') $$),
	('scope', $$ SELECT version FROM docstore.append('ledger', 's', '[{"type": "x"}]', -1, '[{"types": ["x"], "expected": %s}]') $$),
	('scope of an item', $$ SELECT version FROM docstore.save('[{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "x"}], "scopes": [{"expected": %s}]}]') $$);
-- "2" holds where 2 does; "1" and "0" do not, as 1 and 0; what no bigint looks like, or is too large, is an argument error
SELECT p.place, s.expected, pg_temp.verdict(format(p.statement, s.expected)) AS verdict,
	pg_temp.verdict(format(p.statement, trim('"' FROM s.expected))) AS as_number
FROM places p, (VALUES (1, '"2"'), (2, '"1"'), (3, '"0"'), (4, '"9223372036854775807"')) s(nr, expected) ORDER BY p.nr, s.nr;
SELECT p.place, string_agg(DISTINCT pg_temp.verdict(format(p.statement, to_json(s.expected))), ', ') AS refused
FROM places p, unnest('{"", " 2", "2 ", "02", "+2", "-1", "-2", "2.0", "2e0", "0x2", "00", "-0", "9223372036854775808", "99999999999999999999999", "x"}'::text[]) s(expected)
GROUP BY p.nr, p.place ORDER BY p.nr;

-- the words for it
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "assert", "collection": "shops", "id": "a", "expected": "02"}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "assert", "collection": "shops", "id": "a", "expected": "9223372036854775808"}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "assert", "log": "ledger", "scope": {"expected": "02"}}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "assert", "log": "ledger", "scope": {"expected": "9223372036854775808"}}]') $$);

-- the conflict reports it as a number
SELECT * FROM docstore.try_save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": "1"}]');
DROP TABLE shops, ledger, ledger_streams, ledger_consumers, places;
