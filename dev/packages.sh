# shellcheck shell=bash
# Packages of the distribution, and among them the server: installing what is missing is the only step that needs root, or sudo.
# A part of lib.sh.

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
		command -v "$PG_CONFIG" >/dev/null || die "PG_CONFIG is not a program: $PG_CONFIG"
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
