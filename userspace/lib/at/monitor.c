// SPDX-License-Identifier: BSD-3-Clause
/*
 *	CONNECTING -(log-in, "monitor" written)-> [CONFIRMING -(noop answered)->] UP
 *	any of them -(error, silence)-> WAITING -(back-off)-> CONNECTING
 *
 * "monitor" has no answer. Servers handle the lines of a connection in order, so an answered noop
 * behind it proves that the subscription stands: that is CONFIRMING, which costs one round trip.
 * With replay it is left out: the server then also sends what arrived before the subscription, so
 * nothing can fall in between.
 *
 * Every notification passes: parse -> repeated id? -> wanted? -> key at hand? -> deliver. Those
 * that wait for a key make later ones of the same sender wait behind them; other senders are not
 * held up.
 */
#include "at/monitor.h"

#include "at/client_impl.h"
#include "at/note.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REMEMBERED_IDS 512
#define MAX_PENDING 256
#define MAX_PENDING_OF_ONE 32 /* whose atServer is slow must not take the room of the others */
#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 30000
#define STABLE_MS 10000
#define STATS_SLACK_MS 1000

struct pending {
	struct pending *next;
	struct np_monitor *monitor;
	bool is_asking; /* at_key_incoming() was called */
	struct np_at_note note;
};

struct np_monitor {
	struct np_at_client *client;
	const struct np_monitor_ops *ops;
	void *arg;
	struct np_at_conn *conn;
	struct np_backoff backoff;
	ev_timer retry, beat, beat_limit;
	bool replay, is_up;
	bool *gone; /* set while inside a callback of the owner */
	long long up_at_ms;
	int64_t first_up_wall_ms;	       /* 0: never up */
	int64_t stats_epoch_ms, last_epoch_ms; /* in the server's time; 0: none seen */
	struct np_map ids;
	char *ring[REMEMBERED_IDS];
	size_t ring_at;
	struct pending *pending;
	size_t nr_pending;
	char *regex;
};

static void connect_now(struct np_monitor *m);

static struct ev_loop *loop_of(const struct np_monitor *m)
{
	return m->client->params.loop;
}

/* --- connection ------------------------------------------------------------------------------- */

/* Return: false when the owner closed the monitor. */
static bool tell_state(struct np_monitor *m, bool up, const struct np_err *err)
{
	bool gone = false;

	if (!m->ops->state)
		return true;
	m->gone = &gone;
	m->ops->state(up, err, m->arg);
	if (gone)
		return false;
	m->gone = NULL;
	return true;
}

static void stop_timers(struct np_monitor *m)
{
	ev_timer_stop(loop_of(m), &m->retry);
	ev_timer_stop(loop_of(m), &m->beat);
	ev_timer_stop(loop_of(m), &m->beat_limit);
}

static void lost(struct np_monitor *m, const struct np_err *why)
{
	struct np_err err = *why;

	np_at_conn_close(m->conn);
	m->conn = NULL;
	stop_timers(m);
	if (m->is_up && np_clock_mono_ms() - m->up_at_ms >= STABLE_MS)
		np_backoff_reset(&m->backoff);
	m->is_up = false;
	ev_now_update(loop_of(m));
	ev_timer_set(&m->retry, np_backoff_next_ms(&m->backoff) / 1000., 0.);
	ev_timer_start(loop_of(m), &m->retry);
	tell_state(m, false, &err);
}

static void on_down(struct np_at_conn *conn, const struct np_err *err, void *arg)
{
	(void)conn;
	lost(arg, err);
}

static void on_beat_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_monitor *m = w->data;
	struct np_err err = NP_ERR_INIT;

	(void)loop;
	(void)revents;
	np_fail(&err, -ETIMEDOUT, "atServer of %s: no answer to the monitor's heartbeat",
		m->client->params.keys->atsign);
	lost(m, &err);
}

static void become_up(struct np_monitor *m)
{
	m->is_up = true;
	m->up_at_ms = np_clock_mono_ms();
	if (!m->first_up_wall_ms)
		m->first_up_wall_ms = np_clock_wall_ms();
	if (m->beat.repeat > 0.)
		ev_timer_again(loop_of(m), &m->beat);
	tell_state(m, true, NULL);
}

