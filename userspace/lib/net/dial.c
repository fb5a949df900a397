// SPDX-License-Identifier: BSD-3-Clause
/*
 * States: RESOLVING -> RACING (up to MAX_ADDRS sockets, a new one every STAGGER_S or on a failure) -> reported.
 * The order of tries alternates between address families, beginning with the resolver's first.
 */
#include "net/dial.h"

#include "base/err.h"
#include "base/fd.h"
#include "ev/resolve.h"
#include "net/sock.h"

#include <ev.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ADDRS 8
#define STAGGER_S 0.25

struct attempt {
	ev_io io; /* io.fd is -1 when not running */
	struct np_dial *dial;
};

struct np_dial {
	struct ev_loop *loop;
	struct np_resolve *resolve;
	ev_timer deadline, stagger;
	np_dial_cb cb;
	void *arg;
	struct np_addr addrs[MAX_ADDRS];
	struct attempt attempts[MAX_ADDRS];
	unsigned int nr_addrs, nr_tried, nr_running;
	int last_error;
	uint16_t port;
	char host[];
};

static void stop_attempt(struct np_dial *dial, struct attempt *a, bool keep_fd)
{
	int fd = a->io.fd;

	if (fd < 0)
		return;
	ev_io_stop(dial->loop, &a->io);
	a->io.fd = -1;
	dial->nr_running--;
	if (!keep_fd)
		np_fd_close(&fd);
}

void np_dial_cancel(struct np_dial *dial)
{
	unsigned int i;

	if (!dial)
		return;
	np_resolve_cancel(dial->resolve);
	ev_timer_stop(dial->loop, &dial->deadline);
	ev_timer_stop(dial->loop, &dial->stagger);
	for (i = 0; i < dial->nr_tried; i++)
		stop_attempt(dial, &dial->attempts[i], false);
	free(dial);
}

static void report(struct np_dial *dial, int fd, const struct np_err *err)
{
	np_dial_cb cb = dial->cb;
	void *arg = dial->arg;

	np_dial_cancel(dial);
	cb(fd, err, arg);
}

static void report_failure(struct np_dial *dial)
{
	struct np_err err = NP_ERR_INIT;

	np_fail_errno(&err, dial->last_error ? dial->last_error : -ECONNREFUSED, "%s:%u: cannot connect",
		      dial->host, dial->port);
	report(dial, -1, &err);
}

static void try_next(struct np_dial *dial);

static void on_connect(struct ev_loop *loop, ev_io *w, int revents)
{
	struct attempt *a = (struct attempt *)w;
	struct np_dial *dial = a->dial;
	struct np_err none = NP_ERR_INIT;
	int fd = w->fd, code;

	(void)loop;
	(void)revents;
	code = np_sock_error(fd);
	if (!code) {
		stop_attempt(dial, a, true);
		report(dial, fd, &none);
		return;
	}
	dial->last_error = code;
	stop_attempt(dial, a, false);
	try_next(dial);
}

static void try_next(struct np_dial *dial)
{
	while (dial->nr_tried < dial->nr_addrs) {
		struct attempt *a = &dial->attempts[dial->nr_tried];
		int fd = np_sock_connect_start(&dial->addrs[dial->nr_tried]);

		dial->nr_tried++;
		a->dial = dial;
		a->io.fd = -1;
		if (fd < 0) {
			dial->last_error = fd;
			continue;
		}
		ev_io_init(&a->io, on_connect, fd, EV_WRITE);
		ev_io_start(dial->loop, &a->io);
		dial->nr_running++;
		ev_timer_again(dial->loop, &dial->stagger);
		return;
	}
	ev_timer_stop(dial->loop, &dial->stagger);
	if (!dial->nr_running)
		report_failure(dial);
}

static void on_stagger(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	try_next(w->data);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_dial *dial = w->data;

	(void)loop;
	(void)revents;
	dial->last_error = -ETIMEDOUT;
	report_failure(dial);
}

/* Takes the first address of @want (0: any) family that is not used yet. */
static const struct addrinfo *pick(const struct addrinfo *list, int want, unsigned int *used)
{
	unsigned int i = 0;

	for (; list && i < 32; list = list->ai_next, i++) {
		if (*used & 1u << i || (want && list->ai_family != want))
			continue;
		*used |= 1u << i;
		return list;
	}
	return NULL;
}

static void on_resolved(int gai, const struct addrinfo *list, void *arg)
{
	struct np_dial *dial = arg;
	struct np_err err = NP_ERR_INIT;
	const struct addrinfo *ai;
	unsigned int used = 0;
	int want = 0;

	dial->resolve = NULL;
	if (gai) {
		np_fail(&err, -EHOSTUNREACH, "%s: name not resolved: %s; check the name and your DNS", dial->host,
			gai_strerror(gai));
		report(dial, -1, &err);
		return;
	}
	while (dial->nr_addrs < MAX_ADDRS) {
		ai = pick(list, want, &used);
		if (!ai)
			ai = pick(list, 0, &used);
		if (!ai)
			break;
		memcpy(&dial->addrs[dial->nr_addrs].ss, ai->ai_addr, ai->ai_addrlen);
		dial->addrs[dial->nr_addrs++].len = ai->ai_addrlen;
		want = ai->ai_family == AF_INET ? AF_INET6 : AF_INET;
	}
	try_next(dial);
}

int np_dial_start(struct ev_loop *loop, const char *host, uint16_t port, unsigned int timeout_ms, np_dial_cb cb,
		  void *arg, struct np_dial **out)
{
	size_t len = strlen(host) + 1;
	struct np_dial *dial = calloc(1, sizeof(*dial) + len);
	int ret;

	if (!dial)
		return -ENOMEM;
	memcpy(dial->host, host, len);
	dial->loop = loop;
	dial->port = port;
	dial->cb = cb;
	dial->arg = arg;
	ev_timer_init(&dial->stagger, on_stagger, STAGGER_S, STAGGER_S);
	ev_timer_init(&dial->deadline, on_deadline, timeout_ms / 1000., 0.);
	dial->stagger.data = dial->deadline.data = dial;
	ret = np_resolve_start(loop, host, port, on_resolved, dial, &dial->resolve);
	if (ret) {
		free(dial);
		return ret;
	}
	/* The loop's idea of now may be old when the program worked long before this call. */
	ev_now_update(loop);
	ev_timer_start(loop, &dial->deadline);
	*out = dial;
	return 0;
}
