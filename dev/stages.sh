# shellcheck shell=bash
# The stages of dev/test, and the servers that some of them have beside the usual one. See dev/checks.sh for what they are made of.

. "$(dirname -- "${BASH_SOURCE[0]}")/checks.sh"

# What dev/test has found: the server as it is installed, and that of an older one to upgrade from, or nothing.
installed_pg_config='' old_pg_config=''

# Every warning is an error, in our code: the server's headers are the system's, and its flags were made for gcc.
stage_build() {
	local strict
	strict="-Wall -Wextra -Werror -isystem $("$PG_CONFIG" --includedir-server)"
	check "clang" build_into "$home/clang" CC=clang with_llvm=no \
		COPT="$strict -Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-unused-command-line-argument"
	check "gcc" build_into "$home/gcc" CC=gcc with_llvm=no COPT="$strict"
	[ -z "$old_pg_config" ] || PG_CONFIG=$old_pg_config check "for the older server" build_into "$home/old" CC=gcc with_llvm=no
}

# Every test is one that a stage runs, and asserts something: its expected output shows a result. What is expected belongs to a test. The
# sources stand as CONTRIBUTING.md says.
stage_form() {
	local file name list
	cd "$work/src" || return
	while read -r file; do
		name=$(basename "$file" | sed 's/\.[a-z]*$//')
		case $file in
		test/sql/*.sql | test/specs/*.spec) check "$file expects something" [ -f "expected/$name.out" ] ;;
		test/pgtap/*.sql) check "$file has a plan" grep -qE '\b(plan|no_plan)\(' "$file" ;;
		test/t/*.pl) check "$file counts its tests" grep -qE '^(done_testing|plan)\b' "$file" ;;
		expected/*.out)
			[ "$name" = "${name%_[0-9]}" ] || check "$file says the same in the words of PostgreSQL 19" is_reworded "$file" "expected/${name%_[0-9]}.out"
			name=${name%_[0-9]}
			check "$file belongs to a test" [ "$(find "test/sql/$name.sql" "test/specs/$name.spec" 2>/dev/null | wc -l)" = 1 ]
			check "$file has results" grep -qE '^\([0-9]+ rows?\)$|(ERROR|INFO|NOTICE|WARNING): ' "$file"
			;;
		test/sql/* | test/specs/* | test/pgtap/* | test/t/* | expected/*) check "$file is run" false ;;
		*.* | */Makefile | test/counts | test/packages | test/clients/*) ;;
		*) check "$file can be executed" [ -x "$file" ] ;;
		esac
	done < <(find test expected -type f | sort)
	while read -r file; do
		check "$file starts as a program, and can be executed" is_program "$file"
	done < <(find .ci bench dev test -type f \( -perm -u+x -o -exec grep -qI '^#!' {} \; \) -print | sort)
	mapfile -t list < <(executables form)
	run_tap prove --verbose --exec '' -- "${list[@]}"
}

# Of a row that is gone by the time it is locked PostgreSQL 19 says at REPEATABLE READ and above that it was deleted, older ones say updated.
is_reworded() { diff <(as_before_19 "$1") <(as_before_19 "$2"); }
as_before_19() { sed 's/due to concurrent delete$/due to concurrent update/' "$1"; }

is_program() { [ -x "$1" ] && [ "$(head -c 2 "$1")" = '#!' ]; }

stage_regress() { run_pg_regress "$(count sql -name '*.sql')" ISOLATION= with_llvm=no; }
stage_isolation() { run_pg_regress "$(count specs -name '*.spec')" REGRESS= with_llvm=no; }

stage_pgtap() {
	local list
	mapfile -t list < <(files pgtap -name '*.sql')
	run_tap pg_prove --verbose -- "${list[@]}"
}

# Tests that start servers of their own, as PostgreSQL's TAP tests do.
stage_tap() {
	local list
	mapfile -t list < <(files t -name '*.pl')
	cd "$home" || return
	# Their servers and logs; TESTDIR is what PostgreSQL 15 goes by.
	export TESTDIR=$home TESTDATADIR=$home/tmp_check TESTLOGDIR=$home/log PG_REGRESS
	PG_REGRESS=$(dirname "$("$PG_CONFIG" --pgxs)")/../test/regress/pg_regress
	[ -z "$old_pg_config" ] || export oldinstall=${old_pg_config%/bin/pg_config}
	# A statement without an end fails by itself, at its place.
	echo "statement_timeout = '${statement_limit}s'" >"$home/tap.conf"
	export TEMP_CONFIG=$home/tap.conf
	run_tap prove --verbose --merge -I "$(dirname "$("$PG_CONFIG" --pgxs)")/../test/perl" -- "${list[@]}"
}

# Those that FIND-TEST... finds, or all.
stage_stress() {
	local list
	mapfile -t list < <(executables stress "$@")
	run_tap prove --verbose --exec '' -- "${list[@]}"
}

# Everything that may go without the executor, with it.
stage_sql() {
	export PGOPTIONS="-c docstore.engine=sql"
	check "the setting arrives" [ "$(psql -XAtc 'SHOW docstore.engine')" = sql ]
	stage_regress
	stage_isolation
	stage_pgtap
	# What takes long there has nothing to do with an engine: parse() and merge3() write nothing, and marks are compared with what was appended.
	stage_stress ! -name parse ! -name merges ! -name marks
}

# Documents one by one, as it is where a table is distributed.
stage_rows() {
	export PGOPTIONS="-c docstore.engine=rows"
	check "the setting arrives" [ "$(psql -XAtc 'SHOW docstore.engine')" = rows ]
	stage_regress
	stage_isolation
}

stage_readme() {
	local list
	mapfile -t list < <(executables readme)
	run_tap prove --verbose --exec '' -- "${list[@]}"
}

# The HTTP example, in a copy of the sources where its packages are installed: by npm where there is one, or else Debian's.
stage_http() {
	local example=$home/tree/examples/http list
	cp -R "$work/src" "$home/tree" || return
	if command -v npm >/dev/null; then
		check "npm installs what it needs" npm ci --prefix "$example" --omit=dev --ignore-scripts --no-audit --no-fund
	else
		check "Debian has what it needs" ln -s /usr/share/nodejs "$example/node_modules"
	fi
	mapfile -t list < <(find "$home/tree/test/http" -type f -perm -u+x | sort)
	run_tap prove --verbose --exec '' -- "${list[@]}"
	check "it leaves no process behind" not grep -qs "$example/[s]erver.mjs" /proc/[0-9]*/cmdline
}

