-- Deferred conflicts: a call with a violation returns NULL, check_conflicts() and COMMIT raise one conflict with all of them
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops'), docstore.create_collection('stock', 'integer');
SELECT docstore.upsert_many('shops', '{a,b,c}', '{"{}","{}","{}"}', NULL), docstore.upsert('stock', '7', '{}');

-- The pending violations, as check_conflicts() raises them; the block takes nothing else back.
CREATE FUNCTION pg_temp.pending() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	code text; message text; detail text; constr text; schema text; tab text;
BEGIN
	PERFORM docstore.check_conflicts();
	RETURN 'none';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
		constr = CONSTRAINT_NAME, schema = SCHEMA_NAME, tab = TABLE_NAME;
	RETURN pg_catalog.concat_ws(' | ', code, message, constr, schema || '.' || tab,
		(SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', v.item, v.op, v.id, v.reason), ', ') FROM docstore.violations(detail) v));
END
$$;

-- nothing is pending without a call, in either mode
SELECT docstore.check_conflicts();
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.upsert('shops', 'new', '{}'), docstore.check_conflicts();
COMMIT;
SHOW docstore.conflicts;

-- every function: NULL where the expectation does not hold, and nothing written; COMMIT raises them all, and so rolls back
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.upsert('shops', 'a', '{"n": 1}', 1);
SELECT docstore.upsert('shops', 'a', '{"n": 2}', 1);
SELECT docstore.delete('stock', '7', 3);
SELECT docstore.delete('stock', '8', docstore.any_version());
SELECT docstore.upsert_many('shops', '{b,c,d}', '{"{}","{}","{}"}', '{1,9,9}');
SELECT docstore.upsert_many('shops', '{b,d}', '{"{}","{}"}', '{1,0}');
SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "e", "data": {}, "expected": "any"},
	{"op": "assert", "collection": "stock", "id": 7, "expected": 5},
	{"op": "upsert", "collection": "shops", "id": "a", "data": {}}]');
SELECT * FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "f", "data": {}}]');
SELECT * FROM docstore.save('[]');
SELECT id, version, data FROM shops ORDER BY id COLLATE "C";
SELECT pg_temp.pending();
COMMIT;
SELECT id, version, data FROM shops ORDER BY id COLLATE "C";
SELECT docstore.check_conflicts();

-- the same item is found stale at its place in a batch, not where the batch has written it and taken it back
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a0", "data": {}},
	{"op": "upsert", "collection": "shops", "id": "b", "data": {}}]');
SELECT docstore.upsert('shops', 'a0', '{}', 5);
SELECT pg_temp.pending();
ROLLBACK;

-- try_save() remembers nothing, and its items are not counted
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT reason FROM docstore.try_save('[{"op": "assert", "collection": "shops", "id": "a", "expected": 9}]');
SELECT docstore.upsert('shops', 'new', '{}', 1);
COMMIT;
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT reason FROM docstore.try_save('[{"op": "assert", "collection": "shops", "id": "a", "expected": 9}]');
SELECT docstore.upsert('shops', 'new', '{}', 4);
COMMIT;

-- back to immediate: only the call's own violation is raised at once, and what is pending stays
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.upsert('shops', 'a', '{}', 9);
SET LOCAL docstore.conflicts = 'immediate';
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'b', '{}', 8) $$);
SELECT docstore.upsert('shops', 'b', '{}', 1);
SELECT pg_temp.pending();
COMMIT;

-- ROLLBACK TO SAVEPOINT forgets what it undid, numbers too; RELEASE does not
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.upsert('shops', 'a', '{}', 9);
SAVEPOINT one;
SELECT docstore.delete('stock', '7', 9);
SAVEPOINT two;
SELECT docstore.upsert('shops', 'b', '{}', 9);
SAVEPOINT three;
SELECT docstore.upsert('shops', 'c', '{}', 9);
SELECT pg_temp.pending();
ROLLBACK TO three;
SELECT pg_temp.pending();
SELECT docstore.upsert('shops', 'new', '{}', 9);
RELEASE two;
SELECT pg_temp.pending();
ROLLBACK TO one;
SELECT pg_temp.pending();
SELECT docstore.upsert('shops', 'c', '{}', 8);
RELEASE one;
SELECT pg_temp.pending();
SAVEPOINT four;
SAVEPOINT five;
SELECT docstore.upsert('shops', 'x', '{}', 8);
RELEASE five;
SELECT pg_temp.pending();
SAVEPOINT six;
SELECT docstore.upsert('shops', 'y', '{}', 8);
ROLLBACK TO six;
SELECT pg_temp.pending();
ROLLBACK TO four;
SELECT pg_temp.pending();
-- a check that fails does not make COMMIT forget
SELECT docstore.check_conflicts();
ROLLBACK TO four;
COMMIT;
-- all of it undone: the transaction commits
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.upsert('shops', 'a', '{"kept": true}', 1);
SAVEPOINT one;
SELECT docstore.upsert('shops', 'b', '{}', 9);
ROLLBACK TO one;
COMMIT;
BEGIN;
SAVEPOINT one;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.upsert('shops', 'b', '{}', 9);
ROLLBACK TO one;
SHOW docstore.conflicts;
SELECT docstore.upsert('shops', 'b', '{"kept": true}', 1);
COMMIT;
SELECT id, version FROM shops WHERE data ? 'kept';

