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
