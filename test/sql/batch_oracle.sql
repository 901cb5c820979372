-- Random batches against an oracle in plain SQL that does one item after the other: same answers, same tables
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- collections of every kind, and a plain table that the oracle keeps
SELECT docstore.create_collection('c_text'), docstore.create_collection('c_integer', 'integer');
CREATE TABLE c_unique (id text PRIMARY KEY, version bigint NOT NULL, data jsonb, other text GENERATED ALWAYS AS (id || 'x') STORED UNIQUE);
CREATE TABLE c_parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY HASH (id);
CREATE TABLE c_part_0 PARTITION OF c_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE c_part_1 PARTITION OF c_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE c_trigger (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb, note text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := 'noted'; RETURN NEW; END $$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE ON c_trigger FOR EACH ROW EXECUTE FUNCTION note();
CREATE TEMP TABLE kept (collection text, id text, version bigint, data jsonb, PRIMARY KEY (collection, id));
CREATE TEMP TABLE wanted (item int, op text, collection text, id text, data jsonb, actual bigint, reason text);
CREATE TEMP TABLE answer (item int, id text, version bigint, reason text, actual bigint);

-- a random item: one of few ids, and of its expected versions about two in three hold
CREATE FUNCTION pg_temp.random_item(nr int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	in_collection text := (ARRAY['c_text', 'c_integer', 'c_unique', 'c_parts', 'c_trigger'])[1 + floor(random() * 5)];
	doc text := floor(random() * 12)::text;
	op text := (ARRAY['upsert', 'upsert', 'put', 'patch', 'patch', 'delete', 'assert'])[1 + floor(random() * 7)];
	data jsonb := jsonb_build_object('n', nr, 'k' || floor(random() * 3), random(), 'k' || floor(random() * 3), NULL);
	found bigint := (SELECT k.version FROM kept k WHERE k.collection = in_collection AND k.id = doc);
	expected jsonb := CASE floor(random() * 15) WHEN 0 THEN '0' WHEN 1 THEN '"exists"' WHEN 2 THEN to_jsonb(found + 1) WHEN 3 THEN '1'
		WHEN 4 THEN '"any"' ELSE COALESCE(to_jsonb(found), '"none"') END;
BEGIN
	IF op = 'delete' AND COALESCE(expected, 'null') IN ('0', '"none"', 'null') THEN
		expected := '"any"';
	END IF;
	IF op = 'put' THEN
		RETURN jsonb_build_object('op', op, 'data', data || jsonb_build_object('@metadata',
			jsonb_build_object('collection', in_collection, 'id', doc, 'version', expected)));
	END IF;
	RETURN jsonb_build_object('op', op, 'collection', in_collection, 'id', doc, 'expected', expected)
		|| CASE WHEN op IN ('upsert', 'patch') THEN jsonb_build_object('data', data) ELSE '{}' END;
END
$$;

-- an item to put says in its document what others say beside it
CREATE FUNCTION pg_temp.plain_item(item jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT CASE item ->> 'op' WHEN 'put' THEN item || (item #> '{data,@metadata}')
		|| jsonb_build_object('expected', item #> '{data,@metadata,version}', 'data', (item -> 'data') - '@metadata') ELSE item END $$;

-- what is in the way of an item, if anything
CREATE FUNCTION pg_temp.reason(expected jsonb, version bigint) RETURNS text LANGUAGE sql AS $$
	SELECT CASE
		WHEN expected = '"any"' THEN NULL
		WHEN COALESCE(expected, 'null') IN ('0', 'null', '"none"') THEN CASE WHEN version IS NOT NULL THEN 'exists' END
		WHEN version IS NULL THEN 'missing'
		WHEN expected <> '"exists"' AND expected <> to_jsonb(version) THEN 'stale' END $$;

CREATE FUNCTION pg_temp.play(rounds int) RETURNS TABLE (batches_saved bigint, batches_refused bigint, differing bigint) LANGUAGE plpgsql AS $$
DECLARE
	items jsonb;
	conflict boolean;
	saved bigint := 0;
	refused bigint := 0;
	differences bigint := 0;
	detail text;
BEGIN
	FOR round IN 1..rounds LOOP
		-- each document once
		items := (SELECT jsonb_agg(i.item ORDER BY i.nr) FROM (
			SELECT DISTINCT ON (plain ->> 'collection', plain ->> 'id') item, nr
			FROM generate_series(1, 1 + floor(random() * 1.5 ^ (round % 8))::int) nr, pg_temp.random_item(nr) item, pg_temp.plain_item(item) plain) i);
		INSERT INTO wanted
			SELECT nr AS item, i ->> 'op' AS op, i ->> 'collection' AS collection, i ->> 'id' AS id, i -> 'data' AS data,
				k.version AS actual, pg_temp.reason(i -> 'expected', k.version) AS reason
			FROM jsonb_array_elements(items) WITH ORDINALITY e(item, nr) CROSS JOIN pg_temp.plain_item(item) i
				LEFT JOIN kept k ON k.collection = i ->> 'collection' AND k.id = i ->> 'id';
		conflict := EXISTS (SELECT FROM wanted w WHERE w.reason IS NOT NULL);

		IF round % 2 = 0 THEN
			INSERT INTO answer SELECT t.item, t.id, t.version, t.reason, t.actual FROM docstore.try_save(items) t;
			differences := differences + (SELECT count(*) FROM answer a FULL JOIN wanted w USING (item)
				WHERE a.id IS DISTINCT FROM w.id OR a.reason IS DISTINCT FROM w.reason OR a.actual IS DISTINCT FROM w.actual
					OR (conflict AND a.version IS NOT NULL));
		ELSE
			BEGIN
				INSERT INTO answer SELECT s.item, s.id, s.version FROM docstore.save(items) s;
				differences := differences + conflict::int;
			EXCEPTION WHEN SQLSTATE 'PT409' THEN
				GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
				differences := differences + (SELECT count(*) FROM docstore.violations(detail) v FULL JOIN
					(SELECT * FROM wanted w WHERE w.reason IS NOT NULL) w USING (item)
					WHERE v.id IS DISTINCT FROM w.id OR v.reason IS DISTINCT FROM w.reason OR v.actual IS DISTINCT FROM w.actual);
			END;
		END IF;

		IF conflict THEN
			refused := refused + 1;
		ELSE
			saved := saved + 1;
			-- versions: one more for an update, the one found for others; that of a new document is docstore's to choose
			differences := differences + (SELECT count(*) FROM answer a FULL JOIN wanted w USING (item)
				WHERE a.version IS DISTINCT FROM w.actual + (w.op IN ('upsert', 'put', 'patch'))::int
					AND NOT (w.op IN ('upsert', 'put', 'patch') AND w.actual IS NULL AND a.version > 0));
			-- a patch leaves what it does not name, of what was there; its own members are all scalars
			UPDATE wanted w SET data = COALESCE((SELECT k.data - ARRAY(SELECT jsonb_object_keys(w.data)) FROM kept k
				WHERE k.collection = w.collection AND k.id = w.id), '{}') || jsonb_strip_nulls(w.data) WHERE w.op = 'patch';
			DELETE FROM kept k USING wanted w WHERE w.op <> 'assert' AND k.collection = w.collection AND k.id = w.id;
			INSERT INTO kept SELECT w.collection, w.id, a.version, w.data FROM wanted w JOIN answer a USING (item) WHERE w.op IN ('upsert', 'put', 'patch');
		END IF;
		differences := differences + (SELECT count(*) FROM kept k FULL JOIN (
			SELECT 'c_text' AS collection, id, version, data FROM c_text UNION ALL SELECT 'c_integer', id::text, version, data FROM c_integer
			UNION ALL SELECT 'c_unique', id, version, data FROM c_unique UNION ALL SELECT 'c_parts', id, version, data FROM c_parts
			UNION ALL SELECT 'c_trigger', id::text, version, data FROM c_trigger) d USING (collection, id)
			WHERE (k.version, k.data) IS DISTINCT FROM (d.version, d.data));
		DELETE FROM wanted;
		DELETE FROM answer;
	END LOOP;
	RETURN QUERY VALUES (saved, refused, differences);
END
$$;
CREATE FUNCTION pg_temp.verdict_of(rounds int) RETURNS TABLE (many_saved boolean, many_refused boolean, differences bigint) LANGUAGE sql AS $$
	SELECT batches_saved > rounds / 10, batches_refused > rounds / 10, differing FROM pg_temp.play(rounds) $$;
SELECT setseed(0.5) \gset
SELECT * FROM pg_temp.verdict_of(1000);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM pg_temp.verdict_of(300);
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM pg_temp.verdict_of(300);
COMMIT;
-- whatever plans the server is told to make
SET plan_cache_mode = force_custom_plan;
SET enable_nestloop = off;
SET enable_indexscan = off;
SET enable_tidscan = off;
SET jit = off;
SELECT * FROM pg_temp.verdict_of(300);
RESET plan_cache_mode;
RESET enable_nestloop;
RESET enable_indexscan;
RESET enable_tidscan;
RESET jit;

DROP TABLE c_text, c_integer, c_unique, c_parts, c_trigger, kept, wanted, answer;
DROP FUNCTION note;
