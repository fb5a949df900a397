// SPDX-License-Identifier: BSD-3-Clause
#include "splice_peer.h"

#include "base/fd.h"
#include "net/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IO_MAX (256 * 1024)

uint8_t peer_byte(uint64_t seed, uint64_t pos)
{
	return (uint8_t)(((pos + seed * 1000003) * 0x9e3779b97f4a7c15ull) >> 56);
}

void peer_fill(uint64_t seed, uint64_t pos, void *dst, size_t len)
{
	uint8_t *at = dst;

	while (len--)
		*at++ = peer_byte(seed, pos++);
}

unsigned int peer_random(unsigned int below)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? (unsigned int)((state >> 20) % below) : 0;
}

static void send_more(struct peer *peer)
{
	static uint8_t buf[IO_MAX];
	uint64_t left = peer->tx_total - peer->tx;
	size_t len = 1 + peer_random(peer->chunk ? peer->chunk : IO_MAX);
	ssize_t n;

	if (len > left)
		len = (size_t)left;
	peer_fill(peer->tx_seed, peer->tx, buf, len);
	n = send(peer->fd, buf, len, MSG_NOSIGNAL);
	if (n > 0)
		peer->tx += (uint64_t)n;
	else if (n < 0 && errno != EAGAIN)
		peer->reset = true;
}

static void receive(struct peer *peer)
{
	static uint8_t buf[IO_MAX];
	ssize_t n = recv(peer->fd, buf, 1 + peer_random(peer->chunk ? peer->chunk : IO_MAX), 0), i;

	if (n == 0)
		peer->eof = true;
	if (n < 0 && errno != EAGAIN)
		peer->reset = true;
	for (i = 0; i < n; i++)
		peer->rx_bad += buf[i] != peer_byte(peer->rx_seed, peer->rx++);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct peer *peer = (struct peer *)w;

	(void)loop;
	if ((revents & EV_WRITE) && peer->tx < peer->tx_total)
		send_more(peer);
	if ((revents & EV_READ) && !peer->paused)
		receive(peer);
	peer_update(peer);
}

void peer_start(struct ev_loop *loop, struct peer *peer, int fd)
{
	peer->loop = loop;
	peer->fd = fd;
	ev_io_init(&peer->io, on_io, fd, 0);
	peer_update(peer);
}

void peer_update(struct peer *peer)
{
	int events = 0;

	if (peer->fd < 0)
		return;
	if (peer->tx == peer->tx_total && peer->close_when_sent) {
		peer_stop(peer);
		return;
	}
	if (peer->tx == peer->tx_total && peer->shut_when_sent && !peer->sent_fin) {
		shutdown(peer->fd, SHUT_WR);
		peer->sent_fin = true;
	}
	if (!peer->paused && !peer->eof && !peer->reset)
		events |= EV_READ;
	if (peer->tx < peer->tx_total && !peer->reset)
		events |= EV_WRITE;
	ev_io_stop(peer->loop, &peer->io);
	ev_io_set(&peer->io, peer->fd, events);
	if (events)
		ev_io_start(peer->loop, &peer->io);
}

void peer_stop(struct peer *peer)
{
	ev_io_stop(peer->loop, &peer->io);
	np_fd_close(&peer->fd);
}

void peer_reset(struct peer *peer)
{
	ev_io_stop(peer->loop, &peer->io);
	np_sock_reset(&peer->fd);
}

int tcp_pair(int fd[2], int rcvbuf)
{
	struct np_addr addr;
	int on = 1, l = np_sock_listen("127.0.0.1", 0, 1, NULL);

	if (l < 0)
		return l;
	if (rcvbuf)
		setsockopt(l, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	np_sock_local(l, &addr);
	/* Blocking, so that the connection stands when this returns. */
	fd[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd[0] < 0 || connect(fd[0], (struct sockaddr *)&addr.ss, addr.len) < 0) {
		np_fd_close(&l);
		np_fd_close(&fd[0]);
		return -errno;
	}
	fd[1] = np_sock_accept(l, NULL);
	np_fd_set_nonblock(fd[0]);
	setsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	np_fd_close(&l);
	if (fd[1] < 0)
		np_fd_close(&fd[0]);
	return fd[1] < 0 ? fd[1] : 0;
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	*(bool *)w->data = true;
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
}

bool loop_until(struct ev_loop *loop, bool (*done)(void *arg), void *arg, unsigned int ms)
{
	ev_timer deadline, tick;
	bool late = false;

	ev_now_update(loop);
	ev_timer_init(&deadline, on_deadline, ms / 1e3, 0.);
	ev_timer_init(&tick, on_tick, .005, .005);
	deadline.data = &late;
	ev_timer_start(loop, &deadline);
	ev_timer_start(loop, &tick);
	while (!late && !done(arg))
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &deadline);
	ev_timer_stop(loop, &tick);
	return !late;
}
