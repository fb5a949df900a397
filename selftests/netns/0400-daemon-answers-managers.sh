#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sshnpd answers its managers and nobody else: ping, user name and device info records, hiding them, names of other
# devices, what cannot be read.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq

use_home "$NP_TMP/home"
realm_up - localhost @alice @bob @device @mallory
SSHD_PORT=22
touch "$HOME/.ssh/authorized_keys"
sshnpd_up - -m @alice,@bob,@device --device-group lab -v --permit-open '*:8080'

note() { # note ATSIGN FLAG...
	local who=$1
	shift
	npnote -a "$who" "${COMMON[@]}" "$@"
}
ping_as() { # ping_as ATSIGN NAME-OF-DEVICE [SECS]: the heartbeat's JSON
	note "$1" --to @device --name "ping.$2.sshnp" --value ping --listen "heartbeat.$2.sshnp" \
		--secs "${3:-15}" >"$NP_TMP/heard" || true
	sed 's/^[^ ]* //' "$NP_TMP/heard"
}
record() { note "$1" --get @device --name "$2.dev1.sshnp"; }

# Before its signing key stands, a daemon does not offer to prove itself by it.
wait_for 10 log_has sshnpd 'signing key: published as ' || fail 'the signing key is not published'
pong=$(ping_as @alice dev1)
expect_eq 'the heartbeat, in the published order' "$(jq -c 'keys_unsorted' <<<"$pong")" \
	'["devicename","deviceGroupName","version","corePackageVersion","supportedFeatures","allowedServices"]'
expect_eq 'names and services' "$(jq -c '[.devicename, .deviceGroupName, .allowedServices]' <<<"$pong")" \
	'["dev1","lab",["localhost:22","*:8080"]]'
expect_eq 'features are what it can do' "$(jq -c .supportedFeatures <<<"$pong")" \
	'{"srAuth":true,"srE2ee":true,"acceptsPublicKeys":true,"supportsPortChoice":true,"adjustableTimeout":true,"controlChannelHeartbeats":true,"supportsRamEscr":true,"twinKeys":true}'
expect_eq 'the second manager is answered as well' "$(ping_as @bob dev1 | jq -r .devicename)" dev1

expect_eq 'a stranger hears nothing' "$(ping_as @mallory dev1 3)" ''
check 'and the log names him' wait_for 5 log_has sshnpd 'denied, not a manager: from=@mallory name=ping.dev1.sshnp'
expect_eq 'a name that only ends alike is another device' "$(ping_as @alice xdev1 3)" ''
note @alice --to @device --name 'strange.dev1.sshnp' --value x
check 'unknown types are ignored' wait_for 5 log_has sshnpd 'unknown type ignored name=strange.dev1.sshnp'
expect_eq 'and it goes on' "$(ping_as @alice dev1 | jq -r .devicename)" dev1

has_record() { record "$@" >"$NP_TMP/record" 2>&1; }
wait_for 10 has_record @alice username || fail 'no username record'
expect_eq 'the user name is shared' "$(record @alice username)" "$ME"
expect_eq 'with each manager' "$(record @bob username)" "$ME"
expect_eq 'device info is the heartbeat' "$(record @alice device_info)" "$pong"
check 'not with strangers' refuse has_record @mallory username

stop sshnpd || fail 'sshnpd does not end with 0 on TERM'
sshnpd_up - --hide
gone() { ! has_record "$@" && grep -qi -e 'AT0015' -e 'not found' -e 'has expired' "$NP_TMP/record"; }
check '--hide withdraws the user name' wait_for 10 gone @alice username
check '--hide withdraws device info' wait_for 10 gone @alice device_info
expect_eq 'a hidden device still answers pings' "$(ping_as @alice dev1 | jq -r .devicename)" dev1

# The figure is the benchmark's; memory of its own, without the shared libraries, tells whether whole buffers stay.
at_rest() { [ "$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${DAEMON_PID[sshnpd]}/status")" -le 2560 ]; }
check 'at rest it holds no more than 2.5 MiB of its own' wait_for 20 at_rest
