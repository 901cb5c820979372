-- Privileges on the tables of a log are the caller's: whoever lacks one gets 42501, and nothing hidden leaks
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger'), docstore.create_log('noisy', true);
SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}, {"type": "U"}]', 0);
SELECT docstore.create_stream('ledger', 'empty');
CREATE SCHEMA closed;
SELECT docstore.create_log('closed.ledger');

CREATE ROLE regress_docstore_nobody;
CREATE ROLE regress_docstore_reader;
CREATE ROLE regress_docstore_appender;
CREATE ROLE regress_docstore_no_events;
CREATE ROLE regress_docstore_no_insert;
CREATE ROLE regress_docstore_no_update;
CREATE ROLE regress_docstore_blind;
GRANT SELECT ON ledger, ledger_streams TO regress_docstore_reader;
GRANT SELECT, INSERT ON ledger, noisy TO regress_docstore_appender;
GRANT SELECT, INSERT, UPDATE ON ledger_streams, noisy_streams TO regress_docstore_appender;
GRANT SELECT ON ledger TO regress_docstore_no_events;
GRANT SELECT, INSERT, UPDATE ON ledger_streams TO regress_docstore_no_events;
GRANT SELECT, INSERT ON ledger TO regress_docstore_no_insert;
GRANT SELECT, UPDATE ON ledger_streams TO regress_docstore_no_insert;
GRANT SELECT, INSERT ON ledger TO regress_docstore_no_update;
GRANT SELECT, INSERT ON ledger_streams TO regress_docstore_no_update;
GRANT INSERT ON ledger TO regress_docstore_blind;
GRANT SELECT, INSERT, UPDATE ON ledger_streams TO regress_docstore_blind;
GRANT ALL ON closed.ledger, closed.ledger_streams TO regress_docstore_appender;

