/* docstore 0.3.0 to 0.4.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.4.0'" to load this file. \quit

--
-- Views: what is there
--

CREATE FUNCTION docstore.is_collection(relation regclass) RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ds_is_collection';

COMMENT ON FUNCTION docstore.is_collection(regclass) IS 'internal: whether a table is a collection, for the views';

CREATE FUNCTION docstore.log_tables(relation regclass) RETURNS oid[]
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ds_log_tables';

COMMENT ON FUNCTION docstore.log_tables(regclass) IS 'internal: the tables of a log, NULL for what is none, for the views';

CREATE FUNCTION docstore.collection_options(relation regclass) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ds_collection_options';

COMMENT ON FUNCTION docstore.collection_options(regclass) IS 'internal: what a collection is like, for the views';

CREATE FUNCTION docstore.estimated_rows(relation regclass) RETURNS bigint
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ds_estimated_rows';

COMMENT ON FUNCTION docstore.estimated_rows(regclass) IS 'internal: the rows of a table and its partitions as the statistics know them, for the views';

CREATE FUNCTION docstore.table_size(relation regclass) RETURNS bigint
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'ds_table_size';

COMMENT ON FUNCTION docstore.table_size(regclass) IS 'internal: the size of a table and its partitions, for the views; waits for nobody';

CREATE FUNCTION docstore.conflict_sqlstate() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ds_conflict_sqlstate';

COMMENT ON FUNCTION docstore.conflict_sqlstate() IS 'internal: the SQLSTATE of the conflict, for the views';

CREATE FUNCTION docstore.trigger_state(enabled "char") RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN CASE enabled WHEN 'O' THEN 'origin' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' WHEN 'A' THEN 'always' END;

COMMENT ON FUNCTION docstore.trigger_state("char") IS 'internal: pg_trigger.tgenabled in the words of the manual, for the views';

CREATE VIEW docstore.collections AS
SELECT
	pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
	docstore.estimated_rows(c.oid) AS estimated_rows,
	docstore.table_size(c.oid) AS size,
	docstore.collection_options(c.oid) OPERATOR(pg_catalog.||)
		pg_catalog.jsonb_build_object('guard', docstore.trigger_state(t.tgenabled)) AS options
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
LEFT JOIN pg_catalog.pg_trigger AS t ON t.tgrelid OPERATOR(pg_catalog.=) c.oid AND t.tgname OPERATOR(pg_catalog.=) 'docstore_guard'
	AND t.tgfoid OPERATOR(pg_catalog.=) 'docstore.guard_row()'::pg_catalog.regprocedure
WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog."char"[]) AND docstore.is_collection(c.oid)
	-- a partition of a collection is a part of it
	AND NOT (c.relispartition AND EXISTS (
		SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a
		WHERE a.relid OPERATOR(pg_catalog.<>) c.oid AND docstore.is_collection(a.relid)));

COMMENT ON VIEW docstore.collections IS 'the collections of this database, partitions apart; those with the consumers of a log as well';
COMMENT ON COLUMN docstore.collections.name IS 'the qualified name, as in conflicts';
COMMENT ON COLUMN docstore.collections.estimated_rows IS 'documents, as of the last VACUUM or ANALYZE; NULL before the first';
COMMENT ON COLUMN docstore.collections.size IS 'in bytes, with indexes, TOAST and partitions';
COMMENT ON COLUMN docstore.collections.options IS 'what it is like';

CREATE VIEW docstore.logs AS
SELECT
	pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
	docstore.estimated_rows(c.oid) AS estimated_rows,
	(SELECT pg_catalog.sum(docstore.table_size(u.relid))::pg_catalog.int8 FROM pg_catalog.unnest(l.tables) AS u(relid)) AS size,
	pg_catalog.jsonb_build_object(
		'streams', docstore.estimated_rows(l.tables[2]),
		'consumers', (
			SELECT pg_catalog.format('%I.%I', n.nspname, u.relname) FROM pg_catalog.pg_class AS u
			WHERE u.oid OPERATOR(pg_catalog.=) l.tables[3]),
		'notify', EXISTS (
			SELECT FROM pg_catalog.pg_trigger AS t
			WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND t.tgfoid OPERATOR(pg_catalog.=) 'docstore.notify_log()'::pg_catalog.regprocedure
				AND t.tgenabled OPERATOR(pg_catalog.=) ANY ('{O,A}'::pg_catalog."char"[]))) AS options
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
CROSS JOIN LATERAL docstore.log_tables(c.oid) AS l(tables)
WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND l.tables IS NOT NULL;

COMMENT ON VIEW docstore.logs IS 'the event logs of this database';
COMMENT ON COLUMN docstore.logs.name IS 'the qualified name, as in conflicts';
COMMENT ON COLUMN docstore.logs.estimated_rows IS 'events, as of the last VACUUM or ANALYZE; NULL before the first';
COMMENT ON COLUMN docstore.logs.size IS 'in bytes, of its three tables with indexes and TOAST';
COMMENT ON COLUMN docstore.logs.options IS 'what it is like';

CREATE VIEW docstore.guarded AS
SELECT
	pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
	docstore.estimated_rows(c.oid) AS estimated_rows,
	docstore.table_size(c.oid) AS size,
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
		'enabled', docstore.trigger_state(t.tgenabled),
		-- the partitions have a trigger each, which ALTER TABLE can switch off there alone
		'exceptions', CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'p' THEN (
			WITH RECURSIVE parts(relid) AS (
				SELECT h.inhrelid FROM pg_catalog.pg_inherits AS h WHERE h.inhparent OPERATOR(pg_catalog.=) c.oid
				UNION ALL
				SELECT h.inhrelid FROM parts AS p JOIN pg_catalog.pg_inherits AS h ON h.inhparent OPERATOR(pg_catalog.=) p.relid)
			SELECT pg_catalog.jsonb_object_agg(pg_catalog.format('%I.%I', pn.nspname, pc.relname), docstore.trigger_state(pt.tgenabled))
			FROM parts AS p
			JOIN pg_catalog.pg_trigger AS pt ON pt.tgrelid OPERATOR(pg_catalog.=) p.relid AND pt.tgname OPERATOR(pg_catalog.=) t.tgname
			JOIN pg_catalog.pg_class AS pc ON pc.oid OPERATOR(pg_catalog.=) p.relid
			JOIN pg_catalog.pg_namespace AS pn ON pn.oid OPERATOR(pg_catalog.=) pc.relnamespace
			WHERE pc.relkind OPERATOR(pg_catalog.=) 'r' AND pt.tgenabled OPERATOR(pg_catalog.<>) t.tgenabled) END) AS options
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
CROSS JOIN LATERAL (
	SELECT CASE WHEN t.tgnargs OPERATOR(pg_catalog.>) 0 THEN pg_catalog.convert_from(
		pg_catalog.substr(t.tgargs, 1, pg_catalog.position(t.tgargs, pg_catalog.decode('00', 'hex')) OPERATOR(pg_catalog.-) 1),
		pg_catalog.getdatabaseencoding()) END) AS v(name)
WHERE t.tgname OPERATOR(pg_catalog.=) 'docstore_guard' AND t.tgfoid OPERATOR(pg_catalog.=) 'docstore.guard_row()'::pg_catalog.regprocedure
	AND t.tgparentid OPERATOR(pg_catalog.=) 0 AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace);

COMMENT ON VIEW docstore.guarded IS 'the tables that docstore.guard() guards; of a partitioned one, the table that was guarded';
COMMENT ON COLUMN docstore.guarded.name IS 'the qualified name, as in conflicts';
COMMENT ON COLUMN docstore.guarded.estimated_rows IS 'as of the last VACUUM or ANALYZE; NULL before the first';
COMMENT ON COLUMN docstore.guarded.size IS 'in bytes, with indexes, TOAST and partitions';
COMMENT ON COLUMN docstore.guarded.options IS 'what it is like';

CREATE VIEW docstore.error_codes (sqlstate, condition, retry, meaning, remedy) AS VALUES
	(docstore.conflict_sqlstate(), NULL, 'reload',
		'the conflict: expected versions do not hold',
		'load the listed items again, apply the change to them, save again'),
	('22023', 'invalid_parameter_value', 'no',
		'a bad argument: a NULL or empty id, data that is no object, an unknown op or key, a number or word that is no expected version, the same document twice, a scope without expected, a cursor that is none of this log, a request_id that was used with other changes',
		'correct the call; the message names the item'),
	('22P02', 'invalid_text_representation', 'no',
		'an id that is not of the collection''s type',
		'correct the id'),
	('22003', 'numeric_value_out_of_range', 'no',
		'a document, stream or guarded row at the highest possible version; no version left for a new document',
		'set its version to a lower number with UPDATE; close the stream; make the column a bigint; set the floor lower'),
	('23505', 'unique_violation', 'no',
		'an append of which some events are stored already, and others not; the DETAIL names them',
		'send the append as it was, or give new events new ids'),
	('25006', 'read_only_sql_transaction', 'no',
		'a write in a read-only transaction, or on a standby',
		'write on the primary, in a READ WRITE transaction'),
	('27000', 'triggered_data_change_violation', 'no',
		'a BEFORE trigger of the table undid the write, or changed id or version; of an event, anything but data and metadata',
		'let the trigger return the row, with these as they are'),
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
		'a privilege is missing; row security lets you see the document and not write it; the table''s owner may not make the floor',
		'ask the owner of the table'),
	('42703', 'undefined_column', 'no',
		'a table to guard has no such column',
		'name its version column'),
	('42622', 'name_too_long', 'no',
		'a name for a log of more than 53 bytes',
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
	('55P03', 'lock_not_available', 'again',
		'the server''s own: a lock was not to be had within lock_timeout',
		'begin the transaction again'),
	('54000', 'program_limit_exceeded', 'no',
		'more than 2,147,483,647 items in one transaction with deferred conflicts',
		'commit now and then');

COMMENT ON VIEW docstore.error_codes IS 'the SQLSTATEs that docstore raises';
COMMENT ON COLUMN docstore.error_codes.sqlstate IS 'of the conflict, what the setting docstore.conflict_sqlstate says';
COMMENT ON COLUMN docstore.error_codes.condition IS 'its name in PL/pgSQL; NULL for the conflict, which is caught by its SQLSTATE';
COMMENT ON COLUMN docstore.error_codes.retry IS 'reload: load, apply the change, save again; again: the same transaction once more; no: it would fail again';
COMMENT ON COLUMN docstore.error_codes.meaning IS 'when it is raised';
COMMENT ON COLUMN docstore.error_codes.remedy IS 'what to do';

GRANT SELECT ON docstore.collections, docstore.logs, docstore.guarded, docstore.error_codes TO PUBLIC;
