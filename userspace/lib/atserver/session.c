// SPDX-License-Identifier: BSD-3-Clause
/*
 * HANDSHAKE -> unauthenticated -> owner or pol -> dying -> freed at the end of the turn.
 *
 * Lines are taken one after the other. A command that must wait (another server, a pause) sets
 * busy: reading stops until it has answered, so that answers keep the order of the commands.
 * Nothing is freed inside a callback: whoever wants a connection gone marks it, and the end of the
 * turn frees it.
 */
#include "atserver/session.h"

#include "atserver/internal.h"
#include "atserver/monitor.h"
#include "atserver/respond.h"
#include "atserver/tenant.h"
#include "atserver/verb.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/sock.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINES_PER_TURN 256
#define LIMIT_REFUSALS 64 /* connections beyond the limit that are still told why */
#define FLUSH_MS 5000
#define LEAST_UNAUTH_MS 5000
#define LEAST_AUTH_MS 60000

static void set_dying(struct np_session *s)
{
	if (s->closing)
		return;
	s->closing = true;
	TAILQ_INSERT_TAIL(&s->srv->dying, s, dying);
}

void np_session_end(struct np_session *s)
{
	set_dying(s);
}

void np_session_kill(struct np_session *s)
{
	s->broken = true;
	set_dying(s);
}

static void set_idle_list(struct np_session *s, enum np_idle list)
{
	TAILQ_REMOVE(&s->srv->idle[s->idle_list], s, idle);
	s->idle_list = list;
	TAILQ_INSERT_TAIL(&s->srv->idle[list], s, idle);
}

static void touch(struct np_session *s)
{
	s->wrote_at_ms = np_clock_mono_ms();
	set_idle_list(s, s->auth == NP_AUTH_NONE ? NP_IDLE_UNAUTH : NP_IDLE_AUTH);
}

static void update_reading(struct np_session *s)
{
	if (!s->closing)
		np_tls_read_pause(s->tls, s->busy || s->paused || s->has_more);
}

/* A client that does not read is not read from either, and one that lets the queue grow has to go.
 */
void np_session_wrote(struct np_session *s)
{
	size_t queued = np_tls_queued(s->tls);

	s->turn_bytes = 0;
	touch(s);
	if (s->monitor && !s->busy)
		np_monitor_release(s->monitor);
	if (queued <= NP_SESSION_SOFT_QUEUE)
		return;
	if (queued > s->srv->conf.max_queued + NP_COMMAND_MAX) {
		np_info("session: closed, the client does not read tenant=%s queued=%zu",
			s->tenant ? s->tenant->name : "-", queued);
		np_session_kill(s);
		return;
	}
	s->paused = true;
	update_reading(s);
}

/* The rest of the lines is for the next turn; until then nothing more is read. */
static void note_more(struct np_session *s)
{
	struct np_atserver *srv = s->srv;

	if (s->has_more)
		return;
	s->has_more = true;
	TAILQ_INSERT_TAIL(&srv->more, s, more);
	ev_timer_start(srv->loop, &srv->more_now);
}

static void forget_more(struct np_session *s)
{
	if (!s->has_more)
		return;
	s->has_more = false;
	TAILQ_REMOVE(&s->srv->more, s, more);
}

static void take_lines(struct np_session *s)
{
	unsigned int nr = 0;
	char *line;
	size_t len;
	int ret = 0;

	s->in_lines = true;
	while (!s->busy && !s->closing && !s->paused && !s->has_more) {
		if (nr == LINES_PER_TURN || s->turn_bytes > NP_SESSION_SOFT_QUEUE) {
			note_more(s);
			break;
		}
		ret = np_linebuf_next(&s->in, &line, &len);
		if (ret <= 0)
			break;
		np_verb_run(s, line, len);
		np_linebuf_drop(&s->in);
		nr++;
	}
	s->in_lines = false;
	if (ret < 0 && !s->closing)
		np_respond_error(s, "AT0005", "a command is longer than %d bytes", NP_COMMAND_MAX);
}

void np_session_go_on(struct np_session *s)
{
	if (!s->in_lines && !s->closing)
		take_lines(s);
	update_reading(s);
}

void np_session_wait(struct np_session *s, void *op, void (*cancel)(void *op))
{
	s->busy = true;
	s->op = op;
	s->op_cancel = cancel;
	update_reading(s);
}

void np_session_done(struct np_session *s)
{
	s->busy = false;
	s->op = NULL;
	s->op_cancel = NULL;
	/* The next line is taken from the loop: completions may come from deep inside another
	 * object. */
	if (!s->in_lines && s->in.buf.len)
		note_more(s);
	update_reading(s);
}

static void on_ready(struct np_tls *tls, void *arg)
{
	struct np_session *s = arg;

	if (s->refused) {
		static const char full[] = "error:AT0012-Inbound connection limit exceeded\n";

		if (np_tls_write(tls, full, sizeof(full) - 1))
			np_session_kill(s);
		np_session_end(s);
		return;
	}
	touch(s);
	if (np_tls_write(tls, "@", 1))
		np_session_kill(s);
}

static void on_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	struct np_session *s = arg;

	(void)tls;
	if (s->closing)
		return;
	if (np_linebuf_feed(&s->in, data, len)) {
		np_session_kill(s);
		return;
	}
	np_session_go_on(s);
}

