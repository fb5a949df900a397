#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The disk under atserverd fills up: changes are refused with an error, the process stays, everything can still be read,
# nothing acknowledged is lost, and it goes on by itself when there is room again.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_root
need_cmd jq unshare

use_home "$NP_TMP/home"
REALM=$NP_TMP/realm
npctl realm init "$REALM" --host 127.0.0.1 --port 0 --directory-port 0 --atsign @alice --atsign @bob >"$NP_TMP/said" ||
	fail 'realm init'

# A small disk of its own, in a mount namespace of its own.
# shellcheck disable=SC2016
small='mkdir "$1.disk" && mount -t tmpfs -o size=6m none "$1.disk" && cp -p "$1"/* "$1.disk" &&
	mount --bind "$1.disk" "$1" && shift && exec "$@"'
start_daemon atserverd unshare -m sh -c "$small" sh "$REALM/data" atserverd --config "$REALM/atserverd.yaml"
pid=${DAEMON_PID[atserverd]}
disk=/proc/$pid/root$REALM/data
ROOT_DOMAIN=127.0.0.1:$(daemon_json atserverd .directory.port)
COMMON=(--root-domain "$ROOT_DOMAIN" --root-ca "$REALM/ca.pem")
mkdir -p "$HOME/.atsign/keys"
realm_activate - @alice
realm_activate - @bob
keys=$HOME/.atsign/keys
load=("${COMMON[@]}" -a @alice -k "$keys/@alice_key.atKeys" --to @bob --journal "$NP_TMP/journal")
lines() { wc -l <"$NP_TMP/journal"; }
has_lines() { [ "$(lines)" -ge "$1" ]; }
check_all() { atload check "${load[@]}" --to-keys "$keys/@bob_key.atKeys"; }

check 'writes while there is room' atload write "${load[@]}" --ops 300
start_bg atload atload write "${load[@]}" --conns 4
wait_for 20 has_lines 350 || fail 'no writes'
dd if=/dev/zero of="$disk/fill" bs=64k 2>/dev/null || true
check 'the disk is full' refuse dd if=/dev/zero of="$disk/fill2" bs=64k count=1
check 'changes are refused, and the client hears it' wait_for 60 log_has atload 'first refusal'
expect_eq 'atserverd stays' "$(is_running atserverd && echo yes)" yes
check 'its log says what and where' wait_for 5 log_has atserverd 'cannot store data.*realm.db'
# A refused change ends its connection (atprotocol.md 4.3), and with it what else came in the same turn of the loop.
rc=0
stop atload || rc=$?
check 'everything acknowledged can be read, with the disk still full' check_all

start_bg later atload write "${load[@]}" --conns 4
check 'changes are still refused' wait_for 20 log_has later 'first refusal'
rm -f "$disk/fill" "$disk/fill2"
before=$(lines)
check 'with room again it goes on by itself' wait_for 20 has_lines $((before + 50))
rc=0
stop later || rc=$?
expect_eq 'atserverd is still the same process' "$(is_running atserverd && echo "${DAEMON_PID[atserverd]}")" "$pid"
check 'nothing acknowledged is lost' check_all
rc=0
stop atserverd || rc=$?
expect_eq 'atserverd ends in order' "$rc" 0
