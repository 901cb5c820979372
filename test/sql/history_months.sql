-- A history that is partitioned by month: docstore.track(partition_by => 'month'). The months of most tests are of another length, so that
-- all that is written goes into one of them, whatever day it is.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- The partitions of a history, by their bounds: the rest last. Where months are named, those of today are n0, n1 and so on.
CREATE FUNCTION pg_temp.partitions(history regclass) RETURNS TABLE (name text, bounds text, owner text, secured boolean, kind "char") LANGUAGE sql BEGIN ATOMIC
	WITH months AS (SELECT n, to_char(now() AT TIME ZONE 'UTC' + make_interval(months => n), 'YYYY_MM') AS month,
		to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => n), 'YYYY-MM-DD') || ' 00:00:00+00' AS start FROM generate_series(0, 4) n),
	parts AS (SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bounds, c.relowner::regrole::text AS owner, c.relrowsecurity, c.relpersistence
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = history)
	SELECT COALESCE(replace(p.relname, m.month, 'n' || m.n), p.relname), COALESCE(replace(replace(p.bounds, m.start, 'n' || m.n), e.start, 'n' || e.n), p.bounds),
		p.owner, p.relrowsecurity, p.relpersistence
	FROM parts p LEFT JOIN months m ON p.relname LIKE '%' || m.month LEFT JOIN months e ON e.n = m.n + 1
	ORDER BY p.bounds = 'DEFAULT', p.bounds NOT LIKE '%MINVALUE%', p.bounds;
END;
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- what is wanted
SELECT docstore.create_collection('shops');
CALL pg_temp.try($$ SELECT docstore.track('shops', partition_by => 'week') $$);
CALL pg_temp.try($$ SELECT docstore.track('shops', partition_by => '') $$);

-- this month, all that is before it, the next ones, and the rest; as the collection is
SELECT docstore.upsert('shops', 'old', '{"n": 0}');
CREATE ROLE docstore_months;
ALTER TABLE shops OWNER TO docstore_months;
ALTER TABLE shops ENABLE ROW LEVEL SECURITY;
SELECT docstore.track('shops', partition_by => 'month');
SELECT name, bounds, owner = 'docstore_months' AS is_owners, secured, kind FROM pg_temp.partitions('shops_history');
SELECT pg_get_partkeydef('shops_history'::regclass), relowner::regrole = 'docstore_months'::regrole AS is_owners, relrowsecurity FROM pg_class WHERE oid = 'shops_history'::regclass;
SELECT h.tableoid::regclass::text = 'shops_history_' || to_char(recorded_at, 'YYYY_MM') AS in_month, id, version, op FROM shops_history h;
SELECT name, history, notify, size > 0 AS has_size, fault FROM docstore.tracked;
-- nobody else gets at a partition
CREATE ROLE docstore_months_reader;
GRANT SELECT ON shops_history TO docstore_months_reader;
SET ROLE docstore_months_reader;
SELECT count(*) FROM shops_history;
CALL pg_temp.try($$ SELECT count(*) FROM shops_history_rest $$);
RESET ROLE;
DROP TABLE shops, shops_history;
DROP OWNED BY docstore_months, docstore_months_reader;
DROP ROLE docstore_months, docstore_months_reader;

-- others that are not logged
CREATE UNLOGGED TABLE fast (id bigint PRIMARY KEY, version bigint NOT NULL, data jsonb);
SELECT docstore.track('fast', partition_by => 'month');
SELECT DISTINCT kind FROM pg_temp.partitions('fast_history');
CREATE TEMPORARY TABLE mine (id uuid PRIMARY KEY, version bigint NOT NULL, data jsonb);
SELECT docstore.track('mine', partition_by => 'month') IS NOT NULL;
SELECT DISTINCT kind FROM pg_temp.partitions('mine_history');
SELECT docstore.upsert('mine', '00000000-0000-0000-0000-000000000001', '{}');
SELECT version, op FROM docstore.history('mine', '00000000-0000-0000-0000-000000000001');
DROP TABLE fast, fast_history, mine, mine_history;

