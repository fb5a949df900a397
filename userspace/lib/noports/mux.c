// SPDX-License-Identifier: BSD-3-Clause
/*
 *	DIALLING --relay connected, authenticated--> READY (is_ready)
 *	READY --control socket ends, failure, nothing open after the timeout--> ENDED (has_ended),
 *		told from the loop
 *
 * This file holds the control socket and the end; mux_client.c and mux_daemon.c open connections,
 * mux_conn.c holds one of them.
 */
#include "noports/mux_impl.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/aesctr.h"
#include "net/listen.h"
#include "noports/rdial.h"
#include "splice/splice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define AUTH_LINE_MAX 4096
#define SAME_END_MS 10000 /* both ends' timeouts run out about together */

/* ---- the end ---- */

static void stop_all(struct np_mux *mux)
{
	np_listener_close(mux->listener);
	rdial_cancel(mux->dial);
	mux->listener = NULL;
	mux->dial = NULL;
	ev_io_stop(mux->loop, &mux->readable);
	ev_io_stop(mux->loop, &mux->writable);
	ev_timer_stop(mux->loop, &mux->grace);
	ev_timer_stop(mux->loop, &mux->heartbeat);
	ev_timer_stop(mux->loop, &mux->pace);
	ev_timer_stop(mux->loop, &mux->soon);
}

/* Told in a turn of its own: the owner frees everything, and who notices the end still stands in
 * it. */
void mux_end(struct np_mux *mux, const struct np_err *err)
{
	if (mux->has_ended)
		return;
	stop_all(mux);
	mux->has_ended = true;
	mux->why = *err;
	ev_timer_set(&mux->soon, 0., 0.);
	ev_timer_start(mux->loop, &mux->soon);
}

static void control_gone(struct np_mux *mux, int code)
{
	struct np_err err = NP_ERR_INIT;

	if (!code && !mux->nr &&
	    (mux->grace_over || mux->grace_ends_ms - np_clock_mono_ms() < SAME_END_MS)) {
		mux_end(mux, &err);
		return;
	}
	np_fail(&err, -ECONNRESET,
		"session: the relay or the other end closed it%s%s (%u connections were open)",
		code ? ": " : "", code ? strerror(-code) : "", mux->nr);
	mux_end(mux, &err);
}

static void on_grace(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_err none = NP_ERR_INIT;
	struct np_mux *mux = w->data;

	(void)loop;
	(void)revents;
	mux->grace_over = true;
	if (!mux->nr)
		mux_end(mux, &none);
}

/* ---- control socket ---- */

static void flush(struct np_mux *mux)
{
	ssize_t n = 0;

	if (mux->out.len)
		n = send(mux->control, mux->out.data, mux->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		control_gone(mux, -errno);
		return;
	}
	if (n > 0)
		np_buf_consume(&mux->out, (size_t)n);
	if (mux->out.len)
		ev_io_start(mux->loop, &mux->writable);
	else
		ev_io_stop(mux->loop, &mux->writable);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	flush(w->data);
}

int mux_say(struct np_mux *mux, const struct np_mux_ctl *msg)
{
	struct np_buf text = NP_BUF_INIT;
	struct np_err err = NP_ERR_INIT;
	int ret;

	if (mux->has_ended)
		return -ESHUTDOWN;
	ret = np_mux_ctl_write(msg, &text);
	if (!ret && mux->encrypt)
		ret = np_aesctr_xor(mux->encrypt, text.data, text.len);
	if (!ret)
		ret = np_buf_append(&mux->out, text.data, text.len);
	if (text.data)
		np_wipe(text.data, text.len);
	np_buf_fini(&text);
	if (ret) {
		np_fail_errno(&err, ret, "control socket: cannot say a message");
		mux_end(mux, &err);
		return ret;
	}
	flush(mux);
	return mux->has_ended ? -ECONNRESET : 0;
}

int mux_dial(struct np_mux *mux, np_dial_cb cb, void *arg, struct rdial **out)
{
	struct rdial_params params = {
		.loop = mux->loop,
		.host = mux->relay_host,
		.port = mux->relay_port,
		.auth_line = mux->auth_line,
		.escr = mux->escr,
	};

	return rdial_start(&params, cb, arg, out);
}

