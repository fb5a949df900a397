/* SPDX-License-Identifier: BSD-3-Clause */
/* What of the commit log a connection sees: for sync and stats (atprotocol.md 13.2, 14). */
#ifndef NP_ATSERVER_LOGVIEW_H
#define NP_ATSERVER_LOGVIEW_H

#include <stdbool.h>
#include <stdint.h>

struct np_err;
struct np_log_entry;
struct np_regex;
struct np_session;

struct np_logview {
	struct np_session *s;
	struct np_regex *regex; /* NULL: all keys */
};

/** np_logview_init() - @regex may be NULL. Return: 0 or -EINVAL. */
int np_logview_init(struct np_logview *view, struct np_session *s, const char *regex,
		    struct np_err *err);
void np_logview_fini(struct np_logview *view);
/** np_logview_each() - visit what is seen of the entries above @after. Return: 0 or negative errno. */
int np_logview_each(const struct np_logview *view, int64_t after, bool newest_first,
		    bool (*fn)(const struct np_log_entry *entry, void *arg), void *arg);

#endif
