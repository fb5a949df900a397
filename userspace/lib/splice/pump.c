// SPDX-License-Identifier: BSD-3-Clause
/*
 * Two sockets, two lanes. Level-triggered; a watcher changes only when its interest does.
 *
 *	lane    open ---EOF read---> eof ---all sent, FIN passed on---> done
 *	side    alive ---reset, time-out, failed send---> failed
 *
 * A side is read while its lane is open and not stuck, and watched for writing while the lane
 * towards it is stuck: that is all the back-pressure there is, the queues are the kernel's. Both
 * lanes done: the pair ended in order.
 *
 * A lane may also wait for bytes that the kernel moves past the pump; nothing tells their arrival,
 * so it is looked for by the clock, first often, then rarely. And a lane may rest, while the kernel
 * moves everything and its back end will wake it up.
 *
 * A failed side: what it had sent is still delivered, as a direct connection would have delivered
 * it, then the other side is reset. "Delivered" means that the other side's TCP acknowledged it;
 * the wait for it is bounded.
 */
#include "splice/pump.h"

#include "base/clock.h"
#include "base/err.h"
#include "splice/ops.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define CARE_MUTED_S 1.	 /* how late a reset of a side that is not watched may be noticed */
#define CARE_DRAIN_S .01 /* between two looks at the send queue of the side that is left */
#define DRAIN_MAX_MS 5000
/* A lane that waits is tried again after this part of its waiting time, between the limits. */
#define WAIT_SHARE 8
#define WAIT_MIN_S .001
#define WAIT_MAX_S .25
#define REST_AFTER_MS 100 /* since a lane was woken up */

struct np_pump;

struct side {
	ev_io io;
	struct np_pump *pump;
	bool failed;
};

struct np_pump {
	struct side side[2];
	struct np_lane lane[2]; /* [0]: from side a to side b */
	ev_timer care;
	struct np_pair *pair;
	np_mover move;
	long long last_activity_ms;
	long long failed_at_ms;
	long long waits_since_ms; /* 0: no lane waits */
	long long woken_at_ms[2]; /* lanes that may rest */
	enum np_pair_end first_failure;
};

static struct np_pool *pool_of(struct np_pump *pump)
{
	return &pump->pair->splice->pool;
}

static void lane_drop(struct np_pump *pump, struct np_lane *lane)
{
	lane->eof = lane->done = true;
	lane->waits = false;
	lane->queue.len = 0;
	np_pool_take_back(pool_of(pump), &lane->queue);
	np_pool_pipe_put(pool_of(pump), &lane->pipe);
}

/* Nothing can be sent to side @x any more; what it sent before may still be there to be read. */
static void side_fail(struct np_pump *pump, unsigned int x)
{
	if (pump->side[x].failed)
		return;
	pump->side[x].failed = true;
	if (!pump->side[!x].failed) {
		pump->failed_at_ms = np_clock_mono_ms();
		pump->first_failure = x ? NP_END_RESET_B : NP_END_RESET_A;
	}
	lane_drop(pump, &pump->lane[!x]);
}

/* All of lane @i was read and sent. */
static void lane_end(struct np_pump *pump, unsigned int i)
{
	struct np_lane *lane = &pump->lane[i];

	lane->done = true;
	if (!pump->side[i].failed && shutdown(lane->dst, SHUT_WR) < 0)
		side_fail(pump, !i);
}

static void lane_run(struct np_pump *pump, unsigned int i)
{
	struct np_lane *lane = &pump->lane[i];
	uint64_t before = lane->tx;
	enum np_move ret;

	if (lane->done)
		return;
	ret = lane->pipe.len ? np_pipe_flush(pool_of(pump), lane)
			     : np_copy_flush(pool_of(pump), lane);
	if (ret == NP_MOVE_OK && !lane->eof)
		ret = pump->move(pool_of(pump), lane);
	if (ret == NP_MOVE_EOF || ret == NP_MOVE_SRC_FAILED)
		lane->eof = true;
	if (ret == NP_MOVE_SRC_FAILED)
		side_fail(pump, i);
	if (lane->eof && lane->is_clear && !np_lane_is_stuck(lane))
		ret = lane->is_clear(lane);
	lane->waits = ret == NP_MOVE_WAIT;
	if (lane->tx != before)
		pump->last_activity_ms = np_clock_mono_ms();
	if (ret == NP_MOVE_DST_FAILED) {
		side_fail(pump, !i);
		return;
	}
	if (lane->eof && !np_lane_is_stuck(lane) && !lane->waits)
		lane_end(pump, i);
}

