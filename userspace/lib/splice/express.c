// SPDX-License-Identifier: BSD-3-Clause
#include "splice/express.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "kern/grace.h"
#include "splice/express_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct np_xpair **list_of(struct np_express *x, enum np_xstate state)
{
	switch (state) {
	case NP_X_GATHERED:
		return &x->gathered;
	case NP_X_HELD:
		return &x->held;
	case NP_X_SPLICED:
		return &x->spliced;
	case NP_X_LINGER:
		return &x->linger;
	default:
		return &x->candidates;
	}
}

static void unlink_from_list(struct np_xpair *xp)
{
	if (!xp->link)
		return;
	*xp->link = xp->next;
	if (xp->next)
		xp->next->link = xp->link;
	xp->link = NULL;
}

void np_xpair_move(struct np_xpair *xp, enum np_xstate state)
{
	struct np_xpair **list = list_of(xp->x, state);

	unlink_from_list(xp);
	xp->state = (uint8_t)state;
	xp->since_ms = np_clock_mono_ms();
	xp->next = *list;
	xp->link = list;
	if (xp->next)
		xp->next->link = &xp->next;
	*list = xp;
}

/* What is left of an ended pair gives way to a new one of the same tuple. */
static int make_way(struct np_express *x, const struct npx_key *key)
{
	struct np_xref *ref = np_xtable_find(&x->table, key);

	if (!ref)
		return 0;
	if (ref->xp->state != NP_X_LINGER)
		return -EEXIST;
	np_xpair_free(ref->xp);
	return 0;
}

int np_xpair_index(struct np_xpair *xp)
{
	struct np_xtable *table = &xp->x->table;
	int ret;

	ret = make_way(xp->x, &xp->ref[0].key);
	if (!ret)
		ret = make_way(xp->x, &xp->ref[1].key);
	if (!ret)
		ret = np_xtable_add(table, &xp->ref[0]);
	if (ret)
		return ret;
	ret = np_xtable_add(table, &xp->ref[1]);
	if (ret)
		np_xtable_remove(table, &xp->ref[0]);
	xp->is_indexed = !ret;
	return ret;
}

static void attempt_free(struct np_xpair *xp)
{
	struct np_xattempt *attempt = xp->attempt;
	struct np_xframe *frame;

	while (attempt && (frame = attempt->frames)) {
		attempt->frames = frame->next;
		xp->x->held_len -= frame->len;
		free(frame);
	}
	free(attempt);
	xp->attempt = NULL;
}

void np_xpair_free(struct np_xpair *xp)
{
	int side;

	ev_timer_stop(xp->x->splice->loop, &xp->due);
	unlink_from_list(xp);
	for (side = 0; side < 2; side++) {
		if (xp->is_indexed) {
			np_xtable_remove(&xp->x->table, &xp->ref[side]);
			np_bpfobj_del(xp->x->obj, &xp->ref[side].key);
		}
		np_fd_close(&xp->reserved[side]);
	}
	attempt_free(xp);
	if (xp->pair)
		xp->pair->xp = NULL;
	free(xp->why);
	free(xp);
}

void np_xpair_refuse(struct np_xpair *xp, const struct np_err *why)
{
	free(xp->why);
	xp->why = strdup(np_err_text(why));
	attempt_free(xp);
	xp->x->status.refused++;
	np_xpair_move(xp, NP_X_REFUSED);
	np_debug("express: stays in user space reason=%s", np_err_text(why));
}

void np_express_give_up(struct np_express *x, const struct np_err *err)
{
	x->is_broken = true;
	x->open_err = *err;
	np_warn_err(err, "express: not usable, pairs stay in user space");
}

/* A list and one timer for all: most pairs of a busy relay end before express would look at them.
 */
void np_express_offer(struct np_express *x, struct np_pair *pair)
{
	if (x->is_broken)
		return;
	pair->young.at = ev_now(x->splice->loop);
	pair->young.next = NULL;
	pair->young.link = x->young_end;
	*x->young_end = pair;
	x->young_end = &pair->young.next;
	if (!ev_is_active(&x->ripen)) {
		ev_timer_set(&x->ripen, NP_X_FIRST_TRY_S, 0.);
		ev_timer_start(x->splice->loop, &x->ripen);
	}
}

static void unlink_young(struct np_express *x, struct np_pair *pair)
{
	*pair->young.link = pair->young.next;
	if (pair->young.next)
		pair->young.next->young.link = pair->young.link;
	else
		x->young_end = pair->young.link;
	pair->young.link = NULL;
}

static void begin(struct np_express *x, struct np_pair *pair)
{
	struct np_xpair *xp = calloc(1, sizeof(*xp));

	if (!xp)
		return; /* it stays where it is */
	xp->x = x;
	xp->pair = pair;
	xp->reserved[0] = xp->reserved[1] = -1;
	pair->xp = xp;
	np_xpair_move(xp, NP_X_CANDIDATE);
	np_candidate_watch(xp);
}

