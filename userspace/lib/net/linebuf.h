/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines out of a byte stream, whatever way it is cut; bounded. */
#ifndef NP_NET_LINEBUF_H
#define NP_NET_LINEBUF_H

#include "base/buf.h"

struct np_linebuf {
	struct np_buf buf;
	size_t max;	/* longest line without its LF */
	size_t scanned; /* bytes of buf known to hold no LF, so that slow senders cost linear time */
};

#define NP_LINEBUF_INIT(max_len) { NP_BUF_INIT, (max_len), 0 }

void np_linebuf_fini(struct np_linebuf *lb);
int np_linebuf_feed(struct np_linebuf *lb, const void *data, size_t len);
/**
 * np_linebuf_next() - take one line.
 * @line: NUL-terminated, inside the buffer, a trailing CR removed; valid until np_linebuf_drop()
 * @len: its length; the line may hold NUL bytes, callers that forbid them compare with strlen()
 * Return: 1 with a line, 0 when there is none yet, -EMSGSIZE when the pending line is too long.
 */
int np_linebuf_next(struct np_linebuf *lb, char **line, size_t *len);
/** np_linebuf_drop() - done with the line that np_linebuf_next() gave. */
void np_linebuf_drop(struct np_linebuf *lb);

#endif
