/* docstore 0.1.0 to 0.2.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.2.0'" to load this file. \quit

CREATE FUNCTION docstore.check_conflicts() RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ds_check_conflicts';

COMMENT ON FUNCTION docstore.check_conflicts() IS 'raise the conflicts that the transaction has deferred, all of them as one';
