#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# start_daemon, stop and the final clean-up: nothing of a test survives it, not even a detached child.
. "$(dirname "$0")/../harness/lib.sh"
need_cmd jq setsid

cat >"$NP_TMP/daemon" <<'SH'
#!/bin/bash
# daemon MODE [CHILD-PID-FILE] --ready-fd N
case $1 in
die) exit 7 ;;
esac
if [ -n "${DETACH:-}" ]; then
	setsid sleep 1000 &
	echo $! >"$DETACH"
fi
fd=${*: -1}
echo '{"port": 1234, "name": "x y"}' >&"$fd"
eval "exec $fd>&-"
trap 'exit 5' TERM
while :; do sleep 0.05; done
SH
chmod +x "$NP_TMP/daemon"

start_daemon one "$NP_TMP/daemon" serve
expect_eq "the ready line is kept" "$(daemon_json one .port)" 1234
expect_eq "texts come without quotes" "$(daemon_json one .name)" "x y"
check "an absent member is an error" refuse daemon_json one .absent
check "the daemon runs" is_running one
rc=0
stop one || rc=$?
expect_eq "stop returns the exit status" "$rc" 5

cat >"$NP_TMP/inner.sh" <<SH
. "$NP_TOP/selftests/harness/lib.sh"
echo "\$NP_TMP" >"$NP_TMP/inner-tmp"
export DETACH=$NP_TMP/child
start_daemon two "$NP_TMP/daemon" serve
echo "\${DAEMON_PID[two]}" >"$NP_TMP/inner-pid"
\$1
SH
gone() { [ -s "$1" ] && ! kill -0 "$(cat "$1")" 2>/dev/null; }
for ending in true false 'kill -TERM $$' 'fail wanted'; do
	rm -f "$NP_TMP/child" "$NP_TMP/inner-pid"
	bash "$NP_TMP/inner.sh" "eval $ending" >"$NP_TMP/inner.out" 2>&1 || true
	check "after '$ending' the daemon is gone" wait_for 2 gone "$NP_TMP/inner-pid"
	check "after '$ending' its detached child is gone" wait_for 2 gone "$NP_TMP/child"
	check "after '$ending' the folder is gone" test ! -e "$(cat "$NP_TMP/inner-tmp")"
done

cat >"$NP_TMP/dies.sh" <<SH
. "$NP_TOP/selftests/harness/lib.sh"
start_daemon three "$NP_TMP/daemon" die
ok "never reached"
SH
rc=0
bash "$NP_TMP/dies.sh" >"$NP_TMP/dies.out" 2>&1 || rc=$?
expect_eq "a daemon that dies at once fails the test" "$rc" 1
check "and says so" grep -q "^not ok 1 three ended before it was ready" "$NP_TMP/dies.out"
