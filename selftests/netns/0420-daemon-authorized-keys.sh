#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What sshnpd does to authorized_keys: keys that managers send, left-overs of a crash, files that it must not touch.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq ssh-keygen

use_home "$NP_TMP/home"
realm_up - localhost @alice @device @mallory
SSHD_PORT=22
FILE=$HOME/.ssh/authorized_keys
for i in 1 2 3 4; do ssh-keygen -q -t ed25519 -N '' -C '' -f "$NP_TMP/k$i"; done
key() { cut -d' ' -f1,2 "$NP_TMP/k$1.pub"; }
send() { # send ATSIGN TEXT
	npnote -a "$1" "${COMMON[@]}" --to @device --name sshpublickey.dev1.sshnp --value "$2"
}
logged() { # logged NR REGEX: so often
	[ "$(grep -cE -- "$2" "$NP_TMP/sshnpd.log")" -ge "$1" ]
}

# Left over by a crash, between the owner's lines, the last of which has no line end.
printf '# mine\n%s me\ncommand="echo",PermitOpen="localhost:22" %s sshnp_ephemeral_dead-1\n%s last' "$(key 1)" "$(key 2)" \
	"$(key 3)" >"$FILE"
chmod 640 "$FILE"
sshnpd_up - -v
expect_eq 'left-overs go at the start, nothing else' "$(cat "$FILE")" "# mine
$(key 1) me
$(key 3) last"
check 'the log says so' log_has sshnpd 'left-over session keys removed count=1'

send @alice "$(key 4)"
check 'a manager adds a key' wait_for 10 log_has sshnpd 'ssh public key: accepted from=@alice'
expect_eq 'on a line of its own' "$(cat "$FILE")" "# mine
$(key 1) me
$(key 3) last
$(key 4)"
expect_eq 'the mode stays' "$(stat -c %a "$FILE")" 640
send @alice "$(key 4)"
wait_for 10 logged 2 'ssh public key: accepted' || fail 'second key'
expect_eq 'the same key is not added twice' "$(grep -cF "$(key 4)" "$FILE")" 1
sum=$(sum_of "$FILE")

send @alice "command=\"x\" $(key 2)"
check 'options in front are refused' wait_for 10 log_has sshnpd 'ssh public key: refused from=@alice: .*type is not accepted'
send @alice "$(key 2)
$(key 2)"
check 'two lines are refused' wait_for 10 log_has sshnpd 'ssh public key: refused .*control characters'
send @alice "ssh-ed25519 AAAA"
check 'a broken key is refused' wait_for 10 log_has sshnpd 'ssh public key: refused .*no such key'
send @mallory "$(key 2)"
check 'a stranger is refused' wait_for 10 log_has sshnpd 'denied, not a manager: from=@mallory name=sshpublickey'
expect_eq 'the file is untouched by all that' "$(sum_of "$FILE")" "$sum"

chmod 666 "$FILE"
send @alice "$(key 2)"
check 'a file that anybody may write is left alone' wait_for 10 log_has sshnpd 'not added from=@alice: .*group or others may write'
chmod 600 "$FILE"
expect_eq 'untouched' "$(sum_of "$FILE")" "$sum"
stop sshnpd || fail 'sshnpd'

sshnpd_up - --no-sshpublickey
send @alice "$(key 2)"
check 'without -s keys are not taken' wait_for 10 log_has sshnpd 'not added from=@alice reason=started-without-sshpublickey'
expect_eq 'untouched' "$(sum_of "$FILE")" "$sum"
stop sshnpd || fail 'sshnpd'

sshnpd_up - -S 'restrict,pty'
send @alice "$(key 2)"
check 'options of the operator stand in front' wait_for 10 grep -qxF "restrict,pty $(key 2)" "$FILE"
stop sshnpd || fail 'sshnpd'
refuse_start() { # refuse_start NAME WORDS FLAG...
	local name=$1 words=$2 rc=0
	shift 2
	sshnpd -a @device -m @alice "${COMMON[@]}" "$@" >"$NP_TMP/refused" 2>&1 || rc=$?
	expect_eq "$name" "$rc" 2
	check "$name: says why" grep -qF -- "$words" "$NP_TMP/refused"
}
refuse_start 'a line feed in these options' '--sshpublickey-permissions: must be one line' -S 'a
b'
