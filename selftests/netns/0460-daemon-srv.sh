#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The bridge as a program, both sides: secrets by environment and by descriptor, what can be seen of them from
# outside, its words, its exit codes, its log.
#
#	test --> srv (client side) --> relay a|b <-- srv (daemon side) --> target a|b <-- test
. "$(dirname "$0")/../harness/lib.sh"
need_cmd jq

K1=$(head -c 32 /dev/urandom | base64 -w0) I1=$(head -c 16 /dev/urandom | base64 -w0)
K2=$(head -c 32 /dev/urandom | base64 -w0) I2=$(head -c 16 /dev/urandom | base64 -w0)
LINE='{"payload":{"sessionId":"s"},"signature":"x=","hashingAlgo":"sha256","signingAlgo":"rsa2048"}'
export TMPDIR=$NP_TMP/logs
mkdir "$TMPDIR"

started() { grep -qx 'rv started successfully' "$NP_TMP/$1.err"; }
await_start() { wait_for 10 started "$1" || fail "$1 does not start: $(cat "$NP_TMP/$1.err")"; }
exit_of() { # exit_of CMD...: its exit code; its words go to $NP_TMP/words
	local rc=0
	"$@" >"$NP_TMP/words" 2>&1 || rc=$?
	echo "$rc"
}
says() { grep -qF -- "$1" "$NP_TMP/words"; }

start_daemon relay npjoin --auth
A=$(daemon_json relay .a.port) B=$(daemon_json relay .b.port)
start_daemon target npjoin
TA=$(daemon_json target .a.port) TB=$(daemon_json target .b.port)
head -c 1500000 /dev/urandom >"$NP_TMP/up"
head -c 2500000 /dev/urandom >"$NP_TMP/down"

# carry NAME PORT: both directions at once over a session whose client side listens on PORT
carry() {
	local app tgt
	exec {app}<>"/dev/tcp/127.0.0.1/$2" {tgt}<>"/dev/tcp/127.0.0.1/$TB"
	cat "$NP_TMP/up" >&"$app" &
	cat "$NP_TMP/down" >&"$tgt" &
	timeout 30 head -c 1500000 <&"$tgt" >"$NP_TMP/up.got" &
	timeout 30 head -c 2500000 <&"$app" >"$NP_TMP/down.got" || true
	wait $! || true
	exec {app}<&- {tgt}<&-
	check "$1: up" same_content "$NP_TMP/up" "$NP_TMP/up.got"
	check "$1: down" same_content "$NP_TMP/down" "$NP_TMP/down.got"
}

# --- twin keys in the environment, wiped there ---
port=$(free_port -)
RV_AUTH=$LINE RV_AES_C2D=$K1 RV_IV_C2D=$I1 RV_AES_D2C=$K2 RV_IV_D2C=$I2 \
	srv -h 127.0.0.1 -p "$A" --bind-local-port --local-port "$port" --rv-auth --rv-e2ee --timeout 30 \
	2>"$NP_TMP/client.err" &
client=$!
RV_AUTH=$LINE RV_AES_C2D=$K1 RV_IV_C2D=$I1 RV_AES_D2C=$K2 RV_IV_D2C=$I2 \
	srv --host localhost --port="$B" --local-host localhost --local-port "$TA" --rv-auth --rv-e2ee \
	2>"$NP_TMP/daemon.err" &
daemon=$!
await_start client
await_start daemon
wait_for 5 log_has relay '^b ' || fail 'no authentication line came'
expect_eq 'the authentication line arrives unchanged' "$(sed -n 's/^b //p' "$NP_TMP/relay.log")" "$LINE"
check 'the client side does not call the relay before a program calls it' refuse log_has relay '^a '
for pid in $client $daemon; do
	tr '\0' '\n' <"/proc/$pid/environ" >"$NP_TMP/environ"
	check 'the environment shows no secret' refuse grep -qF -e "$K1" -e "$K2" -e "$I1" -e '"signature"' "$NP_TMP/environ"
	check 'the command line shows none' refuse grep -qaF -e "$K1" -e signature "/proc/$pid/cmdline"
	expect_eq 'stderr has been let go' "$(readlink "/proc/$pid/fd/2")" /dev/null
done
carry 'twin keys' "$port"
rc=0; wait "$client" || rc=$?
expect_eq 'the client side ends with 0' "$rc" 0
rc=0; wait "$daemon" || rc=$?
expect_eq 'the daemon side ends with 0' "$rc" 0

