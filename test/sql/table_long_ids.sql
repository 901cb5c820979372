-- Ids and names of streams that do not fit into an index: docstore's own error, in every verb, before anything is locked or written
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_log('ledger');
CREATE TABLE parts (LIKE shops INCLUDING ALL) PARTITION BY HASH (id);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);
-- what does not compress, of so many bytes
CREATE FUNCTION pg_temp.id(length int) RETURNS text RETURN
	(SELECT left(string_agg(md5(i::text || 'x'), '' ORDER BY i), length) FROM generate_series(1, 400) i);
-- the SQLSTATE, and the message if it is docstore's
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
BEGIN
	EXECUTE statement;
	RAISE EXCEPTION 'take it back';
EXCEPTION
	WHEN raise_exception THEN RETURN 'done';
	WHEN others THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
		RETURN SQLSTATE || CASE WHEN message ~ '^index row' THEN ': the server''s' ELSE ': ' || message || '. ' || detail END;
END
$$;

-- the limit is where the server has it
SELECT length, pg_temp.outcome(format('INSERT INTO shops (id, version, data) VALUES (%L, 1, %L)', pg_temp.id(length), '{}')) AS plain,
	pg_temp.outcome(format('SELECT docstore.upsert(%L, %L, %L)', 'shops', pg_temp.id(length), '{}')) AS upsert
FROM unnest('{2000,2692,2693,3000,9000}'::int[]) length;
SELECT length, pg_temp.outcome(format('INSERT INTO ledger (version, generation, transaction_id, event_id, stream, type, data) VALUES (1, 1, %L, gen_random_uuid(), %L, %L, %L)',
		'1', pg_temp.id(length), 'x', '{}')) AS plain,
	pg_temp.outcome(format('SELECT docstore.append(%L, %L, %L)', 'ledger', pg_temp.id(length),
		jsonb_build_array(jsonb_build_object('type', 'x', 'event_id', gen_random_uuid())))) AS append
FROM unnest('{2000,2676,2677,3000}'::int[]) length;
-- what compresses may be longer; so the column decides
SELECT length(id), docstore.upsert('shops', id, '{}') FROM (VALUES (repeat('x', 100000)), (pg_temp.id(1000) || repeat('x', 9000))) s(id);
SELECT docstore.create_stream('ledger', repeat('x', 100000));
SELECT version FROM docstore.append('ledger', repeat('x', 100000), '[{"type": "x"}]');
CALL pg_temp.settle();
SELECT set_config('test.cursor', cursor, false) IS NOT NULL AS read FROM docstore.read_log('ledger');
ALTER TABLE shops ALTER id SET STORAGE EXTERNAL;
SELECT pg_temp.outcome(format('INSERT INTO shops (id, version, data) VALUES (%L, 1, %L)', repeat('y', 3000), '{}')) AS plain,
	pg_temp.outcome(format('SELECT docstore.upsert(%L, %L, %L)', 'shops', repeat('y', 3000), '{}')) AS upsert;
ALTER TABLE shops ALTER id SET STORAGE EXTENDED;

-- every verb, and the item by its number; the id is not in the message
CREATE TEMP TABLE verbs (nr serial, verb text, statement text);
INSERT INTO verbs (verb, statement) VALUES
	('upsert', $$ SELECT docstore.upsert('shops', '%1$s', '{}', -1) $$),
	('partitioned', $$ SELECT docstore.upsert('parts', '%1$s', '{}') $$),
	('patch', $$ SELECT docstore.patch('shops', '%1$s', '{}', 0) $$),
	('delete', $$ SELECT docstore.delete('shops', '%1$s', -1) $$),
	('put', $$ SELECT docstore.put('{"@metadata": {"collection": "shops", "id": "%1$s"}}') $$),
	('upsert_many', $$ SELECT docstore.upsert_many('shops', '{a,%1$s}', '{"{}","{}"}', NULL) $$),
	('items', $$ SELECT docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}}, {"op": "upsert", "collection": "shops", "id": "%1$s", "data": {}}]') $$),
	('item, put', $$ SELECT docstore.save('[{"op": "put", "data": {"@metadata": {"collection": "shops", "id": "%1$s"}}}]') $$),
	('item, patch', $$ SELECT docstore.save('[{"op": "patch", "collection": "shops", "id": "%1$s", "data": {}, "expected": "any"}]') $$),
	('item, assert', $$ SELECT docstore.save('[{"op": "assert", "collection": "shops", "id": "%1$s", "expected": "none"}]') $$),
	('try_save', $$ SELECT docstore.try_save('[{"op": "delete", "collection": "shops", "id": "%1$s", "expected": 1}]') $$),
	('append', $$ SELECT docstore.append('ledger', '%1$s', '[{"type": "x"}]') $$),
	('create_stream', $$ SELECT docstore.create_stream('ledger', '%1$s') $$),
	('set_properties', $$ SELECT docstore.set_properties('ledger', '%1$s', '{}', -1) $$),
	('close_stream', $$ SELECT docstore.close_stream('ledger', '%1$s', -1) $$),
	('append item', $$ SELECT docstore.save('[{"op": "append", "log": "ledger", "stream": "%1$s", "events": [{"type": "x"}]}]') $$),
	('commit_cursor', $$ SELECT docstore.commit_cursor('ledger', '%1$s', current_setting('test.cursor'), 0) $$);
SELECT verb, pg_temp.outcome(format(statement, pg_temp.id(3000))) FROM verbs ORDER BY nr;
CALL pg_temp.try(format($$ SELECT docstore.upsert('shops', '%s', '{}') $$, pg_temp.id(3000)));
-- to read one is no error: it is not there
SELECT count(*) FROM docstore.load('shops', pg_temp.id(3000)), docstore.load_many('shops', ARRAY[pg_temp.id(3000)]);
SELECT count(*) FROM docstore.stream('ledger', pg_temp.id(3000)), docstore.read_stream('ledger', pg_temp.id(3000));
SELECT docstore.tail('ledger', jsonb_build_object('source', pg_temp.id(3000)));

-- the key of a history has the version, too
SELECT docstore.create_collection('tracked'), docstore.create_collection('former');
SELECT docstore.track('tracked');
SELECT length, pg_temp.outcome(format('INSERT INTO tracked (id, version, data) VALUES (%L, 1, %L)', pg_temp.id(length), '{}')) AS plain,
	pg_temp.outcome(format('SELECT docstore.upsert(%L, %L, %L)', 'tracked', pg_temp.id(length), '{}')) AS upsert
FROM unnest('{2684,2685,2692,2693}'::int[]) length;
SELECT docstore.upsert('former', pg_temp.id(2692), '{}');
SELECT pg_temp.outcome($$ SELECT docstore.track('former') $$);
-- the column of the history decides, when it is recorded
ALTER TABLE tracked_history ALTER id SET STORAGE EXTERNAL;
SELECT pg_temp.outcome(format('SELECT docstore.upsert(%L, %L, %L)', 'tracked', repeat('x', 2685), '{}'));
SELECT docstore.upsert('tracked', repeat('x', 2684), '{}') > 0 AS created;
SELECT length(id), version, op FROM tracked_history;
DROP TABLE tracked, tracked_history, former;

DROP TABLE shops, parts, ledger, ledger_streams, ledger_consumers, verbs;