static void on_noop(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct np_monitor *m = arg;

	(void)data;
	(void)len;
	/*
	 * An error that ends the connection is reported by on_down(); one that does not is an
	 * answer all the same.
	 */
	if (err->code && !np_at_conn_is_up(m->conn))
		return;
	ev_timer_stop(loop_of(m), &m->beat_limit);
	if (!m->is_up)
		become_up(m);
}

static void send_noop(struct np_monitor *m)
{
	if (np_at_conn_command(m->conn, "noop:0", 6, on_noop, m) == 0 && m->beat.repeat > 0. &&
	    m->is_up) {
		ev_timer_set(&m->beat_limit, m->beat.repeat / 3., 0.);
		ev_timer_start(loop_of(m), &m->beat_limit);
	}
}

static void on_beat(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_monitor *m = w->data;

	(void)loop;
	(void)revents;
	if (m->conn && !ev_is_active(&m->beat_limit))
		send_noop(m);
}

static void on_up(struct np_at_conn *conn, void *arg)
{
	struct np_monitor *m = arg;

	(void)conn;
	if (m->replay)
		become_up(m);
	else
		send_noop(m);
}

/*
 * The server replays what is strictly newer than the time given; the ids remove what comes twice.
 */
static int build_command(const struct np_monitor *m, char *dst, size_t size)
{
	const char *blank = m->regex ? " " : "", *regex = m->regex ? m->regex : "";
	long long since = -1;
	int n;

	if (m->last_epoch_ms)
		since = m->last_epoch_ms - 1;
	else if (m->replay)
		since = 0;
	else if (m->stats_epoch_ms)
		since = m->stats_epoch_ms - STATS_SLACK_MS;
	else if (m->first_up_wall_ms)
		since = m->first_up_wall_ms;
	if (since < 0)
		n = snprintf(dst, size, "monitor%s%s", blank, regex);
	else
		n = snprintf(dst, size, "monitor:%lld%s%s", since, blank, regex);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : n;
}

/* --- notifications ---------------------------------------------------------------------------- */

static bool is_repeated(struct np_monitor *m, const char *id)
{
	char *copy;

	if (np_map_get(&m->ids, id))
		return true;
	copy = strdup(id);
	if (!copy || np_map_put(&m->ids, id, copy, NULL)) {
		free(copy);
		return false;
	}
	if (m->ring[m->ring_at]) {
		np_map_remove(&m->ids, m->ring[m->ring_at]);
		free(m->ring[m->ring_at]);
	}
	m->ring[m->ring_at] = copy;
	m->ring_at = (m->ring_at + 1) % REMEMBERED_IDS;
	return false;
}

/* Return: false when the owner closed the monitor. */
static bool deliver(struct np_monitor *m, const struct np_at_note *note, const char *value,
		    size_t len)
{
	const struct np_at_notification out = {
		.id = note->id,
		.from = note->from,
		.to = note->to,
		.key = note->key,
		.name = note->name,
		.value = value,
		.value_len = len,
		.is_delete = note->is_delete,
		.epoch_ms = note->epoch_ms,
	};
	bool gone = false;

	m->gone = &gone;
	m->ops->note(&out, m->arg);
	if (gone)
		return false;
	m->gone = NULL;
	return true;
}

static bool reject(struct np_monitor *m, const char *from, const char *key,
		   const struct np_err *err)
{
	bool gone = false;

	if (!m->ops->bad)
		return true;
	m->gone = &gone;
	m->ops->bad(from, key, err, m->arg);
	if (gone)
		return false;
	m->gone = NULL;
	return true;
}

static int open_note(struct np_monitor *m, const struct np_at_note *note, const char *cipher,
		     struct np_secret *plain, struct np_err *err)
{
	struct at_sealed sealed = {
		.from = note->from,
		.value = note->value,
		.shared_key_enc = note->shared_key_enc,
		.pub_key_cs = note->pub_key_cs,
		.iv = note->iv,
	};

	return at_sealed_open(m->client, &sealed, cipher, plain, err);
}

static void free_pending(struct pending *p)
{
	struct np_monitor *m = p->monitor;
	struct pending **at = &m->pending;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	m->nr_pending--;
	np_at_note_fini(&p->note);
	free(p);
}

