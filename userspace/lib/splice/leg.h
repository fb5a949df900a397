/* SPDX-License-Identifier: BSD-3-Clause */
/* One TCP connection of a pair as the express back end sees it: may it be spliced, and what are its
 * numbers. */
#ifndef NP_SPLICE_LEG_H
#define NP_SPLICE_LEG_H

#include "npbpf/express.h"

#include <stdbool.h>
#include <stdint.h>

struct np_err;

/**
 * struct np_leg - a connection that ends here.
 * @key: tuple of the segments that its peer sends
 * @oif: interface towards the peer
 * @snd, @rcv: our next sequence number and the peer's, both queues being empty
 */
struct np_leg {
	struct npx_key key;
	unsigned int oif;
	/* by np_leg_inspect() */
	uint8_t options, snd_wscale, rcv_wscale;
	uint32_t advmss, snd_mss;
	/* by np_leg_freeze() */
	uint32_t snd, rcv, clock;
	uint32_t snd_wnd, rcv_wnd;
};

/** np_leg_inspect() - fill in what does not change; refuses (with the reason) what can never be
 * spliced. */
int np_leg_inspect(int fd, struct np_leg *leg, struct np_err *err);
/** np_legs_may_join() - do the two connections speak the same dialect? 0 or -EOPNOTSUPP with the
 * difference. */
int np_legs_may_join(const struct np_leg *a, const struct np_leg *b, struct np_err *err);

/** np_leg_waiting() - bytes not yet read (*@in) and not yet acknowledged (*@out). 0, or negative
 * errno. */
int np_leg_waiting(int fd, int *in, int *out);

/** np_leg_rtt_ms() - round trip of the connection. */
int np_leg_rtt_ms(int fd);
/**
 * np_leg_squeeze() - admit no more from the peer of @fd, and queue no more for @to_fd, than keeps
 * them busy.
 * @rate: bytes a millisecond
 */
void np_leg_squeeze(int fd, int to_fd, uint64_t rate);

/** np_leg_freeze() - enter repair mode and read the numbers; the socket sends nothing from now on,
 * not even at close. */
int np_leg_freeze(int fd, struct np_leg *leg);
/** np_leg_thaw() - back to normal, without a probe. */
void np_leg_thaw(int fd);

#endif
