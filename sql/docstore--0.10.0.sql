/* docstore 0.10.0: the schema docstore, which is all that users call, and what it stands on */

\echo Use "CREATE EXTENSION docstore" to load this file. \quit

-- A plain CREATE SCHEMA: it fails when somebody has made the schema before,
-- who could otherwise own what this script puts into it.
CREATE SCHEMA docstore;

COMMENT ON SCHEMA docstore IS 'versioned documents: see the functions docstore.upsert, docstore.save and docstore.violations';

-- Nobody gets more from these functions than plain SQL gives: they run with
-- the caller's privileges and under the caller's row security.
GRANT USAGE ON SCHEMA docstore TO PUBLIC;

-- COST counts calls of a cheap operator such as @>, so that the planner
-- evaluates that first. Most functions read or write one row by its key.

--
-- Expected versions that are no version
--

CREATE FUNCTION docstore.no_version() RETURNS bigint
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN 0::bigint;

COMMENT ON FUNCTION docstore.no_version() IS 'expected version: the document is not there';

CREATE FUNCTION docstore.any_version() RETURNS bigint
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN (-1)::bigint;

COMMENT ON FUNCTION docstore.any_version() IS 'expected version: do not check';

CREATE FUNCTION docstore.some_version() RETURNS bigint
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN (-2)::bigint;

COMMENT ON FUNCTION docstore.some_version() IS 'expected version: the document is there, at any version';

--
-- Documents
--

CREATE FUNCTION docstore.create_collection(name text, id_type regtype DEFAULT 'pg_catalog.text')
	RETURNS regclass
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_create_collection';

COMMENT ON FUNCTION docstore.create_collection(text, regtype) IS 'make a table for documents; id_type is text, uuid, bigint or integer';

CREATE FUNCTION docstore.upsert(collection regclass, id text, data jsonb,
								expected_version bigint DEFAULT NULL)
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_upsert';

COMMENT ON FUNCTION docstore.upsert(regclass, text, jsonb, bigint) IS 'create or overwrite a document that is at the expected version; returns the new version';

CREATE FUNCTION docstore.patch(collection regclass, id text, patch jsonb, expected_version bigint, if_contains jsonb DEFAULT NULL)
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_patch';

COMMENT ON FUNCTION docstore.patch(regclass, text, jsonb, bigint, jsonb) IS 'merge a JSON merge patch (RFC 7396) into a document that is at the expected version and contains if_contains; returns the new version';

CREATE FUNCTION docstore.merge_patch(target jsonb, patch jsonb) RETURNS jsonb
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 20
	AS 'MODULE_PATHNAME', 'ds_merge_patch_sql';

COMMENT ON FUNCTION docstore.merge_patch(jsonb, jsonb) IS 'what a JSON merge patch (RFC 7396) makes of a target; a target that is NULL counts as {}';

CREATE FUNCTION docstore.merge3(base jsonb, mine jsonb, theirs jsonb, rules jsonb DEFAULT '{}')
	RETURNS TABLE (merged jsonb, conflicts jsonb)
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 50 ROWS 1
	AS 'MODULE_PATHNAME', 'ds_merge3_sql';

COMMENT ON FUNCTION docstore.merge3(jsonb, jsonb, jsonb, jsonb) IS 'merge two edits of base, mine and theirs: the merged value, or all conflicts between them; rules say by path how something is merged';

CREATE FUNCTION docstore.delete(collection regclass, id text, expected_version bigint)
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_delete';

COMMENT ON FUNCTION docstore.delete(regclass, text, bigint) IS 'delete a document that is at the expected version; returns the version deleted';

CREATE FUNCTION docstore.load(collection regclass, id text, unless_version bigint DEFAULT NULL)
	RETURNS TABLE (id text, version bigint, data jsonb,
				   created_at timestamptz, updated_at timestamptz)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 300 ROWS 1
	AS 'MODULE_PATHNAME', 'ds_load';

COMMENT ON FUNCTION docstore.load(regclass, text, bigint) IS 'read a document; no row when it is absent, or still at unless_version';

CREATE FUNCTION docstore.load_many(collection regclass, ids text[])
	RETURNS TABLE (id text, version bigint, data jsonb,
				   created_at timestamptz, updated_at timestamptz)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 500 ROWS 100
	AS 'MODULE_PATHNAME', 'ds_load_many';

COMMENT ON FUNCTION docstore.load_many(regclass, text[]) IS 'read documents: each that is found once, in the order of the ids';

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

CREATE FUNCTION docstore.get(collection regclass, id text) RETURNS jsonb
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 300
	AS 'MODULE_PATHNAME', 'ds_get';

COMMENT ON FUNCTION docstore.get(regclass, text) IS 'read a document with its collection, id and version in the key @metadata; NULL when it is absent';

CREATE FUNCTION docstore.put(document jsonb) RETURNS jsonb
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_put';

COMMENT ON FUNCTION docstore.put(jsonb) IS 'save a document as docstore.get returns it, with the version it carries as the expected one; returns it with its new version';

--
-- Batches
--

