-- Row security: a role sees half of the rows, and learns nothing about the others
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');
ALTER TABLE shops ADD owner text GENERATED ALWAYS AS (data ->> 'owner') STORED;
CREATE ROLE regress_docstore_anna;
GRANT SELECT, INSERT, UPDATE, DELETE ON shops TO regress_docstore_anna;
CREATE POLICY own ON shops TO regress_docstore_anna USING (owner = 'anna') WITH CHECK (owner = 'anna');
ALTER TABLE shops ENABLE ROW LEVEL SECURITY;
-- a1 to a3 are Anna's, b1 to b3 are not; the second ones are at version 2
SELECT docstore.upsert('shops', o || n, format('{"owner": "%s"}', CASE o WHEN 'a' THEN 'anna' ELSE 'bert' END)::jsonb)
FROM unnest('{a,b}'::text[]) o, generate_series(1, 3) n;
SELECT docstore.upsert('shops', 'a2', '{"owner": "anna"}', 1), docstore.upsert('shops', 'b2', '{"owner": "bert"}', 1);

SET ROLE regress_docstore_anna;
-- reading
SELECT id, version FROM docstore.load('shops', 'a2');
SELECT id, version FROM docstore.load('shops', 'b2');
SELECT id, version FROM docstore.load_many('shops', '{b1,a1,b2,a2,b3,a3}');

-- her own: as ever
SELECT docstore.upsert('shops', 'a1', '{"owner": "anna"}', 1),
	docstore.upsert_many('shops', '{a2,a4}', '{"{\"owner\": \"anna\"}","{\"owner\": \"anna\"}"}', '{2,0}');
SELECT docstore.upsert('shops', 'a1', '{"owner": "anna"}', 1);

-- those of others are missing, whatever their version; what is absent looks the same
CREATE TEMP TABLE expected (nr serial, version bigint);
INSERT INTO expected (version) VALUES (1), (2), (3), (-2);
SELECT e.version, d.id, pg_temp.verdict(format('SELECT docstore.upsert(%L, %L, %L, %s)', 'shops', d.id, '{"owner": "anna"}', e.version)) AS upsert,
	pg_temp.verdict(format('SELECT docstore.delete(%L, %L, %s)', 'shops', d.id, e.version)) AS delete,
	pg_temp.verdict(format('SELECT docstore.upsert_many(%L, %L, %L, ARRAY[%s])',
						   'shops', '{' || d.id || '}', '{"{\"owner\": \"anna\"}"}', e.version)) AS many,
	pg_temp.verdict(format('SELECT version FROM docstore.save(%L)',
						   format('[{"op": "assert", "collection": "shops", "id": "%s", "expected": %s}]', d.id, e.version))) AS assert
FROM expected e, unnest('{b2,nobody}'::text[]) d(id) ORDER BY d.id, e.nr;
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'b2', '{"owner": "anna"}', 2) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[
	{"op": "upsert", "collection": "shops", "id": "b1", "data": {"owner": "anna"}, "expected": 1},
	{"op": "delete", "collection": "shops", "id": "b2", "expected": "exists"},
	{"op": "assert", "collection": "shops", "id": "b3", "expected": 1},
	{"op": "upsert", "collection": "shops", "id": "a3", "data": {"owner": "anna"}, "expected": 7}]') $$);
SELECT item, reason, expected, actual FROM docstore.try_save('[
	{"op": "delete", "collection": "shops", "id": "b2", "expected": 2},
	{"op": "assert", "collection": "shops", "id": "b3", "expected": "none"},
	{"op": "delete", "collection": "shops", "id": "b1", "expected": "any"}]');
SELECT docstore.delete('shops', 'b2', docstore.any_version()) IS NULL AS none;

