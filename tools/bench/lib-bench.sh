# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Common part of the benchmarks, sourced by tools/bench/NAME.sh:
#
#	. "$(dirname "$0")/lib-bench.sh"
#	bench_begin session
#	bench_row  session.p50 182 ms 250 '<=' 50 0.08
#	bench_end
#
# bench_end prints the table, writes $B/bench/NAME.json and exits: 0 when every target is met,
# 1 when one is missed. A bench that cannot run here calls bench_skip, which exits with 4.
set -u -o pipefail
export LC_ALL=C

BENCH_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
B=${B:-build}
case $B in /*) ;; *) B=$BENCH_ROOT/$B ;; esac
BENCH_OUT=$B/bench
NPLOAD=${NPLOAD:-$B/bench/npload}

bench_name=
bench_tmp=
bench_pids=()

# Calls the bench's own cleanup too, when it defines bench_cleanup.
bench_exit() {
	local status=$? pid
	trap - EXIT
	for pid in ${bench_pids[@]+"${bench_pids[@]}"}; do
		{ kill "$pid" && wait "$pid"; } 2>/dev/null || true
	done
	! declare -F bench_cleanup >/dev/null || bench_cleanup
	[ -z "$bench_tmp" ] || rm -rf "$bench_tmp"
	exit "$status"
}

# One benchmark at a time on a machine, whichever checkout it comes from; two would measure each other.
# Children inherit the lock, so one that a killed bench left behind must not hold us up for ever.
bench_lock() {
	local fd
	command -v flock >/dev/null && exec {fd}>>"${TMPDIR:-/tmp}/knp-bench.lock" || return 0
	flock -n "$fd" && return
	bench_say "another benchmark is running; waiting for it"
	flock -w 900 "$fd" || bench_say "it does not end; going on beside it"
}

# bench_begin NAME: a private folder in $bench_tmp, cleanup on every way out.
bench_begin() {
	bench_name=$1
	mkdir -p "$BENCH_OUT" || exit 1
	bench_lock
	bench_tmp=$(mktemp -d) || exit 1
	trap bench_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	: >"$bench_tmp/rows"
}

# Child processes that bench_exit ends.
bench_reap() { bench_pids+=("$@"); }

bench_say() { echo "bench $bench_name: $*" >&2; }
bench_die() { bench_say "$*"; exit 1; }
bench_skip() { echo "bench ${bench_name:-?}: skipped: $*"; exit 4; }

# bench_need PROGRAM... : skips, naming the one that is missing.
bench_need() {
	local p
	for p in "$@"; do
		command -v "$p" >/dev/null || bench_skip "$p is not installed (tools/deps.sh bench)"
	done
}

# bench_row NAME VALUE UNIT TARGET OP RUNS SPREAD
# TARGET and OP are "-" for a figure that is only reported. SPREAD is (max - min) / median of the
# runs, see bench_spread.
bench_row() {
	[ $# = 7 ] || bench_die "bench_row needs 7 words, got: $*"
	case $5 in '>=' | '<=' | -) ;; *) bench_die "bench_row $1: operator '$5'" ;; esac
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$bench_tmp/rows"
}

# Rows as JSON; "met" is null where there is no target.
bench_json() {
	awk -F'\t' '
	function num(x) { return x ~ /^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$/ ? x : "null" }
	function met(v, t, op) {
		if (num(t) == "null") return "null"
		if (num(v) == "null") return "false"
		return (op == ">=" ? v + 0 >= t + 0 : v + 0 <= t + 0) ? "true" : "false"
	}
	BEGIN { printf "[" }
	{
		printf "%s\n {\"name\":\"%s\",\"value\":%s,\"unit\":\"%s\",\"target\":%s,\"op\":%s,", \
			(NR > 1 ? "," : ""), $1, num($2), $3, num($4), ($5 == "-" ? "null" : "\"" $5 "\"")
		printf "\"met\":%s,\"runs\":%s,\"spread\":%s}", met($2, $4, $5), num($6), num($7)
	}
	END { print "\n]" }' "$bench_tmp/rows"
}

bench_table() {
	awk -F'\t' '
	BEGIN { printf "%-34s %12s %-9s %-9s %-4s %5s %7s\n", \
		"NAME", "VALUE", "UNIT", "TARGET", "MET", "RUNS", "SPREAD" }
	{
		met = "-"
		if ($5 != "-") met = (($5 == ">=" && $2 + 0 >= $4 + 0) || ($5 == "<=" && $2 + 0 <= $4 + 0)) \
			&& $2 != "-" ? "yes" : "NO"
		printf "%-34s %12s %-9s %-9s %-4s %5s %7s\n", $1, $2, $3, ($5 == "-" ? "-" : $5 " " $4), \
			met, $6, $7
		missed += met == "NO"
	}
	END { exit missed > 0 }' "$bench_tmp/rows"
}

bench_end() {
	local status=0
	bench_json >"$BENCH_OUT/$bench_name.json.new" || bench_die "cannot write into $BENCH_OUT"
	mv "$BENCH_OUT/$bench_name.json.new" "$BENCH_OUT/$bench_name.json"
	bench_table || status=1
	echo "written: $BENCH_OUT/$bench_name.json"
	exit "$status"
}

# Statistics over numbers on standard input, one a line. An empty input gives "-".
bench_quantile() { # bench_quantile Q
	sort -g | awk -v q="$1" '{ v[NR] = $1 } END {
		if (!NR) { print "-"; exit }
		at = 1 + q * (NR - 1); low = int(at)
		printf "%.6g\n", (low < NR ? v[low] + (at - low) * (v[low + 1] - v[low]) : v[NR]) }'
}
bench_median() { bench_quantile 0.5; }
bench_spread() {
	sort -g | awk '{ v[NR] = $1 } END {
		if (!NR) { print "-"; exit }
		m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
		printf "%.3f\n", (m ? (v[NR] - v[1]) / m : 0) }'
}
bench_ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b + 0) printf "%.3f\n", a / b; else print "-" }'; }

# bench_field KEY: a number or word of the flat JSON object on standard input.
bench_field() { sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p'; }

# bench_wait SECONDS COMMAND... : until the command succeeds; fails at the deadline.
bench_wait() {
	local until=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.02
	done
}

# bench_cpu_snap PID...: run time in ns of every thread of these processes and of every kworker and ksoftirqd,
# one line each: work that the kernel does on a relay's behalf must not be free.
bench_cpu_snap() {
	local pid files=()
	for pid in "$@"; do
		files+=(/proc/"$pid"/task/*/schedstat)
	done
	for pid in $(bench_kernel_threads); do
		files+=(/proc/"$pid"/schedstat)
	done
	grep -s . -- "${files[@]}" /dev/null | awk -F'[: ]' '{ print $1, $2 }'
}