-- a history that is there stays as it is; one that cannot have partitions of its name
SELECT docstore.create_collection('plain');
SELECT docstore.track('plain');
CALL pg_temp.try($$ SELECT docstore.track('plain', partition_by => 'month') $$);
SELECT docstore.untrack('plain');
CALL pg_temp.try($$ SELECT docstore.track('plain', partition_by => 'month') $$);
ALTER TABLE plain_history RENAME TO plain_past;
SELECT docstore.track('plain', partition_by => 'month');
DROP TABLE plain, plain_past, plain_history;
SELECT docstore.create_collection(repeat('x', 47)), docstore.create_collection(repeat('y', 48));
SELECT docstore.track(repeat('x', 47)::regclass, partition_by => 'month');
CALL pg_temp.try($$ SELECT docstore.track(repeat('y', 48)::regclass, partition_by => 'month') $$);
SELECT count(*), max(length(relname)) FROM pg_class WHERE relname ~ '^xxx.*_history.*[0-9]$';
ALTER TABLE xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_history RENAME TO xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_history2;
SELECT docstore.track(repeat('x', 47)::regclass, partition_by => 'month');
DO $$ BEGIN EXECUTE (SELECT format('DROP TABLE %I', max(relname)) FROM pg_class WHERE relname ~ '^xxx.*_history_2.*[0-9]$' AND relkind = 'r'); END $$;
CALL pg_temp.try($$ SELECT docstore.track(repeat('x', 47)::regclass, partition_by => 'month') $$);
DROP TABLE xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx_history2, yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy;

-- Three months: h1, up to 2000; h2, a month long; h3, today and long after; and the rest.
CREATE PROCEDURE pg_temp.divide(history regclass) LANGUAGE plpgsql AS $$
DECLARE
	part regclass;
BEGIN
	FOR part IN SELECT i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = history AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' LOOP
		EXECUTE format('DROP TABLE %s', part);
	END LOOP;
	EXECUTE format('CREATE TABLE h1 PARTITION OF %s FOR VALUES FROM (MINVALUE) TO (''2000-01-01'')', history);
	EXECUTE format('CREATE TABLE h2 PARTITION OF %s FOR VALUES FROM (''2000-01-01'') TO (''2000-02-01'')', history);
	EXECUTE format('CREATE TABLE h3 PARTITION OF %s FOR VALUES FROM (''2000-02-01'') TO (''2200-01-01'')', history);
END $$;
SELECT docstore.create_collection('docs');
SELECT docstore.track('docs', partition_by => 'month');
CALL pg_temp.divide('docs_history');

-- all that writes
SELECT docstore.upsert_many('docs', '{b, c, d}', ARRAY['{"n": 1}', '{"n": 1}', '{"n": 1}']::jsonb[], '{-1, -1, -1}');
SELECT docstore.upsert('docs', 'a', '{"n": 1}');
SELECT docstore.upsert('docs', 'a', '{"n": 2}', 1);
SELECT docstore.patch('docs', 'a', '{"more": true}', 2);
UPDATE docs SET data = '{"n": 4}', version = 4 WHERE id = 'a';
SELECT docstore.delete('docs', 'a', 4);
SELECT docstore.revert('docs', 'a', 3, docstore.no_version());
INSERT INTO docs VALUES ('e', 1, '{}');
UPDATE docs SET id = 'f', version = 2 WHERE id = 'e';
CALL pg_temp.try($$ UPDATE docs SET data = '{}' WHERE id = 'a' $$);
CALL pg_temp.try($$ UPDATE docs SET version = 2 WHERE id = 'a' $$);
SELECT tableoid::regclass, id, version, op, data FROM docs_history ORDER BY id, version;
CALL pg_temp.try($$ SELECT docstore.merge('docs', 'a', '{"mine": 1}', 3) $$);
SELECT docstore.patch('docs', 'a', '{"mine": 1}', 6);
SELECT id, version, op FROM docstore.load_version('docs', 'a', 4);
SELECT id, version, op FROM docstore.load_at('docs', 'a', now());
SELECT version, op FROM docstore.history('docs', 'a', 3, before_version => 6);

