#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# User-space relaying: our splice engine against haproxy, nginx and no relay at all.
#
#	namespace C           namespace R            namespace D
#	npload client         the relays             npload server
#	10.91.1.1 ---veth--- 10.91.1.2
#	                      10.91.2.2 ---veth--- 10.91.2.1
#
# `direct` is the same client and server, routed through R. Everything runs interleaved, the
# order turning round with every repetition; ratios are between medians of the same batch.
# Ports are fixed: the namespaces are the bench's own.
#
#	REPS=5 SECS=2       repetitions, seconds per run
#	BACKENDS="user"     back ends of ours that take part; the first has the targets (user pipe copy ...)
#	CELLS="bulk1 ..."   cells to measure
#	PEERS="haproxy nginx haproxy-splice"
#	DISTURBED=0.15      a run is disturbed when other programs took more of one processor
#	PATIENCE=180        seconds that may go into waiting for quiet and doing disturbed runs again
#
# The targets are against the better of haproxy (splice-auto) and nginx. haproxy-splice, which always
# splices, is there to be seen: it is better than splice-auto at bulk and worse at everything else.
. "$(dirname "$0")/lib-bench.sh"

REPS=${REPS:-5}
SECS=${SECS:-2}
BACKENDS=${BACKENDS-user}
PEERS=${PEERS-haproxy nginx haproxy-splice}
DISTURBED=${DISTURBED:-0.15}
CELLS=${CELLS:-bulk1 bulk8 bulk32 ping1 ping100}
RELAYBENCH=${RELAYBENCH:-$B/bench/relaybench}
R_ADDR=10.91.1.2
D_ADDR=10.91.2.1
D_PORT=7000
always_splice='s|option splice-auto|option splice-request\n\toption splice-response|'

declare -A port=([direct]=$D_PORT) pids=()
relays=(direct)
disturbed=0

bench_begin relay-user
[ "$(id -u)" = 0 ] || bench_skip "network namespaces need root"
# shellcheck disable=SC2086
bench_need ip ss ${PEERS/haproxy-splice/} "$NPLOAD" "$RELAYBENCH"
C=knpb$$c R=knpb$$r D=knpb$$d

# shellcheck disable=SC2317  # called by bench_exit
bench_cleanup() {
	local ns
	for ns in "$C" "$R" "$D"; do
		ip netns del "$ns" 2>/dev/null
	done
}

in_ns() { ip netns exec "$@"; }

net_up() {
	local ns
	for ns in "$C" "$R" "$D"; do
		ip netns add "$ns" && ip -n "$ns" link set lo up || return 1
	done
	ip link add eth0 netns "$C" mtu 1500 type veth peer name c0 netns "$R" mtu 1500 &&
	ip link add eth0 netns "$D" mtu 1500 type veth peer name d0 netns "$R" mtu 1500 &&
	ip -n "$C" addr add 10.91.1.1/24 dev eth0 && ip -n "$C" link set eth0 up &&
	ip -n "$D" addr add $D_ADDR/24 dev eth0 && ip -n "$D" link set eth0 up &&
	ip -n "$R" addr add $R_ADDR/24 dev c0 && ip -n "$R" link set c0 up &&
	ip -n "$R" addr add 10.91.2.2/24 dev d0 && ip -n "$R" link set d0 up &&
	ip -n "$C" route add default via $R_ADDR && ip -n "$D" route add default via 10.91.2.2 &&
	in_ns "$R" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

is_listening() { in_ns "$1" ss -Hltn "sport = :$2" | grep -q .; }

# start NAME NAMESPACE PORT COMMAND...: in the background, until it listens.
start() {
	local name=$1 ns=$2 at=$3
	shift 3
	ip netns exec "$ns" "$@" >"$bench_tmp/$name.log" 2>&1 &
	pids[$name]=$!
	bench_reap $!
	bench_wait 10 is_listening "$ns" "$at" || {
		cat "$bench_tmp/$name.log" >&2
		bench_die "$name does not listen on port $at"
	}
}

# start_peer NAME PORT TEMPLATE SED-SCRIPT COMMAND...: the configuration is the command's last word.
start_peer() {
	local name=$1 at=$2 template=$3 edit=$4
	shift 4
	sed -e "s|@LISTEN@|$R_ADDR:$at|; s|@TARGET@|$D_ADDR:$D_PORT|; s|@DIR@|$bench_tmp|; $edit" \
		"$BENCH_ROOT/tools/bench/peers/$template" >"$bench_tmp/$name.conf"
	start "$name" "$R" "$at" "$@" "$bench_tmp/$name.conf"
	port[$name]=$at
	relays+=("$name")
}

start_all() {
	local backend peer at=7100
	start server "$D" $D_PORT "$NPLOAD" server --listen $D_ADDR --port $D_PORT
	for peer in $PEERS; do
		case $peer in
		haproxy) start_peer haproxy 7001 haproxy.cfg "" haproxy -db -f ;;
		haproxy-splice) start_peer haproxy-splice 7002 haproxy.cfg "$always_splice" haproxy -db -f ;;
		nginx) start_peer nginx 7003 nginx.conf "" nginx -p "$bench_tmp" -c ;;
		*) bench_die "no peer named '$peer'" ;;
		esac
	done
	for backend in $BACKENDS; do
		start "ours.$backend" "$R" $at "$RELAYBENCH" --backend "$backend" \
			--listen "$R_ADDR:$at" --to "$D_ADDR:$D_PORT"
		port[ours.$backend]=$at
		relays+=("ours.$backend")
		at=$((at + 1))
	done
}

