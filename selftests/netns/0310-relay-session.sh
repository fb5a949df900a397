#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# srvd by the wire: requests in every form, answers, refusals and silences; then its ports, with good peers and bad ones.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"

np_netns_topology
use_home "$NP_TMP/home"
realm_up relay "$RELAY_IP" @alice @device @relay @mallory
relay_up relay "$RELAY_IP" -v
SRVD_PID=${DAEMON_PID[srvd]}

ask() { # ask ATSIGN FLAG...: the answer in $ANSWER; status as of relaytool ask
	local atsign=$1
	shift
	ANSWER=$(in_ns client relaytool ask -a "$atsign" -r @relay -t @device "${COMMON[@]}" "$@" 2>>"$NP_TMP/ask.log")
}
answer() { jq -r "$1" <<<"$ANSWER"; }
open_session() { # open_session FLAG...: sets PORT_A PORT_B LINE_A LINE_B
	ask @alice "$@" || fail "no answer to: $*"
	PORT_A=$(answer .portA) PORT_B=$(answer .portB) LINE_A=$(answer .lineA) LINE_B=$(answer .lineB)
}
side_a() { in_ns client relaytool talk "$RELAY_IP" "$PORT_A" "$@"; }
side_b() { in_ns device relaytool talk "$RELAY_IP" "$PORT_B" "$@"; }
status_is() { # status_is WANTED CMD...
	local want=$1 rc=0
	shift
	"$@" || rc=$?
	[ "$rc" = "$want" ] || { echo "status $rc, not $want; answer: ${ANSWER:-}"; return 1; }
}
said() { wait_for 10 log_has srvd "$1"; }

# Both directions at once, with what each side sends; the results must be what the other sent.
exchange() { # exchange NAME [FLAGS-A...] -- [FLAGS-B...]
	local name=$1 a=() b=() pid
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do a+=("$1"); shift; done
	[ $# = 0 ] || shift
	b=("$@")
	head -c 3000000 /dev/urandom >"$NP_TMP/from-a"
	head -c 2000000 /dev/urandom >"$NP_TMP/from-b"
	side_b "${b[@]}" <"$NP_TMP/from-b" >"$NP_TMP/to-b" 2>>"$NP_TMP/talk.log" &
	pid=$!
	timeout 30 nsenter --net="/run/netns/$(ns_name client)" relaytool talk "$RELAY_IP" "$PORT_A" "${a[@]}" \
		<"$NP_TMP/from-a" >"$NP_TMP/to-a" 2>>"$NP_TMP/talk.log" || true
	wait_for 10 np_gone_or_zombie "$pid" || kill "$pid" 2>/dev/null || true
	wait "$pid" || true
	check "$name: a to b" same_content "$NP_TMP/from-a" "$NP_TMP/to-b"
	check "$name: b to a" same_content "$NP_TMP/from-b" "$NP_TMP/to-a"
}

# --- requests and answers

open_session
expect_eq 'the answer is host,portA,portB,nonce' "$(answer .value)" "$RELAY_IP,$PORT_A,$PORT_B,$(answer .nonce)"
exchange 'both sides authenticated' -l "$LINE_A" -- -l "$LINE_B"

open_session --json
check 'an answer in JSON when asked for' jq -e --arg ip "$RELAY_IP" \
	'.value | fromjson | .address == $ip and .portA > 0 and .portB > 0 and (.rvdNonce | length) > 10' <<<"$ANSWER"
exchange 'the line one byte at a time' --slow -l "$LINE_A" -- --slow -l "$LINE_B"

open_session --auth none
exchange 'no authentication' --
open_session --ancient
expect_eq 'the ancient form is answered with the nonce "null"' "$(answer .nonce)" null
exchange 'ancient form' --

SID=0d1e62a0-0000-4000-8000-0000000000aa
open_session --sid $SID
check 'a live session id is refused in silence' status_is 4 ask @alice --sid $SID --wait 2
check 'the log says why' said "session id $SID was used before"
NOTE=11111111-2222-4333-8444-555555555555
ask @alice --id $NOTE || fail 'request with an id of its own'
check 'a replayed request id is refused in silence' status_is 4 ask @alice --id $NOTE --wait 2
check 'an atSignA that is not the sender is refused in silence' status_is 4 ask @alice --claim @mallory --wait 2
check 'the log says so' said 'atSignA is @mallory, not the sender'
check 'who is no manager hears nothing' status_is 4 ask @mallory --wait 2
check 'but the log does' said 'denied from=@mallory .*not in --manager'
check 'who is no manager cannot claim to be one' status_is 4 ask @mallory --claim @alice --wait 2
check 'the shared port is refused with a reason' status_is 3 ask @alice --only443
rc=0
ask @alice --auth-mode escr || rc=$?
expect_eq 'mode escr is refused' "$rc" 3
expect_eq 'which says what can be done' "$(answer .nack)" "this relay authenticates in mode payload only, not 'escr'"

# --- bad peers: each is closed in silence, and the session goes on

silent_end() { # silent_end CMD...: ends without one byte of output
	local out
	out=$("$@" | head -c 100 | od -An -c) || true
	[ -z "$out" ] || { echo "got: $out"; return 1; }
}
open_session
head -c 1048576 /dev/zero | tr '\0' x >"$NP_TMP/mib"
garbage() { head -c 3000 /dev/urandom | tr -d '\n'; echo; }
talk_garbage() { { garbage; sleep 0.1; } | side_a; }
talk_mib() { side_a <"$NP_TMP/mib"; }
talk_forged() { side_a -l "${LINE_A/\"signature\":\"????/\"signature\":\"AAAA}" </dev/null; }
talk_wrong_side() { side_a -l "$LINE_B" </dev/null; }
talk_nothing() { side_a </dev/null; }
check 'garbage' silent_end talk_garbage
check 'a line of 1 MiB' silent_end talk_mib
check 'a forged signature' silent_end talk_forged
check "the other side's line" silent_end talk_wrong_side
check 'nothing at all, then the end' silent_end talk_nothing
check 'the log names the session, the peer and the reason' said 'socket refused side=a peer=.*authentication failed'
exchange 'the session after bad peers' -l "$LINE_A" -- -l "$LINE_B"

# --- 4096 half-open connections

open_session
rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$SRVD_PID/status"; }
mkfifo "$NP_TMP/hold"
exec {hold}<>"$NP_TMP/hold"
nsenter --net="/run/netns/$(ns_name device)" relaytool flood -n 4096 "$RELAY_IP" "$PORT_A" <"$NP_TMP/hold" {hold}<&- \
	>"$NP_TMP/flood" 2>>"$NP_TMP/talk.log" &
flood=$!
wait_for 60 grep -q open "$NP_TMP/flood" || fail 'the flood does not get through'
exchange 'beside 4096 half-open connections' -l "$LINE_A" -- -l "$LINE_B"
open_session
exchange 'another session beside them' -l "$LINE_A" -- -l "$LINE_B"
check 'srvd holds few of them' [ "$(find "/proc/$SRVD_PID/fd" -lname 'socket:*' | wc -l)" -lt 600 ]
say "resident set beside the flood: $(rss_kib) KiB"
exec {hold}>&-
wait "$flood" || true

check 'srvd still runs' is_running srvd
rc=0
stop srvd || rc=$?
expect_eq 'SIGTERM ends it' "$rc" 0
