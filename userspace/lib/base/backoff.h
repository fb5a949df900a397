/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounded exponential back-off with jitter, for every reconnect and retry. */
#ifndef NP_BASE_BACKOFF_H
#define NP_BASE_BACKOFF_H

struct np_backoff {
	unsigned int min_ms, max_ms; /* set by the owner */
	unsigned int attempt;	     /* 0 after success */
};

#define NP_BACKOFF_INIT(min, max) { (min), (max), 0 }

/** np_backoff_next_ms() - the pause before the next try: min * 2^n, capped, with +-25 % jitter. */
unsigned int np_backoff_next_ms(struct np_backoff *backoff);
static inline void np_backoff_reset(struct np_backoff *backoff)
{
	backoff->attempt = 0;
}

#endif
