-- What a table itself refuses or does is the same in both engines: NOT NULL domains, partition bounds, triggers for replicas
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- a statement under both engines, taken back; the SQLSTATE where it fails
CREATE FUNCTION pg_temp.both(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	auto text;
	sql text;
BEGIN
	SET LOCAL docstore.engine = 'auto';
	auto := pg_temp.verdict(query);
	SET LOCAL docstore.engine = 'sql';
	sql := pg_temp.verdict(query);
	RETURN CASE WHEN auto = sql THEN auto ELSE format('%s, but %s by SQL', auto, sql) END;
END
$$;

-- a statement, and what another one finds then
CREATE FUNCTION pg_temp.then(statement text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
	found text;
BEGIN
	EXECUTE statement INTO answer;
	EXECUTE query INTO found;
	RETURN concat_ws(' ', answer, found);
END
$$;

-- further columns of a domain that is NOT NULL, or that has the default
CREATE DOMAIN filled AS text NOT NULL;
CREATE DOMAIN preset AS text DEFAULT 'preset' NOT NULL;
CREATE DOMAIN optional AS text;
SELECT docstore.create_collection(name) FROM unnest('{of_filled,of_preset,of_optional}'::text[]) name;
SELECT docstore.create_log('l_' || name) FROM unnest('{filled,preset,optional}'::text[]) name;
SELECT docstore.upsert(name::regclass, 'there', '{}') FROM unnest('{of_filled,of_preset,of_optional}'::text[]) name;
DO $$
DECLARE
	kind text;
BEGIN
	FOREACH kind IN ARRAY '{filled,preset,optional}'::text[] LOOP
		EXECUTE format('ALTER TABLE of_%1$s ADD note text; UPDATE of_%1$s SET note = ''given''; ALTER TABLE of_%1$s ALTER note TYPE %1$I', kind);
		EXECUTE format('ALTER TABLE l_%1$s ADD note %1$I; ALTER TABLE l_%1$s_streams ADD note %1$I', kind);
	END LOOP;
END
$$;
-- to create, in each way
CREATE TEMP TABLE creates (nr serial, verb text, statement text);
INSERT INTO creates (verb, statement) VALUES
	('upsert', $$ SELECT pg_temp.then('SELECT docstore.upsert(''of_%1$s'', ''new'', ''{}'')', 'SELECT note FROM of_%1$s WHERE id = ''new''') $$),
	('patch', $$ SELECT docstore.patch('of_%1$s', 'new', '{}', 0) $$),
	('upsert_many', $$ SELECT docstore.upsert_many('of_%1$s', '{there,new}', '{"{}","{}"}', '{1,0}') $$),
	('save', $$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "of_%1$s", "id": "new", "data": {}}]') $$),
	('append', $$ SELECT pg_temp.then('SELECT version FROM docstore.append(''l_%1$s'', ''new'', ''[{"type": "x"}]'')', 'SELECT concat_ws('' '', to_jsonb(e) ->> ''note'', to_jsonb(h) ->> ''note'') FROM l_%1$s e, l_%1$s_streams h') $$),
	('append item', $$ SELECT version FROM docstore.save('[{"op": "append", "log": "l_%1$s", "stream": "new", "events": [{"type": "x"}]}]') $$),
	('create_stream', $$ SELECT docstore.create_stream('l_%1$s', 'new') $$);
SELECT verb, pg_temp.both(format(statement, 'filled')) AS filled, pg_temp.both(format(statement, 'preset')) AS preset, pg_temp.both(format(statement, 'optional')) AS optional
FROM creates ORDER BY nr;
-- what is there has a value, and is updated
SELECT kind, pg_temp.both(format($$ SELECT docstore.upsert('of_%1$s', 'there', '{}', 1) || ' ' || (SELECT note FROM of_%1$s) $$, kind)) FROM unnest('{filled,preset,optional}'::text[]) kind;
-- only the events have it, or only the heads
ALTER TABLE l_filled_streams DROP note;
ALTER TABLE l_preset ALTER note TYPE text, ALTER note DROP NOT NULL;
ALTER TABLE l_preset_streams ALTER note TYPE filled;
SELECT verb, pg_temp.both(format(statement, 'filled')) AS events, pg_temp.both(format(statement, 'preset')) AS heads FROM creates WHERE verb ~ 'append|stream' ORDER BY nr;

-- straight into a partition: what belongs into another one is 23514
CREATE TABLE parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL) PARTITION BY LIST (id);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a', 'aa');
CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b');
SELECT docstore.upsert('parts_a', 'a', '{}'), docstore.upsert('parts', 'b', '{}');
SELECT id, pg_temp.both(format($$ SELECT docstore.upsert('parts_a', %L, '{}', -1) $$, id)) AS upsert,
	pg_temp.both(format($$ SELECT docstore.patch('parts_a', %L, '{}', -1) $$, id)) AS patch,
	pg_temp.both(format($$ SELECT docstore.upsert_many('parts_a', '{%s}', '{"{}"}', '{-1}') $$, id)) AS upsert_many,
	pg_temp.both(format($$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "parts_a", "id": "a", "data": {}, "expected": 1}, {"op": "upsert", "collection": "parts_a", "id": "%s", "data": {}, "expected": "any"}]') ORDER BY item DESC LIMIT 1 $$, id)) AS save
FROM unnest('{aa,b,c}'::text[]) id;

-- a trigger for replicas fires for those who write as one, and for nobody else
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.data := NEW.data || '{"noted": true}'; RETURN NEW; END $$;
SELECT docstore.create_collection('copies');
CREATE TRIGGER note BEFORE INSERT OR UPDATE ON copies FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE copies ENABLE REPLICA TRIGGER note;
SELECT docstore.upsert('copies', 'there', '{}');
CREATE TEMP TABLE writes (nr serial, verb text, statement text);
INSERT INTO writes (verb, statement) VALUES
	('create', $$ SELECT docstore.upsert('copies', 'new', '{}') $$),
	('update', $$ SELECT docstore.upsert('copies', 'there', '{}', 1) $$),
	('upsert_many', $$ SELECT docstore.upsert_many('copies', '{there,new}', '{"{}","{}"}', '{1,0}') $$),
	('save', $$ SELECT sum(version) FROM docstore.save('[{"op": "upsert", "collection": "copies", "id": "there", "data": {}, "expected": 1}, {"op": "upsert", "collection": "copies", "id": "new", "data": {}}]') $$);
PREPARE written AS
SELECT verb, pg_temp.both(format('SELECT pg_temp.then(%L, %L)', statement, 'SELECT string_agg(concat_ws('' '', id, version, data), '', '' ORDER BY id DESC) FROM copies')) FROM writes ORDER BY nr;
EXECUTE written;
SET session_replication_role = replica;
EXECUTE written;
RESET session_replication_role;
EXECUTE written;

DROP TABLE of_filled, of_preset, of_optional, parts, copies, creates, writes, l_filled, l_filled_streams, l_filled_consumers, l_preset, l_preset_streams, l_preset_consumers,
	l_optional, l_optional_streams, l_optional_consumers;
DROP DOMAIN filled, preset, optional;
DROP FUNCTION note;
