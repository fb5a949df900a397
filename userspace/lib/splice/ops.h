/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside splice/: what a back end is, and the pair as the core and the back ends share it. */
#ifndef NP_SPLICE_OPS_H
#define NP_SPLICE_OPS_H

#include "splice/pool.h"
#include "splice/splice.h"

#include <ev.h>

/**
 * struct np_splice_ops - one way of moving bytes between two sockets.
 * @name: as given to --backend
 * @preference: higher is tried first
 * @is_picky: refuses single pairs, so a back end that takes all has to stand behind it
 * @probe: 0, or why this host cannot
 * @join: start moving. The descriptors stay owned by the pair; @pair->pending is taken over and
 *	delivered first. May fail although @probe succeeded, then the pair is untouched and the core
 *	tries the next back end. Must not end the pair from inside. NULL: pairs are promoted to it
 *	while they live, see splice/express.h.
 * @stats: fills bytes and last_activity_ms
 * @leave: stop touching the descriptors, free @pair->priv; idempotent, never fails
 */
struct np_splice_ops {
	const char *name;
	int preference;
	bool is_picky;
	int (*probe)(struct np_err *err);
	int (*join)(struct np_pair *pair, struct np_err *err);
	int (*stats)(const struct np_pair *pair, struct np_splice_stats *st);
	void (*leave)(struct np_pair *pair);
};

struct np_express;
struct np_xpair;

#define NP_SPLICE_BACKENDS_MAX 8

/* Every back end, NULL terminated, in any order. */
extern const struct np_splice_ops *const np_splice_backends[];

extern const struct np_splice_ops np_splice_copy;
extern const struct np_splice_ops np_splice_pipe;
extern const struct np_splice_ops np_splice_user;
extern const struct np_splice_ops np_splice_sockmap;

struct np_splice {
	struct ev_loop *loop;
	const struct np_splice_ops *usable[NP_SPLICE_BACKENDS_MAX + 1]; /* most preferred first */
	bool complained[NP_SPLICE_BACKENDS_MAX]; /* its failing join was logged */
	struct np_pool pool;
	size_t nr_pairs;
	struct np_express *express; /* NULL: not wanted or not possible */
};

struct np_pair {
	ev_timer idle; /* active only with an idle limit */
	struct np_splice *splice;
	const struct np_splice_ops *ops;
	void *priv; /* of the back end */
	struct np_xpair *xp; /* of express, once it has looked at the pair */
	struct {
		struct np_pair *next, **link; /* link NULL: not in the list */
		double at;
	} young; /* of express, before */
	int fd[2];
	struct np_buf pending[2];
	unsigned int idle_limit_ms;
	void (*on_end)(struct np_pair *pair, enum np_pair_end end,
		       const struct np_splice_stats *stats, void *arg);
	void *arg;
};

/**
 * np_pair_finish() - the back end says that the pair is over: descriptors are closed (reset unless
 * @end is NP_END_EOF), the owner is told, the pair is freed. Only from the loop.
 */
void np_pair_finish(struct np_pair *pair, enum np_pair_end end);

#endif
