// SPDX-License-Identifier: BSD-3-Clause
/*
 * From accept() to authenticated (noports.md 5.4, 5.5).
 *
 *	accepted --no authentication on this side--> queue
 *	accepted --line--> verifier says 0 --> queue
 *	                   verifier says "not yet" --> held --retry--> verifier
 *	                   anything else, too long, end of stream, time-out --> dropped
 *
 * The relay never says a word. Where several lines are there at once, sockets are queued in the
 * order they were accepted, however the loop reports them: the other end matches by that order
 * (6.4).
 */
#include "relay/session.h"

#include "base/err.h"
#include "base/fd.h"
#include "net/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct np_arrival *first_unproven(struct np_relay_session *session, unsigned int side)
{
	return (struct np_arrival *)session->unproven[side].first;
}

static struct np_arrival *next_of(struct np_arrival *arrival)
{
	return (struct np_arrival *)arrival->waiter.next;
}

void np_arrival_drop(struct np_arrival *arrival)
{
	struct np_relay *relay = arrival->session->relay;

	ev_io_stop(relay->params.loop, &arrival->io);
	ev_timer_stop(relay->params.loop, &arrival->deadline);
	np_waiter_remove(&arrival->waiter);
	np_linebuf_fini(&arrival->in);
	if (arrival->fd >= 0)
		relay->load.nr_fds--;
	np_fd_close(&arrival->fd);
	free(arrival);
}

static void refuse(struct np_arrival *arrival, const char *why, const struct np_err *err)
{
	struct np_relay_session *session = arrival->session;
	char from[NP_ADDR_TEXT_MAX];

	if (np_log_may(&session->log_limit, 5, 10000)) {
		np_addr_text(&arrival->peer, from, sizeof(from));
		np_warn("session %s: socket refused side=%c peer=%s reason=%s%s%s",
			session->params.sid, np_relay_side_name(arrival->side), from, why,
			err ? ": " : "", err ? np_err_text(err) : "");
	}
	np_arrival_drop(arrival);
}

/*
 * What verify() thinks of the complete line. Return: 0 queued, -EAGAIN held; otherwise it is gone.
 */
static int judge(struct np_arrival *arrival)
{
	struct np_relay_session *session = arrival->session;
	const struct np_relay_params *params = &session->relay->params;
	struct np_err err = NP_ERR_INIT;
	int ret;

	ret = params->ops.verify(session, arrival->side, arrival->line, arrival->line_len, &err,
				 params->arg);
	if (ret == -EAGAIN)
		return ret;
	if (ret) {
		err.code = ret;
		refuse(arrival, "authentication failed", &err);
		return ret;
	}
	arrival->line = NULL;
	np_linebuf_drop(&arrival->in);
	np_session_enqueue(arrival);
	return 0;
}

/*
 * Reads until the line is complete. Return: 0 when it is, -EAGAIN, else negative and the arrival is
 * gone.
 */
