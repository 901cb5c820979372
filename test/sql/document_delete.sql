-- docstore.delete(): delete one document. C01 and the like are the numbers of the behaviour cases.
\getenv directory PG_ABS_SRCDIR
\set prepare :directory '/include/prepare.psql'
\i :prepare

SELECT docstore.create_collection('shops');
SELECT docstore.upsert('shops', 'c' || i, '{}') FROM generate_series(1, 6) i;

-- C01: expected "any": gone, and its version is the answer
SELECT docstore.delete('shops', 'c1', docstore.any_version());
SELECT count(*) FROM shops WHERE id = 'c1';

-- C02: expected the version that is there
SELECT docstore.delete('shops', 'c2', 1);
SELECT count(*) FROM shops WHERE id = 'c2';

-- expected to be there, at whatever version
SELECT docstore.upsert('shops', 'c3', '{}', 1);
SELECT docstore.delete('shops', 'c3', docstore.some_version());

-- C04: a version that never existed, or that is older
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'c4', 99) $$);
SELECT docstore.upsert('shops', 'c4', '{}', 1);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'c4', 1) $$);
SELECT id, version FROM shops WHERE id = 'c4';

-- C05: never existed, expected "any": nothing deleted, no error
SELECT docstore.delete('shops', 'never', docstore.any_version()) IS NULL AS none;

-- C07: deleted at version 2, deleted again with version 2: a conflict, not a success
SELECT docstore.delete('shops', 'c4', 2);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'c4', 2) $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'c4', docstore.some_version()) $$);

-- C08: a delete cannot expect absence
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'never', 0) $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'never', NULL) $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'c5', docstore.no_version()) $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "delete", "collection": "shops", "id": "c5", "expected": "none"}]') $$);
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "delete", "collection": "shops", "id": "c5", "expected": null}]') $$);

-- C11: saved with the last version before the delete
SELECT docstore.delete('shops', 'c5', 1);
CALL pg_temp.try($$ SELECT docstore.upsert('shops', 'c5', '{}', 1) $$);

-- C13: deleted and saved in one batch
CALL pg_temp.try($$ SELECT * FROM docstore.save('[{"op": "delete", "collection": "shops", "id": "c7", "expected": "any"},
	{"op": "upsert", "collection": "shops", "id": "c7", "data": {}}]') $$);

-- bad arguments
CALL pg_temp.try($$ SELECT docstore.delete(NULL, 'c5', 1) $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', NULL, 1) $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', '', 1) $$);
CALL pg_temp.try($$ SELECT docstore.delete('shops', 'c5', -3) $$);

-- deleted and rolled back: still there, at its version
BEGIN;
SELECT docstore.delete('shops', 'c6', 1);
ROLLBACK;
SELECT docstore.upsert('shops', 'c6', '{}', 1);

SELECT id, version FROM shops ORDER BY id;
DROP TABLE shops;
