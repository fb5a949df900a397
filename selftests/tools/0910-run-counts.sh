#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The test runner itself: what counts as passed, failed and skipped, and that a crash is never a pass.
. "$(dirname "$0")/../harness/lib.sh"

top=$NP_TMP/top
mkdir -p "$top/selftests/unit" "$top/selftests/netns" "$top/build/unit"
cp "$NP_TOP/selftests/run.sh" "$top/selftests/"

make_test() { # make_test SUITE/NAME: its body on stdin
	{ echo '#!/bin/bash'; cat; } >"$top/selftests/$1.sh"
}
make_test netns/0001-passes <<<'true'
make_test netns/0002-fails <<<'echo "the reason"; exit 1'
make_test netns/0003-skips <<<'echo "# SKIP needs a thing"; exit 4'
make_test netns/0004-cases <<<'echo "ok 1 first"; echo "talk"; echo "not ok 2 second"; echo "# why"; echo "1..2"; exit 1'
make_test netns/0005-hangs <<<'# time-limit: 1
sleep 100'
make_test netns/0006-stops-short <<<'echo "ok 1 a"; echo "1..2"'
make_test netns/0007-crashes <<<'echo "ok 1 a"; kill -SEGV $$'
make_test netns/0008-kernel <<<'echo "# SKIP kernel lacks a thing"; exit 4'
touch "$top/selftests/unit/test_x.c"
printf '#!/bin/bash\necho "KTAP version 1"; echo "# x.c:1: broken"; echo "not ok 1 a"; echo "ok 2 b # SKIP no"; echo "1..2"; exit 1\n' \
	>"$top/build/unit/test_x"
chmod +x "$top/build/unit/test_x"
# Its source is gone, so it must not run.
cp "$top/build/unit/test_x" "$top/build/unit/test_old"

run() { # run CI PATTERN...: output in $NP_TMP/out, status in rc
	local ci=$1
	shift
	rc=0
	CI=$ci NP_BUILD=build bash "$top/selftests/run.sh" "$@" >"$NP_TMP/out" || rc=$?
}
has() { grep -qxE -- "$1" "$NP_TMP/out"; }

run '' 0001
expect_eq "one passing test" "$(tail -n1 "$NP_TMP/out")" "1 passed, 0 failed"
expect_eq "exits 0" "$rc" 0
run ''
expect_eq "everything is counted" "$(tail -n1 "$NP_TMP/out")" "4 passed, 6 failed, 3 skipped"
expect_eq "exits 1" "$rc" 1
check "the plan holds all" has '1\.\.13'
check "output of a failed test is shown" has '# the reason'
check "its exit status too" has 'not ok [0-9]+ - 0002-fails: exits with 1'
check "what a case says after its line" has '# why'
check "what a case says before its line" has '# x.c:1: broken'
check "a skip has its reason" has 'ok [0-9]+ - 0003-skips # SKIP needs a thing'
check "a case is named after its suite" has 'not ok [0-9]+ - 0004-cases: second'
check "a hanging test ends" has 'not ok [0-9]+ - 0005-hangs: ends within 1 s'
check "missing cases fail" has 'not ok [0-9]+ - 0006-stops-short: runs all 2 cases, ran 1'
check "a crash after the last case fails" has 'not ok [0-9]+ - 0007-crashes: exits with 139'
check "leftovers are not run" refuse grep -q test_old "$NP_TMP/out"
run true 0003
expect_eq "CI takes no skip for want of a privilege" "$(tail -n1 "$NP_TMP/out")" "0 passed, 1 failed"
run true 0008 0001
expect_eq "CI takes a skip for want of a kernel feature" "$(tail -n1 "$NP_TMP/out")" "1 passed, 0 failed, 1 skipped"
run '' nothing-like-this
expect_eq "nothing run is a failure" "$rc" 1
