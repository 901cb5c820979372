-- Scopes: filters and what they find, on the fixture of the behaviour cases, part L, whose numbers are L01 and the like
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
-- the fixture: five events at positions 1 to 5
SELECT e.log_position, f.* FROM (VALUES
	(1, 'A', 'Account', 'Onboarding', '2024', 'Opened'),
	(2, 'A', 'Account', 'Transactions', '2024', 'Deposited'),
	(3, 'B', 'Account', 'Transactions', '2024', 'Deposited'),
	(4, 'A', 'Account', 'Transactions', '2025', 'Withdrawn'),
	(5, 'A', 'Customer', 'Onboarding', '2024', 'Opened')) f(nr, source, source_type, stream_type, stream_id, type),
	docstore.append('ledger', f.source, jsonb_build_array(jsonb_build_object('type', f.type, 'data', jsonb_build_object('nr', f.nr), 'source_type', f.source_type, 'stream_type', f.stream_type, 'stream_id', f.stream_id))) e
ORDER BY f.nr;

CREATE TEMP TABLE cases (name text, scope jsonb);
INSERT INTO cases VALUES
	('L01', '{}'),
	('L02', '{"source": "A"}'),
	('L04', '{"source": "Z"}'),
	('L05', '{"source_type": "Account"}'),
	('L07', '{"stream_id": "2024"}'),
	('L08', '{"types": ["Deposited"]}'),
	('L11', '{"types": ["Unknown"]}'),
	('L13', '{"source": "A", "source_type": "Account"}'),
	('L14', '{"source": "A", "stream_type": "Transactions"}'),
	('L16', '{"source": "A", "source_type": "Account", "stream_type": "Onboarding", "stream_id": "2024"}'),
	('L17', '{"source": "A", "source_type": "Account", "stream_type": "Onboarding", "stream_id": "2024", "types": ["Opened"]}'),
	('L19', '{"source": "B", "stream_type": "Onboarding"}'),
	('L20', '{"source_type": "Customer", "stream_id": "2024", "types": ["Opened"]}'),
	('two types', '{"types": ["Withdrawn", "Deposited"]}'),
	('a type twice', '{"types": ["Deposited", "Unknown", "Deposited"]}'),
	('other case', '{"types": ["deposited"]}'),
	('B', '{"source": "B"}'),
	('B, Opened', '{"source": "B", "types": ["Opened"]}'),
	('stream type', '{"stream_type": "Transactions"}'),
	('no source type', '{"source_type": null}'),
	('no source', '{"source": null}');

