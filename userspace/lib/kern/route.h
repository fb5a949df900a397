/* SPDX-License-Identifier: BSD-3-Clause */
/* Which interface the kernel would send by. */
#ifndef NP_KERN_ROUTE_H
#define NP_KERN_ROUTE_H

#include <stdint.h>

struct np_err;

/**
 * struct np_route_query - a packet's way out.
 * @family: AF_INET or AF_INET6; @src and @dst: 4 or 16 bytes
 * @oif: of a bound socket, or 0
 * @mark: SO_MARK, or 0
 */
struct np_route_query {
	int family;
	const void *src, *dst;
	unsigned int oif;
	uint32_t mark;
};

/** np_route_oif() - interface index of the route; -EHOSTUNREACH when there is none or it is no
 * plain one. */
int np_route_oif(const struct np_route_query *query, unsigned int *oif, struct np_err *err);
/** np_route_is_ethernet() - 0 when frames of the interface are Ethernet and it is up; else
 * -EOPNOTSUPP with the reason. */
int np_route_is_ethernet(unsigned int ifindex, struct np_err *err);

#endif
