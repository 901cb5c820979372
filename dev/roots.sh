# shellcheck shell=bash
# What dev/test-all and dev/test-package share: throw-away root file systems of Debian's releases, made by debootstrap and kept for a while.
# It brings what lib.sh has.
#
# A script that sources this file
#   1. becomes root                               (need_root)
#   2. makes its temporary directory, with a copy of the sources in it (make_work)
#   3. puts a file system into $work/root         (find_root), which a function fill_root of the script has filled the first time
#   4. runs commands in there                     (in_root), and removes it (drop_root)

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# Where packages come from: what debootstrap has chosen.
mirror=''

# What commands in there, apt among them, are told of the caller's environment.
environment=()
for variable in http_proxy https_proxy no_proxy; do
	[ -z "${!variable:-}" ] || environment+=("$variable=${!variable}")
done
unset variable

# need_root ARGUMENT...: whoever is not root goes on as root, with these arguments.
need_root() {
	[ "$(id -u)" != 0 ] || return 0
	need_apt "root file systems are made by root"
	as_root env DOCSTORE_CACHE="$cache" "${environment[@]}" "$root/dev/${0##*/}" "$@"
	exit
}

# make_work NAME: the temporary directory, where there is room for file systems.
make_work() {
	on_exit_clean_up
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/docstore-$1.XXXXXX")
	mkdir "$work/src" "$work/log"
	source_files | tar -C "$root" --null --no-recursion -cf - -T - | tar -C "$work/src" --no-same-owner -xf -
}

# own_work NAME: from here on $work is a folder in it, with the sources, for a file system of one's own.
own_work() {
	mkdir "$work/$1"
	cp -R "$work/src" "$work/$1/src"
	work=$work/$1
}

# in_root COMMAND...: runs it as root in $work/root, with mounts and processes of its own, which the kernel ends when the first of them
# ends. So nothing can be left, and no mount is ever seen from outside. What it runs first is a shell that answers signals.
in_root() {
	# shellcheck disable=SC2016 # the shell in there expands it
	unshare --mount --pid --fork --kill-child bash -c '
		trap "exit 143" HUP INT TERM
		set -e
		root=$1
		shift
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
		chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root CI=true NO_COLOR=1 "$@" </dev/null &
		wait $!' in_root "$work/root" "${environment[@]}" "$@"
}

drop_root() { rm -rf --one-file-system -- "$work/root"; }

# cached_root NAME: the file where that file system is kept. Its name says what is in it: other packages, another name.
cached_root() {
	local contents
	contents=$(cd "$work/src" && cat "dev/${0##*/}" dev/roots.sh test/packages && grep -hE '^[a-z]+_packages=' dev/test dev/assertions.sh)
	echo "$cache/$1-$(sha256sum <<<"$contents" | cut -c 1-16).tar.zst"
}

# find_root NAME RELEASE ARGUMENT...: puts the file system of that name into $work/root, out of the cache or fresh from the mirror; then
# fill_root RELEASE ARGUMENT... installs what it is to have.
find_root() {
	local file
	file=$(cached_root "$1")
	mkdir "$work/root"
	if [ -n "$cache" ] && [ -f "$file" ]; then
		tar --zstd -C "$work/root" -xpf "$file" && refresh_root && return
		echo "$file cannot be used"
		drop_root
		rm -f -- "$file"
		mkdir "$work/root"
	fi
	make_root "$2" || return
	fill_root "${@:2}" || return
	in_root apt-get clean
	[ -z "$cache" ] || keep_root "$file" || echo "$file cannot be written: the next run installs again"
}

# What must be as it is here and now: the name server, and the sources to be tested.
refresh_root() {
	cp -L /etc/resolv.conf "$work/root/etc/resolv.conf" &&
		rm -rf "$work/root/root/docstore" &&
		cp -R "$work/src" "$work/root/root/docstore"
}

# make_root RELEASE: a minimal Debian. The mirror may lag behind, or the clock be ahead: the signatures are verified, but how long they are
# meant to be valid is not looked at. experimental is no release, but packages for sid that are not in it yet.
make_root() {
	local base=$1
	[ "$1" != experimental ] || base=sid
	debootstrap --variant=minbase --force-check-gpg "$base" "$work/root" '' /usr/share/debootstrap/scripts/sid || {
		tail -n 3 "$work/root/debootstrap/debootstrap.log" 2>/dev/null
		return 1
	}
	mirror=$(sed -n 's/^deb \([^ ]*\) .*/\1/p' "$work/root/etc/apt/sources.list" | head -n 1)
	package_sources "$base" >"$work/root/etc/apt/sources.list"
	# Nobody needs it after a power cut.
	echo force-unsafe-io >"$work/root/etc/dpkg/dpkg.cfg.d/unsafe-io"
	refresh_root
}

package_sources() {
	echo "deb [check-valid-until=no] $mirror $1 main"
	case $1 in sid | experimental) return ;; esac
	echo "deb [check-valid-until=no] $mirror-security $1-security main"
}

# add_release RELEASE: its packages can be installed, too, but are not preferred.
add_release() {
	package_sources "$1" >"$work/root/etc/apt/sources.list.d/$1.list"
	printf '%s\n' 'Package: *' "Pin: release n=$1*" 'Pin-Priority: 100' >"$work/root/etc/apt/preferences.d/$1"
}

# add_experimental PACKAGE: what is built from that source package comes from experimental, and nothing else does.
add_experimental() {
	package_sources experimental >"$work/root/etc/apt/sources.list.d/experimental.list"
	printf '%s\n' "Package: src:$1" 'Pin: release a=experimental' 'Pin-Priority: 500' >"$work/root/etc/apt/preferences.d/experimental"
}

# forget_roots NAME...: what is in the cache of these, and is too old or of other packages.
forget_roots() {
	local name
	[ -d "$cache" ] || return 0
	for name; do
		find "$cache" -maxdepth 1 -type f -name "$name-*" \
			\( ! -path "$(cached_root "$name")" -o -mtime "+$((cache_days - 1))" \) -delete
	done
}

# keep_root FILE: puts $work/root into the cache, whole or not at all.
keep_root() {
	if mkdir -p "$cache" && tar --zstd -C "$work/root" --exclude=./root/docstore -cpf "$1.$$" . && mv "$1.$$" "$1"; then
		return 0
	fi
	rm -f "$1.$$"
	return 1
}
