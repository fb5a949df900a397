// SPDX-License-Identifier: BSD-3-Clause
/*
 * Streams whose every byte is checked at its position. `integrity` runs some long ones both ways
 * at once with random chunk sizes; `short` runs many short ones: up ends with FIN right after
 * the last write and gets the receiver's verdict back, down is closed by the server end right
 * after its last write.
 */
#include "npload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NR_EVENTS	64

struct vconn {
	struct conn c;
	uint32_t events;
	bool fin_sent;
	bool wants_verdict;
	struct vstream out, in;
	struct verdict verdict;
	size_t verdict_got;
};

struct verify {
	const struct opts *o;
	const char *mode;
	int ep;
	struct vconn *conns;
	unsigned int started, live;
	uint64_t bytes, mismatched, truncated, failed;
	void (*plan)(struct verify *v, unsigned int nr, struct ask *ask);
};

static uint8_t io_buf[LOAD_BUF];

static int vconn_start(struct verify *v, struct vconn *vc)
{
	struct ask ask = { .magic = ASK_MAGIC };
	int ret;

	v->plan(v, v->started++, &ask);
	memset(vc, 0, sizeof(*vc));
	vstream_init(&vc->out, ask.seed, ask.up);
	vstream_init(&vc->in, ~ask.seed, ask.down);
	vc->wants_verdict = ask.mode == LOAD_VERIFY;
	ret = conn_start(&vc->c, &v->o->to, v->o);
	if (ret)
		return ret;
	conn_say(&vc->c, &ask, sizeof(ask));
	vc->events = EPOLLOUT;
	v->live++;
	return poller_add(v->ep, vc->c.fd, vc->events, vc);
}

static int watch(struct verify *v, struct vconn *vc)
{
	bool more = vc->out.pos < vc->out.total || vc->c.pre_off < vc->c.pre_len;
	uint32_t events = EPOLLIN | (more ? EPOLLOUT : 0);

	if (events == vc->events)
		return 0;
	vc->events = events;
	return poller_mod(v->ep, vc->c.fd, events, vc);
}

static int vconn_write(struct vconn *vc)
{
	int ret = conn_push(&vc->c);

	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	ret = vstream_send(&vc->out, vc->c.fd);
	/* A dumped stream must be ended by the other side, so nothing is said about our end. */
	if (!ret && vc->wants_verdict && vc->out.pos == vc->out.total && !vc->fin_sent) {
		vc->fin_sent = true;
		ret = shutdown(vc->c.fd, SHUT_WR) ? -errno : 0;
	}
	return ret;
}

