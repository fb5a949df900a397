/* SPDX-License-Identifier: BSD-3-Clause */
/* Name look-up in a thread, so that a slow resolver never stops the loop. */
#ifndef NP_EV_RESOLVE_H
#define NP_EV_RESOLVE_H

#include <netdb.h>
#include <stdint.h>

struct ev_loop;
struct np_resolve;

/**
 * typedef np_resolve_cb - the answer.
 * @gai: 0 or a getaddrinfo() code (gai_strerror)
 * @list: addresses in the resolver's order, borrowed for the call; NULL on failure
 */
typedef void (*np_resolve_cb)(int gai, const struct addrinfo *list, void *arg);

/**
 * np_resolve_start() - look @host up for TCP to @port.
 * Numeric addresses and "localhost" are answered without a thread, but still from the loop, never from inside this call.
 * Return: 0 and the request in *@out (freed by itself after the callback), or negative errno.
 */
int np_resolve_start(struct ev_loop *loop, const char *host, uint16_t port, np_resolve_cb cb, void *arg,
		     struct np_resolve **out);
/** np_resolve_cancel() - the callback will not be called; NULL is accepted. */
void np_resolve_cancel(struct np_resolve *req);

#endif
