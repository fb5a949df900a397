#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# npctl realm init: the folder's layout is a documented interface; nothing is overwritten, nothing is left behind.
. "$(dirname "$0")/../harness/lib.sh"
need_cmd openssl jq

R=$NP_TMP/realm
mode() { stat -c %a "$1"; }
tree_sum() { (cd "$1" && find . -type f -exec sha256sum {} + | sort | sha256sum); }
# Mode bits do not stop root; a file where a folder is wanted does.
said() { # said REGEX CMD...: CMD fails and its message matches
	local want=$1 out rc=0
	shift
	out=$("$@" 2>&1) || rc=$?
	[ "$rc" = 1 ] && grep -qE -- "$want" <<<"$out" || { echo "status $rc: $out"; return 1; }
}

npctl realm init "$R" --host realm.example --host 192.0.2.7,::1 --atsign @Alice --atsign bob --atsign @alice \
	>"$NP_TMP/said" 2>&1 || fail 'npctl realm init'
ok 'npctl realm init'

expect_eq 'the files of a realm' "$(cd "$R" && find . | sort | tr '\n' ' ')" \
	'. ./atserverd.yaml ./ca.key ./ca.pem ./data ./data/realm.db ./secrets ./secrets/@alice.cram ./secrets/@bob.cram ./server.key ./server.pem '
expect_eq 'only the owner enters' "$(mode "$R") $(mode "$R/secrets") $(mode "$R/data")" '700 700 700'
expect_eq 'only the owner reads secrets' \
	"$(mode "$R/ca.key") $(mode "$R/server.key") $(mode "$R/secrets/@alice.cram") $(mode "$R/data/realm.db")" \
	'600 600 600 600'
secrets_are_good() {
	local file
	for file in "$R"/secrets/*.cram; do
		[ "$(wc -l <"$file")" = 1 ] && grep -qxE '[0-9a-f]{128}' "$file" || return 1
		! grep -qF "$(cat "$file")" "$NP_TMP/said" || { echo "printed"; return 1; }
	done
	! cmp -s "$R/secrets/@alice.cram" "$R/secrets/@bob.cram"
}
check 'secrets: one line of 128 hex digits, different, printed nowhere' secrets_are_good
check 'the next commands are told' grep -qF "atserverd --config $R/atserverd.yaml" "$NP_TMP/said"

check 'certificate: strictly valid as a server' \
	openssl verify -x509_strict -CAfile "$R/ca.pem" -purpose sslserver "$R/server.pem"
check 'certificate: and as a client, for server to server' \
	openssl verify -x509_strict -CAfile "$R/ca.pem" -purpose sslclient "$R/server.pem"
for name in '-verify_hostname realm.example' '-verify_ip 192.0.2.7' '-verify_ip ::1'; do
	# shellcheck disable=SC2086
	check "certificate: $name" openssl verify -CAfile "$R/ca.pem" $name "$R/server.pem"
done
check 'certificate: for nobody else' refuse \
	openssl verify -CAfile "$R/ca.pem" -verify_hostname other.example "$R/server.pem"
check 'the CA may issue, the server may not' bash -c '
	openssl x509 -in "$1/ca.pem" -noout -ext basicConstraints | grep -q CA:TRUE &&
	openssl x509 -in "$1/server.pem" -noout -ext basicConstraints | grep -q CA:FALSE' - "$R"

expect_eq 'realm list' "$(npctl realm list "$R" --json | jq -c '[.[] | [.atsign, .host, .port, .hosted, .activated]]')" \
	'[["@alice","realm.example",6464,true,false],["@bob","realm.example",6464,true,false]]'


key_of() { openssl x509 -in "$1" -noout -pubkey | sha256sum; }
serial_of() { openssl x509 -in "$1" -noout -serial; }
cp "$R/server.pem" "$NP_TMP/old.pem"
check 'realm renew' npctl realm renew "$R"
check 'a fresh certificate' test "$(serial_of "$R/server.pem")" != "$(serial_of "$NP_TMP/old.pem")"
expect_eq 'for the same key' "$(key_of "$R/server.pem")" "$(key_of "$NP_TMP/old.pem")"
check 'and the same hosts' openssl verify -x509_strict -CAfile "$R/ca.pem" -verify_ip ::1 "$R/server.pem"
check 'or others' npctl realm renew "$R" --host realm.example --host 192.0.2.8
check 'which stand in it' openssl verify -CAfile "$R/ca.pem" -verify_ip 192.0.2.8 "$R/server.pem"
check 'the published host must stay' said 'published host realm.example must be among them' \
	npctl realm renew "$R" --host 192.0.2.8
mv "$R/ca.key" "$NP_TMP/ca.key"
check 'without the CA key nothing is issued' said 'ca.key: cannot open' npctl realm renew "$R"
mv "$NP_TMP/ca.key" "$R/ca.key"

before=$(tree_sum "$R")
check 'a realm is not made again' said 'is a realm already, nothing was changed' \
	npctl realm init "$R" --host other.example --atsign @eve
expect_eq 'and stays as it was' "$(tree_sum "$R")" "$before"
mkdir "$NP_TMP/full" && echo mine >"$NP_TMP/full/file"
check 'a folder with something in it is refused' said 'is not empty and no realm' \
	npctl realm init "$NP_TMP/full" --host h
expect_eq 'and stays as it was' "$(ls "$NP_TMP/full")" file
check 'a file is no folder' said 'Not a directory' npctl realm init "$NP_TMP/full/file" --host h

N=$NP_TMP/none
check 'bad host' said 'neither a DNS name nor a numeric address' npctl realm init "$N" --host 'a b'
check 'an IPv6 literal is not published' said 'give a name or an IPv4 address first' npctl realm init "$N" --host ::1
check 'bad atSign' said 'is no atSign' npctl realm init "$N" --host h --atsign '@a@b'
check 'overlong atSign' said 'is no atSign' npctl realm init "$N" --host h --atsign "@$(printf 'a%.0s' {1..56})"
check 'nothing was made by those' [ ! -e "$N" ]

# The file system fills up at some point: whichever it is, nothing stays.
if [ "$(id -u)" = 0 ]; then
	mkdir "$NP_TMP/small"
	for kib in 8 16 32 64; do
		check "disk of $kib KiB: refused, nothing left" unshare -m sh -c '
			mount -t tmpfs -o size="$2"k none "$1" || exit 1
			npctl realm init "$1/realm" --host h --atsign @a 2>"$1.msg" && exit 1
			grep -qiE "no space|free space|full" "$1.msg" && [ -z "$(ls -A "$1")" ]' - "$NP_TMP/small" "$kib"
	done
	mkdir "$NP_TMP/ro"
	check 'read-only disk: refused by name' unshare -m sh -c '
		mount -t tmpfs -o ro none "$1" || exit 1
		npctl realm init "$1/realm" --host h 2>&1 | grep -q "Read-only file system"' - "$NP_TMP/ro"
fi
