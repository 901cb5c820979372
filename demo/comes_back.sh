# shellcheck shell=bash disable=SC2154 # the colours are lib.sh's
# Scene 7 of dev/demo: a document is deleted by mistake, and comes back from its history.

heading "7. A deleted document comes back"

say "Ben says who he is and why he writes. He deletes what he should not have deleted, and it is plain SQL that does it."
as ben <<'SQL'
SET docstore.actor = 'ben';
SET docstore.context = '{"reason": "spring cleaning"}';
SELECT docstore.patch('shops', 'landtmann', '{"seats": 120}', 3) AS version;
DELETE FROM shops WHERE id = 'landtmann';
SQL

say "Ann misses the shop, and looks for what became of it."
as ann <<'SQL'
SELECT version, op, actor, context ->> 'reason' AS reason, data FROM docstore.history('shops', 'landtmann');
SQL

say "The last version before the deletion is the one to go back to. That is a write as any other: it says which version it
expects, here that nothing is there, and it becomes part of the history."
as ann <<'SQL'
SELECT docstore.revert('shops', 'landtmann', to_version => 4, expected_version => docstore.no_version()) AS version;
SQL
as ann <<'SQL'
SELECT version, data FROM docstore.load('shops', 'landtmann');
SQL

back=$(value "SELECT data FROM shops WHERE id = 'landtmann'")
if [ "$back" = '{"name": "Landtmann", "opens": 7, "phone": "24 100-120", "seats": 120}' ]; then
	echo "${green}it is back, as it was$plain"
else
	die "the document did not come back"
fi
