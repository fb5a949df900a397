#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# time-limit: 240
# npt, all programs ours, client and device behind NAT: many connections in one session, checked byte by byte; every
# way of starting it; what the client hears when the target is not there or not permitted.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
LOAD=$NP_BUILD/bench/npload
[ -x "$LOAD" ] || skip "needs build/bench/npload (make test builds it)"

np_netns_topology
use_home "$NP_TMP/home"
realm_up relay "$RELAY_IP" @alice @device @relay
relay_up relay "$RELAY_IP"
start_daemon load -n device "$LOAD" server --listen 127.0.0.1
start_daemon lan -n dnat "$LOAD" server --listen 192.168.12.1
PORT=$(daemon_json load .port) LAN=$(daemon_json lan .port) DEAD=$(free_port device)
device_up device --permit-open "localhost:$PORT,localhost:$DEAD,192.168.12.1:$LAN"
client_args

listening() { sed -n 's/^npt is listening on .*:\([0-9]*\)$/\1/p' "$NP_TMP/$1.log" | tail -n 1; }
npt_up() { # npt_up NAME FLAG...: returns when it listens; LOCAL is its port
	local name=$1
	shift
	start_bg "$name" -n client npt "${CLIENT[@]}" "$@"
	wait_for 20 log_has "$name" '^npt is listening on ' || fail "$name does not listen"
	LOCAL=$(listening "$name")
}
load() { in_ns client "$LOAD" client integrity --to "$1" "${@:2}"; }
np_npt() { in_ns client timeout 30 npt "${CLIENT[@]}" "$@" >"$NP_TMP/out" 2>"$NP_TMP/err"; }
exit_of() { # exit_of FLAG...: of an npt that ends by itself
	local rc=0
	np_npt "$@" || rc=$?
	echo "$rc"
}
says() { grep -qF -- "$1" "$NP_TMP/err"; }
has_ended() { ! is_running "$1"; }

npt_up one -p "$PORT" -T 1h
check 'one connection, 4 MiB each way, half-closed by the client' load "127.0.0.1:$LOCAL" --bytes 4194304
check '100 connections at once' load "127.0.0.1:$LOCAL" --connections 100 --bytes 65536
check 'and 100 more in the same session' load "127.0.0.1:$LOCAL" --connections 100 --bytes 1000
check 'it listens on loopback alone' \
	[ "$(in_ns client ss -Hltn "sport = :$LOCAL" | awk '{print $4}')" = "127.0.0.1:$LOCAL" ]

# The target goes away in the middle of a session: its connections end at once, and the session is none the worse.
stop load || true
# shellcheck disable=SC2016
check 'a target that has gone ends the connection' in_ns client timeout 10 bash -c \
	'exec 3<>"/dev/tcp/127.0.0.1/$0" && echo anybody >&3 && [ -z "$(cat <&3)" ]' "$LOCAL"
check 'not the session' is_running one
start_daemon load -n device "$LOAD" server --listen 127.0.0.1 --port "$PORT"
check 'which serves again when the target is back' load "127.0.0.1:$LOCAL" --connections 3 --bytes 1000
rc=0; stop one || rc=$?
expect_eq 'a signal ends it with 1' "$rc" 1

npt_up lan -p "$LAN" -h 192.168.12.1
check "a host of the device's network" load "127.0.0.1:$LOCAL" --connections 5 --bytes 100000
stop lan || true

npt_up clear -p "$PORT" --no-et
check '--no-et' load "127.0.0.1:$LOCAL" --connections 20 --bytes 100000
stop clear || true

npt_up bound -p "$PORT" --local-host "$CLIENT_IP"
check '--local-host: reached at that address' load "$CLIENT_IP:$LOCAL" --bytes 1000
check 'and at no other' refuse load "127.0.0.1:$LOCAL" --bytes 1000
stop bound || true

npt_up short -p "$PORT" -T 1s
check '-T: with nothing open the session ends' wait_for 15 has_ended short
rc=0; stop short || rc=$?
expect_eq 'with 0' "$rc" 0

# --- detached ---
expect_eq '-x leaves with 0' "$(exit_of -p "$PORT" -x -T 5s)" 0
LOCAL=$(cat "$NP_TMP/out")
check 'and prints the port, nothing else' grep -qxE '[0-9]+' "$NP_TMP/out"
check 'where its session serves' load "127.0.0.1:$LOCAL" --connections 5 --bytes 100000
check 'until its timeout' wait_for 15 refuse np_listens client "$LOCAL"

# --- kept alive ---
npt_up kept -p "$PORT" -K
KEPT=$LOCAL
check '-K: serves' load "127.0.0.1:$KEPT" --bytes 1000
expect_eq 'another npt on that port' "$(exit_of -p "$PORT" -l "$KEPT")" 1
check 'says that it is taken' says "cannot listen on 127.0.0.1 port $KEPT: Address already in use"
stop srvd KILL 2>/dev/null || true
# What the kernel carries for the relay may outlive it; a new connection cannot.
refuse load "127.0.0.1:$KEPT" --bytes 1000 >>"$NP_TMP/load.log" 2>&1 || not_ok 'a connection without a relay fails'
check 'the end of the relay is told' wait_for 20 log_has kept 'npt: session ended: (session|relay).*a new one starts in 5 s'
relay_up relay "$RELAY_IP"
check 'a new session on the same port' wait_for 40 load "127.0.0.1:$KEPT" --bytes 1000
expect_eq 'is what it says' "$(grep -c "^npt is listening on localhost:$KEPT\$" "$NP_TMP/kept.log")" 2
stop kept || true

# --- what the client hears ---
expect_eq 'nothing listens there' "$(exit_of -p "$DEAD")" 1
check 'says so' says "local target: localhost:$DEAD: cannot connect: Connection refused"
expect_eq 'a port that permit-open does not name' "$(exit_of -p 1)" 1
check 'names it and the list' says "Connection to localhost:1 denied based on daemon --permit-open [localhost:"
expect_eq 'localhost by another name' "$(exit_of -p "$PORT" -h 127.0.0.1)" 1
check 'is another host' says "Connection to 127.0.0.1:$PORT denied"

# --- usage ---
expect_eq '-K with -x' "$(exit_of -p 22 -K -x)" 2
check 'says why' says '--keep-alive and --exit-when-connected are mutually exclusive'
expect_eq 'port 65558' "$(exit_of -p 65558)" 2
expect_eq 'a timeout that is none' "$(exit_of -p 22 -T soon)" 2
expect_eq 'a local host that is a name' "$(exit_of -p 22 --local-host example.org)" 2
expect_eq 'a remote host that would be two words' "$(exit_of -p 22 -h 'a b')" 2
check 'no bridge is left on the device' wait_for 20 bash -c \
	"! ip netns pids '$(ns_name device)' | xargs -r ps -o comm= -p | grep -qx srv"
