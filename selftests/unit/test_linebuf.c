// SPDX-License-Identifier: BSD-3-Clause
#include "net/linebuf.h"

#include "harness/ktap.h"

#include <errno.h>

static void expect(struct np_linebuf *lb, const char *want)
{
	char *line;
	size_t len;

	KTAP_EQ(np_linebuf_next(lb, &line, &len), 1);
	KTAP_STREQ(line, want);
	KTAP_EQ(len, strlen(want));
	np_linebuf_drop(lb);
}

static int nothing(struct np_linebuf *lb)
{
	char *line;
	size_t len;

	return np_linebuf_next(lb, &line, &len);
}

static void lines_whatever_the_cut(void)
{
	static const char text[] = "first\r\nsecond\n\n\r\nlast\nrest";
	size_t step, at;

	for (step = 1; step <= sizeof(text); step++) {
		static const char *const want[] = {"first", "second", "", "", "last"};
		struct np_linebuf lb = NP_LINEBUF_INIT(100);
		size_t n = 0, len;
		char *line;

		for (at = 0; at < sizeof(text) - 1; at += step) {
			size_t part = step < sizeof(text) - 1 - at ? step : sizeof(text) - 1 - at;

			KTAP_EQ(np_linebuf_feed(&lb, text + at, part), 0);
			while (np_linebuf_next(&lb, &line, &len) == 1) {
				KTAP_OK(n < 5);
				KTAP_STREQ(line, want[n < 5 ? n : 0]);
				n++;
				np_linebuf_drop(&lb);
			}
		}
		KTAP_EQ(n, 5);
		KTAP_EQ(nothing(&lb), 0);
		np_linebuf_feed(&lb, "\n", 1);
		expect(&lb, "rest");
		np_linebuf_fini(&lb);
	}
}

static void only_the_last_cr_goes(void)
{
	struct np_linebuf lb = NP_LINEBUF_INIT(100);

	np_linebuf_feed(&lb, "a\r\r\nb\rc\n", 8);
	expect(&lb, "a\r");
	expect(&lb, "b\rc");
	np_linebuf_fini(&lb);
}

static void nul_bytes_are_visible(void)
{
	struct np_linebuf lb = NP_LINEBUF_INIT(100);
	char *line;
	size_t len;

	np_linebuf_feed(&lb, "a\0b\n", 4);
	KTAP_EQ(np_linebuf_next(&lb, &line, &len), 1);
	KTAP_EQ(len, 3);
	KTAP_OK(strlen(line) != len);
	np_linebuf_drop(&lb);
	np_linebuf_fini(&lb);
}

static void length_is_bounded(void)
{
	struct np_linebuf lb = NP_LINEBUF_INIT(4);
	int i;

	np_linebuf_feed(&lb, "1234\n", 5);
	expect(&lb, "1234");
	np_linebuf_feed(&lb, "12345\n", 6);
	KTAP_EQ(nothing(&lb), -EMSGSIZE);
	KTAP_EQ(nothing(&lb), -EMSGSIZE);
	np_linebuf_fini(&lb);
	/* without an end in sight, too */
	for (i = 0; i < 4; i++) {
		np_linebuf_feed(&lb, "x", 1);
		KTAP_EQ(nothing(&lb), 0);
	}
	np_linebuf_feed(&lb, "x", 1);
	KTAP_EQ(nothing(&lb), -EMSGSIZE);
	np_linebuf_fini(&lb);
}

static void an_ending_may_count_for_the_cr(void)
{
	struct np_linebuf lb = NP_LINEBUF_INIT(5);

	np_linebuf_feed(&lb, "1234\r\n", 6);
	expect(&lb, "1234");
	np_linebuf_fini(&lb);
}

int main(void)
{
	KTAP_RUN(lines_whatever_the_cut);
	KTAP_RUN(only_the_last_cr_goes);
	KTAP_RUN(nul_bytes_are_visible);
	KTAP_RUN(length_is_bounded);
	KTAP_RUN(an_ending_may_count_for_the_cr);
	return ktap_done();
}
