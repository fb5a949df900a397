// SPDX-License-Identifier: BSD-3-Clause
#include "base/backoff.h"

#include <stdint.h>
#include <sys/random.h>

unsigned int np_backoff_next_ms(struct np_backoff *backoff)
{
	uint64_t ms = backoff->min_ms;
	uint32_t rnd = 0;

	ms <<= backoff->attempt < 20 ? backoff->attempt : 20;
	if (ms > backoff->max_ms)
		ms = backoff->max_ms;
	backoff->attempt++;
	(void)!getrandom(&rnd, sizeof(rnd), GRND_NONBLOCK);
	return (unsigned int)(ms * 3 / 4 + ms / 2 * (rnd & 0xffff) / 0xffff);
}
