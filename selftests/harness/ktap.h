/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The C half of the test format (KTAP): a test program is a list of named cases.
 *
 *	static void parses_port(void) { KTAP_OK(port == 22); KTAP_STREQ(host, "x"); }
 *	int main(void) { KTAP_RUN(parses_port); return ktap_done(); }
 *
 * A failed check prints where and what, fails its case, and the case goes on.
 */
#ifndef SELFTESTS_KTAP_H
#define SELFTESTS_KTAP_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int ktap_nr, ktap_failed;
static bool ktap_case_bad;
static const char *ktap_skip_reason;

#define KTAP_FAILF(...)                                                                            \
	do {                                                                                       \
		ktap_case_bad = true;                                                              \
		printf("# %s:%d: ", __FILE__, __LINE__);                                           \
		printf(__VA_ARGS__);                                                               \
		printf("\n");                                                                      \
	} while (0)
#define KTAP_OK(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			KTAP_FAILF("failed: %s", #cond);                                           \
	} while (0)
#define KTAP_EQ(a, b)                                                                              \
	do {                                                                                       \
		long long ktap_a = (long long)(a), ktap_b = (long long)(b);                        \
		if (ktap_a != ktap_b)                                                              \
			KTAP_FAILF("%s is %lld, not %s (%lld)", #a, ktap_a, #b, ktap_b);           \
	} while (0)
#define KTAP_STREQ(a, b)                                                                           \
	do {                                                                                       \
		const char *ktap_s = (a), *ktap_t = (b);                                           \
		if (!ktap_s || !ktap_t || strcmp(ktap_s, ktap_t))                                  \
			KTAP_FAILF("%s is \"%s\", not \"%s\"", #a, ktap_s ? ktap_s : "(null)",     \
				   ktap_t ? ktap_t : "(null)");                                    \
	} while (0)
/* Leaves the current case (a void function) as skipped. */
#define KTAP_SKIP(reason)                                                                          \
	do {                                                                                       \
		ktap_skip_reason = (reason);                                                       \
		return;                                                                            \
	} while (0)
#define KTAP_RUN(fn) ktap_run(#fn, fn)

static inline void ktap_run(const char *name, void (*fn)(void))
{
	if (ktap_nr == 0)
		printf("KTAP version 1\n");
	ktap_case_bad = false;
	ktap_skip_reason = NULL;
	fn();
	ktap_nr++;
	if (ktap_case_bad)
		ktap_failed++;
	printf("%sok %d %s%s%s\n", ktap_case_bad ? "not " : "", ktap_nr, name,
	       !ktap_case_bad && ktap_skip_reason ? " # SKIP " : "",
	       !ktap_case_bad && ktap_skip_reason ? ktap_skip_reason : "");
	fflush(stdout);
}

static inline int ktap_done(void)
{
	printf("1..%d\n", ktap_nr);
	return ktap_failed || !ktap_nr ? 1 : 0;
}

#endif
