# shellcheck shell=bash
# A server: a private copy of the programs, docstore built for it, and a cluster. A part of lib.sh.
# shellcheck disable=SC2154 # lib.sh has $work

# copy_server PG_CONFIG FOLDER: copies that server into FOLDER/pg and prints the copy's pg_config. A server's programs find their files
# relative to themselves, so the copy's pg_config reports the copy and "make install" writes there.
copy_server() {
	local config=$1 copy=$2/pg bin share dir prefix
	bin=$("$config" --bindir)
	share=$("$config" --sharedir)
	[ -x "$bin/postgres" ] || die "$bin has no server"
	prefix=$bin
	while [ "${share#"$prefix"/}" = "$share" ]; do prefix=${prefix%/*}; done
	for dir in "$bin" "$share" "$("$config" --pkglibdir)"; do
		mkdir -p "$copy${dir#"$prefix"}"
		cp -RL "$dir/." "$copy${dir#"$prefix"}"
	done
	dir=$("$config" --includedir-server)
	mkdir -p "$copy${dir#"$prefix"}"
	rmdir "$copy${dir#"$prefix"}"
	ln -s "$dir" "$copy${dir#"$prefix"}"
	config=$copy${bin#"$prefix"}/pg_config
	[ "$("$config" --sharedir)" = "$copy${share#"$prefix"}" ] || die "$bin cannot be copied: its pg_config reports fixed paths"
	echo "$config"
}

# private_tree FOLDER: from here on PG_CONFIG and PATH point to a copy of the server in FOLDER/pg.
private_tree() {
	PG_CONFIG=$(copy_server "$PG_CONFIG" "$1")
	export PG_CONFIG PATH="${PG_CONFIG%/*}:$PATH"
}

# build FOLDER ARGUMENT...: builds a fresh copy of the sources in that folder; the arguments are make's.
build() {
	cp -R "$work/src" "$1" &&
		make --silent --no-print-directory --keep-going -j2 -C "$1" PG_CONFIG="$PG_CONFIG" "${@:2}"
}

# build_into NAME ARGUMENT...: the same, and installs it into the private tree.
build_into() {
	[ "${PG_CONFIG#"$work"/}" != "$PG_CONFIG" ] || die "no private tree to install into"
	build "$@" &&
		make --silent --no-print-directory -C "$1" install PG_CONFIG="$PG_CONFIG" "${@:2}"
}

# start_server FOLDER [--tcp] [--fast]: a new cluster in FOLDER/data that everybody who reaches its socket, in FOLDER, may use as superuser.
# --tcp: it listens on a free loopback port as well, with a password. --fast: it does without what only a power cut would need.
# Sets the PG* variables so that every client reaches it.
start_server() {
	local folder=$1 option tcp='' fast=''
	for option in "${@:2}"; do
		case $option in --tcp) tcp=yes ;; --fast) fast=yes ;; esac
	done
	mkdir -p "$folder/log"
	PGPASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	export PGHOST=$folder PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PGPASSWORD
	initdb --pgdata="$folder/data" --username=postgres --encoding=UTF8 --no-locale --no-sync \
		--auth-local=trust --auth-host=scram-sha-256 --pwfile=<(echo "$PGPASSWORD") >"$folder/log/initdb" 2>&1 ||
		{ cat "$folder/log/initdb" >&2; return 1; }
	{
		echo "unix_socket_directories = '$folder'"
		echo "listen_addresses = '${tcp:+127.0.0.1}'"
		echo "log_line_prefix = '%m [%p] %q%d '"
		[ -z "$fast" ] || printf '%s\n' 'fsync = off' 'full_page_writes = off'
	} >>"$folder/data/postgresql.conf"
	for _ in 1 2 3 4 5; do
		# Somebody else may take the port in between: then another one.
		[ -z "$tcp" ] || PGPORT=$(perl -MIO::Socket::INET -e \
			'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')
		if pg_ctl start --pgdata="$folder/data" --wait --log="$folder/log/server" --options="-p $PGPORT" </dev/null >/dev/null 2>&1; then
			return 0
		fi
	done
	cat "$folder/log/server" >&2
	return 1
}
