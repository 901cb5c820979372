# shellcheck shell=bash
# How the stages of dev/test run their tests, and count them. A stage is a function stage_NAME. It runs in a process of its own, beside others,
# and has a folder of its own, $home: what it says goes to $home/output, and its server, if it has one, is in there, too. It says how many
# tests passed and failed through report, as often as it likes. One that reports nothing, or ends with an error, has failed.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# The folder of the stage that this process runs.
home=''

# A file that has not ended after so many seconds is stuck, and so is a statement.
file_limit=$((900 + ${FUZZ_SECONDS:-0}))
statement_limit=300

report() { echo "$1 $2" >>"$home/counts"; }

# check TEXT COMMAND...: one test.
check() {
	local text=$1
	shift
	if "$@"; then
		echo "ok - $text" && report 1 0
	else
		echo "not ok - $text" && report 0 1
	fi
}

not() { ! "$@"; }

# run_pg_regress FILES MAKE-ARGUMENT...: runs those tests of the Makefile, in $home/tree; there must be as many as FILES.
# (pg_regress of 15 and older ends a line with "ok", that of 16 and newer begins it so.)
run_pg_regress() {
	local files=$1 log=$home/pg_regress status=0 passed failed
	[ -d "$home/tree" ] || cp -R "$work/src" "$home/tree"
	PGOPTIONS="${PGOPTIONS:-} -c statement_timeout=${statement_limit}s" \
		make -C "$home/tree" installcheck PG_CONFIG="$PG_CONFIG" "${@:2}" >"$log" 2>&1 || status=$?
	cat "$log"
	passed=$(grep -cE '^(test | {5}).* \.\.\. ok |^ok [0-9]' "$log") || true
	failed=$(grep -cE '^(test | {5}).* \.\.\. FAILED|^not ok ' "$log") || true
	report "$passed" "$failed"
	# The next pg_regress would remove them.
	[ "$failed" = 0 ] || cat "$home/tree/regression.diffs" >>"$home/diffs"
	[ "$status" = 0 ] || [ "$failed" != 0 ] || check "make installcheck ended with status $status" false
	[ "$files" != 0 ] || check "there are test files" false
	[ "$files" = $((passed + failed)) ] || check "all $files test files are run" false
}

# run_tap COMMAND... -- FILE...: runs each FILE with COMMAND (prove or pg_prove, which look after plans and exit codes) and counts its tests.
# One that plans none must say why.
run_tap() {
	local command=() file log status passed failed
	while [ "$1" != -- ]; do
		command+=("$1")
		shift
	done
	shift
	for file; do
		log=$home/${file##*/}.tap status=0
		in_database "$file" timeout --foreground --kill-after=10 "$file_limit" "${command[@]}" "$file" >"$log" 2>&1 || status=$?
		cat "$log"
		passed=$(grep -cE '^ok [0-9]|^not ok\b.*# TODO' "$log") || true
		failed=$(grep -E '^not ok\b' "$log" | grep -cv '# TODO') || true
		report "$passed" "$failed"
		[ "$status" != 124 ] || check "$file has ended within $file_limit s" false
		[ "$status" = 0 ] || [ "$failed" != 0 ] || check "$file ended with status $status" false
		[ "$passed$failed" != 00 ] || grep -qE '^1\.\.0 # SKIP .|\.\. skipped: .' "$log" || check "$file tests something" false
	done
}

# in_database FILE COMMAND...: with an empty database, named after the file, where the stage has a server.
in_database() {
	local name status=0
	if [ -z "${PGHOST:-}" ]; then
		"${@:2}"
		return
	fi
	name=$(basename "$1" | tr -c 'a-z0-9\n' _)
	psql -Xqc "CREATE DATABASE \"$name\"" postgres
	PGDATABASE=$name "${@:2}" || status=$?
	psql -Xqc "DROP DATABASE \"$name\" WITH (FORCE)" postgres
	return "$status"
}

# files FOLDER FIND-TEST...: the files of a folder of tests, in order.
files() { find "$work/src/test/$1" -maxdepth 1 -type f "${@:2}" | sort; }
count() { files "$@" | wc -l; }
executables() { files "$1" -perm -u+x "${@:2}"; }
