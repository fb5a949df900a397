#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh SECS TARGET...: each libFuzzer program for SECS seconds over its seed corpus selftests/fuzz/corpus/NAME
# (NAME without "fuzz_"). New inputs go to build/fuzz/corpus/NAME, findings to build/fuzz/findings; exit 1 when
# there is one.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -ge 2 ] || { echo "usage: $0 SECS TARGET..." >&2; exit 2; }
secs=$1
shift
bad=0
for target; do
	name=$(basename "$target")
	seeds=selftests/fuzz/corpus/${name#fuzz_}
	work=build/fuzz/corpus/${name#fuzz_}
	mkdir -p "$work" build/fuzz/findings
	[ -d "$seeds" ] || seeds=
	log=build/fuzz/$name.log
	# shellcheck disable=SC2086  # no seeds, no argument
	if "$target" -max_total_time="$secs" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/findings/$name-" "$work" $seeds >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		echo "$name: ok, $runs inputs in $secs s"
	else
		bad=1
		tail -n 40 "$log"
		echo "$name: FAILED, see $log and build/fuzz/findings"
	fi
done
exit "$bad"
