// SPDX-License-Identifier: BSD-3-Clause
/* Sockets of both ends: numeric addresses, non-blocking from birth, TCP_NODELAY everywhere. */
#include "npload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG		4096

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

void complain(const char *fmt, ...)
{
	va_list ap;

	fputs("npload: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static int port_parse(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	return *text && !*end && port >= 0 && port <= 65535 ? (int)port : -EINVAL;
}

/* "ADDR" with @port given, or "ADDR:PORT" / "[ADDR6]:PORT" when @port is negative. */
int addr_parse(struct addr *a, const char *text, int port)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a->ss;
	struct sockaddr_in *four = (struct sockaddr_in *)&a->ss;
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = port < 0 ? strrchr(text, ':') : NULL;
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (port < 0)
		port = colon ? port_parse(colon + 1) : -EINVAL;
	if (len && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (port < 0 || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		a->len = sizeof(*four);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1)
		return -EINVAL;
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	a->len = sizeof(*six);
	return 0;
}

void addr_format(const struct addr *a, char *host, size_t size, unsigned int *port)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->ss;
	const struct sockaddr_in *four = (const struct sockaddr_in *)&a->ss;

	if (a->ss.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &six->sin6_addr, host, (socklen_t)size);
		*port = ntohs(six->sin6_port);
	} else {
		inet_ntop(AF_INET, &four->sin_addr, host, (socklen_t)size);
		*port = ntohs(four->sin_port);
	}
}

/* Returns the listening descriptor; @a then holds the port that the kernel has chosen. */
int net_listen(struct addr *a)
{
	int one = 1;
	int ret;
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a->ss, a->len) || listen(fd, BACKLOG) ||
	    getsockname(fd, (struct sockaddr *)&a->ss, &a->len)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int net_accept(int listener)
{
	int one = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Returns a descriptor whose connection is established or under way. */
int net_connect(const struct addr *a)
{
	int one = 1;
	int ret;
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&a->ss, a->len) && errno != EINPROGRESS) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int net_error(int fd)
{
	int code = 0;
	socklen_t len = sizeof(code);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len))
		return -errno;
	return -code;
}

/* Closes with RST, so that no TIME_WAIT state uses up the ports of a long run. */
void net_reset(int fd)
{
	struct linger lg = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
	close(fd);
}

int net_wait(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n ? 0 : -ETIMEDOUT;
}

int poller_add(int ep, int fd, uint32_t events, void *data)
{
	struct epoll_event e = { .events = events, .data.ptr = data };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

int poller_mod(int ep, int fd, uint32_t events, void *data)
{
	struct epoll_event e = { .events = events, .data.ptr = data };

	return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e) ? -errno : 0;
}

void raise_fd_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return;
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
}

int conn_start(struct conn *c, const struct addr *to, const struct opts *o)
{
	c->pre_len = 0;
	c->pre_off = 0;
	conn_say(c, o->auth, o->auth_len);
	c->fd = net_connect(to);
	return c->fd < 0 ? c->fd : 0;
}

/* Queues bytes before the connection's own traffic; the array has room for all callers. */
void conn_say(struct conn *c, const void *data, size_t len)
{
	memcpy(c->pre + c->pre_len, data, len);
	c->pre_len += (uint16_t)len;
}

int conn_push(struct conn *c)
{
	ssize_t n;

	while (c->pre_off < c->pre_len) {
		n = send(c->fd, c->pre + c->pre_off, c->pre_len - c->pre_off, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		c->pre_off += (uint16_t)n;
	}
	return 0;
}

/*
 * Opens one connection, sends the authentication line and @ask, and waits for the server end's
 * ready byte: the path through whatever lies between is then known to be complete.
 */
int conn_open_ready(struct conn *c, const struct opts *o, const struct ask *ask)
{
	uint8_t ready;
	ssize_t n;
	int ret = conn_start(c, &o->to, o);

	if (ret)
		return ret;
	conn_say(c, ask, sizeof(*ask));
	do {
		ret = net_wait(c->fd, POLLOUT, o->deadline_ms);
		if (!ret)
			ret = net_error(c->fd);
		if (!ret)
			ret = conn_push(c);
	} while (ret == -EAGAIN);
	if (!ret)
		ret = net_wait(c->fd, POLLIN, o->deadline_ms);
	if (!ret) {
		n = recv(c->fd, &ready, 1, 0);
		ret = n == 1 ? 0 : n == 0 ? -ECONNABORTED : -errno;
	}
	if (ret) {
		close(c->fd);
		c->fd = -1;
	}
	return ret;
}