static void care_in(struct np_pump *pump, double seconds)
{
	struct ev_loop *loop = pump->pair->splice->loop;

	if (ev_is_active(&pump->care) && ev_timer_remaining(loop, &pump->care) <= seconds)
		return;
	ev_timer_stop(loop, &pump->care);
	ev_timer_set(&pump->care, seconds, 0.);
	ev_timer_start(loop, &pump->care);
}

static void watch(struct np_pump *pump, unsigned int x)
{
	const struct np_lane *from = &pump->lane[x], *to = &pump->lane[!x];
	struct ev_loop *loop = pump->pair->splice->loop;
	ev_io *io = &pump->side[x].io;
	int events = 0;

	if (!from->eof && !from->waits && !from->rests && !np_lane_is_stuck(from))
		events |= EV_READ;
	if (np_lane_is_stuck(to))
		events |= EV_WRITE;
	/* An unwatched socket is not asked for errors by the loop either. */
	if (!events && !from->rests && !ev_is_active(&pump->care))
		care_in(pump, CARE_MUTED_S);
	if (events == (io->events & (EV_READ | EV_WRITE)))
		return;
	ev_io_stop(loop, io);
	ev_io_set(io, io->fd, events);
	if (events)
		ev_io_start(loop, io);
}

static void wait_a_while(struct np_pump *pump)
{
	long long now = np_clock_mono_ms();
	double seconds;

	if (!pump->lane[0].waits && !pump->lane[1].waits) {
		pump->waits_since_ms = 0;
		return;
	}
	if (!pump->waits_since_ms)
		pump->waits_since_ms = now;
	seconds = (double)(now - pump->waits_since_ms) / 1e3 / WAIT_SHARE;
	if (seconds < WAIT_MIN_S)
		seconds = WAIT_MIN_S;
	care_in(pump, seconds < WAIT_MAX_S ? seconds : WAIT_MAX_S);
}

static void rest(struct np_pump *pump, unsigned int i)
{
	struct np_lane *lane = &pump->lane[i];

	if (!lane->may_rest || lane->rests || lane->eof || lane->waits || np_lane_is_stuck(lane))
		return;
	if (np_clock_mono_ms() - pump->woken_at_ms[i] >= REST_AFTER_MS)
		lane->rests = lane->may_rest(lane);
	if (!lane->rests)
		care_in(pump, REST_AFTER_MS / 1e3);
}

static bool all_acknowledged(int fd)
{
	int queued = 0;

	return ioctl(fd, SIOCOUTQ, &queued) < 0 || queued == 0;
}

/* Side @x failed: is there nothing left that the other side could still get? */
static bool is_drained(struct np_pump *pump, unsigned int x)
{
	if (np_clock_mono_ms() - pump->failed_at_ms >= DRAIN_MAX_MS)
		return true;
	return pump->lane[x].done && all_acknowledged(pump->lane[x].dst);
}

/* After each step: end the pair (then @pump is gone), or wait for what is needed next. */
static void settle(struct np_pump *pump)
{
	bool a = pump->side[0].failed, b = pump->side[1].failed;

	if (a || b) {
		if ((a && b) || is_drained(pump, a ? 0 : 1)) {
			np_pair_finish(pump->pair, pump->first_failure);
			return;
		}
		care_in(pump, CARE_DRAIN_S);
	} else if (pump->lane[0].done && pump->lane[1].done) {
		np_pair_finish(pump->pair, NP_END_EOF);
		return;
	}
	wait_a_while(pump);
	rest(pump, 0);
	rest(pump, 1);
	watch(pump, 0);
	watch(pump, 1);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct side *side = (struct side *)w;
	struct np_pump *pump = side->pump;
	unsigned int x = side == &pump->side[1];

	(void)loop;
	if (revents & EV_WRITE)
		lane_run(pump, !x);
	if (revents & EV_READ)
		lane_run(pump, x);
	settle(pump);
}