CREATE FUNCTION docstore.save(changes jsonb, request_id uuid DEFAULT NULL)
	RETURNS TABLE (item int, op text, target text, id text, version bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 2000 ROWS 10
	AS 'MODULE_PATHNAME', 'ds_save';

COMMENT ON FUNCTION docstore.save(jsonb, uuid) IS 'save a unit of work, all or nothing; one conflict names every item that is not at its expected version';

CREATE FUNCTION docstore.try_save(changes jsonb)
	RETURNS TABLE (item int, op text, target text, id text, version bigint,
				   reason text, expected bigint, actual bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 2000 ROWS 10
	AS 'MODULE_PATHNAME', 'ds_try_save';

COMMENT ON FUNCTION docstore.try_save(jsonb) IS 'save a unit of work, or return the conflict: a row for each item, and no error';

CREATE FUNCTION docstore.upsert_many(collection regclass, ids text[], data jsonb[],
									 expected_versions bigint[])
	RETURNS bigint[]
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 2000
	AS 'MODULE_PATHNAME', 'ds_upsert_many';

COMMENT ON FUNCTION docstore.upsert_many(regclass, text[], jsonb[], bigint[]) IS 'create or overwrite documents, all or none; returns the new versions in the order given';

--
-- JSON that the client has as text
--

CREATE FUNCTION docstore.parse("json" text) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20
	AS 'MODULE_PATHNAME', 'ds_parse';

COMMENT ON FUNCTION docstore.parse(text) IS 'the same as json::jsonb, several times faster';

CREATE FUNCTION docstore.parse_many("json" text[]) RETURNS jsonb[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 200
	AS 'MODULE_PATHNAME', 'ds_parse_many';

COMMENT ON FUNCTION docstore.parse_many(text[]) IS 'the same as json::jsonb[], several times faster';

--
-- Conflicts
--

CREATE FUNCTION docstore.violations(detail text)
	RETURNS TABLE (item int, op text, kind text, target text, id text,
				   reason text, expected bigint, actual bigint)
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 ROWS 10
	AS 'MODULE_PATHNAME', 'ds_violations';

COMMENT ON FUNCTION docstore.violations(text) IS 'the DETAIL of a conflict as rows, one for each violation that it lists';

CREATE FUNCTION docstore.check_conflicts() RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_check_conflicts';

COMMENT ON FUNCTION docstore.check_conflicts() IS 'raise the conflicts that the transaction has deferred, all of them as one';

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

COMMENT ON TABLE docstore.requests IS 'the results of calls of docstore.save() with a request_id, for each role its own';
COMMENT ON COLUMN docstore.requests.role IS 'who made the call';
COMMENT ON COLUMN docstore.requests.changes_hash IS 'SHA-256 of the changes, to tell a retry from another call';
COMMENT ON COLUMN docstore.requests.result IS 'the rows returned; NULL while the call is being executed';

-- Each role has its own requests, and cannot see that there are others.
ALTER TABLE docstore.requests ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_requests ON docstore.requests
	USING (role = to_regrole(quote_ident(current_user)));

COMMENT ON POLICY own_requests ON docstore.requests IS 'the requests of the current role';

GRANT SELECT, INSERT, UPDATE (result) ON docstore.requests TO PUBLIC;

-- Without those of roles that are gone: their number could be another role's elsewhere.
SELECT pg_extension_config_dump('docstore.requests', 'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) role)');

CREATE FUNCTION docstore.forget_requests(older_than interval) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 2000
	AS 'MODULE_PATHNAME', 'ds_forget_requests';

COMMENT ON FUNCTION docstore.forget_requests(interval) IS 'delete the caller''s own requests that are older; returns how many';

--
-- Event logs and streams
--

CREATE FUNCTION docstore.create_log(name text, notify boolean DEFAULT false) RETURNS regclass
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_create_log';

COMMENT ON FUNCTION docstore.create_log(text, boolean) IS 'make an event log: a table of events, one of streams and one of consumers; with notify, each commit that appends sends NOTIFY docstore';

CREATE FUNCTION docstore.repair_log(log regclass, notify boolean DEFAULT false) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_repair_log';

COMMENT ON FUNCTION docstore.repair_log(regclass, boolean) IS 'add what a log of an older version lacks, make its triggers again, and set when they fire; with notify, also the one that sends notifications';

CREATE FUNCTION docstore.append(log regclass, stream text, events jsonb, expected_version bigint DEFAULT docstore.any_version(), scopes jsonb DEFAULT NULL)
	RETURNS TABLE (version bigint, log_position bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500 ROWS 2
	AS 'MODULE_PATHNAME', 'ds_append';

COMMENT ON FUNCTION docstore.append(regclass, text, jsonb, bigint, jsonb) IS 'append events to a stream that is at the expected version, if no event in a scope is newer than the caller knows; returns a row for each event';

CREATE FUNCTION docstore.append_to_log(log regclass, events jsonb, scopes jsonb DEFAULT NULL) RETURNS SETOF bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500 ROWS 2
	AS 'MODULE_PATHNAME', 'ds_append_to_log';

COMMENT ON FUNCTION docstore.append_to_log(regclass, jsonb, jsonb) IS 'append events that belong to no stream, if all scopes hold; returns the position of each event';

CREATE FUNCTION docstore.create_stream(log regclass, stream text, properties jsonb DEFAULT '{}') RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_create_stream';

COMMENT ON FUNCTION docstore.create_stream(regclass, text, jsonb) IS 'make a stream without events; returns its version, 0';

CREATE FUNCTION docstore.set_properties(log regclass, stream text, properties jsonb, expected_revision bigint) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_set_properties';

COMMENT ON FUNCTION docstore.set_properties(regclass, text, jsonb, bigint) IS 'replace the properties of a stream that is at the expected revision; returns the new revision';

CREATE FUNCTION docstore.close_stream(log regclass, stream text, expected_version bigint) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_close_stream';

COMMENT ON FUNCTION docstore.close_stream(regclass, text, bigint) IS 'close a stream that is at the expected version, so that nobody can append to it any more; returns that version, or NULL if "any" found no stream';

CREATE FUNCTION docstore.stream(log regclass, stream text)
	RETURNS TABLE (stream text, version bigint, revision bigint, properties jsonb, created_at timestamptz, closed_at timestamptz)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 300 ROWS 1
	AS 'MODULE_PATHNAME', 'ds_stream';

COMMENT ON FUNCTION docstore.stream(regclass, text) IS 'look at a stream; no row when it is absent';

CREATE FUNCTION docstore.read_stream(log regclass, stream text, from_version bigint DEFAULT 1, max_count int DEFAULT NULL, backwards boolean DEFAULT false)
	RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb, metadata jsonb, event_id uuid,
		source_type text, stream_type text, stream_id text, recorded_at timestamptz, tags text[])
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 500 ROWS 100
	AS 'MODULE_PATHNAME', 'ds_read_stream';

COMMENT ON FUNCTION docstore.read_stream(regclass, text, bigint, int, boolean) IS 'read the events of a stream in order, or backwards; with from_version NULL from the first event, or backwards from the last';

CREATE FUNCTION docstore.erase(log regclass, stream text, versions bigint[] DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 2000
	AS 'MODULE_PATHNAME', 'ds_erase';

COMMENT ON FUNCTION docstore.erase(regclass, text, bigint[]) IS 'blank the data and metadata of events of a stream, or of all its events when versions is NULL; they keep their place and type; returns how many';

--
-- Scopes
--

CREATE FUNCTION docstore.tail(log regclass, scope jsonb) RETURNS bigint
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 300
	AS 'MODULE_PATHNAME', 'ds_tail';

COMMENT ON FUNCTION docstore.tail(regclass, jsonb) IS 'the highest position of an event in a scope; NULL when there is none';

CREATE FUNCTION docstore.read_scope(log regclass, scopes jsonb, after bigint DEFAULT NULL, max_count int DEFAULT NULL, backwards boolean DEFAULT false)
	RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb, metadata jsonb, event_id uuid,
		source_type text, stream_type text, stream_id text, recorded_at timestamptz, tags text[])
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 500 ROWS 100
	AS 'MODULE_PATHNAME', 'ds_read_scope';

COMMENT ON FUNCTION docstore.read_scope(regclass, jsonb, bigint, int, boolean) IS 'read the events of one or several scopes by position, or backwards, to decide by them; with after NULL from the first event, or backwards from the last';

CREATE FUNCTION docstore.mark(log regclass) RETURNS text
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 100
	AS 'MODULE_PATHNAME', 'ds_mark';

COMMENT ON FUNCTION docstore.mark(regclass) IS 'what the calling statement sees of a log, for the key "seen" of scopes: take it first, then read';

--
-- Reading a log, and consumers
--

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

CREATE FUNCTION docstore.log_status(log regclass)
	RETURNS TABLE (safe_end text, waiting_events bigint, lag interval, blocked_by_pid int, blocked_by_prepared text, blocked_by_role name,
		blocked_by_application text, blocked_since timestamptz)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000 ROWS 1
	AS 'MODULE_PATHNAME', 'ds_log_status';

COMMENT ON FUNCTION docstore.log_status(regclass) IS 'how far readers of a log can read, how many events they are waiting for, for how long, and who holds them back';

CREATE FUNCTION docstore.commit_cursor(log regclass, consumer text, cursor text, expected bigint) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_commit_cursor';

COMMENT ON FUNCTION docstore.commit_cursor(regclass, text, text, bigint) IS 'store the cursor of a consumer of a log or a tracked collection, if the stored one is at the expected version; returns the new version';

CREATE FUNCTION docstore.consumers(log regclass)
	RETURNS TABLE (consumer text, version bigint, cursor text, updated_at timestamptz, behind bigint, state text)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 500 ROWS 10
	AS 'MODULE_PATHNAME', 'ds_consumers';

COMMENT ON FUNCTION docstore.consumers(regclass) IS 'the consumers of a log or a tracked collection, how far each has come, how many events or changes it has not read yet, and whether its cursor is good';

--
-- History: what documents were, and what is kept of it
--

CREATE FUNCTION docstore.history(collection regclass, id text, max_count int DEFAULT NULL, before_version bigint DEFAULT NULL, skip int DEFAULT 0)
	RETURNS TABLE (id text, version bigint, op text, data jsonb, recorded_at timestamptz, actor text, context jsonb)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 500 ROWS 10
	AS 'MODULE_PATHNAME', 'ds_history';

COMMENT ON FUNCTION docstore.history(regclass, text, int, bigint, int) IS 'the recorded versions of a document, newest first: who wrote what, when and why';

CREATE FUNCTION docstore.load_version(collection regclass, id text, version bigint)
	RETURNS TABLE (id text, version bigint, op text, data jsonb, recorded_at timestamptz, actor text, context jsonb)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 300 ROWS 1
	AS 'MODULE_PATHNAME', 'ds_load_version';

COMMENT ON FUNCTION docstore.load_version(regclass, text, bigint) IS 'read one version of a document; no row when it is not known';

CREATE FUNCTION docstore.load_at(collection regclass, id text, at timestamptz)
	RETURNS TABLE (id text, version bigint, op text, data jsonb, recorded_at timestamptz, actor text, context jsonb)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 500 ROWS 1
	AS 'MODULE_PATHNAME', 'ds_load_at';

COMMENT ON FUNCTION docstore.load_at(regclass, text, timestamptz) IS 'read a document as it was at a time; no row when it was not there, or when that is not known';

CREATE FUNCTION docstore.revert(collection regclass, id text, to_version bigint, expected_version bigint) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_revert';

COMMENT ON FUNCTION docstore.revert(regclass, text, bigint, bigint) IS 'give a document that is at the expected version the data that it had at another version; one that was deleted comes back; returns the new version';

CREATE FUNCTION docstore.prune_history(collection regclass, older_than interval, keep int DEFAULT 1, max_rows int DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_prune_history';

COMMENT ON FUNCTION docstore.prune_history(regclass, interval, int, int) IS 'delete the rows of a history that are older, but not the newest ones of each document that is there; returns how many';

CREATE FUNCTION docstore.erase_history(collection regclass, id text, versions bigint[] DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 2000
	AS 'MODULE_PATHNAME', 'ds_erase_history';

COMMENT ON FUNCTION docstore.erase_history(regclass, text, bigint[]) IS 'blank what is recorded of versions of a document, or of all when versions is NULL; the rows keep their version and place; returns how many';

--
-- Guarded tables
--

CREATE FUNCTION docstore.guard(table_name regclass, version_column name DEFAULT 'version', strict boolean DEFAULT false) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_guard';

COMMENT ON FUNCTION docstore.guard(regclass, name, boolean) IS 'guard a table that plain SQL writes: compare and raise the version in each UPDATE; strict: an UPDATE has to set the version';

CREATE FUNCTION docstore.unguard(table_name regclass) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_unguard';

COMMENT ON FUNCTION docstore.unguard(regclass) IS 'remove the guard of a table';

--
-- Tracked collections
--

CREATE FUNCTION docstore.track(collection regclass, max_rows integer DEFAULT NULL, notify boolean DEFAULT false, partition_by text DEFAULT NULL) RETURNS regclass
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_track';

COMMENT ON FUNCTION docstore.track(regclass, integer, boolean, text) IS 'record each write of a collection in its history; returns that table. max_rows: record that many of the documents that are there, the others when they are written; notify: each commit that changes documents sends NOTIFY docstore; partition_by: "month" for a history with a partition for each month, which makes those that are missing';

CREATE FUNCTION docstore.untrack(collection regclass) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_untrack';

COMMENT ON FUNCTION docstore.untrack(regclass) IS 'stop recording the writes of a collection; its history stays';

CREATE FUNCTION docstore.read_changes(collection regclass, after text DEFAULT NULL, max_count int DEFAULT 1000, until text DEFAULT NULL, each text DEFAULT 'change')
	RETURNS TABLE (id text, version bigint, op text, data jsonb, recorded_at timestamptz, actor text, context jsonb, cursor text)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000 ROWS 1000
	AS 'MODULE_PATHNAME', 'ds_read_changes';

COMMENT ON FUNCTION docstore.read_changes(regclass, text, int, text, text) IS 'read the changes of a tracked collection after one cursor and until another; none is ever skipped. each: "change", or "document" for the last one of each document';

CREATE FUNCTION docstore.changes_end(collection regclass) RETURNS text
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 300
	AS 'MODULE_PATHNAME', 'ds_end_of_changes';

COMMENT ON FUNCTION docstore.changes_end(regclass) IS 'the cursor of the last change of a tracked collection that can be read now; read until it, and continue from it';

CREATE FUNCTION docstore.changes_status(collection regclass)
	RETURNS TABLE (safe_end text, waiting_changes bigint, lag interval, blocked_by_pid int, blocked_by_prepared text, blocked_by_role name,
		blocked_by_application text, blocked_since timestamptz)
	LANGUAGE c STABLE PARALLEL RESTRICTED COST 1000 ROWS 1
	AS 'MODULE_PATHNAME', 'ds_changes_status';

COMMENT ON FUNCTION docstore.changes_status(regclass) IS 'how far readers of the changes of a tracked collection can read, how many changes they are waiting for, for how long, and who holds them back';

CREATE FUNCTION docstore.create_consumers(collection regclass) RETURNS regclass
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_create_consumers';

COMMENT ON FUNCTION docstore.create_consumers(regclass) IS 'make the table for the cursors of those who follow a tracked collection, unless it is there, and return it; a log has such a table already';

--
-- Internal: what triggers, the planner and the views below call
--

-- In a schema of their own, out of the sight of who lists the functions of
-- docstore. It is open to all, since who makes a trigger must find its function,
-- be it from a dump.
CREATE SCHEMA docstore_internal;

COMMENT ON SCHEMA docstore_internal IS 'what docstore itself calls: functions for its triggers, its views and the planner';

GRANT USAGE ON SCHEMA docstore_internal TO PUBLIC;

CREATE FUNCTION docstore_internal.guard_row() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_guard_row';

COMMENT ON FUNCTION docstore_internal.guard_row() IS 'trigger of docstore.guard: compare and raise the version of a row';

CREATE FUNCTION docstore_internal.guard_delete() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_guard_delete';

COMMENT ON FUNCTION docstore_internal.guard_delete() IS 'trigger of docstore.guard: note the version of a document that is deleted';

CREATE FUNCTION docstore_internal.guard_truncate() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_guard_truncate';

COMMENT ON FUNCTION docstore_internal.guard_truncate() IS 'trigger of docstore.guard: note the versions of all documents that are deleted';

CREATE FUNCTION docstore_internal.track_row() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_track_row';

COMMENT ON FUNCTION docstore_internal.track_row() IS 'trigger of docstore.track: record what was written';

CREATE FUNCTION docstore_internal.track_truncate() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_track_truncate';

COMMENT ON FUNCTION docstore_internal.track_truncate() IS 'trigger of docstore.track: record the deletion of all documents';

CREATE FUNCTION docstore_internal.replicate_change() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_replicate_change';

COMMENT ON FUNCTION docstore_internal.replicate_change() IS 'trigger of a history: give what logical replication brings its place in the order of this server';

CREATE FUNCTION docstore_internal.notify_changes() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_notify_changes';

COMMENT ON FUNCTION docstore_internal.notify_changes() IS 'trigger of a history that docstore.track has made with notify: NOTIFY docstore, with the name of the collection';

CREATE FUNCTION docstore_internal.notify_log() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_notify_log';

COMMENT ON FUNCTION docstore_internal.notify_log() IS 'trigger of docstore.create_log: NOTIFY docstore, with the name of the log';

CREATE FUNCTION docstore_internal.replicate_event() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_replicate_event';

COMMENT ON FUNCTION docstore_internal.replicate_event() IS 'trigger of docstore.create_log: give an event that comes by logical replication its place in the order of this server';

CREATE FUNCTION docstore_internal.load_many_support(internal) RETURNS internal
	LANGUAGE c STRICT
	AS 'MODULE_PATHNAME', 'ds_load_many_support';

COMMENT ON FUNCTION docstore_internal.load_many_support(internal) IS 'internal: the rows of docstore.load_many, for the planner';

ALTER FUNCTION docstore.load_many(regclass, text[]) SUPPORT docstore_internal.load_many_support;

CREATE FUNCTION docstore_internal.is_collection(relation regclass) RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ds_is_collection';

COMMENT ON FUNCTION docstore_internal.is_collection(regclass) IS 'internal: whether a table is a collection, for the views';

CREATE FUNCTION docstore_internal.collection_options(relation regclass) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ds_collection_options';

COMMENT ON FUNCTION docstore_internal.collection_options(regclass) IS 'internal: what a collection is like, for the views';

CREATE FUNCTION docstore_internal.log_tables(relation regclass) RETURNS oid[]
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 500
	AS 'MODULE_PATHNAME', 'ds_log_tables';

COMMENT ON FUNCTION docstore_internal.log_tables(regclass) IS 'internal: the tables of a log, NULL if it is not one, for the views';

CREATE FUNCTION docstore_internal.estimated_rows(relation regclass) RETURNS bigint
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ds_estimated_rows';

COMMENT ON FUNCTION docstore_internal.estimated_rows(regclass) IS 'internal: the rows of a table and its partitions as the statistics know them, for the views';

CREATE FUNCTION docstore_internal.table_size(relation regclass) RETURNS bigint
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'ds_table_size';

COMMENT ON FUNCTION docstore_internal.table_size(regclass) IS 'internal: the size of a table and its partitions, for the views; waits for no lock';

CREATE FUNCTION docstore_internal.trigger_state(enabled "char") RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN CASE enabled WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END;

COMMENT ON FUNCTION docstore_internal.trigger_state("char") IS 'internal: pg_trigger.tgenabled in the words of the manual, for the views';

CREATE FUNCTION docstore_internal.trigger_fault(relation regclass) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ds_trigger_fault';

COMMENT ON FUNCTION docstore_internal.trigger_fault(regclass) IS 'internal: what is wrong with the triggers of a log or a guarded table, NULL if nothing is, for the views';

CREATE FUNCTION docstore_internal.tracking_fault(relation regclass) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ds_tracking_fault';

COMMENT ON FUNCTION docstore_internal.tracking_fault(regclass) IS 'internal: what is wrong with a tracked collection, NULL if nothing is, for the views';

CREATE FUNCTION docstore_internal.conflict_sqlstate() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ds_conflict_sqlstate';

COMMENT ON FUNCTION docstore_internal.conflict_sqlstate() IS 'internal: the SQLSTATE of the conflict, for the views';

CREATE FUNCTION docstore_internal.next_version(relation regclass, tries integer) RETURNS bigint
	LANGUAGE c STRICT COST 100
	AS 'MODULE_PATHNAME', 'ds_next_version';

COMMENT ON FUNCTION docstore_internal.next_version(regclass, integer) IS 'internal: the version of a new document of a distributed collection, asked of the coordinator by another node';

CREATE FUNCTION docstore_internal.is_used_up(relation regclass, version bigint) RETURNS boolean
	LANGUAGE c STRICT COST 100
	AS 'MODULE_PATHNAME', 'ds_is_used_up';

COMMENT ON FUNCTION docstore_internal.is_used_up(regclass, bigint) IS 'internal: whether new documents of a distributed collection start above a version, asked of the coordinator by another node';

CREATE FUNCTION docstore_internal.use_up(relation regclass, version bigint) RETURNS void
	LANGUAGE c STRICT COST 100
	AS 'MODULE_PATHNAME', 'ds_use_up';

COMMENT ON FUNCTION docstore_internal.use_up(regclass, bigint) IS 'internal: let new documents of a distributed collection start above a version, told to the coordinator by another node';

--
-- Views: what is there, and what errors mean
--

CREATE VIEW docstore.collections AS
SELECT
	pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
	docstore_internal.estimated_rows(c.oid) AS estimated_rows,
	docstore_internal.table_size(c.oid) AS size,
	docstore_internal.collection_options(c.oid) OPERATOR(pg_catalog.||)
		pg_catalog.jsonb_build_object('guard', docstore_internal.trigger_state(t.tgenabled),
			'fault', CASE WHEN t.tgparentid OPERATOR(pg_catalog.=) 0 THEN docstore_internal.trigger_fault(c.oid) END) AS options
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
LEFT JOIN pg_catalog.pg_trigger AS t ON t.tgrelid OPERATOR(pg_catalog.=) c.oid AND t.tgname OPERATOR(pg_catalog.=) 'docstore_guard'
	AND t.tgfoid OPERATOR(pg_catalog.=) 'docstore_internal.guard_row()'::pg_catalog.regprocedure
WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog."char"[]) AND docstore_internal.is_collection(c.oid)
	-- a partition of a collection is a part of it
	AND NOT (c.relispartition AND EXISTS (
		SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a
		WHERE a.relid OPERATOR(pg_catalog.<>) c.oid AND docstore_internal.is_collection(a.relid)));

COMMENT ON VIEW docstore.collections IS 'the collections of this database, without partitions; includes those that hold the consumers of a log';
COMMENT ON COLUMN docstore.collections.name IS 'the qualified name, as in conflicts';
COMMENT ON COLUMN docstore.collections.estimated_rows IS 'documents, as of the last VACUUM or ANALYZE; NULL before the first';
COMMENT ON COLUMN docstore.collections.size IS 'in bytes, with indexes, TOAST and partitions';
COMMENT ON COLUMN docstore.collections.options IS 'what it is like';

CREATE VIEW docstore.logs AS
SELECT
	pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
	docstore_internal.estimated_rows(c.oid) AS estimated_rows,
	(SELECT pg_catalog.sum(docstore_internal.table_size(u.relid))::pg_catalog.int8 FROM pg_catalog.unnest(l.tables) AS u(relid)) AS size,
	pg_catalog.jsonb_build_object(
		'streams', docstore_internal.estimated_rows(l.tables[2]),
		'consumers', (
			SELECT pg_catalog.format('%I.%I', n.nspname, u.relname) FROM pg_catalog.pg_class AS u
			WHERE u.oid OPERATOR(pg_catalog.=) l.tables[3]),
		'notify', EXISTS (
			SELECT FROM pg_catalog.pg_trigger AS t
			WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND t.tgfoid OPERATOR(pg_catalog.=) 'docstore_internal.notify_log()'::pg_catalog.regprocedure
				AND t.tgenabled OPERATOR(pg_catalog.=) ANY ('{O,A}'::pg_catalog."char"[])),
		'fault', docstore_internal.trigger_fault(c.oid)) AS options
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
CROSS JOIN LATERAL docstore_internal.log_tables(c.oid) AS l(tables)
WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND l.tables IS NOT NULL;

COMMENT ON VIEW docstore.logs IS 'the event logs of this database';
COMMENT ON COLUMN docstore.logs.name IS 'the qualified name, as in conflicts';
COMMENT ON COLUMN docstore.logs.estimated_rows IS 'events, as of the last VACUUM or ANALYZE; NULL before the first';
COMMENT ON COLUMN docstore.logs.size IS 'in bytes, of its three tables with indexes and TOAST';
COMMENT ON COLUMN docstore.logs.options IS 'what it is like';

CREATE VIEW docstore.guarded AS
SELECT
	pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
	docstore_internal.estimated_rows(c.oid) AS estimated_rows,
	docstore_internal.table_size(c.oid) AS size,
	pg_catalog.jsonb_build_object(
		'version_column', v.name,
		'version_type', (
			SELECT pg_catalog.format_type(a.atttypid, NULL) FROM pg_catalog.pg_attribute AS a
			WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) v.name AND NOT a.attisdropped),
		'key', (
			SELECT pg_catalog.jsonb_agg(a.attname ORDER BY k.place)
			FROM pg_catalog.pg_index AS i
			CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(number, place)
			JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) k.number
			WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid AND i.indisprimary AND k.place OPERATOR(pg_catalog.<=) i.indnkeyatts),
		'enabled', docstore_internal.trigger_state(t.tgenabled),
		'fault', docstore_internal.trigger_fault(c.oid),
		-- the partitions have a trigger each, which ALTER TABLE can switch off there alone
		'exceptions', CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'p' THEN (
			WITH RECURSIVE parts(relid) AS (
				SELECT h.inhrelid FROM pg_catalog.pg_inherits AS h WHERE h.inhparent OPERATOR(pg_catalog.=) c.oid
				UNION ALL
				SELECT h.inhrelid FROM parts AS p JOIN pg_catalog.pg_inherits AS h ON h.inhparent OPERATOR(pg_catalog.=) p.relid)
			SELECT pg_catalog.jsonb_object_agg(pg_catalog.format('%I.%I', pn.nspname, pc.relname), docstore_internal.trigger_state(pt.tgenabled))
			FROM parts AS p
			JOIN pg_catalog.pg_trigger AS pt ON pt.tgrelid OPERATOR(pg_catalog.=) p.relid AND pt.tgname OPERATOR(pg_catalog.=) t.tgname
			JOIN pg_catalog.pg_class AS pc ON pc.oid OPERATOR(pg_catalog.=) p.relid
			JOIN pg_catalog.pg_namespace AS pn ON pn.oid OPERATOR(pg_catalog.=) pc.relnamespace
			WHERE pc.relkind OPERATOR(pg_catalog.=) 'r' AND pt.tgenabled OPERATOR(pg_catalog.<>) t.tgenabled) END) AS options,
	t.tgnargs OPERATOR(pg_catalog.>) 1 AS strict
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
CROSS JOIN LATERAL (
	SELECT CASE WHEN t.tgnargs OPERATOR(pg_catalog.>) 0 THEN pg_catalog.convert_from(
		pg_catalog.substr(t.tgargs, 1, pg_catalog.position(t.tgargs, pg_catalog.decode('00', 'hex')) OPERATOR(pg_catalog.-) 1),
		pg_catalog.getdatabaseencoding()) END) AS v(name)
WHERE t.tgname OPERATOR(pg_catalog.=) 'docstore_guard' AND t.tgfoid OPERATOR(pg_catalog.=) 'docstore_internal.guard_row()'::pg_catalog.regprocedure
	AND t.tgparentid OPERATOR(pg_catalog.=) 0 AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace);

COMMENT ON VIEW docstore.guarded IS 'the tables that docstore.guard() guards; of a partitioned table, only the one that was guarded';
COMMENT ON COLUMN docstore.guarded.name IS 'the qualified name, as in conflicts';
COMMENT ON COLUMN docstore.guarded.estimated_rows IS 'as of the last VACUUM or ANALYZE; NULL before the first';
COMMENT ON COLUMN docstore.guarded.size IS 'in bytes, with indexes, TOAST and partitions';
COMMENT ON COLUMN docstore.guarded.options IS 'what it is like';
COMMENT ON COLUMN docstore.guarded.strict IS 'whether an UPDATE has to set the version';

CREATE VIEW docstore.tracked AS
SELECT
	pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
	pg_catalog.format('%I.%I', hn.nspname, h.relname) AS history,
	docstore_internal.estimated_rows(h.oid) AS estimated_rows,
	docstore_internal.table_size(h.oid) AS size,
	EXISTS (
		SELECT FROM pg_catalog.pg_trigger AS nt
		WHERE nt.tgrelid OPERATOR(pg_catalog.=) h.oid AND nt.tgfoid OPERATOR(pg_catalog.=) 'docstore_internal.notify_changes()'::pg_catalog.regprocedure
			AND nt.tgenabled OPERATOR(pg_catalog.<>) 'D') AS notify,
	docstore_internal.tracking_fault(c.oid) AS fault
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
JOIN pg_catalog.pg_class AS h ON h.oid OPERATOR(pg_catalog.=) t.tgconstrrelid
JOIN pg_catalog.pg_namespace AS hn ON hn.oid OPERATOR(pg_catalog.=) h.relnamespace
WHERE t.tgfoid OPERATOR(pg_catalog.=) 'docstore_internal.track_row()'::pg_catalog.regprocedure
	AND t.tgparentid OPERATOR(pg_catalog.=) 0 AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace);

