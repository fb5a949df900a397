#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# ssh_request as it should not be: each ends in a text for the client, or in silence and a line in the log; after all
# of them the daemon still makes sessions.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq ssh-keygen ssh

use_home "$NP_TMP/home"
realm_up - localhost @alice @device @relay @mallory
relay_up - localhost
device_up - -v
PK=$(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null | openssl pkey -pubout -outform DER | base64 -w0)
DEAD=$(free_port -)

sid() { cat /proc/sys/kernel/random/uuid; }
payload() { # payload SID [MEMBER VALUE]...: a good request with members replaced
	local base
	base=$(jq -nc --arg sid "$1" --arg pk "$PK" --argjson port "$DEAD" '{direct:true,sessionId:$sid,
		host:"127.0.0.1",port:$port,authenticateToRvd:true,clientNonce:"c",rvdNonce:"r",encryptRvdTraffic:true,
		clientEphemeralPK:$pk,clientEphemeralPKType:"rsa2048",twinKeys:true}')
	shift
	while [ $# -gt 0 ]; do
		base=$(jq -c --arg k "$1" --argjson v "$2" '.[$k]=$v' <<<"$base")
		shift 2
	done
	echo "$base"
}
ask() { # ask SECS SID PAYLOAD [FLAG...]: what the daemon answers
	local secs=$1 id=$2 text=$3
	shift 3
	npnote -a @alice "${COMMON[@]}" --to @device --name ssh_request.dev1.sshnp --payload "$text" \
		--listen "$id.dev1.sshnp" --secs "$secs" "$@" | sed 's/^[^ ]* //'
}
answers() { # answers NAME REGEX SID PAYLOAD [FLAG...]
	local name=$1 want=$2 got
	shift 2
	got=$(ask 15 "$@") || true
	if [[ $got =~ $want ]]; then ok "$name"; else not_ok "$name"; say "got '$got', wanted /$want/"; fi
}
silent() { # silent NAME LOG-REGEX PAYLOAD [FLAG...]: sent without waiting; the log says why
	local name=$1 want=$2 text=$3
	shift 3
	npnote -a @alice "${COMMON[@]}" --to @device --name ssh_request.dev1.sshnp --payload "$text" "$@"
	check "$name" wait_for 10 log_has sshnpd "$want"
}

s=$(sid)
answers 'relay down: the text names the hop' \
	"^Failed to start up the daemon side of the srv socket tunnel : relay: 127.0.0.1:$DEAD: cannot connect: Connection refused" \
	"$s" "$(payload "$s")"
silent 'the same session id again: silence' "session $s: refused in silence, this id was used before" "$(payload "$s")"
s=$(sid)
answers 'changed after signing' '^Signature not verified: envelope: the signature does not match' "$s" "$(payload "$s")" --corrupt '"clientNonce":"c'
s=$(sid)
answers 'a relay mode that it does not know' "^This daemon cannot authenticate to the relay in mode 'psk'" \
	"$s" "$(payload "$s" relayAuthMode '"psk"')"
s=$(sid)
answers 'escr without the key that hides the answer' "in mode 'escr': the request has no relayAuthAesKey" \
	"$s" "$(payload "$s" relayAuthMode '"escr"')"
s=$(sid)
answers 'no key to encrypt for' '^Failed to start .* clientEphemeralPK: public key' "$s" "$(payload "$s" clientEphemeralPK '"AAAA"')"

silent 'port 0' "malformed.* member 'port' is 0" "$(payload "$(sid)" port 0)"
silent 'port 65558' "malformed.* member 'port' is 65558" "$(payload "$(sid)" port 65558)"
silent 'a fraction' "malformed.* member 'port' is missing or is no whole number" "$(payload "$(sid)" port 22.5)"
silent 'reverse ssh' "malformed.* reverse ssh" "$(payload "$(sid)" direct false)"
silent 'a session id that would break the line' "malformed.* member 'sessionId'" "$(payload "$(sid)" sessionId '"a\nb"')"
silent 'a host that is none' "malformed.* member 'host' is no host name" "$(payload "$(sid)" host '"a b;c"')"
npnote -a @alice "${COMMON[@]}" --to @device --name ssh_request.dev1.sshnp --value '{"payload":'
check 'no JSON' wait_for 10 log_has sshnpd 'malformed.*envelope: not valid JSON'
npnote -a @alice "${COMMON[@]}" --to @device --name ssh_request.dev1.sshnp --value 'hello'
check 'plain text' wait_for 10 log_has sshnpd 'malformed.*envelope'

s=$(sid)
out=$(npnote -a @mallory "${COMMON[@]}" --to @device --name ssh_request.dev1.sshnp --payload "$(payload "$s")" \
	--listen "$s.dev1.sshnp" --secs 3) || true
expect_eq 'a stranger with a good signature hears nothing' "$out" ''
check 'and the log names him' log_has sshnpd 'denied, not a manager: from=@mallory name=ssh_request.dev1.sshnp'

# --- sshd down; not permitted ---
stop sshnpd || fail 'sshnpd'
SSHD_SAVED=$SSHD_PORT SSHD_PORT=$DEAD
sshnpd_up -
start_daemon join npjoin
JOIN=$(daemon_json join .b.port)
s=$(sid)
answers 'sshd down: the text says so' "local target: localhost:$DEAD: cannot connect: Connection refused; is sshd running" \
	"$s" "$(payload "$s" port "$JOIN")"
stop sshnpd || fail 'sshnpd'
SSHD_PORT=$SSHD_SAVED
USER=$ME start_daemon sshnpd sshnpd -a @device -m @alice -d dev1 --local-sshd-port "$SSHD_PORT" --permit-open 'localhost:1' "${COMMON[@]}"
s=$(sid)
answers 'not permitted' "^Connection to localhost:$SSHD_PORT denied based on daemon --permit-open \\[localhost:1\\]\$" "$s" "$(payload "$s")"
stop sshnpd || fail 'sshnpd'

# --- and what it answers when all is well ---
sshnpd_up -
# The relay asks, the daemon's bridge answers as the device; the record that verifies it is published.
start_daemon asking npjoin --challenge
s=$(sid)
answers 'escr: connected' '"status":"connected"' "$s" "$(payload "$s" port "$(daemon_json asking .b.port)" \
	relayAuthMode '"escr"' relayAuthAesKey "\"$(head -c 32 /dev/urandom | base64 -w0)\"")"
