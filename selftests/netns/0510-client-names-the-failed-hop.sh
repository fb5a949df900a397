#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# time-limit: 300
# Bad input and broken hops: each ends in one line that names what failed and what to do; nobody hangs or crashes.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"

need_root
ns_add world
use_home "$NP_TMP/home"
realm_up world 127.0.0.1 @alice @device @relay @mallory
relay_up world 127.0.0.1
device_up world
client_args

# refused NAME REGEX STATUS CMD...: CMD must end by itself with STATUS and say REGEX on stderr
refused() {
	local name=$1 regex=$2 wanted=$3 rc=0
	shift 3
	in_ns world timeout 60 "$@" >"$NP_TMP/out" 2>"$NP_TMP/err" </dev/null || rc=$?
	if [ "$rc" = "$wanted" ] && grep -qE -- "$regex" "$NP_TMP/err" && ! [ -s "$NP_TMP/out" ]; then
		ok "$name"
	else
		not_ok "$name"
		say "status $rc, wanted $wanted and '$regex'"
		sed 's/^/# /' "$NP_TMP/err"
	fi
}
T=(sshnp --stdio "${CLIENT[@]}")

refused 'unknown option value: usage error with the flag, the value and the accepted form' "-l: '65536' is not a port" 2 sshnp "${CLIENT[@]}" -l 65536
refused 'a device name that cannot be' 'device' 2 sshnp -f @alice -t @device -r @relay -d 'a;b' "${COMMON[@]}"
refused 'no relay named' 'srvd' 2 sshnp -f @alice -t @device "${COMMON[@]}"
refused 'two atSigns in one' 'from' 2 sshnp -f @a@b -t @device -r @relay "${COMMON[@]}"
refused 'a user name that is an option of ssh' 'remote-user-name' 2 sshnp "${CLIENT[@]}" -u -oProxyCommand=false
refused '--stdio with -x' 'stdio' 2 sshnp --stdio -x "${CLIENT[@]}"

refused 'key file missing' 'nokeys: does not exist' 1 "${T[@]}" -k "$NP_TMP/nokeys"
cp "$HOME/.atsign/keys/@alice_key.atKeys" "$NP_TMP/open.atKeys"
chmod 644 "$NP_TMP/open.atKeys"
refused 'key file that others can read' 'chmod 600' 1 "${T[@]}" -k "$NP_TMP/open.atKeys"
head -c 900 "$HOME/.atsign/keys/@alice_key.atKeys" >"$NP_TMP/cut.atKeys"
chmod 600 "$NP_TMP/cut.atKeys"
refused 'key file truncated' 'cut.atKeys' 1 "${T[@]}" -k "$NP_TMP/cut.atKeys"
refused 'key file of another atSign' '@device' 1 "${T[@]}" -k "$HOME/.atsign/keys/@device_key.atKeys"

refused 'unknown device atSign' '@nobody' 1 sshnp --stdio -f @alice -t @nobody -d dev1 -r @relay "${COMMON[@]}"
refused 'unknown relay atSign' '@nobody' 1 sshnp --stdio -f @alice -t @device -d dev1 -r @nobody "${COMMON[@]}"
refused 'directory down' '127.0.0.1:1: cannot connect' 1 "${T[@]}" --root-domain 127.0.0.1:1
refused 'directory name that does not exist' 'name not resolved' 1 "${T[@]}" --root-domain no-such-host.invalid:64
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other -keyout "$NP_TMP/other.key" \
	-out "$NP_TMP/other.pem" 2>/dev/null
refused 'wrong CA' 'certificate' 1 "${T[@]}" --root-ca "$NP_TMP/other.pem"
refused 'CA file missing' 'nosuch.pem' 1 "${T[@]}" --root-ca "$NP_TMP/nosuch.pem"
refused 'wrong host name in the certificate' 'certificate' 1 "${T[@]}" --root-domain "127.0.0.2:${ROOT_DOMAIN##*:}"

refused 'device offline (no daemon of that name), asked for 1 s' 'Daemon feature check timed out.*dev9' 1 \
	sshnp --stdio -f @alice -t @device -d dev9 -r @relay --dpt 1 "${COMMON[@]}"
in_ns world at_activate status -a @mallory "${COMMON[@]}" >>"$NP_TMP/at_activate.log" 2>&1 || true
refused 'not a manager: the device stays silent' 'managers' 1 \
	sshnp --stdio -f @mallory -t @device -d dev1 -r @relay --dpt 2 "${COMMON[@]}"
check 'and says so in its own log' log_has sshnpd '@mallory'
check 'the relay logs whom it refused' log_has srvd '@mallory'

# The local port is taken.
busy=$SSHD_PORT
refused 'local port in use' "$busy" 1 sshnp "${CLIENT[@]}" -u "$ME" -l "$busy"

# sshd down on the device: the daemon's own words reach the client.
stop sshd-world || true
refused 'sshd down on the device' "device dev1@device answered: .*$SSHD_PORT" 1 "${T[@]}"

# A port that permit-open does not name.
stop sshnpd || true
USER=$ME start_daemon sshnpd -n world sshnpd -a @device -m @alice -d dev1 --local-sshd-port "$SSHD_PORT" \
	--permit-open localhost:1 "${COMMON[@]}"
refused 'port not permitted' 'permit' 1 "${T[@]}"
stop sshnpd || true
refused 'permit-open with port 0' 'localhost:0' 2 env USER="$ME" sshnpd -a @device -m @alice --permit-open localhost:0 "${COMMON[@]}"
refused 'permit-open with port 65558' '65558' 2 env USER="$ME" sshnpd -a @device -m @alice --permit-open localhost:65558 "${COMMON[@]}"
long=$(printf 'a%.0s' $(seq 5000)):22
refused 'permit-open of 5000 characters' 'permit-open' 2 env USER="$ME" sshnpd -a @device -m @alice --permit-open "$long" "${COMMON[@]}"

# Relay down: the request is taken by its atServer, but nobody answers.
stop srvd || true
sshnpd_up world
begin=$(np_now_ms)
refused 'relay down' 'Connection timeout to srvd @relay service' 1 "${T[@]}"
check 'within the 20 s of the specification' [ $(($(np_now_ms) - begin)) -lt 25000 ]

# atServer down.
stop atserverd || true
refused 'atServer and directory down' "$ROOT_DOMAIN: cannot connect" 1 "${T[@]}"
