#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# rss: what the daemons keep in memory while nothing happens, their connections up. A value counts once it has stayed
# within 1 % for REST_SECS. Pages of program files count at their highest since the start: unmapping them while quiet
# moves them out of VmRSS, but they are wanted again at the next event, and they stay in the page cache. What
# /proc/PID/status shows at rest is the row NAME.shown; NAME.private belongs to the process alone.
#
#	REPS=3 REST_SECS=5
here=$(dirname "$0")
. "$here/../../selftests/harness/lib.sh"
. "$here/../../selftests/harness/realm.sh"
. "$here/lib-bench.sh"
REPS=${REPS:-3} REST_SECS=${REST_SECS:-5}
SETTLE_SECS=90

bench_begin rss
bench_cleanup() { trap - ERR; (exit 0); (np_cleanup); }
fail() { bench_say "$*"; show_logs >&2; exit 1; }
bench_need jq atserverd srvd sshnpd srv npjoin

status_kb() { awk -v k="$2:" '$1 == k { print $2 }' "/proc/$1/status"; }

# measure NAME PID: adds one line "COUNTED SHOWN PRIVATE" to $bench_tmp/NAME.
measure() {
	local pid=$2 file most=0 now last=0 since=$SECONDS end=$((SECONDS + SETTLE_SECS))
	until [ $((SECONDS - since)) -gt "$REST_SECS" ]; do
		[ "$SECONDS" -lt "$end" ] || fail "$1 does not come to rest within $SETTLE_SECS s"
		file=$(status_kb "$pid" RssFile) now=$(status_kb "$pid" VmRSS)
		[ -n "$now" ] || fail "$1 has ended"
		most=$((file > most ? file : most))
		if [ $((now > last ? now - last : last - now)) -gt $((last / 100)) ]; then
			last=$now since=$SECONDS
		fi
		sleep 0.1
	done
	echo "$((most + $(status_kb "$pid" RssAnon) + $(status_kb "$pid" RssShmem))) $now $(awk \
		'/^Private_(Clean|Dirty):/ { s += $2 } END { print s }' "/proc/$pid/smaps_rollup")" >>"$bench_tmp/$1"
}

row_of() { # row_of NAME COLUMN ROW TARGET OP
	local values
	values=$(cut -d' ' -f"$2" "$bench_tmp/$1")
	bench_row "$3" "$(bench_median <<<"$values")" kB "$4" "$5" "$REPS" "$(bench_spread <<<"$values")"
}

rows_of() { # rows_of NAME TARGET OP
	row_of "$1" 1 "rss.$1" "$2" "$3"
	row_of "$1" 2 "rss.$1.shown" - -
	row_of "$1" 3 "rss.$1.private" - -
}

# The device's bridge in the middle of a session in which nobody says anything, with encryption.
bridge_up() {
	local a key iv
	start_daemon relay npjoin
	start_daemon target npjoin
	a=$(daemon_json relay .a.port)
	key=$(head -c 32 /dev/urandom | base64 -w0) iv=$(head -c 16 /dev/urandom | base64 -w0)
	RV_AES=$key RV_IV=$iv start_bg srv env TMPDIR="$NP_TMP" srv -h 127.0.0.1 -p "$a" \
		--local-port "$(daemon_json target .a.port)" --rv-e2ee
	wait_for 10 log_has srv 'rv started successfully' || fail 'srv does not start'
}

use_home "$NP_TMP/home"
SSHD_PORT=22
touch "$HOME/.ssh/authorized_keys"
chmod 600 "$HOME/.ssh/authorized_keys"
bench_say "load average $(cut -d' ' -f1-3 /proc/loadavg)"
realm_up - localhost @alice @device @relay
stop atserverd || fail 'atserverd does not stop'
for ((rep = 0; rep < REPS; rep++)); do
	start_daemon atserverd atserverd --config "$REALM/atserverd.yaml"
	COMMON=(--root-domain "localhost:$(daemon_json atserverd .directory.port)" --root-ca "$REALM/ca.pem")
	relay_up - 127.0.0.1
	sshnpd_up -
	bridge_up
	for name in sshnpd srvd atserverd srv; do measure "$name" "${DAEMON_PID[$name]}"; done
	for name in srv relay target sshnpd srvd atserverd; do stop "$name" || true; done
	rm -f "$NP_TMP/srv.log"
done
rows_of sshnpd 6144 '<='
rows_of srvd 8192 '<='
rows_of atserverd - -
rows_of srv - -
bench_end
