-- A call sees what its own statement has written before it, by plain SQL or by another call, as a statement in its place would
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare
SELECT docstore.create_collection('d'), docstore.create_log('l');
CREATE TABLE plain (id text);

-- rows that a part of the statement has inserted, updated, deleted, moved
WITH w AS (INSERT INTO d (id, version, data) VALUES ('a', 1, '{}'), ('b', 1, '{}') RETURNING id) SELECT docstore.upsert('d', id, '{"by": "insert"}', 1) FROM w;
WITH w AS (UPDATE d SET version = version + 1 RETURNING id, version) SELECT docstore.upsert('d', id, '{"by": "update"}', version) FROM w;
WITH w AS (UPDATE d SET version = version + 1 RETURNING id, version)
	SELECT docstore.upsert_many('d', array_agg(id), array_agg('{"by": "many"}'::jsonb), array_agg(version)) FROM w;
WITH w AS (UPDATE d SET version = version + 1 RETURNING id, version)
	SELECT s.id, s.version FROM (SELECT jsonb_agg(jsonb_build_object('op', 'upsert', 'collection', 'd', 'id', id, 'data', '{}'::jsonb, 'expected', version) ORDER BY id) AS items FROM w) i,
		docstore.save(items) s;
WITH w AS (DELETE FROM d WHERE id = 'a' RETURNING id) SELECT docstore.upsert('d', id, '{"by": "delete"}') FROM w;
WITH w AS (UPDATE d SET id = 'c' WHERE id = 'b' RETURNING id, version) SELECT docstore.upsert('d', id, '{"by": "move"}', version), docstore.upsert('d', 'b', '{"by": "move"}') FROM w;
SELECT id, version, data FROM d ORDER BY id;

