// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/later.h"

#include "atserver/internal.h"
#include "atserver/respond.h"
#include "atserver/session.h"

#include <stdlib.h>

struct op {
	ev_timer timer;
	struct np_session *s;
	void (*fn)(struct np_session *s);
};

static void cancel(void *arg)
{
	struct op *op = arg;

	ev_timer_stop(op->s->srv->loop, &op->timer);
	free(op);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct op op = *(struct op *)w;

	(void)loop;
	(void)revents;
	free(w);
	op.s->srv->turn.touched = false;
	op.fn(op.s);
	np_session_done(op.s);
}

void np_later(struct np_session *s, unsigned int ms, void (*fn)(struct np_session *s))
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op) {
		np_respond_error(s, "AT0010", "out of memory");
		return;
	}
	op->s = s;
	op->fn = fn;
	ev_timer_init(&op->timer, on_timer, ms / 1000.0, 0);
	ev_now_update(s->srv->loop);
	ev_timer_start(s->srv->loop, &op->timer);
	np_session_wait(s, op, cancel);
}