-- what each of them may do; each call is taken back
CREATE TEMP TABLE attempts (nr serial, what text, query text);
INSERT INTO attempts (what, query) VALUES
	('stream', $$ SELECT version FROM docstore.stream('public.ledger', 'a') $$),
	('tail', $$ SELECT docstore.tail('public.ledger', '{"source": "a"}') $$),
	('tail of types', $$ SELECT docstore.tail('public.ledger', '{"types": ["U"]}') $$),
	('append', $$ SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T"}]', 2) $$),
	('append any', $$ SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T"}]') $$),
	('append stale', $$ SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T"}]', 1) $$),
	('append new', $$ SELECT version FROM docstore.append('public.ledger', 'x', '[{"type": "T"}]', 0) $$),
	('append any new', $$ SELECT version FROM docstore.append('public.ledger', 'x', '[{"type": "T"}]') $$),
	('append missing', $$ SELECT version FROM docstore.append('public.ledger', 'x', '[{"type": "T"}]', 1) $$),
	('append empty', $$ SELECT version FROM docstore.append('public.ledger', 'empty', '[{"type": "T"}]', 0) $$),
	('append ids', $$ SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000002"}]', 2) $$),
	('append again', $$ SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]', 0) $$),
	('append scope', $$ SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T"}]', 2, '[{"types": ["T"], "expected": 1}]') $$),
	('stale scope', $$ SELECT version FROM docstore.append('public.ledger', 'a', '[{"type": "T"}]', 2, '[{"types": ["T"], "expected": 0}]') $$),
	('assert stream', $$ SELECT version FROM docstore.save('[{"op": "assert", "log": "public.ledger", "stream": "a", "expected": 2}]') $$),
	('assert none', $$ SELECT item FROM docstore.save('[{"op": "assert", "log": "public.ledger", "stream": "x", "expected": 0}]') $$),
	('assert scope', $$ SELECT item FROM docstore.save('[{"op": "assert", "log": "public.ledger", "scope": {"types": ["T"], "expected": 1}}]') $$),
	('assert source', $$ SELECT item FROM docstore.save('[{"op": "assert", "log": "public.ledger", "scope": {"source": "a", "expected": 2}}]') $$),
	('create', $$ SELECT docstore.create_stream('public.ledger', 'x') $$),
	('create again', $$ SELECT docstore.create_stream('public.ledger', 'a') $$),
	('properties', $$ SELECT docstore.set_properties('public.ledger', 'a', '{}', 1) $$),
	('close', $$ SELECT docstore.close_stream('public.ledger', 'a', 2) $$),
	('close any absent', $$ SELECT docstore.close_stream('public.ledger', 'x', -1) $$),
	('erase', $$ SELECT docstore.erase('public.ledger', 'a') $$),
	('save', $$ SELECT version FROM docstore.save('[{"op": "append", "log": "public.ledger", "stream": "a", "events": [{"type": "T"}], "expected": 2}]') $$),
	('try_save', $$ SELECT reason FROM docstore.try_save('[{"op": "append", "log": "public.ledger", "stream": "a", "events": [{"type": "T"}], "expected": 1}]') $$),
	('notify', $$ SELECT version FROM docstore.append('public.noisy', 'a', '[{"type": "T"}]') $$),
	('other schema', $$ SELECT version FROM docstore.append('closed.ledger', 'a', '[{"type": "T"}]') $$),
	('by OID', format($$ SELECT version FROM docstore.append(%s::oid::regclass, 'a', '[{"type": "T"}]') $$, 'closed.ledger'::regclass::oid)),
	('save there', $$ SELECT version FROM docstore.save('[{"op": "append", "log": "closed.ledger", "stream": "a", "events": [{"type": "T"}]}]') $$),
	('tail by OID', format($$ SELECT docstore.tail(%s::oid::regclass, '{}') $$, 'closed.ledger'::regclass::oid)),
	('streams of', $$ SELECT docstore.create_stream('public.ledger_streams', 'a') $$),
	('create_log', $$ SELECT docstore.create_log('closed.mine') $$),
	('in docstore', $$ SELECT docstore.create_log('docstore.mine') $$);
CREATE TEMP TABLE outcome (nr int, role name, answer text);
GRANT SELECT ON attempts TO PUBLIC;
GRANT INSERT ON outcome TO PUBLIC;
CREATE FUNCTION pg_temp.attempt_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	a record;
BEGIN
	FOR a IN SELECT * FROM attempts ORDER BY nr LOOP
		INSERT INTO outcome VALUES (a.nr, current_user, pg_temp.verdict(a.query));
	END LOOP;
END
$$;
SET ROLE regress_docstore_nobody;
SELECT pg_temp.attempt_all();
SET ROLE regress_docstore_reader;
SELECT pg_temp.attempt_all();
SET ROLE regress_docstore_appender;
SELECT pg_temp.attempt_all();
SET ROLE regress_docstore_no_events;
SELECT pg_temp.attempt_all();
SET ROLE regress_docstore_no_insert;
SELECT pg_temp.attempt_all();
SET ROLE regress_docstore_no_update;
SELECT pg_temp.attempt_all();
SET ROLE regress_docstore_blind;
SELECT pg_temp.attempt_all();
RESET ROLE;
SELECT what, max(answer) FILTER (WHERE role = 'regress_docstore_nobody') AS nobody, max(answer) FILTER (WHERE role = 'regress_docstore_reader') AS reader,
	max(answer) FILTER (WHERE role = 'regress_docstore_appender') AS appender, max(answer) FILTER (WHERE role = 'regress_docstore_no_events') AS no_events,
	max(answer) FILTER (WHERE role = 'regress_docstore_no_insert') AS no_insert, max(answer) FILTER (WHERE role = 'regress_docstore_no_update') AS no_update,
	max(answer) FILTER (WHERE role = 'regress_docstore_blind') AS blind
FROM attempts JOIN outcome USING (nr) GROUP BY nr, what ORDER BY nr;

-- a role without any right takes no lock that others wait for, and learns nothing: argument errors come first for all, 42501 before what there is
SET ROLE regress_docstore_nobody;
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{}]', 2) $$) AS argument, pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', 1) $$) AS stale,
	pg_temp.verdict($$ SELECT version FROM docstore.append('ledger', 'x', '[{"type": "T"}]', 1) $$) AS missing;
RESET ROLE;

-- row security: Anna sees her streams and their events. a1 and a2 are hers, b1 and b2 are not
SELECT docstore.create_log('diary');
SELECT count(*) FROM unnest('{a1,a2,b1,b2}'::text[]) s, docstore.append('diary', s, format('[{"type": "T", "event_id": "00000000-0000-0000-0000-00000000000%s"}, {"type": "U"}]', right(s, 1))::jsonb);
CREATE ROLE regress_docstore_anna;
GRANT SELECT, INSERT, UPDATE ON diary, diary_streams TO regress_docstore_anna;
CREATE POLICY own ON diary_streams TO regress_docstore_anna USING (stream LIKE 'a%') WITH CHECK (stream LIKE 'a%');
CREATE POLICY own ON diary TO regress_docstore_anna USING (stream LIKE 'a%') WITH CHECK (stream LIKE 'a%');
ALTER TABLE diary_streams ENABLE ROW LEVEL SECURITY;
ALTER TABLE diary ENABLE ROW LEVEL SECURITY;
SET ROLE regress_docstore_anna;
SELECT s, version, revision FROM unnest('{a1,b1,nobody}'::text[]) n(s), docstore.stream('diary', s);
SELECT s, docstore.tail('diary', s) FROM unnest(ARRAY['{}', '{"source": "a2"}', '{"source": "b2"}', '{"types": ["U"]}', '{"source": "b1", "types": ["U"]}']::jsonb[]) s;
-- her own: as ever
SELECT version FROM docstore.append('diary', 'a1', '[{"type": "T"}]', 2);
SELECT version FROM docstore.append('diary', 'a3', '[{"type": "T"}]', 0);
SELECT version FROM docstore.append('diary', 'a1', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]', 0);
SELECT pg_temp.verdict($$ SELECT version FROM docstore.append('diary', 'a1', '[{"type": "T"}]', 2) $$);
-- those of others: what is hidden and what is absent look the same, but that the name is taken
SELECT e AS expected, s AS stream, pg_temp.verdict(format('SELECT version FROM docstore.append(%L, %L, %L, %s)', 'diary', s, '[{"type": "T"}]', e)) AS append,
	pg_temp.verdict(format('SELECT docstore.close_stream(%L, %L, %s)', 'diary', s, e)) AS close,
	pg_temp.verdict(format('SELECT docstore.set_properties(%L, %L, %L, %s)', 'diary', s, '{}', e)) AS properties,
	pg_temp.verdict(format('SELECT version FROM docstore.save(%L)', format('[{"op": "assert", "log": "diary", "stream": "%s", "expected": %s}]', s,
		CASE e WHEN -1 THEN '"any"' WHEN -2 THEN '"exists"' ELSE e::text END))) AS assert
FROM unnest('{1,2,-2,-1,0}'::int[]) e, unnest('{b1,bobby}'::text[]) s ORDER BY s, e;
SELECT pg_temp.verdict($$ SELECT docstore.create_stream('diary', 'b1') $$) AS taken, pg_temp.verdict($$ SELECT docstore.create_stream('diary', 'bobby') $$) AS forbidden,
	pg_temp.verdict($$ SELECT docstore.create_stream('diary', 'a2') $$) AS own;
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'b1', '[{"type": "T"}]', 2) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'b1', '[{"type": "T"}]', 0) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'b1', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]', 2) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'b1', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]') $$);
-- scopes hold over what she sees: an event that is hidden is not in the way, and is not told
SELECT version FROM docstore.append('diary', 'a2', '[{"type": "T"}]', 2, '[{"source": "b1", "expected": "none"}, {"source": "b2", "types": ["U"], "expected": 0}]');
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'a2', '[{"type": "T"}]', 3, '[{"types": ["U"], "expected": 1}, {"source": "b1", "expected": 1000, "strict": true}, {"source": "b1", "expected": 6, "strict": true}]') $$);
SELECT item, reason, expected, actual FROM docstore.try_save('[
	{"op": "append", "log": "diary", "stream": "b1", "events": [{"type": "T"}], "expected": 2},
	{"op": "assert", "log": "diary", "stream": "b2", "expected": "none"},
	{"op": "assert", "log": "diary", "scope": {"source": "b2", "expected": "none"}},
	{"op": "close_stream", "log": "diary", "stream": "b1", "expected": "any"}]');
