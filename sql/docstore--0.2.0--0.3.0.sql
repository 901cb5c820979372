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