# --- one key, by descriptor; names of the first generation on one side, of the second on the other ---
port=$(free_port -)
srv -h 127.0.0.1 -p "$A" --bind-local-port --local-port "$port" --rv-auth --rv-e2ee --secrets-fd 7 \
	7<<<"RV_AUTH=$LINE"$'\n'"RV_AES=$K1"$'\n'"RV_IV=$I1" 2>"$NP_TMP/client.err" &
client=$!
srv -h 127.0.0.1 -p "$B" --local-port "$TA" --rv-auth --rv-e2ee --secrets-fd 7 \
	7<<<"RV_AES_C2D=$K1"$'\n'"RV_IV_C2D=$I1"$'\n'"RV_AUTH=$LINE"$'\n'"REMOTE_OTHER=1" 2>"$NP_TMP/daemon.err" &
daemon=$!
await_start client
await_start daemon
carry 'one key' "$port"
wait "$client" "$daemon"

# --- unencrypted ---
port=$(free_port -)
RV_AUTH=$LINE srv -h 127.0.0.1 -p "$A" --bind-local-port --local-port "$port" --rv-auth 2>"$NP_TMP/client.err" &
client=$!
RV_AUTH=$LINE srv -h 127.0.0.1 -p "$B" --local-port "$TA" --rv-auth 2>"$NP_TMP/daemon.err" &
daemon=$!
await_start client
await_start daemon
carry 'no encryption' "$port"
wait "$client" "$daemon"
# --- many connections in one session, with a key each way, with one, and in clear ---
multi() { # multi NAME FLAG...: the secrets stand in the file
	local name=$1 port client daemon rc
	shift
	port=$(free_port -)
	srv -h 127.0.0.1 -p "$A" --bind-local-port --local-port "$port" --multi --timeout 2 --heartbeat 1 "$@" \
		--secrets-fd 7 7<"$NP_TMP/secrets" 2>"$NP_TMP/client.err" &
	client=$!
	srv -h 127.0.0.1 -p "$B" --local-port "$TA" --multi --timeout 2 "$@" --secrets-fd 7 7<"$NP_TMP/secrets" \
		2>"$NP_TMP/daemon.err" &
	daemon=$!
	await_start client
	await_start daemon
	carry "$name, first connection" "$port"
	carry "$name, second connection" "$port"
	for srv in $client $daemon; do
		rc=0; wait "$srv" || rc=$?
		expect_eq "$name: nothing open after the timeout ends the session with 0" "$rc" 0
	done
}
printf '%s\n' "RV_AUTH=$LINE" "RV_AES_C2D=$K1" "RV_IV_C2D=$I1" "RV_AES_D2C=$K2" "RV_IV_D2C=$I2" >"$NP_TMP/secrets"
multi 'multi, twin keys' --rv-auth --rv-e2ee
multi 'multi, in clear' --rv-auth
printf '%s\n' "RV_AUTH=$LINE" "RV_AES=$K1" "RV_IV=$I1" >"$NP_TMP/secrets"
multi 'multi, one key' --rv-auth --rv-e2ee
# --- the relay asks, both sides answer: with the second generation's variables ---
stop relay || true
start_daemon relay npjoin --challenge
A=$(daemon_json relay .a.port) B=$(daemon_json relay .b.port)
SID=$(cat /proc/sys/kernel/random/uuid)
PRIV=$(openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -outform DER 2>/dev/null | base64 -w0)
escr() { # escr SIDE-A: the lines of one side
	printf '%s\n' "REMOTE_AUTH_ESCR_SESSION_ID=$SID" "REMOTE_AUTH_ESCR_AES_KEY=$K2" \
		'REMOTE_AUTH_ESCR_PUB_KEY_URI=public:_apsk.primary.a.__e@alice' "REMOTE_AUTH_ESCR_SIGNING_PUBKEY=x" \
		"REMOTE_AUTH_ESCR_SIGNING_PRIVKEY=$PRIV" "REMOTE_AUTH_ESCR_IS_SIDE_A=$1" "RV_AES_C2D=$K1" "RV_IV_C2D=$I1"
}
escr true >"$NP_TMP/secrets"
multi 'multi, challenged by the relay' --rv-auth --rv-e2ee -a escr
check 'each socket of each side answered' [ "$(grep -cE "^[ab] $SID:[A-Za-z0-9+/]+=*\$" "$NP_TMP/relay.log")" = 6 ]
check 'never twice the same' [ -z "$(grep "^[ab] $SID" "$NP_TMP/relay.log" | sort | uniq -d)" ]
port=$(free_port -)
env $(escr true) srv -h 127.0.0.1 -p "$A" --bind-local-port --local-port "$port" -a escr --rv-e2ee \
	2>"$NP_TMP/client.err" &
