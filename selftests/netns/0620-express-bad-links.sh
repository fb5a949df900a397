#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Loss, duplicates and reordering on both links: SACK and retransmissions are translated, every byte arrives.
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=selftests/harness/linkem.sh
. "$(dirname "$0")/../harness/linkem.sh"
# shellcheck source=selftests/harness/express.sh
. "$(dirname "$0")/../harness/express.sh"
need_express
ns_add client relay device
xp_guard
read -r c1 c2 d1 d2 <<<"$(xp_addresses client | tr '\n' ' ') $(xp_addresses device)"
link_start near client eth0 "$c1" relay toc "$c2" --delay-ms 2
link_start far device eth0 "$d1" relay tod "$d2" --delay-ms 3
xp_serve
xp_relay relay4 4 --backend express
xp_relay relay6 6 --backend express

whole() {
	cat "$NP_TMP/load.json"
	jq -e '.mismatched == 0 and .truncated == 0 and .failed == 0' "$NP_TMP/load.json" >/dev/null
}

trouble() { # trouble PARAMETER VALUE: on both links
	link_set near "$1" "$2"
	link_set far "$1" "$2"
}

carry() { # carry WHAT FAMILY BYTES: patterned streams, promoted before the trouble begins and while it lasts
	local what=$1 family=$2 bytes=${3:-2000000}
	load integrity "$family" --connections 6 --bytes $bytes --deadline 60 || say "integrity failed"
	check "IPv$family, $what: 6 duplex streams arrive unchanged" whole
	load short "$family" --connections 150 --parallel 10 --direction both --deadline 60 || say "short failed"
	check "IPv$family, $what: 150 short connections arrive whole" whole
}

for family in 4 6; do
	# Promotion waits for a quiet moment of a stream, which a busy machine may not give to any of six.
	for try in 1 2 3 4 5; do
		carry "good links, $try" $family 20000000
		[ "$(xp_status relay$family .promoted)" = 0 ] || break
	done
	check "IPv$family: live streams were promoted" [ "$(xp_status relay$family .promoted)" -ge 1 ]
	trouble loss 1
	carry "1 % lost" $family
	trouble loss 5
	carry "5 % lost" $family
	trouble loss 0
	trouble dup 5
	carry "5 % doubled" $family
	trouble dup 0
	trouble reorder 5
	carry "5 % reordered" $family
	trouble reorder 0
	check "IPv$family: pairs were promoted under way" [ "$(xp_status relay$family .promoted)" -ge 4 ]
done
