#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A session that the kernel forwards outlives the relay's process: its orderly end, its kill -9, and the next one's start.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"

np_netns_topology
use_home "$NP_TMP/home"
realm_up relay "$RELAY_IP" @alice @device @relay
relay_up relay "$RELAY_IP" --backend express
device_up device
client_args
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_np" -C test
cat "$HOME/.ssh/id_np.pub" >>"$HOME/.ssh/authorized_keys"
OVER=(-o "ProxyCommand=sshnp --stdio ${CLIENT[*]}" -o HostKeyAlias=dev1@device -o "UserKnownHostsFile=$NP_TMP/known_hosts"
	-o StrictHostKeyChecking=accept-new -o BatchMode=yes -i "$HOME/.ssh/id_np")

# A shell that answers each line, held open by a fifo.
mkfifo "$NP_TMP/in"
as_test_home client ssh "${OVER[@]}" "$ME@dev1" 'while read -r line && [ "$line" != bye ]; do echo "got $line"; done' <"$NP_TMP/in" >"$NP_TMP/out" \
	2>>"$NP_TMP/ssh.log" &
session=$!
exec {in}>"$NP_TMP/in"
answers() { # answers TEXT: the session takes a line and answers it
	echo "$1" >&"$in"
	wait_for 20 grep -qx "got $1" "$NP_TMP/out"
}
promoted() { [ "$(in_ns relay npctl express status --json | jq .directions)" -ge 2 ]; }

check 'the session works' answers one
check 'the kernel forwards it' wait_for 20 promoted || in_ns relay npctl express status
stop srvd || true
check 'it goes on after an orderly end of srvd' answers two
relay_up relay "$RELAY_IP" --backend express
check 'and beside the next srvd' answers three
stop srvd KILL || true
check 'and after kill -9 of that one' answers four
relay_up relay "$RELAY_IP" --backend express
expect_eq 'new sessions are served' "$(as_test_home client ssh "${OVER[@]}" "$ME@dev1" 'echo new' 2>>"$NP_TMP/ssh.log")" new
check 'the old one still answers' answers five
# The daemons started meanwhile hold the fifo open too, so the session is told to end.
echo bye >&"$in"
exec {in}>&-
rc=0
wait "$session" || rc=$?
expect_eq 'and ends in order' "$rc" 0