client=$!
env $(escr false) srv -h 127.0.0.1 -p "$B" --local-port "$TA" --relay-auth-mode escr --rv-e2ee \
	2>"$NP_TMP/daemon.err" &
daemon=$!
await_start client
await_start daemon
for pid in $client $daemon; do
	tr '\0' '\n' <"/proc/$pid/environ" >"$NP_TMP/environ"
	check 'the environment shows no key' refuse grep -qF -e "$K2" -e "$PRIV" "$NP_TMP/environ"
done
carry 'one connection, challenged' "$port"
wait "$client" "$daemon"
expect_eq 'escr without a key' "$(exit_of srv -h h -p 1 -a escr --secrets-fd 7 7< <(escr true | grep -v PRIVKEY))" 1
check 'says which variable' says 'REMOTE_AUTH_ESCR_SIGNING_PRIVKEY is not in'
expect_eq 'escr with a key that is none' "$(exit_of srv -h h -p 1 -a escr --secrets-fd 7 7< <(PRIV=AAAA; escr true))" 1
expect_eq 'a mode that is none' "$(exit_of srv -h h -p 1 -a open)" 1
check 'a session that ended leaves no log' [ -z "$(ls "$TMPDIR")" ]

# --- refusals ---
expect_eq 'no relay named' "$(exit_of srv -p 1)" 1
expect_eq '--rv-auth without RV_AUTH' "$(exit_of srv -h h -p 1 --rv-auth)" 1
check 'says which variable' says '--rv-auth required, but RV_AUTH is not in environment'
expect_eq '--rv-e2ee without keys' "$(exit_of srv -h h -p 1 --rv-e2ee)" 1
check 'says which variable' says 'RV_AES_C2D is not in environment'
expect_eq 'a key of the wrong length' "$(RV_AES=AAAA RV_IV=$I1 exit_of srv -h h -p 1 --rv-e2ee)" 1
check 'names it, without its value' says 'RV_AES is not the base64 of 32 bytes'
expect_eq 'half a second key' "$(RV_AES_C2D=$K1 RV_IV_C2D=$I1 RV_AES_D2C=$K2 exit_of srv -h h -p 1 --rv-e2ee)" 1
expect_eq 'port 65558' "$(exit_of srv -h h -p 65558)" 1
expect_eq '--heartbeat never given' "$(exit_of srv -h h -p 1 --multi --heartbeat never)" 1
expect_eq 'a descriptor that is not there' "$(exit_of srv -h h -p 1 --rv-auth --secrets-fd 99)" 1
expect_eq 'lines that are none' "$(exit_of srv -h h -p 1 --rv-auth --secrets-fd 7 7<<<nonsense)" 1
check 'are named by number' says 'line 1 is not of the form KEY=value'

# --- failures ---
closed=$(free_port -)
expect_eq 'relay refuses' "$(exit_of srv -h 127.0.0.1 -p "$closed" --local-port "$TA")" 200
check 'says so' says "Exception running srv: relay: 127.0.0.1:$closed: cannot connect: Connection refused"
expect_eq 'target refuses' "$(exit_of srv -h 127.0.0.1 -p "$B" --local-port "$closed")" 200
check 'says so' says "Exception running srv: local target: localhost:$closed: cannot connect: Connection refused"
expect_eq 'local port in use' "$(exit_of srv -h 127.0.0.1 -p "$A" --bind-local-port --local-port "$TA")" 200
check 'says so' says "cannot listen on 127.0.0.1 port $TA: Address already in use"
expect_eq 'nobody comes' "$(exit_of srv -h 127.0.0.1 -p "$A" --bind-local-port --local-port "$closed" --timeout 1)" 200
check 'and the log, readable by its owner alone, says so' \
	bash -c 'cat "$TMPDIR"/srv.*.log | grep -q "no program connected in time" && [ -z "$(find "$TMPDIR" -perm /077 -type f)" ]'
