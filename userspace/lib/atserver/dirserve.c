// SPDX-License-Identifier: BSD-3-Clause
/*
 * A connection:
 *
 *	accepted --handshake--> OPEN --miss 2, 3--> DELAYED --timer--> OPEN (2) or closed (3)
 *
 * One timer per connection serves both states: the idle limit in OPEN (and the shorter one of the
 * handshake before), the delay in DELAYED, during which nothing is read. The list is ordered by the
 * last sign of life.
 */
#include "atserver/dirserve.h"

#include "at/atsign.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "net/linebuf.h"
#include "net/listen.h"
#include "net/sock.h"
#include "store/store.h"
#include "tls/tls.h"

#include <ev.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define HANDSHAKE_S 10.
#define IDLE_S 600.
#define MISS_DELAY_S                                                                               \
	1. /* clients give up after 3 s, and an at_c client has always two misses behind it */
#define MISSES_MAX 3
#define FLUSH_MS 2000
#define BACKLOG_MAX 16384 /* answers that a client has not taken; then its requests wait */

struct conn {
	TAILQ_ENTRY(conn) link;
	struct np_dirserve *ds;
	struct np_tls *tls;
	struct np_linebuf in;
	ev_timer timer;
	unsigned int misses;
	bool delayed;
};

struct np_dirserve {
	struct ev_loop *loop;
	struct np_tls_ctx *ctx;
	struct np_listener *listener;
	np_dirserve_lookup lookup;
	void *arg;
	TAILQ_HEAD(, conn) conns;
	unsigned int nr_conns;
	struct np_log_limit limit;
};

static void conn_free(struct conn *conn)
{
	struct np_dirserve *ds = conn->ds;

	ev_timer_stop(ds->loop, &conn->timer);
	TAILQ_REMOVE(&ds->conns, conn, link);
	ds->nr_conns--;
	np_linebuf_fini(&conn->in);
	free(conn);
}

static void conn_close(struct conn *conn)
{
	np_tls_close(conn->tls);
	conn_free(conn);
}

/* After the answers that are still queued. */
static void conn_finish(struct conn *conn)
{
	np_tls_close_flush(conn->tls, FLUSH_MS);
	conn_free(conn);
}

static void set_timer(struct conn *conn, double after_s)
{
	conn->timer.repeat = after_s;
	ev_timer_again(conn->ds->loop, &conn->timer);
}

static void sign_of_life(struct conn *conn)
{
	TAILQ_REMOVE(&conn->ds->conns, conn, link);
	TAILQ_INSERT_TAIL(&conn->ds->conns, conn, link);
	set_timer(conn, IDLE_S);
}

/* One write per reply: clients take it apart by read, not by line. */
static int reply(struct conn *conn, const struct np_dirserve_answer *answer)
{
	char text[NP_HOST_MAX + 16];
	int len;

	if (answer)
		len = snprintf(text, sizeof(text), "%s:%u\r\n@", answer->host, answer->port);
	else
		len = snprintf(text, sizeof(text), "null\r\n@");
	return np_tls_write(conn->tls, text, (size_t)len);
}

static int lookup(struct np_dirserve *ds, const char *request, struct np_dirserve_answer *answer)
{
	char atsign[NP_ATSIGN_MAX];
	int ret;

	if (np_atsign_parse(request, atsign, NULL))
		return -ENOENT;
	ret = ds->lookup(atsign, answer, ds->arg);
	if (!ret && (strchr(answer->host, ':') || !answer->host[0] || !answer->port)) {
		if (np_log_may(&ds->limit, 5, 60000))
			np_warn("directory: entry cannot be served atsign=%s host=%s port=%u",
				atsign, answer->host, answer->port);
		ret = -ENOENT;
	}
	if (ret && ret != -ENOENT && np_log_may(&ds->limit, 5, 60000))
		np_error("directory: lookup failed atsign=%s reason=%s", atsign, strerror(-ret));
	return ret;
}

static int miss(struct conn *conn)
{
	if (++conn->misses == 1)
		return reply(conn, NULL);
	conn->delayed = true;
	np_tls_read_pause(conn->tls, true);
	set_timer(conn, MISS_DELAY_S);
	return 0;
}

/* Return: 0 go on, 1 the connection is to be closed in order, negative errno: at once. */
static int serve_line(struct conn *conn, char *line, size_t len)
{
	struct np_dirserve_answer answer = {.host = ""};
	char *request;
	int ret;

	if (memchr(line, '\0', len))
		return miss(conn);
	request = np_str_trim(line);
	if (!*request)
		return reply(conn, NULL);
	if (!strcasecmp(request, "@exit"))
		return 1;
	ret = lookup(conn->ds, request, &answer);
	if (ret == -ENOENT)
		return miss(conn);
	return ret ? ret : reply(conn, &answer);
}