check 'escr: the question was answered' wait_for 5 log_has asking "^b $s:[A-Za-z0-9+/]+=*\$"
check 'escr: the daemon says that it can' [ "$(npnote -a @alice "${COMMON[@]}" --to @device --name ping.dev1.sshnp \
	--value ping --listen heartbeat.dev1.sshnp --secs 10 | sed 's/^[^ ]* //' | jq .supportedFeatures.supportsRamEscr)" = true ]
name=$(sed -n 's/.* published as public:\(_apsk\.[A-Za-z0-9_-]*\.a\.__e@device\)$/\1/p' "$NP_TMP/sshnpd.log" | tail -n 1)
check 'escr: everybody can read the key that verifies it' grep -q '^MIIBIjANBg' <<<"$(atcli -a @alice -r "$ROOT_DOMAIN" \
	--root-ca "$REALM/ca.pem" raw "plookup:bypassCache:true:$name")"
s=$(sid)
good=$(ask 15 "$s" "$(payload "$s" port "$JOIN" authenticateToRvd false)")
expect_eq 'twin keys: members in order' "$(jq -c '.payload | keys_unsorted' <<<"$good")" \
	'["status","sessionId","ephemeralPrivateKey","aesKeyC2D","ivC2D","aesKeyD2C","ivD2C","eventLoggingConfig"]'
expect_eq 'keys travel as RSA ciphertexts' "$(jq -r '.payload | .aesKeyC2D, .ivD2C | length' <<<"$good" | tr '\n' ' ')" '344 344 '
s=$(sid)
good=$(ask 15 "$s" "$(payload "$s" port "$JOIN" authenticateToRvd false twinKeys false)")
expect_eq 'one key: members in order' "$(jq -c '.payload | keys_unsorted' <<<"$good")" \
	'["status","sessionId","ephemeralPrivateKey","sessionAESKey","sessionIV"]'
jq -r .payload.ephemeralPrivateKey <<<"$good" >"$NP_TMP/eph" && chmod 600 "$NP_TMP/eph"
pub=$(ssh-keygen -y -f "$NP_TMP/eph" | cut -d' ' -f1,2)
entry="command=\"echo \\\"ssh session complete\\\";sleep 20\",PermitOpen=\"localhost:$SSHD_PORT\" $pub sshnp_ephemeral_$s"
check 'its ssh key has a fenced entry' wait_for 5 grep -qxF "$entry" "$HOME/.ssh/authorized_keys"
ssh -p "$SSHD_PORT" -i "$NP_TMP/eph" -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
	-o UserKnownHostsFile=/dev/null "$ME@127.0.0.1" 'echo anything' >"$NP_TMP/forced" 2>/dev/null </dev/null &
forced=$!
check 'which sshd honours' wait_for 10 grep -qx 'ssh session complete' "$NP_TMP/forced"
kill "$forced"
check 'and which goes on time' wait_for 25 refuse grep -q "sshnp_ephemeral_$s" "$HOME/.ssh/authorized_keys"
