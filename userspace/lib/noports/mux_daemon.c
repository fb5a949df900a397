// SPDX-License-Identifier: BSD-3-Clause
/*
 * The device's side. One request at a time, because relay and client match sockets by order alone:
 *
 *	REQUESTED --relay connected, authenticated--> next request may start; target dialled
 *	target reached --> joined
 *	relay not reached: three more attempts, a second apart, then the session ends
 *	target not reached: what the client sends is read and dropped until it has seen the end
 *
 * What is not handled yet stays in the reader, and then in the socket: a flood of requests waits
 * outside.
 */
#include "noports/mux_impl.h"

#include "base/err.h"
#include "base/log.h"
#include "net/dial.h"

#include <errno.h>
#include <sys/socket.h>

#define ATTEMPTS 4
#define ATTEMPT_S 1.
#define DRAIN_S 10.

/* ---- a target that is not there ---- */

static void on_drain_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	mux_conn_closed(w->data);
}

static void on_drain(struct ev_loop *loop, ev_io *w, int revents)
{
	char waste[4096];
	ssize_t n = recv(w->fd, waste, sizeof(waste), MSG_DONTWAIT);

	(void)loop;
	(void)revents;
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	mux_conn_closed(w->data);
}

/* Closing at once would become a reset where the client's first bytes are unread, which reads like
 * a broken relay. */
static void say_goodbye(struct mux_conn *conn)
{
	struct ev_loop *loop = conn->mux->loop;

	(void)shutdown(conn->relay, SHUT_WR);
	ev_io_init(&conn->drain, on_drain, conn->relay, EV_READ);
	ev_timer_init(&conn->patience, on_drain_over, DRAIN_S, 0.);
	conn->drain.data = conn->patience.data = conn;
	ev_io_start(loop, &conn->drain);
	ev_now_update(loop);
	ev_timer_start(loop, &conn->patience);
}

static void on_target(int fd, const struct np_err *err, void *arg)
{
	struct mux_conn *conn = arg;

	conn->dial_local = NULL;
	if (fd < 0) {
		np_warn_err(err, "connection: target not reached");
		say_goodbye(conn);
		return;
	}
	conn->local = fd;
	mux_conn_join(conn);
}

/* ---- the relay ---- */

static void dial_relay(struct mux_conn *conn);

static void on_attempt(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	dial_relay(w->data);
}

static void relay_failed(struct mux_conn *conn, const struct np_err *err)
{
	struct np_err own = *err;

	if (++conn->attempts >= ATTEMPTS) {
		np_err_prefix(&own, "relay");
		mux_end(conn->mux, &own);
		return;
	}
	ev_timer_init(&conn->patience, on_attempt, ATTEMPT_S, 0.);
	ev_now_update(conn->mux->loop);
	ev_timer_start(conn->mux->loop, &conn->patience);
}

static void on_relay(int fd, const struct np_err *err, void *arg)
{
	struct np_err own = NP_ERR_INIT;
	struct mux_conn *conn = arg;
	struct np_mux *mux = conn->mux;
	int ret;

	conn->dial_relay = NULL;
	if (fd < 0) {
		relay_failed(conn, err);
		return;
	}
	conn->relay = fd;
	ret = np_dial_start(mux->loop, mux->local_host, mux->local_port, MUX_CONNECT_MS, on_target,
			    conn, &conn->dial_local);
	if (ret) {
		np_fail_errno(&own, ret, "local target %s:%u: cannot dial", mux->local_host,
			      mux->local_port);
		mux_end(mux, &own);
		return;
	}
	mux->current = NULL;
	mux_daemon_next(mux);
}

static void dial_relay(struct mux_conn *conn)
{
	struct np_mux *mux = conn->mux;
	struct np_err err = NP_ERR_INIT;
	int ret = mux_dial(mux, on_relay, conn, &conn->dial_relay);

	if (ret) {
		np_fail_errno(&err, ret, "%s:%u: cannot dial", mux->relay_host, mux->relay_port);
		relay_failed(conn, &err);
	}
}

/* ---- requests ---- */

static void open_conn(struct np_mux *mux, struct np_mux_ctl *msg)
{
	struct mux_conn *conn = mux_conn_new(mux);
	struct np_err err = NP_ERR_INIT;

	if (!conn) {
		np_fail(&err, -ENOMEM, "connection: out of memory");
		mux_end(mux, &err);
		return;
	}
	conn->keys = msg->keys; /* moved */
	msg->keys = (struct np_session_keys){.twin = false};
	mux->current = conn;
	dial_relay(conn);
}

/* Whoever can write to the control socket cannot talk an encrypted session out of it. */
static int check(const struct np_mux *mux, const struct np_mux_ctl *msg, struct np_err *err)
{
	if (msg->type == NP_MUX_CLEAR && mux->encrypted)
		return np_fail(
			err, -EPROTO,
			"control socket: asks for a connection in clear in an encrypted session");
	return 0;
}

void mux_daemon_next(struct np_mux *mux)
{
	struct np_err err = NP_ERR_INIT;
	struct np_mux_ctl msg;
	int ret = 0;

	while (!mux->has_ended && !mux->current && mux->nr < NP_MUX_PAIRS_MAX) {
		ret = np_mux_reader_next(&mux->reader, &msg, &err);
		if (ret <= 0)
			break;
		ret = check(mux, &msg, &err);
		if (ret)
			break;
		if (msg.type == NP_MUX_CONNECT || msg.type == NP_MUX_CLEAR)
			open_conn(mux, &msg);
		else if (msg.type == NP_MUX_HEARTBEAT)
			np_debug("control: heartbeat number=%llu",
				 (unsigned long long)msg.heartbeat);
		np_mux_ctl_fini(&msg);
	}
	if (mux->has_ended)
		return;
	if (ret < 0) {
		mux_end(mux, &err);
		return;
	}
	if (np_mux_reader_room(&mux->reader))
		ev_io_start(mux->loop, &mux->readable);
}
