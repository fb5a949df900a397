// SPDX-License-Identifier: BSD-3-Clause
/*
 * FIND (directory) -> DIAL -> TLS -> PUBKEY (refresh of their public key) -> [FROM -> POL] -> READY
 * <-> BUSY. A failure in any state fails what is queued and frees the connection; the next request
 * starts anew.
 *
 * The prompt of an answer arrives in front of the next one, so each line is cut at the last '@'
 * before its first colon. The answer to pol is a bare "@bob@" without a line feed (9.4).
 */
#include "atserver/outbound.h"

#include "at/atsign.h"
#include "atserver/internal.h"
#include "atserver/peer.h"
#include "atserver/proof.h"
#include "atserver/pubkey.h"
#include "atserver/respond.h"
#include "atserver/tenant.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/rsa.h"
#include "net/dial.h"
#include "net/linebuf.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_MS 3000
#define CONNECT_MS 10000
#define IDLE_MS 540000 /* the other side closes after 10 minutes */
#define PLAIN_IDLE_MS 60000
#define MAX_CONNS 2000
#define MAX_WAITING 1000 /* requests on one connection */

enum state { FIND, DIAL, TLS, PUBKEY, FROM, POL, READY, BUSY };

struct request {
	STAILQ_ENTRY(request) next;
	np_outbound_cb cb; /* NULL: cancelled while it was running */
	void *arg;
	unsigned int timeout_ms;
	size_t len;
	char command[]; /* with LF */
};

struct conn {
	ev_timer deadline;
	struct np_outbound *out;
	struct np_tenant *as;
	struct np_peer *peer;
	struct np_dial *dial;
	struct np_tls *tls;
	struct np_linebuf in;
	STAILQ_HEAD(, request) requests; /* the first one is running when BUSY */
	unsigned int nr_requests;
	enum state state;
	bool pol, doomed;
	long long idle_since_ms;
	TAILQ_ENTRY(conn) entry;
	char remote[NP_ATSIGN_MAX];
	char host[NP_HOST_MAX];
	char key[2 * NP_ATSIGN_MAX + 8]; /* in the map */
};

struct np_outbound {
	struct np_atserver *srv;
	struct np_map conns;
	TAILQ_HEAD(, conn) list;
	unsigned int nr;
	ev_timer reaper; /* frees doomed connections outside of their own callbacks */
};

static void step(struct conn *c, enum state state, const char *command);

static void set_deadline(struct conn *c, unsigned int ms)
{
	ev_timer_stop(c->out->srv->loop, &c->deadline);
	ev_timer_set(&c->deadline, ms / 1000.0, 0);
	ev_now_update(c->out->srv->loop);
	ev_timer_start(c->out->srv->loop, &c->deadline);
}

static void free_conn(struct conn *c)
{
	struct request *r;

	ev_timer_stop(c->out->srv->loop, &c->deadline);
	np_peer_cancel(c->peer);
	np_dial_cancel(c->dial);
	np_tls_close(c->tls);
	np_linebuf_fini(&c->in);
	while ((r = STAILQ_FIRST(&c->requests))) {
		STAILQ_REMOVE_HEAD(&c->requests, next);
		free(r);
	}
	TAILQ_REMOVE(&c->out->list, c, entry);
	c->out->nr--;
	free(c);
}

/* Takes the connection out of use; its memory goes later, as a callback of its own may be running.
 */
static void doom(struct conn *c)
{
	if (c->doomed)
		return;
	c->doomed = true;
	np_map_remove(&c->out->conns, c->key);
	ev_timer_stop(c->out->srv->loop, &c->deadline);
	ev_timer_start(c->out->srv->loop, &c->out->reaper);
}

