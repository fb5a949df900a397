// SPDX-License-Identifier: BSD-3-Clause
#include "base/backoff.h"
#include "harness/ktap.h"

static void doubles_up_to_the_cap(void)
{
	struct np_backoff backoff = NP_BACKOFF_INIT(100, 5000);
	unsigned int want = 100, i;

	for (i = 0; i < 100; i++) {
		unsigned int ms = np_backoff_next_ms(&backoff);

		if (ms < want * 3 / 4 || ms > want + want / 4)
			KTAP_FAILF("try %u: %u ms, wanted about %u", i, ms, want);
		want = want * 2 > 5000 ? 5000 : want * 2;
	}
}

static void reset_starts_over(void)
{
	struct np_backoff backoff = NP_BACKOFF_INIT(100, 60000);
	int i;

	for (i = 0; i < 10; i++)
		np_backoff_next_ms(&backoff);
	np_backoff_reset(&backoff);
	KTAP_OK(np_backoff_next_ms(&backoff) <= 125);
}

static void has_jitter(void)
{
	unsigned int first = 0, different = 0, i;

	for (i = 0; i < 50; i++) {
		struct np_backoff backoff = NP_BACKOFF_INIT(10000, 10000);
		unsigned int ms = np_backoff_next_ms(&backoff);

		if (i == 0)
			first = ms;
		different += ms != first;
	}
	KTAP_OK(different > 25);
}

static void large_values_do_not_wrap(void)
{
	struct np_backoff backoff = NP_BACKOFF_INIT(3000000000u, 3000000000u);
	unsigned int i, ms;

	for (i = 0; i < 70; i++) {
		ms = np_backoff_next_ms(&backoff);
		KTAP_OK(ms >= 2250000000u && ms <= 3750000000u);
	}
}

int main(void)
{
	KTAP_RUN(doubles_up_to_the_cap);
	KTAP_RUN(reset_starts_over);
	KTAP_RUN(has_jitter);
	KTAP_RUN(large_values_do_not_wrap);
	return ktap_done();
}