-- the blocks of PL/pgSQL are subtransactions, too; an error keeps what was pending before its block
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
DO $$
BEGIN
	PERFORM docstore.upsert('shops', 'a', '{}', 7);
	BEGIN
		PERFORM docstore.upsert('shops', 'b', '{}', 8);
		BEGIN
			PERFORM docstore.upsert('shops', 'c', '{}', 9);
		EXCEPTION WHEN division_by_zero THEN
		END;
		PERFORM 1 / 0;
	EXCEPTION WHEN division_by_zero THEN
	END;
	BEGIN
		PERFORM docstore.upsert('stock', '7', '{}', 10);
	EXCEPTION WHEN division_by_zero THEN
	END;
END
$$;
SELECT pg_temp.pending();
-- other errors are raised as ever
CALL pg_temp.try($$ SELECT docstore.upsert('shops', '', '{}', 1) $$);
CALL pg_temp.try($$ SELECT docstore.upsert('stock', 'x', '{}', 1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "upsert", "collection": "shops", "id": "a", "data": {}}, {"op": "assert", "collection": "shops", "id": "a", "expected": 1}]') $$);
SELECT pg_temp.pending();
ROLLBACK;

-- at most docstore.max_violations are kept, all are counted; what a rollback undid makes room
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SET LOCAL docstore.max_violations = 2;
SELECT docstore.upsert('shops', 'a', '{}', 7);
SAVEPOINT one;
SELECT docstore.upsert_many('shops', '{b,c,d}', '{"{}","{}","{}"}', '{7,7,7}');
SELECT pg_temp.pending();
ROLLBACK TO one;
SELECT docstore.upsert_many('stock', '{5,6,7}', '{"{}","{}","{}"}', '{7,7,1}');
COMMIT;

-- outside of a transaction block each statement is one; its calls share the conflict
SET docstore.conflicts = 'deferred';
SELECT docstore.upsert('shops', id, '{}', 7) FROM unnest('{a,b,nobody}'::text[]) id;
SELECT docstore.upsert('shops', 'a', '{}', 2);
-- a cursor counts when it is read, one that is held when the transaction ends
BEGIN;
DECLARE calls CURSOR FOR SELECT docstore.upsert('shops', id, '{}', 7) FROM unnest('{a,b,c}'::text[]) id;
FETCH 1 FROM calls;
SELECT pg_temp.pending();
SAVEPOINT one;
FETCH 1 FROM calls;
SELECT pg_temp.pending();
ROLLBACK TO one;
SELECT pg_temp.pending();
ROLLBACK;
BEGIN;
DECLARE calls CURSOR WITH HOLD FOR SELECT docstore.upsert('shops', id, '{}', 7) FROM unnest('{a,b}'::text[]) id;
COMMIT;
-- COMMIT within a procedure raises, and the procedure ends
CREATE PROCEDURE pg_temp.commit_between() LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.upsert('shops', 'first', '{}');
	COMMIT;
	PERFORM docstore.upsert('shops', 'second', '{}');
	PERFORM docstore.upsert('shops', 'first', '{}');
	COMMIT;
	PERFORM docstore.upsert('shops', 'third', '{}');
END
$$;
CALL pg_temp.commit_between();
SELECT string_agg(id, ', ' ORDER BY id COLLATE "C") FROM shops;
RESET docstore.conflicts;
-- calls of a deferred constraint trigger, which runs at COMMIT, and of a trigger within a batch
CREATE FUNCTION pg_temp.note_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.upsert('stock', '7', '{}', 99);
	RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER note AFTER INSERT ON shops DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.note_stock();
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.upsert('shops', 'with trigger', '{}');
SELECT pg_temp.pending();
COMMIT;
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SET CONSTRAINTS note IMMEDIATE;
SELECT docstore.upsert_many('shops', '{x,y}', '{"{}","{}"}', NULL);
SELECT pg_temp.pending();
ROLLBACK;
DROP TRIGGER note ON shops;
-- a violation of a trigger's call is forgotten when the batch that fired it is taken back
CREATE FUNCTION pg_temp.note_shop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.upsert('stock', '7', '{}', 99);
	RETURN NEW;
