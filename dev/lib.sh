# shellcheck shell=bash
# What the scripts in dev/ share: packages, a private copy of the server, a throw-away database server, and cleaning up after all of it.
#
# A script that sources this file
#   1. installs what is missing     (need_packages: the only step that needs root, or sudo)
#   2. goes on from a copy of itself (run_from_copy: the sources in a temporary directory, as an ordinary user)
#   3. copies the server, builds, starts a server there and works with it (private_tree, build, start_server)
# Nothing outside the temporary directory is written. Whichever way the script ends, its servers are stopped and the directory is removed.
#
# PG_CONFIG or PG_MAJOR choose the server; else it is the newest that is installed with its headers, else the distribution's own.

set -euo pipefail

# The caller's settings for psql, make and the language must not change what happens here.
for variable in "${!PG@}"; do
	case $variable in PG_CONFIG | PG_MAJOR) ;; *) unset "$variable" ;; esac
done
unset variable LANGUAGE MAKEFLAGS MAKELEVEL MFLAGS CDPATH
export LC_ALL=C PGCLIENTENCODING=UTF8

# The sources this script belongs to.
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
# The temporary directory, once there is one.
work=''

# Where what takes long to make is kept, and for how many days; nowhere when it is empty.
# shellcheck disable=SC2034 # for those who source this file
cache=${DOCSTORE_CACHE-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/docstore} cache_days=7

