#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# srvd at its limits: short of descriptors, or at its number of sessions, it refuses new sessions with a reason and
# leaves the old ones alone. And what it does not start with.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"

np_netns_topology
need_cmd prlimit
use_home "$NP_TMP/home"
realm_up relay "$RELAY_IP" @alice @device @relay

# --- what it refuses to start with

usage() { # usage REGEX CMD...: status 2 and a message
	local want=$1 out rc=0
	shift
	out=$("$@" 2>&1) || rc=$?
	[ "$rc" = 2 ] && grep -qE -- "$want" <<<"$out" || { echo "status $rc: $out"; return 1; }
}
check 'without --manager it does not start' usage 'say --manager open' srvd -a @relay -i "$RELAY_IP"
check 'an empty --manager is none' usage 'say --manager open' srvd -a @relay -i "$RELAY_IP" -m ''
check 'open does not mix' usage 'stands alone' srvd -a @relay -i "$RELAY_IP" -m @alice,open
check 'an address with a comma' usage 'is no host name' srvd -a @relay -i 'a,b' -m @alice
check 'an unknown back end' usage 'teleport' srvd -a @relay -i "$RELAY_IP" -m @alice --backend teleport
no_key() {
	local out rc=0
	out=$(srvd -a @relay -i "$RELAY_IP" -m @alice -k "$NP_TMP/none" "${COMMON[@]}" 2>&1) || rc=$?
	[ "$rc" = 1 ] && [[ $out == *"$NP_TMP/none"*'does not exist'* ]] || { echo "status $rc: $out"; return 1; }
}
check 'a missing key file is named' no_key

# --- sessions

ask() { # the answer in $ANSWER
	ANSWER=$(in_ns client relaytool ask -a @alice -r @relay -t @device "${COMMON[@]}" 2>>"$NP_TMP/ask.log")
}
answer() { jq -r "$1" <<<"$ANSWER"; }
# An endless pair of peers in the open session; lines written to $1-in come out of $1-out.
long_lived() { # long_lived NAME
	local a b line_a line_b fd
	mkfifo "$NP_TMP/$1-in-b"
	exec {fd}<>"$NP_TMP/$1-in-b" # held open, so that side b goes on
	a=$(answer .portA) b=$(answer .portB) line_a=$(answer .lineA) line_b=$(answer .lineB)
	mkfifo "$NP_TMP/$1-in"
	exec {fd}<>"$NP_TMP/$1-in"
	eval "$1_IN=$fd"
	nsenter --net="/run/netns/$(ns_name client)" relaytool talk "$RELAY_IP" "$a" -l "$line_a" <"$NP_TMP/$1-in" \
		>/dev/null 2>>"$NP_TMP/talk.log" &
	nsenter --net="/run/netns/$(ns_name device)" relaytool talk "$RELAY_IP" "$b" -l "$line_b" <"$NP_TMP/$1-in-b" \
		>"$NP_TMP/$1-out" 2>>"$NP_TMP/talk.log" &
}
carries() { # carries NAME TEXT: the old session still carries bytes
	local var=$1_IN
	echo "$2" >&"${!var}"
	wait_for 10 grep -qx "$2" "$NP_TMP/$1-out"
}

relay_up relay "$RELAY_IP" --max-sessions-per-client 3
ask || fail 'the first session'
long_lived old
check 'a session carries bytes' carries old one
for i in 2 3; do ask || fail "session $i"; done
rc=0
ask || rc=$?
expect_eq 'the fourth session of a client is refused' "$rc" 3
expect_eq 'with the reason' "$(answer .nack)" '@alice has 3 sessions on this relay, which is the limit'
check 'the old session goes on' carries old two
stop srvd || true

# 120 descriptors: an eighth and 32 are kept back for the sessions that live.
start_daemon srvd -n relay prlimit --nofile=120 srvd -a @relay -i "$RELAY_IP" -m @alice "${COMMON[@]}"
check 'the low limit is reported' log_has srvd 'descriptor limit is low limit=120'
ask || fail 'the first session under the descriptor limit'
long_lived second
check 'a session carries bytes under the descriptor limit' carries second one
rc=0 nr=1
while [ $nr -lt 60 ] && [ $rc = 0 ]; do
	ask || rc=$?
	nr=$((nr + 1))
done
expect_eq "new sessions are refused in the end" "$rc" 3
say "refused at session $nr"
check 'some were let in before' [ "$nr" -gt 10 ]
check 'the reason names descriptors and what to do' [ "$(answer .nack)" = \
	'relay is full: descriptors are short, try again later or use another relay' ]
check 'the old session goes on when descriptors are short' carries second two
check 'srvd still runs' is_running srvd
rc=0
stop srvd || rc=$?
expect_eq 'SIGTERM ends it' "$rc" 0