static void fail_conn(struct conn *c, const char *code, const struct np_err *why)
{
	struct np_err err = *why;
	struct request *r;

	if (c->doomed)
		return;
	if (!err.remote[0])
		np_str_copy(err.remote, sizeof(err.remote), code);
	if (c->state <= TLS && c->state != FIND)
		np_peer_forget(c->out->srv, c->remote);
	np_debug("outbound: failed remote=%s state=%d reason=%s", c->remote, c->state,
		 np_err_text(&err));
	doom(c);
	while ((r = STAILQ_FIRST(&c->requests))) {
		STAILQ_REMOVE_HEAD(&c->requests, next);
		if (r->cb)
			r->cb(NULL, &err, r->arg);
		free(r);
	}
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct conn *c = (struct conn *)w;
	struct np_err err = NP_ERR_INIT;

	(void)loop;
	(void)revents;
	np_fail(&err, -ETIMEDOUT, "the atServer of %s did not answer in time", c->remote);
	fail_conn(c, c->state == DIAL || c->state == TLS ? "AT0021" : "AT0023", &err);
}

static void run_next(struct conn *c)
{
	struct request *r = STAILQ_FIRST(&c->requests);

	if (!r) {
		c->state = READY;
		c->idle_since_ms = np_clock_mono_ms();
		ev_timer_stop(c->out->srv->loop, &c->deadline);
		return;
	}
	c->state = BUSY;
	set_deadline(c, r->timeout_ms);
	if (np_tls_write(c->tls, r->command, r->len)) {
		struct np_err err = NP_ERR_INIT;

		np_fail(&err, -EPIPE, "connection to the atServer of %s is lost", c->remote);
		fail_conn(c, "AT0004", &err);
	}
}

static void finish_request(struct conn *c, char *line)
{
	struct request *r = STAILQ_FIRST(&c->requests);
	struct np_err none = NP_ERR_INIT;

	STAILQ_REMOVE_HEAD(&c->requests, next);
	c->nr_requests--;
	/* The callback may queue more, or end the server. */
	c->state = READY;
	if (r->cb)
		r->cb(line, &none, r->arg);
	free(r);
	if (!c->doomed && c->state == READY)
		run_next(c);
}

static void step(struct conn *c, enum state state, const char *command)
{
	struct np_err err = NP_ERR_INIT;

	c->state = state;
	set_deadline(c, STEP_MS);
	if (np_tls_write(c->tls, command, strlen(command))) {
		np_fail(&err, -EPIPE, "connection to the atServer of %s is lost", c->remote);
		fail_conn(c, "AT0004", &err);
	}
}

static void handshake_failed(struct conn *c, const char *what)
{
	struct np_err err = NP_ERR_INIT;

	np_fail(&err, -EPROTO, "handshake with the atServer of %s: %.100s", c->remote, what);
	fail_conn(c, "AT0008", &err);
}

/*
 * "data:proof:_<uuid>@bob:<uuid>". What is signed is chosen by the other side: nothing but a UUID
 * is, and only under a name that can shadow no record.
 */
static void answer_proof(struct conn *c, char *line)
{
	const struct np_rsa *key;
	struct np_buf sig = NP_BUF_INIT;
	char name[NP_ATSIGN_MAX + 64], *sid, *uuid, *at;

	if (!np_str_starts(line, "data:proof:")) {
		handshake_failed(c, line);
		return;
	}
	sid = line + strlen("data:proof:");
	uuid = strchr(sid, ':');
	at = strchr(sid, '@');
	if (!uuid || !at || at > uuid || sid[0] != '_') {
		handshake_failed(c, "malformed challenge");
		return;
	}
	*uuid++ = '\0';
	*at = '\0';
	if (!np_str_is_uuid(uuid) || !np_str_is_uuid(sid + 1)) {
		handshake_failed(c, "malformed challenge");
		return;
	}
	key = np_tenant_signing(c->as);
	snprintf(name, sizeof(name), "%s%s", sid, c->as->name);
	np_str_lower(name);
	if (!key || np_rsa_sign_b64(key, NP_HASH_SHA256, uuid, strlen(uuid), &sig) ||
	    np_proof_keep(c->out->srv, name, np_buf_str(&sig)))
		handshake_failed(c, "cannot sign the challenge");
	else
		step(c, POL, "pol\n");
	np_buf_fini(&sig);
}