-- Rows of other months. What is found is the newest row, wherever it is; the next one comes after it.
UPDATE docs_history SET recorded_at = timestamptz '1999-06-01' + change_position * interval '1 minute' WHERE id IN ('a', 'b');
UPDATE docs_history SET recorded_at = timestamptz '2000-01-15' + change_position * interval '1 minute' WHERE id IN ('c') OR (id = 'a' AND version > 4);
UPDATE docs_history SET recorded_at = '2300-01-01' WHERE id = 'd';
SELECT docstore.upsert('docs', 'a', '{"n": 8}', 7), docstore.upsert('docs', 'b', '{"n": 2}', 1), docstore.delete('docs', 'c', 1), docstore.upsert('docs', 'd', '{"n": 2}', 1);
SELECT tableoid::regclass, string_agg(id || version || op, ' ' ORDER BY id, version) FROM docs_history GROUP BY 1 ORDER BY 1;
SELECT tableoid::regclass, recorded_at FROM docs_history WHERE id = 'd' ORDER BY version;
-- the rest can have rows that are older than those elsewhere
UPDATE docs_history SET recorded_at = '2150-01-01' WHERE id = 'd' AND version = 2;
SELECT docstore.patch('docs', 'd', '{"n": 3}', 2);
SELECT tableoid::regclass, version, recorded_at FROM docs_history WHERE id = 'd' ORDER BY version;
BEGIN;
SELECT docstore.delete('docs', 'd', 3);
SELECT docstore.upsert('docs', 'd', '{}');
SELECT string_agg(version || op, ' ' ORDER BY version) FROM docs_history WHERE id = 'd';
ROLLBACK;
SELECT string_agg(version || op, ' ') FROM docstore.history('docs', 'a');
SELECT version, data FROM docstore.load_version('docs', 'a', 2);
SELECT version, op FROM docstore.load_at('docs', 'a', '1999-12-31');
SELECT version, op FROM docstore.load_at('docs', 'a', '2000-01-31');
-- with what it began with, which is in another month
BEGIN;
SELECT version, was_merged, data FROM docstore.merge('docs', 'a', '{"n": 2, "more": true, "mine": 1, "new": 1}', 7);
ROLLBACK;
SELECT docstore.revert('docs', 'a', 1, 8);
CALL pg_temp.try($$ SELECT docstore.upsert('docs', 'c', '{}', 1) $$);
CALL pg_temp.try($$ INSERT INTO docs VALUES ('c', 2, '{}') $$);
SELECT docstore.upsert('docs', 'c', '{}');
-- what a trigger of the document writes once more is recorded once
CREATE FUNCTION pg_temp.again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE docs SET data = data || '{"again": true}', version = version + 1 WHERE id = NEW.id AND NOT data ? 'again';
	RETURN NULL;
END $$;
CREATE TRIGGER again AFTER INSERT ON docs FOR EACH ROW EXECUTE FUNCTION pg_temp.again();
INSERT INTO docs VALUES ('g', 1, '{}');
DROP TRIGGER again ON docs;
SELECT version, op, data FROM docstore.history('docs', 'g');

-- Readers get all of it in one order, which is that of the writes, whatever month a row is in.
CALL pg_temp.settle();
SELECT string_agg(id || version || op, ' ') FROM docstore.read_changes('docs');
SELECT cursor AS fifth FROM docstore.read_changes('docs', max_count => 5) OFFSET 4 \gset
SELECT string_agg(id || version || op, ' ') FROM docstore.read_changes('docs', :'fifth', 4);
SELECT string_agg(id || version || op, ' ') FROM docstore.read_changes('docs', each => 'document');
SELECT string_agg(id || version || op, ' ') FROM docstore.read_changes('docs', until => :'fifth', each => 'document');
SELECT docstore.changes_end('docs') = (SELECT cursor FROM docstore.read_changes('docs') OFFSET 21) AS ends_there;

