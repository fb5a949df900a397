/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines that an atServer sends, taken apart (atprotocol.md 4). */
#ifndef NP_AT_REPLY_H
#define NP_AT_REPLY_H

#include "base/err.h"

#include <stddef.h>

enum np_at_reply_kind {
	NP_AT_REPLY_EMPTY, /* nothing, or a prompt alone */
	NP_AT_REPLY_DATA,
	NP_AT_REPLY_ERROR,
	NP_AT_REPLY_NOTIFICATION,
	NP_AT_REPLY_OTHER, /* not from an atServer, or a form that clients do not use */
};

/**
 * struct np_at_reply - one line.
 * @data: DATA: what follows "data:"; NOTIFICATION: the JSON text; points into the line
 * @err: ERROR: the peer's code in remote, its text in msg, errno as documented at np_at_reply_cb
 */
struct np_at_reply {
	enum np_at_reply_kind kind;
	const char *data;
	size_t len;
	struct np_err err;
};

/**
 * np_at_reply_parse() - @line is NUL-terminated at @len; prompts in front are skipped. Never fails.
 */
void np_at_reply_parse(const char *line, size_t len, struct np_at_reply *out);

#endif
