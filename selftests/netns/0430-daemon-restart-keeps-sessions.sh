#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A session outlives the daemon that made it; ended bridges are reaped; a crash leaves no key behind.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq ssh ssh-keygen

use_home "$NP_TMP/home"
realm_up - localhost @alice @device @relay
relay_up - localhost
device_up -
client_args
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_np"
SSH=(ssh -o "ProxyCommand=sshnp --stdio ${CLIENT[*]}" -o StrictHostKeyChecking=no -o "UserKnownHostsFile=$NP_TMP/known"
	-o IdentitiesOnly=yes -o BatchMode=yes -i "$HOME/.ssh/id_np" "$ME@dev1")
cat "$HOME/.ssh/id_np.pub" >>"$HOME/.ssh/authorized_keys"

# A remote shell that answers each line, so that "it still lives" is a question and an answer.
mkfifo "$NP_TMP/in"
exec {to}<>"$NP_TMP/in"
"${SSH[@]}" 'while read -r l; do echo "got $l"; done' <"$NP_TMP/in" >"$NP_TMP/out" 2>"$NP_TMP/ssh.err" &
ssh_pid=$!
lives() { # lives WORD
	echo "$1" >&"$to"
	wait_for 20 grep -qx "got $1" "$NP_TMP/out"
}
lives one || fail "no session: $(cat "$NP_TMP/ssh.err")"
ok 'a session is there'
check 'its key entry is there' grep -q sshnp_ephemeral_ "$HOME/.ssh/authorized_keys"

stop sshnpd KILL || true
check 'the session outlives a daemon that is killed' lives two
check 'the entry stays behind' grep -q sshnp_ephemeral_ "$HOME/.ssh/authorized_keys"
sshnpd_up -
check 'the next daemon removes it' refuse grep -q sshnp_ephemeral_ "$HOME/.ssh/authorized_keys"
check 'and disturbs nobody' lives three
stop sshnpd || fail 'sshnpd does not end with 0 on TERM'
check 'the session outlives a daemon that is stopped' lives four

sshnpd_up -
expect_eq 'the new daemon serves' "$("${SSH[@]}" 'echo served' 2>>"$NP_TMP/ssh.err" </dev/null)" served
check 'the bridge of an ended session is reaped' wait_for 10 log_has sshnpd 'session .*: ended .*status=0'
no_zombie() { ! ps --ppid "${DAEMON_PID[sshnpd]}" -o stat= | grep -q Z; }
check 'no zombie' no_zombie
check 'the first session is still there' lives five
exec {to}<&-
kill "$ssh_pid" 2>/dev/null || true
wait "$ssh_pid" 2>/dev/null || true
