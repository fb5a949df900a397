#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Every back end of srvd between two lossy links: what arrives is what was sent, both ways at once. Then the relay is
# killed under way, and both ends notice.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"

np_netns_topology
use_home "$NP_TMP/home"
realm_up relay "$RELAY_IP" @alice @device @relay
SIZE_A=8000000 SIZE_B=6000000

lossy() { # one per cent of the segments between relay and both ends, each way
	in_ns relay nft -f - <<-'NFT' || skip "kernel lacks nftables numgen"
		table inet loss {
			chain in {
				type filter hook prerouting priority -150;
				iifname { "toc", "tod" } meta l4proto tcp numgen random mod 100 < 1 drop
			}
			chain out {
				type filter hook postrouting priority 150;
				oifname { "toc", "tod" } meta l4proto tcp numgen random mod 100 < 1 drop
			}
		}
	NFT
}
open_session() {
	ANSWER=$(in_ns client relaytool ask -a @alice -r @relay -t @device "${COMMON[@]}" 2>>"$NP_TMP/ask.log") ||
		fail 'no answer from the relay'
	read -r PORT_A PORT_B < <(jq -r '"\(.portA) \(.portB)"' <<<"$ANSWER")
	LINE_A=$(jq -r .lineA <<<"$ANSWER") LINE_B=$(jq -r .lineB <<<"$ANSWER")
}
talk() { # talk NS PORT LINE [FLAG...]: in the background of the caller
	exec nsenter --net="/run/netns/$(ns_name "$1")" relaytool talk "$RELAY_IP" "$2" -l "$3" "${@:4}" \
		2>>"$NP_TMP/talk.log"
}

head -c $SIZE_A /dev/urandom >"$NP_TMP/from-a"
head -c $SIZE_B /dev/urandom >"$NP_TMP/from-b"
lossy
# The list may go on in the next line, and ends before the default.
backends=$(srvd --help | tr -s ' \n' ' ' | sed -n 's/.*how bytes are moved: \([^(]*\)(.*/\1/p' | tr -d ',')
[ -n "$backends" ] || fail 'srvd --help names no back ends'
for backend in $backends; do
	relay_up relay "$RELAY_IP" --backend "$backend"
	open_session
	(talk device "$PORT_B" "$LINE_B" <"$NP_TMP/from-b" >"$NP_TMP/to-b") &
	b=$!
	(talk client "$PORT_A" "$LINE_A" <"$NP_TMP/from-a" >"$NP_TMP/to-a") &
	a=$!
	wait_for 60 np_gone_or_zombie $a || say 'side a does not end'
	wait_for 60 np_gone_or_zombie $b || say 'side b does not end'
	check "$backend: a to b" same_content "$NP_TMP/from-a" "$NP_TMP/to-b"
	check "$backend: b to a" same_content "$NP_TMP/from-b" "$NP_TMP/to-a"
	stop srvd || true
done
in_ns relay nft delete table inet loss

relay_up relay "$RELAY_IP"
open_session
mkfifo "$NP_TMP/endless"
exec {endless}<>"$NP_TMP/endless"
(talk device "$PORT_B" "$LINE_B" --leave <"$NP_TMP/endless" >"$NP_TMP/to-b") &
b=$!
(talk client "$PORT_A" "$LINE_A" --leave < <(echo begin; exec cat "$NP_TMP/endless") >"$NP_TMP/to-a") &
a=$!
wait_for 10 grep -q begin "$NP_TMP/to-b" || fail 'the pair does not stand'
stop srvd KILL || true
check 'side a notices that the relay was killed' wait_for 2 np_gone_or_zombie $a
check 'side b notices that the relay was killed' wait_for 2 np_gone_or_zombie $b
