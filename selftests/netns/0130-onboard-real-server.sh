#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# at_activate and the client library against atserverd, on loopback: two atSigns are activated with their CRAM
# secrets and exchange an encrypted record and notifications; every wrong step ends in a message of its own.
. "$(dirname "$0")/../harness/lib.sh"
need_cmd jq

use_home "$NP_TMP/home"
realm=$NP_TMP/realm
npctl realm init "$realm" --host 127.0.0.1 --port 0 --directory-port 0 \
	--atsign @alice --atsign @bob --atsign @carol >"$NP_TMP/init.log"

serve() { # serve: (re)starts atserverd and notes where its directory is
	start_daemon atserverd atserverd --config "$realm/atserverd.yaml"
	root=127.0.0.1:$(daemon_json atserverd .directory.port)
}
serve

activate() { # activate CMD ARGS...
	at_activate "$@" -r "$root" --root-ca "$realm/ca.pem"
}
atc() { # atc ATSIGN CMD ARGS...
	local who=$1
	shift
	atcli -a "$who" -r "$root" --root-ca "$realm/ca.pem" "$@"
}
keys() { echo "$HOME/.atsign/keys/$1_key.atKeys"; }

says() { # says NAME STATUS TEXT CMD...: CMD ends so and says so on stderr
	local name=$1 want=$2 text=$3 rc=0 out
	shift 3
	out=$("$@" 2>&1 >/dev/null </dev/null) || rc=$?
	if [ "$rc" = "$want" ] && [[ $out == *"$text"* ]]; then
		ok "$name"
	else
		not_ok "$name"
		say "status $rc, wanted $want; said: $out; wanted: $text"
	fi
}
wrong_secret() { echo not-the-secret | activate onboard -a @alice; }
from_stdin() { activate onboard -a @bob --cram-file - <"$realm/secrets/@bob.cram"; }

# --- before -------------------------------------------------------------------------------------------------------

rc=0
out=$(activate status -a @alice) || rc=$?
expect_eq "status before: exit 1" "$rc" 1
expect_eq "status before: says what to do" "$out" "@alice is not activated; run: at_activate onboard -a @alice"
says "unknown atSign is named with the directory" 1 "@nobody is not in the directory $root" activate status -a @nobody
says "no atSign: usage" 2 "atSign" at_activate onboard -a 'no atsign'
says "wrong secret" 1 "the CRAM secret is wrong" wrong_secret
check "wrong secret leaves no key file" refuse test -e "$(keys @alice)"
says "empty secret" 1 "CRAM secret: is empty" activate onboard -a @alice
cp "$realm/secrets/@alice.cram" "$NP_TMP/open.cram"
chmod 644 "$NP_TMP/open.cram"
says "secret that others can read" 1 "chmod 600" activate onboard -a @alice --cram-file "$NP_TMP/open.cram"
says "missing secret file" 1 "cannot open" activate onboard -a @alice --cram-file "$NP_TMP/none.cram"
says "system CAs do not know the realm" 1 "--root-ca" at_activate status -a @alice -r "$root"
says "key file cannot be written" 1 "key file" activate onboard -a @alice -k /proc/none/x.atKeys

# --- onboard ------------------------------------------------------------------------------------------------------

check "onboard with a file" activate onboard -a @alice --cram-file "$realm/secrets/@alice.cram"
check "onboard from standard input" from_stdin
expect_eq "key file has mode 600" "$(stat -c %a "$(keys @alice)")" 600
expect_eq "key file holds what SDKs need" \
	"$(jq -r '[has("aesPkamPublicKey", "aesPkamPrivateKey", "aesEncryptPublicKey", "aesEncryptPrivateKey",
		"selfEncryptionKey", "apkamSymmetricKey", "enrollmentId")] | all' "$(keys @alice)")" true
expect_eq "status after" "$(activate status -a @alice --json | jq -c '[.activated, .keysAccepted, .error]')" \
	'[true,true,null]'

# --- refusals afterwards ------------------------------------------------------------------------------------------

before=$(sum_of "$(keys @alice)")
says "existing key file is not overwritten" 1 "exists already and is not overwritten" \
	activate onboard -a @alice --cram-file "$realm/secrets/@alice.cram"
# Before the server is touched: nobody listens there.
says "... and that before anybody is asked" 1 "exists already" \
	at_activate onboard -a @alice --cram-file "$realm/secrets/@alice.cram" -r 127.0.0.1:1
expect_eq "... and it is unchanged" "$(sum_of "$(keys @alice)")" "$before"
says "second activation is refused" 1 "is activated already" \
	activate onboard -a @alice --cram-file "$realm/secrets/@alice.cram" -k "$NP_TMP/second.atKeys"
check "second activation leaves no file" refuse test -e "$NP_TMP/second.atKeys"
check "resume of a finished activation changes nothing" activate onboard -a @alice --resume

