-- PL/pgSQL, savepoints and prepared statements: conflicts are caught, what was written before them stays or goes as it should
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');
SELECT docstore.upsert_many('shops', '{a,b}', '{"{\"n\": 0}","{\"n\": 0}"}', NULL);

-- load, change, save, and again after a conflict
CREATE FUNCTION pg_temp.add(shop text, amount int, stale_tries int DEFAULT 0) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	doc record;
	detail text;
	violation record;
BEGIN
	LOOP
		SELECT * INTO doc FROM docstore.load('shops', shop);
		stale_tries := stale_tries - 1;
		BEGIN
			RETURN docstore.upsert('shops', shop, jsonb_set(doc.data, '{n}', to_jsonb((doc.data ->> 'n')::int + amount)),
								   doc.version - (stale_tries >= 0)::int);
		EXCEPTION WHEN SQLSTATE 'PT409' THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			SELECT * INTO violation FROM docstore.violations(detail);
			RAISE INFO '% is at %, not at %: again', violation.id, violation.actual, violation.expected;
		END;
	END LOOP;
END
$$;
SELECT pg_temp.add('a', 5), pg_temp.add('a', 7, 2);
SELECT version, data FROM docstore.load('shops', 'a');

-- assignments and conditions are simple expressions, whatever subtransaction the call uses inside
DO $$
DECLARE
	v bigint;
	vs bigint[];
	caught int := 0;
BEGIN
	FOR i IN 1..50 LOOP
		v := docstore.upsert('shops', 'simple', '{}', -1);
		vs := docstore.upsert_many('shops', ARRAY['simple', 'many' || i, 'more' || i], '{"{}","{}","{}"}', ARRAY[v, -1, 0]);
		IF docstore.delete('shops', 'many' || i, vs[2]) IS NULL THEN
			RAISE 'not deleted';
		END IF;
		BEGIN
			v := docstore.upsert('shops', 'simple', '{}', v);
		EXCEPTION WHEN SQLSTATE 'PT409' THEN
			caught := caught + 1;
		END;
		BEGIN
			vs := docstore.upsert_many('shops', '{lost,simple}', '{"{}","{}"}', '{-1,1}');
		EXCEPTION WHEN SQLSTATE 'PT409' THEN
			caught := caught + 1;
		END;
		PERFORM * FROM docstore.try_save('[{"op": "upsert", "collection": "shops", "id": "lost2", "data": {}, "expected": "any"},
			{"op": "upsert", "collection": "shops", "id": "simple", "data": {}}]') WHERE reason = 'exists';
		caught := caught + FOUND::int;
	END LOOP;
	RAISE INFO 'caught %, simple at %', caught, (SELECT version FROM docstore.load('shops', 'simple'));
END
$$;
SELECT count(*) FILTER (WHERE id ~ '^many') AS many, count(*) FILTER (WHERE id ~ '^more') AS more,
	count(*) FILTER (WHERE id ~ '^lost') AS lost FROM shops;

-- a plan that is made inside a subtransaction that is rolled back can be used after it
DO $$
BEGIN
	PERFORM docstore.create_collection('fresh');
	BEGIN
		PERFORM docstore.upsert('fresh', 'a', '{}'), docstore.upsert('fresh', 'a', '{}', 1);
		PERFORM docstore.upsert_many('fresh', '{a,b}', '{"{}","{}"}', '{2,-1}');
		RAISE EXCEPTION 'take it back';
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
	PERFORM docstore.upsert('fresh', 'a', '{}'), docstore.upsert('fresh', 'a', '{}', 1);
	PERFORM docstore.upsert_many('fresh', '{a,b}', '{"{}","{}"}', '{2,-1}');
END
$$;
SELECT id, version FROM fresh ORDER BY id;

-- savepoints
BEGIN;
SELECT docstore.upsert('fresh', 'a', '{}', 3);
SAVEPOINT s;
SELECT docstore.upsert('fresh', 'a', '{}', 4);
SELECT docstore.upsert_many('fresh', '{b,c}', '{"{}","{}"}', '{1,-1}');
ROLLBACK TO s;
SELECT docstore.upsert('fresh', 'a', '{}', 5);
ROLLBACK TO s;
SELECT docstore.upsert_many('fresh', '{b,a}', '{"{}","{}"}', '{1,4}');
RELEASE s;
COMMIT;
SELECT id, version FROM fresh ORDER BY id;

