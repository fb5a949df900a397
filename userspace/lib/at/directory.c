// SPDX-License-Identifier: BSD-3-Clause
/*
 * A query belongs to one atSign and serves everybody who asks meanwhile.
 *
 *	lookup -> cached? -> ANSWERED (timer of 0 s, so that nobody is called from inside the call)
 *	       -> DIALING -> TALKING -> ANSWERED
 *	failure: once more from DIALING, then ANSWERED with the error
 *
 * The request is written right after the TLS handshake, without waiting for the server's prompt:
 * that saves a round trip, and servers read lines.
 */
#include "at/directory.h"

#include "at/atsign.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "net/addr.h"
#include "net/dial.h"
#include "net/linebuf.h"
#include "tls/tls.h"

#include <ev.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY_PORT 64
#define PROXY_PORT 443
#define ANSWER_MAX 512
#define CACHE_MS 3600000
#define ATTEMPT_MS 5000
#define MAX_ATTEMPTS 2

struct place {
	long long until_ms;
	uint16_t port;
	char host[NP_HOST_MAX];
};

struct waiter {
	struct waiter *next;
	np_directory_cb cb;
	void *arg;
};

struct query {
	struct query *next;
	struct np_directory *dir;
	struct np_dial *dial;
	struct np_tls *tls;
	struct np_linebuf lines;
	struct waiter *waiters;
	ev_timer timer; /* the attempt's deadline; with a result, the call-backs */
	unsigned int attempts;
	bool has_result;
	struct place place;
	struct np_err err;
	char atsign[NP_ATSIGN_MAX];
};

struct np_directory {
	struct ev_loop *loop;
	struct np_tls_ctx *tls;
	struct np_map cache;
	struct query *queries;
	bool *gone; /* set while calling back */
	bool is_proxy;
	uint16_t port;
	char host[NP_HOST_MAX];
};

int np_directory_new(struct ev_loop *loop, struct np_tls_ctx *tls, const char *root_domain,
		     struct np_directory **out, struct np_err *err)
{
	struct np_directory *dir = calloc(1, sizeof(*dir));
	int ret;

	if (!dir)
		return np_fail(err, -ENOMEM, "directory: out of memory");
	dir->is_proxy = np_str_starts(root_domain, "proxy:");
	if (dir->is_proxy)
		root_domain += strlen("proxy:");
	ret = np_hostport_parse(root_domain, dir->is_proxy ? PROXY_PORT : DIRECTORY_PORT, dir->host,
				&dir->port, err);
	if (ret) {
		free(dir);
		return np_err_prefix(err, "root domain");
	}
	dir->loop = loop;
	dir->tls = tls;
	*out = dir;
	return 0;
}

static void drop_connection(struct query *q)
{
	np_dial_cancel(q->dial);
	q->dial = NULL;
	np_tls_close(q->tls);
	q->tls = NULL;
	np_linebuf_fini(&q->lines);
	ev_timer_stop(q->dir->loop, &q->timer);
}

static void free_query(struct query *q)
{
	struct query **at = &q->dir->queries;

	while (*at && *at != q)
		at = &(*at)->next;
	if (*at)
		*at = q->next;
	drop_connection(q);
	while (q->waiters) {
		struct waiter *w = q->waiters;

		q->waiters = w->next;
		free(w);
	}
	free(q);
}

void np_directory_free(struct np_directory *dir)
{
	if (!dir)
		return;
	if (dir->gone)
		*dir->gone = true;
	while (dir->queries)
		free_query(dir->queries);
	np_map_fini(&dir->cache, free);
	free(dir);
}

void np_directory_cancel(struct np_directory *dir, void *arg)
{
	struct query *q, *next;

	for (q = dir->queries; q; q = next) {
		struct waiter **at = &q->waiters;

		next = q->next;
		while (*at) {
			struct waiter *w = *at;

			if (w->arg != arg) {
				at = &w->next;
				continue;
			}
			*at = w->next;
			free(w);
		}
		/* A query that is calling back at this moment frees itself. */
		if (!q->waiters && !(dir->gone && q->has_result))
			free_query(q);
	}
}

