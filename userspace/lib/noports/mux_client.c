// SPDX-License-Identifier: BSD-3-Clause
/*
 * The client's side. Relay and device match sockets by order alone, so connections are opened
 * strictly one after another:
 *
 *	WAITING (accepted) --its turn--> CURRENT (dials the relay)
 *	CURRENT --authenticated, may_say()--> `connect` said, joined
 *
 * Devices exist that handle each request in a thread of its own; two requests close together may
 * then reach the relay swapped (noports.md 6.4). So a `connect` message waits until the connection
 * before it has brought a byte, which proves it paired, or for 20 ms, which keeps even those in
 * order. The next relay socket is dialled meanwhile: what waits is its message.
 */
#include "noports/mux_impl.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "net/listen.h"
#include "net/sock.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define PACE_MS 20
#define LOOK_S 0.001 /* how often to look whether the wait is over */
#define BACKLOG 512

static void fail_session(struct np_mux *mux, int code, const char *what)
{
	struct np_err err = NP_ERR_INIT;

	np_fail_errno(&err, code, "relay %s:%u: %s", mux->relay_host, mux->relay_port, what);
	mux_end(mux, &err);
}

/* From here on the relay counts this socket: whatever goes wrong ends the session. */
static void say_connect(struct mux_conn *conn)
{
	struct np_mux_ctl msg = {.type = conn->mux->encrypted ? NP_MUX_CONNECT : NP_MUX_CLEAR};
	struct np_mux *mux = conn->mux;
	int ret = 0;

	if (mux->encrypted)
		ret = np_session_keys_generate(mux->twin, &conn->keys);
	if (ret) {
		fail_session(mux, ret, "no keys for a connection");
		return;
	}
	msg.keys = conn->keys; /* borrowed */
	if (mux_say(mux, &msg))
		return;
	mux->current = NULL;
	mux->previous = conn;
	mux->previous_heard = false;
	mux->said_at_ms = np_clock_mono_ms();
	mux_conn_join(conn);
	mux_client_next(mux);
}

static bool may_say(const struct np_mux *mux)
{
	if (mux->previous ? mux_conn_heard(mux->previous) : mux->previous_heard)
		return true;
	return !mux->said_at_ms || np_clock_mono_ms() - mux->said_at_ms >= PACE_MS;
}

static void on_pace(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_mux *mux = w->data;

	(void)revents;
	if (mux->current && mux->current->relay >= 0 && !may_say(mux))
		return;
	ev_timer_stop(loop, w);
	if (mux->current && mux->current->relay >= 0)
		say_connect(mux->current);
}

static void on_relay(int fd, const struct np_err *err, void *arg)
{
	struct mux_conn *conn = arg;
	struct np_mux *mux = conn->mux;

	conn->dial_relay = NULL;
	if (fd < 0) {
		/* The relay may have seen a connection that we gave up, and count it. */
		fail_session(mux, err->code, "no further connection");
		return;
	}
	conn->relay = fd;
	if (may_say(mux)) {
		say_connect(conn);
		return;
	}
	ev_now_update(mux->loop);
	ev_timer_again(mux->loop, &mux->pace);
}

void mux_client_next(struct np_mux *mux)
{
	struct mux_conn *conn;
	int ret;

	if (mux->current || !mux->is_ready || mux->has_ended)
		return;
	for (conn = mux->first; conn && (conn->tunnel || conn->pair); conn = conn->next)
		;
	if (!conn)
		return;
	mux->current = conn;
	ret = mux_dial(mux, on_relay, conn, &conn->dial_relay);
	if (ret)
		fail_session(mux, ret, "cannot dial");
}

static void on_accept(int fd, const struct np_addr *peer, void *arg)
{
	struct np_mux *mux = arg;
	struct mux_conn *conn = mux->nr < NP_MUX_PAIRS_MAX ? mux_conn_new(mux) : NULL;

	(void)peer;
	if (!conn) {
		np_warn("connection: refused, the session has %u already", mux->nr);
		np_sock_reset(&fd);
		return;
	}
	np_sock_tune(fd);
	conn->local = fd;
	mux_client_next(mux);
}

static void on_heartbeat(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_mux_ctl msg = {.type = NP_MUX_HEARTBEAT};
	struct np_mux *mux = w->data;

	(void)loop;
	(void)revents;
	msg.heartbeat = ++mux->nr_heartbeats;
	(void)mux_say(mux, &msg);
}

void mux_client_init(struct np_mux *mux)
{
	ev_timer_init(&mux->pace, on_pace, 0., LOOK_S);
	ev_timer_init(&mux->heartbeat, on_heartbeat, 0., 0.);
	mux->pace.data = mux->heartbeat.data = mux;
}

int mux_client_listen(struct np_mux *mux, const char *host, uint16_t port, struct np_err *err)
{
	int fd, ret;

	/* Loopback unless told otherwise: whoever reaches this port reaches the device's network.
	 */
	if (!host || !*host || !strcmp(host, "localhost"))
		host = "127.0.0.1";
	fd = np_sock_listen(host, port, BACKLOG, err);
	if (fd < 0)
		return fd;
	ret = np_listener_open(mux->loop, fd, "npt", on_accept, mux, &mux->listener);
	if (ret)
		return np_fail(err, ret, "local port %u: out of memory", port);
	mux->local_port = np_listener_port(mux->listener);
	return 0;
}

void mux_client_start(struct np_mux *mux)
{
	double every = (double)mux->heartbeat_ms / 1000.;

	if (mux->heartbeat_ms) {
		ev_timer_set(&mux->heartbeat, every, every);
		ev_timer_start(mux->loop, &mux->heartbeat);
	}
	mux_client_next(mux);
}
