#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# npctl server: a copy of a running server under load holds everything that was acknowledged before, and comes back;
# one atSign moves to another server with its keys, its place in the commit log and its enrolments.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd openssl jq sqlite3

use_home "$NP_TMP/home"
realm_up - 127.0.0.1 @alice @bob
keys() { echo "$HOME/.atsign/keys/$1_key.atKeys"; }
load() { # load JOURNAL OPS
	atload write "${COMMON[@]}" -a @alice -k "$(keys @alice)" --to @bob --journal "$NP_TMP/$1" --ops "$2"
}
held() { # held JOURNAL: all of it is there
	atload check "${COMMON[@]}" -a @alice -k "$(keys @alice)" --to @bob --to-keys "$(keys @bob)" \
		--journal "$NP_TMP/$1"
}

check 'changes before the copy' load before 60
load during 2000 >"$NP_TMP/load.log" 2>&1 &
writer=$!
check 'and during it' wait_for 10 test -s "$NP_TMP/during"
check 'a copy while the server is written to' npctl server backup "$REALM" "$NP_TMP/copy.db"
kill "$writer" 2>/dev/null || true
wait "$writer" 2>/dev/null || true
expect_eq 'is private' "$(stat -c %a "$NP_TMP/copy.db")" 600
expect_eq 'is sound' "$(sqlite3 "$NP_TMP/copy.db" 'pragma integrity_check')" ok
check 'is not written twice' refuse npctl server backup "$REALM" "$NP_TMP/copy.db"
check 'does not replace what is in use' refuse npctl server restore "$REALM" "$NP_TMP/copy.db" --replace

stop atserverd
check 'nor what is there, unasked' refuse npctl server restore "$REALM" "$NP_TMP/copy.db"
check 'restore' npctl server restore "$REALM" "$NP_TMP/copy.db" --replace
start_daemon atserverd atserverd --config "$REALM/atserverd.yaml"
ROOT_DOMAIN=127.0.0.1:$(daemon_json atserverd .directory.port)
COMMON=(--root-domain "$ROOT_DOMAIN" --root-ca "$REALM/ca.pem")
check 'what was acknowledged before the copy is there' held before

check 'export' npctl server export "$REALM" @alice "$NP_TMP/alice.json"
expect_eq 'is private, too' "$(stat -c %a "$NP_TMP/alice.json")" 600
check 'of an atSign that is not there' refuse npctl server export "$REALM" @carol "$NP_TMP/carol.json"
old=$(sqlite3 "$REALM/data/realm.db" "select max(commit_id) from commit_log where tenant = '@alice'")
check 'the other server' npctl realm init "$NP_TMP/other" --host 127.0.0.1 --port 0 --directory-port 0
head -n 5 "$NP_TMP/alice.json" >"$NP_TMP/cut.json"
chmod 600 "$NP_TMP/cut.json"
check 'a file that was cut off is refused' refuse npctl server import "$NP_TMP/other" "$NP_TMP/cut.json"
expect_eq 'and leaves nothing' "$(sqlite3 "$NP_TMP/other/data/realm.db" 'select count(*) from records')" 0
check 'import' npctl server import "$NP_TMP/other" "$NP_TMP/alice.json"
check 'once' refuse npctl server import "$NP_TMP/other" "$NP_TMP/alice.json"
dump() {
	sqlite3 "$1" "select key, hex(value), meta, created_at, updated_at, expires_at, refresh_at, version from records
		where tenant = '@alice' order by key; select key, commit_id, op from commit_log where tenant = '@alice'
		order by commit_id; select id, dir, key, value, status, epoch_ms from notes where tenant = '@alice'
		order by dir, seq" | sha256sum
}
expect_eq 'with all that it had' "$(dump "$NP_TMP/other/data/realm.db")" "$(dump "$REALM/data/realm.db")"
expect_eq 'and its place in the log' "$(sqlite3 "$NP_TMP/other/data/realm.db" \
	"select max(commit_id) from commit_log where tenant = '@alice'")" "$old"
start_daemon other atserverd --config "$NP_TMP/other/atserverd.yaml"
COMMON=(--root-domain "127.0.0.1:$(daemon_json other .directory.port)" --root-ca "$NP_TMP/other/ca.pem")
check 'and logs in there' atload write "${COMMON[@]}" -a @alice -k "$(keys @alice)" --to @alice \
	--journal "$NP_TMP/there" --ops 20
