/* SPDX-License-Identifier: BSD-3-Clause */
/* The bridge as a process of its own: `srv` started, told its secrets, awaited (noports.md 6.1). */
#ifndef NP_NOPORTS_SRVPROC_H
#define NP_NOPORTS_SRVPROC_H

#include "noports/bridge.h"

#include <sys/types.h>

struct np_srv;

/**
 * struct np_srv_params - all text and keys are borrowed for the call.
 * @loop: the default loop (child programs are watched there)
 * @side: NP_BRIDGE_CLIENT listens on the local port, NP_BRIDGE_DAEMON connects to it
 * @auth_line, @escr, @keys: as in noports/bridge.h; they travel through a pipe, never in argv or
 *	environment
 * @timeout_s: client side: how long it waits for the local program; @multi: as in noports/mux.h
 * @multi: many connections in one session
 * @heartbeats: @multi, client side: say now and then that we are there; older devices take no such
 *	message
 * @on_started: once, from the loop; @err code 0 when the start line came, else srv's own words
 * @on_exit: after a good start, when the process has ended; the object is freed after it. May be
 *	NULL. After a failed start the object frees itself without it.
 */
struct np_srv_params {
	struct ev_loop *loop;
	enum np_bridge_side side;
	const char *relay_host;
	uint16_t relay_port;
	const char *local_host;
	uint16_t local_port;
	uint64_t timeout_s;
	bool multi, heartbeats;
	const char *auth_line;
	const struct np_escr *escr;
	const struct np_session_keys *keys;
	void (*on_started)(struct np_srv *srv, const struct np_err *err, void *arg);
	void (*on_exit)(struct np_srv *srv, int status, void *arg);
	void *arg;
};
int np_srv_start(const struct np_srv_params *params, struct np_srv **out, struct np_err *err);
/**
 * np_srv_forget() - no callback follows, the process goes on by itself. The object is freed. NULL
 * is accepted. Not from inside on_started, and not after a failed start.
 */
void np_srv_forget(struct np_srv *srv);
/**
 * np_srv_pick_port() - a port that is free on @ip ("localhost" for loopback), or whether *@port is.
 * srv binds it a moment later: a race that peers accept too (noports.md 8.4).
 */
int np_srv_pick_port(const char *ip, uint16_t *port, struct np_err *err);
pid_t np_srv_pid(const struct np_srv *srv);

#endif
