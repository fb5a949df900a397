#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# npctl realm add under a running atserverd: the new atSign is in the embedded directory at once, with the port that
# the server really has, and is activated and used without a restart. A replaced secret counts at once, too.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd openssl jq

use_home "$NP_TMP/home"
realm_up - 127.0.0.1 @alice
port=$(daemon_json atserverd .atserver.port)
pid=${DAEMON_PID[atserverd]}

ask() { # ask ATSIGN: the directory's answer
	printf '%s\n@exit\n' "$1" | openssl s_client -quiet -verify_quiet -ign_eof -CAfile "$REALM/ca.pem" \
		-verify_return_error -verify_ip 127.0.0.1 -connect "$ROOT_DOMAIN" 2>/dev/null | tr '\r\n' '~|'
}
state_of() { npctl realm list "$REALM" --json | jq -r ".[] | select(.atsign == \"$1\") | .activated"; }

expect_eq 'the directory tells the real port' "$(ask alice)" "@127.0.0.1:$port~|@"
expect_eq 'realm list: activated' "$(state_of @alice)" true
expect_eq 'an atSign that is not there' "$(ask bob)" '@null~|@'

check 'realm add' npctl realm add "$REALM" @bob @carol
expect_eq 'is in the directory at once' "$(ask bob)" "@127.0.0.1:$port~|@"
expect_eq 'realm list: new' "$(state_of @bob)" false
realm_activate - @bob
ok 'is activated, without a restart'
expect_eq 'realm list: activated too' "$(state_of @bob)" true
check 'is used' atload write "${COMMON[@]}" -a @bob -k "$HOME/.atsign/keys/@bob_key.atKeys" --to @alice \
	--journal "$NP_TMP/journal" --ops 30
check 'and notifies the older one' atload check "${COMMON[@]}" -a @bob -k "$HOME/.atsign/keys/@bob_key.atKeys" \
	--to @alice --to-keys "$HOME/.atsign/keys/@alice_key.atKeys" --journal "$NP_TMP/journal"

cp "$REALM/secrets/@carol.cram" "$NP_TMP/old.cram"
(umask 077 && openssl rand -hex 64 >"$REALM/secrets/@carol.cram")
check 'a replaced secret ends the old one' refuse \
	at_activate onboard -a @carol --cram-file "$NP_TMP/old.cram" "${COMMON[@]}"
realm_activate - @carol
ok 'and the new one activates'

check 'an atSign elsewhere is listed' npctl realm add "$REALM" @far --at far.example:6464
expect_eq 'at once' "$(ask far)" '@far.example:6464~|@'
expect_eq 'all of that by one process' "$(is_running atserverd && echo "${DAEMON_PID[atserverd]}")" "$pid"