void np_directory_forget(struct np_directory *dir, const char *atsign)
{
	free(np_map_remove(&dir->cache, atsign));
}

static void answer_all(struct query *q)
{
	struct np_directory *dir = q->dir;
	bool gone = false;

	dir->gone = &gone;
	while (q->waiters) {
		struct waiter w = *q->waiters;

		free(q->waiters);
		q->waiters = w.next;
		w.cb(q->err.code ? NULL : q->place.host, q->place.port,
		     q->err.code ? &q->err : NULL, w.arg);
		if (gone)
			return;
	}
	dir->gone = NULL;
	free_query(q);
}

static void finish_soon(struct query *q)
{
	drop_connection(q);
	q->has_result = true;
	ev_timer_set(&q->timer, 0., 0.);
	ev_timer_start(q->dir->loop, &q->timer);
}

static void start_attempt(struct query *q);

static void fail_query(struct query *q, const struct np_err *err)
{
	q->err = *err;
	drop_connection(q);
	/*
	 * A certificate that is refused stays refused; everything else may be a passing
	 * disturbance.
	 */
	if (err->code != -EACCES && q->attempts < MAX_ATTEMPTS)
		start_attempt(q);
	else
		finish_soon(q);
}

/* As above for messages that do not name the place yet. */
static void fail_there(struct query *q, const struct np_err *err)
{
	struct np_err full = *err;

	np_err_prefix(&full, "directory %s:%u", q->dir->host, q->dir->port);
	fail_query(q, &full);
}

static void fail_text(struct query *q, int code, const char *text)
{
	struct np_err err = NP_ERR_INIT;

	np_fail(&err, code, "%s", text);
	fail_there(q, &err);
}

static void keep_place(struct query *q)
{
	struct place *copy = malloc(sizeof(*copy));
	void *old = NULL;

	if (!copy)
		return;
	*copy = q->place;
	copy->until_ms = np_clock_mono_ms() + CACHE_MS;
	if (np_map_put(&q->dir->cache, q->atsign, copy, &old))
		free(copy);
	free(old);
}

int np_directory_parse_answer(char *line, size_t len, char host[NP_HOST_MAX], uint16_t *port,
			      struct np_err *err)
{
	if (strlen(line) != len)
		return np_fail(err, -EPROTO, "answered with a NUL byte");
	while (*line == '@')
		line++;
	line = np_str_trim(line);
	if (np_str_starts(line, "data:"))
		line += strlen("data:");
	if (!*line || !strcmp(line, "null"))
		return -ENOENT;
	if (*line == '[' || np_hostport_parse(line, 0, host, port, NULL))
		return np_fail(err, -EPROTO,
			       "answered '%.60s' instead of host:port; is it an atDirectory?",
			       line);
	return 0;
}

static void on_answer(struct query *q, char *line, size_t len)
{
	struct np_err err = NP_ERR_INIT;
	int ret;

	ret = np_directory_parse_answer(line, len, q->place.host, &q->place.port, &err);
	if (ret == -ENOENT) {
		np_fail(&q->err, -ENOENT,
			"%s is not in the directory %s:%u; check the spelling and the root domain",
			q->atsign, q->dir->host, q->dir->port);
		finish_soon(q);
	} else if (ret) {
		fail_there(q, &err);
	} else {
		q->err.code = 0;
		keep_place(q);
		finish_soon(q);
	}
}

static void on_tls_ready(struct np_tls *tls, void *arg)
{
	struct query *q = arg;
	char request[NP_ATSIGN_MAX + 1];
	int n = snprintf(request, sizeof(request), "%s\n", np_atsign_bare(q->atsign));

	if (np_tls_write(tls, request, (size_t)n))
		fail_text(q, -ENOMEM, "out of memory");
}

