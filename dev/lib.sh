# shellcheck shell=bash
# What the scripts in dev/ share: what the user sees, a temporary directory with a copy of the sources, and cleaning up after all of it; in files
# of their own packages, jobs in the background, and a server.
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

. "$(dirname -- "${BASH_SOURCE[0]}")/packages.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/jobs.sh"
. "$(dirname -- "${BASH_SOURCE[0]}")/server.sh"

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

# quietly LABEL COMMAND...: shows LABEL while COMMAND runs, as a line of its own where that is no terminal, and what COMMAND said only when it fails.
quietly() {
	local label=$1 output
	shift
	if [ -t 1 ]; then progress "$label ..."; else echo "$label ..."; fi
	output=$("$@" 2>&1 </dev/null) || {
		progress_done
		printf '%s\n' "$output" >&2
		die "$label: failed, see above"
	}
	progress_done
}

# --- How many tests there are -------------------------------------------------------------------------------------------------------

all_passed=0 all_failed=0

# add_count NAME PASSED FAILED SECONDS: adds them to the sums, and shows them.
add_count() {
	local colour=$green
	all_passed=$((all_passed + $2)) all_failed=$((all_failed + $3))
	[ "$3" = 0 ] || colour=$red
	printf '%s%-14s%s %6d passed %6d failed %6d s\n' "$colour" "$1" "$plain" "$2" "$3" "$4"
}

# compare_count STAGE SERVER COUNT: whether there are as many tests as test/counts says. Fewer is a failure, more or an unknown number a hint.
compare_count() {
	local known colour=$dim
	known=$(awk -v stage="$1" -v server="$2" '$1 == stage && $2 == server { print $3 }' "$root/test/counts")
	[ "$3" != "$known" ] || return 0
	[ "$3" -ge "${known:-0}" ] || colour=$red
	printf '%s%-14s %6d tests, test/counts says %s for %s%s\n' "$colour" "" "$3" "${known:-nothing}" "$2" "$plain"
	[ "$3" -ge "${known:-0}" ]
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
		(cd "$root" && find . -type d \( -name .git -o -path ./results -o -name tmp_check \) -prune -o \
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
