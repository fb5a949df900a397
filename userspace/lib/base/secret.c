// SPDX-License-Identifier: BSD-3-Clause
#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void np_wipe(void *data, size_t len)
{
	if (data && len)
		explicit_bzero(data, len);
}

void np_secret_fini(struct np_secret *secret)
{
	if (secret->data) {
		np_wipe(secret->data, secret->cap);
		munmap(secret->data, secret->cap);
	}
	memset(secret, 0, sizeof(*secret));
}

int np_secret_alloc(struct np_secret *secret, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t cap = (len + 1 + page - 1) / page * page;
	void *map;

	np_secret_fini(secret);
	map = mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	/* Best effort: an ordinary user's lock limit may be smaller than what we hold. */
	(void)mlock(map, cap);
	(void)madvise(map, cap, MADV_DONTDUMP);
	secret->data = map;
	secret->len = len;
	secret->cap = cap;
	return 0;
}

int np_secret_set(struct np_secret *secret, const void *data, size_t len)
{
	int ret = np_secret_alloc(secret, len);

	if (!ret && len)
		memcpy(secret->data, data, len);
	return ret;
}

int np_secret_dup(struct np_secret *dst, const struct np_secret *src)
{
	return np_secret_set(dst, src->data, src->len);
}

void np_secret_take(struct np_secret *dst, struct np_secret *src)
{
	np_secret_fini(dst);
	*dst = *src;
	memset(src, 0, sizeof(*src));
}

int np_secret_read(struct np_secret *secret, int fd, size_t max)
{
	size_t got = 0;
	ssize_t n;
	int ret;

	ret = np_secret_alloc(secret, max + 1);
	if (ret)
		return ret;
	for (;;) {
		n = read(fd, secret->data + got, max + 1 - got);
		if (n < 0 && errno == EINTR)
			continue;
		ret = n < 0 ? -errno : 0;
		if (n <= 0)
			break;
		got += (size_t)n;
		if (got > max) {
			ret = -EFBIG;
			break;
		}
	}
	if (ret) {
		np_secret_fini(secret);
		return ret;
	}
	secret->len = got;
	secret->data[got] = '\0';
	return 0;
}

void np_secret_trim(struct np_secret *secret)
{
	while (secret->len && strchr(" \t\r\n", secret->data[secret->len - 1]))
		secret->data[--secret->len] = '\0';
}

const char *np_secret_str(const struct np_secret *secret)
{
	return secret->data ? (const char *)secret->data : "";
}

bool np_secret_equal(const void *a, size_t alen, const void *b, size_t blen)
{
	const uint8_t *x = a, *y = b;
	unsigned int diff = alen != blen;
	size_t i;

	for (i = 0; i < alen; i++)
		diff |= x[i] ^ (blen ? y[i % blen] : 0xffu);
	return diff == 0;
}
