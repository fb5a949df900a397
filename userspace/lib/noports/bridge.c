// SPDX-License-Identifier: BSD-3-Clause
/*
 * States of a bridge; the relay is dialled on entering DIALLING:
 *
 *	LISTENING --local program connects--> DIALLING		(NP_LOCAL_LISTEN)
 *	DIALLING --relay connected, auth line sent; local connected--> JOINED
 *	any --failure, deadline--> ENDED	JOINED --both directions done--> ENDED
 *
 * The daemon side dials its target and the relay at the same time, and says its auth line as soon
 * as the relay is there: some relays listen for it for half a second only (noports.md 5.7).
 */
#include "noports/bridge.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypto/aesctr.h"
#include "net/dial.h"
#include "net/listen.h"
#include "net/sock.h"
#include "noports/rdial.h"
#include "noports/tunnel.h"
#include "splice/splice.h"

#include <ev.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_MS 10000
#define AUTH_LINE_MAX 4096

enum state { LISTENING, DIALLING, JOINED, ENDED };

struct np_bridge {
	struct ev_loop *loop;
	enum state state;
	enum np_bridge_local local;
	struct np_listener *listener;
	struct np_dial *dial_local;
	struct rdial *dial_relay;
	int local_in, local_out, relay; /* ours until joined */
	struct np_aesctr *encrypt, *decrypt;
	struct np_tunnel *tunnel;
	struct np_splice *splice;
	struct np_pair *pair;
	ev_timer deadline, soon; /* soon: what must not be said from inside np_bridge_open() */
	uint16_t local_port, relay_port;
	char relay_host[NP_HOST_MAX];
	char *auth_line;
	const struct np_escr *escr;
	void (*on_ready)(struct np_bridge *bridge, uint16_t local_port, void *arg);
	void (*on_end)(struct np_bridge *bridge, const struct np_err *err, void *arg);
	void *arg;
};

static void drop_connections(struct np_bridge *b)
{
	np_listener_close(b->listener);
	np_dial_cancel(b->dial_local);
	rdial_cancel(b->dial_relay);
	b->listener = NULL;
	b->dial_local = NULL;
	b->dial_relay = NULL;
	ev_timer_stop(b->loop, &b->deadline);
	ev_timer_stop(b->loop, &b->soon);
	if (b->local_out != b->local_in)
		np_fd_close(&b->local_out);
	np_fd_close(&b->local_in);
	b->local_out = -1;
	np_fd_close(&b->relay);
}

static void end(struct np_bridge *b, const struct np_err *err)
{
	if (b->state == ENDED)
		return;
	b->state = ENDED;
	drop_connections(b);
	b->on_end(b, err, b->arg);
}

static void on_tunnel_end(struct np_tunnel *tunnel, const struct np_err *err, void *arg)
{
	(void)tunnel;
	end(arg, err);
}

static void on_pair_end(struct np_pair *pair, enum np_pair_end how,
			const struct np_splice_stats *stats, void *arg)
{
	struct np_err err = NP_ERR_INIT;
	struct np_bridge *b = arg;

	(void)pair;
	(void)stats;
	b->pair = NULL;
	if (how != NP_END_EOF)
		np_fail(&err, -ECONNRESET, "tunnel: %s side: connection reset",
			how == NP_END_RESET_A ? "local" : "relay");
	end(b, &err);
}

static int join_clear(struct np_bridge *b, struct np_err *err)
{
	struct np_pair_params params = {
		.fd = {b->local_in, b->relay},
		.on_end = on_pair_end,
		.arg = b,
	};
	int ret;

	ret = np_splice_new(b->loop, "auto", &b->splice, err);
	if (ret)
		return ret;
	b->local_in = b->local_out = b->relay = -1;
	return np_pair_join(b->splice, &params, &b->pair, err);
}

static int join_tunnel(struct np_bridge *b, struct np_err *err)
{
	struct np_tunnel_params params = {
		.loop = b->loop,
		.local_in = b->local_in,
		.local_out = b->local_out,
		.relay = b->relay,
		.encrypt = b->encrypt,
		.decrypt = b->decrypt,
		.on_end = on_tunnel_end,
		.arg = b,
	};

	b->local_in = b->local_out = b->relay = -1;
	b->encrypt = b->decrypt = NULL;
	return np_tunnel_open(&params, &b->tunnel, err);
}

