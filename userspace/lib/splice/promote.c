// SPDX-License-Identifier: BSD-3-Clause
/*
 * From user space to express, without losing or doubling a byte, for a batch of pairs at once
 *("short hold"):
 *
 *	1. both entries are written in state hold: payload and FIN go to the TAP device, bare ACKs
 *to the sockets
 *	2. a grace period: no segment that passed before is still on its way to a socket
 *	3. user space goes on relaying what the sockets have until nothing is unread and nothing
 *unacknowledged; an acknowledgement that came with held payload counts
 *	4. repair mode, a last check, the numbers are read
 *	5. both entries become splice, the sockets vanish without a packet, held segments follow
 *
 * Whatever does not fit at 3 or 4: the entries pass, the held segments go to the sockets, a later
 *try.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "kern/grace.h"
#include "splice/express_impl.h"
#include "splice/pump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GATHER_S .001
#define SETTLE_S .001
#define BATCH_MAX 128
#define SETTLE_MIN_MS 3	  /* but so long after the grace period is granted */
#define HOLD_SURE_MS 1000 /* the program lets go by itself */
#define CLOCK_LEAD                                                                                 \
	1024 /* ticks: no segment of the peer's past gets a stamp that the other end has seen */
#define ROOM_SLACK 65536 /* headers count too */
#define MIN_CHECK 65536u

/* --- entries --- */

static void fill_flow(const struct np_xpair *xp, int side, enum npx_state state,
		      struct npx_flow *flow)
{
	const struct np_xattempt *attempt = xp->attempt;
	const struct np_leg *other = &attempt->leg[!side];

	memset(flow, 0, sizeof(*flow));
	flow->out = np_xkey_reverse(&other->key);
	flow->state = state;
	flow->tap = xp->x->tap;
	flow->hold_until = np_clock_mono_ns() + HOLD_SURE_MS * 1000000ull;
	flow->owner = (__u32)getpid();
	flow->pair_id = (__u64)(uintptr_t)xp;
	flow->side = (__u8)side;
	flow->oif = other->oif;
	flow->iif = attempt->leg[side].oif;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void fill_numbers(const struct np_xpair *xp, int side, struct npx_flow *flow)
{
	const struct np_leg *leg = &xp->attempt->leg[side], *other = &xp->attempt->leg[!side];
	/* The other end's data were admitted by our own window so far, which may have been the
	 * larger one. */
	uint32_t window = larger(leg->snd_wnd, other->rcv_wnd);

	flow->flags = NPX_F_PARK | (leg->options & TCPI_OPT_TIMESTAMPS ? NPX_F_TIMESTAMPS : 0);
	flow->dseq = other->snd - leg->rcv;
	flow->dack = other->rcv - leg->snd;
	flow->tsbase = other->clock + CLOCK_LEAD;
	flow->isn = leg->rcv;
	flow->wscale_in = leg->snd_wscale;
	flow->wscale_out = other->rcv_wscale;
	flow->bytes_before = xp->before[side];
	flow->born_wall_ms = (__u64)np_clock_wall_ms();
	flow->ack = leg->snd;
	flow->edge = leg->snd + window;
	flow->win_max = larger(window, MIN_CHECK);
}

/* The way back of held segments, some of which may still be on their way here, stays what it was.
 */
static int put_flows(struct np_xpair *xp, enum npx_state state)
{
	struct npx_flow flow, old;
	int side, ret = 0;

	for (side = 0; side < 2 && !ret; side++) {
		fill_flow(xp, side, state, &flow);
		if (state == NPX_SPLICE) {
			fill_numbers(xp, side, &flow);
			if (!np_bpfobj_get(xp->x->obj, &xp->ref[side].key, &old))
				flow.iif = old.iif;
		}
		ret = np_bpfobj_put(xp->x->obj, &xp->ref[side].key, &flow);
	}
	return ret;
}

/* The state alone: a held segment's way back is in the entry. */
static void let_pass(struct np_xpair *xp)
{
	struct npx_flow flow;
	int side;

	for (side = 0; side < 2; side++) {
		if (np_bpfobj_get(xp->x->obj, &xp->ref[side].key, &flow))
			continue;
		flow.state = NPX_PASS;
		(void)np_bpfobj_put(xp->x->obj, &xp->ref[side].key, &flow);
	}
}

/* --- hold --- */

static void drop_index(struct np_xpair *xp)
{
	int side;

	if (!xp->is_indexed)
		return;
	for (side = 0; side < 2; side++) {
		np_xtable_remove(&xp->x->table, &xp->ref[side]);
		np_bpfobj_del(xp->x->obj, &xp->ref[side].key);
	}
	xp->is_indexed = false;
}

void np_promote_undo(struct np_xpair *xp)
{
	struct np_xattempt *attempt = xp->attempt;

	if (xp->state == NP_X_HELD) {
		/* New segments queue up behind the held ones as long as possible, so that they keep
		 * their order. */
		np_replay_read(xp->x);
		np_replay_flush(xp->x, attempt);
		let_pass(xp);
		np_replay_read(xp->x);
		np_replay_flush(xp->x, attempt);
		drop_index(xp);
		attempt->has_held_ack[0] = attempt->has_held_ack[1] = attempt->overflow = false;
		xp->x->status.rolled_back++;
	}
	np_xpair_move(xp, NP_X_CANDIDATE);
}

static void hold(struct np_xpair *xp)
{
	static struct np_log_limit limit;
	int ret;

	ret = np_pump_is_open(xp->pair) ? np_xpair_index(xp) : -EPIPE;
	if (!ret) {
		np_xpair_move(xp, NP_X_HELD);
		xp->attempt->held_at_ms = np_clock_mono_ms();
		ret = put_flows(xp, NPX_HOLD);
		if (!ret)
			return;
		if (np_log_may(&limit, 1, 60000))
			np_warn("express: an entry cannot be written: %s", strerror(-ret));
	}
	np_promote_undo(xp);
	np_candidate_retry(xp);
}

static void grace_job(void *arg)
{
	(void)arg;
	(void)np_grace_wait();
}

static void start_batch(struct np_express *x)
{
	struct np_err err = NP_ERR_INIT;
	int i;

	if (x->is_waiting || x->held)
		return;
	if (!x->is_broken && !np_bpfobj_is_pinned(x->obj)) {
		np_fail(&err, -ESTALE, "its table was flushed; a restart brings it back");
		np_express_give_up(x, &err);
	}
	while (x->is_broken && x->gathered)
		np_xpair_refuse(x->gathered, &x->open_err);
	for (i = 0; i < BATCH_MAX && x->gathered; i++)
		hold(x->gathered);
	if (!x->held)
		return;
	x->is_waiting = true;
	np_xthread_run(x->thread, grace_job);
}

static void on_gather(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	start_batch(w->data);
}

/* --- the switch --- */

/* Nothing unread; what is unacknowledged was acknowledged by a held segment. -EAGAIN: not yet. */
static int check_leg(const struct np_xpair *xp, int side, bool is_frozen)
{
	const struct np_xattempt *attempt = xp->attempt;
	int in, out, ret;

	ret = np_leg_waiting(xp->pair->fd[side], &in, &out);
	if (ret)
		return ret;
	if (in)
		return -EAGAIN;
	if (!out || (!is_frozen && attempt->has_held_ack[side]))
		return 0;
	if (is_frozen && attempt->has_held_ack[side] &&
	    attempt->held_ack[side] == attempt->leg[side].snd)
		return 0;
	return -EAGAIN;
}

/* One byte or an end of stream that is there although nothing is counted. */
static bool has_news(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EWOULDBLOCK);
}

