// SPDX-License-Identifier: BSD-3-Clause
/*
 * An atServer answers the commands of a connection in their order, and for a key it asks the server
 * of the atSign in question, which may be dead: ten seconds. Nothing else may wait for that, neither
 * the relay's answers nor the keys of other sessions. So keys are asked for over connections of
 * their own: an idle one, a new one, or at last the one whose oldest open question is the youngest,
 * since that is the least likely to be stuck.
 */
#include "look.h"

#include "base/clock.h"
#include "base/err.h"
#include "srvd.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

struct look_question {
	struct look_question *next;
	struct srvd *srvd;
	unsigned int looker;
	long long asked_ms;
	np_at_key_cb cb; /* NULL: cancelled, but still in front of others */
	void *arg;
};

static void free_question(struct look_question *q)
{
	struct look_question **at = &q->srvd->lookers.questions;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	free(q);
}

static void on_key(const struct np_err *err, const struct np_rsa *key, const char *b64, void *arg)
{
	struct look_question *q = arg;
	np_at_key_cb cb = q->cb;
	void *cb_arg = q->arg;

	free_question(q);
	if (cb)
		cb(err, key, b64, cb_arg);
}

/* Return: the number of the looker to ask, or negative errno when there is none at all. */
static int choose(struct srvd *srvd)
{
	long long oldest[LOOKERS_MAX];
	struct lookers *l = &srvd->lookers;
	struct np_err err = NP_ERR_INIT;
	const struct look_question *q;
	unsigned int i, best = 0;

	for (i = 0; i < LOOKERS_MAX; i++)
		oldest[i] = LLONG_MAX;
	for (q = l->questions; q; q = q->next)
		if (q->asked_ms < oldest[q->looker])
			oldest[q->looker] = q->asked_ms;
	for (i = 0; i < LOOKERS_MAX && l->client[i]; i++)
		if (oldest[i] > oldest[best])
			best = i;
	if (i == LOOKERS_MAX || (i && oldest[best] == LLONG_MAX))
		return (int)best;
	if (!np_at_client_new(np_at_client_params(srvd->client), NULL, NULL, &l->client[i], &err))
		return (int)i;
	np_warn_err(&err, "no further connection for keys");
	return i ? (int)best : err.code;
}

int look_key(struct srvd *srvd, const char *atsign, bool fresh, np_at_key_cb cb, void *arg)
{
	struct look_question *q;
	int looker = choose(srvd), ret;

	if (looker < 0)
		return looker;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->srvd = srvd;
	q->looker = (unsigned int)looker;
	q->cb = cb;
	q->arg = arg;
	q->next = srvd->lookers.questions;
	srvd->lookers.questions = q;
	q->asked_ms = np_clock_mono_ms();
	ret = np_at_client_public_key(srvd->lookers.client[looker], atsign, fresh, on_key, q);
	if (ret)
		free_question(q);
	return ret;
}

void look_cancel(struct srvd *srvd, void *arg)
{
	struct look_question *q;

	for (q = srvd->lookers.questions; q; q = q->next)
		if (q->arg == arg)
			q->cb = NULL;
}

void look_fini(struct srvd *srvd)
{
	unsigned int i;

	for (i = 0; i < LOOKERS_MAX; i++)
		np_at_client_free(srvd->lookers.client[i]);
	while (srvd->lookers.questions)
		free_question(srvd->lookers.questions);
}
