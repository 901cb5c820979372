-- what the conflict of a guarded table tells: no more than a SELECT by the same role would, row by row
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE ROLE regress_docstore_ann;
CREATE ROLE regress_docstore_owner;
CREATE PROCEDURE pg_temp.try_as(role name, statement text) LANGUAGE plpgsql AS $$
DECLARE
	detail jsonb;
BEGIN
	EXECUTE pg_catalog.format('SET ROLE %I', role);
	EXECUTE statement;
	RAISE EXCEPTION 'no row';
EXCEPTION
	WHEN SQLSTATE 'PT409' THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		RAISE INFO '% %', detail #> '{violations,0,id}', detail #> '{violations,0,actual}';
	WHEN others THEN
		RAISE INFO '% %', SQLSTATE, SQLERRM;
END
$$;

CREATE TABLE notes (nr int PRIMARY KEY, version int, owner text);
INSERT INTO notes VALUES (1, 11, 'regress_docstore_ann'), (2, 12, 'somebody');
SELECT docstore.guard('notes');
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON notes FOR SELECT USING (owner = current_user);
CREATE POLICY write ON notes FOR UPDATE USING (true);
GRANT SELECT, UPDATE ON notes TO regress_docstore_ann;
-- a statement that reads no column finds rows that its role cannot see
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = CASE pg_trigger_depth() WHEN 0 THEN 7 END $$);
UPDATE notes SET owner = 'moved' WHERE nr = 1;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 $$);
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 WHERE nr = 1 $$);
UPDATE notes SET owner = 'regress_docstore_ann' WHERE nr = 2;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 WHERE nr = 2 $$);
CALL pg_temp.try_as('regress_docstore_ann', $$ INSERT INTO notes VALUES (2, 1) ON CONFLICT (nr) DO UPDATE SET version = excluded.version $$);
GRANT INSERT ON notes TO regress_docstore_ann;
CREATE POLICY add ON notes FOR INSERT WITH CHECK (true);
CALL pg_temp.try_as('regress_docstore_ann', $$ INSERT INTO notes VALUES (2, 1, 'regress_docstore_ann') ON CONFLICT (nr) DO UPDATE SET version = excluded.version $$);
CALL pg_temp.try_as('regress_docstore_ann', $$ INSERT INTO notes VALUES (1, 1, 'regress_docstore_ann') ON CONFLICT (nr) DO UPDATE SET version = excluded.version $$);
CALL pg_temp.try_as('regress_docstore_ann', $$ MERGE INTO notes n USING (VALUES (2, 1)) s(nr, version) ON n.nr = s.nr WHEN MATCHED THEN UPDATE SET version = s.version $$);
-- a row that the same transaction has just written, and one that the same statement makes visible
BEGIN;
SET LOCAL ROLE regress_docstore_ann;
UPDATE notes SET version = version WHERE nr = 2;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 WHERE nr = 2 $$);
ROLLBACK;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET owner = current_user, version = 7 $$);
-- with the privilege for some columns only, which is too little to look for the row; without any; with row_security off
REVOKE SELECT ON notes FROM regress_docstore_ann;
GRANT SELECT (nr, version, owner) ON notes TO regress_docstore_ann;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 WHERE nr = 2 $$);
REVOKE SELECT (nr, version, owner) ON notes FROM regress_docstore_ann;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 $$);
GRANT SELECT ON notes TO regress_docstore_ann;
SET row_security = off;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 WHERE nr = 2 $$);
RESET row_security;
-- no policy for reading, and a policy that fails: then the statement fails as well
DROP POLICY read ON notes;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 $$);
CREATE POLICY read ON notes FOR SELECT USING (1 / (nr - 1) > 0);
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 $$);
DROP POLICY read ON notes;
CREATE POLICY read ON notes FOR SELECT USING (owner = current_user);
-- operators of the caller's own make no difference
CREATE SCHEMA regress_docstore_evil;
GRANT USAGE ON SCHEMA regress_docstore_evil TO regress_docstore_ann;
CREATE FUNCTION regress_docstore_evil.yes(tid, tid) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR regress_docstore_evil.= (FUNCTION = regress_docstore_evil.yes, LEFTARG = tid, RIGHTARG = tid);
SET search_path = regress_docstore_evil, public, pg_catalog;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE notes SET version = 7 $$);
RESET search_path;
DROP SCHEMA regress_docstore_evil CASCADE;
-- the owner is above row security, unless it is forced upon him
ALTER TABLE notes OWNER TO regress_docstore_owner;
CALL pg_temp.try_as('regress_docstore_owner', $$ UPDATE notes SET version = 7 WHERE nr = 1 $$);
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CALL pg_temp.try_as('regress_docstore_owner', $$ UPDATE notes SET version = 7 $$);
ALTER TABLE notes NO FORCE ROW LEVEL SECURITY;
-- through a view of the owner's: the caller's own privileges count
CREATE VIEW all_notes AS SELECT * FROM notes;
ALTER VIEW all_notes OWNER TO regress_docstore_owner;
GRANT SELECT, UPDATE ON all_notes TO regress_docstore_ann;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE all_notes SET version = 7 WHERE nr = 1 $$);
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE all_notes SET version = 7 WHERE nr = 2 $$);
REVOKE SELECT ON notes FROM regress_docstore_ann;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE all_notes SET version = 7 WHERE nr = 2 $$);
DROP TABLE notes CASCADE;

