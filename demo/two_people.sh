# shellcheck shell=bash
# Scene 1 of dev/demo: two people change the same document.

heading "1. Two people, one coffee shop"

say "A collection is a table of documents. Each has an id, a version and its data."
as ann <<'SQL'
CREATE EXTENSION docstore;
SELECT docstore.create_collection('shops');
SQL
as ann <<'SQL'
SELECT docstore.upsert('shops', 'mozart', '{"name": "Mozart''s", "seats": 40}') AS version;
SQL

say "Ann and Ben both load it, and both see version 1."
as ann <<'SQL'
SELECT version, data FROM docstore.load('shops', 'mozart');
SQL
as ben <<'SQL'
SELECT version, data FROM docstore.load('shops', 'mozart');
SQL

say "Ben has found room for two more seats. He saves first, and says that he saw version 1."
as ben <<'SQL'
SELECT docstore.upsert('shops', 'mozart', '{"name": "Mozart''s", "seats": 42}', 1) AS version;
SQL

say "Ann adds wifi. She saw version 1, too, so she does not know about Ben's seats."
as ann <<'SQL'
SELECT docstore.upsert('shops', 'mozart', '{"name": "Mozart''s", "seats": 40, "wifi": true}', 1) AS version;
SQL

say "A conflict: nothing was written, and Ben's seats are safe. Ann loads the document again,
and saves her change to what is there now. A patch contains only what she changes."
as ann <<'SQL'
SELECT version, data FROM docstore.load('shops', 'mozart');
SQL
as ann <<'SQL'
SELECT docstore.patch('shops', 'mozart', '{"wifi": true}', 2) AS version;
SQL
as ann <<'SQL'
SELECT docstore.get('shops', 'mozart');
SQL