client() { # client RELAY MODE [OPTION...]
	local addr=$R_ADDR relay=$1 mode=$2
	[ "$relay" = direct ] && addr=$D_ADDR
	shift 2
	in_ns "$C" "$NPLOAD" client "$mode" --to "$addr:${port[$relay]}" --json "$@"
}

# A relay that damages data is not worth measuring.
check_relay() {
	local bad="does not carry data unharmed"
	client "$1" integrity --connections 4 --bytes 8000000 >/dev/null || bench_die "$1 $bad"
	client "$1" short --connections 200 --parallel 4 --direction both >/dev/null ||
		bench_die "$1 $bad (short connections)"
}

run_cell() { # run_cell CELL RELAY
	local n=${1//[a-z]/}
	case $1 in
	bulk*) client "$2" bulk --connections "$n" --seconds "$SECS" ;;
	ping1) client "$2" ping --connections 1 --bytes 1 --seconds "$SECS" ;;
	ping*) client "$2" ping --connections "$n" --bytes 256 --seconds "$SECS" ;;
	rate*) client "$2" rate --connections "$n" --seconds "$SECS" ;;
	*) bench_die "no cell named '$1'" ;;
	esac || bench_die "$1 through $2 failed"
}

# measure CELL RELAY REP: one line into $data,
#	cell relay rep rate p50 p99 cpu_ns amount other
# rate is Gbit/s or transactions per second, amount is bytes or transactions, other is the share of one processor
# that was used by programs outside the bench: busy time less client, server, relay and kernel threads.
measure() {
	local t=$bench_tmp out list busy took server=${pids[server]}
	mapfile -t list < <(bench_children ${pids[$2]:+"${pids[$2]}"})
	bench_cpu_snap ${list[@]+"${list[@]}"} >"$t/relay1"
	bench_cpu_snap ${list[@]+"${list[@]}"} "$server" >"$t/all1"
	busy=$(bench_busy_ns) took=${EPOCHREALTIME/./}
	out=$(run_cell "$1" "$2") || exit 1
	busy=$(($(bench_busy_ns) - busy)) took=$((${EPOCHREALTIME/./} - took))
	bench_cpu_snap ${list[@]+"${list[@]}"} "$server" >"$t/all2"
	bench_cpu_snap ${list[@]+"${list[@]}"} >"$t/relay2"
	echo "$1 $2 $3 $out $(bench_cpu_used "$t/relay1" "$t/relay2") $(bench_cpu_used "$t/all1" "$t/all2")" \
		"$busy $took" | awk '
	function field(k) { return match($0, "\"" k "\":[0-9.e+-]+") ? \
		substr($0, RSTART + length(k) + 3, RLENGTH - length(k) - 3) : 0 }
	{
		bulk = $1 ~ /^bulk/
		print $1, $2, $3, field(bulk ? "gbit_per_s" : "per_s"), field("p50_us"), \
			field("p99_us"), $(NF - 3), field(bulk ? "up_bytes" : "count"), \
			($(NF - 1) / 1e9 - $(NF - 2) / 1e9 - field("cpu_s")) / ($NF / 1e6)
	}' >>"$data"
}


# A run that other programs have disturbed is done again while patience lasts; else it counts as it is.
measure_undisturbed() {
	local from
	while :; do
		bench_quiet || :
		from=$SECONDS
		measure "$@"
		awk -v max="$DISTURBED" '{ last = $NF } END { exit last > max }' "$data" && return
		if [ "$bench_patience" -le 0 ]; then
			disturbed=$((disturbed + 1))
			return
		fi
		sed -i '$d' "$data"
		bench_patience=$((bench_patience - SECONDS + from))
	done
}

# Where the scheduler places a process decides ping-pong by a factor of 1.5 and stays as it is while the process lives:
# every repetition draws anew.
restart_all() {
	local name
	for name in "${!pids[@]}"; do
		kill "${pids[$name]}" 2>/dev/null && wait "${pids[$name]}" 2>/dev/null
	done
	pids=() relays=(direct)
	start_all
}