# --- What the user sees -------------------------------------------------------------------------------------------------------------

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' blue=$'\e[34m' magenta=$'\e[35m' cyan=$'\e[36m' plain=$'\e[0m'
else
	bold='' dim='' red='' green='' yellow='' blue='' magenta='' cyan='' plain=''
fi
# Not every script uses every colour.
: "$bold$dim$red$green$yellow$blue$magenta$cyan$plain"

# A line that the next line replaces; nothing at all when nobody watches.
progress() { if [ -t 1 ]; then printf '\r\e[K%s%s%s' "$dim" "$*" "$plain"; fi; }
progress_done() { if [ -t 1 ]; then printf '\r\e[K'; fi; }

die() {
	progress_done
	printf '%s%s:%s %s\n' "$red" "${0##*/}" "$plain" "$*" >&2
	exit 1
}

# quietly LABEL COMMAND...: shows LABEL while COMMAND runs, and what COMMAND said only when it fails.
quietly() {
	local label=$1 output
	shift
	progress "$label ..."
	output=$("$@" 2>&1 </dev/null) || {
		progress_done
		printf '%s\n' "$output" >&2
		die "$label: failed, see above"
	}
	progress_done
}

# --- How many tests there are -------------------------------------------------------------------------------------------------------

# compare_count STAGE SERVER COUNT: whether there are as many tests as test/counts says. Fewer is a failure, more or an unknown number a hint.
compare_count() {
	local known colour=$dim
	known=$(awk -v stage="$1" -v server="$2" '$1 == stage && $2 == server { print $3 }' "$root/test/counts")
	[ "$3" != "$known" ] || return 0
	[ "$3" -ge "${known:-0}" ] || colour=$red
	printf '%s%-12s %6d tests, test/counts says %s for %s%s\n' "$colour" "" "$3" "${known:-nothing}" "$2" "$plain"
	[ "$3" -ge "${known:-0}" ]
}

# --- Packages -----------------------------------------------------------------------------------------------------------------------

# as_root COMMAND...: through sudo where we are not root. sudo may ask for a password only where somebody can answer.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

# Two runs side by side take turns.
apt() { as_root flock /var/lib/apt/lists env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@"; }

# Dies unless packages can be installed; $1 says what for.
need_apt() {
	command -v apt-get >/dev/null || die "$1, and there is no apt-get here: please install it, then run this again"
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
		die "$1: please install it, or run this as root or where sudo is available"
}

# need_packages PACKAGE...: installs those that are missing, and touches nothing when none is.
need_packages() {
	local package missing=()
	for package; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	need_apt "missing: ${missing[*]}"
	echo "Installing ${missing[*]}"
	quietly "apt-get update" apt update
	quietly "apt-get install" install_without_services "${missing[@]}"
}

# Debian's server package makes a cluster of its own and starts it, others start their service, now and with the machine. Nobody asked for
# that here: only the programs are wanted. All in one step, so that two runs side by side take turns.
install_without_services() {
	# shellcheck disable=SC2016 # the shell in there expands it
	as_root flock /var/lib/apt/lists env DEBIAN_FRONTEND=noninteractive bash -euc '
		cluster=/etc/postgresql-common/createcluster.d policy=/usr/sbin/policy-rc.d
		trap "rm -f \"$cluster/docstore.conf\" \${own_policy:+\"$policy\"}; rmdir --ignore-fail-on-non-empty \"$cluster\"" EXIT
		mkdir -p "$cluster"
		echo "create_main_cluster = false" >"$cluster/docstore.conf"
		if [ ! -e "$policy" ]; then
			own_policy=yes
			printf "#!/bin/sh\nexit 101\n" >"$policy"
			chmod 755 "$policy"
		fi
		apt-get -qq -o DPkg::Lock::Timeout=600 install --no-install-recommends -y "$@"
		dpkg -L "$@" | sed -n "s|.*/lib/systemd/system/\([^/@]*\.service\)$|\1|p" | while read -r service; do
			DPKG_MAINTSCRIPT_PACKAGE=docstore deb-systemd-helper disable "$service"
			[ ! -e "/etc/init.d/${service%.service}" ] || update-rc.d "${service%.service}" disable
		done' install_without_services "$@"
}

# Sets pg_major, server_packages (what has to be installed for it) and PG_CONFIG.
find_server() {
	local config
	if [ -n "${PG_CONFIG:-}" ]; then
		command -v "$PG_CONFIG" >/dev/null || die "PG_CONFIG is no program that is there: $PG_CONFIG"
		pg_major=$("$PG_CONFIG" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
	elif [ -n "${PG_MAJOR:-}" ]; then
		pg_major=$PG_MAJOR
	else
		pg_major=$(for config in /usr/lib/postgresql/*/lib/pgxs/src/makefiles/pgxs.mk; do
			config=${config%/lib/pgxs/*}
			[ ! -x "$config/bin/postgres" ] || echo "${config##*/}"
		done | sort -n | tail -n 1)
	fi
	if [ -z "$pg_major" ]; then
		need_apt "no PostgreSQL server with headers found"
		quietly "apt-get update" apt update
		pg_major=$(apt-cache depends postgresql | sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p')
		[ -n "$pg_major" ] || die "the package archive has no PostgreSQL: set PG_CONFIG to the pg_config of a server"
	fi
	# shellcheck disable=SC2034 # for those who source this file
	server_packages=()
	# shellcheck disable=SC2034
	case ${PG_CONFIG:-} in
	'' | /usr/lib/postgresql/*) server_packages=("postgresql-$pg_major" "postgresql-server-dev-$pg_major") ;;
	esac
	export PG_CONFIG="${PG_CONFIG:-/usr/lib/postgresql/$pg_major/bin/pg_config}"
}

# --- The temporary directory --------------------------------------------------------------------------------------------------------

# True in the copy that run_from_copy started: a mark of this very process, since it went there by exec.
in_copy() { [ "${DOCSTORE_COPY:-}" = "$$" ]; }

# run_from_copy SCRIPT ARGUMENT...: never returns; SCRIPT (a path in the sources) goes on from a copy of the sources.
# The copy is what makes a checkout under /root work: the server refuses to run as root, so all the rest runs as its user, postgres.
run_from_copy() {
	local script=$1 parent=${TMPDIR:-/tmp} become=()
	shift
	on_exit_clean_up
	# A socket's path is at most 107 bytes long, and root's TMPDIR may be closed to others.
	if [ "$(id -u)" = 0 ] || [ "${#parent}" -gt 50 ]; then parent=/tmp; fi
	work=$(mktemp -d "$parent/docstore.XXXXXX")
	work=$(cd -- "$work" && pwd -P)
	mkdir "$work/src" "$work/log"
	source_files | tar -C "$root" --null --no-recursion -cf - -T - | tar -C "$work/src" --no-same-owner -xf -
	fill_copy
	if [ "$(id -u)" = 0 ]; then
		id postgres >/dev/null 2>&1 || die "a server cannot run as root, and there is no user postgres: run this as an ordinary user"
		chown -R postgres: "$work"
		become=(setpriv --reuid=postgres --regid=postgres --init-groups --)
	fi
	cd "$work"
	DOCSTORE_COPY=$$ HOME=$work TMPDIR=$work exec "${become[@]}" "$work/src/$script" "$@"
}

# What else the copy is to have in $work, made by the caller: a script that needs something says it anew.
fill_copy() { :; }

# The files of the sources, NUL-separated: with git all but the ignored ones, without it all but what a build leaves.
source_files() {
	local file
	if [ "$(git -C "$root" -c safe.directory='*' rev-parse --show-toplevel 2>/dev/null)" = "$root" ]; then
		git -C "$root" -c safe.directory='*' ls-files -coz --exclude-standard
	else
		(cd "$root" && find . -type d \( -name .git -o -name results -o -name tmp_check \) -prune -o \
			-type f ! -name '*.o' ! -name '*.so' ! -name '*.bc' ! -name 'regression.*' -print0)
	fi | while IFS= read -r -d '' file; do
		# git also lists files that have just been removed.
		[ ! -e "$root/$file" ] || printf '%s\0' "$file"
	done
}

# First thing in the copy: takes over the temporary directory, and with it the duty to remove it.
settle_in_copy() {
	work=${root%/src}
	on_exit_clean_up
}

on_exit_clean_up() {
	trap clean_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# processes_in FOLDER: those whose program is in there. With the private tree in it, nobody but the owner of the folder started them.
processes_in() { { find /proc -mindepth 2 -maxdepth 2 -name exe -lname "$1/*" 2>/dev/null || true; } | cut -d / -f 3; }

# Ends every process of the private tree, servers that tests have started included, and waits until they are gone.
stop_servers() {
	local pid_file pid waited=0
	signal_processes TERM
	while read -r pid_file; do
		read -r pid 2>/dev/null <"$pid_file" || continue
		if processes_in "$work" | grep -x "$pid" >/dev/null; then kill -INT "$pid" 2>/dev/null || true; fi
	done < <(find "$work" -name postmaster.pid 2>/dev/null)
	while [ -n "$(processes_in "$work")" ]; do
		[ $((waited += 1)) -lt 100 ] || signal_processes KILL
		sleep 0.1
	done
}

signal_processes() {
	local pid
	for pid in $(processes_in "$work"); do kill "-$1" "$pid" 2>/dev/null || true; done
}

# Set to keep the temporary directory, and what runs in it.
keep_work=''

clean_up() {
	local status=$?
	trap '' HUP INT TERM
	trap - EXIT
	set +e
	progress_done
	end_jobs 2>/dev/null
	if [ -n "$work" ] && [ -z "$keep_work" ]; then
		cd /
		stop_servers
		rm -rf -- "$work"
	fi
	exit "$status"
}

# --- In the background --------------------------------------------------------------------------------------------------------------

# What the script runs in the background: the leaders of process groups, and what they are called.
declare -A jobs=()

# start_job NAME COMMAND...: runs it in a process group of its own.
start_job() {
	set -m
	"${@:2}" &
	jobs[$!]=$1
	set +m
}

# wait_for_job: waits until one of them has ended, sets job to its name and returns its status. A signal to us is answered at once.
wait_for_job() {
	local pid status=0
	wait -n -p pid "${!jobs[@]}" || status=$?
	# shellcheck disable=SC2034 # for those who source this file
	job=${jobs[$pid]}
	unset "jobs[$pid]"
	return "$status"
}

# in_background COMMAND...: runs it so, and waits for it. No other job may be running.
in_background() {
	start_job "$1" "$@"
	wait_for_job
}

# run_jobs COUNT COMMAND REPORT NAME...: runs COMMAND NAME for each name, COUNT of them side by side, beginning in this order. When one has
# ended, REPORT NAME STATUS SECONDS says what came of it.
run_jobs() {
	local count=$1 command=$2 report=$3 status
	local -A began=()
	shift 3
	while [ $# != 0 ] || [ ${#jobs[@]} != 0 ]; do
		while [ $# != 0 ] && [ ${#jobs[@]} -lt "$count" ]; do
			began[$1]=$SECONDS
			start_job "$1" "$command" "$1"
			shift
		done
		progress "${jobs[*]} ..."
		status=0
		wait_for_job || status=$?
		progress_done
		"$report" "$job" "$status" $((SECONDS - began[$job]))
	done
}

# Ends all of them.
end_jobs() {
	local pid
	for pid in "${!jobs[@]}"; do kill -TERM -- "-$pid"; done
	for pid in "${!jobs[@]}"; do wait "$pid"; done
}

# --- A server -----------------------------------------------------------------------------------------------------------------------

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
