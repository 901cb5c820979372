-- Whatever a call runs may change what the same call has locked and compared: both writes stand, or 27000, and the same with both engines
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- Who meddles: a trigger or an index, which runs the statement of the case.
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE current_setting('regress.meddling');
	RETURN COALESCE(NEW, OLD);
END
$$;
-- It says that it is immutable, as whoever wants it in an index has to.
CREATE FUNCTION meddle(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE $1; END $$;
CREATE FUNCTION meddle(jsonb) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	IF $1 @> '{"meddles": true}' THEN
		PERFORM meddle(current_setting('regress.meddling'));
	END IF;
	RETURN 1;
END
$$;

-- Documents A and B in a, C in b, the streams s with one event and t without any: all of it in one line, with what is not as it should be.
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN concat_ws(' ',
		(SELECT string_agg(id || version || (data->>'by'), ' ' ORDER BY id) FROM a), (SELECT string_agg(id || version, ' ' ORDER BY id) FROM b),
		(SELECT string_agg(concat(h.stream, h.version, CASE WHEN h.closed_at IS NOT NULL THEN 'closed' END), ' ' ORDER BY stream) FROM l_streams h),
		(SELECT 'events differ' FROM l_streams h WHERE h.version <> (SELECT count(*) FROM l e WHERE e.stream = h.stream) LIMIT 1),
		(SELECT 'out of order' FROM l e JOIN l f USING (stream) WHERE e.version < f.version AND e.log_position > f.log_position LIMIT 1)); END $$;

-- One case: what the call returned and how things are after it, or its SQLSTATE and message; all of it is undone.
CREATE FUNCTION pg_temp.run(engine text, meddler text, meddling text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	code text;
	message text;
BEGIN
	PERFORM set_config('docstore.engine', engine, true), set_config('regress.meddling', '', true), set_config('regress.meddled', '', true);
	PERFORM docstore.create_collection('a'), docstore.create_collection('b'), docstore.create_log('l');
	PERFORM docstore.upsert_many('a', '{A,B}', '{"{\"by\": \"setup\"}","{\"by\": \"setup\"}"}', NULL), docstore.upsert('b', 'C', '{}');
	PERFORM docstore.append('l', 's', '[{"type": "setup"}]');
	PERFORM docstore.create_stream('l', 't');
	EXECUTE meddler;
	PERFORM set_config('regress.meddling', meddling, true);
	EXECUTE call INTO result;
	RAISE EXCEPTION 'taken back' USING DETAIL = concat_ws(' -> ', result, pg_temp.state());
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, result = PG_EXCEPTION_DETAIL;
	RETURN CASE code WHEN 'P0001' THEN result WHEN 'PT409' THEN concat_ws(' ', code, result) ELSE concat_ws(' ', code, message) END;
END
$$;

CREATE TEMP TABLE meddlers (name text, made text);
INSERT INTO meddlers VALUES
	('inserts', 'CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW WHEN (NEW.data @> ''{"meddles": true}'') EXECUTE FUNCTION meddle()'),
	('updates', 'CREATE TRIGGER t BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION meddle()'),
	('unique', 'CREATE TRIGGER t BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION meddle(); CREATE UNIQUE INDEX ON b ((data->>''code''))'),
	('unique inserts', 'CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW WHEN (NEW.data @> ''{"meddles": true}'') EXECUTE FUNCTION meddle(); CREATE UNIQUE INDEX ON b ((data->>''code''))'),
	('deletes', 'CREATE TRIGGER t BEFORE DELETE ON b FOR EACH ROW EXECUTE FUNCTION meddle()'),
	('after', 'CREATE TRIGGER t AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION meddle()'),
	('index', 'CREATE INDEX ON b (meddle(data))'),
	('own index', 'CREATE INDEX ON a (meddle(data))'),
	('default', 'CREATE FUNCTION fill() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN IF pg_trigger_depth() = 0 AND current_setting(''regress.meddled'', true) = '''' THEN
		PERFORM set_config(''regress.meddled'', ''1'', true), meddle(current_setting(''regress.meddling'')); END IF; RETURN ''f''; END $f$; ALTER TABLE b ADD more text DEFAULT NULL, ALTER more SET DEFAULT fill()'),
	('heads', 'CREATE TRIGGER t BEFORE UPDATE ON l_streams FOR EACH ROW WHEN (NEW.stream = ''t'') EXECUTE FUNCTION meddle()'),
	('events', 'CREATE TRIGGER t BEFORE INSERT ON l FOR EACH ROW WHEN (NEW.type = ''call'') EXECUTE FUNCTION meddle()');

-- What the calls are made of.
CREATE TEMP TABLE items (name text, item jsonb);
INSERT INTO items VALUES
	('A', '{"op": "upsert", "collection": "a", "id": "A", "data": {"by": "call", "meddles": true}, "expected": 1}'),
	('B', '{"op": "upsert", "collection": "a", "id": "B", "data": {"by": "call"}, "expected": 1}'),
	('A any', '{"op": "upsert", "collection": "a", "id": "A", "data": {"by": "call"}, "expected": "any"}'),
	('A patch', '{"op": "patch", "collection": "a", "id": "A", "data": {"by": "call"}, "expected": 1}'),
	('A delete', '{"op": "delete", "collection": "a", "id": "A", "expected": 1}'),
	('A assert', '{"op": "assert", "collection": "a", "id": "A", "expected": 1}'),
	('N assert', '{"op": "assert", "collection": "a", "id": "N", "expected": "none"}'),
	('N delete', '{"op": "delete", "collection": "a", "id": "N", "expected": "any"}'),
	('C', '{"op": "upsert", "collection": "b", "id": "C", "data": {"meddles": true}, "expected": 1}'),
	('C delete', '{"op": "delete", "collection": "b", "id": "C", "expected": 1}'),
	('x', '{"op": "upsert", "collection": "b", "id": "x", "data": {"meddles": true}}'),
	('x any', '{"op": "upsert", "collection": "b", "id": "x", "data": {"meddles": true}, "expected": "any"}'),
	('y', '{"op": "upsert", "collection": "b", "id": "y", "data": {}}'),
	('y any', '{"op": "upsert", "collection": "b", "id": "y", "data": {}, "expected": "any"}'),
	('s', '{"op": "append", "log": "l", "stream": "s", "events": [{"type": "call"}], "expected": 1}'),
	('s any', '{"op": "append", "log": "l", "stream": "s", "events": [{"type": "call"}], "expected": "any"}'),
	('s scope', '{"op": "append", "log": "l", "stream": "s", "events": [{"type": "call"}], "expected": "any", "scopes": [{"types": ["meddler"], "expected": "none"}]}'),
	('s properties', '{"op": "set_properties", "log": "l", "stream": "s", "properties": {}, "expected_revision": "any"}'),
	('n', '{"op": "append", "log": "l", "stream": "n", "events": [{"type": "call"}]}'),
	('n any', '{"op": "append", "log": "l", "stream": "n", "events": [{"type": "call"}], "expected": "any"}'),
	('t', '{"op": "append", "log": "l", "stream": "t", "events": [{"type": "call"}], "expected": "none"}');

-- And what meddlers do.
CREATE TEMP TABLE meddlings (name text, statement text);
INSERT INTO meddlings VALUES
	('touch A', $$UPDATE a SET data = '{"by": "meddler"}' WHERE id = 'A'$$),
	('write A', $$SELECT docstore.upsert('a', 'A', '{"by": "meddler"}', -1)$$),
	('delete A', $$SELECT docstore.delete('a', 'A', -1)$$),
	('replace A', $$SELECT docstore.delete('a', 'A', -1), docstore.upsert('a', 'A', '{}')$$),
	('rename A', $$UPDATE a SET id = 'Z' WHERE id = 'A'$$),
	('touch B', $$UPDATE a SET data = '{"by": "meddler"}' WHERE id = 'B'$$),
	('make N', $$SELECT docstore.upsert('a', 'N', '{}')$$),
	('make y', $$SELECT docstore.upsert('b', 'y', '{}')$$),
	('make x', $$SELECT docstore.upsert('b', 'x', '{}')$$),
	('delete C', $$SELECT docstore.delete('b', 'C', -1)$$),
	('floor of b', $$INSERT INTO b VALUES ('w', 4, '{}'); SELECT docstore.delete('b', 'w', 4)$$),
	('append to s', $$SELECT docstore.append('l', 's', '[{"type": "meddler"}]')$$),
	('append to n', $$SELECT docstore.append('l', 'n', '[{"type": "meddler"}]')$$),
	('append to o', $$SELECT docstore.append('l', 'o', '[{"type": "meddler"}]')$$),
	('close s', $$SELECT docstore.close_stream('l', 's', -1)$$),
	('set s', $$SELECT docstore.set_properties('l', 's', '{}', -1)$$),
	('touch s', $$UPDATE l_streams SET created_at = now() WHERE stream = 's'$$),
	('delete s', $$DELETE FROM l_streams WHERE stream = 's'$$),
	('insert n', $$INSERT INTO l_streams SELECT (jsonb_populate_record(s, '{"stream": "n", "version": 0}')).* FROM l_streams s WHERE stream = 's'$$);

CREATE TEMP TABLE cases (nr serial, meddler text, meddling text, items text[], call text);
INSERT INTO cases (meddler, meddling, items)
SELECT 'inserts', m, ARRAY[i, 'x'] FROM unnest('{touch A,write A,delete A,replace A,rename A}'::text[]) m, unnest('{A,A any,A patch,A delete,A assert}'::text[]) i;
INSERT INTO cases (meddler, meddling, items) VALUES
	('inserts', 'make N', '{N assert,x}'), ('inserts', 'make N', '{N delete,x}'),
	('inserts', 'make y', '{x,y}'), ('inserts', 'make y', '{x,y any}'), ('unique', 'make y', '{C,y}'), ('unique', 'make y', '{C,y any}'),
	('inserts', 'floor of b', '{x,y}'), ('inserts', 'floor of b', '{x}'),
	('updates', 'touch A', '{A,C}'), ('updates', 'delete A', '{A,C}'), ('deletes', 'delete A', '{A,C delete}'), ('after', 'write A', '{A,x}');
INSERT INTO cases (meddler, meddling, items)
SELECT 'inserts', m, ARRAY[i, 'x'] FROM unnest('{append to s,append to o,close s,set s,touch s,delete s}'::text[]) m, unnest('{s,s any,s scope,s properties}'::text[]) i;
INSERT INTO cases (meddler, meddling, items) VALUES
	('inserts', 'append to n', '{n,x}'), ('inserts', 'append to n', '{n any,x}'), ('inserts', 'insert n', '{n any,x}'), ('updates', 'append to n', '{n,C}'),
	('deletes', 'append to s', '{s,C delete}'), ('after', 'append to s', '{s,x}'), ('heads', 'append to s', '{s,t}'), ('heads', 'touch s', '{s,t}'),
	('events', 'append to s', '{s}'), ('events', 'append to o', '{s}'), ('events', 'append to n', '{s,n}'),
	('inserts', 'make x', '{x}'), ('inserts', 'make x', '{x any}'),
	('unique inserts', 'make x', '{x}'), ('unique inserts', 'make y', '{x,y}'), ('unique inserts', 'make y', '{x,y any}'),
	('index', 'touch A', '{A,x}'), ('index', 'write A', '{A,x}'), ('index', 'delete A', '{A,x}'), ('index', 'make y', '{x,y}'), ('index', 'make y', '{x,y any}'),
	('index', 'append to s', '{s,x}'), ('own index', 'touch B', '{A,B}'), ('own index', 'append to s', '{A,s}');

INSERT INTO cases (meddler, meddling, call) VALUES
	('inserts', 'make x', $$docstore.upsert('b', 'x', '{"meddles": true}')$$), ('inserts', 'make x', $$docstore.upsert('b', 'x', '{"meddles": true}', -1)$$),
	('inserts', 'make x', $$docstore.patch('b', 'x', '{"meddles": true}', 0)$$), ('inserts', 'floor of b', $$docstore.upsert('b', 'x', '{"meddles": true}')$$),
	('unique inserts', 'make x', $$docstore.upsert('b', 'x', '{"meddles": true}')$$), ('unique inserts', 'make x', $$docstore.upsert('b', 'x', '{"meddles": true}', -1)$$),
	('default', 'make x', $$docstore.upsert('b', 'x', '{"meddles": true}')$$), ('default', 'make x', $$docstore.upsert('b', 'x', '{"meddles": true}', -1)$$),
	('updates', 'delete C', $$docstore.upsert('b', 'C', '{}', 1)$$), ('updates', 'delete C', $$docstore.patch('b', 'C', '{}', -1)$$),
	('inserts', 'make y', $$docstore.upsert_many('b', '{x,y}', '{"{\"meddles\": true}","{}"}', NULL)$$);

-- The server warns of its lock when a function of an index inserts by ON CONFLICT while its row is inserted so.
SET client_min_messages = error;
CREATE FUNCTION pg_temp.all_cases(engine text) RETURNS TABLE (nr int, answer text) LANGUAGE sql AS $$
	SELECT c.nr, pg_temp.run(engine, d.made, m.statement, CASE WHEN c.items IS NULL THEN 'SELECT ' || c.call ELSE
		format('SELECT string_agg(version::text, '','' ORDER BY item) FROM docstore.save(%L)', (SELECT jsonb_agg(item ORDER BY n) FROM unnest(c.items) WITH ORDINALITY u(name, n) JOIN items USING (name))) END)
	FROM cases c JOIN meddlers d ON d.name = c.meddler JOIN meddlings m ON m.name = c.meddling $$;
CREATE TEMP TABLE results AS SELECT 'direct' AS engine, a.* FROM pg_temp.all_cases('auto') a UNION ALL SELECT 'sql', a.* FROM pg_temp.all_cases('sql') a;
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO results SELECT 'repeatable read', a.* FROM pg_temp.all_cases('auto') a;
COMMIT;
RESET client_min_messages;

\pset format unaligned
SELECT meddler, meddling, COALESCE(items::text, call) AS call, string_agg(DISTINCT answer, ' OR ' ORDER BY answer) AS answer FROM results JOIN cases USING (nr) GROUP BY nr, meddler, meddling, items, call ORDER BY nr;
-- no case but those that are written, and 27000
SELECT nr, engine, answer FROM results WHERE answer !~ '^([0-9,{}]+ -> |27000 )' OR answer ~ 'differ|order' ORDER BY nr, engine;
DROP FUNCTION meddle(), meddle(text), meddle(jsonb);
