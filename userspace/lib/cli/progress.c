// SPDX-License-Identifier: BSD-3-Clause
#include "cli/progress.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

static long long started_ms;
static bool shown;

void np_progress_init(bool show)
{
	started_ms = np_clock_mono_ms();
	shown = show;
}

void np_progress(const char *fmt, ...)
{
	va_list ap;

	if (!shown)
		return;
	fprintf(stderr, "%6lld ms : ", np_clock_mono_ms() - started_ms);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}
