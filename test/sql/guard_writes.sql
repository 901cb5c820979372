-- docstore.guard(): every way of writing a row, and every kind of table and column
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- each type of version, wherever the column is, whatever is before it; both when the version is left out and when it is sent
CREATE TABLE small (nr int PRIMARY KEY, note text, version smallint, tail text);
CREATE TABLE medium (version int, nr int PRIMARY KEY, note text, tail text);
CREATE TABLE large (gone int, note text, nr int PRIMARY KEY, empty text, "char" "char", flag bool, big text, "Version" bigint, tail text);
ALTER TABLE large DROP gone;
SELECT docstore.guard('small'), docstore.guard('medium'), docstore.guard('large', 'Version');
INSERT INTO small (nr, note, version, tail) VALUES (1, 'one', 1, 'end'), (2, NULL, 1, NULL), (3, repeat('long ', 100), 32765, '');
INSERT INTO medium (nr, note, version, tail) VALUES (1, 'one', 1, 'end'), (2, NULL, 1, NULL), (3, repeat('long ', 100), 2147483645, '');
INSERT INTO large (nr, note, "char", flag, big, "Version", tail) VALUES (1, 'one', 'c', true, 'x', 1, 'end'), (2, NULL, NULL, NULL, NULL, 1, NULL),
	(3, repeat('long ', 100), 'c', false, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) i), 9223372036854775805, '');
UPDATE small SET tail = tail || '!';
UPDATE small SET version = version + 1;
UPDATE medium SET tail = tail || '!';
UPDATE medium SET version = version + 1;
UPDATE large SET tail = tail || '!';
UPDATE large SET "Version" = "Version" + 1;
SELECT nr, left(note, 5) AS note, version, tail FROM small ORDER BY nr;
SELECT nr, left(note, 5) AS note, version, tail FROM medium ORDER BY nr;
SELECT nr, left(note, 5) AS note, empty, "char", flag, md5(big) AS big, "Version", tail FROM large ORDER BY nr;
CALL pg_temp.try($$ UPDATE small SET tail = '' WHERE nr = 3 $$);
CALL pg_temp.try($$ UPDATE medium SET tail = '' WHERE nr = 3 $$);
CALL pg_temp.try($$ UPDATE large SET tail = '' WHERE nr = 3 $$);
CALL pg_temp.try($$ UPDATE small SET version = 9 WHERE nr = 1 $$);
CALL pg_temp.try($$ UPDATE large SET "Version" = 9 WHERE nr = 1 $$);
DROP TABLE small, medium, large;

-- behind columns of a fixed length of which some rows have NULLs, before and after the version
CREATE TABLE fixed (a smallint, nr int PRIMARY KEY, b bigint, version smallint, c int);
SELECT docstore.guard('fixed');
INSERT INTO fixed VALUES (1, 1, 1, 7, 1), (NULL, 2, 1, 7, 1), (1, 3, NULL, 7, NULL), (NULL, 4, NULL, 7, NULL), (1, 5, 1, 7, NULL);
UPDATE fixed SET c = c + 1 RETURNING *;
UPDATE fixed SET a = NULL, version = version + 1 RETURNING *;
UPDATE fixed SET a = nr, b = NULL, version = NULL WHERE version = 0 RETURNING *;
UPDATE fixed SET a = nr, b = nr RETURNING *;
CALL pg_temp.try($$ UPDATE fixed SET b = NULL, version = 3 WHERE nr = 4 $$);
DROP TABLE fixed;

