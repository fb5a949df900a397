// SPDX-License-Identifier: BSD-3-Clause
/* recv(2) and send(2) through one shared buffer. */
#include "splice/lane.h"
#include "splice/ops.h"
#include "splice/pump.h"

#include <errno.h>
#include <sys/socket.h>

static bool is_retry(int code)
{
	return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

/* Return: bytes taken by the destination, or -1 when it failed. */
static ssize_t send_some(struct np_lane *lane, const uint8_t *data, size_t len)
{
	ssize_t n = send(lane->dst, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return is_retry(errno) || errno == ENOBUFS || errno == ENOMEM ? 0 : -1;
	lane->tx += (uint64_t)n;
	return n;
}

enum np_move np_copy_flush(struct np_pool *pool, struct np_lane *lane)
{
	ssize_t n;

	if (!lane->queue.len)
		return NP_MOVE_OK;
	n = send_some(lane, lane->queue.data, lane->queue.len);
	if (n < 0)
		return NP_MOVE_DST_FAILED;
	if ((size_t)n < lane->queue.len) {
		np_buf_consume(&lane->queue, (size_t)n);
		return NP_MOVE_STUCK;
	}
	lane->queue.len = 0;
	np_pool_take_back(pool, &lane->queue);
	return NP_MOVE_OK;
}

/* One read and its write. *@more: the buffer was filled, so there is probably more. */
static enum np_move copy_once(struct np_pool *pool, struct np_lane *lane, bool *more)
{
	uint8_t *buf = np_pool_buf(pool);
	ssize_t n, sent;

	*more = false;
	if (!buf)
		return NP_MOVE_SRC_FAILED;
	n = recv(lane->src, buf, NP_POOL_BUF_SIZE, MSG_DONTWAIT);
	if (n == 0)
		return NP_MOVE_EOF;
	if (n < 0)
		return is_retry(errno) ? NP_MOVE_OK : NP_MOVE_SRC_FAILED;
	lane->rx += (uint64_t)n;
	sent = send_some(lane, buf, (size_t)n);
	if (sent < 0)
		return NP_MOVE_DST_FAILED;
	if (sent < n)
		return np_pool_lend_tail(pool, (size_t)sent, (size_t)n, &lane->queue)
			       ? NP_MOVE_SRC_FAILED
			       : NP_MOVE_STUCK;
	*more = n == NP_POOL_BUF_SIZE;
	return NP_MOVE_OK;
}

enum np_move np_copy_move(struct np_pool *pool, struct np_lane *lane)
{
	enum np_move ret;
	bool more;
	int i;

	for (i = 0; i < NP_LANE_ROUNDS; i++) {
		ret = copy_once(pool, lane, &more);
		if (ret != NP_MOVE_OK || !more)
			return ret;
	}
	return NP_MOVE_OK;
}

static int copy_probe(struct np_err *err)
{
	(void)err;
	return 0;
}

static int copy_join(struct np_pair *pair, struct np_err *err)
{
	return np_pump_join(pair, np_copy_move, err);
}

const struct np_splice_ops np_splice_copy = {
	.name = "copy",
	.preference = 10,
	.probe = copy_probe,
	.join = copy_join,
	.stats = np_pump_stats,
	.leave = np_pump_leave,
};
