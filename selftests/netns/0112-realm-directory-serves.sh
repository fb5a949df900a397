#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# atdirectoryd over a realm's store: answers on the wire, atSigns added while it runs, faults at the start by name.
. "$(dirname "$0")/../harness/lib.sh"
need_cmd openssl jq

R=$NP_TMP/realm
npctl realm init "$R" --host localhost --host 127.0.0.1 --atsign @alice --port 7001 >"$NP_TMP/said" || fail 'realm init'
files=(--data "$R/data/realm.db" --cert "$R/server.pem" --key "$R/server.key")
start_daemon dir atdirectoryd "${files[@]}" --listen 127.0.0.1 --port 0
port=$(daemon_json dir .directory.port)
expect_eq 'the ready line names the address' "$(daemon_json dir .directory.host)" 127.0.0.1

# ask LINE...: what the directory answers in one connection; CR and LF shown as ~ and |. The client ends with @exit,
# after which the server closes, so nothing is timed.
ask() {
	printf '%s\n' "$@" @exit | openssl s_client -quiet -verify_quiet -ign_eof -CAfile "$R/ca.pem" \
		-verify_return_error -verify_hostname localhost -connect "127.0.0.1:$port" 2>/dev/null | tr '\r\n' '~|'
}
expect_eq 'a known atSign' "$(ask alice)" '@localhost:7001~|@'
expect_eq 'case, @ and white space do not matter' "$(ask ' @ALICE ')" '@localhost:7001~|@'
expect_eq 'an unknown one' "$(ask nobody)" '@null~|@'
expect_eq 'blank lines' "$(ask '' '' '' alice)" '@null~|@null~|@null~|@localhost:7001~|@'
expect_eq 'an overlong line is no request' "$(ask "$(printf 'x%.0s' {1..300})" alice)" '@'
expect_eq 'binary rubbish is no request' "$(ask $'\x01\xff\xfe;drop table' alice)" '@null~|@localhost:7001~|@'

expect_eq 'not there yet' "$(ask bob)" '@null~|@'
check 'npctl realm add, while it runs' npctl realm add "$R" @bob @carol
expect_eq 'there now' "$(ask bob carol)" '@localhost:7001~|@localhost:7001~|@'
check 'an atSign elsewhere' npctl realm add "$R" @far --at far.example:6464
expect_eq 'is listed there' "$(ask far)" '@far.example:6464~|@'
expect_eq 'realm list tells them apart' \
	"$(npctl realm list "$R" --json | jq -c '[.[] | select(.hosted | not) | .atsign]')" '["@far"]'
secret_before=$(sum_of "$R/secrets/@bob.cram")
check 'one that is there is not added again' refuse npctl realm add "$R" @bob
check 'nor moved elsewhere' refuse npctl realm add "$R" @bob --at far.example:1
expect_eq 'its secret stays' "$(sum_of "$R/secrets/@bob.cram")" "$secret_before"
expect_eq 'and so does its entry' "$(ask bob)" '@localhost:7001~|@'
check 'no realm, no atSign' refuse npctl realm add "$NP_TMP" @x

# Two npctl at once wait for each other.
pids=()
for i in 1 2 3 4; do
	npctl realm add "$R" "@one$i" "@two$i" "@three$i" >"$NP_TMP/add$i.log" 2>&1 &
	pids+=($!)
done
bad=0
for pid in "${pids[@]}"; do wait "$pid" || bad=$((bad + 1)); done
expect_eq 'several npctl at once' "$bad" 0
expect_eq 'lose nothing' "$(npctl realm list "$R" --json | jq length)" 16

starts_not() { # starts_not REGEX ARG...: atdirectoryd refuses to start and says why
	local want=$1 out rc=0
	shift
	out=$(timeout 20 atdirectoryd --listen 127.0.0.1 --port 0 "$@" 2>&1) || rc=$?
	[ "$rc" = 1 ] && grep -qE -- "$want" <<<"$out" || { echo "status $rc: $out"; return 1; }
}
echo 'something else, and long enough to be taken for a file of some kind' >"$NP_TMP/text"
cert=("${files[@]:2}")
check 'no store' starts_not 'store .*none' --data "$NP_TMP/none" "${cert[@]}"
check 'a foreign file' starts_not 'is no SQLite database' --data "$NP_TMP/text" "${cert[@]}"
check 'the wrong key' starts_not 'ca.key' --data "$R/data/realm.db" --cert "$R/server.pem" --key "$R/ca.key"
check 'no certificate' starts_not 'none.pem' --data "$R/data/realm.db" --cert "$NP_TMP/none.pem" --key "$R/ca.key"
check 'the port is taken' starts_not "$port" "${files[@]}" --port "$port"

mkdir "$NP_TMP/conf"
printf 'data: ../realm/data/realm.db\ncert: ../realm/server.pem\nkey: ../realm/server.key\nlisten: 127.0.0.1\nport: 0\n' \
	>"$NP_TMP/conf/d.yaml"
start_daemon dir2 atdirectoryd --config "$NP_TMP/conf/d.yaml"
port=$(daemon_json dir2 .directory.port)
expect_eq 'the config file, relative to its folder' "$(ask alice)" '@localhost:7001~|@'
rc=0
stop dir2 || rc=$?
expect_eq 'SIGTERM ends it in order' "$rc" 0