static unsigned int count_of(const struct np_monitor *m, const char *from)
{
	const struct pending *p;
	unsigned int nr = 0;

	for (p = m->pending; p; p = p->next)
		nr += !strcmp(p->note.from, from);
	return nr;
}

static struct pending *first_of(struct np_monitor *m, const char *from)
{
	struct pending *p;

	for (p = m->pending; p && strcmp(p->note.from, from); p = p->next)
		;
	return p;
}

static void on_cipher(const struct np_err *err, const char *cipher, bool is_fresh, void *arg);

/*
 * One attempt at the oldest of a sender. Return: 1 done with it (it is freed), 0 it waits for a
 * key, -1 the monitor is gone.
 */
static int try_pending(struct pending *p, const struct np_err *failure, const char *cipher,
		       bool is_fresh)
{
	struct np_monitor *m = p->monitor;
	struct np_at_note note;
	struct np_secret plain = NP_SECRET_INIT;
	struct np_err err = NP_ERR_INIT;
	bool alive;
	int ret;

	if (failure)
		err = *failure;
	ret = failure ? failure->code : open_note(m, &p->note, cipher, &plain, &err);
	if (!failure &&
	    (ret == -EAGAIN || (ret && cipher && !p->note.shared_key_enc && !is_fresh))) {
		ret = at_key_incoming(m->client, p->note.from, cipher != NULL, on_cipher, p);
		p->is_asking = !ret;
		if (!ret)
			return 0;
		np_fail_errno(&err, ret, "shared key of %s cannot be looked up", p->note.from);
	}
	note = p->note;
	p->note.json = NULL;
	free_pending(p);
	alive = ret ? reject(m, note.from, note.key, &err)
		    : deliver(m, &note, np_secret_str(&plain), plain.len);
	np_secret_fini(&plain);
	np_at_note_fini(&note);
	return alive ? 1 : -1;
}

static void on_cipher(const struct np_err *err, const char *cipher, bool is_fresh, void *arg)
{
	struct pending *p = arg;
	struct np_monitor *m = p->monitor;
	char from[NP_ATSIGN_MAX];
	int ret;

	memcpy(from, p->note.from, sizeof(from));
	p->is_asking = false;
	ret = try_pending(p, err->code ? err : NULL, cipher, is_fresh);
	/* Those behind it have their chance now, until one has to wait again. */
	while (ret > 0) {
		p = first_of(m, from);
		if (!p)
			return;
		ret = try_pending(p, NULL, NULL, false);
	}
}

static bool hold_back(struct np_monitor *m, struct np_at_note *note)
{
	struct pending *p = NULL, **at = &m->pending;
	struct np_err err = NP_ERR_INIT;
	unsigned int nr = count_of(m, note->from);

	if (m->nr_pending < MAX_PENDING && nr < MAX_PENDING_OF_ONE)
		p = calloc(1, sizeof(*p));
	if (!p) {
		np_fail(&err, -ENOBUFS, "too many notifications of %s wait for its key",
			nr < MAX_PENDING_OF_ONE ? "all senders" : note->from);
		return reject(m, note->from, note->key, &err);
	}
	p->monitor = m;
	p->note = *note;
	note->json = NULL;
	while (*at)
		at = &(*at)->next;
	*at = p;
	m->nr_pending++;
	return nr || try_pending(p, NULL, NULL, false) >= 0;
}

static bool handle_note(struct np_monitor *m, struct np_at_note *note)
{
	if (note->epoch_ms > m->last_epoch_ms)
		m->last_epoch_ms = note->epoch_ms;
	if (is_repeated(m, note->id) || note->is_text ||
	    strcmp(note->to, m->client->params.keys->atsign))
		return true;
	if (m->ops->want && !m->ops->want(note->from, note->name, m->arg))
		return true;
	if (note->value && note->is_encrypted)
		return hold_back(m, note);
	if (first_of(m, note->from))
		return hold_back(m, note);
	return deliver(m, note, note->value, note->value ? strlen(note->value) : 0);
}

