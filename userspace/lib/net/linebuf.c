// SPDX-License-Identifier: BSD-3-Clause
#include "net/linebuf.h"

#include <errno.h>
#include <string.h>

void np_linebuf_fini(struct np_linebuf *lb)
{
	np_buf_fini(&lb->buf);
	lb->scanned = 0;
}

int np_linebuf_feed(struct np_linebuf *lb, const void *data, size_t len)
{
	return np_buf_append(&lb->buf, data, len);
}

int np_linebuf_next(struct np_linebuf *lb, char **line, size_t *len)
{
	char *start = (char *)lb->buf.data, *lf = NULL;

	if (lb->buf.len > lb->scanned)
		lf = memchr(start + lb->scanned, '\n', lb->buf.len - lb->scanned);
	if (!lf) {
		lb->scanned = lb->buf.len;
		return lb->buf.len > lb->max ? -EMSGSIZE : 0;
	}
	*len = (size_t)(lf - start);
	/* Remembered for np_linebuf_drop(). */
	lb->scanned = *len;
	if (*len > lb->max)
		return -EMSGSIZE;
	*lf = '\0';
	if (*len && start[*len - 1] == '\r')
		start[--*len] = '\0';
	*line = start;
	return 1;
}

void np_linebuf_drop(struct np_linebuf *lb)
{
	np_buf_consume(&lb->buf, lb->scanned + 1);
	lb->scanned = 0;
}
