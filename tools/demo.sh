#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The main job, live: a private realm, a relay, a device that listens nowhere, and a real OpenSSH session to it.
# As root: client and device in network namespaces behind NAT. Otherwise: everything on loopback.
# SHELL_IN=1 ends in an interactive shell on the device instead of the transfers.
cd "$(dirname "$0")/.." || exit 1
. selftests/harness/lib.sh

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
mkdir -p "$HOME/.atsign/keys"
touch "$HOME/.ssh/authorized_keys"
chmod 600 "$HOME/.ssh/authorized_keys"
realm=$NP_TMP/realm
me=$(id -un)

npctl realm init "$realm" --host "$host" --port 0 --directory-port 0 \
	--atsign @alice --atsign @device --atsign @relay >"$NP_TMP/realm.log" 2>&1 || give_up 'npctl realm init'
phase 'realm: CA, server certificate and three atSigns made by npctl realm init'

start_daemon atserverd -n "$where_relay" atserverd --config "$realm/atserverd.yaml"
root_domain=$host:$(daemon_json atserverd .directory.port)
phase "atserverd: atDirectory at $root_domain, atServer at port $(daemon_json atserverd .atserver.port)"

common=(--root-domain "$root_domain" --root-ca "$realm/ca.pem")
activate() { # activate NS @ATSIGN
	in_ns "$1" at_activate onboard -a "$2" --cram-file "$realm/secrets/$2.cram" "${common[@]}" \
		>>"$NP_TMP/at_activate.log" 2>&1 || give_up "at_activate onboard -a $2"
}
activate "$where_client" @alice
activate "$where_device" @device
activate "$where_relay" @relay
phase 'at_activate: @alice, @device and @relay onboarded, keys made where they are used'

start_sshd "$where_device" "$NP_TMP/sshd.port"
sshd_port=$(cat "$NP_TMP/sshd.port")
start_daemon srvd -n "$where_relay" srvd -a @relay -i "$host" -m @alice "${common[@]}"
USER=$me start_daemon sshnpd -n "$where_device" sshnpd -a @device -m @alice -d demo -s --local-sshd-port "$sshd_port" \
	--permit-open "localhost:$sshd_port" "${common[@]}"
phase "srvd and sshnpd serve; the device's sshd is on its loopback only (port $sshd_port)"

if [ "$where_device" != - ]; then
	outside=$(in_ns device ss -Hltn | awk '$4 !~ /^(127\.|\[::1\])/')
	[ -z "$outside" ] || give_up "the device listens on: $outside"
	# A plain connection attempt, from the client to the device's public address and from the relay as well.
	for from in client relay; do
		! in_ns "$from" timeout 2 bash -c "exec 3<>/dev/tcp/$DEVICE_WAN_IP/$sshd_port" 2>/dev/null ||
			give_up "the device was reached from $from without a tunnel"
	done
	phase 'proof: ss shows no listener but loopback, and a direct connection to the device fails'
fi

ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_demo" -C demo
client=(-f @alice -t @device -d demo -r @relay -i "$HOME/.ssh/id_demo" "${common[@]}")
known=(-o "UserKnownHostsFile=$NP_TMP/known_hosts")

before=$(np_now_ms)
# -x prints the command that a person would run; it goes through the detached bridge.
cmd=$(in_ns "$where_client" sshnp "${client[@]}" -s -u "$me" -o "${known[*]}" -x 2>"$NP_TMP/sshnp.log") ||
	give_up 'sshnp -x'
session=$(($(np_now_ms) - before))
phase "sshnp: session in $session ms; it says: ${cmd//$NP_TMP/\$TMP}"
answer=$(in_ns "$where_client" bash -c "$cmd 'echo reached \$(id -un) at \$(hostname) through \$SSH_CONNECTION'" \
	2>>"$NP_TMP/ssh.log") || give_up 'ssh over the session'
phase "ssh: $answer"

proxy="sshnp --stdio ${client[*]}"
over=(-o "ProxyCommand=$proxy" -o HostKeyAlias=demo@device "${known[@]}" -o StrictHostKeyChecking=yes
	-o IdentitiesOnly=yes -i "$HOME/.ssh/id_demo")
if [ -n "${SHELL_IN:-}" ]; then
	phase 'a shell on the device; leave it with exit'
	in_ns "$where_client" ssh -t "${over[@]}" "$me@demo" || true
	echo "demo: ok (session in $session ms)"
	exit 0
fi

head -c $((64 << 20)) /dev/urandom >"$NP_TMP/up"
in_ns "$where_client" scp -q "${over[@]}" "$NP_TMP/up" "$me@demo:$NP_TMP/there" 2>>"$NP_TMP/ssh.log" ||
	give_up 'scp to the device'
phase 'scp: 64 MiB to the device, through ssh with sshnp --stdio as ProxyCommand'
in_ns "$where_client" scp -q "${over[@]}" "$me@demo:$NP_TMP/there" "$NP_TMP/down" 2>>"$NP_TMP/ssh.log" ||
	give_up 'scp from the device'
phase 'scp: 64 MiB back'
same_content "$NP_TMP/up" "$NP_TMP/there" && same_content "$NP_TMP/up" "$NP_TMP/down" || give_up 'checksums differ'
phase "checksums: all three copies are $(sum_of "$NP_TMP/down" | cut -c1-16)..."
echo "demo: ok (session in $session ms)"
