# shellcheck shell=bash disable=SC2154 # root, work and the colours are lib.sh's
# Scene 3 of dev/demo: real documents, loaded in batches, then changed by two sessions at the same time. At the end the
# documents are compared with what the sessions were told.

rounds=200

# session NAME: one of the two. Changes 100 documents picked at random, as often as $rounds says. What is refused is loaded and
# changed again until it is saved. Every answer is noted before the next question is asked.
session() {
	local round answer
	connect "$1"
	ask "$1" <<<'\set VERBOSITY sqlstate'
	for ((round = 1; round <= rounds; round++)); do
		ask "$1" <<<"SELECT array_agg(id) AS ids FROM (SELECT id FROM places ORDER BY random() LIMIT 100) AS lot \\gset"
		answer='refused PT409'
		while [ "$answer" = 'refused PT409' ]; do
			answer=$(ask "$1" <<<"\\i '$root/demo/change.sql'" | tail -n 1)
			printf '%s\n' "$answer" >>"$work/answers"
		done
		# Any other error ends it.
		[ "${answer% *}" = saved ] || die "$1: $answer"
	done
}

# Both at once; meanwhile, how far they are.
both_sessions() {
	local carl dora
	: >"$work/answers"
	session carl &
	carl=$!
	session dora &
	dora=$!
	while [ -n "$(jobs -pr)" ]; do
		progress "saved $(count_answers '^saved') of $((2 * rounds)) batches, refused $(count_answers '^refused') ..."
		sleep 0.2
	done
	progress_done
	wait "$carl"
	wait "$dora"
}

count_answers() { grep -c "$1" "$work/answers" || true; }

# What the database says, without the frame around it.
value() { psql -XAtqc "$1"; }

# --- The scene --------------------------------------------------------------------------------------------------------

heading "3. Real documents, and two sessions at the same time"

say "The world's countries and their subdivisions, from Debian's package iso-codes, in batches of 500.
The files are JSON as text. docstore.parse reads it several times faster than the cast to jsonb does, and safely: what it returns
is byte for byte what the server's own parser makes of it, or that parser's own error."
as ann <<'SQL'
SELECT docstore.create_collection('places');
SQL
as ann <<'SQL'
\set countries `cat /usr/share/iso-codes/json/iso_3166-1.json`
\set subdivisions `cat /usr/share/iso-codes/json/iso_3166-2.json`
CREATE TABLE source AS
SELECT (n - 1) / 500 AS batch, coalesce(data ->> 'code', data ->> 'alpha_2') AS id, data
FROM jsonb_path_query(jsonb_build_array(docstore.parse(:'countries'), docstore.parse(:'subdivisions')), '$[*].*[*]')
     WITH ORDINALITY AS place (data, n);
SQL
save_batch=$(
	cat <<'SQL'
SELECT count(*) AS saved
FROM docstore.save((
    SELECT jsonb_agg(jsonb_build_object('op', 'upsert', 'collection', 'places', 'id', id, 'data', data))
    FROM source WHERE batch = :batch));
SQL
)
show_statement ann "$save_batch"
last_batch=$(value "SELECT max(batch) FROM source")
for ((batch = 0; batch <= last_batch; batch++)); do
	printf '  batch %2d: %3d saved\n' "$batch" "$(value "${save_batch/:batch/$batch}")"
done
echo
as ann <<'SQL'
SELECT id, version, data FROM docstore.load_many('places', '{MX, MX-OAX}');
SQL

say "Two sessions, Carl's and Dora's, now change these documents at the same time. Each picks 100 of them at random, $rounds times,
and runs this until it is saved:"
grep -v '^--' "$root/demo/change.sql" | sed 's/^./  &/'
echo
before=$(value "SELECT sum(version) FROM places")
both_sessions

acknowledged=$(awk '/^saved/ { sum += $2 } END { print sum + 0 }' "$work/answers")
versions=$(($(value "SELECT sum(version) FROM places") - before))
edits=$(value "SELECT sum((data ->> 'edits')::int) FROM places")

printf '  %-48s %6d\n' \
	"batches saved" "$(count_answers '^saved')" \
	"batches refused, loaded again and retried" "$(count_answers '^refused')" \
	"writes acknowledged to Carl and Dora" "$acknowledged" \
	"growth of the versions" "$versions" \
	"edits counted in the documents" "$edits"
echo
if [ "$versions" = "$acknowledged" ] && [ "$edits" = "$acknowledged" ]; then
	echo "${green}no update was lost: each of the $acknowledged acknowledged writes is there$plain"
else
	die "updates were lost"
fi