-- a version column that is added later, or has a default; how ORMs begin: 0, 1, nothing at all
CREATE TABLE posts (id int PRIMARY KEY, title text);
INSERT INTO posts VALUES (1, 'old'), (2, 'old');
ALTER TABLE posts ADD lock_version int NOT NULL DEFAULT 0;
SELECT docstore.guard('posts', 'lock_version');
UPDATE posts SET title = 'new' RETURNING *;
INSERT INTO posts VALUES (3, 'ActiveRecord, Hibernate', 0), (4, 'Doctrine, SQLAlchemy', 1), (5, 'Django', DEFAULT);
INSERT INTO posts VALUES (6, 'TypeORM', NULL);
UPDATE posts SET title = 'next', lock_version = 1 WHERE id = 3 AND lock_version = 0 RETURNING *;
UPDATE posts SET title = 'next', lock_version = 2 WHERE id = 4 AND lock_version = 1 RETURNING *;
UPDATE posts SET title = 'next', lock_version = 0 WHERE id = 5 RETURNING *;
CALL pg_temp.try($$ UPDATE posts SET title = 'stale', lock_version = 0 WHERE id = 5 $$);
-- a writer that sees for itself that it is stale
UPDATE posts SET title = 'stale', lock_version = 1 WHERE id = 3 AND lock_version = 0 RETURNING *;
DELETE FROM posts WHERE id = 3 AND lock_version = 0 RETURNING *;
SELECT * FROM posts ORDER BY id;

-- one statement over many rows stops at the first stale one, and writes none
CALL pg_temp.try($$ UPDATE posts SET lock_version = 5 WHERE id IN (1, 2) $$);
SELECT * FROM posts WHERE id IN (1, 2);

-- INSERT .. ON CONFLICT
INSERT INTO posts VALUES (4, 'upsert', 1) ON CONFLICT (id) DO UPDATE SET title = excluded.title RETURNING *;
INSERT INTO posts VALUES (4, 'upsert', 4) ON CONFLICT (id) DO UPDATE SET title = excluded.title, lock_version = excluded.lock_version RETURNING *;
INSERT INTO posts VALUES (4, 'upsert', 1) ON CONFLICT (id) DO UPDATE SET lock_version = posts.lock_version + 1 WHERE posts.lock_version = 3 RETURNING *;
INSERT INTO posts VALUES (4, 'nothing', 1), (7, 'upsert', NULL) ON CONFLICT DO NOTHING RETURNING *;
CALL pg_temp.try($$ INSERT INTO posts VALUES (8, 'new', 1), (4, 'upsert', 1) ON CONFLICT (id) DO UPDATE SET lock_version = excluded.lock_version $$);
SELECT count(*) FROM posts WHERE id = 8;

-- MERGE
MERGE INTO posts p USING (VALUES (4, 'merged'), (8, 'merged')) s(id, title) ON p.id = s.id
	WHEN MATCHED THEN UPDATE SET title = s.title
	WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.title, NULL);
MERGE INTO posts p USING (VALUES (4, 'merged again', 6)) s(id, title, lock_version) ON p.id = s.id
	WHEN MATCHED THEN UPDATE SET title = s.title, lock_version = s.lock_version;
CALL pg_temp.try($$
	MERGE INTO posts p USING (VALUES (4, 'stale', 1), (9, 'new', 1)) s(id, title, lock_version) ON p.id = s.id
		WHEN MATCHED THEN UPDATE SET title = s.title, lock_version = s.lock_version
		WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.title, s.lock_version)
$$);
SELECT * FROM posts WHERE id IN (4, 8, 9) ORDER BY id;

-- COPY
COPY posts FROM stdin;
20	sent	7
21	null	\N
\.
SELECT * FROM posts WHERE id >= 20 ORDER BY id;

-- UPDATE .. FROM, CTEs that write, views
UPDATE posts p SET title = s.title, lock_version = s.lock_version FROM (VALUES (20, 'from', 8), (21, 'from', 1)) s(id, title, lock_version)
	WHERE p.id = s.id RETURNING p.*;
CALL pg_temp.try($$ UPDATE posts p SET lock_version = s.lock_version FROM (VALUES (20, 9), (21, 9)) s(id, lock_version) WHERE p.id = s.id $$);
WITH w AS (UPDATE posts SET title = 'cte', lock_version = lock_version + 1 WHERE id = 20 RETURNING id, lock_version),
	i AS (INSERT INTO posts VALUES (22, 'cte', NULL) RETURNING id, lock_version)
