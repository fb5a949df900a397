#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The link emulator does what its flags say, and says what it did.
#
#	namespace left: a0 10.77.0.1 ---- linkem ---- namespace right: b0 10.77.0.2
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=selftests/harness/linkem.sh
. "$(dirname "$0")/../harness/linkem.sh"
need_root
need_cmd ip jq nsenter sysctl
ns_add left right
# The link carries what the test sends and nothing else, so that frames can be counted exactly.
for ns in left right; do
	in_ns "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
done

mac_of() { ip -n "$(ns_name "$1")" -j link show "$2" | jq -r '.[0].address'; }

pin() { # pin NS IF PEER-ADDRESS PEER-MAC
	ip -n "$(ns_name "$1")" neigh replace "$3" dev "$2" lladdr "$4" nud permanent
}

link() { # link FLAG...
	link_start em left a0 10.77.0.1/24 right b0 10.77.0.2/24 "$@"
	pin left a0 10.77.0.2 "$(mac_of right b0)"
	pin right b0 10.77.0.1 "$(mac_of left a0)"
}

probe() { # probe udp|tcp right|left FLAG...: measure the way to that side
	local kind=$1 from to
	from=$(ns_name left):10.77.0.1 to=$(ns_name right):10.77.0.2
	[ "$2" = right ] || { local swap=$from; from=$to to=$swap; }
	shift 2
	linkprobe "$kind" --from "$from" --to "$to" "$@" >"$NP_TMP/probe.json"
}

measured() { # measured FILTER: of the last probe
	cat "$NP_TMP/probe.json"
	jq -e "$1" "$NP_TMP/probe.json" >/dev/null
}

counted() { # counted FILTER: of the link, running or just stopped
	local all
	all=$(link_count em .)
	echo "$all"
	jq -e "$1" <<<"$all" >/dev/null
}

adds_up='to_entries | map(select(.value | type == "object").value
	| .in_packets + .duplicated == .out_packets + .lost + .dropped_queue + .dropped_mtu + .refused + .held)
	| length == 2 and all'

# --- delay and order ---------------------------------------------------------------------------------------------
link --delay-ms 20
for side in right left; do
	probe udp "$side" --count 300
	check "20 ms to the $side, less than 1 ms more" measured '.lost == 0 and .min_ms >= 20 and .p50_ms < 21'
done
probe tcp right --seconds 1
check "a TCP handshake takes one round trip" measured '.connect_ms >= 40 and .connect_ms < 80'
link_set em delay-ms 0.5
probe udp right --count 300
check "half a millisecond is kept, as changed at run time" measured '.min_ms >= 0.5 and .p50_ms < 1.5'
link_set em left-delay-ms 5
probe udp left --count 100
check "a prefix changes one direction only" measured '.p50_ms < 4'

link_set em delay-ms 20
link_set em jitter-ms 15
probe udp right --count 1000 --interval-us 5000
check "jitter spreads the delay" measured '.max_ms - .min_ms > 10 and .min_ms >= 5'
check "jitter keeps the order and loses nothing" measured '.out_of_order == 0 and .lost == 0 and .duplicates == 0'
link_set em jitter-ms 0
link_set em reorder 5
probe udp right --count 1000
check "reordered frames overtake those under way" measured '.out_of_order > 200 and .min_ms < 15 and .lost == 0'
check "the counter says how many did" counted '.left_to_right.reordered > 20 and .left_to_right.reordered < 90'
rc=0
link_stop em || rc=$?
expect_eq "ends with 0 at TERM" "$rc" 0
check "and with counters that add up" counted "$adds_up"
check "its devices are gone" refuse ip -n "$(ns_name left)" link show a0

# --- loss and duplicates -----------------------------------------------------------------------------------------
link --left-loss 10 --seed 7
probe udp right --count 10000 --interval-us 50
lost=$(jq .lost "$NP_TMP/probe.json")
check "10 % of 10000 frames are lost" measured '.lost > 850 and .lost < 1150 and .duplicates == 0'
check "the counter agrees" counted ".left_to_right.lost == $lost and .left_to_right.in_packets == 10000"
probe udp left --count 1000 --interval-us 50
check "nothing is lost the other way" measured '.lost == 0'
link_stop em
link --left-loss 10 --seed 7
probe udp right --count 10000 --interval-us 50
check "the same seed loses as many again ($lost)" measured ".lost == $lost"
link_set em loss 100
probe udp right --count 200 --idle-ms 100
check "loss 100 cuts the link" measured '.received == 0'
link_set em loss 0
probe udp right --count 200
check "loss 0 restores it" measured '.received == 200'
link_set em dup 10
probe udp right --count 10000 --interval-us 50
twice=$(jq .duplicates "$NP_TMP/probe.json")
check "10 % of 10000 frames come twice" measured '.lost == 0 and .duplicates > 850 and .duplicates < 1150'
check "duplicates do not break the order" measured '.out_of_order == 0'
check "the counter agrees on duplicates" counted ".left_to_right.duplicated == $twice"
check "the sums agree" counted "$adds_up"
link_stop em

