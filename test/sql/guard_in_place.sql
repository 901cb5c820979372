-- docstore.guard(): the version is put into the row where it is, which nobody may notice: triggers ahead of the guard, RETURNING, indexes, memory
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

-- a trigger ahead of the guard, by its name: one whose condition reads the new row, one that changes it, one that only looks, one that undoes
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := NEW.note || '!'; RETURN NEW; END $$;
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM NEW.version; RETURN NEW; END $$;
CREATE FUNCTION old() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE INFO '% % to %', TG_NAME, OLD.version, NEW.version; RETURN NEW; END $$;

-- for each kind of trigger, type of version and place of its column: what RETURNING says, and what is found by the index on it, must be the row
CREATE PROCEDURE pg_temp.check(trigger text, columns text, type text) LANGUAGE plpgsql AS $$
DECLARE
	said text;
	found text;
	stored text;
BEGIN
	EXECUTE format('CREATE TABLE guarded (%s)', replace(columns, 'VERSION', 'version ' || type));
	CREATE INDEX by_version ON guarded (version);
	CREATE INDEX by_sum ON guarded ((version + nr));
	PERFORM docstore.guard('guarded');
	EXECUTE trigger;
	INSERT INTO guarded (nr, note, version) VALUES (1, 'a', 1), (2, NULL, 1), (3, 'c', 7);
	WITH w AS (UPDATE guarded SET note = 'new' RETURNING nr, version, version + nr AS sum) SELECT string_agg(w::text, ' ' ORDER BY nr) INTO said FROM w;
	said := said || ' then ';
	WITH w AS (UPDATE guarded SET note = 'next', version = version + 1 WHERE nr <> 2 RETURNING nr, version, version + nr AS sum)
		SELECT said || string_agg(w::text, ' ' ORDER BY nr) INTO said FROM w;
	SET LOCAL jit = off;
	SET LOCAL enable_indexscan = off;
	SET LOCAL enable_bitmapscan = off;
	SET LOCAL enable_indexonlyscan = off;
	SET LOCAL enable_seqscan = on;
	SELECT string_agg(concat_ws(' ', nr, version, note), ', ' ORDER BY nr) INTO stored FROM guarded;
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_indexscan = on;
	SELECT string_agg(concat_ws(' ', nr, version), ', ' ORDER BY nr) INTO found FROM guarded
		WHERE version IN (2, 3, 9) AND version = (SELECT x.version FROM guarded x WHERE x.version + x.nr = guarded.version + guarded.nr AND x.nr = guarded.nr);
	RAISE INFO '%: % | stored % | by index %', type, said, stored, found;
	SET LOCAL enable_seqscan = on;
	DROP TABLE guarded;
END $$;

