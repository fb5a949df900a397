# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# The emulated link for tests, to be read after lib.sh. See Documentation/linkem.md.
#
#	link_start NAME NS-A IF-A ADDR-A NS-B IF-B ADDR-B [FLAG...]   as ns_link, with linkem's flags; A is left
#	link_set NAME PARAMETER VALUE                                 change it; returns when it is in force
#	link_stop NAME                                                end it, the devices go away
#	link_count NAME FILTER                                        a counter, e.g. .left_to_right.lost

declare -A LINK_CTL=()

link_start() {
	local name=$1 a=$2 if_a=$3 addr_a=$4 b=$5 if_b=$6 addr_b=$7 ctl addr
	shift 7
	[ -c /dev/net/tun ] || skip "kernel lacks TAP devices"
	[ -p "$NP_TMP/$name.ctl" ] || mkfifo "$NP_TMP/$name.ctl"
	exec {ctl}<>"$NP_TMP/$name.ctl"
	LINK_CTL[$name]=$ctl
	: >"$NP_TMP/$name.log"
	# shellcheck disable=SC2016
	start_daemon "$name" sh -c 'exec linkem "$@" <"$0"' "$NP_TMP/$name.ctl" \
		--left "$(ns_name "$a"):$if_a" --right "$(ns_name "$b"):$if_b" "$@"
	for addr in ${addr_a//,/ }; do np_addr "$a" "$addr" "$if_a"; done
	for addr in ${addr_b//,/ }; do np_addr "$b" "$addr" "$if_b"; done
}

link_lines() { # link_lines NAME EVENT
	grep -c "\"event\":\"$2\"" "$NP_TMP/$1.log" || true
}

link_has_lines() { [ "$(link_lines "$1" "$2")" -ge "$3" ]; }

link_set() {
	local seen
	seen=$(link_lines "$1" set)
	echo "$2 $3" >&"${LINK_CTL[$1]}"
	wait_for 10 link_has_lines "$1" set $((seen + 1)) || fail "$1 does not take $2 $3"
}

link_stop() {
	local ctl=${LINK_CTL[$1]} rc=0
	stop "$1" || rc=$?
	exec {ctl}>&-
	unset "LINK_CTL[$1]"
	return "$rc"
}

link_count() { # of a running link the present number, of a stopped one the last
	local seen
	if [ -n "${DAEMON_PID[$1]:-}" ]; then
		seen=$(link_lines "$1" counters)
		kill -USR1 "${DAEMON_PID[$1]}"
		wait_for 10 link_has_lines "$1" counters $((seen + 1)) || fail "$1 does not print its counters"
	fi
	grep '"event":"counters"' "$NP_TMP/$1.log" | tail -n 1 | jq -r "$2"
}
