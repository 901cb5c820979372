# shellcheck shell=bash
# A server with assertions, for the stages of dev/test that want one: built from the source package of the distribution's own server, and
# kept for a while, as the root file systems of dev/roots.sh are. It brings what lib.sh has.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# shellcheck disable=SC2034 # for those who source this file
assertion_packages=(gcc make libc6-dev bison flex perl bzip2 pkg-config zlib1g-dev libicu-dev liblz4-dev)
assertion_options=(--enable-cassert --enable-debug --without-readline --disable-rpath --with-icu --with-lz4 'CFLAGS=-O1 -g -fno-omit-frame-pointer')

# kept_assertion_server: the file where that server is kept. Its name says how it was built.
kept_assertion_server() {
	echo "$cache/assertions-$pg_major-$(sha256sum "${BASH_SOURCE[0]}" | cut -c 1-16).tar.gz"
}

# find_assertion_server: puts it into $work/pg-assertions, out of the cache or built anew.
find_assertion_server() {
	local file
	file=$(kept_assertion_server)
	if [ -n "$cache" ] && [ -d "$cache" ]; then
		find "$cache" -maxdepth 1 -type f -name "assertions-$pg_major-*" \( ! -path "$file" -o -mtime "+$((cache_days - 1))" \) -delete || true
		if [ -f "$file" ] && tar -C "$work" -xzf "$file"; then return; fi
	fi
	echo "Building PostgreSQL $pg_major with assertions"
	quietly "apt-get update" apt update
	quietly "building PostgreSQL $pg_major with assertions" build_assertion_server
	[ -z "$cache" ] || keep_assertion_server "$file" || echo "$file cannot be written: the next run builds again"
}

# keep_assertion_server FILE: whole or not at all.
keep_assertion_server() {
	if mkdir -p "$cache" && tar -C "$work" -czf "$1.$$" pg-assertions && mv "$1.$$" "$1"; then
		return 0
	fi
	rm -f "$1.$$"
	return 1
} 2>/dev/null

build_assertion_server() {
	mkdir -p "$work/build/tree" &&
		(cd "$work/build" && download_source && tar -C tree --strip-components=1 -xf postgresql-*.orig.tar.*) &&
		(cd "$work/build/tree" && ./configure --quiet "${assertion_options[@]}") &&
		make --silent -j"$(nproc)" -C "$work/build/tree" &&
		make --silent -C "$work/build/tree" install DESTDIR="$work/build/root" &&
		make --silent -j"$(nproc)" -C "$work/build/tree/contrib" &&
		make --silent -C "$work/build/tree/contrib" install DESTDIR="$work/build/root" &&
		mv "$work/build/root/usr/local/pgsql" "$work/pg-assertions" &&
		rm -rf "$work/build"
}

# download_source: the newest version whose source can be had, into this folder. An archive may list one that it does not have.
download_source() {
	local version package=postgresql-$pg_major
	mkdir -p apt/lists/partial apt/archives/partial && source_list >apt/sources.list && own_apt apt-get update || return
	while read -r version; do
		if own_apt apt-get source --download-only --only-source "$package=$version"; then return; fi
		rm -f -- *.orig.tar.*
	done < <(own_apt apt-cache showsrc --only-source "$package" | sed -n 's/^Version: //p' | sort -uVr)
	echo "there is no source of $package"
	return 1
}

# The machine's own lists of the distribution's packages, as lists of their sources: they need not be among the machine's.
source_list() {
	local id key uri release component
	# shellcheck source=/dev/null
	id=$(. /etc/os-release && echo "$ID")
	key=/usr/share/keyrings/$id-archive-keyring.gpg
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' "Origin: ${id^}" | sort -u |
		while read -r uri release component; do
			echo "deb-src $([ ! -f "$key" ] || echo "[signed-by=$key] ")$uri $release $component"
		done
}

# own_apt COMMAND ARGUMENT...: apt with lists and a cache in this folder, that needs no other user and changes nothing of the machine's.
own_apt() {
	"$1" -q -o Dir::Etc::SourceList="$PWD/apt/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$PWD/apt/lists" \
		-o Dir::Cache="$PWD/apt" -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false "${@:2}"
}
