-- What history gives up: docstore.prune_history(), erase_history(). F11 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- Documents whose versions were written so many days ago, oldest first; a NULL is a deletion. Days are counted from noon of one day.
SELECT docstore.create_collection('shops');
SELECT docstore.track('shops');
CREATE PROCEDURE pg_temp.live(document text, VARIADIC days int[]) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. cardinality(days) LOOP
		PERFORM docstore.upsert('shops', document, jsonb_build_object('n', i), docstore.any_version());
		UPDATE shops_history SET recorded_at = now() - make_interval(days => days[i]) WHERE id = document AND version = (SELECT max(version) FROM shops_history WHERE id = document);
	END LOOP;
END $$;
CREATE PROCEDURE pg_temp.die(document text, days int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM docstore.delete('shops', document, docstore.any_version());
	UPDATE shops_history SET recorded_at = now() - make_interval(days => days) WHERE id = document AND version = (SELECT max(version) FROM shops_history WHERE id = document);
END $$;
-- What is left, and what a pruning would leave.
CREATE FUNCTION pg_temp.left() RETURNS text LANGUAGE sql BEGIN ATOMIC
	SELECT string_agg(id || versions, ' ' ORDER BY id COLLATE "C") FROM (SELECT id, array_agg(version ORDER BY version)::text AS versions FROM shops_history GROUP BY id) AS h;
END;
CREATE PROCEDURE pg_temp.prune(arguments text) LANGUAGE plpgsql AS $$
DECLARE
	pruned bigint;
	result text;
BEGIN
	CALL pg_temp.settle();
	EXECUTE format('SELECT docstore.prune_history(''shops'', %s)', arguments) INTO pruned;
	result := pg_temp.left();
	ROLLBACK;
	RAISE INFO '%: %', pruned, result;
END $$;

CALL pg_temp.live('a', 90, 80, 70, 60);
CALL pg_temp.live('b', 50, 40, 3, 2);
CALL pg_temp.live('c', 100);
CALL pg_temp.live('gone', 35, 34);
CALL pg_temp.die('gone', 33);
CALL pg_temp.live('late', 32, 31);
CALL pg_temp.die('late', 5);
CALL pg_temp.live('again', 29, 28);
CALL pg_temp.die('again', 27);
CALL pg_temp.live('again', 4);
CALL pg_temp.live('z', 1);
SELECT pg_temp.left();

-- what is older goes, but the newest rows of each document; of a document that was deleted before all go
CALL pg_temp.prune($$ '30 days' $$);
CALL pg_temp.prune($$ '30 days', 2 $$);
CALL pg_temp.prune($$ '30 days', keep => 3 $$);
CALL pg_temp.prune($$ '30 days', keep => 100 $$);
-- the newest row of a document that is there stays, whatever is to be kept
CALL pg_temp.prune($$ '30 days', keep => 0 $$);
CALL pg_temp.prune($$ '10 days', keep => 0 $$);
CALL pg_temp.prune($$ '0', keep => 0 $$);
CALL pg_temp.prune($$ '0' $$);
-- nothing is so old
CALL pg_temp.prune($$ '101 days' $$);
CALL pg_temp.prune($$ '1000 years' $$);
-- some at a time, the oldest of each document first, in the order of the feed
CALL pg_temp.prune($$ '30 days', max_rows => 1 $$);
CALL pg_temp.prune($$ '30 days', max_rows => 4 $$);
CALL pg_temp.prune($$ '30 days', max_rows => 1000 $$);
-- time and again, nothing more goes
CALL pg_temp.settle();
SELECT docstore.prune_history('shops', '30 days'), docstore.prune_history('shops', '30 days');
SELECT pg_temp.left();
-- what is kept is still history
SELECT version, data FROM docstore.load_at('shops', 'a', now() - interval '59 days');
SELECT version, data FROM docstore.load_at('shops', 'a', now() - interval '61 days');
SELECT version, op FROM docstore.history('shops', 'late');
SELECT docstore.upsert('shops', 'a', '{"n": 5}', 4);

-- The last row of the feed that is old stays, for who has read so far, also where it is of a document that is gone.
CALL pg_temp.live('old', 400);
CALL pg_temp.die('old', 399);
CALL pg_temp.prune($$ '300 days' $$);
CALL pg_temp.live('old', 350);
CALL pg_temp.die('old', 340);
CALL pg_temp.prune($$ '300 days' $$);
CALL pg_temp.prune($$ '345 days' $$);

-- What readers cannot get yet stays: here, what this transaction has written.
BEGIN;
CALL pg_temp.live('own', 600, 500);
SELECT docstore.prune_history('shops', '450 days');
ROLLBACK;

-- What is exactly so old is not older: it stays, and so does the last row that is older; nor was a document deleted before that was deleted just then. What inherits from the history
-- is no part of it.
SELECT docstore.create_collection('edges');
SELECT docstore.track('edges');
SELECT id, version FROM docstore.save('[{"op": "upsert", "collection": "edges", "id": "a", "data": {}}, {"op": "upsert", "collection": "edges", "id": "gone", "data": {}}]');
SELECT docstore.upsert('edges', 'a', '{}', 1), docstore.delete('edges', 'gone', 1), docstore.upsert('edges', 'a', '{}', 2);
SELECT docstore.upsert('edges', 'last', '{}'), docstore.upsert('edges', 'exact', '{}'), docstore.upsert('edges', 'last', '{}', -1), docstore.upsert('edges', 'exact', '{}', -1);
CREATE TABLE edges_child () INHERITS (edges_history);
INSERT INTO edges_child SELECT * FROM edges_history;
CALL pg_temp.settle();
BEGIN;
UPDATE edges_history SET recorded_at = now() - interval '30 days' - CASE WHEN id IN ('a', 'gone', 'last') AND op = 'created' THEN interval '1 microsecond' ELSE '0' END
WHERE op IN ('created', 'deleted') OR (id = 'a' AND version = 2);
SELECT docstore.prune_history('edges', '30 days', keep => 2);
SELECT string_agg(id || version, ' ' ORDER BY id, version) FROM ONLY edges_history;
SELECT docstore.prune_history('edges', '30 days');
SELECT string_agg(id || version, ' ' ORDER BY id, version) FROM ONLY edges_history;
SELECT count(*) FROM edges_child;
ROLLBACK;
DROP TABLE edges, edges_history, edges_child;

-- F13 by hand: at most four
CALL pg_temp.live('d', 0, 0, 0, 0, 0, 0);
CALL pg_temp.settle();
SELECT docstore.prune_history('shops', '0', keep => 4) > 0;
SELECT array_agg(version - (SELECT min(version) FROM docstore.history('shops', 'd'))) FROM docstore.history('shops', 'd');

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.prune_history(NULL, '1 day') $$);
CALL pg_temp.try($$ SELECT docstore.prune_history('shops', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.prune_history('shops', '-1 day') $$);
CALL pg_temp.try($$ SELECT docstore.prune_history('shops', '300000 years') $$);
CALL pg_temp.try($$ SELECT docstore.prune_history('shops', '1 day', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.prune_history('shops', '1 day', -1) $$);
CALL pg_temp.try($$ SELECT docstore.prune_history('shops', '1 day', 1, 0) $$);
BEGIN READ ONLY;
CALL pg_temp.try($$ SELECT docstore.prune_history('shops', '1 day') $$);
CALL pg_temp.try($$ SELECT docstore.erase_history('shops', 'a') $$);
CALL pg_temp.try($$ SELECT docstore.revert('shops', 'a', 1, 1) $$);
ROLLBACK;

--
-- Erasing
--

SELECT docstore.create_collection('people', 'bigint');
SELECT docstore.track('people');
SET docstore.actor = 'ann';
SET docstore.context = '{"ticket": 7}';
SELECT docstore.upsert('people', '17', '{"name": "Bob"}'), docstore.upsert('people', '18', '{"name": "Cid"}');
SELECT docstore.upsert('people', '17', '{"name": "Rob"}', 1);
SELECT docstore.patch('people', '17', '{"phone": 1}', 2);
CREATE TEMP TABLE places AS SELECT id, version, recorded_at, generation, transaction_id, change_position FROM people_history;
-- some versions; those that are not there, or were erased before, do not count, and twice the same counts once
SELECT docstore.erase_history('people', '17', '{2, 9, 0, -1, 2}');
SELECT docstore.erase_history('people', '17', '{2}');
SELECT docstore.erase_history('people', '17', '{}');
SELECT version, op, data, actor, context FROM docstore.history('people', '17');
SELECT version, op, data FROM docstore.load_version('people', '17', 2);
-- all of them; the document is left alone, and goes on
SELECT docstore.erase_history('people', '17');
SELECT docstore.erase_history('people', '17', NULL);
SELECT version, op, data, actor, context FROM docstore.history('people', '17');
SELECT version, data FROM docstore.load('people', '17');
SELECT version, op, data FROM docstore.load_at('people', '17', 'infinity');
-- nothing else has changed: places, times, other documents
SELECT count(*) FROM (TABLE places EXCEPT SELECT id, version, recorded_at, generation, transaction_id, change_position FROM people_history) AS changed;
SELECT data, actor FROM docstore.history('people', '18');
-- a document that is deleted first, in one transaction; who has read it must learn that it is gone
BEGIN;
SELECT docstore.delete('people', '17', 3);
SELECT docstore.erase_history('people', '17');
COMMIT;
SELECT version, op, data, actor, context FROM docstore.history('people', '17');
SELECT docstore.erase_history('people', '17');
-- a deletion of which only the context is known: who has done it was a role that is gone
UPDATE people_history SET context = '{"ticket": 7}' WHERE id = '17' AND op = 'deleted';
SELECT docstore.erase_history('people', '17');
SELECT count(*) FROM docstore.history('people', '17') WHERE context IS NOT NULL;
-- or by whom
UPDATE people_history SET actor = 'bob' WHERE id = '17' AND op = 'deleted';
SELECT docstore.erase_history('people', '17');
SELECT count(*) FROM docstore.history('people', '17') WHERE actor IS NOT NULL;
-- undone with its transaction
BEGIN;
SELECT docstore.erase_history('people', '18');
ROLLBACK;
SELECT data, actor FROM docstore.history('people', '18');
-- not tracked any more
SELECT docstore.untrack('people');
SELECT docstore.erase_history('people', '18');
SELECT op, data, actor FROM docstore.history('people', '18');
-- deleted meanwhile: when the collection is tracked again, who follows it learns that what was erased is gone
SELECT docstore.delete('people', '18', 1);
SELECT docstore.track('people');
SELECT version, op, data, actor FROM docstore.history('people', '18');
SELECT docstore.untrack('people');
-- nobody there
SELECT docstore.erase_history('people', '19'), docstore.erase_history('people', '19', '{1}');

-- with the caller's privileges, and what its policies show
CREATE ROLE clerk;
GRANT SELECT ON people TO clerk;
GRANT SELECT, UPDATE, DELETE ON shops_history TO clerk;
GRANT SELECT ON shops TO clerk;
ALTER TABLE shops_history ENABLE ROW LEVEL SECURITY;
CREATE POLICY d ON shops_history TO clerk USING (id = 'd');
SET ROLE clerk;
CALL pg_temp.try($$ SELECT docstore.erase_history('people', '17') $$);
SELECT docstore.erase_history('shops', 'a'), docstore.erase_history('shops', 'd');
SELECT docstore.prune_history('shops', '0') > 0;
RESET ROLE;
SELECT id, count(*) FROM shops_history WHERE id IN ('a', 'd') GROUP BY id ORDER BY id;
SELECT DISTINCT op FROM shops_history WHERE id = 'd';

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.erase_history(NULL, '17') $$);
CALL pg_temp.try($$ SELECT docstore.erase_history('people', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.erase_history('people', 'x') $$);
CALL pg_temp.try($$ SELECT docstore.erase_history('people', '17', '{1,NULL}') $$);
CALL pg_temp.try($$ SELECT docstore.erase_history('people', '17', '{{1},{2}}') $$);

-- A hostile search_path changes nothing.
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.same);
SET search_path = hostile, pg_catalog, public;
SELECT docstore.upsert('public.people', '20', '{}') > 0, docstore.erase_history('public.people', '20');
SELECT docstore.erase_history('public.shops', 'b');
SELECT DISTINCT op FROM docstore.history('public.shops', 'b');
RESET search_path;

DROP SCHEMA hostile CASCADE;
DROP FUNCTION pg_temp.left();
DROP TABLE shops, shops_history, people, people_history;
DROP ROLE clerk;
