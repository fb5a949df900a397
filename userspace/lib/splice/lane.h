/* SPDX-License-Identifier: BSD-3-Clause */
/* One direction of a pair in user space, and the two ways to move its bytes. */
#ifndef NP_SPLICE_LANE_H
#define NP_SPLICE_LANE_H

#include "base/buf.h"
#include "splice/pool.h"

#include <stdbool.h>
#include <stdint.h>

enum np_move {
	NP_MOVE_OK,	    /* nothing more now, or the turn is over; what was read is sent */
	NP_MOVE_STUCK,	    /* the destination's send queue is full; the lane keeps the rest */
	NP_MOVE_WAIT,	    /* what goes before is still on its way; no event will tell */
	NP_MOVE_EOF,	    /* the source ended in order; all that was read is sent */
	NP_MOVE_SRC_FAILED, /* the source was reset, or memory ran out */
	NP_MOVE_DST_FAILED,
};

/* Each wake-up of a lane reads so often at most, for the sake of the others. */
#define NP_LANE_ROUNDS 4

/* Stuck bytes are in @queue or in @pipe, never in both. */
struct np_lane {
	int src, dst; /* borrowed from the pair */
	struct np_buf queue;
	struct np_pipe pipe;
	uint64_t rx, tx; /* bytes read, bytes sent */
	bool eof;	 /* nothing more comes from the source */
	bool done;	 /* nothing more goes to the destination */
	bool is_bulk;	 /* of the adaptive mover: splice(2) is in use */
	bool waits;	 /* the last move said NP_MOVE_WAIT */
	bool rests;	 /* the source is not watched until np_pump_wake() */
	uint8_t nr_lean; /* of the adaptive mover: poor wake-ups in a row */
	/*
	 * Of a back end that moves bytes of this lane inside the kernel too: have they all reached
	 * the destination's send queue? NP_MOVE_OK, NP_MOVE_WAIT or NP_MOVE_DST_FAILED. May be
	 * NULL.
	 */
	enum np_move (*is_clear)(struct np_lane *lane);
	/* Of such a back end: will it call np_pump_wake() as soon as there is something to read? */
	bool (*may_rest)(struct np_lane *lane);
	void *ctx; /* of that back end */
};

static inline bool np_lane_is_stuck(const struct np_lane *lane)
{
	return lane->queue.len || lane->pipe.len;
}

/* np_*_flush() send stuck bytes; np_*_move() read and send, with nothing stuck before. */
enum np_move np_copy_flush(struct np_pool *pool, struct np_lane *lane);
enum np_move np_copy_move(struct np_pool *pool, struct np_lane *lane);
enum np_move np_pipe_flush(struct np_pool *pool, struct np_lane *lane);
enum np_move np_pipe_move(struct np_pool *pool, struct np_lane *lane);

#endif
