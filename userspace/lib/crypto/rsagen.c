// SPDX-License-Identifier: BSD-3-Clause
/*
 * How long a key takes is a matter of luck (a factor of ten), so RUNNERS threads race, the first key wins and the
 * other thread gives up. All of them are joined before the object goes.
 */
#include "crypto/rsagen.h"

#include "crypto/rsa.h"

#include <ev.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#define RUNNERS 2

struct np_rsagen {
	ev_async wake;
	struct ev_loop *loop;
	np_rsagen_cb cb;
	void *arg;
	struct np_rsa *_Atomic key;
	atomic_bool stop;
	atomic_int nr_running;
	pthread_t threads[RUNNERS];
	int nr_threads;
};

static void *generate(void *arg)
{
	struct np_rsagen *gen = arg;
	struct np_rsa *key = NULL, *none = NULL;

	np_rsa_generate_unless(&gen->stop, &key);
	if (key && atomic_compare_exchange_strong(&gen->key, &none, key)) {
		key = NULL;
		atomic_store(&gen->stop, true);
	}
	np_rsa_free(key);
	/* The last one tells, also when no thread had luck; the others are at their ends by then. */
	if (atomic_fetch_sub(&gen->nr_running, 1) == 1)
		ev_async_send(gen->loop, &gen->wake);
	return NULL;
}

static void join_all(struct np_rsagen *gen)
{
	while (gen->nr_threads)
		pthread_join(gen->threads[--gen->nr_threads], NULL);
	ev_async_stop(gen->loop, &gen->wake);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct np_rsagen *gen = (struct np_rsagen *)w;

	(void)loop;
	(void)revents;
	join_all(gen);
	gen->cb(gen->key, gen->arg);
	free(gen);
}

static void start_threads(struct np_rsagen *gen)
{
	sigset_t all, old;
	int i;

	/* Signals belong to the loop's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (i = 0; i < RUNNERS; i++) {
		atomic_fetch_add(&gen->nr_running, 1);
		if (pthread_create(&gen->threads[gen->nr_threads], NULL, generate, gen))
			atomic_fetch_sub(&gen->nr_running, 1);
		else
			gen->nr_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int np_rsagen_start(struct ev_loop *loop, np_rsagen_cb cb, void *arg, struct np_rsagen **out)
{
	struct np_rsagen *gen = calloc(1, sizeof(*gen));

	if (!gen)
		return -ENOMEM;
	gen->loop = loop;
	gen->cb = cb;
	gen->arg = arg;
	ev_async_init(&gen->wake, on_wake);
	ev_async_start(loop, &gen->wake);
	start_threads(gen);
	if (!gen->nr_threads) {
		ev_async_stop(loop, &gen->wake);
		free(gen);
		return -EAGAIN;
	}
	*out = gen;
	return 0;
}

void np_rsagen_cancel(struct np_rsagen *gen)
{
	if (!gen)
		return;
	atomic_store(&gen->stop, true);
	join_all(gen);
	np_rsa_free(gen->key);
	free(gen);
}
