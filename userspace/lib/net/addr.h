/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket addresses and "host:port" texts. */
#ifndef NP_NET_ADDR_H
#define NP_NET_ADDR_H

#include <stdint.h>
#include <sys/socket.h>

struct np_err;

#define NP_HOST_MAX 256	     /* a DNS name or a numeric address, with the NUL */
#define NP_ADDR_TEXT_MAX 64  /* "[v6%zone]:port" */

struct np_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/** np_addr_text() - "1.2.3.4:5" or "[::1]:5" into @dst (NP_ADDR_TEXT_MAX bytes); v4-mapped shown as IPv4. */
void np_addr_text(const struct np_addr *addr, char *dst, size_t size);
/** np_addr_ip_text() - the same without port or brackets. */
void np_addr_ip_text(const struct np_addr *addr, char *dst, size_t size);
uint16_t np_addr_port(const struct np_addr *addr);
/** np_addr_parse() - numeric IPv4 or IPv6 (brackets allowed) and a port. -EINVAL for names. */
int np_addr_parse(const char *ip, uint16_t port, struct np_addr *out);
/**
 * np_hostport_parse() - "host", "host:port", "[v6]:port".
 * @dflt_port: used when there is none; 0 makes a missing port an error
 */
int np_hostport_parse(const char *text, uint16_t dflt_port, char host[NP_HOST_MAX], uint16_t *port,
		      struct np_err *err);

#endif