static int read_line(struct np_arrival *arrival)
{
	char chunk[NP_RELAY_AUTH_LINE_MAX];
	ssize_t n;
	int ret;

	for (;;) {
		n = recv(arrival->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return -EAGAIN;
		if (n <= 0) {
			refuse(arrival, n ? "connection failed" : "ended before authentication",
			       NULL);
			return -ECONNRESET;
		}
		if (np_linebuf_feed(&arrival->in, chunk, (size_t)n)) {
			refuse(arrival, "no memory", NULL);
			return -ENOMEM;
		}
		ret = np_linebuf_next(&arrival->in, &arrival->line, &arrival->line_len);
		if (ret == 1)
			break;
		if (ret < 0) {
			refuse(arrival, "authentication line too long", NULL);
			return ret;
		}
	}
	ev_io_stop(arrival->session->relay->params.loop, &arrival->io);
	return 0;
}

/* Sockets accepted before @arrival go first when their lines are here; then @arrival itself. */
static void advance(struct np_arrival *arrival)
{
	struct np_arrival *older, *next;

	if (!arrival->line && read_line(arrival))
		return;
	for (older = first_unproven(arrival->session, arrival->side); older != arrival;
	     older = next) {
		next = next_of(older);
		if (!older->line && !read_line(older))
			judge(older);
	}
	judge(arrival);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	advance(w->data);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	refuse(w->data, "no authentication in time", NULL);
}

void np_admit_retry(struct np_relay_session *session)
{
	struct np_arrival *arrival, *next;
	unsigned int side;

	for (side = 0; side < 2; side++) {
		for (arrival = first_unproven(session, side); arrival; arrival = next) {
			next = next_of(arrival);
			if (arrival->line)
				judge(arrival);
		}
	}
}

static bool same_ip(const struct np_addr *a, const struct np_addr *b)
{
	if (a->ss.ss_family != b->ss.ss_family)
		return false;
	if (a->ss.ss_family == AF_INET6)
		return !memcmp(&((const struct sockaddr_in6 *)&a->ss)->sin6_addr,
			       &((const struct sockaddr_in6 *)&b->ss)->sin6_addr,
			       sizeof(struct in6_addr));
	return ((const struct sockaddr_in *)&a->ss)->sin_addr.s_addr ==
	       ((const struct sockaddr_in *)&b->ss)->sin_addr.s_addr;
}

/*
 * Half-open connections cost a flood only its own: who comes last always gets in, since an honest
 * peer's line follows its connect at once, and the oldest of the same address, or else of all,
 * makes room.
 */
static void make_room(struct np_relay_session *session, unsigned int side,
		      const struct np_addr *peer)
{
	const struct np_relay_limits *limits = &session->relay->params.limits;
	struct np_arrival *arrival, *oldest_same = NULL;
	unsigned int nr_same = 0;

	for (arrival = first_unproven(session, side); arrival; arrival = next_of(arrival)) {
		if (!same_ip(&arrival->peer, peer))
			continue;
		if (!nr_same++)
			oldest_same = arrival;
	}
	if (nr_same >= limits->unproven_per_ip)
		refuse(oldest_same, "too many unauthenticated sockets of this address", NULL);
	else if (session->unproven[side].nr >= limits->unproven)
		refuse(first_unproven(session, side), "too many unauthenticated sockets", NULL);
}

static struct np_arrival *arrival_new(struct np_relay_session *session, unsigned int side, int fd,
				      const struct np_addr *peer)
{
	struct np_arrival *arrival = calloc(1, sizeof(*arrival));

	if (!arrival)
		return NULL;
	arrival->session = session;
	arrival->side = side;
	arrival->fd = fd;
	arrival->peer = *peer;
	arrival->in = (struct np_linebuf)NP_LINEBUF_INIT(NP_RELAY_AUTH_LINE_MAX);
	ev_io_init(&arrival->io, on_readable, fd, EV_READ);
	ev_timer_init(&arrival->deadline, on_deadline, session->relay->params.limits.auth_ms / 1e3,
		      0.);
	arrival->io.data = arrival->deadline.data = arrival;
	session->relay->load.nr_fds++;
	return arrival;
}

void np_admit(struct np_relay_session *session, unsigned int side, int fd,
	      const struct np_addr *peer)
{
	struct ev_loop *loop = session->relay->params.loop;
	bool short_of_fds = np_relay_load_has_fd(&session->relay->load) < 0;
	struct np_arrival *arrival = arrival_new(session, side, fd, peer);

	if (!arrival) {
		np_fd_close(&fd);
		return;
	}
	if (short_of_fds) {
		refuse(arrival, "descriptors are short", NULL);
		return;
	}
	np_sock_be_patient(fd);
	if (!session->params.auth[side]) {
		np_session_enqueue(arrival);
		return;
	}
	make_room(session, side, peer);
	np_waiters_append(&session->unproven[side], &arrival->waiter);
	ev_timer_start(loop, &arrival->deadline);
	ev_io_start(loop, &arrival->io);
	advance(arrival);
}
