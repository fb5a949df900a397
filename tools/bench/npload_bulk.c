// SPDX-License-Identifier: BSD-3-Clause
/*
 * Bulk throughput: N streams for a time, in one direction or both. What counts is what the
 * receivers got, over the time until the last of them has seen the end of its stream.
 */
#include "npload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NR_EVENTS	64
#define SEND_CHUNK	(128 * 1024)

struct stream {
	struct conn c;
	bool ended;			/* FIN sent */
	uint64_t got;			/* bytes received, verdict included */
	uint8_t tail[sizeof(struct verdict)];
};

struct bulk {
	const struct opts *o;
	int ep;
	struct stream *streams;
	unsigned int live;
	uint64_t up, down, least;
};

static uint8_t io_buf[LOAD_BUF];

static int open_streams(struct bulk *b)
{
	struct ask ask = {
		.magic = ASK_MAGIC, .mode = LOAD_BULK,
		.flags = ASK_READY | (b->o->direction & DIR_DOWN ? ASK_DOWN : 0),
	};
	unsigned int i;
	int ret;

	for (i = 0; i < b->o->connections; i++) {
		ret = conn_open_ready(&b->streams[i].c, b->o, &ask);
		if (ret) {
			complain("bulk: stream %u cannot be opened: %s", i, strerror(-ret));
			return ret;
		}
		b->live++;
	}
	return 0;
}

static uint32_t interest(const struct bulk *b, const struct stream *st)
{
	return EPOLLIN | (!st->ended && (b->o->direction & DIR_UP) ? EPOLLOUT : 0);
}

/* The last bytes of the stream are the verdict, wherever the reads happen to cut it. */
static void keep_tail(struct stream *st, const uint8_t *data, size_t len)
{
	size_t size = sizeof(st->tail);

	if (len >= size) {
		memcpy(st->tail, data + len - size, size);
		return;
	}
	memmove(st->tail, st->tail + len, size - len);
	memcpy(st->tail + size - len, data, len);
}

/* Returns 1 at the end of the stream. */
static int stream_read(struct stream *st)
{
	ssize_t n = recv(st->c.fd, io_buf, sizeof(io_buf), 0);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!n)
		return st->ended && st->got >= sizeof(st->tail) ? 1 : -ECONNABORTED;
	keep_tail(st, io_buf, (size_t)n);
	st->got += (uint64_t)n;
	return 0;
}

static int stream_event(struct bulk *b, struct stream *st, uint32_t ev)
{
	struct verdict v;
	uint64_t sum;
	ssize_t n;
	int ret;

	if (ev & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		ret = stream_read(st);
		if (ret == 1) {
			memcpy(&v, st->tail, sizeof(v));
			sum = v.received + st->got - sizeof(v);
			b->up += v.received;
			b->down += st->got - sizeof(v);
			b->least = sum < b->least ? sum : b->least;
			b->live--;
			close(st->c.fd);
			st->c.fd = -1;
		}
		if (ret)
			return ret < 0 ? ret : 0;
	}
	if (!(ev & EPOLLOUT) || st->ended)
		return 0;
	n = send(st->c.fd, io_buf, SEND_CHUNK, MSG_NOSIGNAL);
	return n < 0 && errno != EAGAIN ? -errno : 0;
}

static int end_streams(struct bulk *b)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < b->o->connections && !ret; i++) {
		struct stream *st = &b->streams[i];

		st->ended = true;
		shutdown(st->c.fd, SHUT_WR);
		ret = poller_mod(b->ep, st->c.fd, interest(b, st), st);
	}
	return ret;
}

static int bulk_loop(struct bulk *b)
{
	uint64_t end = now_ns() + (uint64_t)(b->o->seconds * 1e9);
	struct epoll_event ev[NR_EVENTS];
	bool ended = false;
	int ret = 0;
	int i, n;

	while (b->live && !ret) {
		if (!ended && now_ns() >= end) {
			ended = true;
			ret = end_streams(b);
			continue;
		}
		n = epoll_wait(b->ep, ev, NR_EVENTS, ended ? b->o->deadline_ms : 20);
		if (!n && ended)
			ret = -ETIMEDOUT;
		for (i = 0; i < n && !ret; i++)
			ret = stream_event(b, ev[i].data.ptr, ev[i].events);
	}
	return ret;
}

static int bulk_run(struct bulk *b, double *elapsed)
{
	uint64_t start;
	unsigned int i;
	int ret = open_streams(b);

	for (i = 0; i < b->o->connections && !ret; i++) {
		struct stream *st = &b->streams[i];

		ret = poller_add(b->ep, st->c.fd, interest(b, st), st);
	}
	if (ret)
		return ret;
	start = now_ns();
	ret = bulk_loop(b);
	*elapsed = (double)(now_ns() - start) / 1e9;
	if (ret)
		complain("bulk: %u of %u streams did not end well: %s", b->live,
			 b->o->connections, strerror(-ret));
	return ret;
}

int bulk_main(const struct opts *o)
{
	struct bulk b = { .o = o, .least = UINT64_MAX };
	struct report r;
	double elapsed = 0;
	int ret;

	b.ep = epoll_create1(EPOLL_CLOEXEC);
	b.streams = calloc(o->connections, sizeof(*b.streams));
	if (b.ep < 0 || !b.streams) {
		complain("bulk: out of memory or descriptors");
		return 1;
	}
	ret = bulk_run(&b, &elapsed);
	if (!ret) {
		report_begin(&r, o->json, "bulk");
		report_u64(&r, "streams", o->connections);
		report_f64(&r, "seconds", elapsed);
		report_u64(&r, "up_bytes", b.up);
		report_u64(&r, "down_bytes", b.down);
		report_u64(&r, "least_stream_bytes", b.least);
		report_f64(&r, "gbit_per_s", (double)(b.up + b.down) * 8 / 1e9 / elapsed);
		report_end(&r);
	}
	free(b.streams);
	return ret ? 1 : 0;
}
