// SPDX-License-Identifier: BSD-3-Clause
#include "net/listen.h"

#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"

#include <ev.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ACCEPTS_PER_TURN 64
#define PAUSE_S 0.1

struct np_listener {
	ev_io io;
	ev_timer pause;
	struct ev_loop *loop;
	const char *name;
	np_accept_cb cb;
	void *arg;
	struct np_log_limit limit;
	bool *gone; /* set while inside the callback, so that closing there is noticed */
};

static void on_pause_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_listener *l = w->data;

	(void)revents;
	ev_io_start(loop, &l->io);
}

static void pause_accepting(struct np_listener *l, int code)
{
	if (np_log_may(&l->limit, 1, 10000))
		np_warn("%s: cannot accept, pausing: %s", l->name, strerror(-code));
	ev_io_stop(l->loop, &l->io);
	ev_timer_set(&l->pause, PAUSE_S, 0.);
	ev_timer_start(l->loop, &l->pause);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct np_listener *l = (struct np_listener *)w;
	struct np_addr peer;
	bool gone = false;
	int fd, i;

	(void)loop;
	(void)revents;
	l->gone = &gone;
	for (i = 0; i < ACCEPTS_PER_TURN; i++) {
		fd = np_sock_accept(w->fd, &peer);
		if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM)
			pause_accepting(l, fd);
		if (fd < 0)
			break;
		l->cb(fd, &peer, l->arg);
		if (gone)
			return;
	}
	l->gone = NULL;
}

int np_listener_open(struct ev_loop *loop, int fd, const char *name, np_accept_cb cb, void *arg,
		     struct np_listener **out)
{
	struct np_listener *l = calloc(1, sizeof(*l));

	if (!l) {
		np_fd_close(&fd);
		return -ENOMEM;
	}
	l->loop = loop;
	l->name = name;
	l->cb = cb;
	l->arg = arg;
	ev_io_init(&l->io, on_readable, fd, EV_READ);
	ev_timer_init(&l->pause, on_pause_over, PAUSE_S, 0.);
	l->pause.data = l;
	ev_io_start(loop, &l->io);
	*out = l;
	return 0;
}

void np_listener_close(struct np_listener *l)
{
	int fd;

	if (!l)
		return;
	if (l->gone)
		*l->gone = true;
	fd = l->io.fd;
	ev_io_stop(l->loop, &l->io);
	ev_timer_stop(l->loop, &l->pause);
	np_fd_close(&fd);
	free(l);
}

uint16_t np_listener_port(const struct np_listener *l)
{
	struct np_addr addr;

	return np_sock_local(l->io.fd, &addr) ? 0 : np_addr_port(&addr);
}
