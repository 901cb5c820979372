-- Each write of a tracked collection leaves a row in its history, whoever makes it
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('orders');
SELECT docstore.upsert('orders', 'old', '{"n": 0}');
SELECT docstore.track('orders');
-- what is new since the last look
CREATE TEMP TABLE looked (up_to bigint);
INSERT INTO looked VALUES (0);
CREATE FUNCTION pg_temp.look() RETURNS TABLE (id text, version bigint, op text, data jsonb, actor text, context jsonb) LANGUAGE sql AS $$
	WITH now AS (UPDATE looked SET up_to = (SELECT max(change_position) FROM orders_history) RETURNING up_to)
	SELECT h.id, h.version, h.op, h.data, h.actor, h.context FROM orders_history h
	WHERE h.change_position > (SELECT up_to FROM looked) AND h.change_position <= (SELECT up_to FROM now) ORDER BY h.change_position $$;
-- what was there, by nobody
SELECT * FROM pg_temp.look();

-- The verbs, and a batch
SET docstore.actor = 'ann';
SET docstore.context = '{"why": "test"}';
SELECT docstore.upsert('orders', 'a', '{"n": 1}');
SELECT docstore.upsert('orders', 'a', '{"n": 2}', 1);
SELECT docstore.patch('orders', 'a', '{"m": 3}', 2);
SELECT docstore.merge('orders', 'a', '{"n": 9}', 2, base => '{"n": 2}');
SELECT docstore.delete('orders', 'a', 4);
SELECT docstore.upsert('orders', 'a', '{"again": true}');
SELECT docstore.put(docstore.get('orders', 'old') || '{"n": 10}') - 'collection';
SELECT * FROM pg_temp.look();
RESET docstore.context;
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "orders", "id": "b", "data": {}, "expected": "none"},
	{"op": "upsert", "collection": "orders", "id": "a", "data": {"n": 5}, "expected": "any"},
	{"op": "patch", "collection": "orders", "id": "old", "data": {"m": 1}, "expected": 2},
	{"op": "upsert", "collection": "orders", "id": "c", "data": {"n": 1}, "expected": "any"}]');
SELECT item, version FROM docstore.save('[{"op": "delete", "collection": "orders", "id": "b", "expected": "any"}, {"op": "delete", "collection": "orders", "id": "gone", "expected": "any"}]');
SELECT * FROM pg_temp.look();
-- a write that is refused leaves nothing, nor does one that is taken back
CALL pg_temp.try($$ SELECT docstore.upsert('orders', 'a', '{}', 1) $$);
BEGIN;
SAVEPOINT s;
SELECT docstore.upsert('orders', 'a', '{"taken": "back"}', -1);
ROLLBACK TO s;
SELECT docstore.upsert('orders', 'a', '{"kept": true}', -1);
COMMIT;
SELECT * FROM pg_temp.look();

