// SPDX-License-Identifier: BSD-3-Clause
/*
 * States: RUNNING (a detached thread, or nothing for numeric hosts) -> DONE (the loop was woken) -> freed.
 * Cancelling while RUNNING leaves the request to the thread, which frees it.
 */
#include "ev/resolve.h"

#include <ev.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct np_resolve {
	ev_async wake;
	struct ev_loop *loop;
	np_resolve_cb cb;
	void *arg;
	struct addrinfo *list;
	int gai;
	pthread_mutex_t lock; /* guards done and cancelled */
	bool done, cancelled;
	char port[6];
	char host[];
};

static void free_request(struct np_resolve *req)
{
	if (req->list)
		freeaddrinfo(req->list);
	pthread_mutex_destroy(&req->lock);
	free(req);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct np_resolve *req = (struct np_resolve *)w;

	(void)revents;
	ev_async_stop(loop, w);
	/* The thread may still be leaving its critical section. */
	pthread_mutex_lock(&req->lock);
	pthread_mutex_unlock(&req->lock);
	req->cb(req->gai, req->list, req->arg);
	free_request(req);
}

static int look_up(struct np_resolve *req, int flags)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };

	return getaddrinfo(req->host, req->port, &hints, &req->list);
}

/* "localhost" is the loopback whatever a hosts file or a DNS server says (RFC 6761, 6.3); no host means just that. */
static int look_up_at_once(struct np_resolve *req)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };

	if (!strcasecmp(req->host, "localhost"))
		return getaddrinfo(NULL, req->port, &hints, &req->list);
	return look_up(req, AI_NUMERICHOST);
}

static void *resolve_thread(void *arg)
{
	struct np_resolve *req = arg;
	bool orphan;

	req->gai = look_up(req, 0);
	pthread_mutex_lock(&req->lock);
	req->done = true;
	orphan = req->cancelled;
	if (!orphan)
		ev_async_send(req->loop, &req->wake);
	pthread_mutex_unlock(&req->lock);
	if (orphan)
		free_request(req);
	return NULL;
}

static int start_thread(struct np_resolve *req)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t tid;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&tid, &attr, resolve_thread, req);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

int np_resolve_start(struct ev_loop *loop, const char *host, uint16_t port, np_resolve_cb cb, void *arg,
		     struct np_resolve **out)
{
	struct np_resolve *req;
	size_t len = strlen(host) + 1;
	int ret;

	req = calloc(1, sizeof(*req) + len);
	if (!req)
		return -ENOMEM;
	memcpy(req->host, host, len);
	snprintf(req->port, sizeof(req->port), "%u", port);
	req->loop = loop;
	req->cb = cb;
	req->arg = arg;
	pthread_mutex_init(&req->lock, NULL);
	ev_async_init(&req->wake, on_wake);
	ev_async_start(loop, &req->wake);
	if (look_up_at_once(req) == 0) {
		req->done = true;
		ev_async_send(loop, &req->wake);
	} else {
		ret = start_thread(req);
		if (ret) {
			ev_async_stop(loop, &req->wake);
			free_request(req);
			return ret;
		}
	}
	*out = req;
	return 0;
}

void np_resolve_cancel(struct np_resolve *req)
{
	bool done;

	if (!req)
		return;
	ev_async_stop(req->loop, &req->wake);
	pthread_mutex_lock(&req->lock);
	req->cancelled = true;
	done = req->done;
	pthread_mutex_unlock(&req->lock);
	if (done)
		free_request(req);
}
