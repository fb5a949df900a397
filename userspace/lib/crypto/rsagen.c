// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/rsagen.h"

#include "crypto/rsa.h"

#include <ev.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct np_rsagen {
	ev_async wake;
	struct ev_loop *loop;
	np_rsagen_cb cb;
	void *arg;
	struct np_rsa *key;
	pthread_t thread;
};

static void *generate(void *arg)
{
	struct np_rsagen *gen = arg;

	if (np_rsa_generate(&gen->key, NULL))
		gen->key = NULL;
	ev_async_send(gen->loop, &gen->wake);
	return NULL;
}

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct np_rsagen *gen = (struct np_rsagen *)w;

	(void)revents;
	ev_async_stop(loop, w);
	pthread_join(gen->thread, NULL);
	gen->cb(gen->key, gen->arg);
	free(gen);
}

int np_rsagen_start(struct ev_loop *loop, np_rsagen_cb cb, void *arg, struct np_rsagen **out)
{
	struct np_rsagen *gen = calloc(1, sizeof(*gen));
	sigset_t all, old;
	int ret;

	if (!gen)
		return -ENOMEM;
	gen->loop = loop;
	gen->cb = cb;
	gen->arg = arg;
	ev_async_init(&gen->wake, on_wake);
	ev_async_start(loop, &gen->wake);
	/* Signals belong to the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&gen->thread, NULL, generate, gen);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		ev_async_stop(loop, &gen->wake);
		free(gen);
		return -ret;
	}
	*out = gen;
	return 0;
}

void np_rsagen_cancel(struct np_rsagen *gen)
{
	if (!gen)
		return;
	pthread_join(gen->thread, NULL);
	ev_async_stop(gen->loop, &gen->wake);
	np_rsa_free(gen->key);
	free(gen);
}
