// SPDX-License-Identifier: BSD-3-Clause
#include "base/clock.h"
#include "harness/ktap.h"

static void utc_forms(void)
{
	char text[32];

	np_clock_iso_utc(1729733702123, text, sizeof(text));
	KTAP_STREQ(text, "2024-10-24T01:35:02.123Z");
	np_clock_at_utc(1729733702123, text, sizeof(text));
	KTAP_STREQ(text, "2024-10-24 01:35:02.123Z");
	np_clock_iso_utc(0, text, sizeof(text));
	KTAP_STREQ(text, "1970-01-01T00:00:00.000Z");
}

static void before_1970(void)
{
	char text[32];

	np_clock_iso_utc(-1, text, sizeof(text));
	KTAP_STREQ(text, "1969-12-31T23:59:59.999Z");
	np_clock_iso_utc(-1000, text, sizeof(text));
	KTAP_STREQ(text, "1969-12-31T23:59:59.000Z");
}

static void absurd_times_stay_in_bounds(void)
{
	char text[25];

	np_clock_iso_utc(INT64_MAX, text, sizeof(text));
	KTAP_OK(strlen(text) < sizeof(text));
	np_clock_iso_utc(INT64_MIN, text, sizeof(text));
	KTAP_OK(strlen(text) < sizeof(text));
}

static void monotonic_goes_forward(void)
{
	uint64_t a = np_clock_mono_ns(), b = np_clock_mono_ns();

	KTAP_OK(b >= a);
	KTAP_OK(np_clock_mono_ms() >= (long long)(a / 1000000));
	KTAP_OK(np_clock_wall_ms() > 1700000000000);
}

static void local_stamp_shape(void)
{
	char text[32];
	int n = 0;

	np_clock_local_stamp(text, sizeof(text));
	sscanf(text, "%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%*6d%n", &n);
	KTAP_EQ(n, 26);
	KTAP_EQ(strlen(text), 26);
}

int main(void)
{
	KTAP_RUN(utc_forms);
	KTAP_RUN(before_1970);
	KTAP_RUN(absurd_times_stay_in_bounds);
	KTAP_RUN(monotonic_goes_forward);
	KTAP_RUN(local_stamp_shape);
	return ktap_done();
}
