-- docstore.read_changes() and docstore.changes_end(): the changes of a tracked collection, in the order of readers; consumers of it.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('orders');
-- without a history there is nothing to read
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders') $$);
CALL pg_temp.try($$ SELECT docstore.changes_end('orders') $$);
CALL pg_temp.try($$ SELECT docstore.create_consumers('orders') $$);
SELECT docstore.upsert('orders', 'old', '{"n": 0}', 0);
SELECT docstore.track('orders');

-- The texts of cursors differ from server to server.
CREATE FUNCTION pg_temp.page(after text DEFAULT NULL, max_count int DEFAULT 1000, until text DEFAULT NULL, each text DEFAULT 'change')
RETURNS TABLE (id text, version bigint, op text, data jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
	CALL pg_temp.settle();
	RETURN QUERY SELECT id, version, op, data FROM docstore.read_changes('orders', after, max_count, until, each);
END $$;

-- what was there is the first change
SELECT * FROM pg_temp.page();
SELECT docstore.changes_end('orders') AS begun \gset
SELECT docstore.upsert('orders', 'a', '{"n": 1}', 0), docstore.upsert('orders', 'b', '{"n": 1}', 0);
SELECT docstore.upsert('orders', 'a', '{"n": 2}', 1);
BEGIN;
SET LOCAL docstore.actor = 'ann';
SET LOCAL docstore.context = '{"why": "cancelled"}';
SELECT docstore.delete('orders', 'b', 1);
SELECT docstore.patch('orders', 'a', '{"m": 1}', 2);
COMMIT;
-- plain SQL, too
INSERT INTO orders (id, data) VALUES ('c', '{"n": 1}');
UPDATE orders SET data = '{"n": 2}', version = version + 1 WHERE id = 'c';

-- the columns
CALL pg_temp.settle();
SELECT id, version, op, data, recorded_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS recorded, actor = current_user AS by_role, actor = 'ann' AS by_ann, context
FROM docstore.read_changes('orders');
-- every cursor goes on after its change
SELECT r.id, r.version, (SELECT string_agg(n.id || n.version, ' ') FROM docstore.read_changes('orders', r.cursor) n) AS next FROM docstore.read_changes('orders') r;
-- page by page, and until a cursor
SELECT * FROM pg_temp.page(:'begun', 2);
SELECT cursor AS at FROM docstore.read_changes('orders', :'begun', 2) OFFSET 1 \gset
SELECT * FROM pg_temp.page(:'at', 1);
SELECT * FROM pg_temp.page(:'at', 0);
SELECT * FROM pg_temp.page(NULL, NULL, :'at');
SELECT * FROM pg_temp.page(:'at', NULL, :'at');
SELECT * FROM pg_temp.page(docstore.changes_end('orders'));

-- the last change of each document, deletions are one; as of a cursor
SELECT * FROM pg_temp.page(each => 'document');
SELECT * FROM pg_temp.page(until => :'at', each => 'document');
SELECT * FROM pg_temp.page(:'at', each => 'document');
-- page by page, while a document changes: it comes once more, with what it became, and none is passed over
SELECT * FROM pg_temp.page(NULL, 2, each => 'document');
SELECT cursor AS two FROM docstore.read_changes('orders', NULL, 2, each => 'document') OFFSET 1 \gset
SELECT docstore.upsert('orders', 'old', '{"n": 9}', 1), docstore.upsert('orders', 'c', '{"n": 9}', 2);
SELECT * FROM pg_temp.page(:'two', 2, each => 'document');

-- the plan goes along the feed, and asks the key for each change
SELECT count(*) FROM (SELECT docstore.upsert('orders', 'many' || n % 7, '{}', -1) FROM generate_series(1, 500) n) w;
CALL pg_temp.settle();
SELECT id, version FROM docstore.read_changes('orders', :'two', each => 'document');
SELECT count(*), count(DISTINCT id) FROM docstore.read_changes('orders', :'two', NULL);
-- what each => 'document' returns is what it means
SELECT count(*) AS wrong
FROM docstore.read_changes('orders', :'at', NULL, each => 'document') d
FULL JOIN (SELECT DISTINCT ON (id) id, version, cursor FROM docstore.read_changes('orders', :'at', NULL) ORDER BY id, version DESC) c USING (id, version, cursor)
WHERE d.id IS NULL OR c.id IS NULL;
-- also up to a cursor, where most documents have changed before it, and change again
SELECT cursor AS middle FROM docstore.read_changes('orders', :'two', 250) OFFSET 249 \gset
SELECT count(d.id) AS documents, count(*) FILTER (WHERE d.id IS NULL OR c.id IS NULL) AS wrong
FROM docstore.read_changes('orders', :'at', NULL, :'middle', 'document') d
FULL JOIN (SELECT DISTINCT ON (id) id, version, cursor FROM docstore.read_changes('orders', :'at', NULL, :'middle') ORDER BY id, version DESC) c USING (id, version, cursor);
-- and so are the documents
SELECT count(*) AS wrong FROM orders o FULL JOIN (SELECT * FROM docstore.read_changes('orders', max_count => NULL, each => 'document') WHERE op <> 'deleted') c USING (id)
WHERE o.data IS DISTINCT FROM c.data OR o.version IS DISTINCT FROM c.version;

-- ids of other types
SELECT docstore.create_collection('lines', 'bigint');
SELECT docstore.track('lines');
-- the end of a history without changes comes before all that there will be
SELECT docstore.changes_end('lines') AS none \gset
SELECT :'none' AS none;
SELECT docstore.upsert('lines', '7', '{}', 0), docstore.upsert('lines', '7', '{"n": 1}', 1);
CALL pg_temp.settle();
SELECT id, version, op FROM docstore.read_changes('lines', :'none');
SELECT id, version, op FROM docstore.read_changes('lines', :'none', each => 'document');

-- cursors that are none, of another history, of what is not there, and beyond what can be read
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders', 'x') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders', until => '1-2') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders', '0-0-00') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders', '1-1-2') $$);
CALL pg_temp.try(format($$ SELECT * FROM docstore.read_changes('orders', %L) $$, regexp_replace(docstore.changes_end('orders'), '[0-9]+$', '99999')));
CALL pg_temp.try(format($$ SELECT * FROM docstore.read_changes('orders', until => %L) $$, regexp_replace(docstore.changes_end('orders'), '[0-9]+$', '99999')));
CALL pg_temp.settle();
SELECT docstore.changes_end('orders') AS end \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT docstore.upsert('orders', 'd', '{}', 0);
-- what one has written oneself is not readable yet
SELECT count(*) FROM docstore.read_changes('orders') WHERE id = 'd';
SELECT docstore.changes_end('orders') = :'end' AS is_the_end;
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders', until => (SELECT concat_ws('-', generation, transaction_id, change_position) FROM orders_history WHERE id = 'd')) $$);
ROLLBACK;

