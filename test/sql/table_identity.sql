-- Nobody's code runs under another name: what event triggers, and triggers on docstore's own table, see when docstore writes what its
-- caller may not. Triggers, policies and indexes of collections are in the spec table_identity_race.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE ROLE regress_docstore_owner;
CREATE ROLE regress_docstore_mal;
CREATE SCHEMA own AUTHORIZATION regress_docstore_owner;
CREATE SCHEMA evil AUTHORIZATION regress_docstore_mal;
GRANT USAGE ON SCHEMA own TO PUBLIC;
CREATE TABLE seen (who name, what text);
GRANT SELECT, INSERT ON seen TO PUBLIC;

-- somebody's careless event trigger, whose operator is found by the search_path
CREATE FUNCTION note_command() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF 1::bigint = 2::bigint THEN RAISE 'never'; END IF;
	INSERT INTO public.seen VALUES (current_user, tg_tag);
END $$;
SET ROLE regress_docstore_mal;
CREATE FUNCTION evil.equal(bigint, bigint) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.seen VALUES (current_user, 'operator');
	RETURN $1 OPERATOR(pg_catalog.=) $2;
END $$;
CREATE OPERATOR evil.= (FUNCTION = evil.equal, LEFTARG = bigint, RIGHTARG = bigint);
SET ROLE regress_docstore_owner;
CREATE TABLE own.hand (id text PRIMARY KEY, version bigint NOT NULL, data jsonb NOT NULL);
SELECT docstore.create_collection('own.guarded');
SELECT docstore.guard('own.guarded');
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON own.hand, own.guarded TO regress_docstore_mal;
RESET ROLE;
CREATE EVENT TRIGGER regress_docstore_start ON ddl_command_start EXECUTE FUNCTION note_command();
CREATE EVENT TRIGGER regress_docstore_end ON ddl_command_end EXECUTE FUNCTION note_command();
CREATE EVENT TRIGGER regress_docstore_drop ON sql_drop EXECUTE FUNCTION note_command();

-- the first delete makes the floor, TRUNCATE sets where it begins: no event trigger fires, and none runs as the owner
SET ROLE regress_docstore_mal;
SET search_path = evil, pg_catalog;
SELECT docstore.upsert('own.hand', 'a', '{}'), docstore.delete('own.hand', 'a', 1), docstore.upsert('own.hand', 'a', '{}');
SELECT docstore.upsert('own.guarded', 'a', '{}');
DELETE FROM own.guarded;
TRUNCATE own.guarded;
SELECT docstore.upsert('own.guarded', 'a', '{}');
SELECT who, what FROM public.seen;
-- what somebody makes himself, he makes as himself
SELECT docstore.create_collection('evil.mine');
SELECT DISTINCT who FROM public.seen;
RESET search_path;
RESET ROLE;
DROP EVENT TRIGGER regress_docstore_start, regress_docstore_end, regress_docstore_drop;
TRUNCATE seen;
SELECT sequencename, sequenceowner, min_value, start_value, last_value FROM pg_sequences WHERE schemaname = 'own' ORDER BY 1;
-- the floor belongs to the table
SET ROLE regress_docstore_owner;
TRUNCATE own.guarded RESTART IDENTITY;
SELECT docstore.upsert('own.guarded', 'a', '{}');
DROP TABLE own.hand, own.guarded;
RESET ROLE;
SELECT count(*) FROM pg_sequences WHERE schemaname = 'own';

-- requests are forgotten without the triggers that a superuser may have put on their table
CREATE FUNCTION note_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF 1::bigint = 2::bigint THEN RAISE 'never'; END IF;
	INSERT INTO public.seen VALUES (current_user, TG_OP);
	RETURN OLD;
END $$;
CREATE TRIGGER note BEFORE DELETE ON docstore.requests FOR EACH ROW EXECUTE FUNCTION note_request();
CREATE TRIGGER note_statement AFTER DELETE ON docstore.requests FOR EACH STATEMENT EXECUTE FUNCTION note_request();
SET ROLE regress_docstore_mal;
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "evil.mine", "id": "a", "data": {}}]', '00000000-0000-4000-8000-00000000000a');
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "evil.mine", "id": "b", "data": {}}]', '00000000-0000-4000-8000-00000000000b');
RESET ROLE;
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "evil.mine", "id": "c", "data": {}}]', '00000000-0000-4000-8000-00000000000a');
SET ROLE regress_docstore_mal;
SET search_path = evil, pg_catalog;
SELECT docstore.forget_requests('1 hour'), docstore.forget_requests('0');
SELECT docstore.forget_requests('0');
SELECT who, what FROM public.seen;
RESET search_path;
RESET ROLE;
-- those of others are theirs
SELECT role = current_user::regrole AS own, request_id FROM docstore.requests WHERE role IN (current_user::regrole, 'regress_docstore_mal'::regrole);
SELECT docstore.forget_requests('0') > 0 AS forgotten;
DROP TRIGGER note ON docstore.requests;
DROP TRIGGER note_statement ON docstore.requests;
-- forgotten is deleted: the same request is executed again; one that was taken back is there again
BEGIN;
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "evil.mine", "id": "d", "data": {}}]', '00000000-0000-4000-8000-00000000000a');
COMMIT;
BEGIN;
SELECT docstore.forget_requests('0');
ROLLBACK;
SELECT version FROM docstore.save('[{"op": "upsert", "collection": "evil.mine", "id": "d", "data": {}}]', '00000000-0000-4000-8000-00000000000a');
SELECT docstore.forget_requests('0');
CALL pg_temp.try($$ SELECT version FROM docstore.save('[{"op": "upsert", "collection": "evil.mine", "id": "d", "data": {}}]', '00000000-0000-4000-8000-00000000000a') $$);

DROP SCHEMA own, evil CASCADE;
DROP TABLE seen;
DROP FUNCTION note_command, note_request;
DROP ROLE regress_docstore_owner, regress_docstore_mal;
