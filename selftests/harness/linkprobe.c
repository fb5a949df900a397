// SPDX-License-Identifier: BSD-3-Clause
/*
 * linkprobe measures the way between two network namespaces. Both ends are sockets of this one
 * process, so that one clock serves for both and the delay of one direction is known by itself.
 * The result is one JSON line on stdout.
 */
#include "base/clock.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT_MAX 10000000
#define PAYLOAD_MAX 65507
#define CHUNK 131072

struct probe {
	const char *from, *to;
	long count, size, interval_us, idle_ms, seconds;
	int tx, rx;
	/* udp */
	long nr_sent, nr_received, nr_unique, nr_duplicates, nr_out_of_order, nr_refused;
	int64_t first_at, last_at, highest;
	bool *seen;
	double *delay_ms;
};

/* What a datagram begins with. */
struct stamp {
	int64_t seq;
	int64_t sent_at;
};

static int64_t now_ns(void)
{
	return (int64_t)np_clock_mono_ns();
}

static void die(const char *what, const char *subject)
{
	fprintf(stderr, "linkprobe: %s: %s: %s\n", subject, what, strerror(errno));
	exit(1);
}

/* Make a bound socket at "NETNS:ADDRESS", with a port that the kernel chooses. */
static int open_end(const char *text, int type, struct sockaddr_in6 *bound, socklen_t *len)
{
	const char *addr = strchr(text, ':');
	struct sockaddr_in *in4 = (struct sockaddr_in *)bound;
	int home, there, fd, bytes = 64 << 20;
	char path[128];

	if (!addr || snprintf(path, sizeof(path), "/run/netns/%.*s", (int)(addr - text), text) >=
			     (int)sizeof(path)) {
		fprintf(stderr, "linkprobe: %s: expected NETNS:ADDRESS\n", text);
		exit(2);
	}
	memset(bound, 0, sizeof(*bound));
	if (inet_pton(AF_INET, ++addr, &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		*len = sizeof(*in4);
	} else if (inet_pton(AF_INET6, addr, &bound->sin6_addr) == 1) {
		bound->sin6_family = AF_INET6;
		*len = sizeof(*bound);
	} else {
		fprintf(stderr, "linkprobe: %s: expected NETNS:ADDRESS\n", text);
		exit(2);
	}
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
		die("cannot enter the namespace", path);
	fd = socket(bound->sin6_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (setns(home, CLONE_NEWNET))
		die("cannot come back", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)bound, *len) ||
	    getsockname(fd, (struct sockaddr *)bound, len))
		die("cannot bind", text);
	if (type == SOCK_DGRAM && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		die("cannot set the receive buffer", text);
	close(home);
	close(there);
	return fd;
}

static void connect_ends(struct probe *p, int type)
{
	struct sockaddr_in6 from, to;
	socklen_t from_len, to_len;

	p->tx = open_end(p->from, type, &from, &from_len);
	p->rx = open_end(p->to, type, &to, &to_len);
	if (type == SOCK_STREAM && listen(p->rx, 1))
		die("cannot listen", p->to);
	if (connect(p->tx, (struct sockaddr *)&to, to_len) && errno != EINPROGRESS)
		die("cannot connect", p->to);
}

static void udp_send(struct probe *p)
{
	static unsigned char buf[PAYLOAD_MAX];
	struct stamp stamp = { .seq = p->nr_sent++, .sent_at = now_ns() };

	memcpy(buf, &stamp, sizeof(stamp));
	if (send(p->tx, buf, (size_t)p->size, 0) < 0) {
		if (errno != EMSGSIZE && errno != EAGAIN && errno != ENOBUFS)
			die("cannot send", p->from);
		p->nr_refused++;
	}
}

static void udp_receive(struct probe *p)
{
	unsigned char buf[PAYLOAD_MAX];
	struct stamp stamp;
	int64_t now;

	while (recv(p->rx, buf, sizeof(buf), 0) == p->size) {
		now = now_ns();
		memcpy(&stamp, buf, sizeof(stamp));
		if (stamp.seq < 0 || stamp.seq >= p->count)
			continue;
		if (!p->nr_received++)
			p->first_at = now;
		p->last_at = now;
		if (p->seen[stamp.seq]) {
			p->nr_duplicates++;
			continue;
		}
		p->seen[stamp.seq] = true;
		p->delay_ms[p->nr_unique++] = (double)(now - stamp.sent_at) / 1e6;
		if (stamp.seq < p->highest)
			p->nr_out_of_order++;
		else
			p->highest = stamp.seq;
	}
}

/* Send at the asked pace; stop when nothing has come for idle_ms after the last datagram. */
static void udp_exchange(struct probe *p)
{
	int64_t start = now_ns(), next_at, sent_all_at = 0, wait_ns;
	struct pollfd pfd = { .fd = p->rx, .events = POLLIN };
	struct timespec ts;

	for (;;) {
		next_at = start + p->nr_sent * p->interval_us * 1000;
		if (p->nr_sent == p->count) {
			if (!sent_all_at)
				sent_all_at = now_ns();
			next_at = p->last_at > sent_all_at ? p->last_at : sent_all_at;
			next_at += p->idle_ms * 1000000;
		}
		wait_ns = next_at - now_ns();
		if (wait_ns <= 0 && p->nr_sent == p->count)
			return;
		if (wait_ns <= 0)
			udp_send(p);
		ts = (struct timespec){ 0 };
		if (wait_ns > 0) {
			ts.tv_sec = wait_ns / 1000000000;
			ts.tv_nsec = wait_ns % 1000000000;
		}
		if (ppoll(&pfd, 1, &ts, NULL) > 0)
			udp_receive(p);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(const struct probe *p, double q)
{
	return p->nr_unique ? p->delay_ms[(long)(q * (double)(p->nr_unique - 1))] : 0;
}

static int udp(struct probe *p)
{
	int dont_fragment = IP_PMTUDISC_DO, headers, level, option;
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	double span_s, mbit = 0;

	p->seen = calloc((size_t)p->count, sizeof(*p->seen));
	p->delay_ms = calloc((size_t)p->count, sizeof(*p->delay_ms));
	if (!p->seen || !p->delay_ms)
		die("cannot allocate", "memory");
	connect_ends(p, SOCK_DGRAM);
	getsockname(p->tx, (struct sockaddr *)&name, &len);
	headers = 14 + 8 + (name.ss_family == AF_INET6 ? 40 : 20);
	/* One datagram is one frame, or is refused. IPv6 numbers its modes like IPv4. */
	level = name.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
	option = name.ss_family == AF_INET6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER;
	if (setsockopt(p->tx, level, option, &dont_fragment, sizeof(dont_fragment)))
		die("cannot forbid fragments", p->from);
	udp_exchange(p);
	qsort(p->delay_ms, (size_t)p->nr_unique, sizeof(*p->delay_ms), compare);
	span_s = (double)(p->last_at - p->first_at) / 1e9;
	if (p->nr_received > 1 && span_s > 0)
		mbit = (double)(p->nr_received - 1) * (double)(p->size + headers) * 8e-6 / span_s;
	printf("{\"sent\":%ld,\"refused\":%ld,\"received\":%ld,\"lost\":%ld,\"duplicates\":%ld,"
	       "\"out_of_order\":%ld,\"min_ms\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
	       "\"max_ms\":%.3f,\"frame_mbit\":%.3f}\n",
	       p->nr_sent, p->nr_refused, p->nr_received, p->nr_sent - p->nr_refused - p->nr_unique,
	       p->nr_duplicates, p->nr_out_of_order, quantile(p, 0), quantile(p, 0.5),
	       quantile(p, 0.99), quantile(p, 1), mbit);
	free(p->seen);
	free(p->delay_ms);
	return 0;
}

static void wait_for(int fd, short events, const char *what)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	if (poll(&pfd, 1, 30000) <= 0) {
		errno = ETIMEDOUT;
		die("cannot connect", what);
	}
}

static int tcp(struct probe *p)
{
	static char buf[CHUNK];
	int64_t start = now_ns(), end;
	double connect_ms, bytes = 0;
	struct pollfd fds[2];
	int err = 0, in;
	socklen_t len = sizeof(err);
	ssize_t n;

	connect_ends(p, SOCK_STREAM);
	wait_for(p->tx, POLLOUT, p->to);
	connect_ms = (double)(now_ns() - start) / 1e6;
	if (getsockopt(p->tx, SOL_SOCKET, SO_ERROR, &err, &len) || (errno = err))
		die("cannot connect", p->to);
	wait_for(p->rx, POLLIN, p->to);
	in = accept4(p->rx, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (in < 0)
		die("cannot accept", p->to);
	start = now_ns();
	end = start + p->seconds * 1000000000;
	fds[0] = (struct pollfd){ .fd = p->tx, .events = POLLOUT };
	fds[1] = (struct pollfd){ .fd = in, .events = POLLIN };
	while (now_ns() < end) {
		if (poll(fds, 2, 100) < 0)
			die("cannot wait", p->to);
		if (fds[0].revents && send(p->tx, buf, sizeof(buf), MSG_NOSIGNAL) < 0 &&
		    errno != EAGAIN)
			die("cannot send", p->from);
		if (!fds[1].revents)
			continue;
		n = recv(in, buf, sizeof(buf), 0);
		if (n > 0)
			bytes += (double)n;
		else if (!n || errno != EAGAIN)
			die("cannot receive", p->to);
	}
	printf("{\"connect_ms\":%.3f,\"bytes\":%.0f,\"mbit\":%.1f}\n", connect_ms, bytes,
	       bytes * 8e3 / (double)(now_ns() - start));
	return 0;
}

static const char usage[] =
	"usage: linkprobe udp --from NETNS:ADDRESS --to NETNS:ADDRESS [--count N] [--size BYTES]\n"
	"                     [--interval-us N] [--idle-ms N]\n"
	"       linkprobe tcp --from NETNS:ADDRESS --to NETNS:ADDRESS [--seconds N]\n";

static long parse_long(const char *flag, const char *value, uint64_t min, uint64_t max)
{
	uint64_t n;

	if (np_str_u64(value, min, max, &n)) {
		fprintf(stderr, "linkprobe: --%s %s: expected a whole number from %" PRIu64
			" to %" PRIu64 "\n", flag, value, min, max);
		exit(2);
	}
	return (long)n;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 't' },
		{ "count", required_argument, NULL, 'c' },
		{ "size", required_argument, NULL, 's' },
		{ "interval-us", required_argument, NULL, 'i' },
		{ "idle-ms", required_argument, NULL, 'w' },
		{ "seconds", required_argument, NULL, 'n' },
		{ 0 },
	};
	static struct probe p = { .count = 100, .size = 100, .interval_us = 1000, .idle_ms = 500,
				  .seconds = 3, .highest = -1 };
	int opt, i = 0;

	while ((opt = getopt_long(argc, argv, "", opts, &i)) != -1) {
		if (opt == 'f')
			p.from = optarg;
		else if (opt == 't')
			p.to = optarg;
		else if (opt == 'c')
			p.count = parse_long(opts[i].name, optarg, 1, COUNT_MAX);
		else if (opt == 's')
			p.size = parse_long(opts[i].name, optarg, sizeof(struct stamp), PAYLOAD_MAX);
		else if (opt == 'i')
			p.interval_us = parse_long(opts[i].name, optarg, 0, 1000000);
		else if (opt == 'w')
			p.idle_ms = parse_long(opts[i].name, optarg, 1, 60000);
		else if (opt == 'n')
			p.seconds = parse_long(opts[i].name, optarg, 1, 3600);
		else
			return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1UL);
	if (optind + 1 == argc && p.from && p.to && !strcmp(argv[optind], "udp"))
		return udp(&p);
	if (optind + 1 == argc && p.from && p.to && !strcmp(argv[optind], "tcp"))
		return tcp(&p);
	fputs(usage, stderr);
	return 2;
}
