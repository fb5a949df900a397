// SPDX-License-Identifier: BSD-3-Clause
/*
 * A scratch pair on loopback goes through what broken kernels get wrong, each step in the same
 * stream:
 *
 *	early	bytes that were there before the socket was in the map have to arrive by themselves,
 *		but not those that were read before
 *	stall	while the reader stalls, the sender has to be stopped soon
 *	bulk	8 MiB through small buffers arrive once and in order
 *	end	the end of the stream comes right behind the last byte; then the other direction
 */
#include "splice/sockmap.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "net/sock.h"
#include "splice/ops.h"

#include <ev.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A busy machine is no broken kernel: who runs out of time gets a second, longer chance. */
#define DEADLINE_MS 900
#define SECOND_DEADLINE_MS 5000
#define EARLY 1000
#define READ_BEFORE 300
#define TOTAL (8u << 20)
#define REPLY 3000
#define SMALL_BUFFER (128 * 1024)
#define STALL_MAX (3u << 20) /* the program's limit, and buffers */
#define STALL_ROUNDS 10	     /* of a millisecond, without a byte taken */

struct scratch {
	struct np_splice engine;
	struct np_pair *pair;
	int fd[2]; /* until they are the pair's */
	int peer[2];
	uint64_t tx, rx; /* from peer 0 to peer 1 */
	uint64_t reply_rx;
	long long until_ms;
	bool eof[2], ended;
	enum np_pair_end end;
	uint8_t buf[64 * 1024];
};

static uint8_t byte_at(uint64_t pos)
{
	return (uint8_t)((pos * 0x9e3779b97f4a7c15ull) >> 56);
}

static void on_end(struct np_pair *pair, enum np_pair_end end, const struct np_splice_stats *stats,
		   void *arg)
{
	struct scratch *s = arg;

	(void)pair;
	(void)stats;
	s->pair = NULL;
	s->ended = true;
	s->end = end;
}

/*
 * Both ends of one connection; somebody else's connection to our listener is not mistaken for it.
 */