static void on_ripen(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_express *x = w->data;
	struct np_pair *pair;
	double left = 0;

	(void)revents;
	while ((pair = x->young)) {
		left = pair->young.at + NP_X_FIRST_TRY_S - ev_now(loop);
		if (left > .0005)
			break;
		unlink_young(x, pair);
		begin(x, pair);
	}
	if (!x->young)
		return;
	ev_timer_set(w, left, 0.);
	ev_timer_start(loop, w);
}

void np_express_forget(struct np_pair *pair)
{
	struct np_xpair *xp = pair->xp;

	if (pair->young.link)
		unlink_young(pair->splice->express, pair);
	if (!xp || xp->state == NP_X_SPLICED)
		return;
	if (xp->state == NP_X_GATHERED || xp->state == NP_X_HELD)
		np_promote_undo(xp);
	np_xpair_free(xp);
}

bool np_express_let_go(struct np_pair *pair)
{
	struct np_xpair *xp = pair->xp;

	if (!xp || xp->state != NP_X_SPLICED)
		return false;
	pair->xp = NULL;
	xp->pair = NULL;
	return true;
}

const char *np_pair_why(const struct np_pair *pair)
{
	if (!pair->xp)
		return pair->young.link ? "waits for a quiet moment" : "express is not in use";
	if (pair->xp->state == NP_X_SPLICED)
		return "";
	return pair->xp->why ? pair->xp->why : "waits for a quiet moment";
}

/* The two entries of a promoted pair. False when one is gone: somebody has flushed the table. */
static bool read_flows(const struct np_xpair *xp, struct npx_flow flow[2])
{
	return !np_bpfobj_get(xp->x->obj, &xp->ref[0].key, &flow[0]) &&
	       !np_bpfobj_get(xp->x->obj, &xp->ref[1].key, &flow[1]);
}

static int express_stats(const struct np_pair *pair, struct np_splice_stats *st)
{
	const struct np_xpair *xp = pair->xp;
	struct npx_flow flow[2] = {0};
	long long last_ms;
	int side;

	st->last_activity_ms = xp->since_ms;
	(void)read_flows(xp, flow);
	for (side = 0; side < 2; side++) {
		st->bytes[side] = xp->before[side] + flow[side].pos;
		last_ms = (long long)(flow[side].last_ns / 1000000);
		if (last_ms > st->last_activity_ms)
			st->last_activity_ms = last_ms;
	}
	return 0;
}

static void express_leave(struct np_pair *pair)
{
	struct np_xpair *xp = pair->xp;

	if (!xp)
		return;
	pair->xp = NULL;
	xp->pair = NULL;
	if (xp->is_over) {
		np_xpair_move(xp, NP_X_LINGER);
		return;
	}
	np_reset_pair(xp);
	np_xpair_free(xp);
}

static int express_probe(struct np_err *err)
{
	int ret = np_bpfobj_probe(err);

	return ret ? ret : np_grace_probe(err);
}

/* No join: pairs are promoted, never started here. */
const struct np_splice_ops np_splice_express = {
	.name = "express",
	.preference = 100,
	.probe = express_probe,
	.stats = express_stats,
	.leave = express_leave,
};

static void read_port_range(struct np_express *x)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned int min = 32768, max = 60999;

	if (f && fscanf(f, "%u %u", &min, &max) != 2)
		np_debug("express: ip_local_port_range cannot be read");
	if (f)
		fclose(f);
	x->port_min = (uint16_t)min;
	x->port_max = (uint16_t)max;
}

int np_express_new(struct np_splice *splice, struct np_express **out, struct np_err *err)
{
	struct np_express *x;
	int ret;

	ret = express_probe(err);
	if (ret)
		return ret;
	x = calloc(1, sizeof(*x));
	if (!x)
		return np_fail(err, -ENOMEM, "express: no memory");
	x->splice = splice;
	x->tap_fd = -1;
	x->young_end = &x->young;
	ev_timer_init(&x->ripen, on_ripen, NP_X_FIRST_TRY_S, 0.);
	x->ripen.data = x;
	read_port_range(x);
	np_promote_init(x);
	np_reap_init(x);
	*out = x;
	return 0;
}

static void free_list(struct np_xpair **list)
{
	while (*list)
		np_xpair_free(*list);
}

void np_express_free(struct np_express *x)
{
	if (!x)
		return;
	ev_timer_stop(x->splice->loop, &x->ripen);
	np_promote_fini(x);
	np_reap_fini(x);
	free_list(&x->candidates);
	free_list(&x->linger);
	/* Orphans alone are left: they go on in the kernel as they came. */
	while (x->spliced) {
		x->spliced->is_indexed = false;
		np_xpair_free(x->spliced);
	}
	np_replay_close(x);
	np_xtable_fini(&x->table);
	np_bpfobj_close(x->obj);
	free(x);
}

void np_express_status(const struct np_splice *splice, struct np_express_status *status)
{
	const struct np_express *x = splice->express;
	const struct np_xpair *xp;

	memset(status, 0, sizeof(*status));
	if (!x)
		return;
	*status = x->status;
	status->loaded = x->obj != NULL;
	for (xp = x->spliced; xp; xp = xp->next) {
		if (xp->pair)
			status->spliced++;
		else
			status->orphans++;
	}
	for (xp = x->linger; xp; xp = xp->next)
		status->lingering++;
}
