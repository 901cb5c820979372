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
