/* SPDX-License-Identifier: BSD-3-Clause */
/* Outward connections: resolve, then race the addresses (RFC 8305), within one deadline. */
#ifndef NP_NET_DIAL_H
#define NP_NET_DIAL_H

#include <stdint.h>

struct ev_loop;
struct np_err;
struct np_dial;

/**
 * typedef np_dial_cb - the outcome, called once.
 * @fd: connected, tuned socket that the callee owns, or -1
 * @err: why not, with host and port in the message; unset on success
 */
typedef void (*np_dial_cb)(int fd, const struct np_err *err, void *arg);

/**
 * np_dial_start() - connect to @host:@port.
 * A second address family is tried 250 ms after the first when that has not answered, at once when it failed.
 * The callback comes from the loop, never from inside this call. The object frees itself after it.
 */
int np_dial_start(struct ev_loop *loop, const char *host, uint16_t port, unsigned int timeout_ms, np_dial_cb cb,
		  void *arg, struct np_dial **out);
void np_dial_cancel(struct np_dial *dial); /* NULL is accepted; no callback follows */

#endif
