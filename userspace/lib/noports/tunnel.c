// SPDX-License-Identifier: BSD-3-Clause
/*
 * Two pumps, one per direction, each in one of these states:
 *
 *	READING --read, all written--> READING
 *	READING --read, part written--> STUCK (rest kept, reading stopped) --written--> READING
 *	READING --end of stream--> FINISHED (far end half-closed)
 *
 * Reading happens only while nothing is stuck, so an end of stream is always seen after the last
 * byte was written. Both FINISHED is the orderly end; any error ends the tunnel and resets the
 * sockets.
 */
#include "noports/tunnel.h"

#include "base/buf.h"
#include "base/err.h"
#include "crypto/aesctr.h"
#include "net/sock.h"
#include "noports/stream.h"

#include <ev.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (128u << 10)
#define READS_PER_TURN 4
#define CHECK_S 20.

/* Every tunnel of the process reads here in turn: bytes stay only where they are stuck. One loop,
 * one thread. */
static uint8_t shared[CHUNK];

struct pump {
	ev_io readable, writable;
	struct np_tunnel *tunnel;
	struct stream *from, *to;
	const char *from_name, *to_name;
	struct np_aesctr *ctr;
	struct np_buf stuck; /* already ciphered */
	uint64_t bytes;
	bool finished;
};

struct np_tunnel {
	struct ev_loop *loop;
	struct stream local_in, local_out, relay;
	struct pump up, down; /* local to relay, relay to local */
	ev_timer check;
	bool relay_failed;
	void (*on_end)(struct np_tunnel *tunnel, const struct np_err *err, void *arg);
	void *arg;
};

static void stop_pump(struct pump *p)
{
	ev_io_stop(p->tunnel->loop, &p->readable);
	ev_io_stop(p->tunnel->loop, &p->writable);
}

static void end(struct np_tunnel *t, const struct np_err *err)
{
	stop_pump(&t->up);
	stop_pump(&t->down);
	ev_timer_stop(t->loop, &t->check);
	t->on_end(t, err, t->arg);
}

static void reset_sockets(struct np_tunnel *t)
{
	stop_pump(&t->up);
	stop_pump(&t->down);
	if (t->relay.fd >= 0)
		np_sock_reset(&t->relay.fd);
	if (t->local_in.is_socket && t->local_in.fd >= 0)
		np_sock_reset(&t->local_in.fd);
}

static void fail(struct pump *p, const char *name, int code)
{
	struct np_tunnel *t = p->tunnel;
	struct np_err err = NP_ERR_INIT;

	np_fail_errno(&err, code, "tunnel: %s side", name);
	t->relay_failed = !strcmp(name, "relay");
	reset_sockets(t);
	end(t, &err);
}

static void finish(struct pump *p)
{
	struct np_err none = NP_ERR_INIT;
	struct np_tunnel *t = p->tunnel;

	p->finished = true;
	stop_pump(p);
	stream_finish(p->to);
	if (t->up.finished && t->down.finished)
		end(t, &none);
	else
		ev_timer_again(t->loop, &t->check);
}

/* Writes what it can and keeps the rest. Return: false when the tunnel has ended. */
static bool push(struct pump *p, const uint8_t *data, size_t len)
{
	ssize_t n = stream_write(p->to, data, len);

	if (n == -EAGAIN)
		n = 0;
	if (n < 0) {
		fail(p, p->to_name, (int)n);
		return false;
	}
	if ((size_t)n < len) {
		if (np_buf_append(&p->stuck, data + n, len - (size_t)n)) {
			fail(p, p->to_name, -ENOMEM);
			return false;
		}
		ev_io_stop(p->tunnel->loop, &p->readable);
		ev_io_start(p->tunnel->loop, &p->writable);
	}
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct pump *p = w->data;
	unsigned int i;
	ssize_t n;

	(void)loop;
	(void)revents;
	for (i = 0; i < READS_PER_TURN && !p->stuck.len; i++) {
		n = stream_read(p->from, shared, sizeof(shared));
		if (n == -EAGAIN)
			return;
		if (n < 0) {
			fail(p, p->from_name, (int)n);
			return;
		}
		if (n == 0) {
			finish(p);
			return;
		}
		p->bytes += (uint64_t)n;
		if (p->ctr && np_aesctr_xor(p->ctr, shared, (size_t)n)) {
			fail(p, p->from_name, -EIO);
			return;
		}
		if (!push(p, shared, (size_t)n) || (size_t)n < sizeof(shared))
			return;
	}
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct pump *p = w->data;
	ssize_t n;

	(void)revents;
	n = stream_write(p->to, p->stuck.data, p->stuck.len);
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		fail(p, p->to_name, (int)n);
		return;
	}
	np_buf_consume(&p->stuck, (size_t)n);
	if (p->stuck.len)
		return;
	ev_io_stop(loop, w);
	ev_io_start(loop, &p->readable);
}