static void on_line(struct np_at_conn *conn, const char *line, size_t len, void *arg)
{
	struct np_monitor *m = arg;
	struct np_at_note note;
	struct np_err err = NP_ERR_INIT;

	(void)conn;
	if (np_at_note_parse(line, len, &note, &err))
		reject(m, note.from, note.key, &err);
	else if (note.is_stats)
		m->stats_epoch_ms = note.epoch_ms;
	else
		handle_note(m, &note);
	np_at_note_fini(&note);
}

/* --- opening and closing ---------------------------------------------------------------------- */

static const struct np_at_conn_ops conn_ops = {.up = on_up, .line = on_line, .down = on_down};

static int try_connect(struct np_monitor *m, struct np_err *err)
{
	struct np_at_conn_params params = {
		.loop = loop_of(m),
		.tls = m->client->params.tls,
		.dir = m->client->params.dir,
		.atsign = m->client->params.keys->atsign,
		.keys = m->client->params.keys,
	};
	char line[1024];
	int n = build_command(m, line, sizeof(line)), ret;

	if (n < 0)
		return np_fail(err, n, "monitor: regular expression is too long");
	ret = np_at_conn_open(&params, &conn_ops, m, &m->conn, err);
	if (ret)
		return ret;
	/* Queued now, it leaves with the answer to the log-in. */
	ret = np_at_conn_command(m->conn, line, (size_t)n, NULL, NULL);
	if (!ret)
		return 0;
	np_at_conn_close(m->conn);
	m->conn = NULL;
	return np_fail_errno(err, ret, "monitor: cannot subscribe");
}

static void connect_now(struct np_monitor *m)
{
	struct np_err err = NP_ERR_INIT;

	if (try_connect(m, &err))
		lost(m, &err);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	connect_now(w->data);
}

static int open_monitor(struct np_at_client *client, const char *regex, unsigned int heartbeat_ms,
			bool replay, const struct np_monitor_ops *ops, void *arg,
			struct np_monitor **out, struct np_err *err)
{
	struct np_monitor *m;
	int ret;

	if (regex && (!*regex || strchr(regex, ':') || strchr(regex, '\n')))
		return np_fail(err, -EINVAL,
			       "monitor: regular expression is empty or holds ':' or a line end");
	m = calloc(1, sizeof(*m));
	if (!m)
		return np_fail(err, -ENOMEM, "monitor: out of memory");
	m->client = client;
	m->ops = ops;
	m->arg = arg;
	m->replay = replay;
	m->backoff = (struct np_backoff)NP_BACKOFF_INIT(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
	ev_timer_init(&m->retry, on_retry, 0., 0.);
	ev_timer_init(&m->beat, on_beat, 0., heartbeat_ms / 1000.);
	ev_timer_init(&m->beat_limit, on_beat_limit, 0., 0.);
	m->retry.data = m->beat.data = m->beat_limit.data = m;
	m->regex = regex ? strdup(regex) : NULL;
	ret = regex && !m->regex ? np_fail(err, -ENOMEM, "monitor: out of memory")
				 : try_connect(m, err);
	if (ret) {
		free(m->regex);
		free(m);
		return ret;
	}
	*out = m;
	return 0;
}

int np_monitor_open(struct np_at_client *client, const char *regex, unsigned int heartbeat_ms,
		    const struct np_monitor_ops *ops, void *arg, struct np_monitor **out,
		    struct np_err *err)
{
	return open_monitor(client, regex, heartbeat_ms, false, ops, arg, out, err);
}

int np_monitor_open_replay(struct np_at_client *client, const char *regex,
			   unsigned int heartbeat_ms, const struct np_monitor_ops *ops, void *arg,
			   struct np_monitor **out, struct np_err *err)
{
	return open_monitor(client, regex, heartbeat_ms, true, ops, arg, out, err);
}

void np_monitor_close(struct np_monitor *m)
{
	size_t i;

	if (!m)
		return;
	if (m->gone)
		*m->gone = true;
	np_at_conn_close(m->conn);
	stop_timers(m);
	while (m->pending) {
		if (m->pending->is_asking)
			np_at_client_cancel(m->client, m->pending);
		free_pending(m->pending);
	}
	np_map_fini(&m->ids, NULL);
	for (i = 0; i < REMEMBERED_IDS; i++)
		free(m->ring[i]);
	free(m->regex);
	free(m);
}