-- Plain SQL
RESET docstore.actor;
INSERT INTO orders (id, version, data) VALUES ('x', 20, '{"n": 1}'), ('y', 20, '{"n": 2}');
UPDATE orders SET version = version + 1, data = data || '{"sql": true}' WHERE id IN ('x', 'y');
UPDATE orders SET id = 'z', version = 30 WHERE id = 'y';
COPY orders (id, version, data) FROM stdin (FORMAT csv, QUOTE '~');
p,40,~{"copied": true}~
\.
DELETE FROM orders WHERE id IN ('x', 'z');
INSERT INTO orders (id, version, data) VALUES ('p', 40, '{}') ON CONFLICT (id) DO UPDATE SET version = orders.version + 1, data = EXCLUDED.data;
SELECT id, version, op, data, actor = current_user AS by_role FROM pg_temp.look();
-- what changes neither version nor data leaves no row; data alone is refused
UPDATE orders SET updated_at = now() - interval '1 day';
SELECT * FROM pg_temp.look();
CALL pg_temp.try($$ UPDATE orders SET data = '{"secret": 1}' WHERE id = 'p' $$);
-- versions grow
CALL pg_temp.try($$ UPDATE orders SET version = 3, data = '{"secret": 1}' WHERE id = 'p' $$);
CALL pg_temp.try($$ INSERT INTO orders (id, version, data) VALUES ('x', 1, '{"secret": 1}') $$);
CALL pg_temp.try($$ INSERT INTO orders (id, version, data) VALUES ('x', 22, '{"secret": 1}') $$);
-- also where history has just that, by another transaction: at 20 x was created so
CALL pg_temp.try($$ INSERT INTO orders (id, version, data) VALUES ('x', 20, '{"n": 1}') $$);
INSERT INTO orders (id, version, data) VALUES ('x', 23, '{}');
SELECT docstore.upsert('orders', 'z', '{}');
CALL pg_temp.try($$ INSERT INTO orders (id, version, data) VALUES ('last', 9223372036854775807, '{}'); DELETE FROM orders WHERE id = 'last' $$);
SELECT id, version, op, data FROM pg_temp.look();
-- a time that cannot be passed is kept
BEGIN;
UPDATE orders_history SET recorded_at = 'infinity' WHERE id = 'x' AND version = 23;
UPDATE orders_history SET recorded_at = '294276-12-31 23:59:59.999999+00' WHERE id = 'z' AND version = (SELECT version FROM orders WHERE id = 'z');
UPDATE orders SET version = version + 1 WHERE id IN ('x', 'z');
SELECT h.id, isfinite(h.recorded_at), h.recorded_at > '200000-01-01' AS is_late FROM orders_history h JOIN orders USING (id, version) WHERE id IN ('x', 'z') ORDER BY id;
SELECT waiting_changes FROM docstore.changes_status('orders');
ROLLBACK;
-- a guard raises the version
SELECT docstore.guard('orders');
UPDATE orders SET data = '{"guarded": true}' WHERE id = 'x';
DELETE FROM orders WHERE id = 'x';
SELECT docstore.unguard('orders');
SELECT id, version, op, data FROM pg_temp.look();

-- The highest version is not to be had, as its deletion would have none, and what the hints say is a way out
SELECT docstore.create_collection('tops');
INSERT INTO tops (id, version, data) VALUES ('old', 9223372036854775807, '{}');
CALL pg_temp.try($$ SELECT docstore.track('tops') $$);
SELECT docstore.track('tops', 0);
CALL pg_temp.try($$ SELECT docstore.upsert('tops', 'old', '{}', -1) $$);
CALL pg_temp.try($$ UPDATE tops SET version = 5 $$);
CALL pg_temp.try($$ DELETE FROM tops $$);
SELECT docstore.untrack('tops');
UPDATE tops SET version = 5;
SELECT docstore.track('tops');
CALL pg_temp.try($$ UPDATE tops SET version = 9223372036854775807 $$);
UPDATE tops SET version = 9223372036854775806;
CALL pg_temp.try($$ SELECT docstore.upsert('tops', 'old', '{}', -1) $$);
CREATE ROLE docstore_ann;
GRANT ALL ON tops TO docstore_ann;
SET ROLE docstore_ann;
CALL pg_temp.try($$ SELECT docstore.delete('tops', 'old', -1) $$);
RESET ROLE;
SELECT docstore.untrack('tops');
UPDATE tops SET version = 6;
DELETE FROM tops_history WHERE version > 6;
SELECT docstore.track('tops');
SELECT docstore.upsert('tops', 'old', '{"n": 7}', 6), docstore.delete('tops', 'old', 7);
SELECT id, version, op, data FROM tops_history ORDER BY version;
INSERT INTO tops (id, version, data) VALUES ('high', 9223372036854775806, '{}');
SELECT docstore.delete('tops', 'high', -1);
SELECT id, version, op, data FROM tops_history WHERE id = 'high' ORDER BY version;
DROP TABLE tops, tops_history;
DROP ROLE docstore_ann;

