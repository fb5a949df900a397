/* SPDX-License-Identifier: BSD-3-Clause */
/* The bridge as a process of its own, which lives on when sshnp has printed its command and left (-x). */
#ifndef SSHNP_DETACHED_H
#define SSHNP_DETACHED_H

#include <stdint.h>

struct detached;
struct ev_loop;
struct np_err;
struct session_result;
struct sshnp_conf;

/**
 * detached_start() - run `srv` on the client side, listening on @local_port.
 * @on_ready: once; @err code 0 when it listens. The owner then calls detached_free(); the process goes on.
 */
int detached_start(struct ev_loop *loop, const struct sshnp_conf *conf, const struct session_result *result,
		   uint16_t local_port, void (*on_ready)(const struct np_err *err, void *arg), void *arg,
		   struct detached **out, struct np_err *err);
void detached_free(struct detached *detached); /* NULL is accepted */

#endif
