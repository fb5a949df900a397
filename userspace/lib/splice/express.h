/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The express back end: TCP splice by header translation in the kernel (Documentation/express.md).
 *
 * It takes no pair at the start. A pair begins in user space and is offered; when it gets quiet it
 * is promoted: its sockets vanish, its segments are translated at tc, and only the table entries
 * remain. A promoted pair never comes back.
 */
#ifndef NP_SPLICE_EXPRESS_H
#define NP_SPLICE_EXPRESS_H

#include <stdbool.h>
#include <stdint.h>

struct np_err;
struct np_express;
struct np_pair;
struct np_splice;

/** np_express_new() - cheap: the program is loaded when the first pair qualifies. 0, or why this
 * process cannot. */
int np_express_new(struct np_splice *splice, struct np_express **out, struct np_err *err);
/** np_express_free() - pairs must have ended; entries of ended ones are dropped. NULL is accepted.
 */
void np_express_free(struct np_express *express);
/** np_express_offer() - from now on @pair is watched for a chance. */
void np_express_offer(struct np_express *express, struct np_pair *pair);
/** np_express_forget() - @pair ends in user space; an attempt under way is undone. */
void np_express_forget(struct np_pair *pair);

/**
 * np_pair_let_go() - this process ends, the session need not: a promoted pair goes on in the
 * kernel, and the next process adopts it; any other is reset. The pair is freed, on_end is not
 * called. NULL is accepted.
 */
void np_pair_let_go(struct np_pair *pair);
/** np_express_let_go() - the part of express; false: it is not there. */
bool np_express_let_go(struct np_pair *pair);

/** np_pair_why() - why @pair is not (yet) in express: one phrase; "" when it is, or nothing is
 * known. */
const char *np_pair_why(const struct np_pair *pair);

/** struct np_express_status - of one engine. */
struct np_express_status {
	bool loaded;
	unsigned int spliced, lingering,
		orphans; /* pairs: alive, ended a moment ago, of a process that is gone */
	uint64_t promoted, refused, rolled_back, held_frames;
};
/** np_express_status() - all zero when the engine does not use express. */
void np_express_status(const struct np_splice *splice, struct np_express_status *status);

#endif
