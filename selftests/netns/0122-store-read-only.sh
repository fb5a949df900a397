#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Storage that cannot be written: at the start it is refused by name; when the file system turns read-only under a
# running atserverd, changes are refused, reading goes on, and nothing acknowledged is lost.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_root
need_cmd jq unshare findmnt

use_home "$NP_TMP/home"
REALM=$NP_TMP/realm
npctl realm init "$REALM" --host 127.0.0.1 --port 0 --directory-port 0 --atsign @alice --atsign @bob >"$NP_TMP/said" ||
	fail 'realm init'

# shellcheck disable=SC2016
read_only='mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
starts_not() {
	local rc=0
	timeout 20 unshare -m sh -c "$read_only" sh "$REALM/data" atserverd --config "$REALM/atserverd.yaml" \
		>"$NP_TMP/out" 2>&1 || rc=$?
	[ "$rc" = 1 ] && grep -q 'realm.db' "$NP_TMP/out" && grep -qiE 'read-only|cannot be written' "$NP_TMP/out" ||
		{ echo "status $rc:"; cat "$NP_TMP/out"; return 1; }
}
check 'read-only at the start: refused, with the file and what to do' starts_not

# An error in the file system makes ext4 read-only under open files, which no mount command does.
mkfs=$(PATH=$PATH:/usr/sbin command -v mkfs.ext4) || skip 'needs mkfs.ext4'
truncate -s 16M "$NP_TMP/disk"
"$mkfs" -q -F "$NP_TMP/disk"
# shellcheck disable=SC2016
own_disk='mkdir -p "$1.disk" && mount -o loop,errors=remount-ro "$2" "$1.disk" && cp -pn "$1"/* "$1.disk" &&
	findmnt -no SOURCE "$1.disk" >"$2.dev" && mount --bind "$1.disk" "$1" && shift 2 && exec "$@"'
unshare -m sh -c "$own_disk" sh "$REALM/data" "$NP_TMP/disk" true 2>"$NP_TMP/out" ||
	skip "kernel lacks loop devices or ext4: $(tail -n 1 "$NP_TMP/out")"

start_on_disk() {
	start_daemon atserverd unshare -m sh -c "$own_disk" sh "$REALM/data" "$NP_TMP/disk" \
		atserverd --config "$REALM/atserverd.yaml"
	ROOT_DOMAIN=127.0.0.1:$(daemon_json atserverd .directory.port)
	COMMON=(--root-domain "$ROOT_DOMAIN" --root-ca "$REALM/ca.pem")
	load=("${COMMON[@]}" -a @alice -k "$keys/@alice_key.atKeys" --to @bob --journal "$NP_TMP/journal")
}
keys=$HOME/.atsign/keys
mkdir -p "$keys"
start_on_disk
realm_activate - @alice
realm_activate - @bob
check_all() { atload check "${load[@]}" --to-keys "$keys/@bob_key.atKeys"; }

# The error comes between two writes: ext4 itself may lose what it is just syncing then, and call it synced.
check 'writes while the disk is good' atload write "${load[@]}" --ops 200
dev=$(cat "$NP_TMP/disk.dev")
trigger=/sys/fs/ext4/${dev##*/}/trigger_fs_error
[ -w "$trigger" ] || skip "kernel lacks $trigger"
echo 1 >"$trigger"
start_bg atload atload write "${load[@]}" --conns 4
check 'changes are refused, and the client hears it' wait_for 20 log_has atload 'first refusal'
expect_eq 'atserverd stays' "$(is_running atserverd && echo yes)" yes
check 'its log says so' wait_for 5 log_has atserverd 'cannot store data'
rc=0
stop atload || rc=$?
check 'everything acknowledged can be read' check_all
rc=0
stop atserverd || rc=$?
expect_eq 'atserverd ends in order' "$rc" 0

# Repaired and mounted again, as an administrator would. The mount goes a moment after its last process.
loop_is_free() { [ -z "$(PATH=$PATH:/usr/sbin losetup -j "$NP_TMP/disk")" ]; }
wait_for 10 loop_is_free || fail 'the loop device stays busy'
PATH=$PATH:/usr/sbin fsck.ext4 -fy "$NP_TMP/disk" >"$NP_TMP/fsck.log" 2>&1 || true
start_on_disk
check 'after the repair nothing acknowledged is lost' check_all
check 'and it takes changes again' atload write "${load[@]}" --ops 30
