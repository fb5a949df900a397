// SPDX-License-Identifier: BSD-3-Clause
/*
 * Sessions and their lives (noports.md 5.1, 5.2).
 *
 *	open --grace over, no connection--> closed
 *	open --grace over, connections--> tail --last connection ends--> closed
 */
#include "relay/relay.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "net/listen.h"
#include "net/sock.h"
#include "relay/session.h"
#include "splice/express.h"
#include "splice/splice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG 128

int np_relay_new(const struct np_relay_params *params, struct np_relay **out, struct np_err *err)
{
	struct np_relay *relay = calloc(1, sizeof(*relay));
	int ret;

	if (!relay)
		return np_fail(err, -ENOMEM, "relay: no memory");
	relay->params = *params;
	np_relay_limits_defaults(&relay->params.limits);
	ret = np_relay_load_init(&relay->load);
	if (ret) {
		free(relay);
		return np_fail_errno(err, ret, "relay: cannot read the descriptor limit");
	}
	*out = relay;
	return 0;
}

static void close_session(struct np_relay_session *session, const char *reason,
			  void (*end_pair)(struct np_pair *pair));

static bool pick_any(const char *key, void *value, void *arg)
{
	(void)key;
	*(void **)arg = value;
	return false;
}

void np_relay_free(struct np_relay *relay)
{
	struct np_relay_session *session;

	if (!relay)
		return;
	for (;;) {
		session = NULL;
		np_map_each(&relay->sessions, pick_any, &session);
		if (!session)
			break;
		close_session(session, "relay ends", np_pair_let_go);
	}
	np_map_fini(&relay->sessions, NULL);
	np_relay_load_fini(&relay->load);
	free(relay);
}

size_t np_relay_nr_sessions(const struct np_relay *relay)
{
	return relay->load.nr_sessions;
}

static void on_accept_a(int fd, const struct np_addr *peer, void *arg)
{
	np_admit(arg, 0, fd, peer);
}

static void on_accept_b(int fd, const struct np_addr *peer, void *arg)
{
	np_admit(arg, 1, fd, peer);
}

static int listen_side(struct np_relay_session *session, unsigned int side, struct np_err *err)
{
	const struct np_relay_params *params = &session->relay->params;
	int fd = np_sock_listen(params->bind_ip, 0, BACKLOG, err), ret;

	if (fd < 0)
		return fd;
	if (params->mss && np_sock_limit_mss(fd, params->mss))
		np_warn("session %s: the kernel refuses an MSS of %u", session->params.sid, params->mss);
	snprintf(session->listener_name[side], sizeof(session->listener_name[side]),
		 "session %s side %c", session->params.sid, np_relay_side_name(side));
	ret = np_listener_open(params->loop, fd, session->listener_name[side],
			       side ? on_accept_b : on_accept_a, session, &session->listener[side]);
	if (ret)
		return np_fail(err, ret, "relay is out of memory");
	session->relay->load.nr_fds++;
	return 0;
}

static void unlisten_side(struct np_relay_session *session, unsigned int side)
{
	if (!session->listener[side])
		return;
	np_listener_close(session->listener[side]);
	session->listener[side] = NULL;
	session->relay->load.nr_fds--;
}

static void on_grace(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_relay_session *session = w->data;

	(void)loop;
	(void)revents;
	session->grace_over = true;
	if (!session->nr_conns)
		np_relay_close(session, session->nr_joined ? "no connection left" : "nobody came");
}

static struct np_relay_session *session_new(struct np_relay *relay,
					    const struct np_relay_session_params *params)
{
	struct np_relay_session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->relay = relay;
	session->params = *params;
	session->opened_ms = np_clock_mono_ms();
	np_clock_local_stamp(session->nonce, sizeof(session->nonce));
	ev_timer_init(&session->grace, on_grace, relay->params.limits.grace_ms / 1e3, 0.);
	session->grace.data = session;
	return session;
}

static int check_open(const struct np_relay *relay, const struct np_relay_session_params *params,
		      struct np_err *err)
{
	if (!np_str_is_charset(params->sid, "-"))
		return np_fail(err, -EINVAL,
			       "session id '%s': has other characters than letters, digits and '-'",
			       params->sid);
	if (np_map_get(&relay->sessions, params->sid))
		return np_fail(err, -EEXIST, "session id %s: is in use", params->sid);
	return 0;
}

int np_relay_open(struct np_relay *relay, const struct np_relay_session_params *params,
		  struct np_relay_session **out, struct np_err *err)
{
	struct np_relay_session *session;
	int ret;

	ret = check_open(relay, params, err);
	if (!ret)
		ret = np_relay_load_add(&relay->load, &relay->params.limits, params->client, err);
	if (ret)
		return ret;
	session = session_new(relay, params);
	if (!session || np_map_put(&relay->sessions, params->sid, session, NULL)) {
		free(session);
		np_relay_load_remove(&relay->load, params->client);
		return np_fail(err, -ENOMEM, "relay is out of memory");
	}
	ret = listen_side(session, 0, err);
	if (!ret)
		ret = listen_side(session, 1, err);
	if (ret) {
		unlisten_side(session, 0);
		np_map_remove(&relay->sessions, params->sid);
		np_relay_load_remove(&relay->load, params->client);
		free(session);
		return ret;
	}
	ev_timer_start(relay->params.loop, &session->grace);
	*out = session;
	return 0;
}

static void drop_waiters(struct np_waiters *list)
{
	while (list->first)
		np_arrival_drop((struct np_arrival *)list->first);
}