-- an id that is taken cannot be had; but at which version it is stays hidden
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'b2', '{"owner": "anna"}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{a9,b2}', '{"{\"owner\": \"anna\"}","{\"owner\": \"anna\"}"}', NULL) $$);
SELECT item, reason, expected, actual FROM docstore.try_save('[
	{"op": "upsert", "collection": "shops", "id": "a8", "data": {"owner": "anna"}},
	{"op": "upsert", "collection": "shops", "id": "b2", "data": {"owner": "anna"}}]');
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'b2', '{"owner": "anna"}', docstore.any_version()) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{a9,b2}', '{"{\"owner\": \"anna\"}","{\"owner\": \"anna\"}"}', '{-1,-1}') $$);
SET docstore.checks = off;
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'b2', '{"owner": "anna"}', 1) $$);
RESET docstore.checks;

-- what the policy does not let her write: 42501 of the server
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'new', '{"owner": "bert"}') $$);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'a1', '{"owner": "bert"}', 2) $$);
CALL pg_temp.try($$ SELECT docstore.patch('shops', 'a1', '{"owner": "bert"}', 2) $$);
CALL pg_temp.try($$ SELECT docstore.upsert_many('shops', '{a1,a9}', '{"{\"owner\": \"anna\"}","{\"owner\": \"bert\"}"}', '{2,0}') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.try_save('[{"op": "upsert", "collection": "shops", "id": "a1", "data": {"owner": "bert"}, "expected": 2}]') $$);

-- patches, and documents that carry their version: her own are changed, those of others are missing, or there for who would create them
SELECT pg_temp.verdict($$ SELECT docstore.patch('shops', 'a1', '{"n": 1}', 2) $$) AS exact,
	pg_temp.verdict($$ SELECT docstore.patch('shops', 'a1', '{"n": 1}', -1) $$) AS "any",
	pg_temp.verdict($$ SELECT docstore.patch('shops', 'b2', '{"owner": "anna"}', 2) $$) AS hidden_exact,
	pg_temp.verdict($$ SELECT docstore.patch('shops', 'b2', '{"owner": "anna"}', -2) $$) AS hidden_exists,
	pg_temp.verdict($$ SELECT docstore.patch('shops', 'b2', '{"owner": "anna"}', -1) $$) AS hidden_any,
	pg_temp.verdict($$ SELECT docstore.patch('shops', 'b2', '{"owner": "anna"}', 0) $$) AS hidden_none;
SELECT docstore.get('shops', 'a1'), docstore.get('shops', 'b2') IS NULL AS hidden;
SELECT pg_temp.verdict($$ SELECT docstore.put(docstore.get('shops', 'a1')) #> '{@metadata,version}' $$) AS own,
	pg_temp.verdict($$ SELECT docstore.put('{"owner": "anna", "@metadata": {"collection": "shops", "id": "b2", "version": 2}}') $$) AS hidden,
	pg_temp.verdict($$ SELECT docstore.put('{"owner": "anna", "@metadata": {"collection": "shops", "id": "b2"}}') $$) AS taken,
	pg_temp.verdict($$ SELECT docstore.put('{"owner": "bert", "@metadata": {"collection": "shops", "id": "new"}}') $$) AS not_hers,
	pg_temp.verdict($$ SELECT version FROM docstore.save('[{"op": "patch", "collection": "shops", "id": "b2", "data": {"owner": "anna"}, "expected": 2}]') $$) AS item;

-- nothing of it was written
RESET ROLE;
SELECT id, version, owner FROM shops ORDER BY id;

-- the owner of the table is not bound, and plans kept for one role are not used for another
SELECT docstore.upsert('shops', 'b2', '{"owner": "bert"}', 2);
SET ROLE regress_docstore_anna;
SELECT count(*) FROM docstore.load('shops', 'b2');
RESET ROLE;
SELECT count(*) FROM docstore.load('shops', 'b2');

-- who may see everything but change only her own: a stale version is told, a right one is refused with 42501
CREATE POLICY all_visible ON shops FOR SELECT TO regress_docstore_anna USING (true);
SET ROLE regress_docstore_anna;
SELECT id, version FROM docstore.load('shops', 'b2');
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'b2', '{"owner": "anna"}', 3) $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'b2', 3) $$);
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'b2', '{"owner": "anna"}', -1) $$),
	pg_temp.verdict($$ SELECT docstore.upsert_many('shops', '{a1,b2}', '{"{\"owner\": \"anna\"}","{\"owner\": \"anna\"}"}', '{2,3}') $$),
	pg_temp.verdict($$ SELECT docstore.upsert('shops', 'b2', '{"owner": "anna"}') $$),
	pg_temp.verdict($$ SELECT docstore.upsert('shops', 'b2', '{"owner": "anna"}', 2) $$);
