/* docstore 0.4.0 to 0.5.0 */

\echo Use "ALTER EXTENSION docstore UPDATE TO '0.5.0'" to load this file. \quit

--
-- JSON
--

CREATE FUNCTION docstore.parse(json text) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ds_parse';

COMMENT ON FUNCTION docstore.parse(text) IS 'what json::jsonb is, several times faster';

CREATE FUNCTION docstore.parse_many(json text[]) RETURNS jsonb[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ds_parse_many';

COMMENT ON FUNCTION docstore.parse_many(text[]) IS 'what json::jsonb[] is, several times faster';
