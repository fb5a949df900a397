#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A device whose atServer does not answer costs its own sessions only: the relay serves everybody else meanwhile.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq

np_netns_topology
use_home "$NP_TMP/home"
realm_up relay "$RELAY_IP" @alice @device @relay
# Whatever is sent there gets lost behind the client's NAT.
in_ns relay ip route add 192.0.2.1 via 198.51.100.2
for atsign in @dead1 @dead2 @dead3; do
	npctl realm add "$REALM" "$atsign" --at 192.0.2.1:6464 >>"$NP_TMP/npctl.log" 2>&1 || fail 'npctl realm add'
done
relay_up relay "$RELAY_IP"

ask() { in_ns client relaytool ask -a @alice -r @relay -t "$1" "${COMMON[@]}" >"$NP_TMP/answer$1" 2>>"$NP_TMP/ask.log"; }
ask @device || fail 'no answer from the relay'
pids=()
for atsign in @dead1 @dead2 @dead3; do
	ask "$atsign" &
	pids+=($!)
done
wait_for 20 log_has srvd 'device=@dead3' || fail 'the relay does not open the third session'
began=$(np_now_ms)
check 'a session with another device is answered' ask @device
took=$(($(np_now_ms) - began))
say "after $took ms"
# A dead atServer is given up after ten seconds.
check 'at once' [ "$took" -lt 5000 ]

# Both its sockets are authenticated and joined, too, while the other keys are still being asked for.
get() { jq -r "$1" "$NP_TMP/answer@device"; }
echo from-device | in_ns device relaytool talk "$RELAY_IP" "$(get .portB)" -l "$(get .lineB)" >"$NP_TMP/to-b" 2>>"$NP_TMP/talk.log" &
pids+=($!)
echo from-client | in_ns client relaytool talk "$RELAY_IP" "$(get .portA)" -l "$(get .lineA)" >"$NP_TMP/to-a" 2>>"$NP_TMP/talk.log" ||
	say 'the client side fails'
took=$(($(np_now_ms) - began))
expect_eq 'and joined' "$(cat "$NP_TMP/to-a")" from-device
say "after $took ms"
check 'at once as well' [ "$took" -lt 8000 ]
for pid in "${pids[@]}"; do wait "$pid" || true; done
for atsign in @dead1 @dead2 @dead3; do
	check "the session with $atsign was answered too" jq -e .portA "$NP_TMP/answer$atsign"
done