-- partitions: each name of the table has policies and privileges of its own
CREATE TABLE parts (nr int PRIMARY KEY, version int, owner text) PARTITION BY RANGE (nr);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10);
INSERT INTO parts VALUES (1, 11, 'regress_docstore_ann'), (2, 12, 'somebody');
SELECT docstore.guard('parts');
ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
CREATE POLICY read ON parts FOR SELECT USING (owner = current_user);
CREATE POLICY write ON parts FOR UPDATE USING (true);
GRANT SELECT, UPDATE ON parts TO regress_docstore_ann;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE parts SET version = 7 WHERE nr = 1 $$);
UPDATE parts SET owner = 'somebody' WHERE nr = 1;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE parts SET version = 7 $$);
GRANT UPDATE ON parts_low TO regress_docstore_ann;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE parts_low SET version = 7 $$);
GRANT SELECT ON parts_low TO regress_docstore_ann;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE parts_low SET version = 7 $$);
ALTER TABLE parts_low ENABLE ROW LEVEL SECURITY;
CREATE POLICY write ON parts_low FOR UPDATE USING (true);
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE parts_low SET version = 7 $$);
CREATE POLICY read ON parts_low FOR SELECT USING (nr = 1);
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE parts_low SET version = 7 WHERE nr = 1 $$);
-- a row of another partition, at the same place, is another row
CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (20);
TRUNCATE parts;
INSERT INTO parts VALUES (1, 11, 'somebody'), (11, 12, 'regress_docstore_ann');
ALTER TABLE parts_low DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON parts_low FROM regress_docstore_ann;
SELECT tableoid::regclass, ctid FROM parts ORDER BY nr;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE parts SET version = 7 $$);
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE parts SET version = 7 WHERE nr = 11 $$);
DROP TABLE parts;

-- what a primary key only includes is no part of it
CREATE TABLE including (nr int, version int, note text, PRIMARY KEY (nr) INCLUDE (note));
INSERT INTO including VALUES (1, 11, 'secret');
SELECT docstore.guard('including');
GRANT SELECT (nr, version), UPDATE ON including TO regress_docstore_ann;
CALL pg_temp.try_as('regress_docstore_ann', $$ UPDATE including SET version = 7 $$);
DROP TABLE including;

DROP ROLE regress_docstore_ann, regress_docstore_owner;
