#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Window scales of 0 to 14 on either side, connections without options, and a reader that never reads.
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=selftests/harness/express.sh
. "$(dirname "$0")/../harness/express.sh"
need_express
xp_up
xp_echo

rmem() { in_ns "$1" sysctl -qw net.ipv4.tcp_rmem="4096 131072 $2"; }
scaling() { in_ns "$1" sysctl -qw net.ipv4.tcp_window_scaling="$2"; }
scales_of() { in_ns "$1" ss -Htin state established | grep -o 'wscale:[0-9,]*' | head -n 1; }

try() { # try WHAT: with a relay that starts under these settings
	xp_relay relay4 4 --backend express
	check "$1" xp_talk 4 20
	wait_for 5 xp_is relay4 '.pairs == 0' || fail "the pair does not end"
	stop relay4 || fail "the relay does not end in order"
}

big=$((1 << 30))
rmem relay $big
rmem client 262144
try "client 2 or 3, relay 14"
rmem client $big
rmem device 262144
rmem relay 262144
try "client 14, relay small, device small"
rmem device $big
try "client 14, relay small, device 14"
rmem relay 6291456
scaling client 0
try "a client without window scaling"
scaling client 1
scaling device 0
try "a device without window scaling"
scaling client 0
try "neither has it"
scaling client 1
scaling device 1
in_ns client sysctl -qw net.ipv4.tcp_timestamps=0
in_ns device sysctl -qw net.ipv4.tcp_timestamps=0
in_ns client sysctl -qw net.ipv4.tcp_sack=0
in_ns device sysctl -qw net.ipv4.tcp_sack=0
try "neither has timestamps nor SACK"
in_ns device sysctl -qw net.ipv4.tcp_timestamps=1 net.ipv4.tcp_sack=1
xp_relay relay4 4 --backend express
start_bg talker -n client timeout 20 bash -c 'exec 3<>/dev/tcp/10.91.1.2/7100; sleep 20'
check "one without timestamps stays in user space" wait_for 5 xp_is relay4 '.why | test("timestamps")'
stop talker || true
in_ns client sysctl -qw net.ipv4.tcp_timestamps=1 net.ipv4.tcp_sack=1
stop relay4 || fail "the relay does not end in order"

stop echo4 || true
stop echo6 || true
xp_serve
xp_relay relay4 4 --backend express
rmem client 6291456
rmem device 6291456
load stall 4 --seconds 4 || say "stall failed"
check "a reader that never reads stops the sender below 16 MiB" jq -e '.accepted_bytes <= 16777216' "$NP_TMP/load.json"
say "$(cat "$NP_TMP/load.json")"