# The documentation as a site: it is made, and its links lead somewhere; and as it looks in a browser.
stage_site() {
	local list
	check "the site is made" "$work/src/dev/docs" "$home/site"
	export SITE=$home/site
	mapfile -t list < <(executables site)
	run_tap prove --verbose --exec '' -- "${list[@]}"
}

# The demo in a directory for temporary files of its own, where it must leave nothing.
stage_demo() {
	local output=$home/demo
	mkdir "$work/demo"
	export TMPDIR=$work/demo PG_CONFIG=$installed_pg_config
	check "the demo ends well" run_demo "$output"
	check "no update was lost" grep -q '^no update was lost' "$output"
	check "the second transfer is refused for both scopes" grep -q '^ *DETAIL: .*"total": 2,.*"source": "ann".*"source": "ben"' "$output"
	check "one lamp was sold" grep -q '^one lamp was there, and one was sold' "$output"
	check "both changes are there" grep -q '^both changes are there' "$output"
	check "its last words: what was deleted is back" grep -q '^it is back, as it was' <(tail -n 1 "$output")
	check "it writes no colours to a file" not grep -q $'\e' "$output"
	check "it leaves nothing behind" nothing_left
	check "the demo with --keep ends well" run_demo "$output" --keep
	check "it leaves a server to connect to" psql -X -h "$work"/demo/docstore.* -U postgres -c 'SELECT count(*) FROM places'
	check "which is stopped as it says" "$work"/demo/docstore.*/stop
	check "and then leaves nothing behind either" nothing_left
}

run_demo() {
	local status=0
	"$work/src/dev/demo" "${@:2}" >"$1" 2>&1 || status=$?
	cat "$1"
	return "$status"
}
nothing_left() { [ -z "$(ls -A "$work/demo")" ] && [ -z "$(processes_in "$work/demo")" ]; }

# What clang's static analyser says of the code is an error, too.
stage_analyse() {
	local file
	cd "$work/src" || return
	for file in src/*.c src/*/*.c; do
		check "$file" clang --analyze -Xanalyzer -analyzer-werror -Xanalyzer -analyzer-output=text -D_GNU_SOURCE \
			-Isrc -isystem "$("$PG_CONFIG" --includedir-server)" -o /dev/null "$file"
	done
}

stage_sanitize() {
	start_sanitized
	run_pg_regress "$(count sql -name '*.sql')" ISOLATION= with_llvm=no
	stop_sanitized
}

# Where the sanitizers see each byte that is read.
stage_fuzz() {
	local list
	mapfile -t list < <(executables fuzz)
	start_sanitized
	run_tap prove --verbose --exec '' -- "${list[@]}"
	stop_sanitized
}

# Storms find what nobody has thought of, so they go where most is noticed.
stage_storm() {
	local list
	mapfile -t list < <(executables storm)
	start_sanitized
	run_tap prove --verbose --exec '' -- "${list[@]}"
	stop_sanitized
}