CREATE TEMP TABLE kinds (kind text PRIMARY KEY, trigger text);
INSERT INTO kinds VALUES
	('1 none', 'SELECT'),
	('2 condition ahead', 'CREATE TRIGGER a BEFORE UPDATE ON guarded FOR EACH ROW WHEN (NEW.version > 0) EXECUTE FUNCTION look()'),
	('3 condition and change ahead', 'CREATE TRIGGER a BEFORE UPDATE ON guarded FOR EACH ROW WHEN (NEW.version > 0) EXECUTE FUNCTION change()'),
	('4 change ahead', 'CREATE TRIGGER a BEFORE UPDATE ON guarded FOR EACH ROW EXECUTE FUNCTION change()'),
	('5 look ahead', 'CREATE TRIGGER a BEFORE UPDATE ON guarded FOR EACH ROW EXECUTE FUNCTION look()'),
	('6 condition and change behind', 'CREATE TRIGGER z BEFORE UPDATE ON guarded FOR EACH ROW WHEN (NEW.version > OLD.version) EXECUTE FUNCTION change()'),
	('7 both', 'CREATE TRIGGER a BEFORE UPDATE ON guarded FOR EACH ROW WHEN (NEW.version > 0) EXECUTE FUNCTION change();
				CREATE TRIGGER z BEFORE UPDATE ON guarded FOR EACH ROW WHEN (NEW.version > OLD.version) EXECUTE FUNCTION change()');
DO $$
DECLARE
	k record;
	type text;
	columns text;
BEGIN
	FOR k IN SELECT * FROM kinds ORDER BY kind LOOP
		RAISE INFO '%', k.kind;
		FOREACH type IN ARRAY ARRAY['smallint', 'int', 'bigint'] LOOP
			FOREACH columns IN ARRAY ARRAY['nr int PRIMARY KEY, note text, VERSION', 'VERSION, nr int PRIMARY KEY, note text', 'nr int PRIMARY KEY, VERSION, note text'] LOOP
				CALL pg_temp.check(k.trigger, columns, type);
			END LOOP;
		END LOOP;
	END LOOP;
END $$;

-- one that puts the old row in the place of the new one: an update of its version all the same; the row that it returned is the old one's memory
CREATE TABLE guarded (nr int PRIMARY KEY, version int, note text);
CREATE INDEX ON guarded (version);
SELECT docstore.guard('guarded');
CREATE TRIGGER a BEFORE UPDATE ON guarded FOR EACH ROW EXECUTE FUNCTION old();
CREATE TRIGGER z BEFORE UPDATE ON guarded FOR EACH ROW EXECUTE FUNCTION told();
CREATE TRIGGER zz AFTER UPDATE ON guarded FOR EACH ROW EXECUTE FUNCTION told();
INSERT INTO guarded VALUES (1, 1, 'a');
UPDATE guarded SET note = 'b' RETURNING *;
UPDATE guarded SET note = 'b' RETURNING *;
SET enable_seqscan = off;
SELECT * FROM guarded WHERE version = 3;
RESET enable_seqscan;
DROP TABLE guarded;

-- an update that fails behind the guard has changed nothing, nor has one that is rolled back; what a cursor holds stays as it was
CREATE TABLE guarded (nr int PRIMARY KEY, version int CHECK (version < 4), note text);
SELECT docstore.guard('guarded');
INSERT INTO guarded VALUES (1, 1, 'a'), (2, 3, 'b');
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT * FROM guarded ORDER BY nr;
FETCH c;
UPDATE guarded SET note = 'c' WHERE nr = 1;
FETCH FIRST c;
SAVEPOINT a;
UPDATE guarded SET note = 'c' WHERE nr = 2;
ROLLBACK TO a;
SELECT * FROM guarded ORDER BY nr;
ROLLBACK;
SELECT * FROM guarded ORDER BY nr;
DROP TABLE guarded;

-- rows that are older than the column: the version is its default
CREATE TABLE guarded (nr int PRIMARY KEY, note text);
INSERT INTO guarded VALUES (1, 'a'), (2, NULL), (3, 'c');
ALTER TABLE guarded ADD small smallint DEFAULT 5, ADD medium int DEFAULT 6, ADD large bigint DEFAULT 7;
SELECT docstore.guard('guarded', 'small');
UPDATE guarded SET note = 'b' WHERE nr = 1 RETURNING *;
UPDATE guarded SET note = 'b', small = 6 WHERE nr = 2 RETURNING *;
SELECT pg_temp.verdict($$ UPDATE guarded SET small = 7 WHERE nr = 3 RETURNING small $$);
SELECT docstore.unguard('guarded'), docstore.guard('guarded', 'medium');
UPDATE guarded SET note = 'c' RETURNING *;
SELECT docstore.unguard('guarded'), docstore.guard('guarded', 'large');
UPDATE guarded SET note = 'd', large = 8 WHERE nr = 3 RETURNING *;
DROP TABLE guarded;

-- memory within one statement over many rows: what the guard takes for a row is given back before the next one.  Each has a table of its own, whose
-- rows are where they were inserted; the version goes into the row in place, or into a copy where it is NULL
CREATE TABLE seen (statement text, nr int, bytes bigint);
CREATE FUNCTION measure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen SELECT NEW.note, NEW.nr, sum(used_bytes) FROM pg_backend_memory_contexts;
	RETURN NEW;
END $$;
CREATE PROCEDURE pg_temp.update_many(statement text, version int, new_version text) LANGUAGE plpgsql AS $$
DECLARE
	highest int;
BEGIN
	CREATE TABLE guarded (nr int PRIMARY KEY, version int, note text) WITH (autovacuum_enabled = false);
	INSERT INTO guarded SELECT nr, $2, 'note' FROM generate_series(1, 50000) nr;
	CREATE TRIGGER look BEFORE UPDATE ON guarded FOR EACH ROW WHEN (NEW.nr IN (1, 1000, 49900)) EXECUTE FUNCTION measure();
	IF statement <> 'not guarded' THEN
		PERFORM docstore.guard('guarded');
	END IF;
	EXECUTE format('UPDATE guarded SET note = %L, version = %s', statement, new_version);
	SELECT max(g.version) INTO highest FROM guarded g HAVING min(g.version) = max(g.version);
	RAISE INFO '%: %', statement, highest;
	DROP TABLE guarded;
END $$;
CALL pg_temp.update_many('not guarded', 1, 'version');
CALL pg_temp.update_many('as it is', 1, 'version');
CALL pg_temp.update_many('sent', 1, '2');
CALL pg_temp.update_many('NULL', NULL, 'NULL');
-- (the server itself keeps some bytes of each row that has triggers, in some of its versions)
WITH growth AS (SELECT statement, b.bytes - a.bytes AS bytes FROM seen a JOIN seen b USING (statement) WHERE a.nr = 1000 AND b.nr = 49900)
SELECT g.statement, g.bytes - plain.bytes < 50000 AS steady FROM growth g, growth plain WHERE plain.statement = 'not guarded' AND g.statement <> plain.statement ORDER BY 1;
DROP TABLE seen;
DROP FUNCTION change, look, old, told, measure;
DROP PROCEDURE pg_temp.check, pg_temp.update_many;
DROP TABLE kinds;
