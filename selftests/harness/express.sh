# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# What the tests of the express back end share, to be read after lib.sh.
#
#	namespace client          relay                    device
#	eth0 ------------------ toc   tod ------------------ eth0
#	10.91.1.1              .1.2   .2.2                10.91.2.1
#	fd00:1::1              ::2    fd00:2::2           fd00:2::1
#
#	xp_up                     the namespaces, veth between them
#	xp_serve                  npload's server on the device, both families
#	xp_relay NAME [4|6] FLAG...  xprelay from toc to the device; xp_relays NAME knows its address afterwards
#	load MODE 4|6 OPTION...   npload's client through the relay of that family; JSON into $NP_TMP/load.json
#	xp_status NAME FILTER     a value of its present status
#	xp_down                   drop what is pinned for the relay; also done at the end
#	need_express              skips where the kernel or the privileges do not allow express at all

need_express() {
	need_root
	need_cmd ip jq nsenter sysctl tc
	[ -d /sys/fs/bpf ] || skip "kernel lacks BPF"
	[ -c /dev/net/tun ] || skip "kernel lacks TAP devices"
	[ -x "$NP_BUILD/bench/npload" ] || skip "needs build/bench/npload (make test builds it)"
}

xp_addresses() { # xp_addresses client|device: of both ends of its link, for ns_link and link_start
	case $1 in
	client) echo 10.91.1.1/24,fd00:1::1/64 10.91.1.2/24,fd00:1::2/64 ;;
	device) echo 10.91.2.1/24,fd00:2::1/64 10.91.2.2/24,fd00:2::2/64 ;;
	esac
}

# shellcheck disable=SC2046
xp_up() {
	ns_add client relay device
	set -- $(xp_addresses client) $(xp_addresses device)
	ns_link client eth0 "$1" relay toc "$2"
	ns_link device eth0 "$3" relay tod "$4"
	wait_for 10 np_links_settled client relay device || fail "the links do not come up"
	xp_guard
}

xp_listens() { in_ns "$1" ss -Hltn "sport = :$2" | grep -q .; }

xp_serve() {
	start_bg server4 -n device "$NP_BUILD/bench/npload" server --listen 10.91.2.1 --port 7000
	start_bg server6 -n device "$NP_BUILD/bench/npload" server --listen fd00:2::1 --port 7001
	wait_for 10 xp_listens device 7000 && wait_for 10 xp_listens device 7001 || fail "the server does not listen"
}

xp_relay() {
	local name=$1 family=$2
	shift 2
	: >"$NP_TMP/$name.log"
	case $family in
	4) start_daemon "$name" -n relay xprelay --listen 10.91.1.2:7100 --to 10.91.2.1:7000 "$@" ;;
	6) start_daemon "$name" -n relay xprelay --listen '[fd00:1::2]:7101' --to '[fd00:2::1]:7001' "$@" ;;
	esac
}

xp_target() { # xp_target 4|6
	[ "$1" = 4 ] && echo 10.91.1.2:7100 || echo '[fd00:1::2]:7101'
}

load() { # load MODE 4|6 OPTION...
	local mode=$1 family=$2
	shift 2
	in_ns client "$NP_BUILD/bench/npload" client "$mode" --to "$(xp_target "$family")" --json "$@" \
		>"$NP_TMP/load.json"
}

start_load() { # start_load NAME MODE 4|6 OPTION...: in the background, JSON into $NP_TMP/NAME.log
	local name=$1 mode=$2 family=$3
	shift 3
	start_bg "$name" -n client "$NP_BUILD/bench/npload" client "$mode" --to "$(xp_target "$family")" --json "$@"
}

load_ended() { ! is_running "$1"; }

end_load() { # end_load NAME SECONDS: waits for it and returns its status
	local rc=0
	wait_for "$2" load_ended "$1" || fail "$1 does not end"
	wait "${DAEMON_PID[$1]}" || rc=$?
	unset "DAEMON_PID[$1]"
	return "$rc"
}

load_fails() { # load_fails NAME: it ends within 10 s, and says why
	wait_for 10 load_ended "$1" && grep '^npload: ' "$NP_TMP/$1.log"
}

xp_lines() { grep -c "\"event\":\"$2\"" "$NP_TMP/$1.log" || true; }
xp_has_lines() { [ "$(xp_lines "$1" "$2")" -ge "$3" ]; }

xp_status() { # xp_status NAME FILTER
	local seen
	seen=$(xp_lines "$1" status)
	kill -USR1 "${DAEMON_PID[$1]}"
	wait_for 10 xp_has_lines "$1" status $((seen + 1)) || fail "$1 does not say its status"
	grep '"event":"status"' "$NP_TMP/$1.log" | tail -n 1 | jq -r "$2"
}

xp_is() { # xp_is NAME CONDITION: for wait_for, e.g. '.express == 4'
	[ "$(xp_status "$1" "$2")" = true ]
}

ends() { # ends NAME FILTER: how many pairs have ended so that FILTER is true
	grep '"event":"end"' "$NP_TMP/$1.log" | jq -c "select($2)" | wc -l
}

sockets_in() { # sockets_in NS: established TCP sockets
	in_ns "$1" ss -Htn state established | wc -l
}

# xp_talk FAMILY SECONDS: a silent pair is promoted, then 300 kB go to the device's echo server and back.
xp_talk() {
	local to=10.91.1.2/7100
	[ "$1" = 4 ] || to=fd00:1::2/7101
	[ -f "$NP_TMP/sent" ] || head -c 300000 /dev/urandom >"$NP_TMP/sent"
	rm -f "$NP_TMP/go" "$NP_TMP/got"
	# shellcheck disable=SC2016
	start_bg talker -n client timeout "$2" bash -c '
		exec 3<>"/dev/tcp/$1" || exit 1
		until [ -e "$2/go" ]; do sleep 0.02; done
		cat "$2/sent" >&3 &
		head -c 300000 <&3 >"$2/got"' talker "$to" "$NP_TMP"
	wait_for 5 xp_is "relay$1" '.express == 1' || fail "the silent pair is not promoted: $(xp_status "relay$1" .why)"
	: >"$NP_TMP/go"
	wait_for "$2" load_ended talker
	unset 'DAEMON_PID[talker]'
	same_content "$NP_TMP/sent" "$NP_TMP/got"
}

xp_echo() { # instead of xp_serve
	start_bg echo4 -n device xpstep echo 10.91.2.1 7000
	start_bg echo6 -n device xpstep echo fd00:2::1 7001
	wait_for 10 xp_listens device 7000 && wait_for 10 xp_listens device 7001 || fail "the echo servers do not listen"
}

xp_down() { in_ns relay xpflush; }

# The namespaces are gone when on_exit is called, so the pins have to go before.
xp_guard() {
	trap 'xp_rc=$?; trap - ERR; set +e; stop_all; xp_down >/dev/null 2>&1; (exit $xp_rc); np_cleanup' EXIT
}