/*
 * POLLHUP would also stand for two orderly ends with bytes left to be read; POLLERR is a failure
 * for certain.
 */
static void on_care(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_pump *pump = w->data;
	struct pollfd fds[2] = {{.fd = pump->pair->fd[0]}, {.fd = pump->pair->fd[1]}};
	unsigned int x;

	(void)loop;
	(void)revents;
	if (poll(fds, 2, 0) > 0) {
		for (x = 0; x < 2; x++) {
			if (fds[x].revents & (POLLERR | POLLNVAL))
				side_fail(pump, x);
		}
	}
	for (x = 0; x < 2; x++) {
		if (pump->lane[x].waits)
			lane_run(pump, x);
	}
	settle(pump);
}

int np_pump_join(struct np_pair *pair, np_mover mover, struct np_err *err)
{
	struct np_pump *pump = calloc(1, sizeof(*pump));
	unsigned int x;

	if (!pump)
		return np_fail(err, -ENOMEM, "pump: no memory");
	pump->pair = pair;
	pump->move = mover;
	pump->last_activity_ms = np_clock_mono_ms();
	ev_timer_init(&pump->care, on_care, CARE_MUTED_S, 0.);
	pump->care.data = pump;
	for (x = 0; x < 2; x++) {
		pump->side[x].pump = pump;
		ev_io_init(&pump->side[x].io, on_io, pair->fd[x], 0);
		pump->lane[x].src = pair->fd[x];
		pump->lane[x].dst = pair->fd[!x];
		pump->lane[x].pipe = (struct np_pipe)NP_PIPE_INIT;
		if (pair->pending[x].len)
			np_buf_take(&pump->lane[x].queue, &pair->pending[x]);
		np_buf_fini(&pair->pending[x]);
	}
	pair->priv = pump;
	watch(pump, 0);
	watch(pump, 1);
	return 0;
}

int np_pump_stats(const struct np_pair *pair, struct np_splice_stats *st)
{
	const struct np_pump *pump = pair->priv;

	st->bytes[0] = pump->lane[0].tx;
	st->bytes[1] = pump->lane[1].tx;
	st->last_activity_ms = pump->last_activity_ms;
	return 0;
}

bool np_pump_is_open(const struct np_pair *pair)
{
	const struct np_pump *pump = pair->priv;

	return !pump->side[0].failed && !pump->side[1].failed && !pump->lane[0].eof && !pump->lane[1].eof;
}

bool np_pump_is_stuck(const struct np_pair *pair)
{
	const struct np_pump *pump = pair->priv;

	return np_lane_is_stuck(&pump->lane[0]) || np_lane_is_stuck(&pump->lane[1]);
}

struct np_lane *np_pump_lane(const struct np_pair *pair, unsigned int i)
{
	struct np_pump *pump = pair->priv;

	return &pump->lane[i];
}

void np_pump_wake(struct np_pair *pair, unsigned int i)
{
	struct np_pump *pump = pair->priv;

	pump->lane[i].rests = false;
	pump->woken_at_ms[i] = np_clock_mono_ms();
	care_in(pump, REST_AFTER_MS / 1e3);
	watch(pump, i);
}

void np_pump_rest(struct np_pair *pair)
{
	struct np_pump *pump = pair->priv;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		rest(pump, i);
		watch(pump, i);
	}
}

void np_pump_leave(struct np_pair *pair)
{
	struct np_pump *pump = pair->priv;
	unsigned int x;

	if (!pump)
		return;
	for (x = 0; x < 2; x++) {
		ev_io_stop(pair->splice->loop, &pump->side[x].io);
		lane_drop(pump, &pump->lane[x]);
	}
	ev_timer_stop(pair->splice->loop, &pump->care);
	free(pump);
	pair->priv = NULL;
}
