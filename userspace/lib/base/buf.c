// SPDX-License-Identifier: BSD-3-Clause
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_WHEN_EMPTY 4096

void np_buf_fini(struct np_buf *buf)
{
	if (buf->data)
		free(buf->data - buf->off);
	memset(buf, 0, sizeof(*buf));
}

static int grow(struct np_buf *buf, size_t need)
{
	size_t cap = buf->cap ? buf->cap : 256;
	uint8_t *base;

	while (cap < need) {
		if (cap > SIZE_MAX / 2)
			return -ENOMEM;
		cap *= 2;
	}
	base = malloc(cap);
	if (!base)
		return -ENOMEM;
	if (buf->data) {
		memcpy(base, buf->data, buf->len);
		free(buf->data - buf->off);
	}
	buf->data = base;
	buf->off = 0;
	buf->cap = cap;
	return 0;
}

uint8_t *np_buf_reserve(struct np_buf *buf, size_t more)
{
	if (more >= SIZE_MAX - buf->len)
		return NULL;
	if (buf->data && more < buf->cap - buf->off - buf->len)
		return buf->data + buf->len;
	/* Moving to the front is enough when most of the space was consumed already. */
	if (buf->data && buf->len + more + 1 <= buf->cap && buf->off >= buf->len) {
		uint8_t *base = buf->data - buf->off;

		memmove(base, buf->data, buf->len);
		buf->data = base;
		buf->off = 0;
		return buf->data + buf->len;
	}
	if (grow(buf, buf->len + more + 1))
		return NULL;
	return buf->data + buf->len;
}

void np_buf_commit(struct np_buf *buf, size_t n)
{
	buf->len += n;
	buf->data[buf->len] = '\0';
}

int np_buf_append(struct np_buf *buf, const void *data, size_t len)
{
	uint8_t *room = np_buf_reserve(buf, len);

	if (!room)
		return -ENOMEM;
	if (len)
		memcpy(room, data, len);
	np_buf_commit(buf, len);
	return 0;
}

int np_buf_append_str(struct np_buf *buf, const char *str)
{
	return np_buf_append(buf, str, strlen(str));
}

int np_buf_printf(struct np_buf *buf, const char *fmt, ...)
{
	va_list ap;
	uint8_t *room;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	room = np_buf_reserve(buf, (size_t)n);
	if (!room)
		return -ENOMEM;
	va_start(ap, fmt);
	vsnprintf((char *)room, (size_t)n + 1, fmt, ap);
	va_end(ap);
	np_buf_commit(buf, (size_t)n);
	return 0;
}

void np_buf_consume(struct np_buf *buf, size_t n)
{
	if (n < buf->len) {
		buf->data += n;
		buf->off += n;
		buf->len -= n;
		return;
	}
	if (!buf->data)
		return;
	if (buf->cap > KEEP_WHEN_EMPTY) {
		np_buf_fini(buf);
		return;
	}
	buf->data -= buf->off;
	buf->off = 0;
	buf->len = 0;
	buf->data[0] = '\0';
}

void np_buf_take(struct np_buf *dst, struct np_buf *src)
{
	np_buf_fini(dst);
	*dst = *src;
	memset(src, 0, sizeof(*src));
}

const char *np_buf_str(const struct np_buf *buf)
{
	return buf->data ? (const char *)buf->data : "";
}
