// SPDX-License-Identifier: BSD-3-Clause
#include "splice/splice.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"
#include "splice/express.h"
#include "splice/ops.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

const char *np_pair_end_name(enum np_pair_end end)
{
	switch (end) {
	case NP_END_EOF:
		return "eof";
	case NP_END_RESET_A:
		return "reset-a";
	case NP_END_RESET_B:
		return "reset-b";
	case NP_END_IDLE:
		return "idle";
	case NP_END_KILLED:
		return "killed";
	}
	return "unknown";
}

/* Insertion sort of all back ends, most preferred first. */
static void sort_backends(const struct np_splice_ops *sorted[NP_SPLICE_BACKENDS_MAX + 1])
{
	size_t i, at;

	for (i = 0; np_splice_backends[i] && i < NP_SPLICE_BACKENDS_MAX; i++) {
		for (at = i; at && sorted[at - 1]->preference < np_splice_backends[i]->preference;
		     at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = np_splice_backends[i];
	}
	sorted[i] = NULL;
}

void np_splice_probe_each(void (*fn)(const char *name, const struct np_err *err, void *arg),
			  void *arg)
{
	const struct np_splice_ops *sorted[NP_SPLICE_BACKENDS_MAX + 1];
	size_t i;

	sort_backends(sorted);
	for (i = 0; sorted[i]; i++) {
		struct np_err why = NP_ERR_INIT;

		why.code = sorted[i]->probe(&why);
		fn(sorted[i]->name, &why, arg);
	}
}

static void add_usable(struct np_splice *splice, const struct np_splice_ops *ops)
{
	size_t nr = 0;

	while (splice->usable[nr])
		nr++;
	splice->usable[nr] = ops;
}

/*
 * By preference until one that takes every pair: what is below it needs no probe, which can be
 * costly. With a @name, that one comes first, and the list ends with it unless it is picky.
 */
static int choose(struct np_splice *splice, const char *name, struct np_err *err)
{
	const struct np_splice_ops *sorted[NP_SPLICE_BACKENDS_MAX + 1];
	bool any = !strcmp(name, "auto"), enough = false;
	const struct np_splice_ops *named = NULL;
	struct np_err why = NP_ERR_INIT;
	size_t i;

	sort_backends(sorted);
	for (i = 0; sorted[i] && !any && !named; i++)
		named = strcmp(name, sorted[i]->name) ? NULL : sorted[i];
	if (!any && !named)
		return np_fail(err, -EINVAL, "splice back end '%s': does not exist", name);
	if (named && named->probe(&why))
		return np_fail(err, -EOPNOTSUPP, "splice back end '%s': not usable here: %s", name,
			       np_err_text(&why));
	if (named)
		add_usable(splice, named);
	enough = named && !named->is_picky;
	for (i = 0; sorted[i] && !enough; i++) {
		if (!sorted[i]->join || (named && sorted[i]->is_picky))
			continue;
		if (sorted[i]->probe(&why)) {
			np_debug("splice back end %s: not usable: %s", sorted[i]->name,
				 np_err_text(&why));
			continue;
		}
		add_usable(splice, sorted[i]);
		enough = !sorted[i]->is_picky;
	}
	return enough ? 0 : np_fail(err, -EOPNOTSUPP, "no splice back end takes every pair: %s",
				    np_err_text(&why));
}

/* Every pair starts in user space; express is offered to those of "auto" (if it can be) and "express" (it must). */
static int choose_express(struct np_splice *splice, bool must, struct np_err *err)
{
	struct np_err why = NP_ERR_INIT;
	int ret = np_express_new(splice, &splice->express, &why);

	if (!ret)
		return 0;
	if (must)
		return np_fail(err, ret, "splice back end 'express': not usable here: %s", np_err_text(&why));
	np_info("express: not usable, pairs stay in user space: %s", np_err_text(&why));
	return 0;
}

int np_splice_new(struct ev_loop *loop, const char *backend, struct np_splice **out,
		  struct np_err *err)
{
	struct np_splice *splice = calloc(1, sizeof(*splice));
	int ret;

	if (!splice)
		return np_fail(err, -ENOMEM, "splice engine: no memory");
	splice->loop = loop;
	ret = choose(splice, strcmp(backend, "express") ? backend : "user", err);
	if (!ret && (!strcmp(backend, "auto") || !strcmp(backend, "express")))
		ret = choose_express(splice, *backend == 'e', err);
	if (ret) {
		free(splice);
		return ret;
	}
	/* splice(2) has no MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	*out = splice;
	return 0;
}

void np_splice_free(struct np_splice *splice)
{
	if (!splice)
		return;
	if (splice->nr_pairs)
		np_error("splice engine: freed with pairs alive count=%zu", splice->nr_pairs);
	np_express_free(splice->express);
	np_pool_fini(&splice->pool);
	free(splice);
}

static void pair_free(struct np_pair *pair)
{
	np_buf_fini(&pair->pending[0]);
	np_buf_fini(&pair->pending[1]);
	np_fd_close(&pair->fd[0]);
	np_fd_close(&pair->fd[1]);
	free(pair);
}

/* Everything but the descriptors and the memory: the pair no longer takes part in anything. */
static void pair_detach(struct np_pair *pair)
{
	ev_timer_stop(pair->splice->loop, &pair->idle);
	np_express_forget(pair);
	pair->ops->leave(pair);
	pair->splice->nr_pairs--;
}

void np_pair_finish(struct np_pair *pair, enum np_pair_end end)
{
	struct np_splice_stats stats;

	np_pair_stats(pair, &stats);
	pair_detach(pair);
	if (end != NP_END_EOF) {
		np_sock_reset(&pair->fd[0]);
		np_sock_reset(&pair->fd[1]);
	}
	np_fd_close(&pair->fd[0]);
	np_fd_close(&pair->fd[1]);
	if (pair->on_end)
		pair->on_end(pair, end, &stats, pair->arg);
	pair_free(pair);
}

void np_pair_kill(struct np_pair *pair)
{
	if (!pair)
		return;
	pair_detach(pair);
	np_sock_reset(&pair->fd[0]);
	np_sock_reset(&pair->fd[1]);
	pair_free(pair);
}

void np_pair_let_go(struct np_pair *pair)
{
	if (!pair)
		return;
	if (!np_express_let_go(pair)) {
		np_pair_kill(pair);
		return;
	}
	ev_timer_stop(pair->splice->loop, &pair->idle);
	pair->splice->nr_pairs--;
	pair_free(pair);
}

void np_pair_stats(const struct np_pair *pair, struct np_splice_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->backend = pair->ops->name;
	pair->ops->stats(pair, stats);
}

static void on_idle(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_pair *pair = (struct np_pair *)w;
	struct np_splice_stats stats;
	long long left;

	(void)revents;
	np_pair_stats(pair, &stats);
	left = stats.last_activity_ms + pair->idle_limit_ms - np_clock_mono_ms();
	if (left <= 0) {
		np_pair_finish(pair, NP_END_IDLE);
		return;
	}
	ev_timer_set(w, (double)left / 1e3, 0.);
	ev_timer_start(loop, w);
}

/* Urgent bytes are bytes of the stream; otherwise recv() leaves each of them out. */
static void keep_urgent_inline(int fd)
{
	int on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

static int pair_join_best(struct np_splice *splice, struct np_pair *pair, struct np_err *err)
{
	struct np_err why = NP_ERR_INIT;
	int ret = -EOPNOTSUPP;
	size_t i;

	for (i = 0; splice->usable[i]; i++) {
		pair->ops = splice->usable[i];
		ret = pair->ops->join(pair, &why);
		if (!ret)
			return 0;
		if (!splice->complained[i] && splice->usable[i + 1])
			np_info("splice back end %s: did not take a pair, trying the next: %s",
				pair->ops->name, np_err_text(&why));
		splice->complained[i] = true;
	}
	return np_fail(err, ret, "no splice back end takes the pair: %s", np_err_text(&why));
}

int np_pair_join(struct np_splice *splice, const struct np_pair_params *params,
		 struct np_pair **out, struct np_err *err)
{
	struct np_pair *pair = calloc(1, sizeof(*pair));
	int fd[2] = {params->fd[0], params->fd[1]};
	int i, ret;

	if (!pair) {
		np_fd_close(&fd[0]);
		np_fd_close(&fd[1]);
		return np_fail(err, -ENOMEM, "pair: no memory");
	}
	pair->splice = splice;
	pair->idle_limit_ms = params->idle_limit_ms;
	pair->on_end = params->on_end;
	pair->arg = params->arg;
	for (i = 0; i < 2; i++) {
		pair->fd[i] = fd[i];
		keep_urgent_inline(fd[i]);
		if (params->pending[i])
			np_buf_take(&pair->pending[i], params->pending[i]);
	}
	ev_timer_init(&pair->idle, on_idle, pair->idle_limit_ms / 1e3, 0.);
	ret = pair_join_best(splice, pair, err);
	if (ret) {
		pair_free(pair);
		return ret;
	}
	splice->nr_pairs++;
	if (pair->idle_limit_ms)
		ev_timer_start(splice->loop, &pair->idle);
	if (splice->express && pair->ops == &np_splice_user)
		np_express_offer(splice->express, pair);
	*out = pair;
	return 0;
}
