// SPDX-License-Identifier: BSD-3-Clause
/* Watching promoted pairs through their entries: ends, left-overs, and what a dead process has left
 * behind. */
#include "base/clock.h"
#include "base/log.h"
#include "splice/express_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_S .25
#define LOOK_MANY_S 1. /* a look costs some microseconds for each pair */
#define MANY 4000
#define TIME_WAIT_MS 60000
#define TIME_WAIT_CROWDED_MS 5000 /* the table is half full */
#define AFTER_RESET_MS 10000
#define ORPHAN_IDLE_MS (24 * 3600 * 1000ll)

static bool note_flow(const struct npx_key *key, const struct npx_flow *flow, void *arg)
{
	struct np_express *x = arg;
	struct np_xref *ref = np_xtable_find(&x->table, key);
	struct np_xseen *seen;

	if (!ref)
		return true;
	seen = &ref->xp->seen[ref == &ref->xp->ref[1]];
	seen->ack = flow->ack;
	seen->fin_end = flow->fin_end;
	seen->marks = flow->marks;
	seen->generation = x->generation;
	if (!ref->xp->pair && (long long)(flow->last_ns / 1000000) > ref->xp->since_ms)
		ref->xp->since_ms = (long long)(flow->last_ns / 1000000);
	return true;
}

static bool is_fin_acked(const struct np_xpair *xp, int side)
{
	const struct np_xseen *seen = &xp->seen[side];

	return seen->marks & NPX_M_FIN && xp->seen[!side].ack == seen->fin_end + xp->shift[side];
}

/* True when the pair is over; *@end says how. */
static bool has_ended(const struct np_xpair *xp, enum np_pair_end *end)
{
	if (xp->seen[0].marks & NPX_M_RST)
		*end = NP_END_RESET_A;
	else if (xp->seen[1].marks & NPX_M_RST)
		*end = NP_END_RESET_B;
	else if (is_fin_acked(xp, 0) && is_fin_acked(xp, 1))
		*end = NP_END_EOF;
	else
		return false;
	return true;
}

static void finish(struct np_xpair *xp, enum np_pair_end end)
{
	xp->is_over = true;
	if (xp->pair)
		np_pair_finish(xp->pair, end);
	else
		np_xpair_move(xp, NP_X_LINGER);
}

static void look_at(struct np_xpair *xp)
{
	struct np_express *x = xp->x;
	enum np_pair_end end;

	/* Entries that somebody removed: the peers get RST from the stack as soon as they speak. */
	if (xp->seen[0].generation != x->generation || xp->seen[1].generation != x->generation)
		finish(xp, NP_END_KILLED);
	else if (has_ended(xp, &end))
		finish(xp, end);
	else if (!xp->pair && np_clock_mono_ms() - xp->since_ms > ORPHAN_IDLE_MS)
		np_xpair_free(xp);
}

static long long linger_ms(const struct np_xpair *xp, bool is_crowded)
{
	if ((xp->seen[0].marks | xp->seen[1].marks) & NPX_M_RST)
		return AFTER_RESET_MS;
	return is_crowded ? TIME_WAIT_CROWDED_MS : TIME_WAIT_MS;
}

static void bury(struct np_express *x)
{
	bool is_crowded = x->table.nr > NPX_MAX_FLOWS / 2;
	long long now = np_clock_mono_ms();
	struct np_xpair *xp, *next;

	for (xp = x->linger; xp; xp = next) {
		next = xp->next;
		if (now - xp->since_ms >= linger_ms(xp, is_crowded))
			np_xpair_free(xp);
	}
}

/* finish() may call the owner, who may kill other pairs: the list is walked anew after each end. */
static void look_at_all(struct np_express *x)
{
	struct np_xpair *xp, *next;
	struct np_xpair *old = x->spliced;

	x->spliced = NULL;
	if (old)
		old->link = &old; /* the list hangs on this variable while it is walked */
	while ((xp = old)) {
		next = xp->next;
		old = next;
		if (next)
			next->link = &old;
		xp->next = x->spliced;
		xp->link = &x->spliced;
		if (xp->next)
			xp->next->link = &xp->next;
		x->spliced = xp;
		look_at(xp);
	}
}

static void on_reap(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_express *x = w->data;
	int ret;

	(void)revents;
	x->generation++;
	ret = np_bpfobj_each(x->obj, note_flow, x);
	if (!ret)
		look_at_all(x);
	else
		np_debug("express: cannot read the table: %s", strerror(-ret));
	bury(x);
	w->repeat = x->table.nr > MANY ? LOOK_MANY_S : LOOK_S;
	if (x->spliced || x->linger)
		ev_timer_again(loop, w);
	else
		ev_timer_stop(loop, w);
}

/* --- what a dead process left
 * ------------------------------------------------------------------------------------ */

static struct np_xpair *adopt(struct np_express *x, const struct npx_key *key,
			      const struct npx_flow *flow)
{
	struct np_xpair *xp = calloc(1, sizeof(*xp));
	int side = flow->side & 1;

	if (!xp)
		return NULL;
	xp->x = x;
	xp->reserved[0] = xp->reserved[1] = -1;
	xp->ref[side].key = *key;
	xp->ref[!side].key = np_xkey_reverse(&flow->out);
	xp->ref[0].xp = xp->ref[1].xp = xp;
	xp->shift[side] = flow->dseq;
	xp->shift[!side] = -flow->dack;
	if (np_xpair_index(xp)) {
		free(xp);
		return NULL;
	}
	np_xpair_move(xp, NP_X_SPLICED);
	return xp;
}

/* Entries in another state than splice belonged to sockets that are gone. */
static bool adopt_flow(const struct npx_key *key, const struct npx_flow *flow, void *arg)
{
	struct np_express *x = arg;
	bool is_owned =
		flow->owner == (__u32)getpid() || !kill((pid_t)flow->owner, 0) || errno != ESRCH;

	if (is_owned || np_xtable_find(&x->table, key))
		return true;
	if (flow->state != NPX_SPLICE)
		np_bpfobj_del(x->obj, key);
	else
		(void)adopt(x, key, flow);
	return true;
}

void np_reap_adopt(struct np_express *x)
{
	struct np_express_status status;

	(void)np_bpfobj_each(x->obj, adopt_flow, x);
	np_express_status(x->splice, &status);
	if (!status.orphans)
		return;
	np_info("express: adopted count=%u", status.orphans);
	ev_timer_again(x->splice->loop, &x->reap);
}

void np_reap_init(struct np_express *x)
{
	ev_timer_init(&x->reap, on_reap, LOOK_S, LOOK_S);
	x->reap.data = x;
}

void np_reap_fini(struct np_express *x)
{
	ev_timer_stop(x->splice->loop, &x->reap);
}
