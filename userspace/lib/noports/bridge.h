/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bridge between a local program and the relay: what `srv` is, in process (noports.md 6).
 * It authenticates the relay socket, then moves bytes, AES-256-CTR in between when the session is
 * encrypted, through the splice engine when it is not.
 */
#ifndef NP_NOPORTS_BRIDGE_H
#define NP_NOPORTS_BRIDGE_H

#include "noports/sessionkeys.h"

#include <stdint.h>

struct ev_loop;
struct np_bridge;
struct np_err;
struct np_escr;

enum np_bridge_side { NP_BRIDGE_CLIENT, NP_BRIDGE_DAEMON };
enum np_bridge_local {
	NP_LOCAL_LISTEN,  /* accept one connection on local_host:local_port */
	NP_LOCAL_CONNECT, /* connect to local_host:local_port */
	NP_LOCAL_FDS,	  /* use fd_in and fd_out (stdio of a ProxyCommand), taken */
};

/**
 * struct np_bridge_params - text is borrowed until np_bridge_open() returns, keys are copied.
 * @auth_line: relay authentication line without LF (payload mode), or NULL for none
 * @escr: challenge-response mode, instead of @auth_line; must live as long as the bridge
 * @relay_fd: NULL, or a socket that is already connected to the relay and has said its auth line;
 *	taken (set to -1)
 * @keys: empty (no key_c2d) for an unencrypted session
 * @timeout_ms: NP_LOCAL_LISTEN: how long to wait for the local program
 * @on_ready: the daemon side is connected both ways and authenticated, or the client side listens
 *	(@local_port real); what `rv started successfully` means. May be NULL
 * @on_end: once; @err code 0 for an orderly end. The owner then calls np_bridge_close()
 */
struct np_bridge_params {
	struct ev_loop *loop;
	enum np_bridge_side side;
	enum np_bridge_local local;
	const char *relay_host;
	uint16_t relay_port;
	const char *local_host;
	uint16_t local_port;
	int fd_in, fd_out;
	const char *auth_line;
	const struct np_escr *escr;
	int *relay_fd;
	const struct np_session_keys *keys;
	unsigned int timeout_ms;
	void (*on_ready)(struct np_bridge *bridge, uint16_t local_port, void *arg);
	void (*on_end)(struct np_bridge *bridge, const struct np_err *err, void *arg);
	void *arg;
};
int np_bridge_open(const struct np_bridge_params *params, struct np_bridge **out,
		   struct np_err *err);
void np_bridge_close(struct np_bridge *bridge); /* no callback follows; NULL is accepted */

#endif