-- What is pruned goes from each.
SELECT docstore.prune_history('docs', older_than => '20 years', keep => 2);
SELECT tableoid::regclass, string_agg(id || version || op, ' ' ORDER BY id, version) FROM docs_history GROUP BY 1 ORDER BY 1;
SELECT docstore.erase_history('docs', 'a');
SELECT tableoid::regclass, version, op, data FROM docs_history WHERE id = 'a' ORDER BY version;
TRUNCATE docs;
SELECT count(DISTINCT id) FROM docs_history WHERE op = 'deleted';
DROP TABLE docs, docs_history;

-- In a later month a row never comes before those of earlier ones, though its transaction has an older id.
SELECT docstore.create_collection('docs');
SELECT docstore.track('docs', partition_by => 'month');
CALL pg_temp.divide('docs_history');
SELECT docstore.upsert('docs', 'a', '{}');
BEGIN;
SELECT pg_current_xact_id() AS own \gset
SAVEPOINT next;
UPDATE docs_history SET recorded_at = '2000-01-02', transaction_id = ((:'own'::bigint) + 1)::text::xid8;
RELEASE next;
SELECT docstore.upsert('docs', 'b', '{}');
SELECT id, transaction_id::text::bigint - :'own'::bigint AS above_own FROM docs_history ORDER BY id;
ROLLBACK;

-- Retention: a month is dropped. Readers that may have missed something of it are told.
CREATE PROCEDURE pg_temp.follow(cursor text) LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	SELECT COALESCE(string_agg(id || version || op, ' '), 'nothing') INTO result FROM docstore.read_changes('docs', cursor);
	RAISE INFO '%', result;
EXCEPTION WHEN others THEN
	CALL pg_temp.try(format('SELECT count(*) FROM docstore.read_changes(''docs'', %L)', cursor));
END $$;
SELECT docstore.upsert('docs', i::text, '{}') FROM generate_series(1, 6) i;
CALL pg_temp.settle();
UPDATE docs_history SET recorded_at = '1999-12-01' WHERE id IN ('a', '1');
UPDATE docs_history SET recorded_at = '2000-01-01 00:30' WHERE id = '2';
UPDATE docs_history SET recorded_at = '2000-01-01 01:00' WHERE id = '3';
UPDATE docs_history SET recorded_at = '2000-01-15' WHERE id = '4';
SELECT docstore.create_consumers('docs');
SELECT cursor AS c1 FROM docstore.read_changes('docs') WHERE id = '1' \gset
SELECT cursor AS c2 FROM docstore.read_changes('docs') WHERE id = '2' \gset
SELECT cursor AS c3 FROM docstore.read_changes('docs') WHERE id = '3' \gset
SELECT cursor AS c5 FROM docstore.read_changes('docs') WHERE id = '5' \gset
SELECT docstore.commit_cursor('docs', 'slow', :'c1', NULL), docstore.commit_cursor('docs', 'near', :'c2', NULL), docstore.commit_cursor('docs', 'fast', :'c3', NULL);
CALL pg_temp.follow(:'c1');
CALL pg_temp.follow('0-0-0');
DROP TABLE h1;
CALL pg_temp.follow(:'c1');
CALL pg_temp.follow(:'c2');
CALL pg_temp.follow(:'c3');
CALL pg_temp.follow(:'c5');
CALL pg_temp.follow('0-0-0');
CALL pg_temp.follow(NULL);
CALL pg_temp.try(format($$ SELECT count(*) FROM docstore.read_changes('docs', until => %L) $$, :'c1'));
SELECT consumer, behind, state FROM docstore.consumers('docs');
SELECT docstore.commit_cursor('docs', 'slow', docstore.changes_end('docs'), 1);
-- a document without a row gets one for what it was before it is written; at the earliest when this month began
SELECT docstore.upsert('docs', '1', '{"n": 2}', 1);
SELECT tableoid::regclass, version, op, data, recorded_at > '2000-02-01' AS in_this FROM docs_history WHERE id = '1' ORDER BY version;
DROP TABLE h3;
CREATE TABLE h3 PARTITION OF docs_history FOR VALUES FROM ('2000-02-01') TO ('2200-01-01');
UPDATE docs SET updated_at = '1990-01-01' WHERE id = '5';
SELECT docstore.upsert('docs', '5', '{"n": 2}', 1);
SELECT tableoid::regclass, version, op, recorded_at FROM docs_history WHERE id = '5' AND version = 1;
-- one in between is missed as well
CALL pg_temp.follow(:'c3');
DROP TABLE h2;
CALL pg_temp.follow(:'c3');
-- a new history of which nothing was dropped
DROP TABLE docs_history, docs_consumers;
SELECT docstore.track('docs', partition_by => 'month');
CALL pg_temp.settle();
CALL pg_temp.follow('0-0-0');
-- no row is left: the origin is good as long as that is so
DROP TABLE docs, docs_history;
SELECT docstore.create_collection('docs');
SELECT docstore.track('docs', partition_by => 'month');
CALL pg_temp.divide('docs_history');
DROP TABLE h1;
SELECT docstore.changes_end('docs');
CALL pg_temp.follow('0-0-0');
SELECT docstore.upsert('docs', 'a', '{}');
CALL pg_temp.settle();
CALL pg_temp.follow('0-0-0');
-- only the rest
DROP TABLE h2, h3;
SELECT docstore.upsert('docs', 'a', '{}', 1);
CALL pg_temp.settle();
SELECT tableoid::regclass, version, op FROM docs_history ORDER BY version;
SELECT cursor AS first FROM docstore.read_changes('docs') LIMIT 1 \gset
CALL pg_temp.follow(:'first');
DROP TABLE docs, docs_history;

