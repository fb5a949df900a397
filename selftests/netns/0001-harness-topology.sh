#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The stage itself: client and device reach the relay, nobody reaches them, and a private sshd serves one loopback.
. "$(dirname "$0")/../harness/lib.sh"
np_netns_topology
need_cmd ssh ssh-keygen ss

connect() { # connect NS HOST PORT
	# shellcheck disable=SC2016
	in_ns "$1" timeout 1 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" || return 1
}

use_home "$NP_TMP/home"
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id"
cp "$HOME/.ssh/id.pub" "$HOME/.ssh/authorized_keys"

start_sshd relay "$NP_TMP/relay-port" 0.0.0.0 ::
relay_port=$(cat "$NP_TMP/relay-port")
for ns in client device; do
	check "$ns reaches the relay" connect "$ns" "$RELAY_IP" "$relay_port"
	check "$ns reaches the relay by IPv6" connect "$ns" "$RELAY_IP6" "$relay_port"
done

peer_seen() { # peer_seen NS: the address that the relay sees
	# shellcheck disable=SC2016
	in_ns "$1" bash -c 'exec 3<>"/dev/tcp/$0/$1"; exec nsenter --net="$2" ss -Htn state established "sport = :$1"' \
		"$RELAY_IP" "$relay_port" "/run/netns/$(ns_name relay)" | grep -o "198\.51\.100\.[0-9]*" | sort -u
}
expect_eq "the client appears with its NAT's address" "$(peer_seen client)" "$CLIENT_WAN_IP"
expect_eq "the device appears with its NAT's address" "$(peer_seen device)" "$DEVICE_WAN_IP"

# This listener accepts on every address: it is the NAT that keeps people out.
start_sshd device "$NP_TMP/port" 0.0.0.0 ::
port=$(cat "$NP_TMP/port")
check "the device reaches its own listener" connect device "$DEVICE_IP" "$port"
for host in "$DEVICE_IP" "$DEVICE_WAN_IP" "$DEVICE_IP6"; do
	check "nobody reaches the device at $host" refuse connect relay "$host" "$port"
done
stop sshd-device || true

start_sshd device "$NP_TMP/port"
port=$(cat "$NP_TMP/port")
check "sshd answers on the device's loopback" connect device 127.0.0.1 "$port"
check "sshd does not answer on the device's address" refuse connect device "$DEVICE_IP" "$port"

run_ssh() {
	in_ns device ssh -F none -i "$HOME/.ssh/id" -p "$port" -o BatchMode=yes \
		-o UserKnownHostsFile="$NP_TMP/known" -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR \
		"$(id -un)@127.0.0.1" "$@"
}
expect_eq "ssh logs in with the test's key" "$(run_ssh echo hello)" hello
expect_eq "the session's home is the test's" "$(run_ssh pwd)" "$HOME"
