/* docstore 0.6.0 to 0.7.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.7.0'" to load this file. \quit

--
-- Guards that an UPDATE without the version does not pass
--

DROP FUNCTION docstore.guard(regclass, name);

CREATE FUNCTION docstore.guard(table_name regclass, version_column name DEFAULT 'version', strict boolean DEFAULT false) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 50000
	AS 'MODULE_PATHNAME', 'ds_guard';

COMMENT ON FUNCTION docstore.guard(regclass, name, boolean) IS 'hold whoever writes a table by plain SQL to the rule of versions; strict: an UPDATE has to set the version';

-- Replaced, so that what others have built on the views stays; the extension's script cannot replace what is not the extension's.

CREATE OR REPLACE VIEW docstore.guarded AS
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

COMMENT ON COLUMN docstore.guarded.strict IS 'whether an UPDATE has to set the version';

CREATE OR REPLACE VIEW docstore.error_codes (sqlstate, condition, retry, meaning, remedy) AS VALUES
	(docstore_internal.conflict_sqlstate(), NULL, 'reload',
		'the conflict: expected versions do not hold',
		'what the hint says: load the listed items again, apply the change to them, save again; read a scope again; append to another stream than a closed one'),
	('PT428', NULL, 'no',
		'an UPDATE of a table whose guard is strict does not set the version',
		'set it to the version that was read, or make the ORM do so'),
	('22023', 'invalid_parameter_value', 'no',
		'a bad argument: a NULL or empty id, data that is no object, an unknown op or key, a number or word that is no expected version, the same document twice, a scope without expected, a cursor that is none of this log or whose event is lost, a request_id that was used with other changes',
		'correct the call; the message names the item'),
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
		'an append of which some events are stored already, and others not; the DETAIL names them',
		'send the append as it was, or give new events new ids'),
	('25000', 'invalid_transaction_state', 'no',
		'a write in a parallel query',
		'mark the function that calls it PARALLEL UNSAFE'),
	('25006', 'read_only_sql_transaction', 'no',
		'a write in a read-only transaction, or on a standby',
		'write on the primary, in a READ WRITE transaction'),
	('0A000', 'feature_not_supported', 'no',
		'what docstore cannot do with a table that is distributed',
		'what the hint says, most often to write its documents one by one'),
	('27000', 'triggered_data_change_violation', 'no',
		'a BEFORE trigger of the table undid the write, or changed id or version; of an event, anything but data and metadata; or what a call ran changed what the call itself writes',
		'let the trigger return the row, with these as they are; change what the call writes in an AFTER trigger, or in another call'),
	('39P01', 'trigger_protocol_violated', 'no',
		'a function of the triggers of guards or logs, called by somebody else',
		'call docstore.guard or docstore.create_log'),
	('40001', 'serialization_failure', 'again',
		'the transaction''s snapshot is too old to tell, or another rare case',
		'begin the transaction again'),
	('40P01', 'deadlock_detected', 'again',
		'the server''s own: a deadlock, which it has ended',
		'begin the transaction again'),
	('42501', 'insufficient_privilege', 'no',
		'a privilege is missing; row security lets you see the document and not write it; the table''s owner may not make the floor; a version that only the owner can delete',
		'ask the owner of the table'),
	('42703', 'undefined_column', 'no',
		'a table to guard has no such column',
		'name its version column'),
	('42622', 'name_too_long', 'no',
		'a name of more than 63 bytes for a collection, or of more than 53 for a log',
		'shorten it'),
	('2BP01', 'dependent_objects_still_exist', 'no',
		'a table to unguard is guarded as a partition of another',
		'unguard that one, or detach the partition'),
	('42704', 'undefined_object', 'no',
		'a table that is not guarded',
		'nothing: it is free already'),
	('42710', 'duplicate_object', 'no',
		'a table that is guarded already, or one of its partitions',
		'to name another column, unguard it first; so with the partition'),
	('42804', 'datatype_mismatch', 'no',
		'a version column that is no smallint, integer or bigint',
		'name another column'),
	('42P01', 'undefined_table', 'no',
		'no such table',
		'check the name and the search_path'),
	('42809', 'wrong_object_type', 'no',
		'a table that is no collection, or no log, or cannot be guarded',
		'the DETAIL says what it lacks'),
	('55006', 'object_in_use', 'no',
		'a trigger or function has altered or dropped a table of the very call that fired it',
		'let it leave the tables of the call as they are'),
	('55P03', 'lock_not_available', 'again',
		'the server''s own: a lock was not to be had within lock_timeout',
		'begin the transaction again'),
	('54000', 'program_limit_exceeded', 'no',
		'an id, or a name of a stream, that does not fit into an index; more than 2,147,483,647 items in one transaction with deferred conflicts',
		'shorten it, or use a hash of it; commit now and then');

COMMENT ON COLUMN docstore.error_codes.condition IS 'its name in PL/pgSQL; NULL for what is caught by its SQLSTATE';
