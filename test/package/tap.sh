# shellcheck shell=bash
# What the tests of the packages share. dev/test-package runs them, in order, as root, in a Debian that is thrown away afterwards: each builds
# on what those before it have left there.
set -euo pipefail

sources=/root/docstore
# Where the packages are built, and who builds them.
builder=builder
place=/home/$builder/build
# The majors of PostgreSQL that are installed, oldest first.
mapfile -t majors < <(PG_SUPPORTED_VERSIONS=installed /usr/share/postgresql-common/supported-versions)
newest=${majors[-1]}
version=$(sed -n "s/^default_version = '\(.*\)'$/\1/p" "$sources/docstore.control")
# Not every test uses every one.
: "$place$newest$version"

cd /
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

count=0 output=$(mktemp)
trap 'rm -f "$output"' EXIT

# check TEXT COMMAND...: one test. What the command says is shown when it fails.
check() {
	local text=$1 status=0
	shift
	count=$((count + 1))
	"$@" >"$output" 2>&1 || status=$?
	if [ "$status" = 0 ]; then
		echo "ok $count - $text"
	else
		echo "not ok $count - $text"
		tail -n 60 "$output" | sed "s/^/# /"
		echo "# status $status of: $*"
	fi
	passed=$((status == 0))
}

# need TEXT COMMAND...: a test without which the others make no sense.
need() {
	check "$@"
	[ "$passed" = 1 ] || exit 1
}

not() { ! "$@"; }
# same WANTED FOUND
same() { diff <(echo "$1") <(echo "$2"); }
done_testing() { echo "1..$count"; }

# as_builder COMMAND...: as an ordinary user.
as_builder() {
	setpriv --reuid="$builder" --regid="$builder" --init-groups env HOME="/home/$builder" USER="$builder" LOGNAME="$builder" "$@"
}

# copy_sources FOLDER: for that user.
copy_sources() { as_builder mkdir -p "$1" && cp -R "$sources/." "$1" && chown -R "$builder:" "$1"; }

# The packages' files that are installed, and whatever else has that name, but for what the tests themselves made.
docstore_files() {
	find / -xdev \( -path /proc -o -path /root -o -path /home -o -path /tmp -o -path /var/lib/postgresql \) -prune -o \
		-name '*docstore*' -print | sort
}
