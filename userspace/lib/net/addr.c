// SPDX-License-Identifier: BSD-3-Clause
#include "net/addr.h"

#include "base/err.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

void np_addr_ip_text(const struct np_addr *addr, char *dst, size_t size)
{
	const struct sockaddr_in *in4 = (const void *)&addr->ss;
	const struct sockaddr_in6 *in6 = (const void *)&addr->ss;
	const char *done = NULL;

	if (addr->ss.ss_family == AF_INET)
		done = inet_ntop(AF_INET, &in4->sin_addr, dst, (socklen_t)size);
	else if (addr->ss.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		done = inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], dst, (socklen_t)size);
	else if (addr->ss.ss_family == AF_INET6)
		done = inet_ntop(AF_INET6, &in6->sin6_addr, dst, (socklen_t)size);
	if (!done)
		snprintf(dst, size, "?");
}

void np_addr_text(const struct np_addr *addr, char *dst, size_t size)
{
	char ip[INET6_ADDRSTRLEN];

	np_addr_ip_text(addr, ip, sizeof(ip));
	snprintf(dst, size, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, np_addr_port(addr));
}

uint16_t np_addr_port(const struct np_addr *addr)
{
	if (addr->ss.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&addr->ss)->sin_port);
	if (addr->ss.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&addr->ss)->sin6_port);
	return 0;
}

int np_addr_parse(const char *ip, uint16_t port, struct np_addr *out)
{
	struct sockaddr_in *in4 = (void *)&out->ss;
	struct sockaddr_in6 *in6 = (void *)&out->ss;
	char bare[INET6_ADDRSTRLEN];
	size_t len = strlen(ip);

	memset(out, 0, sizeof(*out));
	if (len > 2 && ip[0] == '[' && ip[len - 1] == ']') {
		if (np_str_copy_n(bare, sizeof(bare), ip + 1, len - 2))
			return -EINVAL;
		ip = bare;
	}
	if (inet_pton(AF_INET, ip, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		out->len = sizeof(*in4);
		return 0;
	}
	if (inet_pton(AF_INET6, ip, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		out->len = sizeof(*in6);
		return 0;
	}
	return -EINVAL;
}

int np_hostport_parse(const char *text, uint16_t dflt_port, char host[NP_HOST_MAX], uint16_t *port,
		      struct np_err *err)
{
	const char *colon = strrchr(text, ':'), *name = text;
	size_t len;

	if (text[0] == '[') {
		const char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return np_fail(err, -EINVAL, "'%s': accepted is [address]:port", text);
		name = text + 1;
		len = (size_t)(end - name);
		colon = end[1] ? end + 1 : NULL;
	} else {
		if (colon && memchr(text, ':', (size_t)(colon - text)))
			colon = NULL; /* a bare IPv6 address */
		len = colon ? (size_t)(colon - text) : strlen(text);
	}
	if (!len || np_str_copy_n(host, NP_HOST_MAX, name, len))
		return np_fail(err, -EINVAL, "'%s': accepted is host or host:port", text);
	if (!np_str_is_charset(host, ".-_:%"))
		return np_fail(err, -EINVAL, "'%s': host has a character that no name or address has", text);
	*port = dflt_port;
	if (colon && np_str_port(colon + 1, false, port))
		return np_fail(err, -EINVAL, "'%s': port must be 1 to 65535", text);
	if (!*port)
		return np_fail(err, -EINVAL, "'%s': has no port, accepted is host:port", text);
	return 0;
}