-- Months that are missing: what has come meanwhile is moved out of the rest. It is not where it is from that readers go by.
SELECT docstore.create_collection('docs');
SELECT docstore.track('docs', partition_by => 'month');
ALTER TABLE docs_history ADD COLUMN note text;
ALTER TABLE docs_history ADD COLUMN "other note" text;
ALTER TABLE docs_history DROP COLUMN note;
DO $$
DECLARE
	part text;
BEGIN
	FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'docs_history'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' LOOP
		EXECUTE format('DROP TABLE %I', part);
	END LOOP;
	EXECUTE format('CREATE TABLE early PARTITION OF docs_history FOR VALUES FROM (MINVALUE) TO (%L)', date_trunc('month', now()) - interval '1 month 3 days');
END $$;
SELECT docstore.upsert('docs', 'a', '{}'), docstore.upsert('docs', 'b', '{}');
UPDATE docs_history SET recorded_at = '1999-01-01' WHERE id = 'b';
UPDATE docs_history SET "other note" = 'kept';
SELECT docstore.upsert('docs', 'c', '{}');
INSERT INTO docs_history SELECT * FROM docs_history WHERE false;
SELECT tableoid::regclass, id FROM docs_history ORDER BY id;
SELECT cursor AS first FROM docstore.read_changes('docs') LIMIT 1 \gset
-- not where that would run what the owner has put there under the caller's name
CREATE FUNCTION pg_temp.own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'run'; RETURN NULL; END $$;
CREATE TRIGGER own BEFORE DELETE ON docs_history_rest FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.own();
CALL pg_temp.try($$ SELECT docstore.track('docs', 0, partition_by => 'month') $$);
ALTER TABLE docs_history_rest DISABLE TRIGGER own;
CREATE RULE own AS ON DELETE TO docs_history_rest DO ALSO NOTIFY run;
CALL pg_temp.try($$ SELECT docstore.track('docs', 0, partition_by => 'month') $$);
DROP RULE own ON docs_history_rest;
SELECT docstore.track('docs', partition_by => 'month');
SELECT count(*) FROM pg_temp.partitions('docs_history');
SELECT name, bounds FROM pg_temp.partitions('docs_history') WHERE name LIKE '%n%';
SELECT id, tableoid::regclass::text = 'docs_history_' || to_char(recorded_at, 'YYYY_MM') AS in_month, "other note" FROM docs_history ORDER BY id;
CALL pg_temp.settle();
CALL pg_temp.follow(:'first');
-- with max_rows others write meanwhile; and what is complete stays as it is
SELECT docstore.track('docs', max_rows => 0, partition_by => 'month');
SELECT count(*) FROM pg_temp.partitions('docs_history');
SELECT docstore.upsert('docs', 'a', '{}', 1), docstore.upsert('docs', 'c', '{}', 1);
SELECT string_agg(id || version || op, ' ' ORDER BY id, version) FROM docs_history;
-- untracked, and tracked again: the same history
SELECT docstore.untrack('docs');
DELETE FROM docs WHERE id = 'a';
SELECT docstore.track('docs');
SELECT string_agg(id || version || op, ' ' ORDER BY id, version) FROM docs_history;

