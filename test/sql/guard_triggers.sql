-- docstore.guard() beside other triggers. BEFORE triggers fire in the order of their names: a_... before docstore_guard, z_... after it.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE TABLE orders (nr int PRIMARY KEY, note text, version int, updated text);
INSERT INTO orders VALUES (1, 'new', 1), (2, 'new', 1);
SELECT docstore.guard('orders');

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated := COALESCE(NEW.updated, '') || TG_NAME || ' at ' || NEW.version || '; '; RETURN NEW; END $$;
CREATE FUNCTION after_old() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.version := OLD.version + 1; RETURN NEW; END $$;
CREATE FUNCTION after_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.version := NEW.version + 1; RETURN NEW; END $$;
CREATE FUNCTION one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.version := 1; RETURN NEW; END $$;
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE orders SET note = note || ' again' WHERE nr = NEW.nr; RETURN NEW; END $$;

-- what the others see of the version, in their code and in their conditions
CREATE TRIGGER a_touch BEFORE UPDATE ON orders FOR EACH ROW WHEN (NEW.note <> '' AND NEW.version > 0) EXECUTE FUNCTION touch();
CREATE TRIGGER z_touch BEFORE UPDATE ON orders FOR EACH ROW WHEN (NEW.version = OLD.version + 1) EXECUTE FUNCTION touch();
UPDATE orders SET note = 'left out' WHERE nr = 1 RETURNING *;
UPDATE orders SET note = 'one more', version = 3, updated = NULL WHERE nr = 1 RETURNING *;
CALL pg_temp.try($$ UPDATE orders SET version = 9 WHERE nr = 1 $$);
DROP TRIGGER a_touch ON orders;
UPDATE orders SET note = 'z alone', updated = NULL WHERE nr = 1 RETURNING *;
DROP TRIGGER z_touch ON orders;
CREATE TRIGGER a_look BEFORE UPDATE ON orders FOR EACH ROW WHEN (NEW.updated = 'nobody') EXECUTE FUNCTION touch();
CREATE TRIGGER z_touch BEFORE UPDATE ON orders FOR EACH ROW WHEN (NEW.version = OLD.version + 1) EXECUTE FUNCTION touch();
UPDATE orders SET note = 'after a look', updated = NULL WHERE nr = 1 RETURNING *;
DROP TRIGGER a_look ON orders;
DROP TRIGGER z_touch ON orders;

-- a trigger that counts versions itself: before the guard, it hides what was sent; after it, it changes nothing
CREATE TRIGGER a_count BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION after_old();
UPDATE orders SET note = 'counted' WHERE nr = 1 RETURNING nr, note, version;
UPDATE orders SET note = 'stale, and hidden', version = 1 WHERE nr = 1 RETURNING nr, note, version;
DROP TRIGGER a_count ON orders;
CREATE TRIGGER z_count BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION after_old();
UPDATE orders SET note = 'counted' WHERE nr = 1 RETURNING nr, note, version;
UPDATE orders SET note = 'counted', version = 9 WHERE nr = 1 RETURNING nr, note, version;
CALL pg_temp.try($$ UPDATE orders SET version = 1 WHERE nr = 1 $$);
DROP TRIGGER z_count ON orders;
-- one that adds to what was sent: before the guard it must fit what ORMs send that do not count
CREATE TRIGGER a_count BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION after_new();
UPDATE orders SET note = 'not counted' WHERE nr = 1 RETURNING nr, note, version;
CALL pg_temp.try($$ UPDATE orders SET version = 11 WHERE nr = 1 $$);
DROP TRIGGER a_count ON orders;
-- what a trigger makes of the version after the guard is its own affair
CREATE TRIGGER z_one BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION one();
UPDATE orders SET note = 'begin again' WHERE nr = 1 RETURNING nr, note, version;
DROP TRIGGER z_one ON orders;

-- triggers that skip the row, or put it back: who asks how many rows were updated is told the truth
CREATE TRIGGER a_skip BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION skip();
UPDATE orders SET version = 9 WHERE nr = 1 RETURNING *;
DROP TRIGGER a_skip ON orders;
CREATE TRIGGER z_skip BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION skip();
UPDATE orders SET note = 'skipped' WHERE nr = 1 RETURNING *;
CALL pg_temp.try($$ UPDATE orders SET version = 9 WHERE nr = 1 $$);
DROP TRIGGER z_skip ON orders;
CREATE TRIGGER a_keep BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep();
UPDATE orders SET note = 'kept', version = 9 WHERE nr = 1 RETURNING nr, note, version;
DROP TRIGGER a_keep ON orders;
-- the server's own: a row that does not change is not written where it comes first
CREATE TRIGGER a_redundant BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
UPDATE orders SET note = note WHERE nr = 1 RETURNING nr, note, version;
DROP TRIGGER a_redundant ON orders;
CREATE TRIGGER z_redundant BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
UPDATE orders SET note = note WHERE nr = 1 RETURNING nr, note, version;
DROP TRIGGER z_redundant ON orders;

