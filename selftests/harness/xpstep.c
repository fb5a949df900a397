// SPDX-License-Identifier: BSD-3-Clause
/*
 * xpstep: the longest wait of one connection that bounces a byte every millisecond.
 *
 *	xpstep echo ADDR PORT		send back what comes, one connection after the other
 *	xpstep ping ADDR PORT MS	for so long; prints {"count":N,"max_ms":M,"over_20":K}
 */
#include "base/clock.h"
#include "net/sock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int wait_readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms);
}

static int send_all(int fd, const char *data, ssize_t len)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, (size_t)len);
		if (n < 0 && (errno != EAGAIN || poll(&p, 1, 20000) <= 0))
			return -1;
		if (n > 0) {
			data += n;
			len -= n;
		}
	}
	return 0;
}

static int echo(const struct np_addr *addr, const char *ip)
{
	int listener = np_sock_listen(ip, np_addr_port(addr), 16, NULL), fd;
	char buf[4096];
	ssize_t n;

	while (listener >= 0 && wait_readable(listener, -1) > 0) {
		fd = np_sock_accept(listener, NULL);
		if (fd < 0)
			continue;
		np_sock_tune(fd);
		while (wait_readable(fd, -1) > 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
			if (send_all(fd, buf, n))
				break;
		}
		close(fd);
	}
	return 1;
}

static int ping(const struct np_addr *addr, int ms)
{
	int fd = np_sock_connect_start(addr), count = 0, over = 0;
	uint64_t end = np_clock_mono_ns() + (uint64_t)ms * 1000000, begin, took, max = 0;
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	char c = 'x';

	if (fd < 0 || poll(&p, 1, 5000) <= 0 || np_sock_error(fd))
		return 1;
	while ((begin = np_clock_mono_ns()) < end) {
		if (write(fd, &c, 1) != 1 || wait_readable(fd, 5000) <= 0 || read(fd, &c, 1) != 1)
			return 1;
		took = np_clock_mono_ns() - begin;
		max = took > max ? took : max;
		over += took > 20000000;
		count++;
		usleep(1000);
	}
	printf("{\"count\":%d,\"max_ms\":%.3f,\"over_20\":%d}\n", count, (double)max / 1e6, over);
	return 0;
}

int main(int argc, char **argv)
{
	struct np_addr addr;

	if (argc < 4 || np_addr_parse(argv[2], (uint16_t)atoi(argv[3]), &addr))
		return 2;
	if (!strcmp(argv[1], "echo"))
		return echo(&addr, argv[2]);
	return argc == 5 ? ping(&addr, atoi(argv[4])) : 2;
}
