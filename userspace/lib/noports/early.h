/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The relay connection made ahead of time: while the device still works on the request, the client
 * connects and authenticates, which takes two round trips off the way to the first byte.
 */
#ifndef NP_NOPORTS_EARLY_H
#define NP_NOPORTS_EARLY_H

#include <stdint.h>

struct np_early;
struct ev_loop;

/** np_early_start() - dial @host:@port and say @auth_line (NULL for none). Failure only means that
 * nothing is gained. */
struct np_early *np_early_start(struct ev_loop *loop, const char *host, uint16_t port,
				const char *auth_line);
/** np_early_take() - the connected socket, or -1 when there is none (yet). */
int np_early_take(struct np_early *early);
void np_early_free(struct np_early *early); /* NULL is accepted */

#endif
