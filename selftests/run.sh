#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# run.sh [PATTERN...]: runs every test whose path holds one of the patterns (all without one), prints one TAP
# stream and, as the last line, "N passed, N failed" (and ", N skipped"). Exit 1 when something failed or nothing
# ran. Suites: build/unit/test_*, build/corpus/fuzz_* and selftests/SUITE/*.sh.
#
# A shell test exits 0 (pass), 4 (skip, reason in its last "# SKIP reason" line) or anything else (fail); TAP lines
# that it prints are counted as cases. "# time-limit: SECS" in its first lines replaces the limit of 180 s.
# UNIT_JOBS (2) and SHELL_JOBS (1) tests run side by side.
set -euo pipefail
self=$(cd "$(dirname "$0")" && pwd)/run.sh
cd "$(dirname "$self")/.."
build=${NP_BUILD:-build}
default_limit=180

limit_of() { # limit_of TEST
	local limit=
	case $1 in *.sh) limit=$(sed -n '1,12s/^# time-limit: \([0-9]*\)$/\1/p' "$1") ;; esac
	echo "${limit:-$default_limit}"
}

# The raw output of one test on stdin, its TAP on stdout; counts go to file "counts".
to_tap() { # to_tap SUITE STATUS LIMIT
	awk -v suite="$1" -v status="$2" -v limit="$3" -v counts="$out/counts" -v ci="${CI:-}" -v netns="$netns" '
	BEGIN { getline line < counts; split(line, c, " "); passed = c[1]; failed = c[2]; skipped = c[3]; nr = passed + failed + skipped }
	function flush_talk(   i, from) {
		from = n > 200 ? n - 199 : 1
		if (from > 1) print "# ... " from - 1 " lines left out"
		for (i = from; i <= n; i++) print (talk[i] ~ /^# / ? "" : "# ") talk[i]
	}
	function result(good, name, reason) {
		nr++; cases++
		# In CI a missing privilege or package is a fault of the machine and must not pass unseen.
		if (good && reason != "" && ci == "true" && netns == 1 && reason !~ /^kernel lacks/) {
			good = 0; talk[++n] = "skipped, which CI does not accept: " reason; reason = ""
		}
		printf "%sok %d - %s%s\n", good ? "" : "not ", nr, name, reason != "" ? " # SKIP " reason : ""
		if (!good) { failed++; bad++; flush_talk() } else if (reason != "") skipped++; else passed++
		n = 0
	}
	/^(not )?ok [0-9]+( |$)/ {
		good = $1 == "ok"; name = $0; reason = ""
		sub(/^(not )?ok [0-9]+ ?(- )?/, "", name)
		if (match(name, / # SKIP ?/)) { reason = substr(name, RSTART + RLENGTH); name = substr(name, 1, RSTART - 1); if (reason == "") reason = "no reason given" }
		# A shell test explains behind the line, a C test before it; the former is shown at the end.
		result(good, suite ": " name, reason); next
	}
	/^1\.\.[0-9]+$/ { plan = substr($0, 4); next }
	/^K?TAP version/ { next }
	/^# SKIP / { why = substr($0, 8); next }
	{ gsub(/[^\t\040-\176\200-\377]/, "?"); talk[++n] = $0; if (bad && n < 200) tail[++t] = $0 }
	END {
		if (status == 4) result(1, suite, why != "" ? why : "no reason given")
		else if (status == 124 || status == 137) result(0, suite ": ends within " limit " s", "")
		else if (status != 0 && !bad) result(0, suite ": exits with " status, "")
		else if (plan != "" && plan != cases) result(0, suite ": runs all " plan " cases, ran " cases + 0, "")
		else if (!cases) result(1, suite, "")
		else if (bad) flush_talk()
		print passed + 0, failed + 0, skipped + 0 > counts
	}'
}

run_one() { # run_one OUT-FOLDER TEST
	local out=$1 test=$2 suite raw status=0 limit netns=0
	suite=${test##*/}
	suite=${suite%.sh}
	raw=$out/$suite.raw
	limit=$(limit_of "$test")
	case $test in
	*/netns/*) netns=1 ;;
	*/corpus/*) set -- "$1" "$2" selftests/fuzz/corpus/"${suite#fuzz_}" ;;
	esac
	case $test in
	*.sh) timeout -k 15 "$limit" bash "$test" >"$raw" 2>&1 </dev/null || status=$? ;;
	*) timeout -k 15 "$limit" "$test" "${@:3}" >"$raw" 2>&1 </dev/null || status=$? ;;
	esac
	(
		flock 8
		to_tap "$suite" "$status" "$limit" <"$raw"
	) 8>"$out/lock"
	rm -f "$raw"
}

selected() { # selected TEST PATTERN...
	local test=$1 pattern
	shift
	[ $# -gt 0 ] || return 0
	for pattern; do
		[[ $test == *"$pattern"* ]] && return 0
	done
	return 1
}

# A program whose source is gone is left over from an older build.
list_programs() {
	local source name
	for source in selftests/unit/test_*.c; do
		name=$(basename "$source" .c)
		[ ! -e "$source" ] || echo "$build/unit/$name"
	done
	for source in selftests/fuzz/fuzz_*.c; do
		name=$(basename "$source" .c)
		[ ! -d "selftests/fuzz/corpus/${name#fuzz_}" ] || echo "$build/corpus/$name"
	done
}

list_shell() {
	local test
	for test in selftests/*/[0-9]*.sh; do
		[ ! -e "$test" ] || echo "$test"
	done
}

run_list() { # run_list JOBS LISTER PATTERN...
	local jobs=$1 lister=$2 test
	shift 2
	"$lister" | while read -r test; do
		if selected "$test" "$@"; then printf '%s\0' "$test"; fi
	done | xargs -0 -r -n 1 -P "$jobs" "$self" --one "$out"
}

main() {
	local passed failed skipped
	out=$(mktemp -d)
	trap 'rm -rf "$out"' EXIT
	echo 0 0 0 >"$out/counts"
	echo 'TAP version 13'
	run_list "${UNIT_JOBS:-2}" list_programs "$@"
	run_list "${SHELL_JOBS:-1}" list_shell "$@"
	read -r passed failed skipped <"$out/counts"
	echo "1..$((passed + failed + skipped))"
	[ $((passed + failed + skipped)) -gt 0 ] || echo "# no test matches: $*"
	echo "$passed passed, $failed failed$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

if [ "${1:-}" = --one ]; then
	run_one "$2" "$3"
else
	main "$@"
fi
