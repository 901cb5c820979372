-- Scopes with a mark: they hold when the mark shows all that matches
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_log('ledger');
-- append with a scope and a mark; the versions, or what the conflict says
CREATE FUNCTION pg_temp.seen(mark text, scope jsonb DEFAULT '{}', stream text DEFAULT 'decided', events jsonb DEFAULT '[{"type": "Decided"}]') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	SELECT string_agg(version::text, ' ') INTO answer FROM docstore.append('ledger', stream, events, -1, jsonb_build_array(scope || jsonb_build_object('seen', mark)));
	RETURN answer;
EXCEPTION
	WHEN SQLSTATE 'PT409' THEN
		GET STACKED DIAGNOSTICS answer = PG_EXCEPTION_DETAIL;
		IF answer::jsonb #> '{violations,0,scope}' <> scope || jsonb_build_object('seen', mark) OR answer::jsonb #>> '{violations,0,seen}' <> mark OR answer::jsonb #> '{violations,0}' ? 'expected' THEN
			RETURN answer;
		END IF;
		RETURN (SELECT string_agg(concat_ws(' ', kind, reason, coalesce(expected::text, 'null'), actual, answer::jsonb #>> '{violations,0,mark}'), ', ') FROM docstore.violations(answer));
	WHEN OTHERS THEN
		RETURN SQLSTATE;
END
$$;

-- of an empty log, and of one that has events
SELECT docstore.mark('ledger') AS empty \gset
SELECT pg_temp.seen(:'empty'), pg_temp.seen(:'empty') AS again, pg_temp.seen(:'empty', '{"types": ["Other"]}') AS other;
SELECT docstore.mark('ledger') AS mark \gset
SELECT count(*) FROM docstore.append('ledger', 'a', '[{"type": "A", "tags": ["t:1"]}, {"type": "B", "tags": ["t:1", "t:2"], "stream_id": "x", "source_type": "s"}, {"type": "A"}]');
-- what has come since is a conflict with the highest of it, and nothing else is
SELECT scope, pg_temp.verdict(format('SELECT pg_temp.seen(%L, %L)', :'mark', scope)) FROM unnest('{"{}","{\"types\": [\"A\"]}","{\"types\": [\"B\"]}","{\"types\": [\"C\"]}","{\"types\": [\"A\", \"B\"]}",
	"{\"tags\": [\"t:1\"]}","{\"tags\": [\"t:1\", \"t:2\"]}","{\"tags\": [\"t:3\"]}","{\"tags\": null}","{\"source\": \"a\"}","{\"source\": \"a\", \"types\": [\"B\"]}","{\"source\": \"a\", \"types\": [\"Decided\"]}",
	"{\"source\": \"decided\"}","{\"source\": \"nobody\"}","{\"stream_id\": \"x\"}","{\"stream_id\": null}","{\"source_type\": \"s\", \"types\": [\"A\"]}","{\"types\": [\"Decided\"]}"}'::jsonb[]) scope;
-- as items; one conflict for scopes with a mark and with a position
SELECT item, op, reason, expected, actual FROM docstore.try_save(jsonb_build_array(
	jsonb_build_object('op', 'assert', 'log', 'ledger', 'scope', jsonb_build_object('types', '["B"]'::jsonb, 'seen', :'mark')),
	jsonb_build_object('op', 'assert', 'log', 'ledger', 'scope', jsonb_build_object('types', '["C"]'::jsonb, 'seen', :'mark')),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'b', 'events', '[{"type": "T"}]'::jsonb, 'scopes', jsonb_build_object('source', 'a', 'seen', :'mark')),
	jsonb_build_object('op', 'append', 'log', 'ledger', 'stream', 'b', 'events', '[{"type": "T"}]'::jsonb, 'scopes', '{"source": "a", "expected": 4}'::jsonb)));
SELECT item, op, version FROM docstore.save(jsonb_build_array(jsonb_build_object('op', 'assert', 'log', 'ledger', 'scope', jsonb_build_object('types', '["B"]'::jsonb, 'seen', docstore.mark('ledger')))));
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT pg_temp.seen(:'mark');
SELECT pg_temp.verdict('SELECT docstore.check_conflicts()');
ROLLBACK;
SET docstore.checks = off;
SELECT pg_temp.verdict(format('SELECT pg_temp.seen(%L)', :'mark'));
RESET docstore.checks;
-- an append that is stored already asks for nothing
SELECT pg_temp.seen(docstore.mark('ledger'), '{}', 'ids', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]');
SELECT pg_temp.seen(:'mark', '{}', 'ids', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]');

-- what is no mark, or not alone; readers do not mind it
CREATE FUNCTION pg_temp.with_mark(members text) RETURNS text LANGUAGE sql AS $$ SELECT pg_temp.verdict(format($q$SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', -1, '[{%s}]')$q$, members)) $$;
SELECT m, pg_temp.with_mark(m) FROM unnest('{"\"seen\": null","\"seen\": 7","\"seen\": \"\"","\"seen\": \"x\"","\"seen\": []","\"seen\": true","\"seen\": \"5-1-1-1-1-0-0-0-\"","\"seen\": \"5-1-1-2-1-0-0-0--\"",
	"\"seen\": \"5-1-1-1-1-2-0-0--\"","\"seen\": \"5-01-1-1-1-0-0-0--\"","\"seen\": \"5-1-1-1-1-0-0-0-1,-\"","\"seen\": \"5-1-1-1-1-0-0-0--,\"","\"seen\": \"5-1-1-1-1-0-0-0--1,,2\"","\"seen\": \"5-1-1-1-1-0-0-0--x\"",
	"\"seen\": \"5-1-1-1-1-0-0-0-- \"","\"seen\": \"5-1-1-18446744073709551616-18446744073709551616-0-0-0--\"","\"seen\": \"5-1-1-1-1-0-0-0--18446744073709551615\"","\"seen\": \"5-9223372036854775808-1-1-1-0-0-0--\""}'::text[]) m;
CALL pg_temp.try($$ SELECT version FROM docstore.append('ledger', 'a', '[{"type": "T"}]', -1, '[{"seen": "7"}]') $$);
SELECT pg_temp.with_mark(format('"seen": "%s", "expected": 7', :'mark')), pg_temp.with_mark(format('"seen": "%s", "expected": "none"', :'mark')), pg_temp.with_mark(format('"seen": "%s", "expected": null', :'mark')),
	pg_temp.with_mark(format('"seen": "%s", "strict": true', :'mark')), pg_temp.with_mark(format('"seen": "%s", "strict": false', :'mark'));
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "assert", "log": "ledger", "scope": {"seen": "5-1-1-1-1-0-0-0--", "expected": 1}}]') $$);
SELECT docstore.tail('ledger', jsonb_build_object('types', '["B"]'::jsonb, 'seen', :'mark'));
CALL pg_temp.try($$ SELECT docstore.mark(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.mark('ledger_streams') $$);

-- what means nothing here shows nothing: another generation, another run of the server, a time that has not come, one that is long past
CREATE FUNCTION pg_temp.forge(mark text, part int, value text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(CASE nr WHEN part THEN value ELSE p END, '-' ORDER BY nr) FROM string_to_table(mark, '-') WITH ORDINALITY p(p, nr) $$;
SELECT docstore.mark('ledger') AS mark \gset
SELECT p.name, pg_temp.verdict(format('SELECT pg_temp.seen(%L, %L)', p.mark, '{"types": ["B"]}')), pg_temp.verdict(format('SELECT pg_temp.seen(%L, %L)', p.mark, '{"types": ["C"]}')) AS nothing
FROM (VALUES ('as it is', :'mark'), ('generation', pg_temp.forge(:'mark', 2, '281479271678209')), ('none', pg_temp.forge(:'mark', 2, '0')),
	('timeline', pg_temp.forge(:'mark', 2, (split_part(:'mark', '-', 2)::bigint + (1::bigint << 32))::text)), ('run', pg_temp.forge(:'mark', 3, '2')), ('log', pg_temp.forge(:'mark', 1, '2')), ('no xmax yet', pg_temp.forge(:'mark', 5, '18446744073709551615')),
	('long past', pg_temp.forge(pg_temp.forge(:'mark', 4, '0'), 5, '0')), ('a standby', pg_temp.forge(:'mark', 3, '0')), ('partial', pg_temp.forge(:'mark', 6, '1'))) p(name, mark);
-- the hint says so, since to read again with the same mark would never help
CREATE FUNCTION pg_temp.hint(mark text, more jsonb DEFAULT '[]') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	PERFORM docstore.append('ledger', 'a', '[{"type": "T"}]', -1, more || jsonb_build_array(jsonb_build_object('types', '["B"]'::jsonb, 'seen', mark)));
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN hint;
END
$$;
SELECT docstore.create_log('other');
SELECT pg_temp.hint(docstore.mark('other')) AS other_log;
SELECT pg_temp.hint(pg_temp.forge(:'mark', 3, '2'), '[{"types": ["A"], "expected": "none"}]') AS run_and_position;
SELECT pg_temp.hint(:'empty') AS good;
DROP TABLE other, other_streams, other_consumers;

-- the own transaction: what was stored before the mark is seen, what came after it is not
BEGIN;
SELECT count(*) FROM docstore.append('ledger', 'own', '[{"type": "Own"}, {"type": "Own"}]');
SELECT docstore.mark('ledger') AS before \gset
SELECT pg_temp.seen(:'before', '{"types": ["Own"]}', 'own2', '[{"type": "Own"}, {"type": "Own"}]'), pg_temp.seen(:'before', '{"types": ["Own"]}') AS after;
SELECT docstore.mark('ledger') AS after \gset
SAVEPOINT s;
SELECT pg_temp.seen(:'after', '{"types": ["Own"]}', 'own', '[{"type": "Own"}]');
SELECT docstore.mark('ledger') AS within \gset
SELECT pg_temp.seen(:'after', '{"types": ["Own"]}') AS after, pg_temp.seen(:'within', '{"types": ["Own"]}') AS within;
ROLLBACK TO s;
SELECT pg_temp.seen(:'after', '{"types": ["Own"]}') AS after;
SAVEPOINT s;
SELECT pg_temp.seen(:'after', '{"types": ["Own"]}', 'own', '[{"type": "Own"}]');
SELECT docstore.mark('ledger') AS within \gset
SELECT count(*) FROM docstore.append('ledger', 'own', '[{"type": "Own"}]');
RELEASE s;
COMMIT;
-- and others, who come later, see it in the same way
SELECT pg_temp.seen(:'before', '{"types": ["Own"]}') AS before, pg_temp.seen(:'after', '{"types": ["Own"]}') AS after, pg_temp.seen(:'within', '{"types": ["Own"]}') AS within,
	pg_temp.seen(:'within', '{"source": "own"}') AS source, pg_temp.seen(:'within', '{"source": "own2"}') AS other;
-- a statement that appends does not see it
SELECT docstore.mark('ledger') AS mark, version FROM docstore.append('ledger', 'own', '[{"type": "Same"}]') \gset
SELECT pg_temp.seen(:'mark', '{"types": ["Same"]}');
-- more subtransactions than the server keeps apart: what is not certain is not seen
BEGIN;
CREATE PROCEDURE pg_temp.nest(depth int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.append('ledger', 'nested', '[{"type": "Nested"}]');
	IF depth > 1 THEN
		CALL pg_temp.nest(depth - 1);
	END IF;
EXCEPTION WHEN division_by_zero THEN NULL;
END $$;
CALL pg_temp.nest(70);
SELECT docstore.mark('ledger') AS mark \gset
SELECT pg_temp.verdict(format('SELECT pg_temp.seen(%L, %L)', :'mark', '{"types": ["Nested"]}')) AS within;
SELECT split_part(:'mark', '-', 6) AS partial, cardinality(string_to_array(split_part(:'mark', '-', 9), ',')) AS own;
COMMIT;
SELECT pg_temp.seen(:'mark', '{"types": ["B"]}') AS older;
SELECT pg_temp.seen(docstore.mark('ledger'), '{"types": ["Nested"]}');

-- an event that is blanked is another row than the one that was seen, if that is recent
BEGIN;
SELECT count(*) FROM docstore.append('ledger', 'blank', '[{"type": "Blank", "data": {"n": 1}}]');
SELECT docstore.mark('ledger') AS mark \gset
SELECT docstore.erase('ledger', 'blank');
COMMIT;
SELECT pg_temp.seen(:'mark', '{"types": ["Blank"]}');

-- in PL/pgSQL, and with SQL's own statement that reads
DO $$
DECLARE
	mark text := docstore.mark('ledger');
BEGIN
	PERFORM docstore.append('ledger', 'block', '[{"type": "Block"}]');
	RAISE INFO '% %', pg_temp.seen(mark, '{"types": ["Block"]}'), pg_temp.seen(docstore.mark('ledger'), '{"types": ["Block"]}');
	mark := docstore.mark('ledger');
	RAISE INFO '%', pg_temp.seen(mark, '{"types": ["Block"]}');
END $$;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT docstore.mark('ledger') AS first \gset
SELECT pg_temp.seen(:'first', '{"types": ["R"]}', 'r', '[{"type": "R"}]'), pg_temp.seen(:'first', '{"types": ["R"]}') AS "first", pg_temp.seen(docstore.mark('ledger'), '{"types": ["R"]}') AS now;
SELECT docstore.mark('ledger') AS now \gset
COMMIT;
SELECT pg_temp.seen(:'first', '{"types": ["R"]}') AS "first", pg_temp.seen(:'now', '{"types": ["R"]}') AS now;

-- what came after the mark stays that, when to erase it has failed
BEGIN;
SELECT count(*) FROM docstore.append('ledger', 'tried', '[{"type": "Before"}]');
SELECT docstore.mark('ledger') AS mark \gset
SELECT count(*) FROM docstore.append('ledger', 'tried', '[{"type": "Tried", "data": {"n": 1}}]');
SAVEPOINT s;
SELECT docstore.erase('ledger', 'tried', ARRAY[2]);
ROLLBACK TO s;
SELECT pg_temp.seen(:'mark', '{"types": ["Tried"]}') AS tried, pg_temp.seen(:'mark', '{"types": ["Before"]}', 'tried') AS "before";
COMMIT;

-- a trigger of the log itself: before a row it sees those that are stored by then, after it all of the statement; so does a mark that it takes
CREATE TABLE taken (nr int GENERATED ALWAYS AS IDENTITY, at text, mark text, shown text);
CREATE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_NARGS > 0 AND NEW.type = 'U2' THEN
		PERFORM docstore.append('ledger', 'nested', '[{"type": "Nested by a trigger"}]');
	END IF;
	INSERT INTO taken (at, mark, shown)
	SELECT concat_ws(' ', TG_WHEN, TG_LEVEL, NEW.type), docstore.mark('ledger'), (SELECT string_agg(type, ' ' ORDER BY version) FROM ledger WHERE stream = 'taken');
	RETURN NEW;
END
$$;
CREATE TRIGGER b BEFORE INSERT ON ledger FOR EACH ROW WHEN (NEW.stream = 'taken') EXECUTE FUNCTION take();
CREATE TRIGGER a AFTER INSERT ON ledger FOR EACH ROW WHEN (NEW.stream = 'taken') EXECUTE FUNCTION take();
BEGIN;
SELECT count(*) FROM docstore.append('ledger', 'taken', '[{"type": "T1"}, {"type": "T2"}, {"type": "T3"}]');
CREATE VIEW shows AS SELECT nr, at, shown, (SELECT string_agg(type, ' ' ORDER BY type) FROM unnest('{T1,T2,T3,U1,U2,U3}'::text[]) type
	WHERE pg_temp.verdict(format('SELECT pg_temp.seen(%L, %L)', mark, jsonb_build_object('types', jsonb_build_array(type)))) !~ 'scope') AS mark FROM taken;
SELECT * FROM shows ORDER BY nr;
COMMIT;
SELECT bool_and(shown IS NOT DISTINCT FROM mark) AS same FROM shows;
-- and when it has stored others before; then it may count as unseen what was seen
DROP TRIGGER a ON ledger;
DROP TRIGGER b ON ledger;
CREATE TRIGGER b BEFORE INSERT ON ledger FOR EACH ROW WHEN (NEW.stream = 'taken') EXECUTE FUNCTION take('nested');
TRUNCATE taken;
BEGIN;
SELECT count(*) FROM docstore.append('ledger', 'taken', '[{"type": "U1"}, {"type": "U2"}, {"type": "U3"}]');
SELECT s.*, pg_temp.verdict(format('SELECT pg_temp.seen(%L, %L)', t.mark, '{"types": ["Nested by a trigger"]}')) !~ 'scope' AS nested FROM shows s JOIN taken t USING (nr) ORDER BY nr;
COMMIT;
-- an append that fails leaves nothing behind that later marks would mind
CREATE OR REPLACE FUNCTION take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING ERRCODE = '22000'; END $$;
BEGIN;
SELECT pg_temp.verdict($$ SELECT count(*) FROM docstore.append('ledger', 'taken', '[{"type": "V"}]') $$);
SELECT count(*) FROM docstore.append('ledger', 'left', '[{"type": "Left"}]');
SELECT pg_temp.seen(docstore.mark('ledger'), '{"types": ["Left"]}', 'left') AS "left";
COMMIT;
DROP TRIGGER b ON ledger;
DROP VIEW shows;
DROP TABLE taken;
DROP FUNCTION take;

-- who may not read the log gets no mark; row security hides what it hides
CREATE ROLE regress_docstore_reader;
SET ROLE regress_docstore_reader;
CALL pg_temp.try($$ SELECT docstore.mark('ledger') $$);
RESET ROLE;
GRANT SELECT (type) ON ledger TO regress_docstore_reader;
SET ROLE regress_docstore_reader;
SELECT docstore.mark('ledger') IS NOT NULL AS mark;
RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON ledger, ledger_streams TO regress_docstore_reader;
SELECT docstore.mark('ledger') AS mark \gset
SELECT count(*) FROM docstore.append('ledger', 'h', '[{"type": "Hidden"}, {"type": "Shown"}]');
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
CREATE POLICY shown ON ledger USING (type <> 'Hidden') WITH CHECK (true);
SET ROLE regress_docstore_reader;
SELECT pg_temp.seen(:'mark', '{"types": ["Hidden"]}') AS hidden, pg_temp.seen(:'mark', '{"types": ["Shown"]}') AS shown;
RESET ROLE;
DROP TABLE ledger, ledger_streams, ledger_consumers;
DROP ROLE regress_docstore_reader;
