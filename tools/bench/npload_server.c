// SPDX-License-Identifier: BSD-3-Clause
/*
 * The server end. It listens, or it connects out to a relay's second port and keeps some
 * connections waiting there; either way each connection is told by the client's ask what to do.
 *
 *   OPENING --connected, line sent--> ASKING --ask complete--> RUNNING --done--> closed
 *
 * Accepted connections start in ASKING.
 */
#include "npload.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define NR_EVENTS	256
#define SEND_CHUNK	(128 * 1024)
#define ECHO_CHUNK	(64 * 1024)

enum sphase { OPENING, ASKING, RUNNING };

struct server;

struct sconn {
	struct conn c;
	enum sphase phase;
	uint32_t events;		/* what the poller watches */
	int (*run)(struct server *s, struct sconn *sc, uint32_t ev);
	struct ask ask;
	size_t ask_got;
	struct vstream in, out;
	bool in_eof;
	struct verdict verdict;
	size_t verdict_off;
	uint8_t *held;			/* echo: what the socket did not take yet */
	size_t held_off, held_len;
};

struct server {
	const struct opts *o;
	int ep, listener, sigfd;
	unsigned int opened, asking, waiting, live;
	bool closing;			/* no new connections: the relay ended, or a signal came */
	uint64_t served, unused, failed, damaged, received, sent;
};

static uint8_t io_buf[LOAD_BUF];

/* The handlers return 0 to go on, 1 when the connection is done, or a negative errno. */

static int watch(struct server *s, struct sconn *sc, uint32_t events)
{
	if (sc->events == events)
		return 0;
	sc->events = events;
	return poller_mod(s->ep, sc->c.fd, events, sc);
}

/* Reads once into io_buf; -EAGAIN is 0 bytes without eof. */
static int read_some(struct server *s, struct sconn *sc, size_t max, size_t *got)
{
	ssize_t n = recv(sc->c.fd, io_buf, max, 0);

	*got = n > 0 ? (size_t)n : 0;
	s->received += *got;
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	sc->in_eof = n == 0;
	return 0;
}

