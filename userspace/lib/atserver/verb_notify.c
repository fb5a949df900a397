// SPDX-License-Identifier: BSD-3-Clause
/* notify: from the owner to whom it names, and from another server to one of our atSigns
 * (atprotocol.md 11). */
#include "atserver/access.h"
#include "atserver/block.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/note.h"
#include "atserver/queue.h"
#include "atserver/quota.h"
#include "atserver/respond.h"
#include "atserver/tenant.h"
#include "atserver/verb.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct parts {
	struct np_req_notify req;
	char to[NP_ATSIGN_MAX], owner[NP_ATSIGN_MAX];
	struct np_buf key; /* complete */
	struct np_note_spec spec;
};

/* Names are in lower case, texts stay as they are. */
static int put_key(struct parts *p)
{
	if (!p->req.is_text)
		np_str_lower(p->req.key);
	return np_buf_printf(&p->key, "%s:%s%s", p->req.to ? p->to : "public", p->req.key,
			     p->req.is_text && !p->req.owner ? "" : p->owner);
}

/* @own: the owner of the key when the line names none. */
static int parse(struct np_session *s, char *rest, const char *own, struct parts *p)
{
	struct np_err err = NP_ERR_INIT;
	struct np_note_spec *spec = &p->spec;

	memset(p, 0, sizeof(*p));
	if (np_parse_notify(rest, &p->req, &err) ||
	    (p->req.to && np_atsign_parse(p->req.to, p->to, &err)) ||
	    np_atsign_parse(p->req.owner ? p->req.owner : own, p->owner, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return -1;
	}
	if (!p->req.is_text && !np_key_is_name(p->req.key)) {
		np_respond_error(s, "AT0003", "Invalid syntax. '%.80s' is no valid key name",
				 p->req.key);
		return -1;
	}
	if (put_key(p) || p->key.len > NP_COMMAND_MAX) {
		np_respond_error(s, "AT0010", "out of memory");
		return -1;
	}
	if (p->req.id)
		np_str_copy(spec->id, sizeof(spec->id), p->req.id);
	spec->to = p->req.to ? p->to : NULL;
	spec->key = np_buf_str(&p->key);
	spec->value = p->req.value;
	spec->is_delete = p->req.is_delete;
	spec->is_text = p->req.is_text;
	spec->is_latest = p->req.is_latest;
	spec->depth = p->req.depth;
	spec->ttln_ms = p->req.ttln_ms;
	spec->priority = p->req.priority;
	spec->notifier = p->req.notifier;
	spec->meta = &p->req.meta;
	return 0;
}

static bool may_send(struct np_session *s, const struct parts *p)
{
	struct np_key key;

	if (!s->enrol_id || p->req.is_text)
		return true;
	return !np_key_parse(np_buf_str(&p->key), s->tenant->name, &key, NULL) &&
	       np_access_key(s, &key, true);
}

static void from_owner(struct np_session *s, struct parts *p)
{
	struct np_err err = NP_ERR_INIT;

	if (strcmp(p->owner, s->tenant->name)) {
		np_respond_error(s, "AT0009", "%s cannot notify as %s", s->tenant->name, p->owner);
		return;
	}
	if (!may_send(s, p)) {
		np_respond_error(s, "AT0009", "connection may not notify %.200s",
				 np_buf_str(&p->key));
		return;
	}
	if (p->spec.to && np_queue_is_full(s->srv->queue, s->tenant, p->spec.to)) {
		np_respond_error(s, "AT0011", "too many notifications wait for %s", p->spec.to);
		return;
	}
	if (np_quota_take_note(s->tenant, &err))
		np_respond_error(s, "AT0011", "%s", err.msg);
	else if (np_note_send(s->tenant, &p->spec))
		np_respond_store(s);
	else
		np_respond_str(s, p->spec.id);
}

/* The published server does not check owner and recipient; without that anybody could speak for
 * anybody. */
static void from_peer(struct np_session *s, struct parts *p)
{
	struct np_tenant *tenant = p->spec.to ? np_tenant_find(s->srv, p->spec.to) : NULL;
	struct np_err err = NP_ERR_INIT;
	char uuid[NP_UUID_SIZE];
	int ret;

	if (!tenant || strcmp(p->owner, s->peer)) {
		np_respond_error(s, "AT0009", "%s cannot notify %s as %s", s->peer, p->to,
				 p->owner);
		return;
	}
	if (!p->spec.id[0] && !np_rand_uuid4(uuid))
		np_str_copy(p->spec.id, sizeof(p->spec.id), uuid);
	s->tenant = tenant;
	if (np_block_refuses(s, tenant))
		return;
	/* Not a final refusal: the other server tries again later. */
	if (np_quota_take_note(tenant, &err)) {
		np_respond_error(s, "AT0011", "%s", err.msg);
		return;
	}
	ret = np_note_receive(tenant, s->peer, &p->spec);
	if (ret == -EEXIST)
		np_respond_error(s, "AT0022", "notification id %.100s is in use", p->spec.id);
	else if (ret)
		np_respond_store(s);
	else
		np_respond_str(s, "success");
}

void np_verb_notify(struct np_session *s, char *rest)
{
	struct parts p;

	if (!parse(s, rest, s->auth == NP_AUTH_POL ? s->peer : s->tenant->name, &p)) {
		if (s->auth == NP_AUTH_POL)
			from_peer(s, &p);
		else
			from_owner(s, &p);
	}
	np_buf_fini(&p.key);
}
