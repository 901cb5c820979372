/* docstore 0.8.0 to 0.9.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.9.0'" to load this file. \quit

-- Events have tags, and so have what reads them.
DROP FUNCTION docstore.read_stream(regclass, text, bigint, int, boolean);

CREATE FUNCTION docstore.read_stream(log regclass, stream text, from_version bigint DEFAULT 1, max_count int DEFAULT NULL, backwards boolean DEFAULT false)
	RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb, metadata jsonb, event_id uuid,
		source_type text, stream_type text, stream_id text, recorded_at timestamptz, tags text[])
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 500 ROWS 100
	AS 'MODULE_PATHNAME', 'ds_read_stream';

COMMENT ON FUNCTION docstore.read_stream(regclass, text, bigint, int, boolean) IS 'read the events of a stream in order, or backwards; with from_version NULL from the first event, or backwards from the last';

DROP FUNCTION docstore.read_log(regclass, text, int, jsonb);

CREATE FUNCTION docstore.read_log(log regclass, after text DEFAULT NULL, max_count int DEFAULT 1000, scope jsonb DEFAULT NULL, until text DEFAULT NULL)
	RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb, metadata jsonb, event_id uuid,
		source_type text, stream_type text, stream_id text, recorded_at timestamptz, tags text[], cursor text)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000 ROWS 1000
	AS 'MODULE_PATHNAME', 'ds_read_log';

COMMENT ON FUNCTION docstore.read_log(regclass, text, int, jsonb, text) IS 'read the events of a log, or of one or several scopes, after one cursor and until another; none is ever skipped';

CREATE FUNCTION docstore.log_end(log regclass) RETURNS text
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 300
	AS 'MODULE_PATHNAME', 'ds_log_end';

COMMENT ON FUNCTION docstore.log_end(regclass) IS 'the cursor of the last event of a log that can be read now; read until it, and continue from it';

CREATE FUNCTION docstore.read_scope(log regclass, scopes jsonb, after bigint DEFAULT NULL, max_count int DEFAULT NULL, backwards boolean DEFAULT false)
	RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb, metadata jsonb, event_id uuid,
		source_type text, stream_type text, stream_id text, recorded_at timestamptz, tags text[])
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 500 ROWS 100
	AS 'MODULE_PATHNAME', 'ds_read_scope';

COMMENT ON FUNCTION docstore.read_scope(regclass, jsonb, bigint, int, boolean) IS 'read the events of one or several scopes by position, or backwards, to decide by them; with after NULL from the first event, or backwards from the last';

COMMENT ON FUNCTION docstore.repair_log(regclass, boolean) IS 'add what a log of an older version lacks, make its triggers again, and set when they fire; with notify, also the one that sends notifications';

-- A patch can say what the document is to contain.
DROP FUNCTION docstore.patch(regclass, text, jsonb, bigint);

CREATE FUNCTION docstore.patch(collection regclass, id text, patch jsonb, expected_version bigint, if_contains jsonb DEFAULT NULL)
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_patch';

COMMENT ON FUNCTION docstore.patch(regclass, text, jsonb, bigint, jsonb) IS 'merge a JSON merge patch (RFC 7396) into a document that is at the expected version and contains if_contains; returns the new version';

-- Edits that merge.
CREATE FUNCTION docstore.merge3(base jsonb, mine jsonb, theirs jsonb, rules jsonb DEFAULT '{}')
	RETURNS TABLE (merged jsonb, conflicts jsonb)
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 50 ROWS 1
	AS 'MODULE_PATHNAME', 'ds_merge3_sql';

COMMENT ON FUNCTION docstore.merge3(jsonb, jsonb, jsonb, jsonb) IS 'merge two edits of base, mine and theirs: the merged value, or all conflicts between them; rules say by path how something is merged';

CREATE FUNCTION docstore.merge(collection regclass, id text, mine jsonb, expected_version bigint, base jsonb DEFAULT NULL, rules jsonb DEFAULT '{}')
	RETURNS TABLE (version bigint, was_merged boolean, data jsonb)
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500 ROWS 1
	AS 'MODULE_PATHNAME', 'ds_merge';

COMMENT ON FUNCTION docstore.merge(regclass, text, jsonb, bigint, jsonb, jsonb) IS 'create or overwrite a document that is at the expected version, or merge mine with a document at a later version, over base; returns the new version and what is stored';

CREATE FUNCTION docstore.preview_merge(collection regclass, id text, mine jsonb, base jsonb, rules jsonb DEFAULT '{}')
	RETURNS TABLE (version bigint, data jsonb, merged jsonb, conflicts jsonb)
	LANGUAGE sql STABLE PARALLEL RESTRICTED COST 500 ROWS 1
	BEGIN ATOMIC
		SELECT l.version, l.data, m.merged, m.conflicts
		FROM docstore.load(preview_merge.collection, preview_merge.id) AS l
		CROSS JOIN LATERAL docstore.merge3(preview_merge.base, preview_merge.mine, COALESCE(l.data, '{}'), preview_merge.rules) AS m;
	END;

COMMENT ON FUNCTION docstore.preview_merge(regclass, text, jsonb, jsonb, jsonb) IS 'the document that is there, and the result of merging mine with it over base, or all conflicts between them; writes nothing';

CREATE FUNCTION docstore.mark(log regclass) RETURNS text
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 100
	AS 'MODULE_PATHNAME', 'ds_mark';

COMMENT ON FUNCTION docstore.mark(regclass) IS 'what the calling statement sees of a log, for the key "seen" of scopes: take it first, then read';

CREATE FUNCTION docstore.append_to_log(log regclass, events jsonb, scopes jsonb DEFAULT NULL) RETURNS SETOF bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500 ROWS 2
	AS 'MODULE_PATHNAME', 'ds_append_to_log';

COMMENT ON FUNCTION docstore.append_to_log(regclass, jsonb, jsonb) IS 'append events that belong to no stream, if all scopes hold; returns the position of each event';
