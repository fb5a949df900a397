/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session of many connections (noports.md 6.4): one control socket, and a pair of relay sockets
 * for each connection of a local program. It ends with its control socket, or when nothing is open
 * after the timeout.
 */
#ifndef NP_NOPORTS_MUX_H
#define NP_NOPORTS_MUX_H

#include "noports/bridge.h"

struct np_mux;

#define NP_MUX_PAIRS_MAX 1024 /* open connections of one session */

/**
 * struct np_mux_params - text is borrowed until np_mux_open() returns, keys are copied.
 * @side: NP_BRIDGE_CLIENT listens on local_host:local_port, NP_BRIDGE_DAEMON connects to it for
 * every connection
 * @auth_line: relay authentication line without LF, said on every socket; or NULL
 * @escr: challenge-response mode, instead of @auth_line; must live as long as the session
 * @relay_fd: NULL, or the control socket: connected to the relay and authenticated; taken (set to
 * -1)
 * @keys: of the control socket; empty (no key_c2d) for a session without encryption
 * @timeout_ms: from the start; afterwards the session ends as soon as no connection is open
 * @heartbeat_ms: client: how often to say that we are there, 0 for never
 * @on_ready: once: the control socket stands (and the client side listens on @local_port). May be
 * NULL
 * @on_end: once, from the loop; @err code 0 for an orderly end. The owner then calls np_mux_close()
 */
struct np_mux_params {
	struct ev_loop *loop;
	enum np_bridge_side side;
	const char *relay_host;
	uint16_t relay_port;
	const char *local_host;
	uint16_t local_port;
	const char *auth_line;
	const struct np_escr *escr;
	int *relay_fd;
	const struct np_session_keys *keys;
	uint64_t timeout_ms;
	uint64_t heartbeat_ms;
	void (*on_ready)(struct np_mux *mux, uint16_t local_port, void *arg);
	void (*on_end)(struct np_mux *mux, const struct np_err *err, void *arg);
	void *arg;
};
int np_mux_open(const struct np_mux_params *params, struct np_mux **out, struct np_err *err);
void np_mux_close(
	struct np_mux *mux); /* resets what is open; no callback follows; NULL is accepted */
/** np_mux_open_pairs() - connections that are open or being opened. */
unsigned int np_mux_open_pairs(const struct np_mux *mux);

#endif
