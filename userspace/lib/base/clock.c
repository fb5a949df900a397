// SPDX-License-Identifier: BSD-3-Clause
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

uint64_t np_clock_mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

long long np_clock_mono_ms(void)
{
	return (long long)(np_clock_mono_ns() / 1000000ull);
}

long long np_clock_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void format_utc(long long wall_ms, char sep, char *dst, size_t size)
{
	int ms = (int)(wall_ms % 1000);
	time_t sec = (time_t)(wall_ms / 1000);
	struct tm tm;

	/* Before 1970 the division rounds the wrong way. */
	if (ms < 0) {
		ms += 1000;
		sec--;
	}
	if (!gmtime_r(&sec, &tm)) {
		snprintf(dst, size, "null");
		return;
	}
	snprintf(dst, size, "%04d-%02d-%02d%c%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, sep, tm.tm_hour, tm.tm_min, tm.tm_sec, ms);
}

void np_clock_iso_utc(long long wall_ms, char *dst, size_t size)
{
	format_utc(wall_ms, 'T', dst, size);
}

void np_clock_at_utc(long long wall_ms, char *dst, size_t size)
{
	format_utc(wall_ms, ' ', dst, size);
}

void np_clock_local_stamp(char *dst, size_t size)
{
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	snprintf(dst, size, "%04d-%02d-%02dT%02d:%02d:%02d.%06ld", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000);
}