/*
 * After a half-close nobody reads that socket any more, so the reset of a peer that is gone
 * altogether (relays in the field destroy both directions, noports.md 5.3) would go unnoticed for
 * as long as the other end is idle.
 */
static void on_check(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_tunnel *t = w->data;
	struct pump *open = t->up.finished ? &t->down : &t->up;

	(void)loop;
	(void)revents;
	if (stream_is_dead(open->to))
		fail(open, open->to_name, -ECONNRESET);
}

static void init_pump(struct np_tunnel *t, struct pump *p, struct stream *from, struct stream *to,
		      struct np_aesctr *ctr)
{
	p->tunnel = t;
	p->from = from;
	p->to = to;
	p->ctr = ctr;
	p->from_name = from == &t->relay ? "relay" : "local";
	p->to_name = to == &t->relay ? "relay" : "local";
	ev_io_init(&p->readable, on_readable, from->fd, EV_READ);
	ev_io_init(&p->writable, on_writable, to->fd, EV_WRITE);
	p->readable.data = p->writable.data = p;
}

static void start_pump(struct pump *p)
{
	ev_io_start(p->tunnel->loop, p->stuck.len ? &p->writable : &p->readable);
}

static int take_early_bytes(struct np_tunnel *t, const struct np_tunnel_params *params)
{
	struct pump *down = &t->down;

	if (!params->from_relay)
		return 0;
	np_buf_take(&down->stuck, params->from_relay);
	down->bytes += down->stuck.len;
	return down->ctr && down->stuck.len
		       ? np_aesctr_xor(down->ctr, down->stuck.data, down->stuck.len)
		       : 0;
}

static void discard(const struct np_tunnel_params *params)
{
	struct stream in = { params->local_in, false, false },
		      out = { params->local_out, false, false };
	struct stream relay = { params->relay, false, false };

	if (in.fd != out.fd)
		stream_close(&out);
	stream_close(&in);
	stream_close(&relay);
	np_aesctr_free(params->encrypt);
	np_aesctr_free(params->decrypt);
}

int np_tunnel_open(const struct np_tunnel_params *params, struct np_tunnel **out,
		   struct np_err *err)
{
	struct np_tunnel *t = calloc(1, sizeof(*t));
	bool one_socket = params->local_in == params->local_out;
	int ret;

	if (!t) {
		discard(params);
		return np_fail(err, -ENOMEM, "tunnel: out of memory");
	}
	t->loop = params->loop;
	t->on_end = params->on_end;
	t->arg = params->arg;
	stream_open(&t->relay, params->relay, true);
	stream_open(&t->local_in, params->local_in, false);
	t->local_out.fd = -1;
	if (!one_socket)
		stream_open(&t->local_out, params->local_out, true);
	init_pump(t, &t->up, &t->local_in, &t->relay, params->encrypt);
	init_pump(t, &t->down, &t->relay, one_socket ? &t->local_in : &t->local_out,
		  params->decrypt);
	ev_timer_init(&t->check, on_check, 0., CHECK_S);
	t->check.data = t;
	ret = take_early_bytes(t, params);
	if (ret) {
		np_tunnel_close(t);
		return np_fail(err, ret, "tunnel: cannot decrypt");
	}
	start_pump(&t->up);
	start_pump(&t->down);
	*out = t;
	return 0;
}

static void fini_pump(struct pump *p)
{
	stop_pump(p);
	np_buf_fini(&p->stuck);
	np_aesctr_free(p->ctr);
}

void np_tunnel_close(struct np_tunnel *t)
{
	if (!t)
		return;
	fini_pump(&t->up);
	fini_pump(&t->down);
	ev_timer_stop(t->loop, &t->check);
	stream_close(&t->local_in);
	stream_close(&t->local_out);
	stream_close(&t->relay);
	free(t);
}

void np_tunnel_abort(struct np_tunnel *t)
{
	if (t)
		reset_sockets(t);
	np_tunnel_close(t);
}

void np_tunnel_bytes(const struct np_tunnel *t, uint64_t *from_local, uint64_t *from_relay)
{
	*from_local = t->up.bytes;
	*from_relay = t->down.bytes;
}

bool np_tunnel_relay_failed(const struct np_tunnel *t)
{
	return t->relay_failed;
}
