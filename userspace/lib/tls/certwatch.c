// SPDX-License-Identifier: BSD-3-Clause
#include "tls/certwatch.h"

#include "base/err.h"
#include "base/log.h"
#include "tls/tls.h"

#include <ev.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Certificate and key are renamed one after the other; both are there when nothing moves any more. */
#define SETTLE_S 1.0
#define POLL_S 5.0 /* where the kernel cannot tell: file systems of other hosts */

struct np_certwatch {
	struct ev_loop *loop;
	char *cert, *key;
	struct np_tls_ctx *ctxs[NP_CERTWATCH_CTXS];
	size_t nr;
	ev_stat cert_stat, key_stat;
	ev_timer settle;
};

int np_certwatch_now(struct np_certwatch *watch)
{
	struct np_err err = NP_ERR_INIT;
	int ret = 0;
	size_t i;

	for (i = 0; i < watch->nr && !ret; i++)
		ret = np_tls_ctx_reload(watch->ctxs[i], watch->cert, watch->key, &err);
	if (ret)
		np_warn_err(&err, "certificate not reloaded, the old one stays");
	else
		np_info("certificate reloaded file=%s", watch->cert);
	return ret;
}

static void on_settled(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	np_certwatch_now(w->data);
}

static void on_change(struct ev_loop *loop, ev_stat *w, int revents)
{
	struct np_certwatch *watch = w->data;

	(void)revents;
	if (!w->attr.st_nlink)
		return; /* it comes again, or stays away: then the old one stays */
	ev_timer_stop(loop, &watch->settle);
	ev_timer_set(&watch->settle, SETTLE_S, 0);
	ev_timer_start(loop, &watch->settle);
}

int np_certwatch_new(struct ev_loop *loop, const char *cert, const char *key,
		     struct np_tls_ctx *const *ctxs, size_t nr, struct np_certwatch **out)
{
	struct np_certwatch *watch = nr <= NP_CERTWATCH_CTXS ? calloc(1, sizeof(*watch)) : NULL;

	if (!watch)
		return -ENOMEM;
	watch->loop = loop;
	watch->cert = strdup(cert);
	watch->key = strdup(key);
	memcpy(watch->ctxs, ctxs, nr * sizeof(*ctxs));
	watch->nr = nr;
	ev_timer_init(&watch->settle, on_settled, SETTLE_S, 0);
	watch->settle.data = watch;
	if (!watch->cert || !watch->key) {
		np_certwatch_free(watch);
		return -ENOMEM;
	}
	ev_stat_init(&watch->cert_stat, on_change, watch->cert, POLL_S);
	ev_stat_init(&watch->key_stat, on_change, watch->key, POLL_S);
	watch->cert_stat.data = watch->key_stat.data = watch;
	ev_stat_start(loop, &watch->cert_stat);
	ev_stat_start(loop, &watch->key_stat);
	*out = watch;
	return 0;
}

void np_certwatch_free(struct np_certwatch *watch)
{
	if (!watch)
		return;
	if (watch->cert_stat.data) {
		ev_stat_stop(watch->loop, &watch->cert_stat);
		ev_stat_stop(watch->loop, &watch->key_stat);
	}
	ev_timer_stop(watch->loop, &watch->settle);
	free(watch->cert);
	free(watch->key);
	free(watch);
}