static void conn_free(struct np_relay_conn *conn)
{
	struct np_relay_session *session = conn->session;

	if (conn->prev)
		conn->prev->next = conn->next;
	else
		session->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	session->nr_conns--;
	session->relay->load.nr_fds -= 2;
	free(conn);
}

static void end_conns(struct np_relay_session *session, void (*end_pair)(struct np_pair *pair))
{
	struct np_splice_stats stats;

	while (session->conns) {
		np_pair_stats(session->conns->pair, &stats);
		session->bytes[0] += stats.bytes[0];
		session->bytes[1] += stats.bytes[1];
		end_pair(session->conns->pair);
		conn_free(session->conns);
	}
}

static void close_session(struct np_relay_session *session, const char *reason,
			  void (*end_pair)(struct np_pair *pair))
{
	struct np_relay *relay = session->relay;
	unsigned int side;

	ev_timer_stop(relay->params.loop, &session->grace);
	for (side = 0; side < 2; side++) {
		unlisten_side(session, side);
		drop_waiters(&session->unproven[side]);
		drop_waiters(&session->pairing.side[side]);
	}
	end_conns(session, end_pair);
	np_info("session %s: closed reason=%s connections=%lu a=%llu b=%llu ms=%lld",
		session->params.sid, reason, session->nr_joined,
		(unsigned long long)session->bytes[0], (unsigned long long)session->bytes[1],
		np_clock_mono_ms() - session->opened_ms);
	np_map_remove(&relay->sessions, session->params.sid);
	np_relay_load_remove(&relay->load, session->params.client);
	if (relay->params.ops.closed)
		relay->params.ops.closed(session, relay->params.arg);
	free(session);
}

void np_relay_close(struct np_relay_session *session, const char *reason)
{
	close_session(session, reason, np_pair_kill);
}

static void on_pair_end(struct np_pair *pair, enum np_pair_end end,
			const struct np_splice_stats *stats, void *arg)
{
	struct np_relay_conn *conn = arg;
	struct np_relay_session *session = conn->session;

	(void)pair;
	session->bytes[0] += stats->bytes[0];
	session->bytes[1] += stats->bytes[1];
	np_debug("session %s: connection %lu ended a=%llu b=%llu reason=%s", session->params.sid,
		 conn->nr, (unsigned long long)stats->bytes[0], (unsigned long long)stats->bytes[1],
		 np_pair_end_name(end));
	conn_free(conn);
	if (session->grace_over && !session->nr_conns)
		np_relay_close(session, "last connection ended");
}

/* Takes both arrivals. A failure costs this connection, not the session. */
static void join(struct np_relay_session *session, struct np_arrival *a, struct np_arrival *b)
{
	struct np_relay_conn *conn = calloc(1, sizeof(*conn));
	struct np_pair_params params = {
		.fd = {a->fd, b->fd},
		.pending = {&a->in.buf, &b->in.buf},
		.on_end = on_pair_end,
		.arg = conn,
	};
	struct np_err err = NP_ERR_INIT;
	int ret = -ENOMEM;

	if (conn) {
		conn->session = session;
		conn->nr = ++session->nr_joined;
		ret = np_pair_join(session->relay->params.splice, &params, &conn->pair, &err);
		a->fd = b->fd = -1; /* taken, also on failure */
		session->relay->load.nr_fds -= ret ? 2 : 0;
	}
	np_arrival_drop(a);
	np_arrival_drop(b);
	if (ret) {
		err.code = ret;
		np_warn_err(&err, "session %s: cannot join two sockets", session->params.sid);
		free(conn);
		return;
	}
	conn->next = session->conns;
	if (conn->next)
		conn->next->prev = conn;
	session->conns = conn;
	session->nr_conns++;
	np_debug("session %s: connection %lu joined", session->params.sid, conn->nr);
}

/*
 * A socket whose peer leaves while it is queued keeps its place: its partner meets the end of it,
 * and everybody behind still meets the right one.
 */
void np_session_enqueue(struct np_arrival *arrival)
{
	struct np_relay_session *session = arrival->session;
	struct np_waiter *pair[2];

	ev_timer_stop(session->relay->params.loop, &arrival->deadline);
	ev_io_stop(session->relay->params.loop, &arrival->io);
	if (session->pairing.side[arrival->side].nr >= session->relay->params.limits.queued) {
		if (np_log_may(&session->log_limit, 5, 10000))
			np_warn("session %s: socket refused side=%c reason=too many without a "
				"partner",
				session->params.sid, np_relay_side_name(arrival->side));
		np_arrival_drop(arrival);
		return;
	}
	np_waiters_append(&session->pairing.side[arrival->side], &arrival->waiter);
	while (np_pairing_take(&session->pairing, pair))
		join(session, (struct np_arrival *)pair[0], (struct np_arrival *)pair[1]);
}

const struct np_relay_session_params *
np_relay_session_params(const struct np_relay_session *session)
{
	return &session->params;
}

const char *np_relay_session_nonce(const struct np_relay_session *session)
{
	return session->nonce;
}

uint16_t np_relay_session_port(const struct np_relay_session *session, unsigned int side)
{
	return np_listener_port(session->listener[side]);
}

void np_relay_session_set_context(struct np_relay_session *session, void *context)
{
	session->context = context;
}

void *np_relay_session_context(const struct np_relay_session *session)
{
	return session->context;
}

void np_relay_session_retry(struct np_relay_session *session)
{
	np_admit_retry(session);
}
