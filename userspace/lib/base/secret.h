/* SPDX-License-Identifier: BSD-3-Clause */
/* Key material: locked in memory, kept out of core dumps, wiped when it goes. */
#ifndef NP_BASE_SECRET_H
#define NP_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_secret {
	uint8_t *data; /* NUL terminated behind len; NULL while empty */
	size_t len;
	size_t cap; /* bytes mapped */
};

#define NP_SECRET_INIT { NULL, 0, 0 }

void np_secret_fini(struct np_secret *secret);
/** np_secret_alloc() - replace the content by @len zero bytes. -ENOMEM. */
int np_secret_alloc(struct np_secret *secret, size_t len);
int np_secret_set(struct np_secret *secret, const void *data, size_t len);
int np_secret_dup(struct np_secret *dst, const struct np_secret *src);
void np_secret_take(struct np_secret *dst, struct np_secret *src);
/** np_secret_read() - everything up to end of file from @fd, at most @max bytes (-EFBIG beyond); empty on failure. */
int np_secret_read(struct np_secret *secret, int fd, size_t max);
/** np_secret_trim() - drop trailing white space (a line read from a file). */
void np_secret_trim(struct np_secret *secret);
const char *np_secret_str(const struct np_secret *secret);
/** np_secret_equal() - constant time in the length of @a. */
bool np_secret_equal(const void *a, size_t alen, const void *b, size_t blen);
/** np_wipe() - memset that is not optimised away. */
void np_wipe(void *data, size_t len);

#endif