static void on_drained(struct np_tls *tls, void *arg)
{
	struct np_session *s = arg;

	(void)tls;
	if (s->monitor)
		np_monitor_drained(s->monitor);
	if (!s->paused)
		return;
	s->paused = false;
	np_session_go_on(s);
}

static void on_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	struct np_session *s = arg;

	(void)tls;
	if (err->code)
		np_debug("session: lost tenant=%s reason=%s", s->tenant ? s->tenant->name : "-",
			 np_err_text(err));
	np_session_kill(s);
}

static const struct np_tls_ops tls_ops = {
	.ready = on_ready,
	.data = on_data,
	.drained = on_drained,
	.closed = on_closed,
};

/*
 * Connections that prove nothing must not keep those out that can: the newcomer takes the place of
 * the one that was silent for the longest. Return: false when all are authenticated.
 */
static bool make_room(struct np_atserver *srv)
{
	struct np_session *s;
	int i;

	for (i = NP_IDLE_HANDSHAKE; i <= NP_IDLE_UNAUTH; i++) {
		TAILQ_FOREACH(s, &srv->idle[i], idle) {
			if (s->closing || s->busy)
				continue;
			np_session_kill(s);
			return true;
		}
	}
	return false;
}

void np_session_accept(struct np_atserver *srv, int fd)
{
	struct np_err err = NP_ERR_INIT;
	struct np_session *s;

	if (srv->nr_sessions >= srv->conf.max_connections + LIMIT_REFUSALS) {
		np_sock_reset(&fd);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		np_sock_reset(&fd);
		return;
	}
	s->srv = srv;
	s->in = (struct np_linebuf)NP_LINEBUF_INIT(NP_COMMAND_MAX);
	s->refused = srv->nr_sessions >= srv->conf.max_connections && !make_room(srv);
	if (np_tls_accept(srv->loop, srv->conf.server_tls, fd, &tls_ops, s, &s->tls, &err)) {
		np_warn_err(&err, "session: cannot accept");
		free(s);
		return;
	}
	s->wrote_at_ms = np_clock_mono_ms();
	s->idle_list = NP_IDLE_HANDSHAKE;
	TAILQ_INSERT_TAIL(&srv->idle[NP_IDLE_HANDSHAKE], s, idle);
	srv->nr_sessions++;
}

void np_session_destroy(struct np_session *s)
{
	struct np_atserver *srv = s->srv;

	if (s->op_cancel)
		s->op_cancel(s->op);
	forget_more(s);
	np_monitor_free(s->monitor);
	TAILQ_REMOVE(&srv->idle[s->idle_list], s, idle);
	srv->nr_sessions--;
	if (s->broken)
		np_tls_close(s->tls);
	else
		np_tls_close_flush(s->tls, FLUSH_MS);
	np_linebuf_fini(&s->in);
	if (s->auth == NP_AUTH_OWNER)
		s->tenant->nr_owners--;
	free(s->challenge);
	free(s->peer);
	free(s->enrol_id);
	free(s);
}

/* Above half of the slots the allowed time falls in proportion, to @least when all are taken (3.4). */
static uint64_t shortened(const struct np_atserver *srv, uint64_t limit_ms, uint64_t least_ms)
{
	uint64_t max = srv->conf.max_connections, half = max / 2;
	uint64_t used = srv->nr_sessions < max ? srv->nr_sessions : max;

	if (used <= half || limit_ms <= least_ms)
		return limit_ms;
	return limit_ms - (limit_ms - least_ms) / (max - half) * (used - half);
}

void np_session_reap(struct np_atserver *srv)
{
	const uint64_t limits[NP_IDLE_NR] = {
		srv->conf.handshake_ms, shortened(srv, srv->conf.idle_unauth_ms, LEAST_UNAUTH_MS),
		shortened(srv, srv->conf.idle_auth_ms, LEAST_AUTH_MS)};
	long long now = np_clock_mono_ms();
	struct np_session *s, *next;
	int i;

	for (i = 0; i < NP_IDLE_NR; i++) {
		for (s = TAILQ_FIRST(&srv->idle[i]); s; s = next) {
			next = TAILQ_NEXT(s, idle);
			if (now - s->wrote_at_ms < (long long)limits[i])
				break;
			if (!s->busy)
				np_session_kill(s);
		}
	}
}

static char *dup_text(const char *text, int *ret)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		*ret = -ENOMEM;
	return copy;
}

static void count_owner(struct np_session *s, int by)
{
	if (s->auth == NP_AUTH_OWNER)
		s->tenant->nr_owners += (unsigned int)by;
}

void np_session_reset(struct np_session *s)
{
	count_owner(s, -1);
	s->auth = NP_AUTH_NONE;
	s->cram = false;
	np_monitor_free(s->monitor);
	s->monitor = NULL;
	free(s->peer);
	free(s->enrol_id);
	s->peer = NULL;
	s->enrol_id = NULL;
}

int np_session_set_owner(struct np_session *s, struct np_tenant *tenant, const char *enrol_id)
{
	int ret = 0;
	char *id = dup_text(enrol_id, &ret);

	if (ret)
		return ret;
	np_session_reset(s);
	s->auth = NP_AUTH_OWNER;
	s->tenant = tenant;
	s->enrol_id = id;
	count_owner(s, 1);
	return 0;
}

int np_session_set_pol(struct np_session *s, const char *peer)
{
	int ret = 0;
	char *copy = dup_text(peer, &ret);

	if (ret)
		return ret;
	np_session_reset(s);
	s->auth = NP_AUTH_POL;
	s->peer = copy;
	return 0;
}