static int connection(int *near, int *far, struct np_err *err)
{
	struct np_addr addr, from;
	struct pollfd pfd;
	int ret = 0, size = SMALL_BUFFER;

	pfd.fd = np_sock_listen("127.0.0.1", 0, 1, err);
	pfd.events = POLLIN;
	if (pfd.fd < 0)
		return pfd.fd;
	ret = np_sock_local(pfd.fd, &addr);
	*far = ret ? ret : np_sock_connect_start(&addr);
	if (*far >= 0 && poll(&pfd, 1, DEADLINE_MS) == 1)
		*near = np_sock_accept(pfd.fd, &from);
	if (*far < 0 || *near < 0 || np_sock_local(*far, &addr) || addr.len != from.len ||
	    memcmp(&addr.ss, &from.ss, addr.len))
		ret = np_fail(err, -ECONNREFUSED,
			      "no scratch connection on the loopback interface");
	np_fd_close(&pfd.fd);
	if (ret)
		return ret;
	(void)setsockopt(*near, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(*near, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(*far, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	(void)setsockopt(*far, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

/* Return: bytes taken, or negative errno. */
static ssize_t send_until(struct scratch *s, uint64_t total)
{
	size_t len = sizeof(s->buf), i;
	ssize_t n;

	if (len > total - s->tx)
		len = (size_t)(total - s->tx);
	for (i = 0; i < len; i++)
		s->buf[i] = byte_at(s->tx + i);
	n = send(s->peer[0], s->buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	s->tx += (uint64_t)n;
	return n;
}

/* Read at peer @x, compare. Return: bytes, or negative errno. */
static ssize_t receive(struct scratch *s, int x)
{
	ssize_t n = recv(s->peer[x], s->buf, sizeof(s->buf), MSG_DONTWAIT), i;
	uint64_t *rx = x ? &s->rx : &s->reply_rx;

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	s->eof[x] = !n;
	for (i = 0; i < n; i++) {
		if (s->buf[i] != byte_at((*rx)++))
			return -EILSEQ;
	}
	return n;
}

/* Let the pair work. @idle: nothing else is to do, so give it a millisecond. */
static int turn(struct scratch *s, bool idle)
{
	struct pollfd fds[2] = {{.fd = s->peer[0], .events = POLLIN},
				{.fd = s->peer[1], .events = POLLIN}};

	if (idle)
		poll(fds, 2, 1);
	ev_run(s->engine.loop, EVRUN_NOWAIT);
	return np_clock_mono_ms() > s->until_ms ? -ETIMEDOUT : 0;
}

static int join(struct scratch *s, struct np_err *err)
{
	struct np_pair_params params = {.on_end = on_end, .arg = s};
	int ret;

	params.fd[0] = s->fd[0];
	params.fd[1] = s->fd[1];
	s->fd[0] = s->fd[1] = -1;
	ret = np_pair_join(&s->engine, &params, &s->pair, err);
	return ret;
}

/* The packet has to be there as a whole, so that a part of it is read. */
static int read_before(struct scratch *s)
{
	struct pollfd pfd = {.fd = s->fd[0], .events = POLLIN};

	if (send_until(s, EARLY) != EARLY || poll(&pfd, 1, DEADLINE_MS) != 1 ||
	    recv(s->fd[0], s->buf, READ_BEFORE, MSG_DONTWAIT) != READ_BEFORE)
		return -EIO;
	s->rx = READ_BEFORE;
	return 0;
}

static int step_early(struct scratch *s, struct np_err *err)
{
	int ret = read_before(s);
	ssize_t n;

	if (ret)
		return np_fail(err, ret, "a fresh connection does not take %d bytes", EARLY);
	ret = join(s, err);
	while (!ret && s->rx < EARLY) {
		n = receive(s, 1);
		ret = n < 0 ? (int)n : turn(s, !n);
		if (ret == -EILSEQ)
			np_fail(err, ret, "bytes that were read before the join come again");
		else if (ret)
			np_fail(err, ret, "bytes that came before the join do not arrive");
	}
	return ret;
}

static int step_stall(struct scratch *s, struct np_err *err)
{
	int rounds = 0, ret = 0;
	ssize_t n;

	while (!ret && rounds < STALL_ROUNDS) {
		n = send_until(s, TOTAL);
		rounds = n ? 0 : rounds + 1;
		ret = n < 0 ? (int)n : turn(s, !n);
		if (s->tx > STALL_MAX)
			return np_fail(err, -ENOBUFS, "a stalled reader does not stop the sender");
	}
	return ret ? np_fail_errno(err, ret, "sending to a stalled reader") : 0;
}

static int step_bulk(struct scratch *s, struct np_err *err)
{
	ssize_t n, m = 0;
	int ret = 0;

	while (!ret && s->rx < TOTAL && !s->eof[1]) {
		n = s->tx < TOTAL ? send_until(s, TOTAL) : 0;
		if (n > 0 && s->tx == TOTAL)
			shutdown(s->peer[0], SHUT_WR);
		m = n < 0 ? 0 : receive(s, 1);
		ret = n < 0 ? (int)n : m < 0 ? (int)m : turn(s, !n && !m);
	}
	if (ret == -EILSEQ)
		return np_fail(err, ret, "bytes arrive changed, doubled or out of order");
	if (ret)
		return np_fail_errno(err, ret, "only %llu of %u bytes arrive",
				     (unsigned long long)s->rx, TOTAL);
	return s->eof[1] ? np_fail(err, -EIO, "the end of the stream comes before its last bytes")
			 : 0;
}

static int step_end(struct scratch *s, struct np_err *err)
{
	bool replied = false;
	ssize_t n = 0;
	size_t i;
	int ret = 0;

	while (!ret && !(s->eof[0] && s->eof[1] && s->ended)) {
		n = s->eof[1] ? 0 : receive(s, 1);
		if (s->eof[1] && !replied) {
			for (i = 0; i < REPLY; i++)
				s->buf[i] = byte_at(i);
			replied = send(s->peer[1], s->buf, REPLY, MSG_DONTWAIT | MSG_NOSIGNAL) ==
					  REPLY &&
				  !shutdown(s->peer[1], SHUT_WR);
		}
		if (n >= 0 && !s->eof[0])
			n = receive(s, 0);
		ret = n < 0 ? (int)n : turn(s, true);
	}
	if (!ret && (s->rx != TOTAL || s->reply_rx != REPLY || s->end != NP_END_EOF))
		ret = -EIO;
	return ret ? np_fail_errno(err, ret, "streams do not end in order") : 0;
}

static int run(struct scratch *s, int deadline_ms, struct np_err *err)
{
	int i, ret;

	memset(s, 0, sizeof(*s));
	s->fd[0] = s->fd[1] = s->peer[0] = s->peer[1] = -1;
	s->until_ms = np_clock_mono_ms() + deadline_ms;
	s->engine.usable[0] = &np_splice_sockmap;
	s->engine.loop = ev_loop_new(EVFLAG_AUTO);
	if (!s->engine.loop)
		return np_fail(err, -ENOMEM, "no event loop");
	ret = connection(&s->fd[0], &s->peer[0], err);
	if (!ret)
		ret = connection(&s->fd[1], &s->peer[1], err);
	if (!ret)
		ret = step_early(s, err);
	if (!ret)
		ret = step_stall(s, err);
	if (!ret)
		ret = step_bulk(s, err);
	if (!ret)
		ret = step_end(s, err);
	np_pair_kill(s->pair);
	for (i = 0; i < 2; i++) {
		np_fd_close(&s->fd[i]);
		np_fd_close(&s->peer[i]);
	}
	np_pool_fini(&s->engine.pool);
	ev_loop_destroy(s->engine.loop);
	return ret;
}

int np_sockmap_selftest(struct np_err *err)
{
	struct scratch *s = malloc(sizeof(*s));
	int ret;

	if (!s)
		return np_fail(err, -ENOMEM, "no memory");
	ret = run(s, DEADLINE_MS, err);
	if (ret == -ETIMEDOUT) {
		ret = run(s, SECOND_DEADLINE_MS, err);
		if (!ret && err)
			*err = (struct np_err)NP_ERR_INIT;
	}
	free(s);
	return ret;
}
