// SPDX-License-Identifier: BSD-3-Clause
/*
 *	DIALLING --connected--> done (nothing to prove, or the line said)
 *	DIALLING --connected, ESCR--> CHALLENGED --challenge, answer said--> JUDGED --"ok"--> done
 */
#include "noports/rdial.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "net/addr.h"
#include "noports/escr.h"

#include <ev.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_MS 10000
#define PROOF_S 10.

enum state { DIALLING, CHALLENGED, JUDGED };

struct rdial {
	struct ev_loop *loop;
	enum state state;
	struct np_dial *dial;
	int fd;
	char where[NP_HOST_MAX + 8];
	struct np_buf line; /* payload mode, with its LF */
	const struct np_escr *escr;
	char text[NP_ESCR_LINE_MAX + 1]; /* of the relay, without LF */
	size_t len;
	ev_io io;
	ev_timer deadline;
	np_dial_cb cb;
	void *arg;
};

static void rdial_free(struct rdial *d)
{
	np_dial_cancel(d->dial);
	ev_io_stop(d->loop, &d->io);
	ev_timer_stop(d->loop, &d->deadline);
	np_fd_close(&d->fd);
	np_buf_fini(&d->line);
	free(d);
}

static void done(struct rdial *d, const struct np_err *err)
{
	int fd = err->code ? -1 : d->fd;
	np_dial_cb cb = d->cb;
	void *arg = d->arg;

	if (fd >= 0)
		d->fd = -1;
	rdial_free(d);
	cb(fd, err, arg);
}

static void fail(struct rdial *d, int code, const char *what)
{
	struct np_err err = NP_ERR_INIT;

	np_fail(&err, code, "%s: %s", d->where, what);
	done(d, &err);
}

/* A fresh socket takes a line of this size whole. */
static int say(struct rdial *d, const struct np_buf *line)
{
	ssize_t n = send(d->fd, line->data, line->len, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	return (size_t)n == line->len ? 0 : -ENOBUFS;
}

static void answer(struct rdial *d)
{
	struct np_buf line = NP_BUF_INIT;
	int ret = np_escr_answer(d->escr, d->text, &line);

	if (!ret)
		ret = say(d, &line);
	np_buf_fini(&line);
	d->state = JUDGED;
	d->len = 0;
	if (ret == -EBADMSG)
		fail(d, -EPROTO, "what it says is no challenge; does it know ESCR?");
	else if (ret)
		fail(d, ret, "cannot answer its challenge");
}

static void judge(struct rdial *d)
{
	struct np_err none = NP_ERR_INIT;

	if (!strcmp(d->text, "ok"))
		done(d, &none);
	else
		fail(d, -EACCES, "it refuses our authentication");
}

/*
 * Bytes behind the LF belong to the session: the socket's next reader must find them. So they are
 * looked at first, and only the line is taken. Return: 1 with a line, 0 when it is not complete,
 * negative errno.
 */
static int read_line(struct rdial *d)
{
	size_t room = NP_ESCR_LINE_MAX - d->len, take;
	char *at = d->text + d->len, *lf;
	ssize_t n = recv(d->fd, at, room, MSG_PEEK | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return room ? -ECONNRESET : -EMSGSIZE;
	lf = memchr(at, '\n', (size_t)n);
	take = lf ? (size_t)(lf - at) + 1 : (size_t)n;
	if (recv(d->fd, at, take, MSG_DONTWAIT) != (ssize_t)take)
		return -EIO;
	if (!lf) {
		d->len += take;
		return d->len < NP_ESCR_LINE_MAX ? 0 : -EMSGSIZE;
	}
	*lf = '\0';
	return 1;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct rdial *d = w->data;
	int ret = read_line(d);

	(void)loop;
	(void)revents;
	if (ret == -EMSGSIZE)
		fail(d, -EPROTO, "its line is too long");
	else if (ret < 0)
		fail(d, ret, "it closed the connection during authentication");
	else if (ret && d->state == CHALLENGED)
		answer(d);
	else if (ret)
		judge(d);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	fail(w->data, -ETIMEDOUT, "it says nothing during authentication; does it know ESCR?");
}

static void on_connected(int fd, const struct np_err *err, void *arg)
{
	struct rdial *d = arg;
	int ret;

	d->dial = NULL;
	d->fd = fd;
	if (fd >= 0 && d->escr) {
		d->state = CHALLENGED;
		ev_io_set(&d->io, fd, EV_READ);
		ev_io_start(d->loop, &d->io);
		ev_now_update(d->loop);
		ev_timer_start(d->loop, &d->deadline);
		return;
	}
	ret = fd >= 0 && d->line.len ? say(d, &d->line) : 0;
	if (ret)
		fail(d, ret, "cannot authenticate");
	else
		done(d, err);
}

int rdial_start(const struct rdial_params *params, np_dial_cb cb, void *arg, struct rdial **out)
{
	struct rdial *d = calloc(1, sizeof(*d));
	int ret = 0;

	if (!d)
		return -ENOMEM;
	d->loop = params->loop;
	d->fd = -1;
	d->escr = params->escr;
	d->cb = cb;
	d->arg = arg;
	snprintf(d->where, sizeof(d->where), "%s:%u", params->host, params->port);
	ev_init(&d->io, on_readable);
	ev_timer_init(&d->deadline, on_deadline, PROOF_S, 0.);
	d->io.data = d->deadline.data = d;
	if (params->auth_line && !params->escr)
		ret = np_buf_printf(&d->line, "%s\n", params->auth_line);
	if (!ret)
		ret = np_dial_start(d->loop, params->host, params->port, CONNECT_MS, on_connected,
				    d, &d->dial);
	if (ret) {
		rdial_free(d);
		return ret;
	}
	*out = d;
	return 0;
}

void rdial_cancel(struct rdial *d)
{
	if (d)
		rdial_free(d);
}