# A server whose docstore is watched by the sanitizers. They must be in the server from its beginning, and end it at the first thing they find.
# The translation of messages hangs with them, so it is left out, and initdb, which hangs even so, goes without them.
start_sanitized() {
	local flags='-fsanitize=address,undefined' preload library
	private_tree "$home"
	check "the build" build_into "$home/tree" CC=gcc with_llvm=no SHLIB_LINK="$flags" \
		COPT="-O1 -g -fno-omit-frame-pointer -fno-wrapv $flags -fno-sanitize-recover=undefined"
	gcc -shared -fPIC -o "$home/no_translation.so" -x c - <<-'END'
		char *bindtextdomain(const char *domain, const char *directory) { return (char *) directory; }
		char *bind_textdomain_codeset(const char *domain, const char *codeset) { return (char *) codeset; }
	END
	preload=$home/no_translation.so
	for library in ubsan asan; do preload=$(gcc -print-file-name="lib$library.so"):$preload; done
	start_server "$home" --fast
	pg_ctl stop --pgdata="$home/data" --mode=fast --wait >/dev/null
	LD_PRELOAD=$preload ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 \
		pg_ctl start --pgdata="$home/data" --wait --log="$home/log/server" --options="-p $PGPORT" </dev/null >/dev/null
	check "the server has the sanitizers" grep -q libasan "/proc/$(head -n 1 "$home/data/postmaster.pid")/maps"
}

stop_sanitized() {
	pg_ctl stop --pgdata="$home/data" --mode=fast --wait >/dev/null
	check "the sanitizers have found nothing" not grep -E -A 20 'AddressSanitizer|runtime error: ' "$home/log/server"
	check "the server did not crash" not grep -E 'was terminated by signal|PANIC: ' "$home/log/server"
}

stage_assertions() {
	start_asserting
	run_pg_regress "$(count sql -name '*.sql')" ISOLATION= with_llvm=no
	run_pg_regress "$(count specs -name '*.spec')" REGRESS= with_llvm=no
	# Memory is counted otherwise there, and a million calls are slow.
	stage_stress ! -name memory
	stop_asserting
}

# Every verb, in files that take seconds when no cache lasts.
stage_caches() {
	without_caches document_upsert document_load document_delete document_get_put batch_try_save batch_save stream_create stream_close stream_properties stream_erase guard_triggers
}

# All but those that call the same thing so often that they would take hours.
stage_all-caches() {
	local list
	mapfile -t list < <(files sql -name '*.sql' | sed 's|.*/||; s/\.sql$//' | grep -vxE 'batch_any_input|conflict_deferred|stream_large_events|api_limits|json_merge_patch|batch_oracle|scope_oracle')
	without_caches "${list[@]}"
}

without_caches() {
	start_asserting
	export PGOPTIONS='-c debug_discard_caches=1'
	check "the setting arrives" [ "$(psql -XAtc 'SHOW debug_discard_caches')" = 1 ]
	run_pg_regress "$#" REGRESS="$*" ISOLATION= with_llvm=no
	stop_asserting
}

# A server with assertions, in a copy of its own, and docstore built for it.
start_asserting() {
	cp -R "$work/pg-assertions" "$home/pg"
	export PG_CONFIG=$home/pg/bin/pg_config PATH="$home/pg/bin:$PATH" LD_LIBRARY_PATH=$home/pg/lib
	check "the build" build_into "$home/tree" CC=gcc with_llvm=no COPT="-Wall -Wextra -Werror -isystem $("$PG_CONFIG" --includedir-server)"
	start_server "$home" --fast
	check "the server has assertions" [ "$(psql -XAtc 'SHOW debug_assertions')" = on ]
}

stop_asserting() {
	pg_ctl stop --pgdata="$home/data" --mode=fast --wait >/dev/null
	check "no assertion has failed" not grep -E 'TRAP: |was terminated by signal|PANIC: ' "$home/log/server"
}

stage_shellcheck() {
	local script
	cd "$work/src" || return
	while read -r script; do
		check "$script" shellcheck --external-sources --source-path=SCRIPTDIR "$script"
	done < <(find . -type f \( -name '*.sh' -o -exec grep -qIE '^#!.*\b(ba)?sh\b' {} \; \) -print | sort)
}

# The commands of the README's installation chapter, and no test that needs more than the server.
stage_installcheck() {
	private_tree "$home"
	check "make" build "$home/tree"
	check "make install" make -C "$home/tree" install
	start_server "$home" --fast
	run_pg_regress $(($(count sql -name '*.sql') + $(count specs -name '*.spec'))) PROVE=false
}