# bench_cpu_used FILE1 FILE2: ns between two snapshots. A thread that has ended meanwhile is left out.
bench_cpu_used() {
	awk 'NR == FNR { old[$1] = $2; next } { s += $2 - old[$1] } END { printf "%.0f\n", s }' "$1" "$2"
}

# Busy time in ns of all processors since boot.
bench_busy_ns() {
	awk -v hz="$(getconf CLK_TCK)" '/^cpu / { printf "%.0f\n", ($2 + $3 + $4 + $7 + $8) * 1e9 / hz }' /proc/stat
}

# bench_quiet: waits until other programs leave the machine alone, as long as $bench_patience (seconds, spent
# here and by the caller's repetitions) lasts. Fails when it does not.
bench_patience=${PATIENCE:-180}
bench_quiet() {
	local busy from=$SECONDS
	while [ $((SECONDS - from)) -lt "$bench_patience" ]; do
		busy=$(bench_busy_ns)
		sleep 0.2
		[ $(($(bench_busy_ns) - busy)) -gt 50000000 ] || {
			bench_patience=$((bench_patience - SECONDS + from))
			return 0
		}
	done
	bench_patience=0
	return 1
}

bench_kernel_threads() {
	grep -lE '^(kworker|ksoftirqd)/' /proc/[0-9]*/comm 2>/dev/null | cut -d/ -f3
}

# bench_children PID...: these processes and their children.
bench_children() {
	local pid
	for pid in "$@"; do
		echo "$pid"
		grep -lsP "^PPid:\t$pid$" /proc/[0-9]*/status | cut -d/ -f3
	done
}
