/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two sockets joined: bytes of each go to the other, by the best back end that takes the pair.
 *
 * Contract of every back end: bytes arrive once, in order, unchanged, pending bytes first; reading
 * stops while the peer's send queue is full; an end of stream on one side becomes a half-close of
 * the other after the last byte; a reset becomes a reset; nothing is kept per idle direction but
 * the pair itself.
 */
#ifndef NP_SPLICE_SPLICE_H
#define NP_SPLICE_SPLICE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct np_err;
struct np_pair;
struct np_splice; /* engine: back ends, buffer and pipe pools of one loop */

enum np_pair_end {
	NP_END_EOF,	/* both directions finished in order */
	NP_END_RESET_A, /* side a reset or failed */
	NP_END_RESET_B,
	NP_END_IDLE,   /* idle limit */
	NP_END_KILLED, /* np_pair_kill() */
};
const char *np_pair_end_name(enum np_pair_end end);

/** struct np_splice_stats - index 0: received from side a (sent to b), 1: from b. */
struct np_splice_stats {
	uint64_t bytes[2];
	long long last_activity_ms; /* monotonic */
	const char *backend;
};

/* np_splice_names[]: "auto" and the names of all back ends, NULL terminated, for --backend. */
extern const char *const np_splice_names[];

/**
 * np_splice_new() - an engine.
 * @backend: "auto" or one back end's name ("copy", "pipe"); -EOPNOTSUPP when this host cannot do it
 */
int np_splice_new(struct ev_loop *loop, const char *backend, struct np_splice **out,
		  struct np_err *err);
/** np_splice_free() - every pair must have ended. NULL is accepted. */
void np_splice_free(struct np_splice *splice);
/**
 * np_splice_probe_each() - each back end's name and why not (@err code 0: usable), most preferred
 * first.
 */
void np_splice_probe_each(void (*fn)(const char *name, const struct np_err *err, void *arg),
			  void *arg);

/**
 * struct np_pair_params - what is joined.
 * @fd: connected, non-blocking stream sockets of side a and b; taken, also on failure
 * @pending: bytes already read: [0] from side a (for b), [1] from side b (for a); moved out; may be
 *	NULL
 * @idle_limit_ms: end the pair after so long without a byte; 0: never
 * @on_end: called once from the loop, never from inside np_pair_join(); descriptors are closed by
 *	then and the pair is freed after the call; @stats are final
 */
struct np_pair_params {
	int fd[2];
	struct np_buf *pending[2];
	unsigned int idle_limit_ms;
	void (*on_end)(struct np_pair *pair, enum np_pair_end end,
		       const struct np_splice_stats *stats, void *arg);
	void *arg;
};
int np_pair_join(struct np_splice *splice, const struct np_pair_params *params,
		 struct np_pair **out, struct np_err *err);
/** np_pair_kill() - reset both sides and free the pair; on_end is not called. NULL is accepted. */
void np_pair_kill(struct np_pair *pair);
void np_pair_stats(const struct np_pair *pair, struct np_splice_stats *stats);

#endif