# --- rate, queue and MTU -----------------------------------------------------------------------------------------
link --rate 20 --mtu 1300
probe udp right --count 500 --size 1200 --interval-us 0
check "20 Mbit/s" measured '.lost == 0 and .frame_mbit > 19 and .frame_mbit < 21'
probe tcp right --seconds 2
check "TCP fills it" measured '.mbit > 15 and .mbit < 20'
link_stop em
link --rate 20 --limit 50 --mtu 1300
probe udp right --count 500 --size 1200 --interval-us 0
lost=$(jq .lost "$NP_TMP/probe.json")
check "a burst overflows a queue of 50" measured '.received >= 51 and .lost > 0'
check "the counter agrees on the queue" counted ".left_to_right.dropped_queue == $lost"
# Behind 50 frames of 1242 bytes at 20 Mbit/s the last one waits 25 ms.
check "the queue's length is the longest wait" measured '.max_ms > 20 and .max_ms < 40'
link_set em rate 0
probe udp right --count 10 --size 1272
check "a packet of the MTU passes" measured '.received == 10'
probe udp right --count 10 --size 1273 --idle-ms 50
check "a larger one is refused at the device" measured '.refused == 10 and .received == 0'
for end in left:a0 right:b0; do ip -n "$(ns_name "${end%:*}")" link set "${end#*:}" mtu 1500; done
probe udp right --count 10 --size 1273 --idle-ms 50
check "with larger devices the link is a black hole for it" measured '.refused == 0 and .received == 0'
check "and counts it" counted '.left_to_right.dropped_mtu == 10'
link_set em mtu 1500
probe udp right --count 10 --size 1273
check "until the link's MTU is changed" measured '.received == 10'
check "the sums agree after drops" counted "$adds_up"

# --- bad input ---------------------------------------------------------------------------------------------------
{
	echo "loss 500"
	echo "los 5"
	echo "loss"
	echo "reorder 5"
	head -c 5000 /dev/zero | tr '\0' x
	echo
} >&"${LINK_CTL[em]}"
link_set em loss 0
for wanted in 'stdin: loss 500: expected a number from 0 to 100' 'stdin: los 5: unknown parameter' \
	'stdin: loss: expected "PARAMETER VALUE"' 'stdin: left-reorder 5: needs a left-delay-ms above 0' \
	'stdin: expected a line of text of at most 127 bytes'; do
	check "says: $wanted" log_has em "$wanted"
done
probe udp right --count 100
check "refused lines change nothing" measured '.received == 100 and .out_of_order == 0'

usage_error() { # usage_error MESSAGE FLAG...
	local wanted=$1 out rc=0
	shift
	out=$(linkem "$@" 2>&1) || rc=$?
	echo "exit $rc: $out"
	[ "$rc" = 2 ] && [[ $out == *"$wanted"* ]] && [ "$(wc -l <<<"$out")" = 1 ]
}
bad_flag() { check "refuses ${*:2}" usage_error "$@"; }
bad_flag '--loss 101: expected a number from 0 to 100' --loss 101
bad_flag '--loss -1: expected a number from 0 to 100' --loss -1
bad_flag '--left-delay-ms 5ms: expected a number from 0 to 60000' --left-delay-ms 5ms
bad_flag '--delay-ms nan: expected a number' --delay-ms nan
bad_flag '--limit 1.5: expected a whole number from 1' --limit 1.5
bad_flag '--mtu 65522: expected a whole number from 68 to 65521' --mtu 65522
bad_flag '--left ../x:a0: expected NETNS:IFNAME' --left ../x:a0
bad_flag '--right x:sixteen-letters0: expected NETNS:IFNAME' --right x:sixteen-letters0
bad_flag '--seed x: expected a whole number' --seed x
bad_flag '--ready-fd 999: expected the number of an open descriptor' --ready-fd 999
bad_flag '--left-reorder 1: needs a left-delay-ms above 0' --reorder 1
bad_flag '--no-such: no such flag' --no-such
bad_flag '--loss: expected a value' --loss
bad_flag 'extra: expected a flag' extra

start_failure() { # start_failure MESSAGE FLAG...: exit 1
	local wanted=$1 out rc=0
	shift
	out=$(linkem "$@" 2>&1 </dev/null) || rc=$?
	echo "exit $rc: $out"
	[ "$rc" = 1 ] && [[ $out == *"$wanted"* ]]
}
check "refuses a namespace that is not there" start_failure 'cannot open the network namespace: No such file' \
	--left "$(ns_name nowhere):a1" --right "$(ns_name right):b1"
check "refuses a device that is there already" start_failure 'cannot create the TAP device: Device or resource busy' \
	--left "$(ns_name left):a0" --right "$(ns_name right):b1"

ip -n "$(ns_name right)" link del b0
wait_for 5 refuse is_running em || fail "linkem does not end when its device is gone"
rc=0
link_stop em || rc=$?
expect_eq "ends with 1 when a device is removed" "$rc" 1
check "and says so" log_has em 'right b0: the device is gone'
