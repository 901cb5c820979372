-- Retries under another search_path, as a connection pool hands out: the same tables are answered, others are refused; and no retry scans
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

CREATE SCHEMA one;
CREATE SCHEMA two;
SELECT docstore.create_collection('one.shops'), docstore.create_collection('two.shops'), docstore.create_collection('common');
SELECT docstore.create_log('one.ledger'), docstore.create_log('two.ledger');
CREATE FUNCTION pg_temp.request(changes jsonb, number int) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT item, op, target, id, version FROM docstore.save(%L, %L)', changes, '00000000-0000-0000-0000-' || lpad(number::text, 12, '0'))
$$;
\set upsert '\'[{"op": "upsert", "collection": "common", "id": "a", "data": {}}, {"op": "upsert", "collection": "shops", "id": "a", "data": {}}, {"op": "upsert", "collection": "shops", "id": "b", "data": {}}]\''
\set append '\'[{"op": "append", "log": "ledger", "stream": "s", "events": [{"type": "t"}], "expected": 0}, {"op": "assert", "log": "ledger", "scope": {"source": "x", "expected": 0}}]\''
\set put '\'[{"op": "put", "data": {"a": 1, "@metadata": {"collection": "shops", "id": "put", "version": 0}}}]\''
\set qualified '\'[{"op": "upsert", "collection": "one.shops", "id": "q", "data": {}}]\''

-- executed with the one path
SET search_path = one, public;
SELECT pg_temp.request(:upsert, 1) \gexec
SELECT pg_temp.request(:append, 2) \gexec
SELECT pg_temp.request(:put, 3) \gexec
SELECT pg_temp.request(:qualified, 4) \gexec
-- another path on which the names mean the same
SET search_path = public, pg_temp, one, two;
SELECT pg_temp.request(:upsert, 1) \gexec
SELECT pg_temp.request(:append, 2) \gexec
SELECT pg_temp.request(:put, 3) \gexec
-- on which they mean other tables
SET search_path = two, public;
CALL pg_temp.try(pg_temp.request(:upsert, 1));
CALL pg_temp.try(pg_temp.request(:append, 2));
CALL pg_temp.try(pg_temp.request(:put, 3));
SELECT pg_temp.request(:qualified, 4) \gexec
SELECT pg_temp.request(:upsert, 5) \gexec
-- on which they mean nothing: no other table can be meant
SET search_path = pg_catalog;
SELECT pg_temp.request(:upsert, 1) \gexec
SELECT pg_temp.request(:append, 2) \gexec
-- a temporary table of that name
SET search_path = one, public;
CREATE TEMP TABLE shops (LIKE one.shops INCLUDING ALL);
SELECT regexp_replace(pg_temp.verdict(pg_temp.request(:upsert, 1)), 'pg_temp_\d+', 'pg_temp');
DROP TABLE pg_temp.shops;
-- the table is gone, and then there is another one in its place
ALTER TABLE one.shops RENAME TO gone;
SELECT pg_temp.request(:put, 3) \gexec
SELECT docstore.create_collection('one.shops');
SELECT pg_temp.request(:put, 3) \gexec
SELECT count(*) FROM one.shops;
-- a request that an older version has stored has nothing else than its answer, and is told apart in the same way
SELECT length(changes_hash) AS hash, result -> 0 ->> 'target' AS target FROM docstore.requests WHERE request_id = '00000000-0000-0000-0000-000000000003';
-- no way to change what is stored makes it fail otherwise
UPDATE docstore.requests SET result = jsonb_set(result, '{0,target}', 'null') WHERE request_id = '00000000-0000-0000-0000-000000000003';
SELECT pg_temp.request(:put, 3) \gexec
UPDATE docstore.requests SET result = result || result || result WHERE request_id = '00000000-0000-0000-0000-000000000003';
SELECT count(*) FROM docstore.save(:put, '00000000-0000-0000-0000-000000000003');

-- a session that has planned while the table was small goes by its key, however large it becomes
VACUUM ANALYZE docstore.requests;
CREATE FUNCTION pg_temp.scans() RETURNS bigint LANGUAGE sql AS $$ SELECT pg_stat_get_xact_numscans('docstore.requests'::regclass) $$;
CREATE FUNCTION pg_temp.requests(number int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	before bigint := pg_temp.scans();
BEGIN
	FOR i IN 1 .. number LOOP
		PERFORM docstore.save('[{"op": "upsert", "collection": "common", "id": "a", "data": {}, "expected": "any"}]', ('00000000-0000-0000-0001-' || lpad(i::text, 12, '0'))::uuid);
	END LOOP;
	RETURN pg_temp.scans() - before;
END
$$;
SELECT pg_temp.requests(20) AS executed, pg_temp.requests(20) AS answered;

SELECT docstore.forget_requests('0') > 0 AS forgotten;
DROP TABLE one.gone, one.shops, two.shops, common, one.ledger, one.ledger_streams, one.ledger_consumers, two.ledger, two.ledger_streams, two.ledger_consumers;
DROP SCHEMA one, two;
DELETE FROM docstore.requests;
