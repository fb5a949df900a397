// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/fetch.h"

#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/outbound.h"
#include "atserver/parse.h"
#include "atserver/quota.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/session.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct op {
	struct np_session *s;
	struct np_req_lookup req; /* its texts are not used any more */
	char cached[];		  /* "cached:..." */
};

static void cancel(void *arg)
{
	np_outbound_cancel(((struct op *)arg)->s->srv->outbound, arg);
	free(arg);
}

static void done(struct op *op)
{
	struct np_session *s = op->s;

	free(op);
	np_session_done(s);
}

static const char *plain_key(const struct op *op)
{
	return op->cached + strlen("cached:");
}

static bool is_one_line(const char *text)
{
	return !strpbrk(text, "\r\n");
}

static void reply(struct op *op, struct np_json *json)
{
	const char *value = np_json_str(json, "data");

	if (op->req.meta) {
		np_respond_json(op->s, np_json_ref(np_json_get(json, "metaData")));
	} else if (op->req.all) {
		np_json_set_str(json, "key", plain_key(op));
		np_respond_json(op->s, np_json_ref(json));
	} else {
		np_respond_str(op->s, value);
	}
}

bool np_fetch_keep(struct np_tenant *tenant, const char *cached, const struct np_json *json)
{
	struct np_meta meta;

	np_meta_from_json(&meta, np_json_get(json, "metaData"));
	if (!np_meta_num(&meta, NP_META_TTR, 0) || strlen(cached) >= NP_KEY_MAX ||
	    np_quota_allows(tenant, cached, strlen(np_json_str(json, "data")), NULL))
		return false;
	np_rec_cache(tenant, cached, np_json_str(json, "data"), &meta);
	return true;
}

/* Gone there, so gone here (16.4). */
static void missing(struct op *op)
{
	if (np_rec_exists(op->s->tenant, op->cached))
		np_rec_delete(op->s->tenant, op->cached, NULL);
	np_respond_missing(op->s, plain_key(op));
}

struct np_json *np_fetch_parse(const char *line, bool *gone, struct np_err *err)
{
	struct np_err local = NP_ERR_INIT;
	struct np_json *json;
	const char *value;

	*gone = np_str_starts(line, "data:null");
	if (*gone)
		return NULL;
	if (!np_str_starts(line, "data:{")) {
		np_respond_parse(line, err ? err : &local);
		*gone = !strcmp((err ? err : &local)->remote, "AT0015");
		return NULL;
	}
	json = np_json_parse(line + 5, strlen(line + 5), "answer of another server", NULL);
	value = np_json_str(json, "data");
	if (value && is_one_line(value) && np_json_is_object(np_json_get(json, "metaData")))
		return json;
	np_json_put(json);
	np_fail(err, -EPROTO, "the other atServer gave a malformed answer");
	if (err)
		np_str_copy(err->remote, sizeof(err->remote), "AT0010");
	return NULL;
}

static void on_answer(char *line, const struct np_err *why, void *arg)
{
	struct op *op = arg;
	struct np_err err = *why;
	struct np_json *json = NULL;
	bool gone = false;

	op->s->srv->turn.touched = false;
	if (line)
		json = np_fetch_parse(line, &gone, &err);
	if (json) {
		np_fetch_keep(op->s->tenant, op->cached, json);
		reply(op, json);
	} else if (gone) {
		missing(op);
	} else {
		np_respond_err(op->s, &err);
	}
	np_json_put(json);
	done(op);
}

static void start(struct op *op, const struct np_request *req)
{
	struct np_session *s = op->s;
	int ret;

	np_session_wait(s, op, cancel);
	ret = np_outbound_send(s->srv->outbound, req);
	if (!ret)
		return;
	free(op);
	np_respond_error(s, ret == -EUSERS ? "AT0006" : "AT0021",
			 "cannot contact the atServer of %s", req->remote);
	np_session_done(s);
}

static struct op *new_op(struct np_session *s, const char *cached)
{
	struct op *op = calloc(1, sizeof(*op) + strlen(cached) + 1);

	if (!op) {
		np_respond_error(s, "AT0010", "out of memory");
		return NULL;
	}
	op->s = s;
	strcpy(op->cached, cached);
	return op;
}

void np_fetch(struct np_session *s, const char *cached, const struct np_key *key,
	      const struct np_req_lookup *req, bool pol)
{
	char command[NP_KEY_MAX + 16];
	struct np_request request = {.as = s->tenant,
				     .remote = key->owner,
				     .pol = pol,
				     .command = command,
				     .timeout_ms = NP_OUTBOUND_LOOKUP_MS,
				     .cb = on_answer};
	struct op *op = new_op(s, cached);

	if (!op)
		return;
	op->req = *req;
	request.arg = op;
	snprintf(command, sizeof(command), "lookup:all:%s", key->text);
	start(op, &request);
}

static void on_keys(char *line, const struct np_err *why, void *arg)
{
	struct op *op = arg;
	struct np_err err = *why;

	op->s->srv->turn.touched = false;
	if (line && np_str_starts(line, "data:"))
		np_respond_str(op->s, line + 5);
	else {
		if (line)
			np_respond_parse(line, &err);
		np_respond_err(op->s, &err);
	}
	done(op);
}

void np_fetch_scan(struct np_session *s, const char *remote, const char *regex)
{
	char command[1024];
	struct np_request request = {.as = s->tenant,
				     .remote = remote,
				     .pol = true,
				     .command = command,
				     .timeout_ms = NP_OUTBOUND_SCAN_MS,
				     .cb = on_keys};
	struct op *op;

	if (snprintf(command, sizeof(command), "scan%s%s", regex ? " " : "", regex ? regex : "") >=
	    (int)sizeof(command)) {
		np_respond_error(s, "AT0022", "regular expression is too long");
		return;
	}
	op = new_op(s, "");
	if (!op)
		return;
	request.arg = op;
	start(op, &request);
}
