// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bytes in pieces: the first byte chooses the piece size, the rest is the stream. Both ways give
 * the same lines.
 */
#include "net/linebuf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void collect(struct np_linebuf *lb, struct np_buf *out, int *last)
{
	char *line;
	size_t len;

	while (*last >= 0 && (*last = np_linebuf_next(lb, &line, &len)) > 0) {
		if (line[len] != '\0')
			abort();
		np_buf_append(out, line, len);
		np_buf_append(out, "\n", 1);
		np_linebuf_drop(lb);
	}
}

static int split(const uint8_t *data, size_t size, size_t step, struct np_buf *out)
{
	struct np_linebuf lb = NP_LINEBUF_INIT(64);
	int last = 0;
	size_t at;

	for (at = 0; at < size && last >= 0; at += step) {
		np_linebuf_feed(&lb, data + at, size - at < step ? size - at : step);
		collect(&lb, out, &last);
	}
	np_linebuf_fini(&lb);
	return last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct np_buf whole = NP_BUF_INIT, parts = NP_BUF_INIT;
	int a, b;

	if (size < 2)
		return 0;
	a = split(data + 1, size - 1, size, &whole);
	b = split(data + 1, size - 1, data[0] % 16 + 1u, &parts);
	if (a != b || whole.len != parts.len ||
	    (whole.len && memcmp(whole.data, parts.data, whole.len)))
		abort();
	np_buf_fini(&whole);
	np_buf_fini(&parts);
	return 0;
}