-- What the server does for foreign keys: a deletion is one, a change of the key leaves no row
CREATE TABLE customers (id int PRIMARY KEY);
INSERT INTO customers VALUES (1);
CREATE TABLE baskets (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb, customer int REFERENCES customers ON UPDATE CASCADE ON DELETE CASCADE);
INSERT INTO baskets VALUES (7, 3, '{}', 1), (8, 0, '{}', 1);
SELECT docstore.track('baskets', 0);
UPDATE customers SET id = 2;
CALL pg_temp.try($$ UPDATE baskets SET data = '{"n": 1}' WHERE id = 8 $$);
UPDATE baskets SET data = NULL, version = 1 WHERE id = 8;
-- a deletion is not what is created at its version, by the same transaction, and without data
CALL pg_temp.try($$ DELETE FROM baskets WHERE id = 8; INSERT INTO baskets VALUES (8, 2, NULL) $$);
CALL pg_temp.try($$ INSERT INTO baskets VALUES (9, 1, '{"n": 1}'); DELETE FROM baskets WHERE id = 9; INSERT INTO baskets VALUES (9, 1, '{"n": 2}') $$);
DELETE FROM customers;
SELECT id, version, op, data, actor IS NULL AS by_nobody FROM baskets_history ORDER BY change_position;
DROP TABLE baskets, baskets_history, customers;

-- Who, and why
CREATE ROLE docstore_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO docstore_writer;
CREATE FUNCTION by_owner() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT docstore.upsert('public.orders', 'definer', '{}', -1) $$;
SET ROLE docstore_writer;
SELECT docstore.upsert('orders', 'w', '{}');
INSERT INTO orders (id, version, data) VALUES ('v', 1, '{}');
SELECT by_owner();
CALL pg_temp.try($$ SELECT * FROM orders_history $$);
CALL pg_temp.try($$ SELECT docstore.track('orders') $$);
CALL pg_temp.try($$ SELECT docstore.untrack('orders') $$);
RESET ROLE;
SET docstore.actor = '';
SET docstore.context = '"why"';
SELECT docstore.upsert('orders', 'w', '{}', -1);
SELECT id, version, op, data, CASE actor WHEN session_user THEN 'session_user' ELSE actor END AS actor, context FROM pg_temp.look();
SET docstore.context = '{not json';
CALL pg_temp.try($$ SELECT docstore.upsert('orders', 'w', '{}', -1) $$);
CALL pg_temp.try($$ UPDATE orders SET version = version + 1 WHERE id = 'w' $$);
RESET docstore.context;
SELECT * FROM pg_temp.look();

-- Times and places grow along each document
SELECT count(*) FROM (SELECT recorded_at <= lag(recorded_at) OVER w OR (generation, transaction_id, change_position) <= lag((generation, transaction_id, change_position)) OVER w AS wrong
	FROM orders_history WINDOW w AS (PARTITION BY id ORDER BY version)) h WHERE wrong;
BEGIN;
SELECT docstore.upsert('orders', 't', jsonb_build_object('n', n), -1) FROM generate_series(1, 3) n;
COMMIT;
SELECT version, data, recorded_at > lag(recorded_at) OVER w AS later, transaction_id = lag(transaction_id) OVER w AS same FROM orders_history WHERE id = 't' WINDOW w AS (ORDER BY version);
-- the clock may go back
UPDATE orders_history SET recorded_at = '2100-01-01' WHERE id = 't' AND version = (SELECT max(version) FROM orders_history WHERE id = 't');
SELECT docstore.upsert('orders', 't', '{}', -1);
SELECT recorded_at - lag(recorded_at) OVER (ORDER BY version) AS after FROM orders_history WHERE id = 't' ORDER BY version DESC LIMIT 1;
-- ids of transactions of another generation, which was another cluster's, say nothing here
UPDATE orders_history SET generation = 1, transaction_id = '9000000000000000000' WHERE id = 't';
BEGIN;
SELECT docstore.upsert('orders', 't', '{}', -1) > 0 AS written;
SELECT generation > 1 AS later, transaction_id = pg_current_xact_id() AS own FROM orders_history WHERE id = 't' ORDER BY version DESC LIMIT 1;
COMMIT;

