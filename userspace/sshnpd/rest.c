// SPDX-License-Identifier: BSD-3-Clause
/*
 * A daemon on a small device waits most of its life. Some seconds after anything happened it gives
 * back the heap that this needed.
 */
#include "daemon.h"

#include <malloc.h>

#define QUIET_S 3.

static void on_quiet(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	ev_timer_stop(loop, w);
	(void)malloc_trim(0);
}

void rest_init(struct daemon *d)
{
	ev_timer_init(&d->rest, on_quiet, 0., QUIET_S);
}

void rest_soon(struct daemon *d)
{
	ev_timer_again(d->loop, &d->rest);
}