static void join_when_complete(struct np_bridge *b)
{
	bool clear = !b->encrypt && b->local != NP_LOCAL_FDS;
	struct np_err err = NP_ERR_INIT;
	int ret;

	if (b->local_in < 0 || b->relay < 0)
		return;
	ev_timer_stop(b->loop, &b->deadline);
	np_sock_be_patient(b->relay);
	np_sock_be_patient(b->local_in);
	b->state = JOINED;
	ret = clear ? join_clear(b, &err) : join_tunnel(b, &err);
	if (ret)
		end(b, &err);
	else if (b->local != NP_LOCAL_LISTEN && b->on_ready)
		b->on_ready(b, b->local_port, b->arg);
}

static void on_relay(int fd, const struct np_err *err, void *arg)
{
	struct np_err own = NP_ERR_INIT;
	struct np_bridge *b = arg;

	b->dial_relay = NULL;
	if (fd < 0) {
		own = *err;
		np_err_prefix(&own, "relay");
		end(b, &own);
		return;
	}
	b->relay = fd;
	join_when_complete(b);
}

static void dial_relay(struct np_bridge *b)
{
	struct rdial_params params = {
		.loop = b->loop,
		.host = b->relay_host,
		.port = b->relay_port,
		.auth_line = b->auth_line,
		.escr = b->escr,
	};
	struct np_err err = NP_ERR_INIT;
	int ret;

	b->state = DIALLING;
	if (b->relay >= 0) {
		join_when_complete(b);
		return;
	}
	ret = rdial_start(&params, on_relay, b, &b->dial_relay);
	if (ret) {
		np_fail_errno(&err, ret, "relay %s:%u: cannot dial", b->relay_host, b->relay_port);
		end(b, &err);
	}
}

static void on_local(int fd, const struct np_err *err, void *arg)
{
	struct np_err own = NP_ERR_INIT;
	struct np_bridge *b = arg;

	b->dial_local = NULL;
	if (fd < 0) {
		own = *err;
		np_err_prefix(&own, "local target");
		end(b, &own);
		return;
	}
	b->local_in = b->local_out = fd;
	join_when_complete(b);
}

static void on_accept(int fd, const struct np_addr *peer, void *arg)
{
	struct np_bridge *b = arg;

	(void)peer;
	np_listener_close(b->listener);
	b->listener = NULL;
	np_sock_tune(fd);
	b->local_in = b->local_out = fd;
	dial_relay(b);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_err err = NP_ERR_INIT;
	struct np_bridge *b = w->data;

	(void)loop;
	(void)revents;
	if (b->state == LISTENING)
		np_fail(&err, -ETIMEDOUT, "local port %u: no program connected in time",
			b->local_port);
	else
		np_fail(&err, -ETIMEDOUT, "relay %s:%u: not connected in time", b->relay_host,
			b->relay_port);
	end(b, &err);
}

static void on_soon(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_bridge *b = w->data;

	(void)loop;
	(void)revents;
	if (b->state == LISTENING) {
		if (b->on_ready)
			b->on_ready(b, b->local_port, b->arg);
		return;
	}
	dial_relay(b);
}

static int start_listening(struct np_bridge *b, const struct np_bridge_params *params,
			   struct np_err *err)
{
	const char *ip = params->local_host;
	int fd, ret;

	/* Loopback unless told otherwise: whoever reaches this port reaches the device. */
	if (!ip || !*ip || !strcmp(ip, "localhost"))
		ip = "127.0.0.1";
	fd = np_sock_listen(ip, params->local_port, 1, err);
	if (fd < 0)
		return fd;
	ret = np_listener_open(b->loop, fd, "bridge", on_accept, b, &b->listener);
	if (ret)
		return np_fail(err, ret, "local port %u: out of memory", params->local_port);
	b->local_port = np_listener_port(b->listener);
	b->state = LISTENING;
	ev_timer_set(&b->deadline, params->timeout_ms / 1000., 0.);
	ev_now_update(b->loop);
	ev_timer_start(b->loop, &b->deadline);
	return 0;
}

