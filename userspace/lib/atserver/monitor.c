// SPDX-License-Identifier: BSD-3-Clause
/*
 * STARTING (end of this turn) -> REPLAY (as fast as the client reads) -> LIVE.
 * Only a LIVE monitor is on its tenant's list. A replay ends when the store holds nothing newer,
 * and as nothing can be stored in between, no notification is lost or doubled at the seam.
 */
#include "atserver/monitor.h"

#include "atserver/access.h"
#include "atserver/internal.h"
#include "atserver/note.h"
#include "atserver/regex.h"
#include "atserver/session.h"
#include "atserver/tenant.h"
#include "atserver/turn.h"
#include "base/buf.h"
#include "base/clock.h"
#include "json/json.h"
#include "store/store.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum state { STARTING, REPLAY, LIVE };

struct np_monitor {
	TAILQ_ENTRY(np_monitor) entry; /* tenant's list when LIVE, the turn's when STARTING */
	TAILQ_ENTRY(np_monitor) stats;
	struct np_session *s;
	struct np_tenant *tenant; /* whose list it is on */
	struct np_regex *regex;
	long long stats_at_ms; /* monotonic */
	int64_t after_ms;
	int64_t last_seq[2]; /* replayed so far, received and self */
	unsigned char state;
	bool strict, self;
	bool multiplexed;
	struct np_buf held; /* multiplexed: lines that wait for the end of a request */
	bool full;	    /* the client has to read before the replay goes on */
};

static void leave(struct np_monitor *m)
{
	if (m->state == STARTING)
		TAILQ_REMOVE(&m->s->srv->turn.starting, m, entry);
	else if (m->state == LIVE)
		TAILQ_REMOVE(&m->tenant->monitors, m, entry);
	if (m->state != STARTING)
		TAILQ_REMOVE(&m->s->srv->stats, m, stats);
}

void np_monitor_free(struct np_monitor *m)
{
	if (!m)
		return;
	leave(m);
	np_regex_free(m->regex);
	np_buf_fini(&m->held);
	free(m);
}

int np_monitor_start(struct np_session *s, const struct np_req_monitor *req, struct np_err *err)
{
	struct np_regex *regex;
	struct np_monitor *m;

	if (np_regex_new(req->regex ? req->regex : "", &regex, err))
		return -EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m) {
		np_regex_free(regex);
		return -ENOMEM;
	}
	m->s = s;
	m->tenant = s->tenant;
	m->regex = regex;
	m->strict = req->strict;
	m->self = req->self;
	m->multiplexed = req->multiplexed;
	m->after_ms = req->after_ms;
	np_monitor_free(s->monitor);
	s->monitor = m;
	TAILQ_INSERT_TAIL(&s->srv->turn.starting, m, entry);
	return 0;
}

static void write_line(struct np_monitor *m, const struct np_buf *line)
{
	struct np_session *s = m->s;

	if (s->closing)
		return;
	if (np_tls_queued(s->tls) + m->held.len + line->len > s->srv->conf.max_queued) {
		np_info("monitor: closed, the client does not read tenant=%s", s->tenant->name);
		np_session_kill(s);
		return;
	}
	if (m->multiplexed && s->busy) {
		if (np_buf_append(&m->held, line->data, line->len))
			np_session_kill(s);
		return;
	}
	if (np_tls_write(s->tls, line->data, line->len)) {
		np_session_kill(s);
		return;
	}
	np_session_wrote(s);
}

void np_monitor_release(struct np_monitor *m)
{
	struct np_buf held = NP_BUF_INIT;

	if (!m->held.len)
		return;
	np_buf_take(&held, &m->held);
	write_line(m, &held);
	np_buf_fini(&held);
}

/* "@alice:ping.default.sshnp@bob": the namespace stands between the last dot and the last @. */
static bool may_see(const struct np_monitor *m, const char *key)
{
	return !m->s->enrol_id || np_access_note(m->s, key);
}

static bool wants(const struct np_monitor *m, const char *key, const char *from, bool is_self)
{
	if (is_self && !m->self)
		return false;
	return (np_regex_match(m->regex, key) || np_regex_match(m->regex, np_atsign_bare(from))) &&
	       may_see(m, key);
}

void np_monitor_deliver(struct np_tenant *tenant, const struct np_delivery *d)
{
	struct np_monitor *m;

	TAILQ_FOREACH(m, &tenant->monitors, entry)
	if (wants(m, d->key, d->from, d->is_self))
		write_line(m, &d->line);
}

