#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# time-limit: 240
# The main job, all programs ours, client and device behind NAT: real ssh, scp, sftp and rsync-like use, every mode of sshnp.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"

np_netns_topology
use_home "$NP_TMP/home"
realm_up relay "$RELAY_IP" @alice @device @relay @mallory
relay_up relay "$RELAY_IP"
device_up device
client_args
ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_np" -C test
KNOWN=(-o "UserKnownHostsFile=$NP_TMP/known_hosts")

np_sshnp() { as_test_home client sshnp "${CLIENT[@]}" "$@" 2>>"$NP_TMP/sshnp.log"; }

# The first session sends the key (-s), asks the device for the user name (no -u), and runs ssh itself.
out=$(np_sshnp -s -i "$HOME/.ssh/id_np" -o "${KNOWN[*]}" -o "-o RemoteCommand=echo-$$" -x) || fail 'sshnp -x'
case $out in
"ssh -p "*"-o HostKeyAlias=dev1@device -o StrictHostKeyChecking=accept-new -o IdentitiesOnly=yes "*"$ME@localhost -i "*)
	ok 'sshnp -x prints the ssh command, with the shared user name and a HostKeyAlias' ;;
*) not_ok 'sshnp -x prints the ssh command'; say "$out" ;;
esac

out=$(np_sshnp -s -i "$HOME/.ssh/id_np" -u "$ME" -o "${KNOWN[*]}" -x) || fail 'second sshnp -x'
expect_eq 'the printed command works' "$(as_test_home client bash -c "$out 'echo hello-\$((40+2))'" 2>>"$NP_TMP/ssh.log")" hello-42
check 'the pushed key stands in authorized_keys once' [ "$(grep -c "$(cut -d' ' -f2 "$HOME/.ssh/id_np.pub")" "$HOME/.ssh/authorized_keys")" = 1 ]

# sshnp as the person runs it: ssh inherits the terminal (here: none) and passes its exit code on.
rc=0
np_sshnp -i "$HOME/.ssh/id_np" -u "$ME" -o "${KNOWN[*]}" -o "-o RemoteCommand=none" -q </dev/null >"$NP_TMP/plain" || rc=$?
expect_eq "ssh's exit code is passed on (an empty shell session)" "$rc" 0

PROXY="sshnp --stdio ${CLIENT[*]}"
OVER=(-o "ProxyCommand=$PROXY" -o HostKeyAlias=dev1@device "${KNOWN[@]}" -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes
	-o BatchMode=yes -i "$HOME/.ssh/id_np")
np_ssh() { as_test_home client ssh "${OVER[@]}" "$ME@dev1" "$@" 2>>"$NP_TMP/ssh.log"; }

rc=0
np_ssh 'exit 37' || rc=$?
expect_eq 'ssh over --stdio, host key checked, exit code 37' "$rc" 37
expect_eq 'standard input reaches the device to its end' "$(echo from-client | np_ssh 'tr a-z A-Z')" FROM-CLIENT

head -c 5000000 /dev/urandom >"$NP_TMP/up"
check 'scp to the device' as_test_home client scp -q "${OVER[@]}" "$NP_TMP/up" "$ME@dev1:$NP_TMP/there"
check 'scp from the device' as_test_home client scp -q "${OVER[@]}" "$ME@dev1:$NP_TMP/there" "$NP_TMP/down"
check 'scp changed no byte' same_content "$NP_TMP/up" "$NP_TMP/down"
echo "get $NP_TMP/there $NP_TMP/sftp-down" | as_test_home client sftp -q -b - "${OVER[@]}" "$ME@dev1" >>"$NP_TMP/ssh.log" 2>&1 || true
check 'sftp as well' same_content "$NP_TMP/up" "$NP_TMP/sftp-down"

# Four sessions at once: each has its own ports, keys and entries.
pids=()
for i in 1 2 3 4; do
	np_ssh "echo par-$i" >"$NP_TMP/par$i" &
	pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || true; done
expect_eq 'four sessions at once' "$(cat "$NP_TMP"/par[1-4] | sort | tr '\n' ' ')" 'par-1 par-2 par-3 par-4 '

# Without the bridges' encryption, and without relay authentication.
OVER[1]="ProxyCommand=$PROXY --no-et"
expect_eq 'ssh over --stdio --no-et' "$(np_ssh 'echo plain')" plain
OVER[1]="ProxyCommand=$PROXY --no-ac --no-ad"
expect_eq 'ssh with neither side authenticating to the relay' "$(np_ssh 'echo none')" none
OVER[1]="ProxyCommand=$PROXY"

out=$(np_sshnp -i "$HOME/.ssh/id_np" -u "$ME" -o "${KNOWN[*]}" --remote-sshd-port "$SSHD_PORT" --no-et -x) || fail 'sshnp --no-et -x'
expect_eq 'the tunnel session of --no-et carries the user session' \
	"$(as_test_home client bash -c "$out 'echo tunnelled'" 2>>"$NP_TMP/ssh.log")" tunnelled
check 'the ephemeral key left no file' [ -z "$(ls "$HOME/.sshnp" 2>/dev/null)" ]
wait_for 30 refuse grep -q sshnp_ephemeral_ "$HOME/.ssh/authorized_keys" || not_ok 'ephemeral entries are removed on time'
ok 'ephemeral entries are removed on time'

in_ns client sshnp --list-devices "${CLIENT[@]}" 2>"$NP_TMP/list" || fail 'sshnp --list-devices'
check 'the device is listed as active, with its services' grep -A2 -x 'Active Devices:' "$NP_TMP/list"
check 'with its permitted services' grep -q "allowedServices: localhost:$SSHD_PORT" "$NP_TMP/list"

printf 'FROM=@alice\n# a comment\nTO=@device\nDEVICE=dev1\nSRVD=@relay\n' >"$NP_TMP/profile.env"
out=$(in_ns client sshnp --config-file "$NP_TMP/profile.env" -u "$ME" "${COMMON[@]}" -x 2>>"$NP_TMP/sshnp.log") || true
check 'a config file stands in for flags' [ "${out#ssh -p }" != "$out" ]

# A restart of the daemon ends no session: the bridge is a process of its own.
mkfifo "$NP_TMP/hold"
np_ssh "echo up; read -r line; echo got-\$line" <"$NP_TMP/hold" >"$NP_TMP/held" &
held=$!
exec {hold}>"$NP_TMP/hold"
wait_for 20 grep -q up "$NP_TMP/held" || fail 'the held session does not start'
stop sshnpd || true
sshnpd_up device
echo after-restart >&"$hold"
exec {hold}>&-
wait "$held" || true
check 'a session outlives a restart of sshnpd' grep -qx got-after-restart "$NP_TMP/held"
expect_eq 'and new ones are served' "$(np_ssh 'echo again')" again
# The sessions that were printed and never used end with the relay's 30 s.
check 'no bridge is left behind' wait_for 45 bash -c "! ip netns pids '$(ns_name device)' | xargs -r ps -o comm= -p | grep -qx srv"
