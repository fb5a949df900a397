// SPDX-License-Identifier: BSD-3-Clause
/* Results on standard output: a flat JSON object, or the same as key=value words. */
#include "npload.h"

#include <stdio.h>
#include <sys/resource.h>

static void report_key(struct report *r, const char *key)
{
	if (r->json)
		printf("%s\"%s\":", r->started ? "," : "{", key);
	else
		printf("%s%s=", r->started ? " " : "", key);
	r->started = true;
}

void report_begin(struct report *r, bool json, const char *mode)
{
	r->json = json;
	r->started = false;
	report_str(r, "mode", mode);
}

void report_u64(struct report *r, const char *key, uint64_t value)
{
	report_key(r, key);
	printf("%llu", (unsigned long long)value);
}

void report_f64(struct report *r, const char *key, double value)
{
	report_key(r, key);
	printf("%.6g", value);
}

/* @value is one of the program's own words, so it needs no escaping. */
void report_str(struct report *r, const char *key, const char *value)
{
	report_key(r, key);
	printf(r->json ? "\"%s\"" : "%s", value);
}

/* Own CPU time, so that a bench can tell its load from that of other programs. */
static double cpu_seconds(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

void report_end(struct report *r)
{
	report_f64(r, "cpu_s", cpu_seconds());
	puts(r->json ? "}" : "");
	fflush(stdout);
}