-- a BEFORE trigger that updates the same row: the server's error, wherever the trigger stands
CREATE TRIGGER a_again BEFORE UPDATE ON orders FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION again();
CALL pg_temp.try($$ UPDATE orders SET note = 'twice' WHERE nr = 1 $$);
DROP TRIGGER a_again ON orders;
CREATE TRIGGER z_again BEFORE UPDATE ON orders FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION again();
CALL pg_temp.try($$ UPDATE orders SET note = 'twice' WHERE nr = 1 $$);
DROP TRIGGER z_again ON orders;

-- AFTER triggers and deferred ones update the row again: each is a write
CREATE TRIGGER again AFTER INSERT OR UPDATE ON orders FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION again();
UPDATE orders SET note = 'after' WHERE nr = 1 RETURNING nr, note, version;
SELECT nr, note, version FROM orders WHERE nr = 1;
INSERT INTO orders VALUES (3, 'new', 0);
SELECT nr, note, version FROM orders WHERE nr = 3;
DROP TRIGGER again ON orders;
CREATE CONSTRAINT TRIGGER again AFTER UPDATE ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.note <> NEW.note AND NEW.note !~ 'again')
	EXECUTE FUNCTION again();
BEGIN;
UPDATE orders SET note = 'deferred', version = version + 1 WHERE nr = 1 RETURNING nr, note, version;
SELECT nr, note, version FROM orders WHERE nr = 1;
COMMIT;
SELECT nr, note, version FROM orders WHERE nr = 1;
DROP TRIGGER again ON orders;

-- statement triggers and transition tables see the rows as they are stored
CREATE FUNCTION count_versions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE INFO '%', (SELECT string_agg(o.version || ' to ' || n.version, ', ' ORDER BY nr) FROM before o JOIN after n USING (nr));
	RETURN NULL;
END
$$;
CREATE TRIGGER counted AFTER UPDATE ON orders REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION count_versions();
UPDATE orders SET note = 'all';
DROP TRIGGER counted ON orders;

-- a guard that somebody has disabled, or made a second time under another name
ALTER TABLE orders DISABLE TRIGGER docstore_guard;
UPDATE orders SET version = 50 WHERE nr = 1 RETURNING nr, version;
ALTER TABLE orders ENABLE TRIGGER docstore_guard;
CREATE TRIGGER second BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION docstore_internal.guard_row('version');
UPDATE orders SET note = 'guarded twice' WHERE nr = 1 RETURNING nr, version;
UPDATE orders SET note = 'guarded twice', version = 52 WHERE nr = 1 RETURNING nr, version;
CALL pg_temp.try($$ UPDATE orders SET version = 9 WHERE nr = 1 $$);
DROP TRIGGER second ON orders;
-- each of two looks after the column that it was made for
ALTER TABLE orders ADD revision bigint NOT NULL DEFAULT 1;
CREATE TRIGGER second BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION docstore_internal.guard_row('revision');
UPDATE orders SET note = 'two versions' WHERE nr = 1 RETURNING nr, version, revision;
CALL pg_temp.try($$ UPDATE orders SET revision = 9 WHERE nr = 1 $$);
DROP TRIGGER second ON orders;
-- and one for some rows, that is the user's own: the columns and the condition are his
SELECT docstore.unguard('orders');
CREATE TRIGGER guard_notes BEFORE UPDATE OF note ON orders FOR EACH ROW WHEN (OLD.nr = 1) EXECUTE FUNCTION docstore_internal.guard_row('version');
UPDATE orders SET version = 60 RETURNING nr, version;
UPDATE orders SET note = 'his' RETURNING nr, version;
CALL pg_temp.try($$ UPDATE orders SET note = 'his', version = 9 WHERE nr = 1 $$);

DROP TABLE orders;
DROP FUNCTION touch, after_old, after_new, one, skip, keep, again, count_versions;
