# shellcheck shell=bash disable=SC2154 # the colours are lib.sh's
# Scene 6 of dev/demo: two editors change different fields of one document, and both changes land.

heading "6. Two editors, two fields"

say "From now on, this collection keeps its history: each write leaves a row, whoever makes it. Ann and Ben open the same document
in a form, at version 1. A form saves all of its fields."
as ann <<'SQL'
SELECT docstore.track('shops');
SELECT docstore.upsert('shops', 'landtmann', '{"name": "Landtmann", "opens": 8, "phone": "24 100"}') AS version;
SQL

say "Ann has corrected the phone number, and saves first."
as ann <<'SQL'
SELECT version, was_merged FROM docstore.merge('shops', 'landtmann',
    '{"name": "Landtmann", "opens": 8, "phone": "24 100-120"}', expected_version => 1);
SQL

say "Ben has changed when it opens. An upsert would be a conflict, as he has not seen Ann's change. A merge looks up in history what
both began with, and brings the two changes together:"
as ben <<'SQL'
SELECT version, was_merged, data FROM docstore.merge('shops', 'landtmann',
    '{"name": "Landtmann", "opens": 7, "phone": "24 100"}', expected_version => 1);
SQL

say "Only where both have changed the same field somebody has to decide. The conflict names the field:"
as ann <<'SQL'
SELECT version, was_merged, data FROM docstore.merge('shops', 'landtmann',
    '{"name": "Landtmann", "opens": 9, "phone": "24 100-120"}', expected_version => 2);
SQL

merged=$(value "SELECT data = '{\"name\": \"Landtmann\", \"opens\": 7, \"phone\": \"24 100-120\"}' FROM shops WHERE id = 'landtmann'")
if [ "$merged" = t ]; then
	echo "${green}both changes are there$plain"
else
	die "the changes were not merged"
fi
