/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The user-space side of a pair: readiness, half-close, failure. How bytes are moved is the mover's
 * business.
 */
#ifndef NP_SPLICE_PUMP_H
#define NP_SPLICE_PUMP_H

#include "splice/lane.h"

struct np_err;
struct np_pair;
struct np_splice_stats;

/** typedef np_mover - np_copy_move() or the like. */
typedef enum np_move (*np_mover)(struct np_pool *pool, struct np_lane *lane);

/* The members of struct np_splice_ops for a back end that moves bytes with @mover. */
int np_pump_join(struct np_pair *pair, np_mover mover, struct np_err *err);
int np_pump_stats(const struct np_pair *pair, struct np_splice_stats *st);
void np_pump_leave(struct np_pair *pair);
/** np_pump_lane() - the lane from side @i, for a back end that gives it a context; the pump's. */
struct np_lane *np_pump_lane(const struct np_pair *pair, unsigned int i);
/** np_pump_wake() - there may be something to read from side @i, although its lane rests. */
void np_pump_wake(struct np_pair *pair, unsigned int i);
/** np_pump_rest() - after the join: have lanes rest that may. Later the pump sees to it itself. */
void np_pump_rest(struct np_pair *pair);

/** np_pump_is_open() - neither side has ended or failed. */
bool np_pump_is_open(const struct np_pair *pair);
/** np_pump_is_stuck() - bytes were read that could not be sent yet. */
bool np_pump_is_stuck(const struct np_pair *pair);

#endif