-- the tail; and of an append with each expected position whether it goes in (ok), or the tail that its conflict tells
CREATE FUNCTION pg_temp.outcome(scope jsonb, expected jsonb, strict boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	violation jsonb;
BEGIN
	scope := scope || jsonb_build_object('expected', expected) || CASE WHEN strict THEN '{"strict": true}' ELSE '{}' END::jsonb;
	PERFORM docstore.append('ledger', 'elsewhere', '[{"type": "T", "source_type": "S", "stream_type": "S", "stream_id": "S"}]', -1, jsonb_build_array(scope));
	RAISE EXCEPTION 'take it back';
EXCEPTION
	WHEN raise_exception THEN
		RETURN 'ok';
	WHEN SQLSTATE 'PT409' THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		violation := detail::jsonb #> '{violations,0}';
		IF detail::jsonb -> 'total' <> '1' OR violation -> 'scope' <> scope OR violation ->> 'kind' <> 'scope' OR violation ->> 'reason' <> 'scope'
			OR violation ->> 'log' <> 'public.ledger' OR violation -> 'expected' <> COALESCE(NULLIF(expected, '"none"'), '0') OR violation ? 'id' THEN
			RETURN detail;
		END IF;
		RETURN COALESCE(violation ->> 'actual', 'null');
	WHEN others THEN
		RETURN SQLSTATE;
END
$$;
SELECT name, docstore.tail('ledger', scope), pg_temp.outcome(scope, '"none"') AS "none", pg_temp.outcome(scope, '0') AS "0", pg_temp.outcome(scope, '1') AS "1",
	pg_temp.outcome(scope, '2') AS "2", pg_temp.outcome(scope, '3') AS "3", pg_temp.outcome(scope, '4') AS "4", pg_temp.outcome(scope, '5') AS "5",
	pg_temp.outcome(scope, '9') AS "9", scope
FROM cases;
-- the same, strict: equal to the tail
SELECT name, docstore.tail('ledger', scope), pg_temp.outcome(scope, '"none"', true) AS "none", pg_temp.outcome(scope, '0', true) AS "0", pg_temp.outcome(scope, '1', true) AS "1",
	pg_temp.outcome(scope, '2', true) AS "2", pg_temp.outcome(scope, '3', true) AS "3", pg_temp.outcome(scope, '4', true) AS "4", pg_temp.outcome(scope, '5', true) AS "5",
	pg_temp.outcome(scope, '9', true) AS "9"
FROM cases;
-- an assert of the scope says the same, whatever the way
CREATE FUNCTION pg_temp.asserted(scope jsonb, expected jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	SELECT INTO r * FROM docstore.try_save(jsonb_build_array(jsonb_build_object('op', 'assert', 'log', 'ledger', 'scope', scope || jsonb_build_object('expected', expected))));
	RETURN CASE WHEN r.reason IS NULL THEN 'ok' ELSE COALESCE(r.actual::text, 'null') END;
END
$$;
SELECT count(*) AS checked, count(*) FILTER (WHERE pg_temp.asserted(scope, e) IS DISTINCT FROM pg_temp.outcome(scope, e)) AS differing
FROM cases, unnest('{"\"none\"",0,1,2,3,4,5,9}'::jsonb[]) e;
-- the keys that say what is expected are no filter for tail()
SELECT docstore.tail('ledger', '{"source": "B", "expected": 1}'), docstore.tail('ledger', '{"source": "B", "expected": "none", "strict": true}');

-- L10: no types
CALL pg_temp.try($$ SELECT docstore.tail('ledger', '{"types": []}') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('ledger', 'A', '[{"type": "T"}]', -1, '[{"types": [], "expected": 5}]') $$);

-- L22: JSON null: the last event without that tag
SELECT e.log_position, f.event FROM unnest(ARRAY['{"type": "Noted"}', '{"type": "Noted", "source_type": "Account"}', '{"type": "Noted", "stream_type": "Onboarding", "source_type": null}',
	'{"type": "Noted", "stream_id": "2024"}', '{"type": "Noted", "source_type": "Account", "stream_type": "Onboarding", "stream_id": "2024"}']) WITH ORDINALITY f(event, nr),
	docstore.append('ledger', 'A', jsonb_build_array(f.event::jsonb)) e ORDER BY f.nr;
SELECT s, docstore.tail('ledger', s), pg_temp.outcome(s, to_jsonb(docstore.tail('ledger', s))) AS tail, pg_temp.outcome(s, to_jsonb(docstore.tail('ledger', s) - 1)) AS before
FROM unnest(ARRAY['{}', '{"source_type": null}', '{"stream_type": null}', '{"stream_id": null}', '{"source_type": null, "stream_type": null, "stream_id": null}',
	'{"source_type": null, "stream_type": null}', '{"source_type": "Account", "stream_id": null}', '{"source": "A", "source_type": null}', '{"source": "B", "source_type": null}',
	'{"types": ["Noted"], "source_type": null, "stream_id": "2024"}']::jsonb[]) s;

-- L25: an event in the scope is erased: it keeps its type and position
SELECT docstore.erase('ledger', 'B');
SELECT docstore.tail('ledger', '{"source": "B"}'), docstore.tail('ledger', '{"types": ["Deposited"]}'), pg_temp.outcome('{"types": ["Deposited"]}', '2'), pg_temp.outcome('{"types": ["Deposited"]}', '3');
SELECT log_position, type, data, metadata FROM ledger WHERE log_position <= 5 ORDER BY log_position;

-- L26: what was decided on Deposited of A, at 2, does not mind B's
SELECT version FROM docstore.append('ledger', 'B', '[{"type": "Deposited"}]', 1, '[{"source": "B", "types": ["Deposited"], "expected": 3}]');
SELECT version FROM docstore.append('ledger', 'A', '[{"type": "Withdrawn"}]', -1, '[{"source": "A", "types": ["Deposited"], "expected": 2}]');
-- L28: the reader was at the head of the log, ahead of the last match
SELECT version FROM docstore.append('ledger', 'A', '[{"type": "Withdrawn"}]', -1,
	jsonb_build_array(jsonb_build_object('source', 'B', 'expected', docstore.tail('ledger', '{}'))));
-- L29: from the scope's own tail
SELECT version FROM docstore.append('ledger', 'A', '[{"type": "Withdrawn"}]', -1,
	jsonb_build_array(jsonb_build_object('source', 'B', 'expected', docstore.tail('ledger', '{"source": "B"}'))));
-- J16: three events of one source: the tail is the position of the third
SELECT version FROM docstore.append('ledger', 'C', '[{"type": "T"}, {"type": "T"}, {"type": "T"}]');
SELECT log_position = docstore.tail('ledger', '{"source": "C"}') AS third FROM ledger WHERE stream = 'C' AND version = 3;

-- of nine types, more than are compared one by one, only the last matches
SELECT version, log_position FROM docstore.append('ledger', 'nine', '[{"type": "Ninth"}]');
SELECT '["1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "Ninth"]' AS nine \gset
SELECT docstore.tail('ledger', jsonb_build_object('types', :'nine'::jsonb)) = log_position AS found, docstore.tail('ledger', jsonb_build_object('types', :'nine'::jsonb - 8)) AS without_it
FROM ledger WHERE type = 'Ninth';
CALL pg_temp.settle();
SELECT stream, type FROM docstore.read_log('ledger', NULL, 100, jsonb_build_object('types', :'nine'::jsonb));
SELECT stream, type FROM docstore.read_log('ledger', NULL, 100, jsonb_build_object('types', :'nine'::jsonb - 8));
SELECT types, pg_temp.verdict(format('SELECT version FROM docstore.append(%L, %L, %L, -1, %L)', 'ledger', 'nine', '[{"type": "T"}]', jsonb_build_array(jsonb_build_object('expected', 'none', 'types', types))))
FROM unnest(ARRAY[:'nine'::jsonb, :'nine'::jsonb - 8]) types;

-- names are compared to the byte
SELECT version FROM docstore.append('ledger', U&'\00e9', U&'[{"type": "\00e9", "stream_id": "\00e9"}]');
SELECT docstore.tail('ledger', U&'{"source": "\00e9"}') = docstore.tail('ledger', '{}') AS same, docstore.tail('ledger', U&'{"source": "e\0301"}') AS other,
	docstore.tail('ledger', U&'{"types": ["\00e9"]}') = docstore.tail('ledger', '{}') AS same, docstore.tail('ledger', U&'{"types": ["e\0301"]}') AS other,
	docstore.tail('ledger', '{"stream_id": "\u00e9"}') = docstore.tail('ledger', '{}') AS same;

-- bad scopes of tail(): that it is a log, too
CALL pg_temp.try($$ SELECT docstore.tail('ledger', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.tail(NULL, '{}') $$);
CALL pg_temp.try($$ SELECT docstore.tail('ledger', '[]') $$);
CALL pg_temp.try($$ SELECT docstore.tail('ledger', '[{}]') $$);
CALL pg_temp.try($$ SELECT docstore.tail('ledger', 'null') $$);
CALL pg_temp.try($$ SELECT docstore.tail('ledger', '7') $$);
CALL pg_temp.try($$ SELECT docstore.tail('ledger', '"{}"') $$);
CALL pg_temp.try($$ SELECT docstore.tail('ledger_streams', '{}') $$);
BEGIN READ ONLY;
SELECT docstore.tail('ledger', '{"source": "B", "types": ["Deposited"]}') = max(log_position) AS same FROM ledger WHERE stream = 'B';
COMMIT;

DROP TABLE ledger, ledger_streams, ledger_consumers, cases;