static void take_messages(struct np_mux *mux, uint8_t *data, size_t len)
{
	struct np_err err = NP_ERR_INIT;
	int ret = mux->decrypt ? np_aesctr_xor(mux->decrypt, data, len) : 0;

	if (!ret)
		ret = np_mux_reader_put(&mux->reader, data, len);
	np_wipe(data, len);
	if (ret) {
		np_fail_errno(&err, ret, "control socket: cannot read");
		mux_end(mux, &err);
		return;
	}
	if (!np_mux_reader_room(&mux->reader))
		ev_io_stop(mux->loop, &mux->readable);
	mux_daemon_next(mux);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	uint8_t data[NP_MUX_CTL_MAX];
	struct np_mux *mux = w->data;
	bool client = mux->side == NP_BRIDGE_CLIENT;
	ssize_t n;

	(void)loop;
	(void)revents;
	n = recv(mux->control, data, client ? sizeof(data) : np_mux_reader_room(&mux->reader),
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		control_gone(mux, n ? -errno : 0);
	else if (!client)
		take_messages(mux, data, (size_t)n);
	else
		np_debug("control: %zd bytes from the device ignored",
			 n); /* no device says anything there yet */
}

static void control_up(struct np_mux *mux, int fd)
{
	double after = (double)mux->timeout_ms / 1000.;

	mux->control = fd;
	ev_io_set(&mux->readable, fd, EV_READ);
	ev_io_set(&mux->writable, fd, EV_WRITE);
	ev_io_start(mux->loop, &mux->readable);
	flush(mux);
	if (mux->has_ended)
		return;
	mux->is_ready = true;
	mux->grace_ends_ms = np_clock_mono_ms() + (long long)mux->timeout_ms;
	ev_now_update(mux->loop);
	ev_timer_set(&mux->grace, after, 0.);
	ev_timer_start(mux->loop, &mux->grace);
	if (mux->side == NP_BRIDGE_CLIENT)
		mux_client_start(mux);
	if (!mux->has_ended && mux->on_ready)
		mux->on_ready(mux, mux->local_port, mux->arg);
}

static void on_control(int fd, const struct np_err *err, void *arg)
{
	struct np_err own = *err;
	struct np_mux *mux = arg;

	mux->dial = NULL;
	if (fd >= 0) {
		control_up(mux, fd);
		return;
	}
	np_err_prefix(&own, "relay");
	mux_end(mux, &own);
}

static void on_soon(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_mux *mux = w->data;

	(void)loop;
	(void)revents;
	if (mux->has_ended)
		mux->on_end(mux, &mux->why, mux->arg);
	else
		control_up(mux, mux->control);
}

/* ---- start ---- */

static int copy_auth_line(struct np_mux *mux, const char *line, struct np_err *err)
{
	if (!line)
		return 0;
	if (strchr(line, '\n') || strlen(line) > AUTH_LINE_MAX)
		return np_fail(err, -EINVAL,
			       "relay authentication: is not one line of at most %d bytes",
			       AUTH_LINE_MAX);
	mux->auth_line = strdup(line);
	return mux->auth_line ? 0 : np_fail(err, -ENOMEM, "session: out of memory");
}

static int make_cipher(struct np_mux *mux, const struct np_session_keys *k, struct np_err *err)
{
	if (!k || !k->key_c2d.len)
		return 0;
	mux->encrypted = true;
	mux->twin = mux->reader.twin = k->twin;
	/* Messages go one way only. */
	if (k->key_c2d.len != NP_AES_KEY_LEN || k->iv_c2d.len != NP_AES_IV_LEN ||
	    np_aesctr_new(k->key_c2d.data, k->iv_c2d.data,
			  mux->side == NP_BRIDGE_CLIENT ? &mux->encrypt : &mux->decrypt))
		return np_fail(err, -EINVAL, "session keys: cannot be used");
	return 0;
}

static int set_up(struct np_mux *mux, const struct np_mux_params *params, struct np_err *err)
{
	const char *host =
		params->local_host && *params->local_host ? params->local_host : "localhost";
	int ret;

	if (!params->relay_host ||
	    np_str_copy(mux->relay_host, sizeof(mux->relay_host), params->relay_host) ||
	    !*mux->relay_host || !params->relay_port)
		return np_fail(err, -EINVAL, "relay: a host name and a port are needed");
	if (np_str_copy(mux->local_host, sizeof(mux->local_host), host))
		return np_fail(err, -EINVAL, "local host: the name is too long");
	ret = copy_auth_line(mux, params->auth_line, err);
	if (!ret)
		ret = make_cipher(mux, params->keys, err);
	if (!ret && mux->side == NP_BRIDGE_CLIENT)
		ret = mux_client_listen(mux, params->local_host, params->local_port, err);
	if (ret)
		return ret;
	if (mux->control >= 0) {
		ev_timer_start(mux->loop, &mux->soon);
		return 0;
	}
	ret = mux_dial(mux, on_control, mux, &mux->dial);
	return ret ? np_fail_errno(err, ret, "relay %s:%u: cannot dial", mux->relay_host,
				   mux->relay_port)
		   : 0;
}

int np_mux_open(const struct np_mux_params *params, struct np_mux **out, struct np_err *err)
{
	struct np_mux *mux = calloc(1, sizeof(*mux));
	int ret;

	if (!mux)
		return np_fail(err, -ENOMEM, "session: out of memory");
	mux->loop = params->loop;
	mux->side = params->side;
	mux->control = params->relay_fd ? *params->relay_fd : -1;
	if (params->relay_fd)
		*params->relay_fd = -1;
	mux->relay_port = params->relay_port;
	mux->local_port = params->local_port;
	mux->timeout_ms = params->timeout_ms;
	mux->escr = params->escr;
	mux->heartbeat_ms = params->heartbeat_ms;
	mux->on_ready = params->on_ready;
	mux->on_end = params->on_end;
	mux->arg = params->arg;
	ev_init(&mux->readable, on_readable);
	ev_init(&mux->writable, on_writable);
	ev_timer_init(&mux->grace, on_grace, 0., 0.);
	ev_timer_init(&mux->soon, on_soon, 0., 0.);
	mux->readable.data = mux->writable.data = mux->grace.data = mux->soon.data = mux;
	mux_client_init(mux);
	ret = set_up(mux, params, err);
	if (ret) {
		np_mux_close(mux);
		return ret;
	}
	*out = mux;
	return 0;
}

void np_mux_close(struct np_mux *mux)
{
	if (!mux)
		return;
	stop_all(mux);
	mux->has_ended = true;
	while (mux->first)
		mux_conn_free(mux->first);
	np_splice_free(mux->splice);
	np_fd_close(&mux->control);
	np_buf_fini(&mux->out);
	np_aesctr_free(mux->encrypt);
	np_aesctr_free(mux->decrypt);
	np_mux_reader_fini(&mux->reader);
	free(mux->auth_line);
	free(mux);
}

unsigned int np_mux_open_pairs(const struct np_mux *mux)
{
	return mux->nr;
}