-- other arguments
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes(NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders', max_count => -1) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders', each => 'stream') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders', each => NULL) $$);
CALL pg_temp.try($$ SELECT docstore.changes_end(NULL) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders_history') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes(1::oid) $$);

-- what was erased keeps its place: who has read it goes on
SELECT cursor AS erased FROM docstore.read_changes('orders', :'begun', 1) \gset
UPDATE orders_history SET op = 'erased', data = NULL, actor = NULL, context = NULL WHERE id = 'a' AND version = 1;
SELECT * FROM pg_temp.page(:'begun', 2);
SELECT * FROM pg_temp.page(:'erased', 1);
-- the oldest may go; what is deleted in between could as well be lost
DELETE FROM orders_history WHERE id = 'old' AND version = 1;
SELECT * FROM pg_temp.page(:'begun', 1);
DELETE FROM orders_history WHERE id = 'b' AND version = 1;
SELECT cursor AS second FROM docstore.read_changes('orders', NULL, 2) OFFSET 1 \gset
DELETE FROM orders_history WHERE id = 'a' AND version = 2;
CALL pg_temp.try(format($$ SELECT * FROM docstore.read_changes('orders', %L) $$, :'second'));

-- notifications, when they are asked for: the specs have what is sent
CALL pg_temp.try($$ SELECT docstore.track('orders', notify => NULL) $$);
CALL pg_temp.try($$ SELECT docstore_internal.notify_changes() $$);
SELECT docstore.track('lines', notify => true), docstore.track('lines');
SELECT name, notify FROM docstore.tracked ORDER BY name;
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'docstore_notify_changes';
ALTER TABLE lines_history DISABLE TRIGGER docstore_notify_changes;
SELECT notify FROM docstore.tracked WHERE name = 'public.lines';
SELECT docstore.track('lines', notify => true);
SELECT notify FROM docstore.tracked WHERE name = 'public.lines';

-- history is read when the collection is not tracked any more
SELECT docstore.untrack('orders');
SELECT count(*) > 0 AS is_readable FROM docstore.read_changes('orders');

-- consumers: the collection of cursors is made when it is wanted
CALL pg_temp.try($$ SELECT docstore.commit_cursor('orders', 'search', '0-0-0', 0) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.consumers('orders') $$);
CREATE TABLE orders_consumers (id uuid PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
CALL pg_temp.try($$ SELECT docstore.create_consumers('orders') $$);
DROP TABLE orders_consumers;
SELECT docstore.create_consumers('orders');
-- once more, and nothing happens
SELECT docstore.create_consumers('orders');
SELECT docstore.track('orders');
SELECT docstore.upsert('orders', 'e', '{}', 0);
CALL pg_temp.settle();
SELECT docstore.changes_end('orders') AS at \gset
SELECT cursor AS before FROM docstore.read_changes('orders', max_count => NULL) LIMIT 1 \gset
SELECT docstore.commit_cursor('orders', 'search', :'at', 0);
SELECT docstore.upsert('orders', 'e', '{"n": 1}', -1) > 0 AS written, docstore.upsert('orders', 'f', '{"n": 1}', 0) > 0 AS created;
SELECT consumer, version, cursor = :'at' AS is_at, behind, state FROM docstore.consumers('orders');
-- the status: nothing waits; a session that has written and not committed waits for itself
CALL pg_temp.settle();
SELECT safe_end = docstore.changes_end('orders') AS at_the_end, waiting_changes, lag, blocked_by_pid, blocked_by_prepared, blocked_by_role, blocked_by_application, blocked_since
FROM docstore.changes_status('orders');
BEGIN;
SELECT docstore.upsert('orders', 'f', '{"n": 2}', -1) > 0 AS written;
SELECT waiting_changes, lag >= '0' AS lag, blocked_by_pid = pg_backend_pid() AS pid, blocked_by_prepared, blocked_by_role = current_user AS role,
	blocked_by_application = current_setting('application_name') AS application, blocked_since = now() AS since FROM docstore.changes_status('orders');
ROLLBACK;
SELECT docstore.create_collection('untracked');
CALL pg_temp.try($$ SELECT docstore.changes_status('untracked') $$);
CALL pg_temp.try($$ SELECT docstore.changes_status(NULL) $$);
DROP TABLE untracked;
-- it is compared, and does not go back
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('orders', 'search', %L, 2) $$, :'at'));
CALL pg_temp.try(format($$ SELECT docstore.commit_cursor('orders', 'search', %L, 1) $$, :'before'));
SELECT docstore.upsert('orders_consumers', 'search', jsonb_build_object('cursor', regexp_replace(:'at', '[0-9]+$', '99999')), 1);
SELECT behind, state FROM docstore.consumers('orders');
SELECT name, options ->> 'consumers_of' AS consumers_of FROM docstore.collections ORDER BY name;
-- a log has such a table from the beginning
SELECT docstore.create_log('ledger');
CALL pg_temp.try($$ SELECT docstore.create_consumers('ledger') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('ledger') $$);
CALL pg_temp.try($$ SELECT docstore.changes_end('ledger') $$);
CALL pg_temp.try($$ SELECT docstore.changes_status('ledger') $$);
CALL pg_temp.try($$ SELECT docstore.create_consumers(NULL) $$);
CALL pg_temp.try($$ SELECT docstore.consumers('orders_history') $$);
SELECT docstore.create_collection(repeat('x', 54));
SELECT docstore.track(repeat('x', 54)::regclass);
CALL pg_temp.try(format($$ SELECT docstore.create_consumers(%L) $$, repeat('x', 54)));

