# shellcheck shell=bash disable=SC2154 # work and the colours are lib.sh's
# Scene 5 of dev/demo: one item is left, and two sessions buy it at the same moment. At the end the sales are counted.

# The order of a buyer, who has seen what $mark shows of the lamp.
order() {
	cat <<SQL
SELECT * FROM docstore.append('ledger', 'order of $1', '[{"type": "Sold", "stream_id": "lamp"}]',
                              scopes => '{"stream_id": "lamp", "seen": "$mark"}');
SQL
}

heading "5. One lamp is left, and two want it"

say "Each order is a stream of its own. What the orders share is the lamp: all events about it carry its name as their stream_id."
as ann <<'SQL'
SELECT version FROM docstore.append('ledger', 'warehouse', '[{"type": "Delivered", "stream_id": "lamp", "data": {"count": 1}}]');
SQL
left=$(
	cat <<'SQL'
SELECT sum(CASE type WHEN 'Delivered' THEN (data ->> 'count')::int ELSE -1 END) AS lamps_left, docstore.mark('ledger') AS mark
FROM ledger WHERE stream_id = 'lamp';
SQL
)
say "Ann and Ben both look, and take a mark: what each of them sees of the log."
mark=$(value "SELECT docstore.mark('ledger')")
as ann <<<"$left"
as ben <<<"$left"

say "Both order it at the same moment, by what they have seen of the lamp."
show_statement ann "$(order ann)"
show_statement ben "$(order ben)"
order ann | ask ann >"$work/ann.answer" &
ann=$!
order ben | ask ben >"$work/ben.answer" &
ben=$!
wait "$ann"
wait "$ben"
for buyer in ann ben; do
	printf '\n  %s is told:\n' "$buyer"
	show_answer <"$work/$buyer.answer"
done

sold=$(value "SELECT count(*) FROM ledger WHERE type = 'Sold'")
refused=$(cat "$work/ann.answer" "$work/ben.answer" | grep -c '^ERROR:  version conflict' || true)
if [ "$sold" = 1 ] && [ "$refused" = 1 ]; then
	echo "${green}one lamp was there, and one was sold$plain"
else
	die "$sold lamps were sold, and $refused orders refused"
fi