static int freeze_both(struct np_xpair *xp)
{
	struct np_pair *pair = xp->pair;
	int side, ret = 0;

	for (side = 0; side < 2 && !ret; side++)
		ret = np_leg_freeze(pair->fd[side], &xp->attempt->leg[side]);
	for (side = 0; side < 2 && !ret; side++)
		ret = has_news(pair->fd[side]) ? -EAGAIN : check_leg(xp, side, true);
	/* Our window let more in than the other end has room for: the sockets shall have it. */
	for (side = 0; side < 2 && !ret; side++)
		ret = xp->attempt->frames_len[side] > xp->attempt->leg[!side].snd_wnd + ROOM_SLACK
			      ? -ECANCELED
			      : 0;
	if (ret) {
		np_leg_thaw(pair->fd[0]);
		np_leg_thaw(pair->fd[1]);
	}
	return ret;
}

/* connect() must not choose the port of a side that was connected from here. An accepted side's is
 * its listener's. */
static int reserve_port(const struct np_express *x, const struct npx_key *key)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = key->dport};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = key->dport};
	bool is_ip4 = key->family == 4;
	int fd;

	if (ntohs(key->dport) < x->port_min || ntohs(key->dport) > x->port_max)
		return -1;
	fd = socket(is_ip4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(&in.sin_addr, key->daddr, sizeof(in.sin_addr));
	memcpy(&in6.sin6_addr, key->daddr, sizeof(in6.sin6_addr));
	if (fd >= 0 && (is_ip4 ? bind(fd, (struct sockaddr *)&in, sizeof(in))
			       : bind(fd, (struct sockaddr *)&in6, sizeof(in6))))
		np_fd_close(&fd);
	return fd;
}