END
$$;
CREATE TRIGGER note BEFORE INSERT ON shops FOR EACH ROW EXECUTE FUNCTION pg_temp.note_shop();
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.upsert_many('shops', '{x,y}', '{"{}","{}"}', NULL);
SELECT pg_temp.pending();
SELECT docstore.upsert_many('shops', '{z,b}', '{"{}","{}"}', NULL);
SELECT pg_temp.pending();
ROLLBACK;
DROP TRIGGER note ON shops;

-- the collection may be gone when the conflict is raised
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.create_collection('gone');
SELECT docstore.upsert('gone', 'a', '{}', 1);
SELECT pg_temp.pending();
DROP TABLE gone;
SELECT pg_temp.pending();
COMMIT;

-- docstore.checks = off has nothing to defer; a read-only transaction refuses as ever
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SET LOCAL docstore.checks = off;
SELECT docstore.upsert('shops', 'b', '{}', 77);
COMMIT;
BEGIN READ ONLY;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.check_conflicts();
SELECT docstore.upsert('shops', 'b', '{}', 77);
ROLLBACK;
SET docstore.conflicts = 'later';

-- a deferred conflict has the SQLSTATE of all conflicts
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SET LOCAL docstore.conflict_sqlstate = 'DS001';
SELECT docstore.upsert('shops', 'b', '{}', 77);
COMMIT;
\echo :LAST_ERROR_SQLSTATE

-- 100,000 violations in one transaction, half of them in subtransactions that are rolled back: the memory does not grow
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
CREATE FUNCTION pg_temp.violate(count int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. count LOOP
		PERFORM docstore.upsert('shops', 'b', '{}', 77);
		BEGIN
			PERFORM docstore.delete('stock', '7', 77);
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN
		END;
	END LOOP;
END
$$;
SELECT pg_temp.violate(500);
SELECT sum(used_bytes) AS used FROM pg_backend_memory_contexts WHERE name = 'TopTransactionContext' \gset before_
SELECT pg_temp.violate(50000);
SELECT sum(used_bytes) - :before_used < 16384 AS bounded FROM pg_backend_memory_contexts WHERE name = 'TopTransactionContext';
SELECT substring(pg_temp.pending() FROM 'version conflict: .* version') AS message;
ROLLBACK;

SELECT id, version FROM shops ORDER BY id COLLATE "C";
DROP TABLE shops, stock;

-- patch() and put() return NULL, too, and are counted as the others
SELECT docstore.create_collection('patched');
SELECT docstore.upsert('patched', 'a', '{}');
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SELECT docstore.patch('patched', 'a', '{"n": 1}', 7) IS NULL AS patch, docstore.put('{"@metadata": {"collection": "patched", "id": "b", "version": 1}}') IS NULL AS put;
SELECT docstore.patch('patched', 'a', '{"n": 1}', 1);
COMMIT;
SELECT id, version, data FROM patched;
DROP TABLE patched;

-- a violation that an inner savepoint hands on when it is released is undone with the one that it is handed to, which nothing had touched before
SELECT docstore.create_collection('nested');
SELECT docstore.upsert('nested', 'b', '{}');
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SAVEPOINT a;
SELECT docstore.upsert('nested', 'fresh', '{"kept": true}');
SAVEPOINT b;
SAVEPOINT c;
SELECT docstore.upsert('nested', 'b', '{}', 9);
RELEASE c;
SELECT pg_temp.pending();
ROLLBACK TO b;
SELECT pg_temp.pending();
COMMIT;
SELECT version, data FROM docstore.load('nested', 'fresh');
-- so is that of a batch, inside two savepoints; an item that expects "any" runs it in a subtransaction of its own
BEGIN;
SET LOCAL docstore.conflicts = 'deferred';
SAVEPOINT a;
SAVEPOINT b;
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "nested", "id": "fresh", "data": {}, "expected": "any"}, {"op": "upsert", "collection": "nested", "id": "b", "data": {}, "expected": 9}]');
SELECT pg_temp.pending();
RELEASE b;
SELECT pg_temp.pending();
ROLLBACK TO a;
SELECT pg_temp.pending();
SAVEPOINT b;
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "nested", "id": "fresh", "data": {}, "expected": "any"}, {"op": "upsert", "collection": "nested", "id": "b", "data": {}, "expected": 9}]');
RELEASE b;
RELEASE a;
SELECT pg_temp.pending();
COMMIT;
DROP TABLE nested;
