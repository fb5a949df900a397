/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP sockets: non-blocking and CLOEXEC from birth, and with the options that every long-lived one needs. */
#ifndef NP_NET_SOCK_H
#define NP_NET_SOCK_H

#include "net/addr.h"

#include <stdbool.h>

struct np_err;

/**
 * np_sock_listen() - a listening TCP socket.
 * @ip: numeric address; NULL or "*" for all of IPv6 and IPv4 (IPv4 alone where IPv6 is off)
 * @port: 0 lets the kernel choose
 * Return: descriptor, or negative errno.
 */
int np_sock_listen(const char *ip, uint16_t port, int backlog, struct np_err *err);
/** np_sock_accept() - next connection, non-blocking and tuned. Return: descriptor, -EAGAIN, -EMFILE... */
int np_sock_accept(int listen_fd, struct np_addr *peer);
/**
 * np_sock_tune() - TCP_NODELAY, keep-alive (60 s idle, 20 s apart, 3 tries) and TCP_USER_TIMEOUT (120 s), so that
 * a dead peer is noticed. Best effort: a socket pair is left as it is.
 */
void np_sock_tune(int fd);
/**
 * np_sock_be_patient() - for sockets that carry somebody's session: lift TCP_USER_TIMEOUT, which would end it when its
 * reader pauses for two minutes. Keep-alive and the retransmission limit still find dead peers.
 */
void np_sock_be_patient(int fd);
/** np_sock_limit_mss() - a listener whose connections announce at most @mss bytes a segment. 0 or negative errno. */
int np_sock_limit_mss(int fd, unsigned int mss);
/** np_sock_connect_start() - begin a non-blocking connect. Return: descriptor, or negative errno. */
int np_sock_connect_start(const struct np_addr *addr);
/** np_sock_error() - take SO_ERROR as a negative errno, 0 when none. */
int np_sock_error(int fd);
int np_sock_local(int fd, struct np_addr *out);
int np_sock_peer(int fd, struct np_addr *out);
/** np_sock_reset() - close @fd with RST instead of FIN and set it to -1. */
void np_sock_reset(int *fd);

#endif
