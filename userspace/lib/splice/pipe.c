// SPDX-License-Identifier: BSD-3-Clause
/*
 * splice(2) through a pipe that is lent from the pool, and stays lent only while bytes are stuck in
 * it.
 */
#include "splice/lane.h"
#include "splice/ops.h"
#include "splice/pump.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

/* Less than this in one call: let more gather. Few big steps cost less than many small ones. */
#define MORE_LIKELY (256 * 1024)
#define FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

enum np_move np_pipe_flush(struct np_pool *pool, struct np_lane *lane)
{
	ssize_t n;

	if (!lane->pipe.len)
		return NP_MOVE_OK;
	n = splice(lane->pipe.fd[0], NULL, lane->dst, NULL, lane->pipe.len, FLAGS);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS && errno != ENOMEM)
		return NP_MOVE_DST_FAILED;
	if (n > 0) {
		lane->tx += (uint64_t)n;
		lane->pipe.len -= (size_t)n;
	}
	if (lane->pipe.len)
		return NP_MOVE_STUCK;
	np_pool_pipe_put(pool, &lane->pipe);
	return NP_MOVE_OK;
}

/*
 * splice(2) does not go past urgent data: it says EAGAIN for ever, or "end of stream" when a FIN
 * follows, although there are bytes. recv(2) knows better, so it decides whenever the first
 * splice(2) of a wake-up brought nothing.
 */
static enum np_move pull_failed(struct np_pool *pool, struct np_lane *lane, ssize_t n, int code,
				int round)
{
	np_pool_pipe_put(pool, &lane->pipe);
	if (n < 0 && code != EAGAIN && code != EINTR && code != EINVAL)
		return NP_MOVE_SRC_FAILED;
	if (n < 0 && code != EINVAL && round)
		return NP_MOVE_OK;
	return np_copy_move(pool, lane);
}

enum np_move np_pipe_move(struct np_pool *pool, struct np_lane *lane)
{
	enum np_move ret;
	ssize_t n;
	int i;

	for (i = 0; i < NP_LANE_ROUNDS; i++) {
		if (lane->pipe.fd[0] < 0 && np_pool_pipe_get(pool, &lane->pipe))
			return np_copy_move(pool, lane);
		n = splice(lane->src, NULL, lane->pipe.fd[1], NULL, lane->pipe.size, FLAGS);
		if (n <= 0)
			return pull_failed(pool, lane, n, errno, i);
		lane->rx += (uint64_t)n;
		lane->pipe.len = (size_t)n;
		ret = np_pipe_flush(pool, lane);
		if (ret != NP_MOVE_OK || n < MORE_LIKELY)
			return ret;
	}
	return NP_MOVE_OK;
}

static int pipe_probe(struct np_err *err)
{
	struct np_pool pool = {.nr_bufs = 0};
	struct np_pipe pipe = NP_PIPE_INIT;
	int ret = np_pool_pipe_get(&pool, &pipe);

	if (ret)
		return np_fail_errno(err, ret, "cannot make a pipe for splice(2)");
	np_pool_pipe_put(&pool, &pipe);
	np_pool_fini(&pool);
	return 0;
}

static int pipe_join(struct np_pair *pair, struct np_err *err)
{
	return np_pump_join(pair, np_pipe_move, err);
}

const struct np_splice_ops np_splice_pipe = {
	.name = "pipe",
	.preference = 20,
	.probe = pipe_probe,
	.join = pipe_join,
	.stats = np_pump_stats,
	.leave = np_pump_leave,
};
