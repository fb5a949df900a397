/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the express back end. The life of a pair in it (struct np_xpair):
 *
 *	                  refused (for good)
 *	                 /
 *	offer -> CANDIDATE -> GATHERED -> HELD -> SPLICED -> LINGER -> gone
 *	            ^                       |
 *	            +------ rolled back ----+
 *
 * CANDIDATE waits for its timer, GATHERED for the next batch, HELD for the grace period and then
 *for its queues to get empty. Up to HELD everything can be undone. LINGER: the pair is over, its
 *entries answer late segments.
 */
#ifndef NP_SPLICE_EXPRESS_IMPL_H
#define NP_SPLICE_EXPRESS_IMPL_H

#include "base/err.h"
#include "kern/bpfobj.h"
#include "splice/express.h"
#include "splice/leg.h"
#include "splice/ops.h"
#include "splice/xtable.h"
#include "splice/xthread.h"

#include <ev.h>

#define NP_X_IFACES_MAX 64
#define NP_X_FIRST_TRY_S .05 /* short connections never pay */

enum np_xstate {
	NP_X_CANDIDATE,
	NP_X_REFUSED,
	NP_X_GATHERED,
	NP_X_HELD,
	NP_X_SPLICED,
	NP_X_LINGER,
};

/* A segment that waits; frames are replayed in the order of arrival. */
struct np_xframe {
	struct np_xframe *next;
	size_t len;
	uint8_t data[];
};

/* Only while a promotion may still happen. */
struct np_xattempt {
	struct np_leg leg[2];
	struct np_xframe *frames, **frames_end;
	size_t frames_len[2]; /* payload is a little less */
	uint32_t held_ack[2]; /* highest acknowledgement in a held segment of that side */
	bool has_held_ack[2];
	bool overflow;
	int patience_ms; /* the longest hold that may be worth it */
	uint64_t seen_bytes[2];
	long long seen_at_ms; /* 0: not yet */
	long long held_at_ms;
};

/* What the last look at the table said about one side. */
struct np_xseen {
	uint32_t ack, fin_end, marks;
	uint32_t generation; /* of that look */
};

struct np_xpair {
	ev_timer due;
	struct np_express *x;
	struct np_pair *pair; /* NULL: nobody is to be told */
	struct np_xpair *next, **link;
	struct np_xref ref[2];
	struct np_xattempt *attempt;
	struct np_xseen seen[2];
	uint64_t before[2]; /* bytes moved in user space */
	uint32_t shift[2];  /* dseq of each side */
	int reserved[2];    /* sockets that keep the ports of connected sides */
	long long since_ms; /* of the state */
	char *why;
	uint16_t tries;
	uint8_t state;
	bool is_indexed;
	bool is_over; /* FIN both ways or RST: nobody needs to be reset */
};

struct np_express {
	struct np_splice *splice;
	struct np_bpfobj *obj;
	struct np_xthread *thread;
	bool is_opening, is_broken,
		is_waiting; /* thread: loading; loading failed; a grace period is under way */
	struct np_err open_err;
	unsigned int ifaces[NP_X_IFACES_MAX], nr_ifaces;
	int tap_fd;
	unsigned int tap;
	ev_io tap_io;
	uint8_t *frame; /* one frame, for reading */
	struct np_xtable table;
	struct np_pair *young, **young_end; /* offered, oldest first */
	ev_timer ripen;
	struct np_xpair *candidates, *gathered, *held, *spliced, *linger;
	ev_timer gather, settle, reap;
	uint32_t generation;
	uint16_t port_min, port_max; /* what connect() chooses from */
	size_t held_len;	     /* bytes of all held segments */
	struct np_express_status status;
};

/* express.c */
void np_xpair_move(struct np_xpair *xp, enum np_xstate state);
int np_xpair_index(struct np_xpair *xp);
/** np_xpair_free() - out of every list and table, entries deleted. */
void np_xpair_free(struct np_xpair *xp);
void np_xpair_refuse(struct np_xpair *xp, const struct np_err *why);
/** np_express_give_up() - no pair is promoted from now on; those that are go on. */
void np_express_give_up(struct np_express *x, const struct np_err *err);

/* candidate.c */
/** np_candidate_watch() - look at it now and, if need be, again. */
void np_candidate_watch(struct np_xpair *xp);
/** np_candidate_retry() - an attempt failed or was not worth it: later. */
void np_candidate_retry(struct np_xpair *xp);
/** np_candidate_opened() - the thread has loaded the program, or failed. */
void np_candidate_opened(struct np_express *x);

/* promote.c */
void np_promote_init(struct np_express *x);
void np_promote_fini(struct np_express *x);
/** np_promote_soon() - there are GATHERED pairs: start a batch in a moment, or after the one under
 * way. */
void np_promote_soon(struct np_express *x);
/** np_promote_undo() - of a GATHERED or HELD pair: sockets as before, held segments delivered to
 * them. */
void np_promote_undo(struct np_xpair *xp);
/** np_promote_done() - the thread has finished its job. */
void np_promote_done(void *arg);

/* replay.c */
/** np_replay_open() - the device; does not touch the loop, may run in the thread. */
int np_replay_open(struct np_express *x, struct np_err *err);
void np_replay_start(struct np_express *x);
void np_replay_close(struct np_express *x);
/** np_replay_read() - take what waits on the TAP device. */
void np_replay_read(struct np_express *x);
/** np_replay_flush() - give the held segments of @attempt back to the kernel. */
void np_replay_flush(struct np_express *x, struct np_xattempt *attempt);
/** np_replay_end() - segments with this tuple need not wait for held ones any more. */
void np_replay_end(struct np_express *x, const struct npx_key *key);

/* reap.c */
void np_reap_init(struct np_express *x);
void np_reap_fini(struct np_express *x);
void np_reap_adopt(struct np_express *x);

/* reset.c */
/** np_reset_pair() - RST to both peers, entries deleted. */
void np_reset_pair(struct np_xpair *xp);

extern const struct np_splice_ops np_splice_express;

#endif
