// SPDX-License-Identifier: BSD-3-Clause
#include "base/buf.h"
#include "harness/ktap.h"

#include <errno.h>

static void empty_is_an_empty_string(void)
{
	struct np_buf buf = NP_BUF_INIT;

	KTAP_STREQ(np_buf_str(&buf), "");
	KTAP_EQ(np_buf_append(&buf, "", 0), 0);
	KTAP_STREQ(np_buf_str(&buf), "");
	np_buf_consume(&buf, 5);
	KTAP_EQ(buf.len, 0);
	np_buf_fini(&buf);
	np_buf_fini(&buf);
}

static void bytes_come_out_in_order(void)
{
	struct np_buf buf = NP_BUF_INIT;
	unsigned int put = 0, got = 0, round;

	/*
	 * A sliding window over a counting sequence meets growing, moving and reuse of the consumed
	 * front.
	 */
	for (round = 0; round < 3000; round++) {
		size_t n = (round * 37) % 301, k = (round * 53) % 311, i;
		uint8_t *room = np_buf_reserve(&buf, n);

		if (!room) {
			KTAP_FAILF("no room");
			break;
		}
		for (i = 0; i < n; i++)
			room[i] = (uint8_t)put++;
		np_buf_commit(&buf, n);
		KTAP_EQ(buf.data[buf.len], 0);
		if (k > buf.len)
			k = buf.len;
		for (i = 0; i < k; i++)
			if (buf.data[i] != (uint8_t)got++)
				KTAP_FAILF("round %u: byte %zu is wrong", round, i);
		np_buf_consume(&buf, k);
	}
	KTAP_EQ(put - got, buf.len);
	np_buf_fini(&buf);
}

static void printf_appends(void)
{
	struct np_buf buf = NP_BUF_INIT;
	char big[5000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	KTAP_EQ(np_buf_append_str(&buf, "a="), 0);
	KTAP_EQ(np_buf_printf(&buf, "%d,%s", 7, "b"), 0);
	KTAP_STREQ(np_buf_str(&buf), "a=7,b");
	KTAP_EQ(np_buf_printf(&buf, "%s", big), 0);
	KTAP_EQ(buf.len, 5 + sizeof(big) - 1);
	np_buf_fini(&buf);
}

static void empty_gives_big_memory_back(void)
{
	struct np_buf buf = NP_BUF_INIT;

	np_buf_reserve(&buf, 100000);
	np_buf_commit(&buf, 0);
	np_buf_append_str(&buf, "x");
	np_buf_consume(&buf, 1);
	KTAP_EQ(buf.cap, 0);
	np_buf_append_str(&buf, "small");
	np_buf_consume(&buf, 5);
	KTAP_OK(buf.cap > 0);
	KTAP_EQ(buf.off, 0);
	np_buf_fini(&buf);
}

static void take_moves(void)
{
	struct np_buf a = NP_BUF_INIT, b = NP_BUF_INIT;

	np_buf_append_str(&a, "moved");
	np_buf_take(&b, &a);
	KTAP_STREQ(np_buf_str(&b), "moved");
	KTAP_STREQ(np_buf_str(&a), "");
	np_buf_fini(&a);
	np_buf_fini(&b);
}

static void impossible_sizes_are_refused(void)
{
	struct np_buf buf = NP_BUF_INIT;

	KTAP_OK(!np_buf_reserve(&buf, SIZE_MAX));
	KTAP_OK(!np_buf_reserve(&buf, SIZE_MAX / 2 + 2));
	np_buf_append_str(&buf, "12345678");
	np_buf_consume(&buf, 4);
	/* off + len + this + 1 wraps around to a small number. */
	KTAP_OK(!np_buf_reserve(&buf, SIZE_MAX - 5));
	KTAP_OK(!np_buf_reserve(&buf, SIZE_MAX - 8));
	KTAP_EQ(np_buf_append(&buf, "", SIZE_MAX), -ENOMEM);
	KTAP_STREQ(np_buf_str(&buf), "5678");
	np_buf_fini(&buf);
}

int main(void)
{
	KTAP_RUN(empty_is_an_empty_string);
	KTAP_RUN(bytes_come_out_in_order);
	KTAP_RUN(printf_appends);
	KTAP_RUN(empty_gives_big_memory_back);
	KTAP_RUN(take_moves);
	KTAP_RUN(impossible_sizes_are_refused);
	return ktap_done();
}
