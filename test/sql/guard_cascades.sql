-- docstore.guard() and foreign keys: what the server updates in a guarded table is a write like any other, and tells nobody what he may not read
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE TABLE owners (name text PRIMARY KEY, version int);
CREATE TABLE shops (id int PRIMARY KEY, version int, data text, owner text DEFAULT 'nobody' REFERENCES owners ON UPDATE CASCADE ON DELETE SET NULL);
CREATE TABLE chairs (id int PRIMARY KEY, version int, shop int REFERENCES shops ON UPDATE CASCADE ON DELETE CASCADE);
SELECT docstore.guard('owners'), docstore.guard('shops'), docstore.guard('chairs');
INSERT INTO owners VALUES ('ann', 1), ('nobody', 1);
INSERT INTO shops VALUES (1, 1, 'a', 'ann'), (2, 5, 'b', 'ann'), (3, 1, 'c', 'nobody');
INSERT INTO chairs VALUES (1, 1, 1), (2, 1, 3);
UPDATE owners SET name = 'anna' WHERE name = 'ann';
SELECT * FROM owners ORDER BY name;
SELECT * FROM shops ORDER BY id;
-- a cascade of cascades
UPDATE shops SET id = 11 WHERE id = 1;
SELECT * FROM chairs ORDER BY id;
DELETE FROM owners WHERE name = 'anna';
SELECT * FROM shops ORDER BY id;
-- who has loaded a shop before is told
CALL pg_temp.try($$ UPDATE shops SET data = 'mine', version = 2 WHERE id = 2 $$);
-- an update of a foreign key, deferred, and ON UPDATE SET DEFAULT
ALTER TABLE shops DROP CONSTRAINT shops_owner_fkey, ADD FOREIGN KEY (owner) REFERENCES owners ON UPDATE SET DEFAULT ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED;
INSERT INTO owners VALUES ('ben', NULL);
UPDATE shops SET owner = 'ben', version = version WHERE id = 11;
BEGIN;
UPDATE owners SET name = 'benny' WHERE name = 'ben';
SELECT * FROM shops WHERE id = 11;
COMMIT;
SELECT * FROM shops WHERE id = 11;
-- the version ends, and so does what would raise it
ALTER TABLE chairs ALTER version TYPE smallint;
ALTER TABLE chairs DISABLE TRIGGER docstore_guard;
UPDATE chairs SET version = 32767 WHERE id = 1;
ALTER TABLE chairs ENABLE TRIGGER docstore_guard;
CALL pg_temp.try($$ UPDATE shops SET id = 12 WHERE id = 11 $$);

-- a trigger that spoils the version in a cascade: the conflict tells neither key nor version to who may not read the table
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.version := 1000; RETURN NEW; END $$;
CREATE TRIGGER a_spoil BEFORE UPDATE ON shops FOR EACH ROW EXECUTE FUNCTION spoil();
CREATE ROLE regress_docstore_clerk;
GRANT SELECT, UPDATE ON owners TO regress_docstore_clerk;
SET ROLE regress_docstore_clerk;
CALL pg_temp.try($$ UPDATE public.owners SET name = 'somebody' WHERE name = 'nobody' $$);
RESET ROLE;
DROP TRIGGER a_spoil ON shops;
SET ROLE regress_docstore_clerk;
INSERT INTO public.shops VALUES (4, 1, 'd', 'nobody');
RESET ROLE;
-- without it he who may not touch the shops changes them by the key alone, as everywhere
ALTER TABLE shops DROP CONSTRAINT shops_owner_fkey, ADD FOREIGN KEY (owner) REFERENCES owners ON UPDATE CASCADE;
SET ROLE regress_docstore_clerk;
UPDATE public.owners SET name = 'somebody' WHERE name = 'nobody';
RESET ROLE;
SELECT * FROM shops ORDER BY id;

-- partitioned tables on both sides; the key moves rows to other partitions
CREATE TABLE regions (code int PRIMARY KEY, version int) PARTITION BY RANGE (code);
CREATE TABLE regions_low PARTITION OF regions FOR VALUES FROM (0) TO (100);
CREATE TABLE regions_high PARTITION OF regions FOR VALUES FROM (100) TO (200);
CREATE TABLE towns (id int, region int REFERENCES regions ON UPDATE CASCADE, version bigint, PRIMARY KEY (id, region)) PARTITION BY RANGE (region);
CREATE TABLE towns_high PARTITION OF towns FOR VALUES FROM (100) TO (200);
CREATE TABLE towns_low (version bigint, region int NOT NULL, id int NOT NULL);
ALTER TABLE towns ATTACH PARTITION towns_low FOR VALUES FROM (0) TO (100);
SELECT docstore.guard('regions'), docstore.guard('towns');
INSERT INTO regions VALUES (1, NULL);
INSERT INTO towns VALUES (1, 1, NULL), (2, 1, NULL);
UPDATE regions SET code = 2;
SELECT tableoid::regclass, * FROM towns ORDER BY id;
UPDATE regions SET code = 101;
SELECT tableoid::regclass, * FROM regions;
SELECT tableoid::regclass, * FROM towns ORDER BY id;

-- a collection whose id is a foreign key: the floor hears of it
CREATE TABLE passports (id text PRIMARY KEY REFERENCES owners ON UPDATE CASCADE, version bigint NOT NULL, data jsonb NOT NULL);
SELECT docstore.guard('passports');
INSERT INTO owners VALUES ('carl', 1);
SELECT docstore.upsert('passports', 'carl', '{}'), docstore.upsert('passports', 'carl', '{}', 1);
UPDATE owners SET name = 'carlo' WHERE name = 'carl';
SELECT * FROM passports;
INSERT INTO owners VALUES ('carl', 1);
SELECT docstore.upsert('passports', 'carl', '{}');

-- what is generated from a key is set with it
CREATE TABLE heads (nr int PRIMARY KEY);
CREATE TABLE hats (nr int PRIMARY KEY, version int, head int REFERENCES heads ON UPDATE CASCADE, size int GENERATED ALWAYS AS (head * 10) STORED);
SELECT docstore.guard('hats', strict => true);
INSERT INTO heads VALUES (5);
INSERT INTO hats (nr, version, head) VALUES (1, 1, 5);
UPDATE heads SET nr = 6;
SELECT * FROM hats;
DROP TABLE hats, heads;

DROP TABLE chairs, shops, passports, owners, towns, regions;
DROP FUNCTION spoil;
DROP ROLE regress_docstore_clerk;
