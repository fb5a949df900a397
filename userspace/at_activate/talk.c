// SPDX-License-Identifier: BSD-3-Clause
#include "activate.h"

#include "at/directory.h"
#include "tls/tls.h"

#include <ev.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_up(struct np_at_conn *conn, void *arg)
{
	struct talk *t = arg;

	(void)conn;
	t->is_up = true;
	ev_break(t->loop, EVBREAK_ONE);
}

static void on_line(struct np_at_conn *conn, const char *line, size_t len, void *arg)
{
	/* Nobody subscribed here. */
	(void)conn;
	(void)line;
	(void)len;
	(void)arg;
}

static void on_down(struct np_at_conn *conn, const struct np_err *err, void *arg)
{
	struct talk *t = arg;

	(void)conn;
	t->is_over = true;
	t->err = *err;
	ev_break(t->loop, EVBREAK_ONE);
}

static const struct np_at_conn_ops ops = {.up = on_up, .line = on_line, .down = on_down};

int talk_open(struct talk *t, const struct activate_conf *conf)
{
	int ret;

	memset(t, 0, sizeof(*t));
	t->loop = ev_default_loop(0);
	ret = np_tls_client_ctx(conf->root_ca, NULL, NULL, &t->tls, &t->err);
	if (!ret)
		ret = np_directory_new(t->loop, t->tls, conf->root_domain, &t->dir, &t->err);
	return ret;
}

void talk_close(struct talk *t)
{
	np_at_conn_close(t->conn);
	np_directory_free(t->dir);
	np_tls_ctx_free(t->tls);
	free(t->answer);
	memset(t, 0, sizeof(*t));
}

int talk_login(struct talk *t, const char *atsign, const struct np_at_keys *keys,
	       const struct np_secret *cram)
{
	struct np_at_conn_params params = {
		.loop = t->loop,
		.tls = t->tls,
		.dir = t->dir,
		.atsign = atsign,
		.keys = keys,
		.cram = cram,
	};
	int ret;

	np_at_conn_close(t->conn);
	t->conn = NULL;
	t->is_up = t->is_over = false;
	memset(&t->err, 0, sizeof(t->err));
	ret = np_at_conn_open(&params, &ops, t, &t->conn, &t->err);
	if (ret)
		return ret;
	while (!t->is_up && !t->is_over)
		ev_run(t->loop, 0);
	return t->is_over ? t->err.code : 0;
}

static void on_answer(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct talk *t = arg;

	(void)len;
	free(t->answer);
	t->answer = data ? strdup(data) : NULL;
	t->err = *err;
	if (!err->code && !t->answer)
		np_fail(&t->err, -ENOMEM, "out of memory");
	t->has_answer = true;
	ev_break(t->loop, EVBREAK_ONE);
}

int talk_ask(struct talk *t, const char *line, const char *what)
{
	int ret;

	if (t->is_over)
		return t->err.code;
	t->has_answer = false;
	ret = np_at_conn_command(t->conn, line, strlen(line), on_answer, t);
	if (ret)
		return np_fail_errno(&t->err, ret, "cannot %s", what);
	while (!t->has_answer)
		ev_run(t->loop, 0);
	if (t->err.code)
		np_err_prefix(&t->err, "cannot %s", what);
	return t->err.code;
}

/*
 * A look-up names the owner, which scan does not: a server of many atSigns needs that before a
 * log-in.
 */
int is_activated(struct talk *t, const char *atsign)
{
	char line[NP_ATSIGN_MAX + 32];
	int ret;

	ret = talk_login(t, atsign, NULL, NULL);
	if (ret)
		return ret;
	snprintf(line, sizeof(line), "lookup:publickey%s", atsign);
	ret = talk_ask(t, line, "ask whether the atSign is activated");
	if (ret == -ENOENT)
		memset(&t->err, 0, sizeof(t->err));
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	return strcmp(t->answer, "null") != 0;
}
