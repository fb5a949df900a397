#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# control: one atserverd, the control plane's centre. Notifications per second end to end (sender's atServer to
# receiver's monitor, each on disk before it is acknowledged), the latency of a delivery at half that rate, and what an
# idle monitor connection costs in memory. All parties are on this machine; atserverd is one process.
#
#	PAIRS=8 WINDOW=32     sender and receiver atSigns; notifications under way per sender
#	REPS=5 SECS=4         repetitions, seconds per run (a second of warming up comes before)
#	CONNS=5000            idle monitors
here=$(dirname "$0")
. "$here/../../selftests/harness/lib.sh"
. "$here/../../selftests/harness/realm.sh"
. "$here/lib-bench.sh"
PAIRS=${PAIRS:-8} WINDOW=${WINDOW:-32} REPS=${REPS:-5} SECS=${SECS:-4} CONNS=${CONNS:-5000}
OWN_FDS=100
ATBENCH=$B/bench/atbench

bench_begin control
bench_cleanup() { trap - ERR; (exit 0); (np_cleanup); }
fail() { bench_say "$*"; show_logs >&2; exit 1; }
bench_need "$ATBENCH" atserverd jq

rss_kb() { awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"; }

# settled_rss PID: once it has stayed within 1 % for two seconds.
settled_rss() {
	local last now same=0 end=$((SECONDS + 60))
	last=$(rss_kb "$1")
	while [ "$same" -lt 20 ] && [ "$SECONDS" -lt "$end" ]; do
		sleep 0.1
		now=$(rss_kb "$1")
		if [ $((now > last ? now - last : last - now)) -le $((last / 100)) ]; then
			same=$((same + 1))
		else
			same=0 last=$now
		fi
	done
	rss_kb "$1"
}

cpu_ns() { cat "/proc/$1"/task/*/schedstat | awk '{ s += $1 } END { printf "%.0f\n", s }'; }

load_says() { bench_say "load average $(cut -d' ' -f1-3 /proc/loadavg)"; }

# notify_run FILE [FLAG...]: one run; its JSON, with the CPU time of atserverd per notification added, goes into FILE.
notify_run() {
	local file=$1 cpu
	shift
	cpu=$(cpu_ns "$server")
	"$ATBENCH" notify "${COMMON[@]}" -s "$senders" -r "$receivers" -w "$WINDOW" --warmup 1s --time "${SECS}s" "$@" \
		>"$bench_tmp/run" || fail "a run failed: $(cat "$bench_tmp/run")"
	jq -c --argjson ns $(($(cpu_ns "$server") - cpu)) '.cpu_us = $ns / 1000 / .sent' "$bench_tmp/run" >>"$file"
}

column() { jq -r "$2" "$1"; }

row_of() { # row_of NAME FILE FIELD UNIT
	bench_row "$1" "$(column "$2" "$3" | bench_median)" "$4" - - "$REPS" "$(column "$2" "$3" | bench_spread)"
}

measure_notes() {
	local rep half
	load_says
	for ((rep = 0; rep < REPS; rep++)); do notify_run "$bench_tmp/full"; done
	row_of control.notify.rate "$bench_tmp/full" .rate notes/s
	row_of control.notify.cpu "$bench_tmp/full" .cpu_us us/note
	half=$(column "$bench_tmp/full" .rate | bench_median | awk '{ printf "%d\n", $1 / 2 }')
	for ((rep = 0; rep < REPS; rep++)); do notify_run "$bench_tmp/half" --rate "$half"; done
	bench_row control.half.rate "$half" notes/s - - "$REPS" -
	row_of control.half.p50 "$bench_tmp/half" .p50_ms ms
	row_of control.half.p99 "$bench_tmp/half" .p99_ms ms
	load_says
}

# One answer line of the load process within SECONDS.
answer_of() { # answer_of SECONDS NAME
	local line end=$((SECONDS + $1))
	until [ "$SECONDS" -ge "$end" ]; do
		if IFS= read -r -t 1 -u "${CROWD[0]}" line; then
			[ "$(jq -r ".$2" <<<"$line")" = "$CONNS" ] && return 0
			fail "unexpected: $line"
		fi
		kill -0 "$CROWD_PID" 2>/dev/null || fail "the load process ended: $(tail -n 3 "$bench_tmp/crowd.log")"
	done
	fail "no '$2' within $1 s"
}

measure_monitors() {
	local before after in pid
	if [ "$(ulimit -Hn)" != unlimited ] && [ "$(ulimit -Hn)" -lt $((CONNS + OWN_FDS)) ]; then
		bench_say "descriptor limit $(ulimit -Hn) is too low for $CONNS connections: not measured"
		return
	fi
	# A server of its own: memory that others left free inside it must not be counted as theirs.
	stop atserverd || fail 'atserverd does not stop'
	realm_serve
	before=$(settled_rss "$server")
	coproc CROWD { exec "$ATBENCH" monitors "${COMMON[@]}" -a "$receivers" -c "$CONNS" 2>"$bench_tmp/crowd.log"; }
	pid=$CROWD_PID
	answer_of 300 up
	after=$(settled_rss "$server")
	echo noop >&"${CROWD[1]}"
	answer_of 60 answered
	in=${CROWD[1]}
	exec {in}>&-
	wait "$pid" || fail "the load process failed: $(tail -n 3 "$bench_tmp/crowd.log")"
	bench_row control.monitor.rss "$(awk -v a="$after" -v b="$before" -v n="$CONNS" 'BEGIN { printf "%.2f", (a - b) / n }')" \
		KiB/conn 40 '<=' 1 -
	bench_row control.monitor.answered "$CONNS" conns "$CONNS" '>=' 1 -
	bench_row control.atserverd.rss "$after" KiB - - 1 -
	load_says
}

realm_serve() {
	start_daemon atserverd atserverd --config "$REALM/atserverd.yaml"
	ROOT_DOMAIN=localhost:$(daemon_json atserverd .directory.port)
	COMMON=(--root-domain "$ROOT_DOMAIN" --root-ca "$REALM/ca.pem")
	server=${DAEMON_PID[atserverd]}
}

use_home "$NP_TMP/home"
for ((i = 1; i <= PAIRS; i++)); do s+=("@s$i") r+=("@r$i"); done
senders=$(IFS=,; echo "${s[*]}") receivers=$(IFS=,; echo "${r[*]}")
realm_up - localhost "${s[@]}" "${r[@]}"
server=${DAEMON_PID[atserverd]}
measure_notes
measure_monitors
bench_end