RESET ROLE;
-- events alone are hidden: versions go on from the head
DROP POLICY own ON diary_streams;
ALTER TABLE diary_streams DISABLE ROW LEVEL SECURITY;
SET ROLE regress_docstore_anna;
SELECT version FROM docstore.stream('diary', 'b1');
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'b1', '[{"type": "T"}]', 2) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'b1', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]', 2) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'b1', '[{"type": "T"}]', 1) $$);
SELECT docstore.tail('diary', '{"source": "b1"}');
-- she may write what she may not see
RESET ROLE;
DROP POLICY own ON diary;
CREATE POLICY reads ON diary FOR SELECT TO regress_docstore_anna USING (stream LIKE 'a%');
CREATE POLICY writes ON diary FOR INSERT TO regress_docstore_anna WITH CHECK (true);
SET ROLE regress_docstore_anna;
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'b1', '[{"type": "T"}]', 2) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.append('diary', 'b1', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]', 3) $$);
RESET ROLE;
SELECT stream, s.version, count(e.version), max(e.version) FROM diary_streams s LEFT JOIN diary e USING (stream) GROUP BY stream ORDER BY stream;

-- who may make tables makes logs, and owns them; the plans of one role are not those of another
GRANT CREATE, USAGE ON SCHEMA closed TO regress_docstore_appender;
SET ROLE regress_docstore_appender;
SELECT docstore.create_log('closed.mine', true);
SELECT version FROM docstore.append('closed.mine', 'a', '[{"type": "T"}]', 0), docstore.append('closed.ledger', 'a', '[{"type": "T"}]', 0) l(v, p);
RESET ROLE;
SELECT relname, relowner::regrole FROM pg_class WHERE relnamespace = 'closed'::regnamespace AND relname ~ '^mine' AND relkind = 'r' ORDER BY relname COLLATE "C";
SELECT version FROM docstore.append('closed.mine', 'a', '[{"type": "T"}]', 1);
SELECT 'closed.mine'::regclass::oid AS mine \gset
SET ROLE regress_docstore_nobody;
SELECT pg_temp.verdict(format('SELECT version FROM docstore.append(%s::oid::regclass, %L, %L, 2)', :mine, 'a', '[{"type": "T"}]'));
RESET ROLE;
-- a scope that no event is in needs the privilege, too: without it, a lock on the log could be held
SET ROLE regress_docstore_nobody;
SELECT pg_temp.verdict($$ SELECT docstore.tail('ledger', '{"source": null}') $$), pg_temp.verdict($$ SELECT docstore.tail('ledger', '{"source": null, "types": ["T"]}') $$);
RESET ROLE;

DROP TABLE ledger, ledger_streams, ledger_consumers, noisy, noisy_streams, noisy_consumers, diary, diary_streams, diary_consumers, attempts, outcome;
SET client_min_messages = error;
DROP SCHEMA closed CASCADE;
DROP ROLE regress_docstore_nobody, regress_docstore_reader, regress_docstore_appender, regress_docstore_no_events, regress_docstore_no_insert,
	regress_docstore_no_update, regress_docstore_blind, regress_docstore_anna;