static void on_tls_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	struct query *q = arg;
	char *line;
	int ret;

	(void)tls;
	ret = np_linebuf_feed(&q->lines, data, len);
	if (!ret)
		ret = np_linebuf_next(&q->lines, &line, &len);
	if (ret > 0)
		on_answer(q, line, len);
	else if (ret < 0)
		fail_text(q, -EPROTO, "sent an overlong answer; is it an atDirectory?");
}

static void on_tls_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	(void)tls;
	if (err->code)
		fail_there(arg, err);
	else
		fail_text(arg, -ECONNRESET, "closed the connection without an answer");
}

static const struct np_tls_ops tls_ops = {
	.ready = on_tls_ready, .data = on_tls_data, .closed = on_tls_closed};

static void on_dialed(int fd, const struct np_err *err, void *arg)
{
	struct query *q = arg;
	struct np_err why = NP_ERR_INIT;

	q->dial = NULL;
	if (fd < 0) {
		why = *err;
		np_err_prefix(&why, "directory");
		fail_query(q, &why);
	} else if (np_tls_connect(q->dir->loop, q->dir->tls, fd, q->dir->host, &tls_ops, q, &q->tls,
				  &why)) {
		fail_there(q, &why);
	}
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct query *q = w->data;

	(void)loop;
	(void)revents;
	if (q->has_result)
		answer_all(q);
	else
		fail_text(q, -ETIMEDOUT, "no answer within 5 s; is it up and reachable from here?");
}

static void start_attempt(struct query *q)
{
	struct np_directory *dir = q->dir;
	int ret;

	q->attempts++;
	ret = np_dial_start(dir->loop, dir->host, dir->port, ATTEMPT_MS, on_dialed, q, &q->dial);
	if (ret) {
		np_fail_errno(&q->err, ret, "directory %s:%u: cannot start", dir->host, dir->port);
		finish_soon(q);
		return;
	}
	ev_now_update(dir->loop);
	ev_timer_set(&q->timer, ATTEMPT_MS / 1000., 0.);
	ev_timer_start(dir->loop, &q->timer);
}

static bool answer_known(struct query *q)
{
	struct np_directory *dir = q->dir;
	struct place *known = np_map_get(&dir->cache, q->atsign);

	if (dir->is_proxy) {
		memcpy(q->place.host, dir->host, sizeof(dir->host));
		q->place.port = dir->port;
	} else if (known && np_clock_mono_ms() < known->until_ms) {
		q->place = *known;
	} else {
		return false;
	}
	finish_soon(q);
	return true;
}

static struct query *new_query(struct np_directory *dir, const char *atsign)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->dir = dir;
	np_str_copy(q->atsign, sizeof(q->atsign), atsign);
	q->lines = (struct np_linebuf)NP_LINEBUF_INIT(ANSWER_MAX);
	ev_timer_init(&q->timer, on_timer, 0., 0.);
	q->timer.data = q;
	q->next = dir->queries;
	dir->queries = q;
	return q;
}

int np_directory_lookup(struct np_directory *dir, const char *atsign, np_directory_cb cb, void *arg)
{
	struct waiter *w;
	struct query *q;
	bool is_new = false;

	if (strlen(atsign) >= NP_ATSIGN_MAX)
		return -EINVAL;
	w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	for (q = dir->queries; q; q = q->next)
		if (!q->has_result && !strcmp(q->atsign, atsign))
			break;
	if (!q) {
		q = new_query(dir, atsign);
		is_new = true;
	}
	if (!q) {
		free(w);
		return -ENOMEM;
	}
	*w = (struct waiter){.next = q->waiters, .cb = cb, .arg = arg};
	q->waiters = w;
	if (is_new && !answer_known(q))
		start_attempt(q);
	return 0;
}