-- Triggers that write the document again
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.data ? 'again' THEN
		UPDATE orders SET version = version + 1, data = data - 'again' WHERE id = NEW.id;
	ELSIF NEW.data ? 'leave' THEN
		DELETE FROM orders WHERE id = NEW.id;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER a_first AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION again();
INSERT INTO orders (id, version, data) VALUES ('r', 1, '{"again": true}');
UPDATE orders SET version = version + 1, data = '{"again": 2}' WHERE id = 'r';
UPDATE orders SET version = version + 1, data = '{"leave": 1}' WHERE id = 'r';
INSERT INTO orders (id, version, data) VALUES ('s', 1, '{"leave": true}');
SELECT docstore.upsert('orders', 'u', '{"again": 1}', -1);
SELECT id, version, op, data FROM pg_temp.look();
SELECT item, version FROM docstore.save('[{"op": "upsert", "collection": "orders", "id": "u", "data": {"again": 1, "n": 1}, "expected": "any"}, {"op": "upsert", "collection": "orders", "id": "v2", "data": {"again": 2}, "expected": "any"}]');
SELECT id, version, op, data FROM pg_temp.look();
-- the first write is recorded by the second one; its time is the clock's, whatever it says itself
INSERT INTO orders (id, version, data, updated_at) VALUES ('early', 1, '{"again": 3}', '2020-01-01');
SELECT id, version, op, data, actor = current_user AS by_role FROM pg_temp.look();
SELECT version, recorded_at > now() - interval '1 hour' AS recent FROM orders_history WHERE id = 'early' ORDER BY version;
DROP TRIGGER a_first ON orders;
CREATE TRIGGER z_last AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION again();
UPDATE orders SET version = version + 1, data = '{"again": 3}' WHERE id = 'u';
SELECT id, version, op, data FROM pg_temp.look();
DROP TRIGGER z_last ON orders;
CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO orders (id, version, data) VALUES (OLD.id, OLD.version + 5, OLD.data); RETURN NULL; END $$;
CREATE TRIGGER a_back AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION back();
DELETE FROM orders WHERE id = 'u';
DROP TRIGGER a_back ON orders;
SELECT id, version, op, data FROM pg_temp.look();
-- the version that this very transaction has recorded already, with the same data, is used up, too
BEGIN;
INSERT INTO orders (id, version, data) VALUES ('twice', 1, '{}');
DELETE FROM orders WHERE id = 'twice';
SAVEPOINT s;
INSERT INTO orders (id, version, data) VALUES ('twice', 1, '{}');
ROLLBACK TO s;
INSERT INTO orders (id, version, data) VALUES ('twice', 3, '{}');
UPDATE orders SET version = 4, data = '{"n": 1}' WHERE id = 'twice';
UPDATE orders SET version = 5, data = '{"n": 2}' WHERE id = 'twice';
UPDATE orders SET version = 4, data = '{"n": 1}' WHERE id = 'twice';
ROLLBACK;

-- TRUNCATE deletes each document, and the versions are used up
SELECT count(*) FROM orders;
TRUNCATE orders RESTART IDENTITY;
SELECT count(*), count(*) FILTER (WHERE op = 'deleted' AND data IS NULL) AS deleted FROM pg_temp.look();
SELECT docstore.upsert('orders', 'p', '{}') > (SELECT max(version) FROM orders_history WHERE op = 'deleted') AS above;

DROP TABLE orders, orders_history;
DROP FUNCTION again(), back(), by_owner();
DROP ROLE docstore_writer;
