#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A renewed certificate is presented by the running server: after the files changed, and on SIGHUP. Connections that
# exist go on; files that do not fit leave the old certificate in force.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd openssl jq

use_home "$NP_TMP/home"
realm_up - 127.0.0.1 @alice
at=127.0.0.1:$(daemon_json atserverd .atserver.port)
pid=${DAEMON_PID[atserverd]}

serial() { # serial HOST:PORT: of the certificate that is presented there
	openssl s_client -connect "$1" -CAfile "$REALM/ca.pem" -verify_return_error </dev/null 2>/dev/null |
		openssl x509 -noout -serial
}
on_disk() { openssl x509 -noout -serial -in "$REALM/server.pem"; }
is_served() { [ "$(serial "$at")" = "$(on_disk)" ] && [ "$(serial "$ROOT_DOMAIN")" = "$(on_disk)" ]; }
logged() { grep -q "$1" "$NP_TMP/atserverd.log"; }

check 'the first one' is_served
first=$(on_disk)

mkfifo "$NP_TMP/keep"
openssl s_client -quiet -connect "$at" -CAfile "$REALM/ca.pem" <"$NP_TMP/keep" >"$NP_TMP/kept" 2>/dev/null &
exec {keep}>"$NP_TMP/keep"
check 'a connection from before' wait_for 10 test -s "$NP_TMP/kept"

check 'renewal' npctl realm renew "$REALM"
expect_eq 'makes another certificate' "$([ "$(on_disk)" != "$first" ] && echo yes)" yes
check 'is served without a restart' wait_for 20 is_served
printf 'noop:0\n' >&"$keep"
check 'the old connection goes on' wait_for 10 grep -q 'data:ok' "$NP_TMP/kept"
exec {keep}>&-

second=$(on_disk)
cp "$REALM/server.pem" "$NP_TMP/good.pem"
echo nonsense >"$REALM/server.pem"
check 'nonsense is told' wait_for 20 logged 'certificate not reloaded'
expect_eq 'and not served' "$(serial "$at")" "$second"
cp "$NP_TMP/good.pem" "$REALM/server.pem"
kill -HUP "$pid"
check 'SIGHUP reads at once' wait_for 10 is_served
openssl genrsa -out "$NP_TMP/other.key" 2048 2>/dev/null
cp "$REALM/server.key" "$NP_TMP/good.key"
cat "$NP_TMP/other.key" >"$REALM/server.key"
kill -HUP "$pid"
check 'a key of another certificate is told' wait_for 10 logged 'is not the key of'
expect_eq 'and the old pair stays' "$(serial "$at")" "$second"
expect_eq 'all of that by one process' "$(is_running atserverd && echo "${DAEMON_PID[atserverd]}")" "$pid"
