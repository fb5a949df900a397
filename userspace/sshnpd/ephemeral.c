// SPDX-License-Identifier: BSD-3-Clause
/*
 * The ssh key of one session (noports.md 9.6): made here, its private half goes to the client, its
 * public half stands in authorized_keys for fifteen seconds after the answer, fenced in by options.
 */
#include "daemon.h"

#include "base/err.h"
#include "base/secret.h"
#include "crypto/sshkey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIFE_S 15.
#define MARK "sshnp_ephemeral_"

struct ephemeral {
	struct ephemeral *next;
	struct daemon *d;
	ev_timer life;
	bool is_admitted;
	struct np_buf public_line;
	char mark[sizeof(MARK) + 64];
};

static struct ephemeral *find(struct daemon *d, const char *sid)
{
	struct ephemeral *e = d->ephemerals;

	while (e && strcmp(e->mark + sizeof(MARK) - 1, sid))
		e = e->next;
	return e;
}

static void drop(struct ephemeral *e)
{
	struct ephemeral **at = &e->d->ephemerals;
	struct np_err err = NP_ERR_INIT;

	if (e->is_admitted && np_authkeys_remove(&e->d->authkeys, e->mark, false, &err) < 0)
		np_warn_err(&err, "authorized_keys: session key %s not removed, next start will",
			    e->mark);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	ev_timer_stop(e->d->loop, &e->life);
	np_buf_fini(&e->public_line);
	free(e);
}

static void on_life_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	drop(w->data);
}

int ephemeral_make(struct daemon *d, const char *sid, struct np_secret *pem, struct np_err *err)
{
	enum np_sshkey_alg alg = d->conf->ssh_algorithm == 1 ? NP_SSHKEY_RSA : NP_SSHKEY_ED25519;
	struct ephemeral *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return np_fail(err, -ENOMEM, "ssh key of the session: out of memory");
	ret = np_sshkey_generate(alg, pem, &e->public_line, err);
	if (ret) {
		free(e);
		return ret;
	}
	snprintf(e->mark, sizeof(e->mark), MARK "%s", sid);
	e->d = d;
	ev_timer_init(&e->life, on_life_over, LIFE_S, 0.);
	e->life.data = e;
	e->next = d->ephemerals;
	d->ephemerals = e;
	return 0;
}

int ephemeral_admit(struct daemon *d, const char *sid, struct np_err *err)
{
	const char *more = d->conf->ephemeral_permissions;
	struct ephemeral *e = find(d, sid);
	struct np_buf options = NP_BUF_INIT;
	int ret;

	if (!e)
		return -ENOENT;
	ret = np_buf_printf(&options,
			    "command=\"echo \\\"ssh session complete\\\";sleep "
			    "20\",PermitOpen=\"localhost:%u\"%s%s",
			    d->conf->local_sshd_port, *more ? "," : "", more);
	if (!ret)
		ret = np_authkeys_add(&d->authkeys, np_buf_str(&options),
				      np_buf_str(&e->public_line), e->mark, err);
	e->is_admitted = !ret;
	np_buf_fini(&options);
	return ret;
}

void ephemeral_expire(struct daemon *d, const char *sid)
{
	struct ephemeral *e = find(d, sid);

	if (!e)
		return;
	ev_now_update(d->loop);
	ev_timer_start(d->loop, &e->life);
}

void ephemeral_drop(struct daemon *d, const char *sid)
{
	struct ephemeral *e = find(d, sid);

	if (e)
		drop(e);
}

void ephemerals_fini(struct daemon *d)
{
	while (d->ephemerals)
		drop(d->ephemerals);
}
