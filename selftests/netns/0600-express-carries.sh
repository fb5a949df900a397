#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Pairs are promoted while they live, and no byte is lost, doubled or changed; the relay keeps no socket of them.
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=selftests/harness/express.sh
. "$(dirname "$0")/../harness/express.sh"
need_express
xp_up
xp_serve
xp_relay relay4 4 --backend express
xp_relay relay6 6 --backend auto

whole() { # whole FIELDS: of the last load, nothing wrong
	cat "$NP_TMP/load.json"
	jq -e '.mismatched == 0 and .truncated == 0 and .failed == 0' "$NP_TMP/load.json" >/dev/null
}

for family in 4 6; do
	relay=relay$family
	load integrity $family --connections 3 --bytes 100000000 || say "integrity failed"
	check "IPv$family: 3 duplex streams of 100 MB arrive unchanged" whole
	wait_for 5 xp_has_lines $relay end 3 || fail "the ends of the pairs are not noticed"
	check "IPv$family: the bytes of each way are counted" [ "$(ends $relay '.reason == "eof" and .b >= 100000000')" = 3 ]
	expect_eq "IPv$family: no counter is ahead" "$(ends $relay '.a > 100001000 or .b > 100001000')" 0

	load ping $family --connections 20 --bytes 100 --seconds 1 || say "ping failed"
	check "IPv$family: live ping-pong survives the take-over" jq -e '.failed == 0' "$NP_TMP/load.json"

	load short $family --connections 2000 --parallel 8 --direction both || say "short failed"
	check "IPv$family: short connections arrive whole" whole
	check "IPv$family: held segments were replayed, not dropped" [ "$(xp_status $relay .held)" -gt 0 ]

	start_load idle$family ping $family --connections 30 --bytes 1 --seconds 3
	check "IPv$family: 30 pairs get into express" wait_for 3 xp_is $relay '.express == 30'
	expect_eq "IPv$family: the relay has no socket of them" "$(sockets_in relay)" 0
	end_load idle$family 10 || not_ok "IPv$family: the pairs go on without the relay's sockets"
	check "IPv$family: all ends are noticed" wait_for 3 xp_is $relay '.pairs == 0'
done
