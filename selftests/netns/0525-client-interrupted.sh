#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Interrupted in any phase, sshnp leaves no process, no key file and no entry behind; without ssh it says what to do.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq ssh ssh-keygen

use_home "$NP_TMP/home"
realm_up - localhost @alice @device @relay
relay_up - localhost
device_up -
client_args

# The ssh of this test says who it is and stays.
mkdir "$NP_TMP/fake"
printf '#!/bin/sh\necho $$ >"%s/ssh.pid"\nexec sleep 600\n' "$NP_TMP" >"$NP_TMP/fake/ssh"
chmod 755 "$NP_TMP/fake/ssh"
bridges() { # of this test's client, by its mark; the device's own end with the session
	local env
	for env in /proc/[0-9]*/environ; do
		grep -qsz "^NP_TEST_MARK=$NP_TEST_MARK\$" "$env" || continue
		tr '\0' ' ' <"${env%environ}cmdline" 2>/dev/null | grep -- '--bind-local-port' || true
	done
}
no_bridge() { [ -z "$(bridges)" ]; }
fake_gone() { np_gone_or_zombie "$(cat "$NP_TMP/ssh.pid")"; }

interrupt() { # interrupt NAME SIGNAL FLAG...: once the fake ssh runs
	local name=$1 signal=$2
	shift 2
	rm -f "$NP_TMP/ssh.pid"
	PATH=$NP_TMP/fake:$PATH start_bg client sshnp "${CLIENT[@]}" -u "$ME" "$@"
	wait_for 30 test -s "$NP_TMP/ssh.pid" || fail "$name: ssh is not started"
	rc=0
	stop client "$signal" || rc=$?
	expect_eq "$name, $signal: exit status" "$rc" 1
	check "$name, $signal: ssh is gone" wait_for 5 fake_gone
	check "$name, $signal: no bridge stays" wait_for 5 no_bridge
	check "$name, $signal: no key file stays" [ -z "$(ls "$HOME/.sshnp" 2>/dev/null)" ]
}
interrupt 'session' TERM
interrupt 'tunnel' TERM --no-et
interrupt 'tunnel' INT --no-et
interrupt 'tunnel of -x' TERM --no-et -x
check 'every entry in authorized_keys goes' wait_for 30 refuse grep -q sshnp_ephemeral_ "$HOME/.ssh/authorized_keys"

# While it waits for a relay that is not there.
stop srvd || true
start_bg client sshnp "${CLIENT[@]}" -u "$ME" -v
wait_for 20 log_has client 'Fetching host and port' || fail 'sshnp does not ask the relay'
rc=0
stop client INT || rc=$?
expect_eq 'waiting for the relay, INT: exit status' "$rc" 1
relay_up - localhost

mkdir "$NP_TMP/nossh"
ln -s "$(command -v sshnp)" "$NP_TMP/nossh/sshnp"
rc=0
err=$(PATH=$NP_TMP/nossh "$NP_TMP/nossh/sshnp" "${CLIENT[@]}" -u "$ME" 2>&1) || rc=$?
expect_eq 'without ssh: exit status' "$rc" 1
check 'without ssh: it says what to install' grep -q 'ssh: cannot run.*openssh-client' <<<"$err"
