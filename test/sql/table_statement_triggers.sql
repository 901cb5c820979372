-- What the server asks for an open query for, in tables that have no AFTER trigger for each row: triggers for statements, transition
-- tables, partitions, foreign keys. Each way of writing them, by both engines
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE TABLE fired (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fired VALUES (format('%s %s on %s', TG_WHEN, TG_OP, TG_TABLE_NAME));
	RETURN NULL;
END
$$;
CREATE FUNCTION note_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fired SELECT format('%s %s on %s: %s', TG_WHEN, TG_OP, TG_TABLE_NAME, count(*)) FROM changed;
	RETURN NULL;
END
$$;

-- all that writes documents, heads and events; then what has fired
CREATE PROCEDURE pg_temp.write_all() LANGUAGE plpgsql AS $$
DECLARE
	what text;
BEGIN
	PERFORM docstore.upsert_many('d', '{a,b}', '{"{}","{}"}', NULL);
	PERFORM docstore.save('[{"op": "upsert", "collection": "d", "id": "a", "data": {}, "expected": "any"},
		{"op": "patch", "collection": "d", "id": "b", "data": {}, "expected": "any"},
		{"op": "upsert", "collection": "d", "id": "c", "data": {}}]');
	PERFORM docstore.try_save('[{"op": "delete", "collection": "d", "id": "a", "expected": "any"}, {"op": "delete", "collection": "d", "id": "b", "expected": "exists"}]');
	PERFORM docstore.upsert('d', 'c', '{}', -1), docstore.delete('d', 'c', -1);
	PERFORM docstore.append('l', 's', '[{"type": "Happened"}, {"type": "Happened"}]');
	PERFORM docstore.append('l', 's', '[{"type": "Happened"}]');
	PERFORM docstore.set_properties('l', 's', '{}', 2), docstore.create_stream('l', 't'), docstore.close_stream('l', 't', 0);
	PERFORM docstore.erase('l', 's');
	FOR what IN SELECT format('%s, %s times', f.what, count(*)) FROM fired AS f GROUP BY f.what ORDER BY f.what COLLATE "C" LOOP
		RAISE INFO '%', what;
	END LOOP;
	RAISE EXCEPTION USING errcode = 'ZZ000';
EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
	NULL;
END
$$;
CREATE PROCEDURE pg_temp.both_engines() LANGUAGE plpgsql AS $$
BEGIN
	CALL pg_temp.write_all();
	SET LOCAL docstore.engine = 'sql';
	CALL pg_temp.write_all();
END
$$;

SELECT docstore.create_collection('d'), docstore.create_log('l');
-- none
CALL pg_temp.both_engines();
-- before statements only, of every event and of one each
DO $$ BEGIN
	EXECUTE (SELECT string_agg(format('CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON %I FOR EACH STATEMENT EXECUTE FUNCTION note()', name), ';')
		FROM unnest('{d,l,l_streams}'::text[]) AS name);
END $$;
CALL pg_temp.both_engines();
DROP TRIGGER note ON l_streams;
CALL pg_temp.both_engines();
DROP TRIGGER note ON d; DROP TRIGGER note ON l;
-- after statements
CREATE TRIGGER note AFTER UPDATE ON d FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER note AFTER INSERT ON l FOR EACH STATEMENT EXECUTE FUNCTION note();
CALL pg_temp.both_engines();
DROP TRIGGER note ON d; DROP TRIGGER note ON l;
-- transition tables, without a trigger for rows
CREATE TRIGGER note AFTER INSERT ON d REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_rows();
CREATE TRIGGER note_old AFTER DELETE ON d REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_rows();
CREATE TRIGGER note AFTER INSERT ON l REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_rows();
CREATE TRIGGER note AFTER UPDATE ON l_streams REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_rows();
CALL pg_temp.both_engines();
-- more rows than go into one statement are one to triggers as well, and in their order
SELECT count(*), min(log_position) < max(log_position) AS grow
FROM docstore.append('l', 'long', (SELECT jsonb_agg(jsonb_build_object('type', 'Happened', 'data', jsonb_build_object('n', n))) FROM generate_series(1, 2500) AS n));
SELECT count(*), count(*) FILTER (WHERE data = jsonb_build_object('n', version)), bool_and(version = place) AS in_order
FROM (SELECT version, data, row_number() OVER (ORDER BY log_position) AS place FROM l WHERE stream = 'long') AS e;
SELECT cardinality(docstore.upsert_many('d', (SELECT array_agg('i' || n) FROM generate_series(1, 2500) AS n),
	(SELECT array_agg(jsonb_build_object('n', n)) FROM generate_series(1, 2500) AS n), NULL));
SELECT count(*) FROM d WHERE 'i' || (data ->> 'n') = id;
SELECT what FROM fired ORDER BY what COLLATE "C";
DELETE FROM fired; DELETE FROM d; DELETE FROM fired; TRUNCATE l, l_streams;
-- beside ones before
CREATE TRIGGER before BEFORE INSERT ON d FOR EACH STATEMENT EXECUTE FUNCTION note();
CALL pg_temp.both_engines();
-- disabled ones
ALTER TABLE d DISABLE TRIGGER ALL; ALTER TABLE l DISABLE TRIGGER ALL;
CALL pg_temp.both_engines();
DROP TABLE d, l, l_streams, l_consumers;

-- a partitioned table, whose partitions have triggers of their own
SELECT docstore.create_log('l');
CREATE TABLE d (id text PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY HASH (id);
CREATE TABLE d0 PARTITION OF d FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE d1 PARTITION OF d FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON d FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER note_part BEFORE INSERT OR UPDATE OR DELETE ON d0 FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER note_rows AFTER INSERT ON d0 FOR EACH ROW EXECUTE FUNCTION note();
CALL pg_temp.both_engines();
-- and a foreign key, which checks with triggers, to what the same batch makes
CREATE TABLE child (id text PRIMARY KEY, version bigint NOT NULL, data jsonb,
	parent text GENERATED ALWAYS AS (data ->> 'parent') STORED REFERENCES d);
CREATE TRIGGER note BEFORE INSERT ON child FOR EACH STATEMENT EXECUTE FUNCTION note();
SELECT item, target, version FROM docstore.save('[{"op": "upsert", "collection": "child", "id": "1", "data": {"parent": "p"}},
	{"op": "upsert", "collection": "d", "id": "p", "data": {}}]');

DROP TABLE child, d, l, l_streams, l_consumers, fired;
DROP FUNCTION note, note_rows;
