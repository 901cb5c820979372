/* docstore 0.2.0 to 0.3.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.3.0'" to load this file. \quit

--
-- Event logs
--

CREATE FUNCTION docstore.create_log(name text, notify boolean DEFAULT false) RETURNS regclass
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_create_log';

COMMENT ON FUNCTION docstore.create_log(text, boolean) IS 'make an event log: a table of events, one of streams and one of consumers; with notify, each commit that appends sends NOTIFY docstore';

CREATE FUNCTION docstore.notify_log() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_notify_log';

COMMENT ON FUNCTION docstore.notify_log() IS 'trigger of docstore.create_log: NOTIFY docstore, with the name of the log';

CREATE FUNCTION docstore.replicate_event() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ds_replicate_event';

COMMENT ON FUNCTION docstore.replicate_event() IS 'trigger of docstore.create_log: give an event that logical replication brings its place in the order of this server';

--
-- Streams
--

CREATE FUNCTION docstore.append(log regclass, stream text, events jsonb, expected_version bigint DEFAULT docstore.any_version(), scopes jsonb DEFAULT NULL)
	RETURNS TABLE (version bigint, log_position bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'ds_append';

COMMENT ON FUNCTION docstore.append(regclass, text, jsonb, bigint, jsonb) IS 'append events to a stream that is at the expected version, if no event in a scope is newer than the caller knows; returns a row for each event';

CREATE FUNCTION docstore.create_stream(log regclass, stream text, properties jsonb DEFAULT '{}') RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_create_stream';

COMMENT ON FUNCTION docstore.create_stream(regclass, text, jsonb) IS 'make a stream without events; returns its version, 0';

CREATE FUNCTION docstore.set_properties(log regclass, stream text, properties jsonb, expected_revision bigint) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_set_properties';

COMMENT ON FUNCTION docstore.set_properties(regclass, text, jsonb, bigint) IS 'replace the properties of a stream that is at the expected revision; returns the new revision';

CREATE FUNCTION docstore.close_stream(log regclass, stream text, expected_version bigint) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_close_stream';

COMMENT ON FUNCTION docstore.close_stream(regclass, text, bigint) IS 'let nobody append to a stream any more that is at the expected version; returns that version, NULL if "any" found none';

CREATE FUNCTION docstore.events_to_store() RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'ds_events_to_store';

COMMENT ON FUNCTION docstore.events_to_store() IS 'internal: the events that docstore.append or docstore.save is writing';

CREATE FUNCTION docstore.tail(log regclass, scope jsonb) RETURNS bigint
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'ds_tail';

COMMENT ON FUNCTION docstore.tail(regclass, jsonb) IS 'the highest position of an event in a scope; NULL when there is none';

--
-- Reading
--

CREATE FUNCTION docstore.stream(log regclass, stream text)
	RETURNS TABLE (stream text, version bigint, revision bigint, properties jsonb, created_at timestamptz, closed_at timestamptz)
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1
	AS 'MODULE_PATHNAME', 'ds_stream';

COMMENT ON FUNCTION docstore.stream(regclass, text) IS 'look at a stream; no row when it is absent';

CREATE FUNCTION docstore.read_stream(log regclass, stream text, from_version bigint DEFAULT 1, max_count int DEFAULT NULL, backwards boolean DEFAULT false)
	RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb, metadata jsonb, event_id uuid,
		source_type text, stream_type text, stream_id text, recorded_at timestamptz)
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
	AS 'MODULE_PATHNAME', 'ds_read_stream';

COMMENT ON FUNCTION docstore.read_stream(regclass, text, bigint, int, boolean) IS 'read the events of a stream in order, or backwards; from_version NULL is the end to begin at';

CREATE FUNCTION docstore.read_log(log regclass, after text DEFAULT NULL, max_count int DEFAULT 1000, scope jsonb DEFAULT NULL)
	RETURNS TABLE (log_position bigint, stream text, version bigint, type text, data jsonb, metadata jsonb, event_id uuid,
		source_type text, stream_type text, stream_id text, recorded_at timestamptz, cursor text)
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1000
	AS 'MODULE_PATHNAME', 'ds_read_log';

COMMENT ON FUNCTION docstore.read_log(regclass, text, int, jsonb) IS 'read the events of a log, or of a scope of it, that come after a cursor; none is ever skipped';

CREATE FUNCTION docstore.log_status(log regclass)
	RETURNS TABLE (safe_end text, waiting_events bigint, lag interval, blocked_by_pid int, blocked_by_prepared text, blocked_by_role name,
		blocked_by_application text, blocked_since timestamptz)
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 1
	AS 'MODULE_PATHNAME', 'ds_log_status';

COMMENT ON FUNCTION docstore.log_status(regclass) IS 'how far readers of a log can go, how many events they have to wait for, how long already, and who holds them back';

CREATE FUNCTION docstore.erase(log regclass, stream text, versions bigint[] DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_erase';

COMMENT ON FUNCTION docstore.erase(regclass, text, bigint[]) IS 'blank the data and metadata of events of a stream, of all of them without versions; they keep their place and type; returns how many';

--
-- Consumers
--

CREATE FUNCTION docstore.commit_cursor(log regclass, consumer text, cursor text, expected bigint) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_commit_cursor';

COMMENT ON FUNCTION docstore.commit_cursor(regclass, text, text, bigint) IS 'store how far a consumer of a log has come, if what is stored is at the expected version; returns the new version';

CREATE FUNCTION docstore.consumers(log regclass)
	RETURNS TABLE (consumer text, version bigint, cursor text, updated_at timestamptz, behind bigint)
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'ds_consumers';

COMMENT ON FUNCTION docstore.consumers(regclass) IS 'the consumers of a log, how far each has come, and how many events it has not read yet';
