-- The functions behind docstore's triggers, in triggers that somebody else makes: every one of them, of every event, on every kind of
-- table. They do what they are for where they fit, and are 39P01 elsewhere
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('c'), docstore.create_log('l');
CREATE TABLE other (id text PRIMARY KEY, version text, data jsonb);

CREATE TEMP TABLE tried (function text, trigger text, code text);
CREATE PROCEDURE pg_temp.try_trigger(function text, name text, fires text, level text) LANGUAGE plpgsql AS $$
DECLARE
	code text := 'ok';
BEGIN
	EXECUTE format('CREATE TRIGGER own %s ON %I FOR EACH %s EXECUTE FUNCTION docstore_internal.%s', fires, name, level, function);
	BEGIN
		IF name = 'l' THEN
			INSERT INTO l (log_position, version, generation, transaction_id, stream, type, data) OVERRIDING SYSTEM VALUE VALUES (1, 1, 1, '1', 's', 't', '{}');
		ELSE
			EXECUTE format('INSERT INTO %I VALUES (''a'', 1, ''{}'')', name);
		END IF;
		EXECUTE format('UPDATE %I SET version = version; DELETE FROM %1$I; TRUNCATE %1$I', name);
	EXCEPTION WHEN others THEN
		code := SQLSTATE;
	END;
	RAISE EXCEPTION USING errcode = 'ZZ000';
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN
		INSERT INTO tried VALUES (function, format('%s, %s, %s', name, fires, lower(level)), code);
	WHEN feature_not_supported THEN
		NULL; -- of TRUNCATE, for each row
END
$$;
DO $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT function, name, moment || ' ' || event AS fires, level
		FROM unnest(ARRAY['guard_row(''version'')', 'guard_row()', 'guard_delete()', 'guard_truncate()', 'notify_log()', 'replicate_event()']) AS function,
			unnest('{c,l,other}'::text[]) AS name, unnest('{BEFORE,AFTER}'::text[]) AS moment,
			unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) AS event, unnest('{ROW,STATEMENT}'::text[]) AS level
	LOOP
		CALL pg_temp.try_trigger(t.function, t.name, t.fires, t.level);
	END LOOP;
END $$;
SELECT function, code, count(*), CASE code WHEN '39P01' THEN '...' ELSE string_agg(trigger, '; ' ORDER BY trigger COLLATE "C") END AS triggers
FROM tried GROUP BY function, code ORDER BY function COLLATE "C", code COLLATE "C";

-- TRUNCATE ONLY of a guarded table does not look at what inherits from it, which has ids of its own and is not locked
CREATE TABLE parent (id text PRIMARY KEY, version bigint NOT NULL, data jsonb);
CREATE TABLE heir () INHERITS (parent);
SELECT docstore.guard('parent');
INSERT INTO parent VALUES ('a', 3, '{}');
INSERT INTO heir VALUES ('a', 77, '{}');
TRUNCATE ONLY parent;
SELECT docstore.upsert('parent', 'a', '{}');

DROP TABLE c, l, l_streams, l_consumers, other, tried, heir, parent;
