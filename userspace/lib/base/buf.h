/* SPDX-License-Identifier: BSD-3-Clause */
/* A growing byte buffer that is consumed at the front. Its data is always followed by a NUL byte. */
#ifndef NP_BASE_BUF_H
#define NP_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct np_buf {
	uint8_t *data; /* first unread byte; NULL while nothing was ever stored */
	size_t len;    /* unread bytes */
	size_t off;    /* bytes already consumed in front of data */
	size_t cap;    /* bytes allocated from (data - off) */
};

#define NP_BUF_INIT { NULL, 0, 0, 0 }

void np_buf_fini(struct np_buf *buf);
/** np_buf_reserve() - room for @more bytes behind the data. Return: pointer to it, NULL on no memory. */
uint8_t *np_buf_reserve(struct np_buf *buf, size_t more);
/** np_buf_commit() - @n bytes of the reserved room were filled. */
void np_buf_commit(struct np_buf *buf, size_t n);
int np_buf_append(struct np_buf *buf, const void *data, size_t len);
int np_buf_append_str(struct np_buf *buf, const char *str);
int np_buf_printf(struct np_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** np_buf_consume() - drop @n bytes at the front; memory is given back when the buffer becomes empty. */
void np_buf_consume(struct np_buf *buf, size_t n);
/** np_buf_take() - move @src into @dst, which must be empty; @src is empty afterwards. */
void np_buf_take(struct np_buf *dst, struct np_buf *src);
/** np_buf_str() - the contents as a C string, never NULL; valid until the next change. */
const char *np_buf_str(const struct np_buf *buf);

#endif
