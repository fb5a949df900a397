/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The relay connection made ahead of time: while the device still works on the request, the client connects and
 * authenticates, which takes two round trips off the way to the first byte.
 */
#ifndef SSHNP_EARLY_H
#define SSHNP_EARLY_H

#include <stdint.h>

struct early;
struct ev_loop;

/** early_start() - dial @host:@port and say @auth_line (NULL for none). Failure only means that nothing is gained. */
struct early *early_start(struct ev_loop *loop, const char *host, uint16_t port, const char *auth_line);
/** early_take() - the connected socket, or -1 when there is none (yet). */
int early_take(struct early *early);
void early_free(struct early *early); /* NULL is accepted */

#endif
