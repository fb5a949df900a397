// SPDX-License-Identifier: BSD-3-Clause
/* Which pairs are tried, and when: after 50 ms for the first time, then at growing intervals until
 * one is calm. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "splice/express_impl.h"
#include "splice/pump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MIN_MS 20
#define RETRY_MAX_MS 2000
#define OPEN_RETRY_MS 5
#define CALM_BYTES 65536 /* unread and unacknowledged: will be gone at once */
#define DRAIN_MS 10	 /* a drain that may fit into a hold */
#define HOLD_BUSY_MS 60	 /* of what is under way in bulk anyhow */
#define HOLD_BULK_MS                                                                               \
	120 /* of what has not paused for BULK_TRIES; a retransmission comes after 200 at least */
#define DRAIN_BULK_MS 60
#define BULK_TRIES 3
#define SQUEEZE_BYTES 524288
#define HOLD_WANTED_MS 18 /* after so long nobody shall wait any more */

static void retry_in(struct np_xpair *xp, int ms)
{
	struct ev_loop *loop = xp->x->splice->loop;

	ev_timer_stop(loop, &xp->due);
	ev_now_update(loop);
	ev_timer_set(&xp->due, ms / 1e3, 0.);
	ev_timer_start(loop, &xp->due);
}

void np_candidate_retry(struct np_xpair *xp)
{
	int ms = RETRY_MIN_MS << (xp->tries < 7 ? xp->tries : 7);

	if (xp->tries < UINT16_MAX)
		xp->tries++;
	retry_in(xp, ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS);
}

static int inspect(struct np_xpair *xp, struct np_err *err)
{
	struct np_xattempt *attempt = calloc(1, sizeof(*attempt));
	int side, ret = 0;

	if (!attempt)
		return np_fail(err, -ENOMEM, "express: no memory");
	attempt->frames_end = &attempt->frames;
	xp->attempt = attempt;
	for (side = 0; side < 2 && !ret; side++) {
		ret = np_leg_inspect(xp->pair->fd[side], &attempt->leg[side], err);
		xp->ref[side].key = attempt->leg[side].key;
		xp->ref[side].xp = xp;
	}
	return ret ? ret : np_legs_may_join(&attempt->leg[0], &attempt->leg[1], err);
}

static int attach(struct np_express *x, unsigned int ifindex, struct np_err *err)
{
	unsigned int i;
	int ret;

	for (i = 0; i < x->nr_ifaces; i++) {
		if (x->ifaces[i] == ifindex)
			return 0;
	}
	if (x->nr_ifaces == NP_X_IFACES_MAX)
		return np_fail(err, -ENOSPC, "express: more than %d interfaces are in use",
			       NP_X_IFACES_MAX);
	ret = np_bpfobj_attach(x->obj, ifindex, err);
	if (!ret)
		x->ifaces[x->nr_ifaces++] = ifindex;
	return ret;
}

static void open_job(void *arg)
{
	struct np_express *x = arg;

	if (np_bpfobj_open(&x->obj, &x->open_err)) {
		x->obj = NULL;
		return;
	}
	if (np_replay_open(x, &x->open_err)) {
		np_bpfobj_close(x->obj);
		x->obj = NULL;
	}
}

void np_candidate_opened(struct np_express *x)
{
	struct np_err err = NP_ERR_INIT;

	x->is_opening = false;
	if (!x->obj) {
		err = x->open_err;
		np_express_give_up(x, &err);
		return;
	}
	np_replay_start(x);
	np_info("express: ready");
	np_reap_adopt(x);
}

/* True when the program is there; otherwise it is being loaded, or will never be. */
static bool is_open(struct np_express *x, struct np_err *err)
{
	int ret;

	if (x->is_broken) {
		*err = x->open_err;
		return false;
	}
	if (x->obj && !x->is_opening)
		return true;
	if (x->is_opening)
		return false;
	ret = np_xthread_start(x->splice->loop, np_promote_done, x, &x->thread);
	if (ret) {
		np_fail_errno(err, ret, "express: no helper thread");
		np_express_give_up(x, err);
		return false;
	}
	x->is_opening = true;
	np_xthread_run(x->thread, open_job);
	return false;
}

