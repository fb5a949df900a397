# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# A private realm and its programs for tests, the demo and the benchmarks; to be read after lib.sh. HOME must be the
# test's own (use_home) before.
#
#	realm_up NS HOST ATSIGN...     realm folder, atserverd with the directory in it, every atSign onboarded
#	relay_up NS HOST [FLAG...]     srvd as @relay
#	device_up NS [FLAG...]         a private sshd on the loopback of NS and sshnpd as @device, device "dev1"
#	client_args                    the array CLIENT: what every sshnp call needs (add -i, -s, ... as wanted)
#
# Sets REALM, ROOT_DOMAIN, COMMON (flags of every program), SSHD_PORT, ME.
ME=$(id -un)

realm_up() {
	local ns=$1 host=$2 atsign flags=()
	shift 2
	REALM=$NP_TMP/realm
	for atsign; do flags+=(--atsign "$atsign"); done
	npctl realm init "$REALM" --host "$host" --port 0 --directory-port 0 "${flags[@]}" >>"$NP_TMP/npctl.log" 2>&1 ||
		fail 'npctl realm init failed'
	start_daemon atserverd -n "$ns" atserverd --config "$REALM/atserverd.yaml"
	ROOT_DOMAIN=$host:$(daemon_json atserverd .directory.port)
	COMMON=(--root-domain "$ROOT_DOMAIN" --root-ca "$REALM/ca.pem")
	mkdir -p "$HOME/.atsign/keys"
	for atsign; do realm_activate "$ns" "$atsign"; done
}

realm_activate() { # realm_activate NS ATSIGN
	in_ns "$1" at_activate onboard -a "$2" --cram-file "$REALM/secrets/$2.cram" "${COMMON[@]}" \
		>>"$NP_TMP/at_activate.log" 2>&1 || fail "at_activate onboard -a $2 failed"
}

relay_up() {
	local ns=$1 host=$2
	shift 2
	start_daemon srvd -n "$ns" srvd -a @relay -i "$host" -m @alice "$@" "${COMMON[@]}"
}

device_up() {
	local ns=$1
	shift
	touch "$HOME/.ssh/authorized_keys"
	chmod 600 "$HOME/.ssh/authorized_keys"
	start_sshd "$ns" "$NP_TMP/sshd.port"
	# shellcheck disable=SC2034
	SSHD_PORT=$(cat "$NP_TMP/sshd.port")
	sshnpd_up "$ns" "$@"
}

sshnpd_up() { # sshnpd_up NS [FLAG...]: the daemon alone
	local ns=$1
	shift
	USER=$ME start_daemon sshnpd -n "$ns" sshnpd -a @device -m @alice -d dev1 -s --local-sshd-port "$SSHD_PORT" \
		--permit-open "localhost:$SSHD_PORT" "$@" "${COMMON[@]}"
}

# shellcheck disable=SC2034
client_args() { CLIENT=(-f @alice -t @device -d dev1 -r @relay "${COMMON[@]}"); }
