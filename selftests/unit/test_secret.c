// SPDX-License-Identifier: BSD-3-Clause
#include "base/secret.h"
#include "harness/ktap.h"

#include <errno.h>
#include <unistd.h>

static void set_dup_take(void)
{
	struct np_secret a = NP_SECRET_INIT, b = NP_SECRET_INIT, c = NP_SECRET_INIT;

	KTAP_STREQ(np_secret_str(&a), "");
	KTAP_EQ(np_secret_set(&a, "key\0x", 5), 0);
	KTAP_EQ(a.len, 5);
	KTAP_EQ(a.data[5], 0);
	KTAP_EQ(np_secret_dup(&b, &a), 0);
	KTAP_OK(b.data != a.data && !memcmp(b.data, "key\0x", 5));
	np_secret_take(&c, &a);
	KTAP_EQ(a.len, 0);
	KTAP_OK(!a.data);
	KTAP_EQ(c.len, 5);
	np_secret_fini(&a);
	np_secret_fini(&b);
	np_secret_fini(&c);
	KTAP_OK(!c.data);
}

static void alloc_is_zeroed_and_page_sized(void)
{
	struct np_secret s = NP_SECRET_INIT;
	size_t i, sum = 0;

	KTAP_EQ(np_secret_alloc(&s, 4096), 0);
	KTAP_OK(s.cap > 4096);
	for (i = 0; i <= s.len; i++)
		sum += s.data[i];
	KTAP_EQ(sum, 0);
	np_secret_fini(&s);
}

static int pipe_with(const char *text, size_t len)
{
	int fds[2];

	if (pipe(fds))
		abort();
	if (write(fds[1], text, len) != (ssize_t)len)
		abort();
	close(fds[1]);
	return fds[0];
}

static void read_is_bounded(void)
{
	struct np_secret s = NP_SECRET_INIT;
	int fd = pipe_with("0123456789", 10);

	KTAP_EQ(np_secret_read(&s, fd, 9), -EFBIG);
	KTAP_OK(!s.data);
	close(fd);
	fd = pipe_with("0123456789", 10);
	KTAP_EQ(np_secret_read(&s, fd, 10), 0);
	KTAP_STREQ(np_secret_str(&s), "0123456789");
	close(fd);
	KTAP_EQ(np_secret_read(&s, fd, 10), -EBADF);
	KTAP_OK(!s.data);
	np_secret_fini(&s);
}

static void trim_drops_the_line_end(void)
{
	struct np_secret s = NP_SECRET_INIT;

	np_secret_set(&s, "abc \r\n", 6);
	np_secret_trim(&s);
	KTAP_STREQ(np_secret_str(&s), "abc");
	KTAP_EQ(s.len, 3);
	np_secret_set(&s, "\n\n", 2);
	np_secret_trim(&s);
	KTAP_EQ(s.len, 0);
	np_secret_fini(&s);
	np_secret_trim(&s);
}

static void equal_means_equal(void)
{
	KTAP_OK(np_secret_equal("abc", 3, "abc", 3));
	KTAP_OK(!np_secret_equal("abc", 3, "abd", 3));
	KTAP_OK(!np_secret_equal("abc", 3, "abcabc", 6));
	KTAP_OK(!np_secret_equal("abcabc", 6, "abc", 3));
	KTAP_OK(!np_secret_equal("abc", 3, "", 0));
	KTAP_OK(!np_secret_equal("", 0, "a", 1));
	KTAP_OK(np_secret_equal("", 0, "", 0));
	KTAP_OK(np_secret_equal("a\0b", 3, "a\0b", 3));
	KTAP_OK(!np_secret_equal("a\0b", 3, "a\0c", 3));
}

static void wipe_clears(void)
{
	char text[] = "secret";

	np_wipe(text, sizeof(text) - 1);
	KTAP_OK(!memcmp(text, "\0\0\0\0\0\0", 6));
	np_wipe(NULL, 5);
}

int main(void)
{
	KTAP_RUN(set_dup_take);
	KTAP_RUN(alloc_is_zeroed_and_page_sized);
	KTAP_RUN(read_is_bounded);
	KTAP_RUN(trim_drops_the_line_end);
	KTAP_RUN(equal_means_equal);
	KTAP_RUN(wipe_clears);
	return ktap_done();
}
