# shellcheck shell=bash
# Scene 2 of dev/demo: a batch of 20 items, 3 of them stale, is written as a whole or not at all.

heading "2. A batch of 20, and 3 of them are stale"

say "Twenty more shops, saved with one call. Items without an expected version can only create."
as ann <<'SQL'
SELECT count(*) AS saved, max(version) AS version
FROM docstore.save((
    SELECT jsonb_agg(jsonb_build_object(
               'op', 'upsert', 'collection', 'shops', 'id', n::text, 'data', '{"opens": 8}'::jsonb))
    FROM generate_series(101, 120) AS n));
SQL

# What Ann does twice. psql keeps the result as :changes, as a program would keep it in a variable.
load_and_change=$(
	cat <<'SQL'
SELECT jsonb_agg(jsonb_build_object(
           'op', 'upsert', 'collection', 'shops', 'id', id, 'expected', version,
           'data', data || '{"opens": 7}') ORDER BY id) AS changes
FROM docstore.load_many('shops', ARRAY(SELECT n::text FROM generate_series(101, 120) AS n)) \gset
SQL
)

say "Ann loads all of them, because they will open an hour earlier. Each of her items carries the version that she saw."
as ann <<<"$load_and_change"

say "Meanwhile Ben notes that three of them have wifi."
as ben <<'SQL'
SELECT item, id, version
FROM docstore.save('[
    {"op": "upsert", "collection": "shops", "id": "104", "expected": 1, "data": {"opens": 8, "wifi": true}},
    {"op": "upsert", "collection": "shops", "id": "111", "expected": 1, "data": {"opens": 8, "wifi": true}},
    {"op": "upsert", "collection": "shops", "id": "117", "expected": 1, "data": {"opens": 8, "wifi": true}}]');
SQL

say "Ann saves her twenty items."
as ann <<'SQL'
SELECT count(*) AS saved FROM docstore.save(:'changes');
SQL

say "One error, and it names all three that were stale. The other 17 were not saved either:"
as ann <<'SQL'
SELECT count(*) AS shops_that_open_at_7 FROM shops WHERE data @> '{"opens": 7}';
SQL

say "She loads them again, changes them again, and saves again."
as ann <<<"$load_and_change"
as ann <<'SQL'
SELECT count(*) AS saved FROM docstore.save(:'changes');
SELECT count(*) AS shops_that_open_at_7, count(*) FILTER (WHERE data @> '{"wifi": true}') AS with_wifi
FROM shops WHERE data @> '{"opens": 7}';
SQL
