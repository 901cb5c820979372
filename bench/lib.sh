# shellcheck shell=bash
# What the scripts in bench/ share: packages, the server that they measure, and the program that measures.

. "$(dirname -- "${BASH_SOURCE[0]}")/../dev/lib.sh"

# shellcheck disable=SC2034 # for those who source this file
bench_packages=(gcc make libc6-dev libpq-dev perl python3)

# The settings of both servers: what a power cut would need is off, and nothing happens beside the statements measured. All tables of a cell fit into the
# buffers, which take memory only as they fill: else most of the time goes into fetching pages, for all alike.
tune_server() {
	cat >>"$work/data/postgresql.conf" <<-END
		shared_buffers = 8GB
		bgwriter_lru_maxpages = 0
		synchronous_commit = off
		autovacuum = off
		checkpoint_timeout = 1d
		max_wal_size = 20GB
		wal_init_zero = off
	END
	quietly "restarting the server" pg_ctl restart --pgdata="$work/data" --wait --log="$work/log/server"
}

build_and_start() {
	private_tree "$work"
	quietly "building" build_into "$work/bench" with_llvm=no
	start_server "$work" --fast
	tune_server
}

conninfo() { echo "host=$1 port=5432 user=postgres dbname=postgres"; }

# compile PROGRAM [OPTION...]: before there is a private tree, since its copy of pg_config does not know where libpq is.
compile() {
	local program=$1 headers libraries
	shift
	headers=$("$PG_CONFIG" --includedir)
	libraries=$("$PG_CONFIG" --libdir)
	quietly "compiling" gcc -O2 -Wall -Wextra -D_GNU_SOURCE "$@" -isystem "$headers" -o "$work/$program" "$work/src/bench/$program.c" \
		-L"$libraries" -Wl,-rpath,"$libraries" -lpq
}