COMMENT ON VIEW docstore.tracked IS 'the collections that docstore.track() tracks; of a partitioned table, only the one that was tracked';
COMMENT ON COLUMN docstore.tracked.name IS 'the qualified name of the collection, as in conflicts';
COMMENT ON COLUMN docstore.tracked.history IS 'the table with its history';
COMMENT ON COLUMN docstore.tracked.estimated_rows IS 'of the history, as of the last VACUUM or ANALYZE; NULL before the first';
COMMENT ON COLUMN docstore.tracked.size IS 'of the history, in bytes, with indexes and TOAST';
COMMENT ON COLUMN docstore.tracked.notify IS 'whether a commit that changes documents sends a notification';
COMMENT ON COLUMN docstore.tracked.fault IS 'what is wrong: a trigger is disabled, missing, replaced by one that fires for less, or does not fire for changes that replication applies, which docstore.track() repairs; or why all writes fail, since somebody has altered the history or the collection; NULL if nothing is';

CREATE VIEW docstore.error_codes (sqlstate, condition, retry, meaning, remedy) AS VALUES
	(docstore_internal.conflict_sqlstate(), NULL, 'reload',
		'the conflict: expected versions, conditions or scopes do not hold, or edits to merge collide',
		'follow the hint: load the listed items again, apply the change to them, and save again; where a condition or a scope does not hold, decide again by what is there now; where edits collide, show the editor both; go on from the consumer''s cursor; append to a stream that is not closed'),
	('PT404', NULL, 'no',
		'a version to revert to that history does not have, that was erased, or that is a deletion',
		'look for another one with docstore.history()'),
	('PT428', NULL, 'no',
		'an UPDATE does not set the version of a table whose guard is strict, or changes a document of a tracked collection and leaves its version',
		'set it to the version that was read, or make the ORM do so; raise it, or have docstore.guard do so'),
	('22023', 'invalid_parameter_value', 'no',
		'a bad argument: a NULL or empty id, data that is not an object, an unknown op or key, a number or word that is not an expected version, the same document twice, a scope without expected, a merge that expects no exact version, a rule of a merge that can never apply, a cursor that is not of this log or whose event is lost, a request_id that was used with other changes',
		'correct the call: the message names the item'),
	('22P02', 'invalid_text_representation', 'no',
		'an id that is not of the collection''s type',
		'correct the id'),
	('22003', 'numeric_value_out_of_range', 'no',
		'a document, stream or guarded row at the highest possible version; no version left for a new document',
		'set its version to a lower number with UPDATE; close the stream; make the column a bigint; set the floor lower'),
	('23502', 'not_null_violation', 'no',
		'a row with NULL in a column that docstore reads, whose NOT NULL constraint was not validated',
		'give the row a value'),
	('23505', 'unique_violation', 'no',
		'an append of which some events are stored already, and others are not; the DETAIL names them; a version that the history of a tracked document is beyond',
		'send the append exactly as it was, or give new events new ids; write the document with docstore, or give it a higher version'),
	('25000', 'invalid_transaction_state', 'no',
		'a write in a parallel query',
		'mark the function that calls it PARALLEL UNSAFE'),
	('25006', 'read_only_sql_transaction', 'no',
		'a write in a read-only transaction, or on a standby',
		'write on the primary, in a READ WRITE transaction'),
	('0A000', 'feature_not_supported', 'no',
		'something that docstore cannot do with a distributed table',
		'follow the hint'),
	('27000', 'triggered_data_change_violation', 'no',
		'a BEFORE trigger of the table undid the write, or changed id or version; or, of an event, anything but data and metadata; or a trigger or function that a call ran changed what the call itself writes',
		'let the trigger return the row with these unchanged; change what the call writes in an AFTER trigger, or in another call'),
	('39P01', 'trigger_protocol_violated', 'no',
		'a trigger function of guards, tracked collections or logs was called by something else',
		'call docstore.guard, docstore.track or docstore.create_log instead'),
	('40001', 'serialization_failure', 'again',
		'the transaction''s snapshot is too old for the check, or another rare case',
		'begin the transaction again'),
	('40P01', 'deadlock_detected', 'again',
		'the server''s own error: a deadlock, which it has ended',
		'begin the transaction again'),
	('42501', 'insufficient_privilege', 'no',
		'a privilege is missing; row security lets you see the document but not write it; the table''s owner may not create the floor; a version that only the owner can delete; a history that belongs to another role than its collection',
		'ask the owner of the table'),
	('42703', 'undefined_column', 'no',
		'a table to guard has no such column',
		'name its version column'),
	('42622', 'name_too_long', 'no',
		'a name of more than 63 bytes for a collection, of more than 55 for one that is tracked, or of more than 53 for a log',
		'shorten it'),
	('2BP01', 'dependent_objects_still_exist', 'no',
		'a table to unguard is guarded as a partition of another; views or functions depend on the primary key of a log to repair',
		'unguard that table, or detach the partition; drop the views that the DETAIL names, and create them again after the repair'),
	('42704', 'undefined_object', 'no',
		'a table that is not guarded, or a collection that is not tracked, or has no table for consumers',
		'nothing is to be undone; to read its history, track it first; make the table with docstore.create_consumers'),
	('42710', 'duplicate_object', 'no',
		'a table that is guarded already, or one of its partitions',
		'unguard it first to name another version column; unguard the partition, too'),
	('42804', 'datatype_mismatch', 'no',
		'a version column that is not a smallint, integer or bigint',
		'name another column'),
	('42P07', 'duplicate_table', 'no',
		'a collection to track whose history would have the name of another table',
		'rename that table'),
	('42P01', 'undefined_table', 'no',
		'no such table',
		'check the name and the search_path'),
	('42809', 'wrong_object_type', 'no',
		'a table that is not a collection or a log, or that cannot be guarded or tracked, or have a history',
		'the DETAIL says what it lacks'),
	('55006', 'object_in_use', 'no',
		'a trigger or function has altered or dropped a table of the very call that fired it',
		'make it leave the tables of the call as they are'),
	('55P03', 'lock_not_available', 'again',
		'the server''s own error: a lock was not available within lock_timeout',
		'begin the transaction again'),
	('54000', 'program_limit_exceeded', 'no',
		'an id, a tag, or a name of a stream, that does not fit into an index; more than 2,147,483,647 items in one transaction with deferred conflicts',
		'shorten it, or use a hash of it; commit more often');

COMMENT ON VIEW docstore.error_codes IS 'the SQLSTATEs that docstore raises';
COMMENT ON COLUMN docstore.error_codes.sqlstate IS 'for the conflict, the value of docstore.conflict_sqlstate';
COMMENT ON COLUMN docstore.error_codes.condition IS 'its name in PL/pgSQL; NULL where only the SQLSTATE can be caught';
COMMENT ON COLUMN docstore.error_codes.retry IS 'reload: load again, apply the change, and save again; again: repeat the transaction; no: it would fail again';
COMMENT ON COLUMN docstore.error_codes.meaning IS 'when it is raised';
COMMENT ON COLUMN docstore.error_codes.remedy IS 'what to do';

GRANT SELECT ON docstore.collections, docstore.logs, docstore.guarded, docstore.tracked, docstore.error_codes TO PUBLIC;
