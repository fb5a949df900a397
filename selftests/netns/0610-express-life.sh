#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Promoted pairs: their latency, their ends, a relay that dies, senders that know only the ports, other programs.
. "$(dirname "$0")/../harness/lib.sh"
# shellcheck source=selftests/harness/express.sh
. "$(dirname "$0")/../harness/express.sh"
need_express
xp_up
xp_serve

in_ns relay tc qdisc add dev toc clsact
in_ns relay tc filter add dev toc ingress protocol all prio 77 u32 match u32 0 0 flowid 1:1
xp_relay relay4 4 --backend express

# --- latency -----------------------------------------------------------------------------------------------------
start_bg echo -n device xpstep echo 10.91.2.1 7002
start_daemon step -n relay xprelay --listen 10.91.1.2:7102 --to 10.91.2.1:7002 --backend express
wait_for 10 xp_listens device 7002 || fail "the echo server does not listen"
best=1000
for try in 1 2 3 4 5; do
	in_ns client xpstep ping 10.91.1.2 7102 1000 >"$NP_TMP/step.json" || fail "ping-pong through the relay breaks"
	say "try $try: $(cat "$NP_TMP/step.json")"
	best=$(jq --argjson best "$best" '[.max_ms, $best] | min' "$NP_TMP/step.json")
done
check "live connections were taken over" [ "$(xp_status step .promoted)" -ge 4 ]
check "the take-over costs no wait of more than 20 ms" jq -en "$best < 20"

# --- ends --------------------------------------------------------------------------------------------------------
express_pings() { # express_pings NAME RELAY COUNT SECONDS: live connections, all of them promoted
	: >"$NP_TMP/$1.log"
	start_load "$1" ping 4 --connections "$3" --bytes 1 --seconds "$4"
	check "$3 live connections get into express" wait_for 5 xp_is "$2" ".express == $3"
}
no_sockets() { [ "$(sockets_in "$1")" = 0 ]; }

express_pings pings relay4 10 30
expect_eq "the relay has no socket of them" "$(sockets_in relay)" 0
kill -USR2 "${DAEMON_PID[relay4]}"
check "killing promoted pairs resets the clients" load_fails pings
check "and the device's ends" wait_for 5 no_sockets device

express_pings pings relay4 5 30
stop pings KILL || true
check "a client that dies ends its pairs" wait_for 5 xp_is relay4 '.pairs == 0'
check "and frees the device's ends" wait_for 5 no_sockets device

# --- idle --------------------------------------------------------------------------------------------------------
start_daemon idle -n relay xprelay --listen 10.91.1.2:7103 --to 10.91.2.1:7000 --backend express --idle-ms 4000
in_ns client bash -c 'exec 3<>/dev/tcp/10.91.1.2/7103; read -r -t 20 line <&3; echo "rc $?"' >"$NP_TMP/silent.out" 2>&1 &
check "a silent pair gets into express" wait_for 5 xp_is idle '.express == 1'
check "its idle limit ends it" wait_for 10 xp_is idle '.pairs == 0'
expect_eq "in express, for that reason" "$(ends idle '.reason == "idle" and .backend == "express"')" 1
check "and its client is reset" wait_for 5 no_sockets client

# --- a rogue sender ----------------------------------------------------------------------------------------------
port_of() { # port_of NS FILTER...: local port of the one connection
	in_ns "$1" ss -Htn state established "${@:2}" | awk '{ n = split($3, a, ":"); print a[n] }' | head -n 1
}
peer_port_of() { # peer_port_of NS FILTER...
	in_ns "$1" ss -Htn state established "${@:2}" | awk '{ n = split($4, a, ":"); print a[n] }' | head -n 1
}
express_pings pings relay4 1 8
cport=$(port_of client dport = :7100)
dport=$(peer_port_of device sport = :7000)
in_ns client xprogue 10.91.1.1 "$cport" 10.91.1.2 7100 4000 1 || fail "cannot forge segments"
in_ns device xprogue 10.91.2.1 7000 10.91.2.2 "$dport" 4000 2 || fail "cannot forge segments"
check "48000 forged segments later the pair is alive" xp_is relay4 '.express == 1'
end_load pings 20 || not_ok "and undisturbed to its end"
cp "$NP_TMP/pings.log" "$NP_TMP/rogue.json"
check "its client saw no failure" jq -e '.failed == 0 and .count > 1000' "$NP_TMP/rogue.json"

# --- a relay that dies -------------------------------------------------------------------------------------------
express_pings pings relay4 10 10
stop relay4 || not_ok "the relay ends in order"
xp_relay second 4 --backend express
expect_eq "SIGTERM of the relay leaves the sessions" "$(sockets_in client)" 10
load ping 4 --connections 1 --bytes 1 --seconds 0.3 || fail "the second relay does not work"
check "the second relay adopts them" wait_for 3 xp_is second '.orphans == 10'
stop second KILL || true
expect_eq "SIGKILL of the relay leaves the sessions" "$(sockets_in client)" 10
xp_relay again 4 --backend express
load ping 4 --connections 1 --bytes 1 --seconds 0.3 || fail "the new relay does not work"
check "the third relay adopts them" wait_for 3 xp_is again '.orphans == 10'
end_load pings 20 || not_ok "the sessions end by themselves only"
check "with nothing lost" jq -e '.failed == 0 and .count > 5000' "$NP_TMP/pings.log"
check "and their ends are noticed" wait_for 5 xp_is again '.orphans == 0'

# --- others, and flush -------------------------------------------------------------------------------------------
check "a filter that was there before is there still" bash -c \
	"nsenter --net=/run/netns/$(ns_name relay) tc filter show dev toc ingress | grep -q 'pref 77 u32'"
express_pings pings again 5 30
in_ns relay xpflush || fail "flush fails"
check "flush ends what is in express" load_fails pings
check "the relay notices" wait_for 5 xp_is again '.pairs == 0'
load ping 4 --connections 3 --bytes 1 --seconds 0.5 || not_ok "connections work after a flush"
check "and goes on in user space" log_has again 'its table was flushed'
