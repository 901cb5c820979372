/* docstore 0.7.0 to 0.8.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.8.0'" to load this file. \quit

-- Words: shorter sentences, and nothing else.
COMMENT ON FUNCTION docstore.any_version() IS 'expected version: do not check';
COMMENT ON FUNCTION docstore.some_version() IS 'expected version: the document is there, at any version';
COMMENT ON FUNCTION docstore.try_save(jsonb) IS 'save a unit of work, or return the conflict: a row for each item, and no error';
COMMENT ON FUNCTION docstore.parse(text) IS 'the same as json::jsonb, several times faster';
COMMENT ON FUNCTION docstore.parse_many(text[]) IS 'the same as json::jsonb[], several times faster';
COMMENT ON TABLE docstore.requests IS 'the results of calls of docstore.save() with a request_id, for each role its own';
COMMENT ON COLUMN docstore.requests.result IS 'the rows returned; NULL while the call is being executed';
COMMENT ON FUNCTION docstore.forget_requests(interval) IS 'delete the caller''s own requests that are older; returns how many';
COMMENT ON FUNCTION docstore.close_stream(regclass, text, bigint) IS 'close a stream that is at the expected version, so that nobody can append to it any more; returns that version, or NULL if "any" found no stream';
COMMENT ON FUNCTION docstore.erase(regclass, text, bigint[]) IS 'blank the data and metadata of events of a stream, or of all its events when versions is NULL; they keep their place and type; returns how many';
COMMENT ON FUNCTION docstore.log_status(regclass) IS 'how far readers of a log can read, how many events they are waiting for, for how long, and who holds them back';
COMMENT ON FUNCTION docstore.commit_cursor(regclass, text, text, bigint) IS 'store the cursor of a consumer of a log, if the stored one is at the expected version; returns the new version';
COMMENT ON FUNCTION docstore.guard(regclass, name, boolean) IS 'guard a table that plain SQL writes: compare and raise the version in each UPDATE; strict: an UPDATE has to set the version';
COMMENT ON FUNCTION docstore.unguard(regclass) IS 'remove the guard of a table';
COMMENT ON FUNCTION docstore_internal.replicate_event() IS 'trigger of docstore.create_log: give an event that comes by logical replication its place in the order of this server';
COMMENT ON FUNCTION docstore_internal.log_tables(regclass) IS 'internal: the tables of a log, NULL if it is not one, for the views';
COMMENT ON FUNCTION docstore_internal.table_size(regclass) IS 'internal: the size of a table and its partitions, for the views; waits for no lock';
COMMENT ON FUNCTION docstore_internal.trigger_fault(regclass) IS 'internal: what is wrong with the triggers of a log or a guarded table, NULL if nothing is, for the views';
COMMENT ON VIEW docstore.collections IS 'the collections of this database, without partitions; includes those that hold the consumers of a log';
COMMENT ON VIEW docstore.guarded IS 'the tables that docstore.guard() guards; of a partitioned table, only the one that was guarded';
COMMENT ON COLUMN docstore.error_codes.sqlstate IS 'for the conflict, the value of docstore.conflict_sqlstate';
COMMENT ON COLUMN docstore.error_codes.condition IS 'its name in PL/pgSQL; NULL where only the SQLSTATE can be caught';
COMMENT ON COLUMN docstore.error_codes.retry IS 'reload: load again, apply the change, and save again; again: repeat the transaction; no: it would fail again';

CREATE OR REPLACE VIEW docstore.error_codes (sqlstate, condition, retry, meaning, remedy) AS VALUES
	(docstore_internal.conflict_sqlstate(), NULL, 'reload',
		'the conflict: expected versions do not hold',
		'follow the hint: load the listed items again, apply the change to them, and save again; or read the scope again and decide again; or append to a stream that is not closed'),
	('PT428', NULL, 'no',
		'an UPDATE does not set the version of a table whose guard is strict',
		'set it to the version that was read, or make the ORM do so'),
	('22023', 'invalid_parameter_value', 'no',
		'a bad argument: a NULL or empty id, data that is not an object, an unknown op or key, a number or word that is not an expected version, the same document twice, a scope without expected, a cursor that is not of this log or whose event is lost, a request_id that was used with other changes',
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
		'an append of which some events are stored already, and others are not; the DETAIL names them',
		'send the append exactly as it was, or give new events new ids'),
	('25000', 'invalid_transaction_state', 'no',
		'a write in a parallel query',
		'mark the function that calls it PARALLEL UNSAFE'),
	('25006', 'read_only_sql_transaction', 'no',
		'a write in a read-only transaction, or on a standby',
		'write on the primary, in a READ WRITE transaction'),
	('0A000', 'feature_not_supported', 'no',
		'something that docstore cannot do with a distributed table',
		'follow the hint: most often, write its documents one by one'),
	('27000', 'triggered_data_change_violation', 'no',
		'a BEFORE trigger of the table undid the write, or changed id or version; or, of an event, anything but data and metadata; or a trigger or function that a call ran changed what the call itself writes',
		'let the trigger return the row with these unchanged; change what the call writes in an AFTER trigger, or in another call'),
	('39P01', 'trigger_protocol_violated', 'no',
		'a trigger function of guards or logs was called by something else',
		'call docstore.guard or docstore.create_log instead'),
	('40001', 'serialization_failure', 'again',
		'the transaction''s snapshot is too old for the check, or another rare case',
		'begin the transaction again'),
	('40P01', 'deadlock_detected', 'again',
		'the server''s own error: a deadlock, which it has ended',
		'begin the transaction again'),
	('42501', 'insufficient_privilege', 'no',
		'a privilege is missing; row security lets you see the document but not write it; the table''s owner may not create the floor; a version that only the owner can delete',
		'ask the owner of the table'),
	('42703', 'undefined_column', 'no',
		'a table to guard has no such column',
		'name its version column'),
	('42622', 'name_too_long', 'no',
		'a name of more than 63 bytes for a collection, or of more than 53 for a log',
		'shorten it'),
	('2BP01', 'dependent_objects_still_exist', 'no',
		'a table to unguard is guarded as a partition of another',
		'unguard that table, or detach the partition'),
	('42704', 'undefined_object', 'no',
		'a table that is not guarded',
		'none is needed: it has no guard'),
	('42710', 'duplicate_object', 'no',
		'a table that is guarded already, or one of its partitions',
		'unguard it first to name another version column; unguard the partition, too'),
	('42804', 'datatype_mismatch', 'no',
		'a version column that is not a smallint, integer or bigint',
		'name another column'),
	('42P01', 'undefined_table', 'no',
		'no such table',
		'check the name and the search_path'),
	('42809', 'wrong_object_type', 'no',
		'a table that is not a collection or a log, or that cannot be guarded',
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