static void after_pubkey(struct conn *c, const char *line)
{
	char command[NP_ATSIGN_MAX + 16];

	if (c->as)
		np_pubkey_refreshed(c->as, c->remote, line);
	if (!c->pol) {
		run_next(c);
		return;
	}
	snprintf(command, sizeof(command), "from:%s\n", c->as->name);
	step(c, FROM, command);
}

static char *strip_prompt(char *line)
{
	char *colon = strchr(line, ':'), *p, *start = line;

	for (p = line; p < (colon ? colon : line); p++)
		if (*p == '@')
			start = p + 1;
	return start;
}

static void on_line(struct conn *c, char *line)
{
	line = strip_prompt(line);
	switch (c->state) {
	case PUBKEY:
		after_pubkey(c, line);
		break;
	case FROM:
		answer_proof(c, line);
		break;
	case POL:
		handshake_failed(c, line);
		break;
	case BUSY:
		finish_request(c, line);
		break;
	default:
		handshake_failed(c, "answer without a question");
		break;
	}
}

/* The prompt of the answer before may still be in front. */
static bool pol_succeeded(struct conn *c)
{
	char want[NP_ATSIGN_MAX + 2];
	size_t len = (size_t)snprintf(want, sizeof(want), "%s@", c->as->name);
	const char *have = np_buf_str(&c->in.buf);

	if (c->in.buf.len == len + 1 && have[0] == '@')
		have++;
	else if (c->in.buf.len != len)
		return false;
	return !memcmp(have, want, len);
}

static void on_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	struct conn *c = arg;
	char *line;
	size_t line_len;
	int ret = 0;

	(void)tls;
	if (c->doomed)
		return;
	if (np_linebuf_feed(&c->in, data, len)) {
		handshake_failed(c, "out of memory");
		return;
	}
	if (c->state == POL && pol_succeeded(c)) {
		np_linebuf_fini(&c->in);
		run_next(c);
		return;
	}
	while (!c->doomed && (ret = np_linebuf_next(&c->in, &line, &line_len)) > 0) {
		on_line(c, line);
		np_linebuf_drop(&c->in);
	}
	if (ret < 0 && !c->doomed)
		handshake_failed(c, "an answer is too long");
}

static void on_ready(struct np_tls *tls, void *arg)
{
	struct conn *c = arg;
	char command[NP_ATSIGN_MAX + 32];

	(void)tls;
	snprintf(command, sizeof(command), "lookup:all:publickey%s\n", c->remote);
	step(c, PUBKEY, command);
}

static void on_closed(struct np_tls *tls, const struct np_err *why, void *arg)
{
	struct conn *c = arg;
	struct np_err err = *why;

	(void)tls;
	if (!err.code)
		np_fail(&err, -ECONNRESET, "the atServer of %s closed the connection", c->remote);
	fail_conn(c, c->state == TLS ? "AT0021" : "AT0004", &err);
}

static const struct np_tls_ops tls_ops = {
	.ready = on_ready,
	.data = on_data,
	.closed = on_closed,
};

static void on_dialled(int fd, const struct np_err *why, void *arg)
{
	struct conn *c = arg;
	struct np_err err = NP_ERR_INIT;

	c->dial = NULL;
	if (fd < 0) {
		fail_conn(c, "AT0021", why);
		return;
	}
	c->state = TLS;
	if (np_tls_connect(c->out->srv->loop, c->out->srv->conf.client_tls, fd, c->host, &tls_ops,
			   c, &c->tls, &err))
		fail_conn(c, "AT0021", &err);
}

static void on_found(const char *host, uint16_t port, const struct np_err *why, void *arg)
{
	struct conn *c = arg;
	struct np_err err = NP_ERR_INIT;
	int ret;

	c->peer = NULL;
	if (!host) {
		fail_conn(c, "AT0007", why);
		return;
	}
	np_str_copy(c->host, sizeof(c->host), host);
	c->state = DIAL;
	set_deadline(c, CONNECT_MS);
	ret = np_dial_start(c->out->srv->loop, host, port, CONNECT_MS, on_dialled, c, &c->dial);
	if (ret) {
		np_fail_errno(&err, ret, "cannot connect to %s", host);
		fail_conn(c, "AT0021", &err);
	}
}