SELECT pg_temp.verdict($$ SELECT docstore.patch('shops', 'b2', '{"owner": "anna"}', 3) $$), pg_temp.verdict($$ SELECT docstore.patch('shops', 'b2', '{}', -1) $$),
	pg_temp.verdict($$ SELECT docstore.patch('shops', 'b2', '{}', 2) $$), pg_temp.verdict($$ SELECT docstore.put(docstore.get('shops', 'b2')) $$);
-- whatever is expected, alone and in a batch; a delete that expects nothing is not told that nothing is there
SELECT pg_temp.verdict($$ SELECT docstore.delete('shops', 'b2', -1) $$) AS single, pg_temp.verdict($$ SELECT docstore.delete('shops', 'absent', -1) $$) AS absent,
	pg_temp.verdict($$ SELECT version FROM docstore.save('[{"op": "delete", "collection": "shops", "id": "b2", "expected": "any"}]') $$) AS alone,
	pg_temp.verdict($$ SELECT version FROM docstore.save('[{"op": "delete", "collection": "shops", "id": "b2", "expected": "any"}, {"op": "delete", "collection": "shops", "id": "absent", "expected": "any"}]') $$) AS batch,
	pg_temp.verdict($$ SELECT version FROM docstore.save('[{"op": "assert", "collection": "shops", "id": "b2", "expected": 3}, {"op": "delete", "collection": "shops", "id": "absent", "expected": "any"}]') $$) AS asserted;
RESET ROLE;
SELECT docstore.create_log('ledger');
SELECT version FROM docstore.append('ledger', 'shown', '[{"type": "x"}]');
ALTER TABLE ledger_streams ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON ledger_streams FOR SELECT USING (true);
CREATE POLICY make ON ledger_streams FOR INSERT WITH CHECK (true);
CREATE POLICY change ON ledger_streams FOR UPDATE USING (stream <> 'shown');
GRANT ALL ON ledger, ledger_streams TO regress_docstore_anna;
GRANT ALL ON SEQUENCE ledger_log_position_seq TO regress_docstore_anna;
SET ROLE regress_docstore_anna;
SELECT pg_temp.verdict(format('SELECT version FROM docstore.save(%L)', jsonb_build_array(item::jsonb || '{"log": "ledger"}'))), item FROM unnest(ARRAY[
	'{"op": "append", "stream": "shown", "events": [{"type": "x"}]}',
	'{"op": "append", "stream": "shown", "events": [{"type": "x"}], "expected": 7}',
	'{"op": "close_stream", "stream": "shown", "expected": "any"}',
	'{"op": "set_properties", "stream": "shown", "properties": {}, "expected": "any"}',
	'{"op": "assert", "stream": "shown", "expected": "any"}',
	'{"op": "assert", "stream": "shown", "expected": "none"}',
	'{"op": "assert", "scope": {"source": "shown", "expected": 100}}',
	'{"op": "append", "stream": "new", "events": [{"type": "x"}], "scopes": [{"source": "shown", "expected": 100}]}',
	'{"op": "append", "stream": "new", "events": [{"type": "x"}], "scopes": [{"source": "absent", "expected": 100}]}']) item;
RESET ROLE;
DROP TABLE ledger, ledger_streams, ledger_consumers;

-- row_security = off refuses instead of filtering
SET ROLE regress_docstore_anna;
SET row_security = off;
CALL pg_temp.try($$ SELECT docstore.load('shops', 'a1') $$);
SELECT pg_temp.verdict($$ SELECT docstore.upsert('shops', 'a1', '{"owner": "anna"}', 2) $$);
RESET row_security;
RESET ROLE;

DROP TABLE shops, expected;
DROP ROLE regress_docstore_anna;