static int stats_line(struct np_tenant *tenant, struct np_buf *line)
{
	return np_buf_printf(
		line,
		"notification: "
		"{\"id\":\"-1\",\"from\":\"%s\",\"to\":\"%s\",\"key\":\"statsNotification.%s\","
		"\"value\":\"%lld\",\"operation\":\"update\",\"epochMillis\":%lld,"
		"\"messageType\":\"MessageType.key\",\"isEncrypted\":false,\"metadata\":null}\n",
		tenant->name, tenant->name, tenant->name, (long long)np_tenant_last_commit(tenant),
		np_clock_wall_ms());
}

static void set_stats_due(struct np_monitor *m)
{
	struct np_atserver *srv = m->s->srv;

	TAILQ_REMOVE(&srv->stats, m, stats);
	m->stats_at_ms = np_clock_mono_ms() + (long long)srv->conf.stats_interval_ms;
	TAILQ_INSERT_TAIL(&srv->stats, m, stats);
}

void np_monitor_tell_stats(struct np_tenant *tenant)
{
	struct np_buf line = NP_BUF_INIT;
	struct np_monitor *m;

	if (TAILQ_EMPTY(&tenant->monitors))
		return;
	if (!stats_line(tenant, &line)) {
		TAILQ_FOREACH(m, &tenant->monitors, entry)
		{
			if (m->strict)
				continue;
			write_line(m, &line);
			set_stats_due(m);
		}
	}
	np_buf_fini(&line);
}

void np_monitor_tick(struct np_atserver *srv)
{
	long long now = np_clock_mono_ms();
	struct np_monitor *m;

	if (!srv->conf.stats_interval_ms)
		return;
	while ((m = TAILQ_FIRST(&srv->stats)) && m->stats_at_ms <= now) {
		struct np_buf line = NP_BUF_INIT;

		if (!m->strict && m->state == LIVE && !stats_line(m->tenant, &line))
			write_line(m, &line);
		np_buf_fini(&line);
		set_stats_due(m);
	}
}

struct replay {
	struct np_monitor *m;
	unsigned int which;
};

static bool replay_one(const struct np_note *note, void *arg)
{
	struct replay *r = arg;
	struct np_monitor *m = r->m;
	struct np_buf line = NP_BUF_INIT;

	if (note->seq <= m->last_seq[r->which])
		return true;
	if (np_tls_queued(m->s->tls) > NP_SESSION_SOFT_QUEUE) {
		m->full = true;
		return false;
	}
	m->last_seq[r->which] = note->seq;
	if (wants(m, note->key, note->from, r->which == 1) && !np_note_line(note, &line))
		write_line(m, &line);
	np_buf_fini(&line);
	return !m->s->closing;
}

static void replay(struct np_monitor *m)
{
	static const enum np_note_dir dirs[2] = {NP_NOTE_RECEIVED, NP_NOTE_SELF};
	struct np_store *store = m->s->srv->store;
	int64_t now = np_clock_wall_ms();
	struct replay r = {.m = m};

	m->full = false;
	for (r.which = 0; r.which < 2 && !m->full && m->after_ms >= 0; r.which++) {
		if (r.which == 1 && !m->self)
			break;
		if (store->ops->note_list(store, m->s->tenant->name, dirs[r.which], m->after_ms,
					  now, replay_one, &r)) {
			np_session_kill(m->s);
			return;
		}
	}
	if (m->full)
		return;
	m->state = LIVE;
	TAILQ_INSERT_TAIL(&m->tenant->monitors, m, entry);
}

void np_monitor_drained(struct np_monitor *m)
{
	/* An open transaction may still fail: then the store would take back what was replayed. */
	if (m->state != REPLAY || m->s->closing)
		return;
	m->state = STARTING;
	TAILQ_REMOVE(&m->s->srv->stats, m, stats);
	TAILQ_INSERT_TAIL(&m->s->srv->turn.starting, m, entry);
}

void np_monitor_start_all(struct np_atserver *srv)
{
	struct np_monitor *m;

	while ((m = TAILQ_FIRST(&srv->turn.starting))) {
		TAILQ_REMOVE(&srv->turn.starting, m, entry);
		m->state = REPLAY;
		m->stats_at_ms = np_clock_mono_ms() + (long long)srv->conf.stats_interval_ms;
		TAILQ_INSERT_TAIL(&srv->stats, m, stats);
		if (!m->s->closing)
			replay(m);
	}
}
