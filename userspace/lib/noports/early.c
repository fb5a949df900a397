// SPDX-License-Identifier: BSD-3-Clause
#include "noports/early.h"

#include "base/fd.h"
#include "noports/rdial.h"

#include <stdlib.h>

struct np_early {
	struct rdial *dial;
	int fd;
};

static void on_connected(int fd, const struct np_err *err, void *arg)
{
	struct np_early *e = arg;

	(void)err;
	e->dial = NULL;
	e->fd = fd;
}

struct np_early *np_early_start(struct ev_loop *loop, const char *host, uint16_t port,
				const char *auth_line)
{
	struct rdial_params params = {
		.loop = loop,
		.host = host,
		.port = port,
		.auth_line = auth_line,
	};
	struct np_early *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->fd = -1;
	if (rdial_start(&params, on_connected, e, &e->dial)) {
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
	rdial_cancel(e->dial);
	np_fd_close(&e->fd);
	free(e);
}
