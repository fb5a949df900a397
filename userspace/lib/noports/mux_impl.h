/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the mux: session and connection, shared by both sides' files. */
#ifndef NP_NOPORTS_MUX_IMPL_H
#define NP_NOPORTS_MUX_IMPL_H

#include "base/buf.h"
#include "base/err.h"
#include "net/addr.h"
#include "net/dial.h"
#include "noports/mux.h"
#include "noports/mux_ctl.h"

#include <ev.h>

struct np_aesctr;
struct rdial;
struct np_listener;
struct np_pair;
struct np_splice;
struct np_tunnel;

#define MUX_CONNECT_MS 10000

/* One connection of a local program; fds are ours until joined. */
struct mux_conn {
	struct mux_conn *prev, *next;
	struct np_mux *mux;
	int local, relay;
	struct np_dial *dial_local;
	struct rdial *dial_relay;
	struct np_session_keys keys;
	struct np_tunnel *tunnel;
	struct np_pair *pair;
	bool heard; /* of a pair that has ended: a byte came from the relay */
	ev_io drain;	   /* daemon: what the client still sends to a target that is not there */
	ev_timer patience; /* daemon: the next attempt, or the end of draining */
	unsigned int attempts;
};

struct np_mux {
	struct ev_loop *loop;
	enum np_bridge_side side;
	char relay_host[NP_HOST_MAX], local_host[NP_HOST_MAX];
	uint16_t relay_port, local_port;
	char *auth_line; /* NULL for none */
	const struct np_escr *escr;
	/* control socket */
	int control;
	struct rdial *dial;
	ev_io readable, writable;
	struct np_buf out; /* messages, ciphered already */
	struct np_aesctr *encrypt, *decrypt;
	struct np_mux_reader reader;
	bool encrypted, twin, is_ready, has_ended, grace_over;
	struct np_err why; /* of the end */
	long long grace_ends_ms;
	ev_timer grace, heartbeat, pace, soon;
	uint64_t nr_heartbeats, timeout_ms, heartbeat_ms;
	/* connections, oldest first */
	struct mux_conn *first, *last;
	unsigned int nr;
	struct mux_conn *current; /* the one that is being opened: there is never a second */
	/* Client: the one before it, until it has closed; when its message went out. */
	struct mux_conn *previous;
	bool previous_heard; /* of one that has closed */
	long long said_at_ms;
	struct np_listener *listener;
	struct np_splice *splice;
	void (*on_ready)(struct np_mux *mux, uint16_t local_port, void *arg);
	void (*on_end)(struct np_mux *mux, const struct np_err *err, void *arg);
	void *arg;
};

/* mux.c */
/** mux_end() - everything stops; the owner hears of it from the loop, so that nothing is freed
 * under the caller. */
void mux_end(struct np_mux *mux, const struct np_err *err);
/** mux_say() - queue a message on the control socket. A failure ends the session. Return: 0 or
 * negative. */
int mux_say(struct np_mux *mux, const struct np_mux_ctl *msg);
/** mux_dial() - a data socket to the relay, authenticated. */
int mux_dial(struct np_mux *mux, np_dial_cb cb, void *arg, struct rdial **out);

/* mux_conn.c */
struct mux_conn *mux_conn_new(struct np_mux *mux); /* appended; NULL on no memory */
void mux_conn_free(struct mux_conn *conn);	   /* resets what it holds */
/** mux_conn_closed() - free @conn and end the session if it was the last one after the timeout. */
void mux_conn_closed(struct mux_conn *conn);
/** mux_conn_heard() - has a byte come from the relay? Then this connection is paired. */
bool mux_conn_heard(const struct mux_conn *conn);
/** mux_conn_join() - both sockets are there: let bytes flow. A failure ends the session. */
void mux_conn_join(struct mux_conn *conn);

/* mux_client.c */
void mux_client_init(struct np_mux *mux); /* timers; harmless on the other side */
int mux_client_listen(struct np_mux *mux, const char *host, uint16_t port, struct np_err *err);
void mux_client_start(struct np_mux *mux); /* the control socket stands */
void mux_client_next(struct np_mux *mux);  /* open the connection that has waited longest */

/* mux_daemon.c */
void mux_daemon_next(struct np_mux *mux); /* take requests for as long as there is room */

#endif
