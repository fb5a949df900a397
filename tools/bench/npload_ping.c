// SPDX-License-Identifier: BSD-3-Clause
/*
 * Latency: `ping` bounces one message per connection for a time; `rate` opens connections,
 * bounces one byte over each and resets it.
 */
#include "npload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NR_EVENTS	128

struct pinger {
	struct conn c;
	uint64_t sent_at;
	size_t sent, got;
	bool blocked;			/* the socket did not take the whole message */
};

struct ping {
	const struct opts *o;
	int ep;
	struct pinger *pingers;
	struct hist *hist;
	uint64_t failed;		/* rate: connections without an answer */
};

static uint8_t io_buf[LOAD_BUF];

static int ping_send(struct ping *p, struct pinger *pi)
{
	ssize_t n = send(pi->c.fd, io_buf, (size_t)p->o->bytes - pi->sent, MSG_NOSIGNAL);
	bool blocked;

	if (n < 0 && errno != EAGAIN)
		return -errno;
	pi->sent += n > 0 ? (size_t)n : 0;
	blocked = pi->sent < p->o->bytes;
	if (blocked == pi->blocked)
		return 0;
	pi->blocked = blocked;
	return poller_mod(p->ep, pi->c.fd, EPOLLIN | (blocked ? EPOLLOUT : 0), pi);
}

static int ping_event(struct ping *p, struct pinger *pi, uint32_t ev)
{
	ssize_t n;
	int ret;

	if (pi->blocked && (ev & EPOLLOUT)) {
		ret = ping_send(p, pi);
		if (ret)
			return ret;
	}
	n = recv(pi->c.fd, io_buf, (size_t)p->o->bytes - pi->got, 0);
	if (n <= 0)
		return n == 0 ? -ECONNABORTED : errno == EAGAIN ? 0 : -errno;
	pi->got += (size_t)n;
	if (pi->got < p->o->bytes)
		return 0;
	hist_add(p->hist, now_ns() - pi->sent_at);
	pi->got = pi->sent = 0;
	pi->sent_at = now_ns();
	return ping_send(p, pi);
}

static int ping_open(struct ping *p)
{
	struct ask ask = { .magic = ASK_MAGIC, .mode = LOAD_ECHO, .flags = ASK_READY };
	unsigned int i;
	int ret;

	for (i = 0; i < p->o->connections; i++) {
		struct pinger *pi = &p->pingers[i];

		ret = conn_open_ready(&pi->c, p->o, &ask);
		if (!ret)
			ret = poller_add(p->ep, pi->c.fd, EPOLLIN, pi);
		if (ret) {
			complain("ping: connection %u cannot be opened: %s", i, strerror(-ret));
			return ret;
		}
	}
	return 0;
}

static int ping_loop(struct ping *p)
{
	uint64_t end = now_ns() + (uint64_t)(p->o->seconds * 1e9);
	struct epoll_event ev[NR_EVENTS];
	int ret = 0;
	unsigned int c;
	int i, n;

	for (c = 0; c < p->o->connections && !ret; c++) {
		p->pingers[c].sent_at = now_ns();
		ret = ping_send(p, &p->pingers[c]);
	}
	while (!ret && now_ns() < end) {
		n = epoll_wait(p->ep, ev, NR_EVENTS, p->o->deadline_ms);
		if (!n)
			ret = -ETIMEDOUT;
		for (i = 0; i < n && !ret; i++)
			ret = ping_event(p, ev[i].data.ptr, ev[i].events);
	}
	if (ret)
		complain("ping: %s", strerror(-ret));
	return ret;
}

/* The first state of a `rate` connection: connect and say everything in one segment. */
static int rate_start(struct ping *p, struct pinger *pi)
{
	struct ask ask = { .magic = ASK_MAGIC, .mode = LOAD_ECHO };
	int ret = conn_start(&pi->c, &p->o->to, p->o);

	if (ret)
		return ret;
	conn_say(&pi->c, &ask, sizeof(ask));
	conn_say(&pi->c, "x", 1);
	pi->sent_at = now_ns();
	return poller_add(p->ep, pi->c.fd, EPOLLIN | EPOLLOUT, pi);
}

static int rate_event(struct ping *p, struct pinger *pi, uint32_t ev)
{
	uint8_t answer;
	int ret = net_error(pi->c.fd);
	ssize_t n;

	if (!ret && (ev & EPOLLOUT) && pi->c.pre_off < pi->c.pre_len) {
		ret = conn_push(&pi->c);
		if (!ret)
			ret = poller_mod(p->ep, pi->c.fd, EPOLLIN, pi);
		if (!ret || ret == -EAGAIN)
			return 0;
	}
	if (!ret) {
		n = recv(pi->c.fd, &answer, 1, 0);
		if (n < 0 && errno == EAGAIN)
			return 0;
		ret = n == 1 ? 0 : -ECONNABORTED;
	}
	if (ret)
		p->failed++;
	else
		hist_add(p->hist, now_ns() - pi->sent_at);
	net_reset(pi->c.fd);
	return rate_start(p, pi);
}

static int rate_loop(struct ping *p)
{
	uint64_t end = now_ns() + (uint64_t)(p->o->seconds * 1e9);
	struct epoll_event ev[NR_EVENTS];
	int ret = 0;
	unsigned int c;
	int i, n;

	for (c = 0; c < p->o->connections && !ret; c++)
		ret = rate_start(p, &p->pingers[c]);
	while (!ret && now_ns() < end) {
		n = epoll_wait(p->ep, ev, NR_EVENTS, p->o->deadline_ms);
		if (!n)
			ret = -ETIMEDOUT;
		for (i = 0; i < n && !ret; i++)
			ret = rate_event(p, ev[i].data.ptr, ev[i].events);
	}
	if (ret)
		complain("rate: %s", strerror(-ret));
	return ret;
}

static int timed_run(const struct opts *o, const char *mode, int (*open)(struct ping *),
		     int (*loop)(struct ping *))
{
	struct ping p = { .o = o, .ep = epoll_create1(EPOLL_CLOEXEC), .hist = hist_new() };
	struct report r;
	uint64_t start;
	double elapsed;
	int ret;

	p.pingers = calloc(o->connections, sizeof(*p.pingers));
	if (p.ep < 0 || !p.hist || !p.pingers) {
		complain("%s: out of memory or descriptors", mode);
		return 1;
	}
	ret = open ? open(&p) : 0;
	start = now_ns();
	if (!ret)
		ret = loop(&p);
	elapsed = (double)(now_ns() - start) / 1e9;
	if (!ret) {
		report_begin(&r, o->json, mode);
		report_u64(&r, "connections", o->connections);
		report_f64(&r, "seconds", elapsed);
		report_u64(&r, "count", hist_count(p.hist));
		report_u64(&r, "failed", p.failed);
		report_f64(&r, "per_s", (double)hist_count(p.hist) / elapsed);
		report_f64(&r, "p50_us", hist_quantile_us(p.hist, 0.5));
		report_f64(&r, "p99_us", hist_quantile_us(p.hist, 0.99));
		report_f64(&r, "p999_us", hist_quantile_us(p.hist, 0.999));
		report_end(&r);
	}
	hist_free(p.hist);
	free(p.pingers);
	return ret || p.failed ? 1 : 0;
}

int ping_main(const struct opts *o)
{
	return timed_run(o, "ping", ping_open, ping_loop);
}

int rate_main(const struct opts *o)
{
	return timed_run(o, "rate", NULL, rate_loop);
}
