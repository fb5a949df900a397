#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What atserverd acknowledged survives kill -9: it is killed in a loop under concurrent writes and notifications, and in
# the end every acknowledged record, counter and notification is there, and every notification was delivered.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq

ROUNDS=12
use_home "$NP_TMP/home"
realm_up - 127.0.0.1 @alice @bob
DIR_PORT=${ROOT_DOMAIN##*:}
keys=$HOME/.atsign/keys
load=("${COMMON[@]}" -a @alice -k "$keys/@alice_key.atKeys" --to @bob --journal "$NP_TMP/journal")

start_again() { # the directory must be where the writers know it; the atServer's port may change
	start_daemon atserverd atserverd --config "$REALM/atserverd.yaml" --directory-port "$DIR_PORT"
}
lines() { wc -l <"$NP_TMP/journal"; }
has_lines() { [ "$(lines)" -ge "$1" ]; }

touch "$NP_TMP/journal"
start_bg atload atload write "${load[@]}" --conns 6
slow=0
for ((round = 1; round <= ROUNDS; round++)); do
	# Killed at ever other moments of the write, checkpoints included.
	wait_for 20 has_lines $(($(lines) + 20 + RANDOM % 300)) || slow=$((slow + 1))
	stop atserverd KILL 2>/dev/null || true
	start_again
done
expect_eq "writers went on after each of $ROUNDS kills" "$slow" 0
wait_for 20 has_lines $(($(lines) + 20)) || fail 'writers do not go on after the last kill'
rc=0
stop atload || rc=$?
expect_eq 'the writers end in order' "$rc" 0
say "atload: $(tail -n 1 "$NP_TMP/atload.log")"
check 'connections were really cut under writes' test "$(tail -n 1 "$NP_TMP/atload.log" | jq .lost)" -ge "$ROUNDS"
expect_eq 'nothing was refused' "$(tail -n 1 "$NP_TMP/atload.log" | jq .refused)" 0

# The check must be one that can fail.
sed '5s/.*/n 00000000-0000-4000-8000-000000000000/; 6s/.*/u r0_none.load@alice/' "$NP_TMP/journal" >"$NP_TMP/journal.bad"
check 'a change that never was would be missed' refuse \
	atload check "${load[@]}" --to-keys "$keys/@bob_key.atKeys" --journal "$NP_TMP/journal.bad" --deadline 8s
check 'every acknowledged change is there' atload check "${load[@]}" --to-keys "$keys/@bob_key.atKeys"
stop atserverd KILL 2>/dev/null || true
start_again
check 'and after one more kill' atload check "${load[@]}" --to-keys "$keys/@bob_key.atKeys"
rc=0
stop atserverd || rc=$?
expect_eq 'atserverd ends in order' "$rc" 0
check 'the realm can be read while nothing runs' npctl realm list "$REALM"
