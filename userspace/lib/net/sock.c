// SPDX-License-Identifier: BSD-3-Clause
#include "net/sock.h"

#include "base/err.h"
#include "base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static void set_int(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static int listen_on(const struct np_addr *addr, int backlog)
{
	int fd, ret;

	fd = socket(addr->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (addr->ss.ss_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (bind(fd, (const struct sockaddr *)&addr->ss, addr->len) < 0 || listen(fd, backlog) < 0) {
		ret = -errno;
		np_fd_close(&fd);
		return ret;
	}
	return fd;
}

int np_sock_listen(const char *ip, uint16_t port, int backlog, struct np_err *err)
{
	bool any = !ip || !*ip || !strcmp(ip, "*");
	struct np_addr addr;
	int fd;

	if (np_addr_parse(any ? "::" : ip, port, &addr))
		return np_fail(err, -EINVAL, "listen address '%s': is no IPv4 or IPv6 address", ip);
	fd = listen_on(&addr, backlog);
	if (any && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
		np_addr_parse("0.0.0.0", port, &addr);
		fd = listen_on(&addr, backlog);
	}
	if (fd < 0)
		return np_fail_errno(err, fd, "cannot listen on %s port %u", any ? "any address" : ip, port);
	return fd;
}

void np_sock_tune(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 20);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 120000);
}

int np_sock_accept(int listen_fd, struct np_addr *peer)
{
	struct np_addr dummy;
	int fd;

	if (!peer)
		peer = &dummy;
	peer->len = sizeof(peer->ss);
	do {
		fd = accept4(listen_fd, (struct sockaddr *)&peer->ss, &peer->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return -errno;
	np_sock_tune(fd);
	return fd;
}

void np_sock_be_patient(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
}

int np_sock_limit_mss(int fd, unsigned int mss)
{
	int value = (int)mss;

	return setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &value, sizeof(value)) ? -errno : 0;
}

int np_sock_connect_start(const struct np_addr *addr)
{
	int fd, ret;

	fd = socket(addr->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	np_sock_tune(fd);
	if (connect(fd, (const struct sockaddr *)&addr->ss, addr->len) < 0 && errno != EINPROGRESS) {
		ret = -errno;
		np_fd_close(&fd);
		return ret;
	}
	return fd;
}

int np_sock_error(int fd)
{
	socklen_t len = sizeof(int);
	int value = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len) < 0)
		return -errno;
	return -value;
}

int np_sock_local(int fd, struct np_addr *out)
{
	out->len = sizeof(out->ss);
	return getsockname(fd, (struct sockaddr *)&out->ss, &out->len) < 0 ? -errno : 0;
}

int np_sock_peer(int fd, struct np_addr *out)
{
	out->len = sizeof(out->ss);
	return getpeername(fd, (struct sockaddr *)&out->ss, &out->len) < 0 ? -errno : 0;
}

void np_sock_reset(int *fd)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	if (*fd >= 0)
		(void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	np_fd_close(fd);
}