static struct conn *new_conn(struct np_outbound *out, const struct np_request *req, const char *key)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->out = out;
	c->as = req->as;
	c->pol = req->pol;
	c->in = (struct np_linebuf)NP_LINEBUF_INIT(NP_COMMAND_MAX + 4096);
	STAILQ_INIT(&c->requests);
	np_str_copy(c->remote, sizeof(c->remote), req->remote);
	np_str_copy(c->key, sizeof(c->key), key);
	ev_timer_init(&c->deadline, on_deadline, 0, 0);
	TAILQ_INSERT_TAIL(&out->list, c, entry);
	out->nr++;
	if (np_map_put(&out->conns, key, c, NULL) ||
	    np_peer_find(out->srv, req->remote, on_found, c, &c->peer)) {
		np_map_remove(&out->conns, key);
		free_conn(c);
		return NULL;
	}
	return c;
}

int np_outbound_send(struct np_outbound *out, const struct np_request *req)
{
	char key[2 * NP_ATSIGN_MAX + 8];
	size_t len = strlen(req->command);
	struct request *r;
	struct conn *c;

	if (!out->srv->conf.client_tls)
		return -ENETUNREACH;
	snprintf(key, sizeof(key), "%s %s %d", req->as ? req->as->name : "-", req->remote,
		 req->pol);
	c = np_map_get(&out->conns, key);
	if ((!c && out->nr >= MAX_CONNS) || (c && c->nr_requests >= MAX_WAITING))
		return -EUSERS;
	if (!c)
		c = new_conn(out, req, key);
	r = c ? malloc(sizeof(*r) + len + 2) : NULL;
	if (!r)
		return -ENOMEM;
	r->cb = req->cb;
	r->arg = req->arg;
	r->timeout_ms = req->timeout_ms;
	r->len = len + 1;
	memcpy(r->command, req->command, len);
	memcpy(r->command + len, "\n", 2);
	STAILQ_INSERT_TAIL(&c->requests, r, next);
	c->nr_requests++;
	if (c->state == READY)
		run_next(c);
	return 0;
}

void np_outbound_cancel(struct np_outbound *out, const void *arg)
{
	struct request *r;
	struct conn *c;

	TAILQ_FOREACH(c, &out->list, entry)
	STAILQ_FOREACH(r, &c->requests, next)
	if (r->arg == arg)
		r->cb = NULL;
}

static void on_reap(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_outbound *out = w->data;
	struct conn *c, *next;

	(void)loop;
	(void)revents;
	for (c = TAILQ_FIRST(&out->list); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->doomed)
			free_conn(c);
	}
}

void np_outbound_tick(struct np_outbound *out)
{
	long long now = np_clock_mono_ms();
	struct conn *c;

	TAILQ_FOREACH(c, &out->list, entry)
	if (c->state == READY && !c->doomed &&
	    now - c->idle_since_ms > (c->pol ? IDLE_MS : PLAIN_IDLE_MS))
		doom(c);
}

int np_outbound_open(struct np_atserver *srv, struct np_outbound **ptr)
{
	struct np_outbound *out = calloc(1, sizeof(*out));

	if (!out)
		return -ENOMEM;
	out->srv = srv;
	TAILQ_INIT(&out->list);
	ev_timer_init(&out->reaper, on_reap, 0, 0);
	out->reaper.data = out;
	*ptr = out;
	return 0;
}

void np_outbound_close(struct np_outbound *out)
{
	struct conn *c;

	if (!out)
		return;
	ev_timer_stop(out->srv->loop, &out->reaper);
	while ((c = TAILQ_FIRST(&out->list)))
		free_conn(c);
	np_map_fini(&out->conns, NULL);
	free(out);
}

unsigned int np_outbound_nr(const struct np_outbound *out)
{
	return out->nr;
}
