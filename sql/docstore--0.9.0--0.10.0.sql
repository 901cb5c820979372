/* docstore 0.9.0 to 0.10.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.10.0'" to load this file. \quit

-- What the conflict means has grown: conditions and merges
CREATE OR REPLACE VIEW docstore.error_codes (sqlstate, condition, retry, meaning, remedy) AS VALUES
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

-- These take a tracked collection, too
COMMENT ON FUNCTION docstore.commit_cursor(regclass, text, text, bigint) IS 'store the cursor of a consumer of a log or a tracked collection, if the stored one is at the expected version; returns the new version';
COMMENT ON FUNCTION docstore.consumers(regclass) IS 'the consumers of a log or a tracked collection, how far each has come, how many events or changes it has not read yet, and whether its cursor is good';

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

CREATE FUNCTION docstore_internal.tracking_fault(relation regclass) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ds_tracking_fault';

COMMENT ON FUNCTION docstore_internal.tracking_fault(regclass) IS 'internal: what is wrong with a tracked collection, NULL if nothing is, for the views';

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

GRANT SELECT ON docstore.tracked TO PUBLIC;

-- The floors of distributed collections
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

-- What histories are read and kept with
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
