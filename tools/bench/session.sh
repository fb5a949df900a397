#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# session: sshnp's start to the first byte of sshd's banner, all parties on this machine (50 runs), then with 40 ms of
# emulated delay on the client's and on the device's link (one way; a round trip client - server is 80 ms), with the
# progress of one run turned into round trips per phase. RUNS, DELAY_RUNS and DELAY_MS change the numbers.
here=$(dirname "$0")
. "$here/../../selftests/harness/lib.sh"
. "$here/../../selftests/harness/realm.sh"
. "$here/../../selftests/harness/linkem.sh"
. "$here/lib-bench.sh"
RUNS=${RUNS:-50} DELAY_RUNS=${DELAY_RUNS:-5} DELAY_MS=${DELAY_MS:-40}

bench_begin session
bench_cleanup() { trap - ERR; (exit 0); (np_cleanup); }
fail() { bench_say "$*"; show_logs >&2; exit 1; }
[ "$(id -u)" = 0 ] || bench_skip "needs root for network namespaces"

# Both delays hold for both directions, so a message client -> server -> device takes 2 * DELAY_MS.
ns_add client relay device
link_start up client eth0 192.168.21.2/24 relay toc 192.168.21.1/24
link_start down device eth0 192.168.22.2/24 relay tod 192.168.22.1/24
np_addr relay 203.0.113.1/32 lo
ip -n "$NP_ID-client" route add default via 192.168.21.1
ip -n "$NP_ID-device" route add default via 192.168.22.1
use_home "$NP_TMP/home"
realm_up relay 203.0.113.1 @alice @device @relay
relay_up relay 203.0.113.1
device_up device
client_args

once() { in_ns client "$B/bench/firstbyte" --timeout 60 sshnp --stdio "${CLIENT[@]}" "$@" 2>>"$NP_TMP/sshnp.log"; }

measure() { # measure RUNS FILE
	local i
	: >"$2"
	once >/dev/null || fail "the first session failed: $(tail -n 3 "$NP_TMP/sshnp.log")"
	for ((i = 0; i < $1; i++)); do once >>"$2" || fail "session $i failed: $(tail -n 3 "$NP_TMP/sshnp.log")"; done
}

measure "$RUNS" "$bench_tmp/near"
bench_row session.p50 "$(bench_quantile 0.5 <"$bench_tmp/near")" ms 250 '<=' "$RUNS" "$(bench_spread <"$bench_tmp/near")"
bench_row session.p95 "$(bench_quantile 0.95 <"$bench_tmp/near")" ms 400 '<=' "$RUNS" "$(bench_spread <"$bench_tmp/near")"

link_set up delay-ms "$DELAY_MS"
link_set down delay-ms "$DELAY_MS"
rtt=$((2 * DELAY_MS))
measure "$DELAY_RUNS" "$bench_tmp/far"
bench_row "session.delay${DELAY_MS}.p50" "$(bench_quantile 0.5 <"$bench_tmp/far")" ms $((12 * rtt + 250)) '<=' \
	"$DELAY_RUNS" "$(bench_spread <"$bench_tmp/far")"

# One more run, its progress lines as round trips of the client - server path.
: >"$NP_TMP/sshnp.log"
once -v >"$bench_tmp/one" || fail 'the traced session failed'
bench_say "round trips ($rtt ms) per phase of one run, $(cat "$bench_tmp/one") ms in all:"
awk -v rtt="$rtt" -v total="$(cat "$bench_tmp/one")" '
	/^ *[0-9]+ ms : / { at = $1; sub(/^ *[0-9]+ ms : /, ""); printf "  %7.1f RTT at  %s\n", at / rtt, $0 }
	END { printf "  %7.1f RTT at  first byte of the banner\n", total / rtt }' "$NP_TMP/sshnp.log" >&2
bench_row session.round-trips "$(awk -v t="$(cat "$bench_tmp/one")" -v r="$rtt" 'BEGIN { printf "%.1f", t / r }')" RTT - - 1 -
bench_end
