#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The main job, live: a private realm, a relay, a device that listens nowhere, and a real OpenSSH session to it.
# As root: client and device in network namespaces behind NAT. Otherwise: everything on loopback.
# SHELL_IN=1 ends in an interactive shell on the device instead of the transfers.
cd "$(dirname "$0")/.." || exit 1
. selftests/harness/lib.sh
. selftests/harness/realm.sh

demo_start=$(np_now_ms)
phase() { # phase TEXT: one line per phase, with its time
	local now
	now=$(np_now_ms)
	printf 'demo: %6d ms  %s\n' $((now - demo_start)) "$*"
}
give_up() {
	echo "demo: failed: $*" >&2
	show_logs >&2
	exit 1
}
fail() { give_up "$@"; } # the harness's own complaints end here too

if [ "$(id -u)" = 0 ]; then
	np_netns_topology
	host=$RELAY_IP where_client=client where_relay=relay where_device=device
	phase 'network: client and device behind NAT, relay and servers between them (5 namespaces)'
else
	host=127.0.0.1 where_client=- where_relay=- where_device=-
	phase 'network: loopback only; without root the NAT and the closed device cannot be shown'
fi
use_home "$NP_TMP/home"
realm_up "$where_relay" "$host" @alice @device @relay
phase "realm: made by npctl; atserverd serves the atDirectory at $ROOT_DOMAIN; @alice, @device, @relay onboarded"
relay_up "$where_relay" "$host"
device_up "$where_device"
phase "srvd and sshnpd serve; the device's sshd is on its loopback only (port $SSHD_PORT)"

if [ "$where_device" != - ]; then
	outside=$(in_ns device ss -Hltn | awk '$4 !~ /^(127\.|\[::1\])/')
	[ -z "$outside" ] || give_up "the device listens on: $outside"
	# A plain connection attempt, from the client to the device's public address and from the relay as well.
	for from in client relay; do
		! in_ns "$from" timeout 2 bash -c "exec 3<>/dev/tcp/$DEVICE_WAN_IP/$SSHD_PORT" 2>/dev/null ||
			give_up "the device was reached from $from without a tunnel"
	done
	phase 'proof: ss shows no listener but loopback, and a direct connection to the device fails'
fi

ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_demo" -C demo
client_args
client=("${CLIENT[@]}" -i "$HOME/.ssh/id_demo")
known=(-o "UserKnownHostsFile=$NP_TMP/known_hosts")

before=$(np_now_ms)
# -x prints the command that a person would run; it goes through the detached bridge.
cmd=$(in_ns "$where_client" sshnp "${client[@]}" -s -u "$ME" -o "${known[*]}" -x 2>"$NP_TMP/sshnp.log") ||
	give_up 'sshnp -x'
session=$(($(np_now_ms) - before))
phase "sshnp: session in $session ms; it says: ${cmd//$NP_TMP/\$TMP}"
answer=$(as_test_home "$where_client" bash -c "$cmd 'echo reached \$(id -un) at \$(hostname) through \$SSH_CONNECTION'" \
	2>>"$NP_TMP/ssh.log") || give_up 'ssh over the session'
phase "ssh: $answer"

proxy="sshnp --stdio ${client[*]}"
over=(-o "ProxyCommand=$proxy" -o HostKeyAlias=dev1@device "${known[@]}" -o StrictHostKeyChecking=yes
	-o IdentitiesOnly=yes -i "$HOME/.ssh/id_demo")
if [ -n "${SHELL_IN:-}" ]; then
	phase 'a shell on the device; leave it with exit'
	as_test_home "$where_client" ssh -t "${over[@]}" "$ME@dev1" || true
	echo "demo: ok (session in $session ms)"
	exit 0
fi

head -c $((64 << 20)) /dev/urandom >"$NP_TMP/up"
as_test_home "$where_client" scp -q "${over[@]}" "$NP_TMP/up" "$ME@dev1:$NP_TMP/there" 2>>"$NP_TMP/ssh.log" ||
	give_up 'scp to the device'
phase 'scp: 64 MiB to the device, through ssh with sshnp --stdio as ProxyCommand'
as_test_home "$where_client" scp -q "${over[@]}" "$ME@dev1:$NP_TMP/there" "$NP_TMP/down" 2>>"$NP_TMP/ssh.log" ||
	give_up 'scp from the device'
phase 'scp: 64 MiB back'
same_content "$NP_TMP/up" "$NP_TMP/there" && same_content "$NP_TMP/up" "$NP_TMP/down" || give_up 'checksums differ'
phase "checksums: all three copies are $(sum_of "$NP_TMP/down" | cut -c1-16)..."
echo "demo: ok (session in $session ms)"
