// SPDX-License-Identifier: BSD-3-Clause
/*
 * The sockmap back end: what arrives at one socket of a pair is put into the other's send queue by
 * the kernel, without this process being scheduled. What the program leaves to user space - the
 * peer owes too much, bytes were there before - is relayed by the pump, which also sees to ends and
 * failures.
 *
 * One rule keeps the order: the pump sends only while the program redirects nothing (pass !=
 * consumed) and everything redirected before is in the peer's send queue. No event tells the
 * latter, so the lane waits by the clock.
 */
#include "splice/sockmap.h"

#include "base/clock.h"
#include "base/err.h"
#include "splice/ops.h"
#include "splice/pump.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/*
 * Redirected bytes that the peer does not take for so long are given up. It is what np_sock_tune()
 * grants to sent bytes.
 */
#define STALLED_MAX_MS 120000

/*
 * Is everything redirected in the peer's send queue? Only true for long while nothing can be
 * redirected.
 */
static enum np_move way_is_clear(struct np_lane *lane)
{
	struct np_ways *ways = lane->ctx;
	struct np_way *way = &ways->way[lane->src == ways->way[1].src];
	uint64_t redir = __atomic_load_n(&way->slot->redir, __ATOMIC_ACQUIRE), taken;
	long long now;

	if (redir == way->cleared)
		return NP_MOVE_OK;
	taken = np_way_taken(way->dst) - way->base;
	if (taken == redir + lane->tx) {
		way->cleared = redir;
		way->taken = UINT64_MAX;
		np_way_uncharge(way, 0);
		return NP_MOVE_OK;
	}
	now = np_clock_mono_ms();
	if (taken != way->taken) {
		way->taken = taken;
		way->moved_at_ms = now;
	}
	return now - way->moved_at_ms >= STALLED_MAX_MS ? NP_MOVE_DST_FAILED : NP_MOVE_WAIT;
}

/* A read says "end of stream" although bytes that were passed still wait for memory. */
static enum np_move at_eof(struct np_way *way, const struct np_lane *lane)
{
	int waiting = 0;

	if (lane->rx + way->preread == __atomic_load_n(&way->slot->pass, __ATOMIC_ACQUIRE) &&
	    (ioctl(lane->src, SIOCINQ, &waiting) || !waiting))
		return NP_MOVE_EOF;
	np_way_kick(way);
	return NP_MOVE_WAIT;
}

/*
 * Nothing is there for user space as far as the counters say: an end, a failure, or a pass this
 * very moment?
 */
static enum np_move look(const struct np_lane *lane, bool *has_bytes)
{
	char byte;
	ssize_t n = recv(lane->src, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	*has_bytes = n > 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return NP_MOVE_SRC_FAILED;
	return n ? NP_MOVE_OK : NP_MOVE_EOF;
}

static enum np_move sockmap_move(struct np_pool *pool, struct np_lane *lane)
{
	struct np_ways *ways = lane->ctx;
	struct np_way *way = &ways->way[lane->src == ways->way[1].src];
	enum np_move ret = NP_MOVE_OK;
	bool has_bytes = true;

	if (way->slot->marks & NPSM_BROKEN)
		return NP_MOVE_SRC_FAILED;
	if (!ways->is_redirecting) {
		ret = np_copy_move(pool, lane);
		/* Only side a is in the map. */
		return ret == NP_MOVE_EOF && way == ways->way ? at_eof(way, lane) : ret;
	}
	__atomic_store_n(&way->slot->consumed, lane->tx, __ATOMIC_RELEASE);
	if (__atomic_load_n(&way->slot->pass, __ATOMIC_ACQUIRE) == lane->tx)
		ret = look(lane, &has_bytes);
	if (has_bytes) {
		ret = way_is_clear(lane);
		if (ret == NP_MOVE_OK)
			ret = np_copy_move(pool, lane);
		__atomic_store_n(&way->slot->consumed, lane->tx, __ATOMIC_RELEASE);
		np_sockmap_sweep();
	}
	return ret == NP_MOVE_EOF ? at_eof(way, lane) : ret;
}

/* From here on the program tells of what it passes; what it passed just before is found here. */
static bool way_may_rest(struct np_lane *lane)
{
	struct np_ways *ways = lane->ctx;
	struct np_way *way = &ways->way[lane->src == ways->way[1].src];
	bool has_bytes;

	__atomic_exchange_n(&way->slot->noticed, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&way->slot->pass, __ATOMIC_SEQ_CST) == lane->tx &&
	    !(way->slot->marks & NPSM_BROKEN) && look(lane, &has_bytes) == NP_MOVE_OK && !has_bytes)
		return true;
	__atomic_store_n(&way->slot->noticed, 1, __ATOMIC_SEQ_CST);
	return false;
}

static int sockmap_join(struct np_pair *pair, struct np_err *err)
{
	const uint64_t preread[2] = {pair->pending[0].len, pair->pending[1].len};
	struct np_ways *ways;
	unsigned int i;
	int ret;

	ret = np_pump_join(pair, sockmap_move, err);
	if (ret)
		return ret;
	ret = np_ways_open(pair->fd, preread, &ways, err);
	if (ret) {
		for (i = 0; i < 2; i++)
			np_buf_take(&pair->pending[i], &np_pump_lane(pair, i)->queue);
		np_pump_leave(pair);
		return ret;
	}
	ways->pair = pair;
	if (ways->is_redirecting)
		np_watch_add(ways, pair->splice->loop);
	for (i = 0; i < 2; i++) {
		struct np_lane *lane = np_pump_lane(pair, i);

		lane->ctx = ways;
		lane->is_clear = ways->is_redirecting ? way_is_clear : NULL;
		lane->may_rest = ways->is_watched ? way_may_rest : NULL;
	}
	np_pump_rest(pair);
	return 0;
}

static int sockmap_stats(const struct np_pair *pair, struct np_splice_stats *st)
{
	const struct np_ways *ways = np_pump_lane(pair, 0)->ctx;
	long long at_ms;
	unsigned int i;

	np_pump_stats(pair, st);
	for (i = 0; i < 2; i++) {
		const struct npsm_slot *slot = ways->way[i].slot;

		st->bytes[i] += __atomic_load_n(&slot->redir, __ATOMIC_RELAXED);
		at_ms = (long long)(__atomic_load_n(&slot->last_ns, __ATOMIC_RELAXED) / 1000000);
		if (at_ms > st->last_activity_ms)
			st->last_activity_ms = at_ms;
	}
	return 0;
}

static void sockmap_leave(struct np_pair *pair)
{
	struct np_ways *ways = pair->priv ? np_pump_lane(pair, 0)->ctx : NULL;

	np_pump_leave(pair);
	np_ways_close(ways);
}

const struct np_splice_ops np_splice_sockmap = {
	.name = "sockmap",
	.preference = 5,
	.is_picky = true,
	.probe = np_sockmap_gate,
	.join = sockmap_join,
	.stats = sockmap_stats,
	.leave = sockmap_leave,
};