/* Bytes a millisecond of each way since the last look. */
static void measure(struct np_xpair *xp, uint64_t rate[2])
{
	struct np_xattempt *attempt = xp->attempt;
	long long now = np_clock_mono_ms();
	struct np_splice_stats stats;
	int side;

	np_pair_stats(xp->pair, &stats);
	for (side = 0; side < 2; side++) {
		rate[side] = stats.bytes[side] - attempt->seen_bytes[side];
		rate[side] /= attempt->seen_at_ms && now > attempt->seen_at_ms
				      ? (uint64_t)(now - attempt->seen_at_ms)
				      : (uint64_t)(NP_X_FIRST_TRY_S * 1e3);
		attempt->seen_bytes[side] = stats.bytes[side];
	}
	attempt->seen_at_ms = now;
}

/*
 * May a hold succeed now? How long it may last is noted. What never pauses gets less room here, so
 * that the next look finds shorter queues.
 */
static bool is_calm(struct np_xpair *xp)
{
	const int *fd = xp->pair->fd;
	int in[2], out[2], side;
	uint64_t rate[2], left, ms, drain = 0;

	if (np_leg_waiting(fd[0], &in[0], &out[0]) || np_leg_waiting(fd[1], &in[1], &out[1]))
		return false;
	measure(xp, rate);
	xp->attempt->patience_ms = HOLD_WANTED_MS;
	if (in[0] + in[1] + out[0] + out[1] <= CALM_BYTES)
		return true;
	for (side = 0; side < 2; side++) {
		left = (uint64_t)in[side] + (uint64_t)out[!side];
		ms = left ? left / (rate[side] + 1) + (uint64_t)np_leg_rtt_ms(fd[!side]) : 0;
		drain = ms > drain ? ms : drain;
		if (in[side] + out[!side] > SQUEEZE_BYTES)
			np_leg_squeeze(fd[side], fd[!side], rate[side]);
	}
	np_debug("express: busy tries=%u unread=%d,%d unacked=%d,%d rate=%llu,%llu drain_ms=%llu",
		 xp->tries, in[0], in[1], out[0], out[1], (unsigned long long)rate[0],
		 (unsigned long long)rate[1], (unsigned long long)drain);
	xp->attempt->patience_ms = HOLD_BUSY_MS;
	if (drain <= DRAIN_MS)
		return true;
	/* The reader has the queues to read from meanwhile; the sender notices a dip. */
	xp->attempt->patience_ms = HOLD_BULK_MS;
	return xp->tries >= BULK_TRIES && drain <= DRAIN_BULK_MS;
}

static void on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_xpair *xp = (struct np_xpair *)w;
	struct np_express *x = xp->x;
	struct np_err err = NP_ERR_INIT;
	int ret = 0;

	(void)loop;
	(void)revents;
	if (!np_pump_is_open(xp->pair)) {
		np_fail(&err, -EPIPE, "a side has already finished");
		np_xpair_refuse(xp, &err);
		return;
	}
	if (!xp->attempt)
		ret = inspect(xp, &err);
	if (!ret && !is_open(x, &err)) {
		ret = err.code;
		if (!ret) {
			retry_in(xp, OPEN_RETRY_MS);
			return;
		}
	}
	if (!ret)
		ret = attach(x, xp->attempt->leg[0].oif, &err);
	if (!ret)
		ret = attach(x, xp->attempt->leg[1].oif, &err);
	if (ret) {
		np_xpair_refuse(xp, &err);
		return;
	}
	if (!is_calm(xp)) {
		np_candidate_retry(xp);
		return;
	}
	np_xpair_move(xp, NP_X_GATHERED);
	np_promote_soon(x);
}

void np_candidate_watch(struct np_xpair *xp)
{
	ev_timer_init(&xp->due, on_due, 0., 0.);
	on_due(xp->x->splice->loop, &xp->due, 0);
}
