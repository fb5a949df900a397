// SPDX-License-Identifier: BSD-3-Clause
/*
 * The adaptive user-space back end: recv and send for small bursts, splice(2) for a direction as
 * long as much arrives per wake-up. A pipe saves the copies but costs two more calls per byte run,
 * so it has to be worth it.
 */
#include "splice/lane.h"
#include "splice/ops.h"
#include "splice/pump.h"

/*
 * Bytes in one wake-up. Copying 16 KiB twice costs about as much as the two calls more that a pipe
 * takes; from there on the pipe wins (Documentation/data-plane.md has the figures).
 */
#define BULK_ENTER (16 * 1024)
#define BULK_STAY (8 * 1024)
#define LEAN_MAX 8 /* wake-ups below BULK_STAY in a row */

static enum np_move adaptive_move(struct np_pool *pool, struct np_lane *lane)
{
	uint64_t before = lane->rx;
	enum np_move ret;

	if (!lane->is_bulk) {
		ret = np_copy_move(pool, lane);
		lane->is_bulk = lane->rx - before >= BULK_ENTER;
		lane->nr_lean = 0;
		return ret;
	}
	ret = np_pipe_move(pool, lane);
	if (lane->rx - before >= BULK_STAY)
		lane->nr_lean = 0;
	else if (++lane->nr_lean >= LEAN_MAX)
		lane->is_bulk = false;
	return ret;
}

static int user_probe(struct np_err *err)
{
	(void)err;
	return 0; /* without pipes it is plain copying */
}

static int user_join(struct np_pair *pair, struct np_err *err)
{
	return np_pump_join(pair, adaptive_move, err);
}

const struct np_splice_ops np_splice_user = {
	.name = "user",
	.preference = 50,
	.probe = user_probe,
	.join = user_join,
	.stats = np_pump_stats,
	.leave = np_pump_leave,
};
