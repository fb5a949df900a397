# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# The shell half of the test format. A test is a bash script that starts with
#
#	. "$(dirname "$0")/../harness/lib.sh"
#
# and then says ok, fail, check or skip. Exit status: 0 pass, 4 skip, else fail. Several may run at once and twice:
# everything made here carries the test's own name and goes away by trap, whatever happens.
#
#	np_netns_topology                 namespaces client, cnat, relay, dnat, device (drawn below)
#	in_ns client CMD...               run there; as in `exec`, the process stays one process
#	start_daemon NAME [-n NS] CMD...  background, --ready-fd appended, returns when the JSON line came
#	start_bg NAME [-n NS] CMD...      background, nothing awaited
#	daemon_json NAME .filter          a value of the ready line
#	stop NAME / stop_all              end it (them), by pid
#	wait_for SECONDS CMD...           poll until CMD succeeds
#	start_sshd NS FILE                a private sshd on the loopback of NS; its port goes into FILE
set -Eeuo pipefail

NP_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
NP_BUILD=${NP_BUILD:-$NP_TOP/build}
NP_BIN=$NP_BUILD/bin
NP_HARNESS=$NP_BUILD/harness
NP_ID=np$$
NP_TMP=$(mktemp -d "${TMPDIR:-/tmp}/$NP_ID.XXXXXX")
# Children carry this mark, so that even a detached one is found again as ours.
export NP_TEST_MARK=$NP_ID.${NP_TMP##*.}
export PATH=$NP_BIN:$NP_HARNESS:$PATH
# shellcheck disable=SC2034  # for the tests
READY_SECS=${READY_SECS:-60}

declare -A DAEMON_PID=() DAEMON_JSON=()
NP_NAMESPACES=()
np_cases=0 np_failed=0 np_ending=

# --- results -----------------------------------------------------------------------------------------------------

say() { # say TEXT...: a remark, shown when the test fails
	printf '# %s\n' "$*"
}

ok() { # ok NAME: one case passed
	np_cases=$((np_cases + 1))
	echo "ok $np_cases $*"
}

not_ok() { # not_ok NAME: one case failed, the test goes on
	np_cases=$((np_cases + 1)) np_failed=$((np_failed + 1))
	echo "not ok $np_cases $*"
}

fail() { # fail MESSAGE: the test ends here
	not_ok "$@"
	show_logs
	exit 1
}

check() { # check NAME CMD...: a case that passes when CMD succeeds; its output is shown otherwise
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		ok "$name"
	else
		not_ok "$name"
		say "failed: $*"
		[ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/# /'
	fi
}

refuse() { # refuse CMD...: succeeds when CMD fails by itself (a signal is a crash, not a refusal)
	local rc=0
	"$@" || rc=$?
	[ "$rc" -gt 0 ] && [ "$rc" -lt 124 ]
}

expect_eq() { # expect_eq NAME GOT WANTED
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		say "got '$2', wanted '$3'"
	fi
}

skip() { # skip REASON: begin it with "kernel lacks" when no privilege or package would help
	np_ending=skip
	echo "# SKIP $*"
	exit 4
}

need_root() { [ "$(id -u)" = 0 ] || skip "needs root for network namespaces"; }

need_cmd() { # need_cmd CMD...
	local cmd
	for cmd; do command -v "$cmd" >/dev/null || skip "needs $cmd (run tools/deps.sh test)"; done
}

show_logs() { # the last lines of every daemon's log, as remarks
	local log
	for log in "$NP_TMP"/*.log; do
		[ -s "$log" ] || continue
		say "--- ${log##*/}"
		tail -n 25 "$log" | tr -cd '\11\12\40-\176' | sed 's/^/#   /'
	done
}

# --- waiting -----------------------------------------------------------------------------------------------------

np_now_ms() { local t=${EPOCHREALTIME/[.,]/}; echo $((t / 1000)); }

wait_for() { # wait_for SECONDS CMD...: 0 once CMD succeeds, 1 after SECONDS (whole)
	local end
	end=$(($(np_now_ms) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(np_now_ms)" -lt "$end" ] || return 1
		sleep 0.03
	done
}

log_has() { # log_has NAME REGEX: for wait_for
	grep -qE -- "$2" "$NP_TMP/$1.log"
}

# --- namespaces --------------------------------------------------------------------------------------------------

ns_name() { echo "$NP_ID-$1"; }

in_ns() { # in_ns NS CMD...; NS "-" is the machine itself
	local ns=$1
	shift
	if [ "$ns" = - ]; then
		"$@"
	else
		nsenter --net="/run/netns/$NP_ID-$ns" -- "$@"
	fi
}

ns_add() { # ns_add NS...: empty namespaces with their loopback up
	local ns
	for ns; do
		ip netns add "$NP_ID-$ns" || skip "kernel lacks network namespaces"
		NP_NAMESPACES+=("$ns")
		# Duplicate address detection would hold every link back for a second.
		in_ns "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
		in_ns "$ns" ip link set lo up
	done
}

np_addr() { # np_addr NS ADDRESS/BITS IF: an IPv6 address is usable at once, nobody else can have it
	case $2 in
	*:*) in_ns "$1" ip addr add "$2" dev "$3" nodad ;;
	*) in_ns "$1" ip addr add "$2" dev "$3" ;;
	esac
}

ns_link() { # ns_link NS-A IF-A ADDR-A[,ADDR...] NS-B IF-B ADDR-B[,ADDR...]: a cable
	local addr
	in_ns "$1" ip link add "$2" type veth peer name "$5" netns "$NP_ID-$4" || skip "kernel lacks veth"
	for addr in ${3//,/ }; do np_addr "$1" "$addr" "$2"; done
	for addr in ${6//,/ }; do np_addr "$4" "$addr" "$5"; done
	in_ns "$1" ip link set "$2" up
	in_ns "$4" ip link set "$5" up
}

ns_route() { # ns_route NS GATEWAY4 GATEWAY6
	in_ns "$1" ip route add default via "$2"
	in_ns "$1" ip -6 route add default via "$3"
}

ns_forward() { # ns_forward NS: make it a router
	in_ns "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

ns_nat() { # ns_nat NS: masquerade what leaves by "wan", let nothing in that was not asked for from "lan"
	in_ns "$1" nft -f - <<-'NFT' || skip "kernel lacks nftables NAT"
		table ip nat {
			chain post {
				type nat hook postrouting priority srcnat;
				oifname "wan" masquerade
			}
		}
		table inet guard {
			chain forward {
				type filter hook forward priority filter; policy drop;
				ct state established,related accept
				iifname "lan" accept
			}
			chain input {
				type filter hook input priority filter; policy accept;
				iifname "wan" meta l4proto { tcp, udp } ct state new drop
			}
		}
	NFT
}

# Client and device live behind NAT of their own; the relay's namespace is the internet and holds the servers.
#
#	client              cnat                relay                 dnat                device
#	eth0 ------------ lan  wan --------- toc   tod ------------ wan  lan ------------ eth0
#	192.168.11.2     .1  198.51.100.2   .1       .5  198.51.100.6     .1  192.168.12.2
#	fd00:11::2      ::1  fd00:1::2     ::1      ::1  fd00:2::2       ::1  fd00:12::2
#	                      masquerade    lo 203.0.113.1   masquerade
#	                      no way in        fd00:99::1    no way in
#
# IPv6 is routed without NAT, behind the same stateful filter.
# shellcheck disable=SC2034  # the addresses are for the tests
np_netns_topology() {
	need_root
	need_cmd ip nft nsenter sysctl
	RELAY_IP=203.0.113.1 RELAY_IP6=fd00:99::1
	CLIENT_IP=192.168.11.2 DEVICE_IP=192.168.12.2 DEVICE_IP6=fd00:12::2
	CLIENT_WAN_IP=198.51.100.2 DEVICE_WAN_IP=198.51.100.6
	ns_add client cnat relay dnat device
	ns_link client eth0 192.168.11.2/24,fd00:11::2/64 cnat lan 192.168.11.1/24,fd00:11::1/64
	ns_link cnat wan 198.51.100.2/30,fd00:1::2/64 relay toc 198.51.100.1/30,fd00:1::1/64
	ns_link relay tod 198.51.100.5/30,fd00:2::1/64 dnat wan 198.51.100.6/30,fd00:2::2/64
	ns_link dnat lan 192.168.12.1/24,fd00:12::1/64 device eth0 192.168.12.2/24,fd00:12::2/64
	np_addr relay "$RELAY_IP/32" lo
	np_addr relay "$RELAY_IP6/128" lo
	ns_route client 192.168.11.1 fd00:11::1
	ns_route cnat 198.51.100.1 fd00:1::1
	ns_route dnat 198.51.100.5 fd00:2::1
	ns_route device 192.168.12.1 fd00:12::1
	in_ns relay ip -6 route add fd00:11::/64 via fd00:1::2
	in_ns relay ip -6 route add fd00:12::/64 via fd00:2::2
	local ns
	for ns in cnat relay dnat; do ns_forward "$ns"; done
	for ns in cnat dnat; do ns_nat "$ns"; done
	wait_for 10 np_links_settled client cnat relay dnat device || fail "the links do not come up"
}

# The kernel may take a second to notice a carrier; until then IPv6 packets are lost.
np_links_settled() { # np_links_settled NS...
	local ns
	for ns; do
		if in_ns "$ns" ip -o link show type veth | grep -v ' state UP ' ||
			[ "$(in_ns "$ns" ip -6 -o addr show scope link -tentative | wc -l)" != \
				"$(in_ns "$ns" ip -o link show type veth | wc -l)" ]; then
			return 1
		fi
	done
}

# --- processes ---------------------------------------------------------------------------------------------------

# Parses NAME [-n NS] CMD... of its callers into np_name, np_ns and np_cmd.
np_start_args() {
	np_name=$1 np_ns=-
	shift
	if [ "$1" = -n ]; then
		np_ns=$2
		shift 2
	fi
	np_cmd=("$@")
	if [ "$np_ns" != - ]; then
		np_cmd=(nsenter "--net=/run/netns/$NP_ID-$np_ns" -- "$@")
	fi
}

start_bg() { # start_bg NAME [-n NS] CMD...: output goes to $NP_TMP/NAME.log
	np_start_args "$@"
	"${np_cmd[@]}" >>"$NP_TMP/$np_name.log" 2>&1 </dev/null &
	DAEMON_PID[$np_name]=$!
}

start_daemon() { # start_daemon NAME [-n NS] CMD...: CMD must take --ready-fd
	local line='' part='' rfd end
	np_start_args "$@"
	[ -p "$NP_TMP/$np_name.ready" ] || mkfifo "$NP_TMP/$np_name.ready"
	# Opened both ways, neither side has to wait for the other; the daemon's end is checked by pid below.
	exec {rfd}<>"$NP_TMP/$np_name.ready"
	"${np_cmd[@]}" --ready-fd 9 9>"$NP_TMP/$np_name.ready" {rfd}<&- \
		>>"$NP_TMP/$np_name.log" 2>&1 </dev/null &
	DAEMON_PID[$np_name]=$!
	end=$(($(np_now_ms) + READY_SECS * 1000))
	# A read that times out may have taken half a line.
	until IFS= read -r -t 0.1 -u "$rfd" part; do
		line+=$part
		is_running "$np_name" || fail "$np_name ended before it was ready"
		[ "$(np_now_ms)" -lt "$end" ] || fail "$np_name was not ready within $READY_SECS s"
	done
	exec {rfd}<&-
	DAEMON_JSON[$np_name]=$line$part
}

is_running() { # is_running NAME
	local stat
	stat=$(cat "/proc/${DAEMON_PID[$1]:-0}/stat" 2>/dev/null) && [[ ${stat##*) } != Z* ]]
}

daemon_json() { # daemon_json NAME FILTER: from the ready line; an absent value is an error
	jq -er "$2" <<<"${DAEMON_JSON[$1]}"
}

json_get() { # json_get FILE FILTER
	jq -er "$2" "$1"
}

np_end_pids() { # np_end_pids PID...: TERM, then KILL after three seconds
	local pid
	kill "$@" 2>/dev/null || true
	for pid; do
		wait_for 3 np_gone_or_zombie "$pid" || kill -KILL "$pid" 2>/dev/null || true
	done
}

np_gone_or_zombie() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
	[[ ${stat##*) } == Z* ]]
}

stop() { # stop NAME [SIGNAL]: returns the exit status of the daemon
	local pid=${DAEMON_PID[$1]} rc=0
	kill "-${2:-TERM}" "$pid" 2>/dev/null || true
	wait_for 5 np_gone_or_zombie "$pid" || kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" || rc=$?
	unset "DAEMON_PID[$1]"
	return "$rc"
}

# Detached children: in a namespace of ours, or started with our mark in their environment (this shell was not).
np_stray_pids() {
	local ns env
	for ns in ${NP_NAMESPACES[@]+"${NP_NAMESPACES[@]}"}; do
		ip netns pids "$NP_ID-$ns" 2>/dev/null || true
	done
	for env in /proc/[0-9]*/environ; do
		if grep -qsz "^NP_TEST_MARK=$NP_TEST_MARK\$" "$env"; then
			env=${env#/proc/}
			echo "${env%/environ}"
		fi
	done
}

stop_all() {
	local pids
	[ ${#DAEMON_PID[@]} = 0 ] || np_end_pids "${DAEMON_PID[@]}"
	DAEMON_PID=()
	pids=$(np_stray_pids)
	# shellcheck disable=SC2086
	[ -z "$pids" ] || np_end_pids $pids
}

np_cleanup() {
	local rc=$? ns
	trap - EXIT ERR
	trap '' HUP INT TERM
	set +e
	if [ "$rc" -ne 0 ] && [ "$rc" -ne 4 ] && [ "$np_failed" = 0 ]; then
		show_logs
	fi
	stop_all
	for ns in ${NP_NAMESPACES[@]+"${NP_NAMESPACES[@]}"}; do ip netns del "$NP_ID-$ns" 2>/dev/null; done
	if declare -F on_exit >/dev/null; then on_exit; fi
	if [ -n "${NP_KEEP:-}" ]; then say "kept $NP_TMP"; else rm -rf "$NP_TMP"; fi
	if [ "$np_ending" != skip ] && [ "$np_cases" -gt 0 ]; then echo "1..$np_cases"; fi
	[ "$rc" -ne 0 ] || [ "$np_failed" = 0 ] || rc=1
	exit "$rc"
}
trap np_cleanup EXIT
trap 'echo "# ${BASH_SOURCE[0]##*/}:$LINENO: status $? from: $BASH_COMMAND" >&2' ERR
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# --- sshd and files ----------------------------------------------------------------------------------------------

# A HOME of the test's own, so that nothing touches the person's files. The test's programs see it as $HOME.
use_home() { # use_home DIR
	mkdir -p "$1/.ssh"
	chmod 700 "$1" "$1/.ssh"
	export HOME=$1
}

# OpenSSH takes the home folder from the account, not from $HOME: for a test's ssh the account is changed as well, in
# a mount namespace of its own, so that nobody's known_hosts is read or written.
as_test_home() { # as_test_home NS CMD...
	local ns=$1
	shift
	if [ "$(id -u)" = 0 ]; then
		sed "s|^root:.*|root:x:0:0:root:$HOME:/bin/bash|" /etc/passwd >"$NP_TMP/passwd"
		# shellcheck disable=SC2016
		set -- unshare -m -- sh -c 'mount --bind "$1" /etc/passwd && shift && exec "$@"' sh "$NP_TMP/passwd" "$@"
	fi
	in_ns "$ns" "$@"
}

free_port() { # free_port NS: one that nobody listens on; the taker must still try again when it is gone
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		[ -n "$(in_ns "$1" ss -Hltn "sport = :$port")" ] || break
	done
	echo "$port"
}

np_listens() { # np_listens NS PORT
	[ -n "$(in_ns "$1" ss -Hltn "sport = :$2")" ]
}

# Root's sshd gets a mount namespace, in which its run directory exists, root has the test's home, and the
# account is not locked (sshd without PAM refuses those).
# shellcheck disable=SC2016
np_sshd_inner='
	mount -t tmpfs none /run && mkdir -m 755 /run/sshd &&
	mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/shadow" /etc/shadow &&
	shift && exec "$@"'

np_sshd_config() { # np_sshd_config DIR PORT HOME LISTEN-ADDRESS...
	local addr
	for addr in "${@:4}"; do echo "ListenAddress $addr"; done
	cat <<-CONF
		Port $2
		HostKey $1/hostkey
		PidFile none
		UsePAM no
		StrictModes no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PermitRootLogin prohibit-password
		AuthorizedKeysFile $3/.ssh/authorized_keys
		PrintMotd no
		PrintLastLog no
		AcceptEnv LANG
		Subsystem sftp internal-sftp
		LogLevel VERBOSE
	CONF
}

# start_sshd NS FILE [LISTEN-ADDRESS...]: sshd in NS, on 127.0.0.1 unless told; its free port is written to FILE.
# Accepted are the keys of $HOME/.ssh/authorized_keys (see use_home). Its public host key is
# $NP_TMP/sshd-NS/hostkey.pub, its log $NP_TMP/sshd-NS.log, its daemon name sshd-NS.
start_sshd() {
	local ns=$1 file=$2 name=sshd-$1 dir=$NP_TMP/sshd-$1 sshd port try cmd
	shift 2
	[ $# -gt 0 ] || set -- 127.0.0.1
	sshd=$(PATH=$PATH:/usr/sbin command -v sshd) || skip "needs openssh-server (run tools/deps.sh test)"
	mkdir -p "$dir"
	[ -f "$dir/hostkey" ] || ssh-keygen -q -t ed25519 -N '' -C "$NP_ID" -f "$dir/hostkey"
	cmd=("$sshd" -D -e -f "$dir/config")
	if [ "$(id -u)" = 0 ]; then
		sed "s|^root:.*|root:x:0:0:root:$HOME:/bin/bash|" /etc/passwd >"$dir/passwd"
		echo 'root:*:19000:0:99999:7:::' >"$dir/shadow"
		cmd=(unshare -m -- sh -c "$np_sshd_inner" sh "$dir" "${cmd[@]}")
	fi
	for try in 1 2 3 4 5; do
		port=$(free_port "$ns")
		np_sshd_config "$dir" "$port" "$HOME" "$@" >"$dir/config"
		start_bg "$name" -n "$ns" "${cmd[@]}"
		if wait_for 5 np_sshd_settled "$ns" "$port" && is_running "$name"; then
			echo "$port" >"$file"
			return 0
		fi
		say "sshd attempt $try on port $port failed"
	done
	fail "the private sshd does not start"
}

np_sshd_settled() { np_listens "$1" "$2" || ! is_running "sshd-$1"; }

sum_of() { # sum_of FILE: SHA-256
	sha256sum <"$1" | cut -d' ' -f1
}

same_content() { # same_content FILE-A FILE-B: by checksum; says both when they differ
	local a b
	a=$(sum_of "$1") b=$(sum_of "$2")
	[ "$a" = "$b" ] || { echo "$1 $a, $2 $b"; return 1; }
}
