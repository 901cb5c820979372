/* docstore 0.1.0 to 0.2.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.2.0'" to load this file. \quit

--
-- Patches, documents that carry their version, and what load_many tells the planner
--

CREATE FUNCTION docstore.merge_patch(target jsonb, patch jsonb) RETURNS jsonb
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ds_merge_patch_sql';

COMMENT ON FUNCTION docstore.merge_patch(jsonb, jsonb) IS 'what a JSON merge patch (RFC 7396) makes of a target; a target that is NULL counts as {}';

CREATE FUNCTION docstore.patch(collection regclass, id text, patch jsonb, expected_version bigint)
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_patch';

COMMENT ON FUNCTION docstore.patch(regclass, text, jsonb, bigint) IS 'merge a JSON merge patch (RFC 7396) into a document that is at the expected version; returns the new version';

CREATE FUNCTION docstore.get(collection regclass, id text) RETURNS jsonb
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'ds_get';

COMMENT ON FUNCTION docstore.get(regclass, text) IS 'read a document with its collection, id and version in the key @metadata; NULL when it is absent';

CREATE FUNCTION docstore.put(document jsonb) RETURNS jsonb
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_put';

COMMENT ON FUNCTION docstore.put(jsonb) IS 'save a document as docstore.get returns it, with the version it carries as the expected one; returns it with its new version';

CREATE FUNCTION docstore.load_many_support(internal) RETURNS internal
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'ds_load_many_support';

COMMENT ON FUNCTION docstore.load_many_support(internal) IS 'internal: the rows of docstore.load_many, for the planner';

ALTER FUNCTION docstore.load_many(regclass, text[]) SUPPORT docstore.load_many_support;

--
-- Deferred conflicts
--

CREATE FUNCTION docstore.check_conflicts() RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_check_conflicts';

COMMENT ON FUNCTION docstore.check_conflicts() IS 'raise the conflicts that the transaction has deferred, all of them as one';

DROP FUNCTION docstore.save(jsonb);

CREATE FUNCTION docstore.save(changes jsonb, request_id uuid DEFAULT NULL)
	RETURNS TABLE (item int, op text, target text, id text, version bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'ds_save';

COMMENT ON FUNCTION docstore.save(jsonb, uuid) IS 'save a unit of work, all or nothing; one conflict names every item that is not at its expected version';

--
-- Requests: calls of docstore.save() that were given a request_id
--

CREATE TABLE docstore.requests (
	role         regrole     NOT NULL,
	request_id   uuid        NOT NULL,
	changes_hash bytea       NOT NULL,
	result       jsonb,
	created_at   timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (role, request_id)
);

CREATE INDEX requests_created_at ON docstore.requests (created_at);

COMMENT ON TABLE docstore.requests IS 'what calls of docstore.save() with a request_id have returned, of each role its own';
COMMENT ON COLUMN docstore.requests.role IS 'who made the call';
COMMENT ON COLUMN docstore.requests.changes_hash IS 'SHA-256 of the changes, to tell a retry from another call';
COMMENT ON COLUMN docstore.requests.result IS 'the rows returned; NULL while the call is executed';

-- Each role has its own requests, and cannot see that there are others.
ALTER TABLE docstore.requests ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_requests ON docstore.requests
	USING (role = to_regrole(quote_ident(current_user)));

COMMENT ON POLICY own_requests ON docstore.requests IS 'the requests of the current role';

GRANT SELECT, INSERT, UPDATE (result) ON docstore.requests TO PUBLIC;

-- Without those of roles that are gone: their number could be another role's elsewhere.
SELECT pg_extension_config_dump('docstore.requests', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) role)');

CREATE FUNCTION docstore.forget_requests(older_than interval) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_forget_requests';

COMMENT ON FUNCTION docstore.forget_requests(interval) IS 'forget the own requests that are older; returns how many';

--
-- Guarded tables
--

CREATE FUNCTION docstore.guard(table_name regclass, version_column name DEFAULT 'version') RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_guard';

COMMENT ON FUNCTION docstore.guard(regclass, name) IS 'hold whoever writes a table by plain SQL to the rule of versions';

CREATE FUNCTION docstore.unguard(table_name regclass) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_unguard';

COMMENT ON FUNCTION docstore.unguard(regclass) IS 'let a table be written freely again';

CREATE FUNCTION docstore.guard_row() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_guard_row';

COMMENT ON FUNCTION docstore.guard_row() IS 'trigger of docstore.guard: compare and raise the version of a row';

CREATE FUNCTION docstore.guard_delete() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_guard_delete';

COMMENT ON FUNCTION docstore.guard_delete() IS 'trigger of docstore.guard: note the version of a document that is deleted';

CREATE FUNCTION docstore.guard_truncate() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_guard_truncate';

COMMENT ON FUNCTION docstore.guard_truncate() IS 'trigger of docstore.guard: note the versions of all documents that are deleted';