static void become_express(struct np_xpair *xp)
{
	struct np_pair *pair = xp->pair;
	struct np_xattempt *attempt = xp->attempt;
	int side;

	pair->ops->leave(pair);
	pair->ops = &np_splice_express;
	for (side = 0; side < 2; side++) {
		np_fd_close(&pair->fd[side]);
		xp->reserved[side] = reserve_port(xp->x, &xp->ref[side].key);
		xp->shift[side] = attempt->leg[!side].snd - attempt->leg[side].rcv;
	}
	np_replay_read(xp->x);
	np_replay_flush(xp->x, attempt);
	for (side = 0; side < 2; side++)
		np_replay_end(xp->x, &xp->ref[side].key);
	np_xpair_move(xp, NP_X_SPLICED);
	free(attempt);
	xp->attempt = NULL;
	xp->x->status.promoted++;
	if (!ev_is_active(&xp->x->reap))
		ev_timer_again(xp->x->splice->loop, &xp->x->reap);
	np_debug("express: pair promoted a=%llu b=%llu tries=%u", (unsigned long long)xp->before[0],
		 (unsigned long long)xp->before[1], xp->tries + 1u);
}

/* 0: done, -EAGAIN: not yet, else it cannot be now. */
static int try_switch(struct np_xpair *xp)
{
	struct np_splice_stats stats;
	int side, ret = 0;

	if (!np_pump_is_open(xp->pair) || xp->attempt->overflow ||
	    np_clock_mono_ms() - xp->attempt->held_at_ms > HOLD_SURE_MS / 2)
		return -ECANCELED;
	if (np_pump_is_stuck(xp->pair))
		return -EAGAIN;
	for (side = 0; side < 2 && !ret; side++)
		ret = check_leg(xp, side, false);
	if (!ret)
		ret = freeze_both(xp);
	if (ret)
		return ret;
	np_pair_stats(xp->pair, &stats);
	memcpy(xp->before, stats.bytes, sizeof(xp->before));
	ret = put_flows(xp, NPX_SPLICE);
	if (ret) {
		np_leg_thaw(xp->pair->fd[0]);
		np_leg_thaw(xp->pair->fd[1]);
		return ret;
	}
	become_express(xp);
	return 0;
}

static void roll_back(struct np_xpair *xp, int ret)
{
	const struct np_xattempt *attempt = xp->attempt;
	int in[2] = {0}, out[2] = {0}, side;

	for (side = 0; side < 2 && np_log_enabled(NP_LOG_DEBUG); side++)
		(void)np_leg_waiting(xp->pair->fd[side], &in[side], &out[side]);
	np_debug("express: rolled back code=%d tries=%u unread=%d,%d unacked=%d,%d held=%zu,%zu",
		 ret, xp->tries + 1u, in[0], in[1], out[0], out[1], attempt->frames_len[0],
		 attempt->frames_len[1]);
	np_promote_undo(xp);
	np_candidate_retry(xp);
}

static void settle_all(struct np_express *x)
{
	long long now = np_clock_mono_ms();
	struct np_xpair *xp, *next;
	int ret;

	np_replay_read(x);
	for (xp = x->held; xp; xp = next) {
		next = xp->next;
		ret = try_switch(xp);
		if (!ret ||
		    (ret == -EAGAIN && (now - xp->attempt->held_at_ms < xp->attempt->patience_ms ||
					now - xp->since_ms < SETTLE_MIN_MS)))
			continue;
		roll_back(xp, ret);
	}
	if (x->held) {
		ev_timer_set(&x->settle, SETTLE_S, 0.);
		ev_timer_start(x->splice->loop, &x->settle);
	} else if (x->gathered) {
		start_batch(x);
	}
}

static void on_settle(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	settle_all(w->data);
}

void np_promote_done(void *arg)
{
	struct np_express *x = arg;
	struct np_xpair *xp;

	if (x->is_opening) {
		np_candidate_opened(x);
		return;
	}
	x->is_waiting = false;
	for (xp = x->held; xp; xp = xp->next)
		xp->since_ms = np_clock_mono_ms();
	if (x->held)
		settle_all(x);
	else
		start_batch(x);
}

void np_promote_soon(struct np_express *x)
{
	if (ev_is_active(&x->gather) || x->is_waiting || x->held)
		return;
	ev_timer_set(&x->gather, GATHER_S, 0.);
	ev_timer_start(x->splice->loop, &x->gather);
}

void np_promote_init(struct np_express *x)
{
	ev_timer_init(&x->gather, on_gather, GATHER_S, 0.);
	ev_timer_init(&x->settle, on_settle, SETTLE_S, 0.);
	x->gather.data = x->settle.data = x;
}

void np_promote_fini(struct np_express *x)
{
	np_xthread_stop(x->thread);
	ev_timer_stop(x->splice->loop, &x->gather);
	ev_timer_stop(x->splice->loop, &x->settle);
}
