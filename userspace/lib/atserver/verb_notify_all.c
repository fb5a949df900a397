// SPDX-License-Identifier: BSD-3-Clause
/* notify:all: one notification for several atSigns (atprotocol.md 11.4). */
#include "atserver/access.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/note.h"
#include "atserver/queue.h"
#include "atserver/quota.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

#define RECIPIENTS_MAX 256

struct all {
	struct np_session *s;
	struct np_req_notify req;
	struct np_json *ids; /* "@a" -> id */
	struct np_err err;
};

/* Return: 0, or -1 with err->remote and err->msg filled. */
static int refuse(struct all *all, const char *code, const char *what, const char *name)
{
	np_fail(&all->err, -1, "%s %.200s", what, name);
	np_str_copy(all->err.remote, sizeof(all->err.remote), code);
	return -1;
}

static int check(struct all *all, char *rest)
{
	struct np_tenant *tenant = all->s->tenant;
	char owner[NP_ATSIGN_MAX];

	if (np_parse_notify(rest, &all->req, &all->err) ||
	    np_atsign_parse(all->req.owner ? all->req.owner : tenant->name, owner, &all->err)) {
		np_str_copy(all->err.remote, sizeof(all->err.remote), "AT0003");
		return -1;
	}
	if (!all->req.to)
		return refuse(all, "AT0003", "Invalid syntax.", "notify:all needs recipients");
	if (strcmp(owner, tenant->name))
		return refuse(all, "AT0009", "cannot notify as", owner);
	if (all->req.is_text)
		return 0;
	np_str_lower(all->req.key);
	if (!np_key_is_name(all->req.key))
		return refuse(all, "AT0003", "Invalid syntax. no valid key name:", all->req.key);
	return 0;
}

static int quota_used_up(struct all *all)
{
	np_str_copy(all->err.remote, sizeof(all->err.remote), "AT0011");
	return -1;
}

static int send_to(struct all *all, const char *to)
{
	struct np_tenant *tenant = all->s->tenant;
	struct np_buf key = NP_BUF_INIT;
	struct np_note_spec spec = {.to = to,
				    .value = all->req.value,
				    .is_delete = all->req.is_delete,
				    .is_text = all->req.is_text,
				    .is_latest = all->req.is_latest,
				    .depth = all->req.depth,
				    .ttln_ms = all->req.ttln_ms,
				    .priority = all->req.priority,
				    .notifier = all->req.notifier,
				    .meta = &all->req.meta};
	int ret;

	ret = np_buf_printf(&key, "%s:%s%s", to, all->req.key,
			    all->req.is_text && !all->req.owner ? "" : tenant->name);
	spec.key = np_buf_str(&key);
	if (ret)
		ret = refuse(all, "AT0010", "out of memory for", to);
	else if (!all->req.is_text && !np_access_note_change(all->s, spec.key))
		ret = refuse(all, "AT0009", "connection may not notify", spec.key);
	else if (np_queue_is_full(all->s->srv->queue, tenant, to))
		ret = refuse(all, "AT0011", "too many notifications wait for", to);
	else if (np_quota_take_note(tenant, &all->err))
		ret = quota_used_up(all);
	else if (np_note_send(tenant, &spec))
		ret = refuse(all, "AT0002", "the server cannot store data for", to);
	else if (np_json_set_str(all->ids, to, spec.id))
		ret = refuse(all, "AT0010", "out of memory for", to);
	np_buf_fini(&key);
	return ret;
}

/* Names first: a list with a wrong one reaches nobody. */
static int each_recipient(struct all *all, bool send)
{
	const char *list = all->req.to, *item;
	char name[256], atsign[NP_ATSIGN_MAX];
	size_t len, nr = 0;

	while ((item = np_str_next(&list, ',', &len))) {
		if (++nr > RECIPIENTS_MAX)
			return refuse(all, "AT0022", "too many recipients:", "256 are possible");
		if (np_str_copy_n(name, sizeof(name), item, len) ||
		    np_atsign_parse(name, atsign, &all->err))
			return refuse(all, "AT0003", "Invalid syntax. no atSign:", name);
		if (send && send_to(all, atsign))
			return -1;
	}
	return 0;
}

void np_verb_notify_all(struct np_session *s, char *rest)
{
	struct all all = {.s = s, .ids = np_json_obj(), .err = NP_ERR_INIT};

	if (!all.ids || check(&all, rest) || each_recipient(&all, false) || each_recipient(&all, true)) {
		np_json_put(all.ids);
		np_respond_err(s, &all.err);
		return;
	}
	np_respond_spaced(s, all.ids);
}
