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
