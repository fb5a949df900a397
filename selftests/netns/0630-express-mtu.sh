#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Path MTU: "too big" about a promoted pair reaches the peer who sends too much; unequal links stay in user space.
#
#	client ---- relay ---- router ---- device
#	   mtu 1500     mtu 1500     mtu 1300, which the device keeps to itself
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=selftests/harness/express.sh
. "$(dirname "$0")/../harness/express.sh"
need_express
need_cmd nft
ns_add client relay router device
xp_guard
ns_link client eth0 10.91.1.1/24,fd00:1::1/64 relay toc 10.91.1.2/24,fd00:1::2/64
ns_link relay tod 10.91.3.2/24,fd00:3::2/64 router tor 10.91.3.1/24,fd00:3::1/64
ns_link router tod 10.91.2.2/24,fd00:2::2/64 device eth0 10.91.2.1/24,fd00:2::1/64
ns_forward router
ip -n "$(ns_name router)" link set tod mtu 1300
ip -n "$(ns_name device)" link set eth0 mtu 1300
ip -n "$(ns_name device)" route add default via 10.91.2.2 advmss 1460
ip -n "$(ns_name device)" -6 route add default via fd00:2::2 advmss 1440
ip -n "$(ns_name relay)" route add 10.91.2.0/24 via 10.91.3.1
ip -n "$(ns_name relay)" -6 route add fd00:2::/64 via fd00:3::1
wait_for 10 np_links_settled client relay router device || fail "the links do not come up"

xp_echo
xp_relay relay4 4 --backend express
xp_relay relay6 6 --backend express

pmtu_of() { # pmtu_of FAMILY: what the client has learnt about its way to the relay
	local to=10.91.1.2
	[ "$1" = 4 ] || to=fd00:1::2
	in_ns client ip route get "$to"
}

for family in 4 6; do
	check "IPv$family: 300 kB each way through a narrow link" xp_talk $family 20
	check "IPv$family: the client has learnt its size from the translated message" grep -q 'mtu 1300' <(pmtu_of $family)
	wait_for 5 xp_is relay$family '.pairs == 0' || fail "the pair does not end"
	in_ns client ip route flush cache 2>/dev/null || true
	in_ns client ip -6 route flush cache 2>/dev/null || true
done

in_ns router nft -f - <<-'NFT'
	table inet deaf {
		chain out {
			type filter hook output priority filter; policy accept;
			meta l4proto icmp drop
			icmpv6 type packet-too-big drop
		}
	}
NFT
in_ns client sysctl -qw net.ipv4.tcp_mtu_probing=1
in_ns relay ip route flush cache 2>/dev/null || true
check "IPv4: where no message comes, the client's own probing finds a way" xp_talk 4 40
wait_for 5 xp_is relay4 '.pairs == 0' || fail "the pair does not end"

ip -n "$(ns_name relay)" link set tod mtu 1280
start_bg talker -n client timeout 20 bash -c 'exec 3<>/dev/tcp/10.91.1.2/7100; sleep 20'
check "a side whose segments do not fit the other's link stays in user space" \
	wait_for 5 xp_is relay4 '.why | test("too long for the other")'