static bool has_exit(const struct np_linebuf *in)
{
	char rest[16];

	if (!in->buf.len || in->buf.len >= sizeof(rest))
		return false;
	memcpy(rest, in->buf.data, in->buf.len);
	rest[in->buf.len] = '\0';
	return !strcasecmp(np_str_trim(rest), "@exit");
}

/* Serves what is there; may free @conn. */
static void serve(struct conn *conn)
{
	size_t len;
	char *line;
	int ret = 0;

	while (!ret && !conn->delayed) {
		if (np_tls_queued(conn->tls) > BACKLOG_MAX) {
			np_tls_read_pause(conn->tls, true);
			return;
		}
		ret = np_linebuf_next(&conn->in, &line, &len);
		if (!ret)
			break;
		if (ret < 0)
			goto out;
		ret = serve_line(conn, line, len);
		np_linebuf_drop(&conn->in);
	}
	if (!ret && !conn->delayed && has_exit(&conn->in))
		ret = 1;
out:
	if (ret > 0)
		conn_finish(conn);
	else if (ret < 0)
		conn_close(conn);
}

static void on_ready(struct np_tls *tls, void *arg)
{
	struct conn *conn = arg;

	sign_of_life(conn);
	if (np_tls_write(tls, "@", 1))
		conn_close(conn);
}

static void on_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	struct conn *conn = arg;

	(void)tls;
	sign_of_life(conn);
	if (np_linebuf_feed(&conn->in, data, len))
		conn_close(conn);
	else
		serve(conn);
}

static void on_drained(struct np_tls *tls, void *arg)
{
	struct conn *conn = arg;

	if (conn->delayed)
		return;
	np_tls_read_pause(tls, false);
	serve(conn);
}

static void on_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	(void)tls;
	(void)err;
	conn_close(arg);
}

static const struct np_tls_ops conn_ops = {
	.ready = on_ready,
	.data = on_data,
	.drained = on_drained,
	.closed = on_closed,
};

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct conn *conn = w->data;

	(void)loop;
	(void)revents;
	if (!conn->delayed || conn->misses >= MISSES_MAX || reply(conn, NULL)) {
		conn_close(conn);
		return;
	}
	conn->delayed = false;
	sign_of_life(conn);
	np_tls_read_pause(conn->tls, false);
	serve(conn);
}

static void on_accept(int fd, const struct np_addr *peer, void *arg)
{
	struct np_dirserve *ds = arg;
	struct conn *conn;

	(void)peer;
	np_sock_tune(fd);
	if (ds->nr_conns >= NP_DIRSERVE_CONNS_MAX)
		conn_close(TAILQ_FIRST(&ds->conns));
	conn = calloc(1, sizeof(*conn));
	if (!conn || np_tls_accept(ds->loop, ds->ctx, fd, &conn_ops, conn, &conn->tls, NULL)) {
		if (!conn)
			np_fd_close(&fd);
		free(conn);
		return;
	}
	conn->ds = ds;
	conn->in.max = NP_DIRSERVE_REQUEST_MAX;
	ev_init(&conn->timer, on_timer);
	conn->timer.data = conn;
	TAILQ_INSERT_TAIL(&ds->conns, conn, link);
	ds->nr_conns++;
	set_timer(conn, HANDSHAKE_S);
}

int np_dirserve_open(struct ev_loop *loop, struct np_tls_ctx *ctx, int listen_fd,
		     np_dirserve_lookup lookup_fn, void *arg, struct np_dirserve **out,
		     struct np_err *err)
{
	struct np_dirserve *ds = calloc(1, sizeof(*ds));

	if (!ds) {
		np_fd_close(&listen_fd);
		return np_fail(err, -ENOMEM, "directory: out of memory");
	}
	ds->loop = loop;
	ds->ctx = ctx;
	ds->lookup = lookup_fn;
	ds->arg = arg;
	TAILQ_INIT(&ds->conns);
	if (np_listener_open(loop, listen_fd, "directory", on_accept, ds, &ds->listener)) {
		free(ds);
		return np_fail(err, -ENOMEM, "directory: out of memory");
	}
	*out = ds;
	return 0;
}

void np_dirserve_close(struct np_dirserve *ds)
{
	if (!ds)
		return;
	np_listener_close(ds->listener);
	while (!TAILQ_EMPTY(&ds->conns))
		conn_close(TAILQ_FIRST(&ds->conns));
	free(ds);
}

uint16_t np_dirserve_port(const struct np_dirserve *ds)
{
	return np_listener_port(ds->listener);
}

static bool take_entry(const struct np_dir_entry *entry, void *arg)
{
	struct np_dirserve_answer *answer = arg;

	answer->port = entry->port;
	np_str_copy(answer->host, sizeof(answer->host), entry->host);
	return false;
}

int np_dirserve_lookup_store(const char *atsign, struct np_dirserve_answer *answer, void *arg)
{
	struct np_store *store = arg;

	return store->ops->dir_get(store, atsign, take_entry, answer);
}
