// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/turn.h"

#include "atserver/internal.h"
#include "atserver/monitor.h"
#include "atserver/note.h"
#include "atserver/queue.h"
#include "atserver/respond.h"
#include "atserver/session.h"
#include "atserver/tenant.h"
#include "base/err.h"
#include "store/store.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void free_delivery(struct np_delivery *d)
{
	if (!d)
		return;
	free(d->key);
	free(d->from);
	free(d->to);
	free(d->id);
	free(d->notifier);
	np_buf_fini(&d->line);
	free(d);
}

int np_turn_failed(struct np_atserver *srv, int ret, const char *what, const char *tenant)
{
	if (!srv->turn.failed && np_log_may(&srv->log_limit, 5, 10000))
		np_error("atserver: cannot store data, nothing of this turn is acknowledged: %s "
			 "tenant=%s error=%s",
			 what, tenant ? tenant : "-", strerror(-ret));
	srv->turn.failed = ret;
	return ret;
}

int np_turn_begin(struct np_atserver *srv)
{
	struct np_err err = NP_ERR_INIT;
	int ret;

	srv->turn.touched = true;
	if (srv->turn.failed)
		return srv->turn.failed;
	if (srv->turn.open)
		return 0;
	/* Begun at the end of a turn, it must not stay open until something else happens. */
	if (srv->turn.ending)
		ev_timer_start(srv->loop, &srv->more_now);
	ret = srv->store->ops->begin(srv->store, &err);
	if (ret)
		return np_turn_failed(srv, ret, np_err_text(&err), NULL);
	srv->turn.open = true;
	return 0;
}

void np_turn_read(struct np_atserver *srv)
{
	if (srv->turn.open)
		srv->turn.touched = true;
}

static struct np_delivery *new_delivery(struct np_tenant *tenant, const struct np_note *note)
{
	struct np_delivery *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->tenant = tenant;
	d->is_self = note->dir == NP_NOTE_SELF;
	d->seq = note->seq;
	d->expires_at = note->expires_at;
	return d;
}

int np_turn_deliver(struct np_tenant *tenant, const struct np_note *note)
{
	struct np_delivery *d;

	if (TAILQ_EMPTY(&tenant->monitors))
		return 0;
	d = new_delivery(tenant, note);
	if (!d)
		return -ENOMEM;
	d->key = strdup(note->key);
	d->from = strdup(note->from);
	if (!d->key || !d->from || np_note_line(note, &d->line)) {
		free_delivery(d);
		return -ENOMEM;
	}
	STAILQ_INSERT_TAIL(&tenant->srv->turn.deliveries, d, next);
	return 0;
}

int np_turn_send(struct np_tenant *tenant, const struct np_note *note, const char *notifier,
		 int64_t depth)
{
	struct np_delivery *d = new_delivery(tenant, note);

	if (!d)
		return -ENOMEM;
	d->to = strdup(note->to);
	d->id = strdup(note->id);
	d->notifier = notifier ? strdup(notifier) : NULL;
	d->depth = depth;
	if (!d->to || !d->id || (notifier && !d->notifier)) {
		free_delivery(d);
		return -ENOMEM;
	}
	STAILQ_INSERT_TAIL(&tenant->srv->turn.deliveries, d, next);
	return 0;
}

void np_turn_log_grew(struct np_tenant *tenant, int64_t commit_id)
{
	tenant->last_commit = commit_id;
	if (tenant->stats_dirty)
		return;
	tenant->stats_dirty = true;
	STAILQ_INSERT_TAIL(&tenant->srv->turn.dirty, tenant, dirty);
}

/* Return: true when everything gathered is on disk. */
static bool commit(struct np_atserver *srv)
{
	struct np_err err = NP_ERR_INIT;
	int ret;

	if (srv->turn.open && srv->turn.failed) {
		srv->store->ops->rollback(srv->store);
	} else if (srv->turn.open) {
		ret = srv->store->ops->commit(srv->store, &err);
		if (ret)
			np_turn_failed(srv, ret, np_err_text(&err), NULL);
	}
	srv->turn.open = false;
	return !srv->turn.failed;
}

static void send_reply(struct np_reply *reply)
{
	struct np_session *s = reply->s;

	if (s->broken || s->mute)
		return;
	if (np_tls_write(s->tls, reply->text, reply->len)) {
		np_session_kill(s);
		return;
	}
	np_session_wrote(s);
}

static void send_replies(struct np_atserver *srv, bool committed)
{
	struct np_reply_list list = STAILQ_HEAD_INITIALIZER(list);
	struct np_reply *reply;

	STAILQ_CONCAT(&list, &srv->turn.replies);
	while ((reply = STAILQ_FIRST(&list))) {
		STAILQ_REMOVE_HEAD(&list, next);
		if (reply->touched && !committed) {
			struct np_reply *error;

			/* AT0002 ends the connection; commands behind it were never answered. */
			srv->turn.touched = false;
			np_respond_store(reply->s);
			while ((error = STAILQ_FIRST(&srv->turn.replies))) {
				STAILQ_REMOVE_HEAD(&srv->turn.replies, next);
				send_reply(error);
				free(error);
			}
			reply->s->mute = true;
		} else {
			send_reply(reply);
		}
		free(reply);
	}
}

static void deliver_all(struct np_atserver *srv, bool committed)
{
	struct np_delivery *d;

	while ((d = STAILQ_FIRST(&srv->turn.deliveries))) {
		STAILQ_REMOVE_HEAD(&srv->turn.deliveries, next);
		if (committed && d->to)
			np_queue_add(srv->queue, d);
		else if (committed)
			np_monitor_deliver(d->tenant, d);
		free_delivery(d);
	}
}

static void tell_stats(struct np_atserver *srv, bool committed)
{
	struct np_tenant *tenant;

	while ((tenant = STAILQ_FIRST(&srv->turn.dirty))) {
		STAILQ_REMOVE_HEAD(&srv->turn.dirty, dirty);
		tenant->stats_dirty = false;
		if (committed)
			np_monitor_tell_stats(tenant);
	}
}

static void end_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct np_atserver *srv = w->data;
	struct np_session *s;
	bool committed;

	(void)loop;
	(void)revents;
	committed = commit(srv);
	srv->turn.ending = true;
	send_replies(srv, committed);
	deliver_all(srv, committed);
	tell_stats(srv, committed);
	if (!committed)
		np_tenants_forget(srv);
	srv->turn.failed = 0;
	np_monitor_start_all(srv);
	while ((s = TAILQ_FIRST(&srv->dying))) {
		TAILQ_REMOVE(&srv->dying, s, dying);
		np_session_destroy(s);
	}
	srv->turn.ending = false;
}

void np_turn_init(struct np_atserver *srv)
{
	STAILQ_INIT(&srv->turn.replies);
	STAILQ_INIT(&srv->turn.deliveries);
	STAILQ_INIT(&srv->turn.dirty);
	TAILQ_INIT(&srv->turn.starting);
	ev_prepare_init(&srv->turn_end, end_turn);
	srv->turn_end.data = srv;
	ev_prepare_start(srv->loop, &srv->turn_end);
}

void np_turn_fini(struct np_atserver *srv)
{
	if (!srv->turn_end.data)
		return;
	end_turn(srv->loop, &srv->turn_end, 0);
	ev_prepare_stop(srv->loop, &srv->turn_end);
}
