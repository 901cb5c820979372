/* docstore 0.4.0 to 0.5.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.5.0'" to load this file. \quit

--
-- Readers: cursors whose events are lost
--

DROP FUNCTION docstore.consumers(regclass);

CREATE FUNCTION docstore.consumers(log regclass)
	RETURNS TABLE (consumer text, version bigint, cursor text, updated_at timestamptz, behind bigint, state text)
	LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'ds_consumers';

COMMENT ON FUNCTION docstore.consumers(regclass) IS 'the consumers of a log, how far each has come, how many events it has not read yet, and whether its cursor is good';

--
-- Triggers that are not as docstore has made them
--

CREATE FUNCTION docstore.trigger_fault(relation regclass) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ds_trigger_fault';

COMMENT ON FUNCTION docstore.trigger_fault(regclass) IS 'internal: what is wrong with the triggers of a log or a guarded table, NULL when nothing is, for the views';

CREATE FUNCTION docstore.repair_log(log regclass, notify boolean DEFAULT false) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_repair_log';

COMMENT ON FUNCTION docstore.repair_log(regclass, boolean) IS 'make the triggers of a log again, and see to when they fire; with notify also that of its notifications';

DROP VIEW docstore.collections, docstore.logs, docstore.guarded;

CREATE VIEW docstore.collections AS
SELECT
	pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
	docstore.estimated_rows(c.oid) AS estimated_rows,
	docstore.table_size(c.oid) AS size,
	docstore.collection_options(c.oid) OPERATOR(pg_catalog.||)
		pg_catalog.jsonb_build_object('guard', docstore.trigger_state(t.tgenabled),
			'fault', CASE WHEN t.tgparentid OPERATOR(pg_catalog.=) 0 THEN docstore.trigger_fault(c.oid) END) AS options
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
				AND t.tgenabled OPERATOR(pg_catalog.=) ANY ('{O,A}'::pg_catalog."char"[])),
		'fault', docstore.trigger_fault(c.oid)) AS options
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
		'fault', docstore.trigger_fault(c.oid),
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

GRANT SELECT ON docstore.collections, docstore.logs, docstore.guarded TO PUBLIC;