-- calls in one statement, each of which sees those before it
SELECT docstore.upsert('d', 'e', '{}'), docstore.upsert('d', 'e', '{}', 1), docstore.patch('d', 'e', '{}', 2), docstore.delete('d', 'e', 3), docstore.upsert('d', 'e', '{}');
SELECT docstore.upsert('d', 'f-' || n, '{}', CASE n WHEN 1 THEN 0 ELSE -1 END), docstore.upsert_many('d', ARRAY['g', 'f-' || n], '{"{}","{}"}', ARRAY[-1, -2]) FROM generate_series(1, 2) n;
SELECT (docstore.append('l', 's', '[{"type": "T"}]', n - 1)).version, (docstore.append('l', 'other', '[{"type": "T"}]')).version FROM generate_series(1, 3) n;
SELECT (docstore.append('l', 'i', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]', 0)).version FROM generate_series(1, 2) n;
SELECT docstore.create_stream('l', 'made'), (SELECT version FROM docstore.append('l', 'made', '[{"type": "T"}]', 0)), docstore.set_properties('l', 'made', '{}', 2), docstore.close_stream('l', 'made', 1);
SELECT pg_temp.verdict($$ SELECT docstore.close_stream('l', 's', 3) + (SELECT version FROM docstore.append('l', 's', '[{"type": "T"}]')) $$);
WITH w AS (DELETE FROM l_streams WHERE stream = 'other' RETURNING stream), e AS (DELETE FROM l WHERE stream = 'other' RETURNING 1)
	SELECT (docstore.append('l', stream, '[{"type": "T"}]', 0)).version FROM w, (SELECT count(*) FROM e) c;

-- triggers of another table, for each row and for the statement: what the statement has written is there
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO d (id, version, data) VALUES (NEW.id || '-' || TG_WHEN, 1, '{}');
	PERFORM docstore.upsert('d', NEW.id || '-' || TG_WHEN, '{"by": "trigger"}', 1), docstore.upsert('d', 'count', '{}', -1);
	RETURN NEW;
END $$;
CREATE TRIGGER before BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION follow();
CREATE TRIGGER after AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION follow();
INSERT INTO plain VALUES ('x'), ('y');
SELECT id, version, data FROM d WHERE id = 'count' OR data @> '{"by": "trigger"}' ORDER BY id;

-- a batch whose trigger of one table updates a document of another, which is locked by then: it is written from the version that
-- it has then
SELECT docstore.create_collection('first');
CREATE TABLE parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF parts DEFAULT;
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE parts SET version = version + 1; RETURN NEW; END $$;
CREATE TRIGGER bump AFTER UPDATE ON first FOR EACH ROW EXECUTE FUNCTION bump();
CREATE TRIGGER bump_before BEFORE UPDATE ON first FOR EACH ROW EXECUTE FUNCTION bump();
SELECT docstore.upsert('first', 'a', '{}'), docstore.upsert('parts', 'b', '{}');
CREATE FUNCTION pg_temp.items(expected jsonb) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_array(
	'{"op": "upsert", "collection": "first", "id": "a", "data": {}, "expected": "exists"}'::jsonb,
	'{"op": "upsert", "collection": "parts", "id": "b", "data": {}}'::jsonb || jsonb_build_object('expected', expected));
SELECT id, version FROM docstore.save(pg_temp.items('"exists"'));
SELECT id, version FROM docstore.save(pg_temp.items('"any"'));
SELECT id, version FROM parts;
DROP TABLE first, parts;
DROP FUNCTION bump;

-- an outer query goes on with what it saw when it began
SELECT id, version, docstore.upsert('d', id, '{"by": "query"}', version) FROM d WHERE id LIKE 'f-%' ORDER BY id;
DO $$
DECLARE
	doc record;
	sum bigint := 0;
BEGIN
	FOR doc IN SELECT id, version FROM d WHERE id LIKE 'f-%' LOOP
		sum := sum + docstore.upsert('d', doc.id, '{"by": "loop"}', doc.version);
	END LOOP;
	RAISE INFO '%', sum;
END $$;

-- what a call writes is one row for each document, head and event, and none where nothing is written: a create above the floor is one insert
-- (rows that were inserted, updated and deleted since the last time that this was asked; what earlier transactions did may be counted until it is flushed)
CREATE FUNCTION written() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := current_setting('own.counts', true);
	counts jsonb := (SELECT jsonb_object_agg(relname, ARRAY[n_tup_ins, n_tup_upd, n_tup_del]) FROM pg_stat_xact_user_tables WHERE relname IN ('d', 'l', 'l_streams'));
BEGIN
	PERFORM set_config('own.counts', counts::text, false);
	RETURN (SELECT string_agg(key || ' ' || diff, ', ' ORDER BY key)
		FROM jsonb_each(counts) c, LATERAL (SELECT string_agg((n::int - (before -> key ->> i::int - 1)::int)::text, ' ' ORDER BY i) AS diff
			FROM jsonb_array_elements_text(value) WITH ORDINALITY e(n, i)) d WHERE diff <> '0 0 0');
END $$;
SELECT docstore.delete('d', 'count', 7);
BEGIN;
DO 'BEGIN PERFORM written(); END';
SELECT docstore.upsert('d', 'new', '{}'), docstore.upsert('d', 'newer', '{}', -1), docstore.patch('d', 'patched', '{}', 0), written();
SELECT docstore.upsert_many('d', '{m-1,m-2,m-3}', '{"{}","{}","{}"}', '{0,-1,0}'), written();
COMMIT;
BEGIN;
DO 'BEGIN PERFORM written(); END';
SELECT docstore.upsert('d', 'new', '{}', 8), docstore.upsert('d', 'newer', '{}', -1), docstore.patch('d', 'patched', '{}', -2), written();
SELECT docstore.upsert_many('d', '{m-1,m-2,m-3}', '{"{}","{}","{}"}', '{8,-1,-2}'), written();
SELECT docstore.delete('d', 'new', 9), docstore.delete('d', 'nobody', -1), written();
SELECT count(*), written() FROM docstore.try_save('[{"op": "upsert", "collection": "d", "id": "m-1", "data": {}, "expected": 9}, {"op": "upsert", "collection": "d", "id": "m-2", "data": {}, "expected": 1}]');
SELECT count(*), written() FROM docstore.save('[{"op": "assert", "collection": "d", "id": "m-1", "expected": 9}, {"op": "patch", "collection": "d", "id": "m-2", "data": {}, "expected": 9}]');
COMMIT;
BEGIN;
DO 'BEGIN PERFORM written(); END';
SELECT count(*), written() FROM docstore.append('l', 'new', '[{"type": "T"}, {"type": "T"}]', 0);
SELECT count(*), written() FROM docstore.append('l', 'new', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]', 2);
SELECT count(*), written() FROM docstore.append('l', 'new', '[{"type": "T", "event_id": "00000000-0000-0000-0000-000000000001"}]', 2);
SELECT count(*), written() FROM docstore.save('[{"op": "append", "log": "l", "stream": "new", "events": [{"type": "T"}]}, {"op": "append", "log": "l", "stream": "new", "events": [{"type": "T"}]},
	{"op": "append", "log": "l", "stream": "newer", "events": [{"type": "T"}]}, {"op": "assert", "log": "l", "stream": "i", "expected": 1}]');
COMMIT;

-- beside another unique index rows are also inserted only to see whether the server objects: no trigger hears of those
CREATE TABLE coded (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
CREATE UNIQUE INDEX ON coded ((data->>'code'));
SELECT docstore.upsert('coded', 'before', '{"code": 1}');
CREATE FUNCTION make_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM coded WHERE NEW.id = 'y' AND id = 'before'; RETURN NEW; END $$;
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE INFO 'inserted %', NEW.id; RETURN NULL; END $$;
CREATE TRIGGER make_way BEFORE INSERT ON coded FOR EACH ROW EXECUTE FUNCTION make_way();
CREATE TRIGGER tell AFTER INSERT ON coded FOR EACH ROW EXECUTE FUNCTION tell();
-- (not where each document has a statement of its own: there the first one is refused before the other makes way)
DO $$ BEGIN IF current_setting('docstore.engine') = 'rows' THEN SET docstore.engine = 'sql'; END IF; END $$;
SELECT docstore.upsert_many('coded', '{x,y}', '{"{\"code\": 1}","{\"code\": 2}"}', NULL);
SELECT id, version, data FROM coded ORDER BY id;

RESET docstore.engine;
-- what a trigger of another document brings to the highest version cannot be written once more
SELECT docstore.create_collection('e');
CREATE FUNCTION bring_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE d SET version = 9223372036854775807 WHERE id = 'm-2'; RETURN NEW; END $$;
CREATE TRIGGER bring_up BEFORE INSERT ON e FOR EACH ROW EXECUTE FUNCTION bring_up();
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "upsert", "collection": "d", "id": "m-2", "data": {}, "expected": "any"}, {"op": "upsert", "collection": "e", "id": "x", "data": {}}]') $$);
CALL pg_temp.try($$ SELECT docstore.save('[{"op": "patch", "collection": "d", "id": "m-2", "data": {}, "expected": "any"}, {"op": "upsert", "collection": "e", "id": "x", "data": {}}]') $$);
SELECT version FROM d WHERE id = 'm-2';

-- another row at the place of one that was locked: TRUNCATE of a table that is as young as the transaction empties it where it is
DROP TRIGGER bring_up ON e;
SELECT docstore.upsert('e', 'x', '{}');
BEGIN;
SELECT docstore.create_collection('young');
SELECT docstore.upsert('young', 'a', '{}');
CREATE FUNCTION replace_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN TRUNCATE young; INSERT INTO young (id, version, data) VALUES ('other', 1, '{}'); RETURN NEW; END $$;
CREATE TRIGGER replace_all BEFORE UPDATE ON e FOR EACH ROW EXECUTE FUNCTION replace_all();
SELECT docstore.save('[{"op": "upsert", "collection": "young", "id": "a", "data": {"by": "call"}, "expected": 1}, {"op": "upsert", "collection": "e", "id": "x", "data": {}, "expected": 1}]');
ROLLBACK;
DROP TABLE d, l, l_streams, l_consumers, plain, coded, e;
DROP FUNCTION follow, written, make_way, tell, bring_up;
