#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# deps.sh build|demo|test|bench|fuzz: installs exactly the packages of tools/deps.list that are missing.
# An installation starts no service and leaves none enabled: policy-rc.d refuses every start meanwhile, and
# units that the installation enabled are disabled again. Nothing missing: says nothing, changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

policy=/usr/sbin/policy-rc.d
saved=/usr/sbin/policy-rc.d.knp-saved
policy_mark='# put here by knp tools/deps.sh while it installs packages'
log=

sets_of() {
	case $1 in
	build) echo build ;;
	demo) echo build demo ;;
	test) echo build demo test ;;
	bench) echo build demo test bench ;;
	fuzz) echo build fuzz ;;
	*) echo "usage: $0 build|demo|test|bench|fuzz" >&2; return 2 ;;
	esac
}

wanted() { # wanted SET...
	local sets=" $* " set pkg _
	while read -r set pkg _; do
		case $sets in *" $set "*) echo "$pkg" ;; esac
	done <tools/deps.list
}

# dpkg-query fails when one of the names is unknown, and still lists the others.
missing() { # missing PACKAGE...
	local have pkg
	have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | sed -n 's/ installed$//p' || true)
	for pkg; do
		grep -qx -- "$pkg" <<<"$have" || echo "$pkg"
	done
}

enabled_units() { # links that make systemd or sysvinit start something at boot
	find /etc/systemd/system /etc/rc[2-5].d -type l \
		\( -path '*.wants/*.service' -o -path '*.wants/*.socket' -o -name 'S[0-9][0-9]*' \) \
		2>/dev/null | sort
}

disable_new() { # disable_new LINKS-BEFORE
	local link unit
	comm -13 <(printf '%s\n' "$1") <(enabled_units) | while read -r link; do
		unit=${link##*/}
		case $link in
		/etc/rc*) update-rc.d "${unit#S??}" disable ;;
		*) if command -v systemctl; then systemctl disable "$unit"; else rm -f "$link"; fi ;;
		esac >/dev/null 2>&1 </dev/null || true
		[ ! -L "$link" ] || echo "deps: $link starts a service at boot; remove it if you do not want that" >&2
	done
}

# A run that was killed may have left ours in place of the owner's.
policy_restore() {
	if [ -e "$saved" ] || [ -L "$saved" ]; then
		mv -f "$saved" "$policy"
	elif [ -f "$policy" ] && grep -qF "$policy_mark" "$policy"; then
		rm -f "$policy"
	fi
}

policy_refuse() {
	policy_restore
	if [ -e "$policy" ] || [ -L "$policy" ]; then
		mv "$policy" "$saved"
	fi
	printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
	chmod 755 "$policy"
}

cleanup() {
	policy_restore
	[ -z "$log" ] || rm -f "$log"
}

run_apt() {
	if ! apt-get -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		return 1
	fi
}

install_packages() { # install_packages PACKAGE...
	local before
	exec 9>/run/knp-deps.lock
	flock 9
	log=$(mktemp)
	trap cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
	before=$(enabled_units)
	policy_refuse
	echo "deps: installing $*"
	run_apt -qq update || echo "deps: apt-get update failed; trying with the lists at hand" >&2
	if ! run_apt -qq -y --no-install-recommends install "$@"; then
		echo "deps: apt-get could not install: $*" >&2
		echo "deps: check the network and /etc/apt, then run the same command again" >&2
		exit 1
	fi
	disable_new "$before"
}

main() {
	local sets need
	sets=$(sets_of "${1:-}") || exit 2
	# shellcheck disable=SC2046,SC2086  # lists of words on purpose
	need=$(missing $(wanted $sets))
	[ -n "$need" ] || exit 0
	need=${need//$'\n'/ }
	command -v apt-get >/dev/null || {
		echo "deps: this is no Debian; please install what these packages hold: $need" >&2
		exit 1
	}
	if [ "$(id -u)" = 0 ]; then
		# shellcheck disable=SC2086
		install_packages $need
	elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
		exec sudo -- "$PWD/tools/deps.sh" "$1"
	else
		echo "deps: missing: $need" >&2
		echo "deps: run this as root, then try again:  $PWD/tools/deps.sh $1" >&2
		exit 1
	fi
}
main "$@"