-- privileges: who may SELECT from the history reads it; rows that are hidden do not keep anybody from going on
CREATE ROLE docstore_ann;
CREATE ROLE docstore_owner;
GRANT SELECT ON orders TO docstore_ann;
SET ROLE docstore_ann;
CALL pg_temp.try($$ SELECT * FROM docstore.read_changes('orders') $$);
CALL pg_temp.try($$ SELECT docstore.changes_end('orders') $$);
CALL pg_temp.try($$ SELECT docstore.changes_status('orders') $$);
CALL pg_temp.try($$ SELECT docstore.create_consumers('orders') $$);
RESET ROLE;
GRANT SELECT ON orders_history TO docstore_ann;
ALTER TABLE orders_history ENABLE ROW LEVEL SECURITY;
SET ROLE docstore_ann;
SELECT count(*) FROM docstore.read_changes('orders');
SELECT docstore.changes_end('orders');
RESET ROLE;
CREATE POLICY only_c ON orders_history TO docstore_ann USING (id = 'c');
SET ROLE docstore_ann;
-- a cursor of a change that is hidden is good; the last change of those that one sees
SELECT id, version FROM docstore.read_changes('orders', :'erased');
SELECT id, version FROM docstore.read_changes('orders', :'erased', each => 'document');
SELECT id, version FROM docstore.read_changes('orders', :'at');
SELECT id, version FROM docstore.read_changes('orders', :'erased', until => docstore.changes_end('orders'));
RESET ROLE;

-- the table for consumers belongs to the owner of the collection
ALTER TABLE lines OWNER TO docstore_owner;
ALTER TABLE lines_history OWNER TO docstore_owner;
SELECT docstore.create_consumers('lines');
SELECT tableowner FROM pg_tables WHERE tablename = 'lines_consumers';
SELECT docstore.commit_cursor('lines', 'x', docstore.changes_end('lines'), 0);
DROP OWNED BY docstore_ann, docstore_owner;
DROP ROLE docstore_ann, docstore_owner;
DROP TABLE orders, orders_history, orders_consumers, ledger, ledger_streams, ledger_consumers;
SELECT format('DROP TABLE %1$s, %1$s_history', repeat('x', 54)) \gexec
