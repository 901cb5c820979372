-- What the planner is told of docstore.load() and docstore.load_many(), and what it makes of it
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');
CREATE TABLE visits (shop text NOT NULL, day date NOT NULL, PRIMARY KEY (shop, day));
INSERT INTO visits SELECT 's' || i, '2026-01-01' FROM generate_series(1, 10000) i;
ANALYZE visits;
SELECT count(docstore.upsert('shops', 's' || i, '{}')) FROM generate_series(1, 1000) i;

-- the estimate of a query's topmost node, and the nodes of a plan from the top
CREATE FUNCTION pg_temp.estimate(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END
$$;
CREATE FUNCTION pg_temp.nodes(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ '->|^[^ ]' THEN
			RETURN NEXT line;
		END IF;
	END LOOP;
END
$$;

-- one row for load; for load_many as many as there are ids, be they constants or expressions
SELECT pg_temp.estimate($$ SELECT * FROM docstore.load('shops', 's1') $$) AS load,
	pg_temp.estimate($$ SELECT * FROM docstore.load('shops', 's1', 7) $$) AS unless_version,
	pg_temp.estimate($$ SELECT * FROM docstore.load_many('shops', '{s1}') $$) AS one,
	pg_temp.estimate($$ SELECT * FROM docstore.load_many('shops', '{s1,s2,s3,s4,s5,s6,s7}') $$) AS seven,
	pg_temp.estimate($$ SELECT * FROM docstore.load_many('shops', ARRAY['s1', 's2', 's3']) $$) AS three,
	pg_temp.estimate($$ SELECT * FROM docstore.load_many('shops', ARRAY['s1', random()::text]) $$) AS two,
	pg_temp.estimate($$ SELECT * FROM docstore.load_many('shops', ARRAY(SELECT shop FROM visits)) $$) AS unknown,
	pg_temp.estimate(format('SELECT * FROM docstore.load_many(%L, %L)', 'shops', (SELECT array_agg('s' || i) FROM generate_series(1, 1000) i))) AS thousand,
	pg_temp.estimate($$ SELECT docstore.load_many('shops', '{s1,s2,s3}') $$) AS in_select;
-- none, NULL, and by name
SELECT pg_temp.estimate($$ SELECT * FROM docstore.load_many('shops', '{}') $$) AS none,
	pg_temp.estimate($$ SELECT * FROM docstore.load_many('shops', NULL) $$) AS "null",
	pg_temp.estimate($$ SELECT * FROM docstore.load_many(ids => ARRAY['s1', 's2'], collection => 'shops') $$) AS by_name,
	pg_temp.estimate($$ SELECT * FROM docstore.load_many('shops', '{s1,s2}'::varchar[]) $$) AS coerced;
-- a parameter, when it is planned with its value
PREPARE by_ids (text[]) AS SELECT id FROM docstore.load_many('shops', $1);
SELECT pg_temp.estimate($$ EXECUTE by_ids('{s1,s2,s3,s4}') $$);
SET plan_cache_mode = force_generic_plan;
SELECT pg_temp.estimate($$ EXECUTE by_ids('{s1,s2,s3,s4}') $$);
RESET plan_cache_mode;

-- few documents joined with a table of 10,000 rows: its index is used; many: the table is read once
SELECT pg_temp.nodes($$ SELECT * FROM docstore.load_many('shops', ARRAY['s1', 's2', 's3']) d JOIN visits v ON v.shop = d.id $$);
SELECT count(*) FROM docstore.load_many('shops', ARRAY['s1', 's2', 's3']) d JOIN visits v ON v.shop = d.id;
SELECT pg_temp.nodes($$ SELECT * FROM docstore.load('shops', 's1') d JOIN visits v ON v.shop = d.id $$);
SELECT pg_temp.nodes(format('SELECT * FROM docstore.load_many(%L, %L) d JOIN visits v ON v.shop = d.id', 'shops',
	(SELECT array_agg('s' || i) FROM generate_series(1, 1000) i)));

-- it answers nobody but the planner: minor releases have a code of their own for it
SELECT pg_temp.verdict($$ SELECT docstore_internal.load_many_support(NULL) $$) IN ('42883', '0A000') AS is_refused;

DROP TABLE shops, visits;