measure_all() {
	local rep cell relay order
	for ((rep = 1; rep <= REPS; rep++)); do
		[ "$rep" = 1 ] || restart_all
		order=("${relays[@]}")
		[ $((rep % 2)) = 1 ] || mapfile -t order < <(printf '%s\n' "${relays[@]}" | tac)
		bench_say "repetition $rep of $REPS: ${order[*]}"
		for cell in $CELLS; do
			for relay in "${order[@]}"; do
				measure_undisturbed "$cell" "$relay" "$rep"
			done
		done
	done
}

column() { awk -v c="$1" -v r="$2" -v n="$3" '$1 == c && $2 == r { print $n }' "$data"; }
# Per repetition: column N of relay $2 over the same of relay $3.
ratios() {
	awk -v c="$1" -v a="$2" -v b="$3" -v n="$4" '$1 == c && $2 == a { x[$3] = $n }
		$1 == c && $2 == b { y[$3] = $n }
		END { for (i in x) if (y[i]) print x[i] / y[i] }' "$data"
}
# CPU seconds per GB, or microseconds per transaction.
cpu_costs() {
	awk -v c="$1" -v r="$2" '$1 == c && $2 == r && $8 {
		print (c ~ /^bulk/ ? $7 / $8 : $7 / 1000 / $8) }' "$data"
}
row() { # row NAME UNIT VALUES-COMMAND...: median and spread, reported only
	local name=$1 unit=$2
	shift 2
	bench_row "$name" "$("$@" | bench_median)" "$unit" - - "$REPS" "$("$@" | bench_spread)"
}
ratio_of_medians() { # ratio_of_medians CELL RELAY-A RELAY-B COLUMN
	bench_ratio "$(column "$1" "$2" "$4" | bench_median)" "$(column "$1" "$3" "$4" | bench_median)"
}

# The peer with the higher median, or the lower one for latencies.
best_peer() { # best_peer CELL COLUMN r|''
	local peer
	for peer in haproxy nginx; do
		[[ " $PEERS " == *" $peer "* ]] || continue
		echo "$(column "$1" "$peer" "$2" | bench_median) $peer"
	done | sort -g"$3" | head -n 1 | cut -d' ' -f2
}

against_peers() { # against_peers CELL COLUMN WORD
	local best value ours=ours.${BACKENDS%% *}
	[[ $PEERS =~ (^|\ )(haproxy|nginx)(\ |$) ]] && [ -n "$BACKENDS" ] || return 0
	# Both are written so that more is better for us.
	if [ "$2" = 5 ]; then
		best=$(best_peer "$1" 5 '')
		value=$(ratio_of_medians "$1" "$best" "$ours" 5)
		set -- "$1" "$3" "$value" "$(ratios "$1" "$best" "$ours" 5 | bench_spread)"
	else
		best=$(best_peer "$1" 4 r)
		value=$(ratio_of_medians "$1" "$ours" "$best" 4)
		set -- "$1" "$3" "$value" "$(ratios "$1" "$ours" "$best" 4 | bench_spread)"
	fi
	bench_row "$1.$2.ours-vs-best-peer" "$3" ratio 1.0 '>=' "$REPS" "$4"
}

report_cell() {
	local cell=$1 relay word=tps unit=us/txn
	case $cell in bulk*) word=throughput unit=s/GB ;; esac
	if [ "$word" = throughput ]; then
		row "$cell.throughput.direct" Gbit/s column "$cell" direct 4
	else
		row "$cell.tps.direct" 1/s column "$cell" direct 4
		row "$cell.p50.direct" us column "$cell" direct 5
	fi
	for relay in "${relays[@]:1}"; do
		bench_row "$cell.$word.$relay" "$(ratio_of_medians "$cell" "$relay" direct 4)" \
			x-direct - - "$REPS" "$(ratios "$cell" "$relay" direct 4 | bench_spread)"
		[ "$word" = throughput ] || {
			row "$cell.p50.$relay" us column "$cell" "$relay" 5
			row "$cell.p99.$relay" us column "$cell" "$relay" 6
		}
		row "$cell.cpu.$relay" $unit cpu_costs "$cell" "$relay"
	done
	against_peers "$cell" 4 "$word"
	[ "$word" = throughput ] || against_peers "$cell" 5 p50
}

data=$bench_tmp/data
: >"$data"
net_up || bench_die "cannot build the namespaces"
start_all
for relay in "${relays[@]}"; do
	check_relay "$relay"
done
measure_all
[ -z "${KEEP_DATA:-}" ] || cp "$data" "$KEEP_DATA"
for cell in $CELLS; do
	report_cell "$cell"
done
bench_row disturbed "$disturbed" runs - - $((REPS * ${#relays[@]} * $(wc -w <<<"$CELLS"))) 0
bench_end