SELECT * FROM w UNION ALL SELECT * FROM i ORDER BY id;
CREATE VIEW drafts AS SELECT id, lock_version AS version, title AS text FROM posts WHERE id >= 20 WITH CHECK OPTION;
UPDATE drafts SET text = 'view' WHERE id = 20 RETURNING *;
INSERT INTO drafts VALUES (23, 0, 'view') RETURNING *;
CALL pg_temp.try($$ UPDATE drafts SET version = 3 WHERE id = 20 $$);
WITH w AS (UPDATE drafts SET text = 'view in cte', version = 2 WHERE id = 21 RETURNING *) SELECT * FROM w;
DROP VIEW drafts;

-- cursors
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM posts WHERE id = 20 FOR UPDATE;
FETCH c;
UPDATE posts SET title = 'cursor', lock_version = 11 WHERE CURRENT OF c RETURNING *;
CLOSE c;
COMMIT;

-- own writes, in savepoints that stay and that do not
BEGIN;
UPDATE posts SET title = 'first' WHERE id = 20;
SAVEPOINT a;
UPDATE posts SET title = 'second', lock_version = 13 WHERE id = 20 RETURNING *;
ROLLBACK TO a;
UPDATE posts SET title = 'third', lock_version = 13 WHERE id = 20 RETURNING *;
SAVEPOINT b;
UPDATE posts SET title = 'fourth' WHERE id = 20 RETURNING *;
RELEASE b;
CALL pg_temp.try($$ UPDATE posts SET title = 'stale', lock_version = 13 WHERE id = 20 $$);
UPDATE posts SET title = 'fifth', lock_version = lock_version + 1 WHERE id = 20 RETURNING *;
COMMIT;