copy_keys() { # copy_keys MODE: a copy of alice's file to be damaged
	cp "$(keys @alice)" "$NP_TMP/bad.atKeys"
	chmod "$1" "$NP_TMP/bad.atKeys"
}
copy_keys 644
says "world-readable key file" 1 "chmod 600" activate status -a @alice -k "$NP_TMP/bad.atKeys"
copy_keys 600
truncate -s 1000 "$NP_TMP/bad.atKeys"
says "truncated key file" 1 "truncated" activate status -a @alice -k "$NP_TMP/bad.atKeys"
copy_keys 600
says "key file of another atSign" 1 "is of @alice, not of @bob" activate status -a @bob -k "$NP_TMP/bad.atKeys"
says "missing key file" 1 "does not exist" activate status -a @alice -k "$NP_TMP/none.atKeys"

# --- an attempt that was interrupted after the server knew of it: its file name is too long to be written ---------

long=$NP_TMP/$(printf 'k%.0s' {1..251})
says "key file that cannot be written after the enrolment" 1 "CRAM secret accepted" \
	activate onboard -a @carol --cram-file "$realm/secrets/@carol.cram" -k "$long"
check "the secret is good for another attempt" \
	activate onboard -a @carol --cram-file "$realm/secrets/@carol.cram"
expect_eq "which is complete" "$(activate status -a @carol --json | jq -c '[.activated, .keysAccepted]')" '[true,true]'

# --- servers that are not there, or not who they should be --------------------------------------------------------

npctl realm add "$realm" @far --at 127.0.0.1:1 >/dev/null
npctl realm add "$realm" @named --at "localhost:$(daemon_json atserverd .atserver.port)" >/dev/null
says "atServer down is named" 1 "atServer of @far: 127.0.0.1:1: cannot connect" activate status -a @far
says "certificate for another name" 1 "hostname mismatch" activate status -a @named

# --- use ----------------------------------------------------------------------------------------------------------

check "put for another atSign" atc @alice put @bob phone.buzz "hello bob"
expect_eq "get decrypts it" "$(atc @bob get @alice phone.buzz)" "hello bob"
expect_eq "scan of the owner" "$(atc @bob scan @alice | jq -c 'map(select(test("buzz")))')" '["phone.buzz@alice"]'
stored=$(atc @alice raw llookup:@bob:phone.buzz@alice)
expect_eq "the server has no clear text" "${#stored} ${stored//[A-Za-z0-9+\/=]/}" "24 "
check "self record" atc @alice put self notes.buzz "for me"
expect_eq "self record is read back" "$(atc @alice get self notes.buzz)" "for me"

start_bg ear atcli -a @bob -r "$root" --root-ca "$realm/ca.pem" monitor --count 2 --timeout 20 buzz
check "monitor comes up" wait_for 10 log_has ear '^ready$'
check "notify" atc @alice notify @bob ping.buzz "one"
check "notify outside the regular expression" atc @alice notify @bob ping.other "skipped"
check "notify with other characters" atc @alice notify @bob pong.buzz 'zwei äöü "$(:@'
check "both arrive" wait_for 10 np_gone_or_zombie "${DAEMON_PID[ear]}"
expect_eq "first" "$(grep -c '"from":"@alice","name":"ping.buzz","value":"one"' "$NP_TMP/ear.log")" 1
expect_eq "second" "$(sed -n 3p "$NP_TMP/ear.log" | jq -r .value)" 'zwei äöü "$(:@'
expect_eq "nothing else" "$(wc -l <"$NP_TMP/ear.log")" 3
expect_eq "replay finds them again" \
	"$(atc @bob monitor --replay --count 2 --timeout 20 'p[io]ng\.buzz' | sed 1d | jq -r .name | tr '\n' ' ')" \
	"ping.buzz pong.buzz "

# --- the server goes and comes back elsewhere ---------------------------------------------------------------------

start_bg ear2 atcli -a @bob -r "$root" --root-ca "$realm/ca.pem" monitor --count 1 --timeout 40 later
check "second monitor comes up" wait_for 10 log_has ear2 '^ready$'
dir_port=${root##*:}
stop atserverd || true
says "directory down is named" 1 "directory: $root: cannot connect" activate status -a @alice
sed -i "s/^directory-port: .*/directory-port: $dir_port/" "$realm/atserverd.yaml"
serve
expect_eq "the directory is where it was" "$root" "127.0.0.1:$dir_port"
check "notify after the restart" atc @alice notify @bob news.later "back"
check "the monitor found its way by itself" wait_for 20 log_has ear2 '"name":"news.later","value":"back"'

check "delete" atc @alice del @bob phone.buzz
says "get of a deleted record" 1 "AT0015" atc @bob get @alice phone.buzz --bypass-cache
np_no_secret() { ! grep -rqF "$(cat "$realm/secrets/@carol.cram")" "$NP_TMP"/*.log; }
check "no secret in any log" np_no_secret
