// SPDX-License-Identifier: BSD-3-Clause
#include "base/fd.h"
#include "net/addr.h"
#include "relaytool.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

const struct cli_opt relaytool_talk_opts[] = {
	CLI_STR("line", 'l', "TEXT", struct relaytool_conf, line, "sent first, with a LF", 0),
	CLI_FLAG("leave", 0, struct relaytool_conf, leave, "end with the socket, not with stdin", 0),
	CLI_FLAG("slow", 0, struct relaytool_conf, slow, "the line goes one byte at a time", 0),
	CLI_END};

const struct cli_opt relaytool_flood_opts[] = {
	CLI_U64("count", 'n', "N", struct relaytool_conf, count, "connections", 1, 100000, 0),
	CLI_END};

int relaytool_connect(const char *host, const char *port)
{
	struct np_addr addr;
	int fd, on = 1;

	if (np_addr_parse(host, (uint16_t)atoi(port), &addr)) {
		fprintf(stderr, "relaytool: %s: is no address\n", host);
		exit(1);
	}
	fd = socket(addr.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr.ss, addr.len) < 0) {
		fprintf(stderr, "relaytool: connect %s %s: %s\n", host, port, strerror(errno));
		exit(1);
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int send_line(int fd, const char *line, bool slow)
{
	size_t len = strlen(line), i;

	for (i = 0; slow && i < len; i++) {
		if (send(fd, line + i, 1, MSG_NOSIGNAL) != 1)
			return -errno;
		usleep(500); /* so that each byte is a segment of its own */
	}
	if (!slow && np_fd_write_all(fd, line, len))
		return -EPIPE;
	return np_fd_write_all(fd, "\n", 1);
}

/* One piece from @from to @to. Return: bytes, 0 at the end, negative when either side failed. */
static ssize_t pass(int from, int to)
{
	static char buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n > 0 && np_fd_write_all(to, buf, (size_t)n))
		return -EPIPE;
	return n < 0 ? -errno : n;
}

/* Exit 0 when the socket ended in order, 1 when it was reset. */
int relaytool_talk(void *arg, const struct cli_parse *parse)
{
	const struct relaytool_conf *conf = arg;
	int fd = relaytool_connect(parse->args[0], parse->args[1]);
	struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
	ssize_t n;

	if (conf->line && send_line(fd, conf->line, conf->slow))
		return 1;
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (fds[0].fd >= 0 && fds[0].revents) {
			n = pass(fd, 1);
			if (n < 0)
				return 1;
			if (!n && conf->leave)
				return 0;
			if (!n)
				fds[0].fd = -1;
		}
		if (fds[1].fd >= 0 && fds[1].revents && pass(0, fd) <= 0) {
			fds[1].fd = -1;
			shutdown(fd, SHUT_WR);
		}
	}
	return 0;
}

int relaytool_flood(void *arg, const struct cli_parse *parse)
{
	const struct relaytool_conf *conf = arg;
	struct rlimit rl;
	uint64_t i, alive = 0;
	int *fds = calloc(conf->count, sizeof(*fds));
	char c;

	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	if (!fds)
		return 1;
	for (i = 0; i < conf->count; i++)
		fds[i] = relaytool_connect(parse->args[0], parse->args[1]);
	puts("open");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	for (i = 0; i < conf->count; i++) {
		struct pollfd pfd = {.fd = fds[i], .events = POLLIN};

		alive += poll(&pfd, 1, 0) == 0;
	}
	printf("alive %llu\n", (unsigned long long)alive);
	free(fds);
	return 0;
}