static int start_local(struct np_bridge *b, const struct np_bridge_params *params,
		       struct np_err *err)
{
	const char *host =
		params->local_host && *params->local_host ? params->local_host : "localhost";
	int ret;

	b->state = DIALLING;
	b->local_port = params->local_port;
	if (params->local == NP_LOCAL_LISTEN)
		return start_listening(b, params, err);
	if (params->local == NP_LOCAL_FDS)
		return 0;
	ret = np_dial_start(b->loop, host, params->local_port, CONNECT_MS, on_local, b,
			    &b->dial_local);
	return ret ? np_fail_errno(err, ret, "local target %s:%u: cannot dial", host,
				   params->local_port)
		   : 0;
}

static int one_cipher(const struct np_secret *key, const struct np_secret *iv,
		      struct np_aesctr **out)
{
	if (key->len != NP_AES_KEY_LEN || iv->len != NP_AES_IV_LEN)
		return -EINVAL;
	return np_aesctr_new(key->data, iv->data, out);
}

static int make_ciphers(struct np_bridge *b, const struct np_bridge_params *params,
			struct np_err *err)
{
	const struct np_session_keys *k = params->keys;
	bool client = params->side == NP_BRIDGE_CLIENT;
	int ret;

	if (!k || !k->key_c2d.len)
		return 0;
	ret = one_cipher(&k->key_c2d, &k->iv_c2d, client ? &b->encrypt : &b->decrypt);
	if (!ret)
		ret = one_cipher(&k->key_d2c, &k->iv_d2c, client ? &b->decrypt : &b->encrypt);
	return ret ? np_fail_errno(err, ret, "session keys: cannot be used") : 0;
}

static int copy_params(struct np_bridge *b, const struct np_bridge_params *params,
		       struct np_err *err)
{
	const char *line = params->auth_line;

	b->relay_port = params->relay_port;
	b->escr = params->escr;
	if (!params->relay_host ||
	    np_str_copy(b->relay_host, sizeof(b->relay_host), params->relay_host) ||
	    !*b->relay_host || !b->relay_port)
		return np_fail(err, -EINVAL, "relay: a host name and a port are needed");
	if (!line || b->relay >= 0)
		return 0;
	if (strchr(line, '\n') || strlen(line) > AUTH_LINE_MAX)
		return np_fail(err, -EINVAL,
			       "relay authentication: is not one line of at most %d bytes",
			       AUTH_LINE_MAX);
	b->auth_line = strdup(line);
	return b->auth_line ? 0 : np_fail(err, -ENOMEM, "bridge: out of memory");
}

int np_bridge_open(const struct np_bridge_params *params, struct np_bridge **out,
		   struct np_err *err)
{
	bool with_fds = params->local == NP_LOCAL_FDS;
	struct np_bridge *b = calloc(1, sizeof(*b));
	int ret;

	if (!b)
		return np_fail(err, -ENOMEM, "bridge: out of memory");
	b->loop = params->loop;
	b->local = params->local;
	b->local_in = with_fds ? params->fd_in : -1;
	b->local_out = with_fds ? params->fd_out : -1;
	b->relay = params->relay_fd ? *params->relay_fd : -1;
	if (params->relay_fd)
		*params->relay_fd = -1;
	b->on_ready = params->on_ready;
	b->on_end = params->on_end;
	b->arg = params->arg;
	ev_timer_init(&b->deadline, on_deadline, 0., 0.);
	ev_timer_init(&b->soon, on_soon, 0., 0.);
	b->deadline.data = b->soon.data = b;
	if ((ret = copy_params(b, params, err)) || (ret = make_ciphers(b, params, err)) ||
	    (ret = start_local(b, params, err))) {
		np_bridge_close(b);
		return ret;
	}
	ev_timer_start(b->loop, &b->soon);
	*out = b;
	return 0;
}

void np_bridge_close(struct np_bridge *b)
{
	if (!b)
		return;
	b->state = ENDED;
	drop_connections(b);
	np_tunnel_close(b->tunnel);
	np_pair_kill(b->pair);
	np_splice_free(b->splice);
	np_aesctr_free(b->encrypt);
	np_aesctr_free(b->decrypt);
	free(b->auth_line);
	free(b);
}
