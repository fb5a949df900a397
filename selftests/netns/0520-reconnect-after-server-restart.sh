#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# time-limit: 300
# atserverd is stopped, killed, frozen and cut off under connected programs: relay and daemon come back by themselves
# and serve the next session, and running sessions do not notice.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq ssh ssh-keygen

np_netns_topology
use_home "$NP_TMP/home"
realm_up relay "$RELAY_IP" @alice @device @relay
PORTS=(--port "$(daemon_json atserverd .atserver.port)" --directory-port "$(daemon_json atserverd .directory.port)")
relay_up relay "$RELAY_IP"
device_up device
client_args
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_np"
cat "$HOME/.ssh/id_np.pub" >>"$HOME/.ssh/authorized_keys"
SSH=(ssh -o "ProxyCommand=sshnp --stdio ${CLIENT[*]}" -o StrictHostKeyChecking=no -o "UserKnownHostsFile=$NP_TMP/known"
	-o IdentitiesOnly=yes -o BatchMode=yes -i "$HOME/.ssh/id_np" "$ME@dev1")
np_ssh() { as_test_home client "${SSH[@]}" "$@" 2>>"$NP_TMP/ssh.log"; }

server_up() { start_daemon atserverd -n relay atserverd --config "$REALM/atserverd.yaml" "${PORTS[@]}"; }
count() { grep -cE -- "$2" "$NP_TMP/$1.log" || true; }
has_more() { [ "$(count "$1" "$2")" -gt "$3" ]; } # has_more LOG REGEX THAN
note_marks() {
	relay_ups=$(count srvd 'listening for requests') relay_downs=$(count srvd 'requests are not heard')
	device_ups=$(count sshnpd 'monitor: serving') device_downs=$(count sshnpd 'monitor: no connection')
}
# Back-off grows to half a minute; what is shorter than that never waits so long.
all_back() {
	wait_for 45 has_more srvd 'listening for requests' "$relay_ups" || fail "$1: the relay does not come back"
	wait_for 45 has_more sshnpd 'monitor: serving' "$device_ups" || fail "$1: the daemon does not come back"
	ok "$1: relay and daemon are back by themselves"
}
serves() { expect_eq "$1: the next session works" "$(np_ssh "echo served-$2" </dev/null)" "served-$2"; }

# A session that runs through all of it.
mkfifo "$NP_TMP/in"
exec {to}<>"$NP_TMP/in"
np_ssh 'while read -r l; do echo "got $l"; done' <"$NP_TMP/in" >"$NP_TMP/out" &
lives() { # lives WORD
	echo "$1" >&"$to"
	wait_for 20 grep -qx "got $1" "$NP_TMP/out"
}
lives start || fail 'no session before the restart'

note_marks
stop atserverd || fail 'atserverd does not end with 0 on TERM'
rc=0
err=$(in_ns client sshnp "${CLIENT[@]}" -u "$ME" -x 2>&1) || rc=$?
expect_eq 'without a server sshnp fails' "$rc" 1
check 'and names the hop' grep -qE "directory: .*$ROOT_DOMAIN" <<<"$err"
server_up
all_back 'restart'
serves 'restart' 1

note_marks
stop atserverd KILL 2>/dev/null || true
server_up
all_back 'kill -9'
serves 'kill -9' 2

# Frozen, it keeps every connection and answers none.
note_marks
kill -STOP "${DAEMON_PID[atserverd]}"
wait_for 60 has_more sshnpd 'monitor: no connection' "$device_downs" ||
	fail 'the daemon does not notice a server that is frozen'
wait_for 60 has_more srvd 'requests are not heard' "$relay_downs" ||
	fail 'the relay does not notice a server that is frozen'
kill -CONT "${DAEMON_PID[atserverd]}"
all_back 'frozen server'
serves 'frozen server' 3

# The device's link loses everything, without a word to either end.
note_marks
in_ns relay nft -f - <<'NFT' || skip 'kernel lacks nftables'
table inet cut {
	chain in { type filter hook prerouting priority -150; iifname "tod" drop; }
	chain out { type filter hook postrouting priority 150; oifname "tod" drop; }
}
NFT
wait_for 60 has_more sshnpd 'monitor: no connection' "$device_downs" ||
	fail 'the daemon does not notice that its link is dead'
in_ns relay nft delete table inet cut
wait_for 60 has_more sshnpd 'monitor: serving' "$device_ups" || fail 'dead link: the daemon does not come back'
ok 'dead link: the daemon is back by itself'
serves 'dead link' 4

check 'the session that ran through all this still lives' lives end
exec {to}<&-
for p in srvd sshnpd; do check "$p was never restarted" is_running "$p"; done