/* The stream's own bytes first, then the verdict. Returns 1 at the end. */
static int vconn_read(struct vconn *vc)
{
	uint64_t left = vc->in.total - vc->in.pos;
	size_t want = vstream_chunk(&vc->in);
	size_t room = sizeof(vc->verdict) - vc->verdict_got;
	ssize_t n;

	want = want < left ? want : left;
	if (want) {
		n = recv(vc->c.fd, io_buf, want, 0);
		if (n > 0)
			vstream_check(&vc->in, io_buf, (size_t)n);
	} else {
		n = recv(vc->c.fd, (uint8_t *)&vc->verdict + vc->verdict_got, room ? room : 1, 0);
		if (n > 0 && (!room || !vc->wants_verdict))
			return -EPROTO;
		vc->verdict_got += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n == 0;
}

static void vconn_judge(struct verify *v, struct vconn *vc, int ret)
{
	bool told = !vc->wants_verdict || vc->verdict_got == sizeof(vc->verdict);

	v->bytes += vc->in.pos + vc->out.pos;
	if (ret < 0) {
		complain("%s: connection failed after %llu bytes sent, %llu received: %s", v->mode,
			 (unsigned long long)vc->out.pos, (unsigned long long)vc->in.pos,
			 strerror(-ret));
		v->failed++;
		return;
	}
	if (vc->in.first_bad != NO_BAD_BYTE ||
	    (vc->verdict_got && vc->verdict.first_bad != NO_BAD_BYTE)) {
		complain("%s: wrong byte at position %llu", v->mode, (unsigned long long)
			 (vc->in.first_bad != NO_BAD_BYTE ? vc->in.first_bad
							  : vc->verdict.first_bad));
		v->mismatched++;
	}
	if (vc->in.pos != vc->in.total || !told ||
	    (vc->wants_verdict && vc->verdict.received != vc->out.total)) {
		complain("%s: cut short: received %llu of %llu, the other end %llu of %llu",
			 v->mode, (unsigned long long)vc->in.pos,
			 (unsigned long long)vc->in.total,
			 (unsigned long long)vc->verdict.received,
			 (unsigned long long)vc->out.total);
		v->truncated++;
	}
}

static int vconn_event(struct verify *v, struct vconn *vc, uint32_t ev)
{
	int ret = net_error(vc->c.fd);

	if (!ret && (ev & EPOLLOUT))
		ret = vconn_write(vc);
	if (!ret && (ev & (EPOLLIN | EPOLLHUP)))
		ret = vconn_read(vc);
	if (!ret)
		return watch(v, vc);
	vconn_judge(v, vc, ret);
	close(vc->c.fd);
	v->live--;
	return v->started < v->o->connections ? vconn_start(v, vc) : 0;
}

static int verify_loop(struct verify *v)
{
	struct epoll_event ev[NR_EVENTS];
	unsigned int c;
	int ret = 0;
	int i, n;

	for (c = 0; c < v->o->parallel && c < v->o->connections && !ret; c++)
		ret = vconn_start(v, &v->conns[c]);
	while (v->live && !ret) {
		n = epoll_wait(v->ep, ev, NR_EVENTS, v->o->deadline_ms);
		if (!n)
			ret = -ETIMEDOUT;
		for (i = 0; i < n && !ret; i++)
			ret = vconn_event(v, ev[i].data.ptr, ev[i].events);
	}
	if (ret)
		complain("%s: %u connections unfinished: %s", v->mode, v->live, strerror(-ret));
	return ret;
}

static int verify_run(struct verify *v)
{
	uint64_t start = now_ns();
	struct report r;
	double elapsed;
	int ret;

	v->ep = epoll_create1(EPOLL_CLOEXEC);
	v->conns = calloc(v->o->parallel, sizeof(*v->conns));
	if (v->ep < 0 || !v->conns) {
		complain("%s: out of memory or descriptors", v->mode);
		return 1;
	}
	ret = verify_loop(v);
	elapsed = (double)(now_ns() - start) / 1e9;
	report_begin(&r, v->o->json, v->mode);
	report_u64(&r, "connections", v->started);
	report_f64(&r, "seconds", elapsed);
	report_u64(&r, "bytes", v->bytes);
	report_u64(&r, "mismatched", v->mismatched);
	report_u64(&r, "truncated", v->truncated);
	report_u64(&r, "failed", v->failed + v->live);
	report_f64(&r, "per_s", v->started / elapsed);
	report_end(&r);
	free(v->conns);
	return ret || v->mismatched || v->truncated || v->failed ? 1 : 0;
}

static void plan_integrity(struct verify *v, unsigned int nr, struct ask *ask)
{
	ask->mode = LOAD_VERIFY;
	ask->seed = v->o->seed + nr;
	ask->up = v->o->bytes;
	ask->down = v->o->bytes;
}

static void plan_short(struct verify *v, unsigned int nr, struct ask *ask)
{
	uint64_t len = 1 + mix64(v->o->seed + nr * 31ULL) % v->o->bytes;
	bool up = v->o->direction == DIR_UP || (v->o->direction == DIR_BOTH && (nr & 1));

	ask->mode = up ? LOAD_VERIFY : LOAD_DUMP;
	ask->seed = v->o->seed + nr;
	ask->up = up ? len : 0;
	ask->down = up ? 0 : len;
}

int integrity_main(const struct opts *o)
{
	struct opts all = *o;
	struct verify v = { .o = &all, .mode = "integrity", .plan = plan_integrity };

	all.parallel = o->connections;
	return verify_run(&v);
}

int short_main(const struct opts *o)
{
	struct verify v = { .o = o, .mode = "short", .plan = plan_short };

	return verify_run(&v);
}
