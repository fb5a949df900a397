#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two daemons with the same atSign and name: the second says so and leaves, the first warns and goes on. With another
# name both serve.
. "$(dirname "$0")/../harness/lib.sh"
. "$(dirname "$0")/../harness/realm.sh"
need_cmd jq

use_home "$NP_TMP/home"
realm_up - localhost @alice @device
SSHD_PORT=22
touch "$HOME/.ssh/authorized_keys"
sshnpd_up -
# Two that start within three seconds settle it by their ids; this is about one that serves already.
up_since=$(np_now_ms)
is_elder() { [ $(($(np_now_ms) - up_since)) -gt 3500 ]; }
wait_for 10 is_elder || fail 'time stands still'
rc=0
USER=$ME timeout 40 sshnpd -a @device -m @alice -d dev1 "${COMMON[@]}" >"$NP_TMP/second.log" 2>&1 || rc=$?
expect_eq 'the second one leaves' "$rc" 1
check 'and says why' grep -q 'another sshnpd (host .*, pid .*) serves this name of @device already' "$NP_TMP/second.log"
check 'the first one stays' is_running sshnpd
check 'and warns' wait_for 5 log_has sshnpd 'another sshnpd was started with this name'
pong() {
	npnote -a @alice "${COMMON[@]}" --to @device --name "ping.$1.sshnp" --value ping --listen "heartbeat.$1.sshnp" --secs 10 |
		sed 's/^[^ ]* //' | jq -r .devicename
}
expect_eq 'the first goes on serving' "$(pong dev1)" dev1
USER=$ME start_daemon other sshnpd -a @device -m @alice -d other -h "${COMMON[@]}"
expect_eq 'another name is another device' "$(pong other)" other
expect_eq 'beside the first' "$(pong dev1)" dev1

# Both at once: one of them stays.
stop sshnpd || fail 'sshnpd'
USER=$ME start_bg twin1 sshnpd -a @device -m @alice -d twin -h "${COMMON[@]}"
USER=$ME start_bg twin2 sshnpd -a @device -m @alice -d twin -h "${COMMON[@]}"
one_left() { is_running twin1 && ! is_running twin2 || { is_running twin2 && ! is_running twin1; }; }
check 'of two that start at once, one leaves' wait_for 20 one_left
expect_eq 'and one serves' "$(pong twin)" twin