static int send_verdict(struct sconn *sc)
{
	size_t left = sizeof(sc->verdict) - sc->verdict_off;
	ssize_t n = send(sc->c.fd, (uint8_t *)&sc->verdict + sc->verdict_off, left, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	sc->verdict_off += (size_t)n;
	return sc->verdict_off == sizeof(sc->verdict);
}

static int run_bulk(struct server *s, struct sconn *sc, uint32_t ev)
{
	bool down = sc->ask.flags & ASK_DOWN;
	size_t got;
	ssize_t n;
	int ret;

	if (!sc->in_eof && (ev & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
		ret = read_some(s, sc, sizeof(io_buf), &got);
		if (ret)
			return ret;
		sc->verdict.received += got;
	}
	if (sc->in_eof) {
		ret = send_verdict(sc);
		return ret ? ret : watch(s, sc, EPOLLOUT);
	}
	if (down && (ev & EPOLLOUT)) {
		n = send(sc->c.fd, io_buf, SEND_CHUNK, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		s->sent += n > 0 ? (uint64_t)n : 0;
	}
	return watch(s, sc, down ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int echo_flush(struct server *s, struct sconn *sc)
{
	ssize_t n = send(sc->c.fd, sc->held + sc->held_off, sc->held_len - sc->held_off,
			 MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	s->sent += (uint64_t)n;
	sc->held_off += (size_t)n;
	if (sc->held_off < sc->held_len)
		return 0;
	sc->held_off = sc->held_len = 0;
	return watch(s, sc, EPOLLIN);
}

/* Keeps what the socket refuses and stops reading until that is gone. */
static int echo_hold(struct server *s, struct sconn *sc, size_t from, size_t len)
{
	if (!sc->held)
		sc->held = malloc(ECHO_CHUNK);
	if (!sc->held)
		return -ENOMEM;
	memcpy(sc->held, io_buf + from, len - from);
	sc->held_off = 0;
	sc->held_len = len - from;
	return watch(s, sc, EPOLLOUT);
}

static int run_echo(struct server *s, struct sconn *sc, uint32_t ev)
{
	size_t got;
	ssize_t n;
	int ret;

	if (sc->held_len)
		return ev & (EPOLLHUP | EPOLLERR) ? -ECONNRESET : echo_flush(s, sc);
	ret = read_some(s, sc, ECHO_CHUNK, &got);
	if (ret || sc->in_eof)
		return ret ? ret : 1;
	if (!got)
		return 0;
	n = send(sc->c.fd, io_buf, got, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		return -errno;
	n = n < 0 ? 0 : n;
	s->sent += (uint64_t)n;
	return (size_t)n < got ? echo_hold(s, sc, (size_t)n, got) : 0;
}

static int run_verify(struct server *s, struct sconn *sc, uint32_t ev)
{
	uint64_t before = sc->out.pos;
	size_t got;
	int ret = 0;

	if (!sc->in_eof && (ev & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
		ret = read_some(s, sc, vstream_chunk(&sc->in), &got);
		if (ret)
			return ret;
		vstream_check(&sc->in, io_buf, got);
	}
	if (sc->out.pos < sc->out.total)
		ret = vstream_send(&sc->out, sc->c.fd);
	s->sent += sc->out.pos - before;
	if (ret)
		return ret;
	if (sc->in_eof && sc->out.pos == sc->out.total) {
		sc->verdict.received = sc->in.pos;
		sc->verdict.first_bad = sc->in.first_bad;
		ret = send_verdict(sc);
		if (ret == 1 && (sc->in.first_bad != NO_BAD_BYTE || sc->in.pos != sc->in.total))
			s->damaged++;
		return ret ? ret : watch(s, sc, EPOLLOUT);
	}
	return watch(s, sc, (sc->in_eof ? 0 : EPOLLIN) |
			    (sc->out.pos < sc->out.total ? EPOLLOUT : 0));
}

static int run_dump(struct server *s, struct sconn *sc, uint32_t ev)
{
	uint64_t before = sc->out.pos;
	int ret = vstream_send(&sc->out, sc->c.fd);

	(void)ev;
	s->sent += sc->out.pos - before;
	if (ret || sc->out.pos == sc->out.total)
		return ret ? ret : 1;
	return watch(s, sc, EPOLLOUT);
}

static int run_stall(struct server *s, struct sconn *sc, uint32_t ev)
{
	if (ev & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		return 1;
	return watch(s, sc, EPOLLRDHUP);
}

static int (*const behaviours[])(struct server *, struct sconn *, uint32_t) = {
	[LOAD_BULK] = run_bulk,
	[LOAD_ECHO] = run_echo,
	[LOAD_VERIFY] = run_verify,
	[LOAD_DUMP] = run_dump,
	[LOAD_STALL] = run_stall,
};

static int start_run(struct server *s, struct sconn *sc)
{
	const struct ask *ask = &sc->ask;

	if (ask->magic != ASK_MAGIC || ask->mode < LOAD_BULK || ask->mode > LOAD_STALL) {
		complain("server: a connection did not begin with a client's request");
		return -EPROTO;
	}
	sc->phase = RUNNING;
	sc->run = behaviours[ask->mode];
	vstream_init(&sc->in, ask->seed, ask->up);
	vstream_init(&sc->out, ~ask->seed, ask->down);
	sc->verdict.first_bad = NO_BAD_BYTE;
	s->waiting--;
	s->served++;
	if ((ask->flags & ASK_READY) && send(sc->c.fd, "R", 1, MSG_NOSIGNAL) != 1)
		return -errno;
	/* Data may follow in the same segment or much later: EPOLLOUT is true in both cases. */
	return sc->run(s, sc, EPOLLOUT);
}

static void say_ready(const struct opts *o, const struct addr *a)
{
	char host[64];
	unsigned int port;

	addr_format(a, host, sizeof(host), &port);
	dprintf(o->ready_fd >= 0 ? o->ready_fd : STDERR_FILENO,
		"{\"address\":\"%s\",\"port\":%u}\n", host, port);
	if (o->ready_fd > STDERR_FILENO)
		close(o->ready_fd);
}

static int on_opening(struct server *s, struct sconn *sc)
{
	int ret = net_error(sc->c.fd);

	if (!ret)
		ret = conn_push(&sc->c);
	if (ret == -EAGAIN)
		return 0;
	if (ret) {
		complain("server: cannot connect to the relay: %s", strerror(-ret));
		s->closing = true;
		return ret;
	}
	sc->phase = ASKING;
	if (++s->asking == s->o->parallel)
		say_ready(s->o, &s->o->connect);
	return watch(s, sc, EPOLLIN);
}

/* Reads no more than the ask, so that what follows stays for the behaviour. */
static int on_asking(struct server *s, struct sconn *sc)
{
	ssize_t n = recv(sc->c.fd, (uint8_t *)&sc->ask + sc->ask_got,
			 sizeof(sc->ask) - sc->ask_got, 0);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!n) {
		/* A relay that drops a waiting connection has ended its session. */
		if (s->o->has_connect)
			s->closing = true;
		s->unused++;
		return 1;
	}
	sc->ask_got += (size_t)n;
	return sc->ask_got == sizeof(sc->ask) ? start_run(s, sc) : 0;
}

static void sconn_drop(struct server *s, struct sconn *sc, int ret)
{
	if (ret < 0 && ret != -ECONNRESET && ret != -EPIPE)
		s->failed++;
	if (sc->phase != RUNNING)
		s->waiting--;
	close(sc->c.fd);
	s->live--;
	free(sc->held);
	free(sc);
}

static void on_event(struct server *s, struct sconn *sc, uint32_t ev)
{
	int ret;

	if (sc->phase == OPENING)
		ret = on_opening(s, sc);
	else if (sc->phase == ASKING)
		ret = on_asking(s, sc);
	else
		ret = sc->run(s, sc, ev);
	if (ret)
		sconn_drop(s, sc, ret);
}

static int sconn_new(struct server *s, int fd, enum sphase phase)
{
	struct sconn *sc = calloc(1, sizeof(*sc));
	int ret;

	if (!sc) {
		close(fd);
		return -ENOMEM;
	}
	sc->c.fd = fd;
	sc->phase = phase;
	sc->events = phase == OPENING ? EPOLLOUT : EPOLLIN;
	if (phase == OPENING)
		conn_say(&sc->c, s->o->auth, s->o->auth_len);
	ret = poller_add(s->ep, fd, sc->events, sc);
	if (ret) {
		close(fd);
		free(sc);
		return ret;
	}
	s->opened++;
	s->waiting++;
	s->live++;
	return 0;
}

static int accept_all(struct server *s)
{
	int fd;

	for (;;) {
		fd = net_accept(s->listener);
		if (fd == -EAGAIN || fd == -ECONNABORTED)
			return 0;
		if (fd < 0)
			return fd;
		fd = sconn_new(s, fd, ASKING);
		if (fd)
			return fd;
	}
}

static bool may_open(const struct server *s)
{
	return !s->closing && (!s->o->connections || s->opened < s->o->connections);
}

static int fill_waiting(struct server *s)
{
	int fd;

	while (may_open(s) && s->waiting < s->o->parallel) {
		fd = net_connect(&s->o->connect);
		if (fd >= 0)
			fd = sconn_new(s, fd, OPENING);
		if (fd < 0)
			return fd;
	}
	return 0;
}

static int server_setup(struct server *s, const struct opts *o)
{
	struct addr local = o->listen;
	sigset_t set;
	int ret;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->ep = epoll_create1(EPOLL_CLOEXEC);
	s->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->ep < 0 || s->sigfd < 0)
		return -errno;
	ret = poller_add(s->ep, s->sigfd, EPOLLIN, &s->sigfd);
	if (ret || !o->has_listen)
		return ret;
	s->listener = net_listen(&local);
	if (s->listener < 0)
		return s->listener;
	ret = poller_add(s->ep, s->listener, EPOLLIN, &s->listener);
	if (!ret)
		say_ready(o, &local);
	return ret;
}

static int server_loop(struct server *s)
{
	struct epoll_event ev[NR_EVENTS];
	bool stop = false;
	int ret = 0;
	int i, n;

	while (!stop && !ret) {
		if (s->o->has_connect)
			ret = fill_waiting(s);
		if (ret || (s->o->has_connect && !s->live))
			break;
		n = epoll_wait(s->ep, ev, NR_EVENTS, -1);
		for (i = 0; i < n && !ret; i++) {
			if (ev[i].data.ptr == &s->sigfd)
				stop = true;
			else if (ev[i].data.ptr == &s->listener)
				ret = accept_all(s);
			else
				on_event(s, ev[i].data.ptr, ev[i].events);
		}
	}
	return ret;
}

int server_main(const struct opts *o)
{
	struct server s = { .o = o, .ep = -1, .listener = -1, .sigfd = -1 };
	struct report r;
	int ret = server_setup(&s, o);

	if (!ret)
		ret = server_loop(&s);
	if (ret)
		complain("server: %s", strerror(-ret));
	report_begin(&r, o->json, "server");
	report_u64(&r, "served", s.served);
	report_u64(&r, "unused", s.unused);
	report_u64(&r, "failed", s.failed);
	report_u64(&r, "damaged", s.damaged);
	report_u64(&r, "received_bytes", s.received);
	report_u64(&r, "sent_bytes", s.sent);
	report_end(&r);
	return ret || s.failed || s.damaged ? 1 : 0;
}
