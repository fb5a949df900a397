// SPDX-License-Identifier: BSD-3-Clause
#include "noports/mux_impl.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "crypto/aesctr.h"
#include "net/sock.h"
#include "noports/rdial.h"
#include "noports/tunnel.h"
#include "splice/splice.h"

#include <errno.h>
#include <stdlib.h>

struct mux_conn *mux_conn_new(struct np_mux *mux)
{
	struct mux_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->mux = mux;
	conn->local = conn->relay = -1;
	ev_init(&conn->drain, NULL);
	ev_init(&conn->patience, NULL);
	conn->drain.data = conn->patience.data = conn;
	conn->prev = mux->last;
	if (mux->last)
		mux->last->next = conn;
	else
		mux->first = conn;
	mux->last = conn;
	mux->nr++;
	return conn;
}

bool mux_conn_heard(const struct mux_conn *conn)
{
	uint64_t from_local, from_relay = 0;
	struct np_splice_stats stats;

	if (conn->tunnel)
		np_tunnel_bytes(conn->tunnel, &from_local, &from_relay);
	if (conn->pair) {
		np_pair_stats(conn->pair, &stats);
		from_relay = stats.bytes[1];
	}
	return from_relay || conn->heard;
}

static void unlink_conn(struct mux_conn *conn)
{
	struct np_mux *mux = conn->mux;

	if (conn->prev)
		conn->prev->next = conn->next;
	else
		mux->first = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	else
		mux->last = conn->prev;
	mux->nr--;
	if (mux->current == conn)
		mux->current = NULL;
	if (mux->previous == conn) {
		mux->previous_heard = mux_conn_heard(conn);
		mux->previous = NULL;
	}
}

void mux_conn_free(struct mux_conn *conn)
{
	unlink_conn(conn);
	np_dial_cancel(conn->dial_local);
	rdial_cancel(conn->dial_relay);
	ev_io_stop(conn->mux->loop, &conn->drain);
	ev_timer_stop(conn->mux->loop, &conn->patience);
	if (conn->mux->has_ended)
		np_tunnel_abort(conn->tunnel);
	else
		np_tunnel_close(conn->tunnel);
	np_pair_kill(conn->pair);
	if (conn->local >= 0)
		np_sock_reset(&conn->local);
	np_fd_close(&conn->relay);
	np_session_keys_fini(&conn->keys);
	free(conn);
}

void mux_conn_closed(struct mux_conn *conn)
{
	struct np_err none = NP_ERR_INIT;
	struct np_mux *mux = conn->mux;

	mux_conn_free(conn);
	if (!mux->nr && mux->grace_over)
		mux_end(mux, &none);
	else if (mux->side == NP_BRIDGE_CLIENT)
		mux_client_next(mux);
	else
		mux_daemon_next(mux);
}

/*
 * A relay socket that breaks before anything came through it may never have been paired. Then the
 * relay would match every later connection with a wrong one, and each end would decrypt with
 * another connection's keys: the session must end. An orderly close is what a target that is not
 * there looks like.
 */
static bool order_is_lost(const struct mux_conn *conn, bool at_relay, uint64_t from_relay)
{
	return at_relay && !from_relay && conn->mux->side == NP_BRIDGE_CLIENT;
}

static void conn_over(struct mux_conn *conn, const struct np_err *err, bool at_relay,
		      uint64_t from_relay)
{
	struct np_err own = NP_ERR_INIT;

	if (!err->code || !order_is_lost(conn, at_relay, from_relay)) {
		np_debug("connection: closed open=%u%s%s", conn->mux->nr - 1,
			 err->code ? " reason=" : "", err->code ? np_err_text(err) : "");
		mux_conn_closed(conn);
		return;
	}
	np_fail(&own, -ECONNABORTED,
		"relay: broke a connection before its first byte, so that later ones could be "
		"mixed up");
	mux_end(conn->mux, &own);
}

static void on_tunnel_end(struct np_tunnel *tunnel, const struct np_err *err, void *arg)
{
	uint64_t from_local, from_relay;

	np_tunnel_bytes(tunnel, &from_local, &from_relay);
	conn_over(arg, err, np_tunnel_relay_failed(tunnel), from_relay);
}

static void on_pair_end(struct np_pair *pair, enum np_pair_end how,
			const struct np_splice_stats *stats, void *arg)
{
	struct np_err err = NP_ERR_INIT;
	struct mux_conn *conn = arg;

	(void)pair;
	conn->pair = NULL;
	conn->heard = stats->bytes[1];
	if (how != NP_END_EOF)
		np_fail(&err, -ECONNRESET, "%s", np_pair_end_name(how));
	conn_over(conn, &err, how == NP_END_RESET_B, stats->bytes[1]);
}

static int join_clear(struct mux_conn *conn, struct np_err *err)
{
	struct np_pair_params params = {
		.fd = {conn->local, conn->relay},
		.on_end = on_pair_end,
		.arg = conn,
	};
	struct np_mux *mux = conn->mux;
	int ret = 0;

	if (!mux->splice)
		ret = np_splice_new(mux->loop, "auto", &mux->splice, err);
	if (ret)
		return ret;
	conn->local = conn->relay = -1;
	return np_pair_join(mux->splice, &params, &conn->pair, err);
}

static int make_ciphers(struct mux_conn *conn, struct np_tunnel_params *params)
{
	bool client = conn->mux->side == NP_BRIDGE_CLIENT;
	const struct np_session_keys *k = &conn->keys;
	int ret;

	ret = np_aesctr_new(k->key_c2d.data, k->iv_c2d.data,
			    client ? &params->encrypt : &params->decrypt);
	if (!ret)
		ret = np_aesctr_new(k->key_d2c.data, k->iv_d2c.data,
				    client ? &params->decrypt : &params->encrypt);
	if (ret) {
		np_aesctr_free(params->encrypt);
		np_aesctr_free(params->decrypt);
	}
	return ret;
}

static int join_tunnel(struct mux_conn *conn, struct np_err *err)
{
	struct np_tunnel_params params = {
		.loop = conn->mux->loop,
		.local_in = conn->local,
		.local_out = conn->local,
		.relay = conn->relay,
		.on_end = on_tunnel_end,
		.arg = conn,
	};
	int ret = make_ciphers(conn, &params);

	if (ret)
		return np_fail_errno(err, ret, "session keys: cannot be used");
	conn->local = conn->relay = -1;
	return np_tunnel_open(&params, &conn->tunnel, err);
}

void mux_conn_join(struct mux_conn *conn)
{
	struct np_err err = NP_ERR_INIT;
	bool encrypted = conn->keys.key_c2d.len;

	np_sock_be_patient(conn->local);
	np_sock_be_patient(conn->relay);
	if (encrypted ? join_tunnel(conn, &err) : join_clear(conn, &err)) {
		mux_end(conn->mux, &err);
		return;
	}
	np_session_keys_fini(&conn->keys);
	np_debug("connection: open open=%u", conn->mux->nr);
}
