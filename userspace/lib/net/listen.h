/* SPDX-License-Identifier: BSD-3-Clause */
/* A listener in the loop. Out of descriptors it pauses instead of spinning. */
#ifndef NP_NET_LISTEN_H
#define NP_NET_LISTEN_H

#include "net/addr.h"

struct ev_loop;
struct np_listener;

/** typedef np_accept_cb - one connection; the callee owns @fd. */
typedef void (*np_accept_cb)(int fd, const struct np_addr *peer, void *arg);

/**
 * np_listener_open() - start accepting on @fd, which the listener takes (also on failure).
 * @name: what to call it in the log, kept by reference
 */
int np_listener_open(struct ev_loop *loop, int fd, const char *name, np_accept_cb cb, void *arg,
		     struct np_listener **out);
void np_listener_close(struct np_listener *listener); /* NULL is accepted; allowed inside the callback */
uint16_t np_listener_port(const struct np_listener *listener);

#endif
