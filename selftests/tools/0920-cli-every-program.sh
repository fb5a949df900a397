#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What every program owes its user, and that pages with generated tables agree with the programs.
. "$(dirname "$0")/../harness/lib.sh"

programs=("$NP_BIN"/*)
[ -x "${programs[0]}" ] || fail "no program is built"

status_of() { # status_of CMD...: prints its exit status, its output goes to files
	local rc=0
	timeout 5 "$@" >"$NP_TMP/out" 2>"$NP_TMP/err" </dev/null || rc=$?
	echo "$rc"
}

for path in "${programs[@]}"; do
	name=${path##*/}
	expect_eq "$name --help ends with 0" "$(status_of "$path" --help)" 0
	check "$name --help shows its usage on stdout" grep -q "^Usage: $name" "$NP_TMP/out"
	check "$name --help says nothing on stderr" test ! -s "$NP_TMP/err"
	check "$name --help keeps to 80 columns" refuse grep -q '.\{81,\}' "$NP_TMP/out"
	expect_eq "$name --version ends with 0" "$(status_of "$path" --version)" 0
	check "$name --version is one line" grep -qx "$name [0-9][0-9.]*.*" "$NP_TMP/out"
	# The published srv has its own codes, which its parents look at (noports.md 16).
	usage=2
	[ "$name" != srv ] || usage=1
	expect_eq "$name refuses an unknown option with $usage" "$(status_of "$path" --no-such-option)" "$usage"
	check "$name names it in one line on stderr" \
		grep -qx "$name: unknown option --no-such-option; see $name.* --help" "$NP_TMP/err"
	check "$name prints nothing on stdout then" test ! -s "$NP_TMP/out"
	check "$name has a completion that bash accepts" bash -n <("$path" --dump-cli=bash)
done
check "the pages agree with the programs" "$NP_TOP/tools/gen-cli" check
