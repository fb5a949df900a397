// SPDX-License-Identifier: BSD-3-Clause
#include "splice/xthread.h"

#include <ev.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct np_xthread {
	ev_async async;
	struct ev_loop *loop;
	void (*done)(void *arg);
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock; /* guards job and stop */
	pthread_cond_t wake;
	void (*job)(void *arg);
	bool stop;
};

static void *thread_main(void *arg)
{
	struct np_xthread *t = arg;
	void (*job)(void *arg);

	pthread_mutex_lock(&t->lock);
	while (!t->stop) {
		job = t->job;
		if (!job) {
			pthread_cond_wait(&t->wake, &t->lock);
			continue;
		}
		t->job = NULL;
		pthread_mutex_unlock(&t->lock);
		job(t->arg);
		ev_async_send(t->loop, &t->async);
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static void on_async(struct ev_loop *loop, ev_async *w, int revents)
{
	struct np_xthread *t = (struct np_xthread *)w;

	(void)loop;
	(void)revents;
	t->done(t->arg);
}

/* Signals are the loop's business: the thread blocks them all. */
static int spawn(struct np_xthread *t)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&t->thread, NULL, thread_main, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}

int np_xthread_start(struct ev_loop *loop, void (*done)(void *arg), void *arg,
		     struct np_xthread **out)
{
	struct np_xthread *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	t->loop = loop;
	t->done = done;
	t->arg = arg;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->wake, NULL);
	ret = spawn(t);
	if (ret) {
		free(t);
		return ret;
	}
	ev_async_init(&t->async, on_async);
	ev_async_start(loop, &t->async);
	/* It must not keep a loop running that has nothing else to do. */
	ev_unref(loop);
	*out = t;
	return 0;
}

void np_xthread_run(struct np_xthread *t, void (*job)(void *arg))
{
	pthread_mutex_lock(&t->lock);
	t->job = job;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
}

void np_xthread_stop(struct np_xthread *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_signal(&t->wake);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	ev_ref(t->loop);
	ev_async_stop(t->loop, &t->async);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->wake);
	free(t);
}
