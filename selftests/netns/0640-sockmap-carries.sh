#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The sockmap back end between namespaces, over IPv4 and IPv6: long duplex streams, short
# connections whose end comes right behind the bytes, a reader that stalls, a relay that is killed.
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=selftests/harness/express.sh
. "$(dirname "$0")/../harness/express.sh"
need_express
need_cmd nft
xp_up
xp_serve
xp_relay relay4 4 --backend sockmap
xp_relay relay6 6 --backend sockmap

whole() { # whole: of the last load, nothing wrong
	cat "$NP_TMP/load.json"
	jq -e '.mismatched == 0 and .truncated == 0 and .failed == 0' "$NP_TMP/load.json" >/dev/null
}
lossy() { # one per cent of what the relay receives
	in_ns relay nft -f - <<-'NFT' || skip "kernel lacks nftables numgen"
		table inet loss {
			chain in {
				type filter hook prerouting priority -150;
				meta l4proto tcp numgen random mod 100 < 1 drop
			}
		}
	NFT
}
no_sockets() { [ "$(sockets_in relay)" = 0 ]; }

for family in 4 6; do
	relay=relay$family
	load integrity $family --connections 4 --bytes 50000000 || say "integrity failed"
	check "IPv$family: 4 duplex streams of 50 MB arrive unchanged" whole
	wait_for 5 xp_has_lines $relay end 4 || fail "the ends of the pairs are not noticed"
	expect_eq "IPv$family: they were sockmap's" "$(ends $relay '.backend == "sockmap"')" 4
	expect_eq "IPv$family: they ended in order" "$(ends $relay '.reason == "eof"')" 4
	expect_eq "IPv$family: every byte was counted" "$(ends $relay '.a >= 50000000 and .b >= 50000000')" 4

	load short $family --connections 2000 --parallel 8 --direction both || say "short failed"
	check "IPv$family: short connections arrive whole" whole

	# Lost, a merged packet comes again in other pieces, and the pieces overlap.
	lossy
	load integrity $family --connections 4 --bytes 10000000 || say "integrity failed"
	check "IPv$family: no byte is doubled when segments are lost" whole
	in_ns relay nft delete table inet loss

	load ping $family --connections 50 --bytes 100 --seconds 1 || say "ping failed"
	check "IPv$family: 50 pairs talk" jq -e '.failed == 0' "$NP_TMP/load.json"

	start_load stall$family stall $family --seconds 3
	end_load stall$family 10 || not_ok "IPv$family: the stalled load failed"
	check "IPv$family: a stalled reader stops the sender within 16 MiB" \
		jq -es 'last.accepted_bytes | . > 0 and . <= 16777216' "$NP_TMP/stall$family.log"

	# The stalled pair stays as long as its reader does.
	before=$(xp_status $relay .pairs)
	start_load hang$family ping $family --connections 5 --bytes 1 --seconds 60
	wait_for 5 xp_is $relay ".pairs == $((before + 5))" || fail "IPv$family: no pairs"
	kill -KILL "${DAEMON_PID[$relay]}"
	check "IPv$family: both ends notice that the relay was killed" load_fails hang$family
	check "IPv$family: no socket is left of it" wait_for 5 no_sockets
done
