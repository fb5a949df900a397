// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/server.h"

#include "atserver/expiry.h"
#include "atserver/internal.h"
#include "atserver/monitor.h"
#include "atserver/outbound.h"
#include "atserver/proof.h"
#include "atserver/queue.h"
#include "atserver/refresh.h"
#include "atserver/session.h"
#include "atserver/tenant.h"
#include "atserver/turn.h"
#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <stdlib.h>

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_atserver *srv = w->data;

	(void)loop;
	(void)revents;
	srv->nr_ticks++;
	np_tenants_reload(srv);
	np_expiry_tick(srv);
	np_monitor_tick(srv);
	np_session_reap(srv);
	np_outbound_tick(srv->outbound);
	np_proof_tick(srv);
	np_refresh_tick(srv->refresh);
}

/* Lines that one turn had no room for. Those that still do not fit come back onto the list. */
static void on_more(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_atserver *srv = w->data;
	struct np_session *s;
	size_t nr = 0;

	(void)loop;
	(void)revents;
	TAILQ_FOREACH(s, &srv->more, more)
	nr++;
	for (; nr; nr--) {
		s = TAILQ_FIRST(&srv->more);
		TAILQ_REMOVE(&srv->more, s, more);
		s->has_more = false;
		np_session_go_on(s);
	}
}

static void init_lists(struct np_atserver *srv)
{
	int i;

	for (i = 0; i < NP_IDLE_NR; i++)
		TAILQ_INIT(&srv->idle[i]);
	TAILQ_INIT(&srv->dying);
	TAILQ_INIT(&srv->more);
	TAILQ_INIT(&srv->stats);
	ev_timer_init(&srv->more_now, on_more, 0, 0);
	srv->more_now.data = srv;
	ev_timer_init(&srv->tick, on_tick, 1, 1);
	srv->tick.data = srv;
}

int np_atserver_open(struct ev_loop *loop, const struct np_atserver_conf *conf,
		     struct np_atserver **out, struct np_err *err)
{
	struct np_atserver *srv = calloc(1, sizeof(*srv));
	int ret;

	if (!srv)
		return np_fail(err, -ENOMEM, "out of memory");
	srv->loop = loop;
	srv->conf = *conf;
	srv->store = conf->store;
	srv->generation = -1;
	srv->started_ms = np_clock_mono_ms();
	init_lists(srv);
	np_turn_init(srv);
	ret = np_tenants_reload(srv);
	if (ret) {
		np_fail_errno(err, ret, "cannot read the list of atSigns");
		goto fail;
	}
	ret = np_outbound_open(srv, &srv->outbound);
	if (!ret)
		ret = np_queue_open(srv, &srv->queue, err);
	if (!ret)
		ret = np_refresh_open(srv, &srv->refresh);
	if (ret)
		goto fail;
	ev_timer_start(loop, &srv->tick);
	*out = srv;
	return 0;
fail:
	np_atserver_close(srv);
	return ret;
}

void np_atserver_close(struct np_atserver *srv)
{
	struct np_session *s;
	int i;

	if (!srv)
		return;
	ev_timer_stop(srv->loop, &srv->tick);
	for (i = 0; i < NP_IDLE_NR; i++)
		TAILQ_FOREACH(s, &srv->idle[i], idle)
	np_session_end(s);
	np_turn_fini(srv);
	np_queue_close(srv->queue);
	np_refresh_close(srv->refresh);
	np_outbound_close(srv->outbound);
	ev_timer_stop(srv->loop, &srv->more_now);
	np_proof_fini(srv);
	np_tenants_fini(srv);
	free(srv);
}

void np_atserver_accept(int fd, const struct np_addr *peer, void *arg)
{
	(void)peer;
	np_session_accept(arg, fd);
}

int np_atserver_hosts(struct np_atserver *srv, const char *atsign)
{
	int ret = np_tenants_reload(srv);

	return ret ? ret : np_tenant_find(srv, atsign) != NULL;
}
