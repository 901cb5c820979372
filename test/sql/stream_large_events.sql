-- Many events in a call, and large ones; I10, I19
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');

-- a hundred thousand events in one append: in order, without gaps, and answered in order
CREATE FUNCTION pg_temp.events(count int, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('type', 'Deposited', 'data', jsonb_build_object('number', i)) || more ORDER BY i) FROM generate_series(1, count) i $$;
SELECT count(*), min(version), max(version), count(*) FILTER (WHERE version = ordinality) AS in_order,
	max(log_position) - min(log_position) + 1 AS positions
FROM docstore.append('ledger', 'acc-1', pg_temp.events(100000), 0, '[{"source": "acc-1", "types": ["Deposited"], "expected": "none"}]') WITH ORDINALITY;
SELECT count(*), count(*) FILTER (WHERE data = jsonb_build_object('number', version)) AS equal, count(DISTINCT log_position) FROM ledger;
SELECT version, revision FROM docstore.stream('ledger', 'acc-1');

-- and once more by way of save, in many items and over many streams, beside a document
SELECT docstore.create_collection('shops');
SELECT count(*), sum(version) FROM docstore.save((
	SELECT jsonb_agg(jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'many-' || i % 1000, 'expected', 'none', 'events', pg_temp.events(10)))
		|| '[{"op": "upsert", "collection": "shops", "id": "c1", "data": {}}]'
	FROM generate_series(1, 10000) i));
SELECT count(*), sum(version), min(version) = max(version) AS alike FROM ledger_streams WHERE stream ~ '^many';
SELECT count(*), count(*) FILTER (WHERE version BETWEEN 1 AND 100) FROM ledger WHERE stream ~ '^many';

-- I10: a hundred thousand events that are refused, by version and by scope: nothing is stored
SELECT pg_temp.verdict($$ SELECT count(*) FROM docstore.append('ledger', 'acc-1', pg_temp.events(100000), 99999) $$);
SELECT pg_temp.verdict($$ SELECT count(*) FROM docstore.append('ledger', 'new', pg_temp.events(100000), 0, '[{"types": ["Deposited"], "expected": "none"}]') $$);
SELECT count(*) FILTER (WHERE reason = 'stale'), count(*) FILTER (WHERE reason IS NULL), count(*) FILTER (WHERE version IS NOT NULL) AS written
FROM docstore.try_save((
	SELECT jsonb_agg(jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'many-' || i % 1000, 'expected', 100 + (i % 1000) / 999, 'events', pg_temp.events(10)))
	FROM generate_series(1, 10000) i));
SELECT count(*), count(*) FILTER (WHERE stream = 'new') AS new FROM ledger;

-- ten thousand scopes in one append, one of which is violated
SELECT pg_temp.verdict(format('SELECT count(*) FROM docstore.append(%L, %L, %L, -1, %L)', 'ledger', 'new', pg_temp.events(1),
	(SELECT jsonb_agg(jsonb_build_object('source', 'none-' || i, 'types', jsonb_build_array('Type ' || i), 'expected', 'none')) FROM generate_series(1, 10000) i)
	|| '[{"source": "acc-1", "expected": 1}]'));
-- and a hundred types in one scope
SELECT pg_temp.verdict(format('SELECT count(*) FROM docstore.append(%L, %L, %L, -1, %L)', 'ledger', 'new', pg_temp.events(1),
	jsonb_build_array(jsonb_build_object('types', (SELECT jsonb_agg('Type ' || i) FROM generate_series(1, 100) i), 'expected', 'none'))));

-- a hundred thousand with ids, sent again: the same answer, and nothing is stored twice
CREATE TEMP TABLE sent AS SELECT jsonb_agg(jsonb_build_object('type', 'Opened', 'data', '{}'::jsonb, 'event_id', md5(i::text)::uuid) ORDER BY i) AS events
FROM generate_series(1, 100000) i;
CREATE TEMP TABLE first AS SELECT string_agg(a::text, ' ' ORDER BY ordinality) AS answer FROM sent, docstore.append('ledger', 'with ids', events, 0) WITH ORDINALITY a;
ANALYZE ledger;
SELECT count(*), string_agg(a::text, ' ' ORDER BY ordinality) = (SELECT answer FROM first) AS equal FROM sent, docstore.append('ledger', 'with ids', events, 0) WITH ORDINALITY a;
SELECT count(*), max(version) FROM ledger WHERE stream = 'with ids';
-- one new among them: 23505, which names no more than a hundred
DO $$
DECLARE
	detail text;
BEGIN
	PERFORM docstore.append('ledger', 'with ids', events || '[{"type": "Opened", "data": {}, "event_id": "00000000-0000-0000-0000-000000000001"}]') FROM sent;
	RAISE INFO 'no error';
EXCEPTION WHEN unique_violation THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RAISE INFO '% of % ids are named', (SELECT count(*) FROM regexp_matches(detail, '[0-9a-f]{8}-', 'g')), 100000;
END
$$;

-- I19: events of 5 KB, 1 MB and 20 MB, with as much metadata; read as they were sent
CREATE TEMP TABLE big AS SELECT kb, jsonb_build_object('text', string_agg(md5(i::text), '')) AS data
FROM unnest('{5,1024,20480}'::int[]) kb, generate_series(1, kb * 32) i GROUP BY kb;
SELECT kb, length(data::text) > kb * 1024 AS large FROM big ORDER BY kb;
SELECT kb, version FROM big, docstore.append('ledger', 'large ' || kb, jsonb_build_array(jsonb_build_object('type', 'Written', 'data', data, 'metadata', data))) ORDER BY kb;
SELECT count(*) FROM docstore.append('ledger', 'large', (SELECT jsonb_agg(jsonb_build_object('type', 'Written', 'data', data)) FROM big, generate_series(1, 10) WHERE kb = 1024));
SELECT count(*), sum(version) FROM docstore.save((SELECT jsonb_agg(jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'large', 'expected', 10,
	'events', jsonb_build_array(jsonb_build_object('type', 'Written', 'data', data)))) FROM big, generate_series(1, 10) WHERE kb = 1024));
SELECT kb, e.data = b.data AS equal, e.metadata = b.data AS metadata_equal FROM big b, docstore.read_stream('ledger', 'large ' || kb) e ORDER BY kb;
CALL pg_temp.settle();
SELECT count(*), count(*) FILTER (WHERE e.data = b.data) AS equal, max(version)
FROM big b, docstore.read_log('ledger', NULL, NULL, '{"source": "large"}') e WHERE kb = 1024;
SELECT pg_temp.verdict($$ SELECT count(*) FROM docstore.append('ledger', 'large', (SELECT jsonb_build_array(jsonb_build_object('type', 'Written', 'data', data)) FROM big WHERE kb = 20480), 19) $$);

-- names of streams as long as an index takes them
SELECT count(*) FROM docstore.append('ledger', repeat('ä', 1000), pg_temp.events(1));
SELECT pg_temp.verdict(format($$ SELECT count(*) FROM docstore.append('ledger', %L, pg_temp.events(1)) $$, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i)));

DROP TABLE ledger, ledger_streams, ledger_consumers, shops;