-- Partitions that somebody has made or altered
CREATE TABLE other (LIKE docs_history INCLUDING STORAGE);
ALTER TABLE other DROP COLUMN data, DROP COLUMN context, ADD COLUMN context jsonb, ADD COLUMN data jsonb;
CALL pg_temp.try($$ ALTER TABLE docs_history ATTACH PARTITION other FOR VALUES FROM ('2400-01-01') TO ('2500-01-01') $$);
UPDATE docs_history SET recorded_at = '2450-01-01' WHERE id = 'c' AND version = 2;
SET docstore.context = '{"why": 1}';
SELECT docstore.upsert('docs', 'c', '{"n": 3}', 2);
RESET docstore.context;
SELECT tableoid = 'other'::regclass AS in_other, version, op, data, context FROM docs_history WHERE id = 'c' ORDER BY version;
SELECT string_agg(id || version, ' ') FROM docstore.read_changes('docs') WHERE id = 'c';
CREATE INDEX other_data ON other (version) WHERE data IS NOT NULL;
SELECT docstore.upsert('docs', 'c', '{"n": 4}', 3);
SET enable_seqscan = off;
SELECT count(*) FROM other WHERE data IS NOT NULL AND version = 4;
RESET enable_seqscan;
SELECT fault FROM docstore.tracked;
ALTER TABLE other ADD CHECK (version > 0);
SELECT fault FROM docstore.tracked;
CALL pg_temp.try($$ SELECT docstore.upsert('docs', 'c', '{"n": 5}', 4) $$);
SELECT docstore.upsert('docs', 'new', '{}');
DROP TABLE other;
-- without the rest
SELECT docstore.upsert('docs', 'c', '{"n": 5}', 4);
ALTER TABLE docs_history DETACH PARTITION docs_history_rest;
SELECT fault FROM docstore.tracked;
CALL pg_temp.try($$ SELECT docstore.upsert('docs', 'c', '{"n": 6}', 5) $$);
CALL pg_temp.try($$ SELECT count(*) FROM docstore.read_changes('docs') $$);
CALL pg_temp.try($$ SELECT docstore.track('docs', partition_by => 'month') $$);
-- nor the months that would be made
BEGIN;
DO $$ DECLARE part regclass; BEGIN
	FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'docs_history'::regclass LOOP EXECUTE format('DROP TABLE %s', part); END LOOP;
END $$;
CALL pg_temp.try($$ SELECT docstore.track('docs', 0, partition_by => 'month') $$);
ROLLBACK;
ALTER TABLE docs_history ATTACH PARTITION docs_history_rest DEFAULT;
SELECT docstore.upsert('docs', 'c', '{"n": 6}', 5);
-- a partition is no history
CALL pg_temp.try($$ SELECT docstore.track('docs_history_rest') $$);
ALTER TABLE docs_history RENAME TO docs_past;
SELECT docstore.upsert('docs', 'c', '{"n": 7}', 6);
SELECT version FROM docstore.history('docs', 'c', 1);
DROP TABLE docs_past;
SELECT count(*) FROM docstore.tracked;
DROP TABLE docs;

-- a collection that is partitioned itself
CREATE TABLE parts (id text PRIMARY KEY, version bigint NOT NULL, data jsonb) PARTITION BY HASH (id);
CREATE TABLE part PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);
SELECT docstore.track('parts', partition_by => 'month');
SELECT docstore.upsert('parts', 'a', '{}'), docstore.upsert('part', 'b', '{}');
SELECT string_agg(id || version || op, ' ' ORDER BY id, version) FROM parts_history;
DROP TABLE parts, parts_history;