-- functions, in their own statements; prepared statements, with plans that are kept
CREATE FUNCTION rename(post int, new_title text, seen int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	result int;
BEGIN
	UPDATE posts SET title = new_title, lock_version = seen + 1 WHERE id = post RETURNING lock_version INTO result;
	RETURN result;
END
$$;
CREATE FUNCTION calm(post int, seen int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN rename(post, 'calm', seen); END $$;
CREATE FUNCTION plain(post int) RETURNS int LANGUAGE sql AS $$ UPDATE posts SET title = 'sql' WHERE id = post RETURNING lock_version $$;
SELECT rename(20, 'function', 15), rename(20, 'function', 16), calm(20, 17), plain(20), plain(20);
CALL pg_temp.try($$ SELECT rename(20, 'stale', 16) $$);
SET plan_cache_mode = force_generic_plan;
PREPARE change(int, text, int) AS UPDATE posts SET title = $2, lock_version = $3 WHERE id = $1;
EXECUTE change(20, 'prepared', 20);
EXECUTE change(20, 'prepared', 22);
SELECT lock_version FROM posts WHERE id = 20;
CALL pg_temp.try($$ EXECUTE change(20, 'stale', 21) $$);
-- kept plans and sessions meet a column that has moved, has another type, or is gone
ALTER TABLE posts ADD revision smallint;
UPDATE posts SET revision = lock_version;
ALTER TABLE posts DROP lock_version, ADD filler text;
CALL pg_temp.try($$ UPDATE posts SET title = 'x' WHERE id = 20 $$);
ALTER TABLE posts RENAME revision TO lock_version;
EXECUTE change(20, 'another column', 23);
SELECT lock_version FROM posts WHERE id = 20;
ALTER TABLE posts ALTER lock_version TYPE bigint USING lock_version + 5000000000;
UPDATE posts SET title = 'another type' WHERE id = 20 RETURNING *;
ALTER TABLE posts RENAME TO articles;
CALL pg_temp.try($$ UPDATE articles SET lock_version = 1 WHERE id = 20 $$);
ALTER TABLE articles ALTER lock_version TYPE text;
CALL pg_temp.try($$ UPDATE articles SET title = 'x' WHERE id = 20 $$);
RESET plan_cache_mode;
DEALLOCATE change;
DROP TABLE articles;
DROP FUNCTION rename, calm, plain;

-- generated columns of the version, indexes on it, checks
CREATE TABLE derived (id int, version int CHECK (version < 4), next int GENERATED ALWAYS AS (version + 1) STORED, note text, PRIMARY KEY (id, version));
CREATE INDEX ON derived (next);
SELECT docstore.guard('derived');
INSERT INTO derived (id, note) VALUES (1, 'a');
UPDATE derived SET note = 'b' RETURNING *;
UPDATE derived SET version = 3 RETURNING *;
CALL pg_temp.try($$ UPDATE derived SET note = 'c' $$);
SET enable_seqscan = off;
SELECT * FROM derived WHERE id = 1 AND version = 3;
SELECT * FROM derived WHERE next = 4;
RESET enable_seqscan;
CALL pg_temp.try($$ UPDATE derived SET version = 9 $$);
DROP TABLE derived;

-- temporary and unlogged tables; a key whose columns are in another order; a name that needs quotes
CREATE TEMP TABLE "Short Lived" (b text, "Version" int, a int, PRIMARY KEY (a, b));
CREATE UNLOGGED TABLE unlogged (id uuid PRIMARY KEY, version int);
SELECT docstore.guard('"Short Lived"', 'Version'), docstore.guard('unlogged');
INSERT INTO "Short Lived" VALUES ('b', 1, 1);
INSERT INTO unlogged VALUES ('00000000-0000-0000-0000-000000000001');
UPDATE "Short Lived" SET b = 'c' RETURNING *;
UPDATE unlogged SET version = version RETURNING *;
CREATE PROCEDURE pg_temp.try_temp(statement text) LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RAISE INFO '%', pg_catalog.regexp_replace(detail, 'pg_temp_\d+', 'pg_temp');
END
$$;
CALL pg_temp.try_temp($$ UPDATE "Short Lived" SET "Version" = 9 $$);
CALL pg_temp.try($$ UPDATE unlogged SET version = 9 $$);
SELECT docstore.unguard('"Short Lived"');
DROP TABLE "Short Lived", unlogged;

-- tables that inherit are guarded for themselves: who guards one is told
CREATE TABLE animals (id int PRIMARY KEY, version int);
CREATE TABLE cats (PRIMARY KEY (id)) INHERITS (animals);
SET client_min_messages = notice;
SELECT docstore.guard('animals');
SET client_min_messages = warning;
INSERT INTO animals VALUES (1, 1);
INSERT INTO cats VALUES (2, 1);
UPDATE animals SET version = version;
SELECT tableoid::regclass, * FROM animals ORDER BY id;
SELECT docstore.guard('cats');
CALL pg_temp.try($$ UPDATE animals SET version = 9 WHERE id = 2 $$);
DROP TABLE animals, cats;

-- what is no table of the user's
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE elsewhere (id int, version int) SERVER nowhere;
CREATE MATERIALIZED VIEW seen AS SELECT 1 AS version;
CREATE TYPE pair AS (id int, version int);
CREATE SEQUENCE counter;
CALL pg_temp.try($$ SELECT docstore.guard('elsewhere') $$);
CALL pg_temp.try($$ SELECT docstore.guard('seen') $$);
CALL pg_temp.try($$ SELECT docstore.guard('pair') $$);
CALL pg_temp.try($$ SELECT docstore.guard('counter', 'last_value') $$);
CALL pg_temp.try($$ SELECT docstore.guard('pg_catalog.pg_attribute', 'attnum') $$);
CALL pg_temp.try($$ SELECT docstore.unguard('elsewhere') $$);
DROP SEQUENCE counter;
DROP TYPE pair;
DROP MATERIALIZED VIEW seen;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
