// SPDX-License-Identifier: BSD-3-Clause
#include "noports/early.h"

#include "base/buf.h"
#include "base/fd.h"
#include "net/dial.h"

#include <stdlib.h>
#include <sys/socket.h>

#define CONNECT_MS 10000

struct np_early {
	struct np_dial *dial;
	struct np_buf line;
	int fd;
};

static void on_connected(int fd, const struct np_err *err, void *arg)
{
	struct np_early *e = arg;

	(void)err;
	e->dial = NULL;
	if (fd < 0)
		return;
	/* A fresh socket takes a line of this size whole; if it does not, the bridge starts over by
	 * itself. */
	if (e->line.len &&
	    send(fd, e->line.data, e->line.len, MSG_NOSIGNAL) != (ssize_t)e->line.len)
		np_fd_close(&fd);
	e->fd = fd;
}

struct np_early *np_early_start(struct ev_loop *loop, const char *host, uint16_t port,
				const char *auth_line)
{
	struct np_early *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->fd = -1;
	if ((auth_line && np_buf_printf(&e->line, "%s\n", auth_line)) ||
	    np_dial_start(loop, host, port, CONNECT_MS, on_connected, e, &e->dial)) {
		np_early_free(e);
		return NULL;
	}
	return e;
}

int np_early_take(struct np_early *e)
{
	int fd = e ? e->fd : -1;

	if (e)
		e->fd = -1;
	return fd;
}

void np_early_free(struct np_early *e)
{
	if (!e)
		return;
	np_dial_cancel(e->dial);
	np_fd_close(&e->fd);
	np_buf_fini(&e->line);
	free(e);
}