-- a conflict ends the transaction, and with it what came before
BEGIN;
SELECT docstore.upsert('fresh', 'before', '{}');
SELECT docstore.upsert('fresh', 'a', '{}', 1);
SELECT docstore.upsert('fresh', 'after', '{}');
COMMIT;
SELECT count(*) FROM fresh;

-- prepared statements, with plans for any and for these parameters
PREPARE put(regclass, text, jsonb, bigint) AS SELECT docstore.upsert($1, $2, $3, $4);
PREPARE work(jsonb) AS SELECT item, version FROM docstore.save($1);
EXECUTE put('fresh', 'a', '{}', 5);
EXECUTE put('fresh', 'a', '{}', 5);
SET plan_cache_mode = force_generic_plan;
EXECUTE put('fresh', 'a', '{}', 6);
EXECUTE put('shops', 'a', '{}', 3);
EXECUTE put('shops', 'a', '{}', NULL);
EXECUTE work('[{"op": "upsert", "collection": "fresh", "id": "a", "data": {}, "expected": 7}]');
EXECUTE work('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}, "expected": 7}]');
RESET plan_cache_mode;
DEALLOCATE ALL;

-- a procedure that commits between calls, and goes on after a conflict
CREATE PROCEDURE pg_temp.rounds() LANGUAGE plpgsql AS $$
DECLARE
	v bigint := 0;
BEGIN
	FOR i IN 1..3 LOOP
		v := docstore.upsert('fresh', 'round', '{}', v);
		PERFORM docstore.save('[{"op": "upsert", "collection": "fresh", "id": "round2", "data": {}, "expected": "any"},
			{"op": "upsert", "collection": "fresh", "id": "round3", "data": {}, "expected": "any"}]');
		COMMIT;
		PERFORM docstore.upsert('fresh', 'round', '{}', v);
		ROLLBACK;
	END LOOP;
END
$$;
CALL pg_temp.rounds();
SELECT id, version FROM fresh WHERE id ~ '^round' ORDER BY id;

-- a cursor over one function, while another writes; a set-returning function in a select list
BEGIN;
DECLARE c CURSOR FOR SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "fresh", "id": "a", "data": {}, "expected": 8},
	{"op": "upsert", "collection": "fresh", "id": "b", "data": {}, "expected": 2}]');
FETCH 1 FROM c;
SELECT docstore.upsert('fresh', 'a', '{}', 9);
FETCH ALL FROM c;
COMMIT;
SELECT (docstore.try_save('[{"op": "assert", "collection": "fresh", "id": "a", "expected": 1}]')).*;
CREATE TABLE made AS SELECT * FROM docstore.save('[{"op": "upsert", "collection": "fresh", "id": "b", "data": {}, "expected": 3}]');
TABLE made;

-- reading and writing in one statement, and in the same transaction: what it wrote before, it sees
BEGIN;
SELECT docstore.upsert('fresh', 'b', '{"n": 1}', 4);
SELECT version, data FROM docstore.load('fresh', 'b');
SELECT docstore.upsert('fresh', 'b', '{"n": 2}', (SELECT version FROM docstore.load('fresh', 'b')));
COMMIT;
SELECT sum(docstore.upsert('fresh', 'b', '{}', i)) FROM generate_series(6, 9) i;

-- memory: thousands of calls of each kind leave nothing behind
CREATE PROCEDURE pg_temp.work(n int) LANGUAGE plpgsql AS $$
DECLARE
	v bigint := (docstore.load('fresh', 'a')).version;
BEGIN
	FOR i IN 1..n LOOP
		v := docstore.upsert('fresh', 'a', '{"n": 1}', v);
		v := (docstore.upsert_many('fresh', '{a,b}', '{"{}","{}"}', ARRAY[v, -1]))[1];
		PERFORM docstore.load('fresh', 'a'), docstore.load_many('fresh', '{a,b}');
		PERFORM docstore.try_save('[{"op": "upsert", "collection": "fresh", "id": "a", "data": {}, "expected": 1}]');
		IF i % 10 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END
$$;
CALL pg_temp.work(100);
SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \gset
CALL pg_temp.work(5000);
SELECT sum(total_bytes) - :before < 100000 AS steady FROM pg_backend_memory_contexts;

DROP TABLE shops, fresh, made;
