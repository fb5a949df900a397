/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside noports/: a connection to the relay that has proved who it is, whatever the mode. */
#ifndef NP_NOPORTS_RDIAL_H
#define NP_NOPORTS_RDIAL_H

#include "net/dial.h"

struct np_escr;
struct rdial;

/**
 * struct rdial_params - borrowed for the call, but for @escr, which must live until the outcome.
 * @auth_line: payload mode: the line without LF, said at once, as some relays listen for it for
 *	half a second only (noports.md 5.7). NULL with @escr, and when the relay wants no proof
 */
struct rdial_params {
	struct ev_loop *loop;
	const char *host;
	uint16_t port;
	const char *auth_line;
	const struct np_escr *escr;
};
/**
 * rdial_start() - dial and prove, within ten seconds each. Nothing that follows the proof is read.
 * @cb: as in net/dial.h, from the loop; the object frees itself after it
 */
int rdial_start(const struct rdial_params *params, np_dial_cb cb, void *arg, struct rdial **out);
void rdial_cancel(struct rdial *dial); /* NULL is accepted; no callback follows */

#endif
