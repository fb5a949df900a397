// SPDX-License-Identifier: BSD-3-Clause
/* notify:status, fetch, list, remove: what became of stored notifications (atprotocol.md 11.4). */
#include "atserver/access.h"
#include "atserver/block.h"
#include "atserver/internal.h"
#include "atserver/meta.h"
#include "atserver/note.h"
#include "atserver/regex.h"
#include "atserver/respond.h"
#include "atserver/tenant.h"
#include "atserver/turn.h"
#include "atserver/verb.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const states[] = {"queued", "delivered", "errored", "expired"};

struct find {
	struct np_session *s;
	bool denied, failed;
	const char *status;
	struct np_json *json;
};

static int find(struct find *f, const char *id, np_note_fn fn)
{
	struct np_store *store = f->s->srv->store;
	int ret;

	np_turn_read(f->s->srv);
	ret = store->ops->note_get(store, f->s->tenant->name, id, fn, f);
	if (ret && ret != -ENOENT) {
		np_respond_error(f->s, "AT0010", "cannot read notifications");
		return -1;
	}
	if (!f->denied)
		return 0;
	np_respond_error(f->s, "AT0009", "connection may not use notification %.100s", id);
	return -1;
}

static bool take_status(const struct np_note *note, void *arg)
{
	struct find *f = arg;

	if (!np_access_note(f->s, note->key)) {
		f->denied = true;
		return false;
	}
	f->status = states[note->status];
	if (note->expires_at && note->expires_at <= np_clock_wall_ms() &&
	    note->status == NP_NOTE_QUEUED)
		f->status = "expired";
	return note->dir != NP_NOTE_SENT;
}

void np_verb_notify_status(struct np_session *s, char *rest)
{
	struct find f = {.s = s, .status = "null"};

	if (!find(&f, rest, take_status))
		np_respond_str(s, f.status);
}

static int set_num(struct np_json *json, const char *name, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	return np_json_set_str(json, name, text);
}

static int set_time(struct np_json *json, const char *name, int64_t ms)
{
	char text[32] = "null";

	if (ms > 0)
		np_clock_at_utc(ms, text, sizeof(text));
	return np_json_set_str(json, name, text);
}

static int set_enum(struct np_json *json, const char *name, const char *type, const char *value)
{
	char text[80];

	snprintf(text, sizeof(text), "%s.%s", type, value ? value : "low");
	return np_json_set_str(json, name, text);
}

/* In the record's metadata stand the notification's own fields too; readers want the former only. */
static int set_meta(struct np_json *json, const struct np_json *stored)
{
	struct np_json *inner = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	struct np_meta meta;
	int ret = -ENOMEM;

	np_meta_from_json(&meta, stored);
	if (inner && !np_meta_to_json(&meta, inner) && !np_json_write(inner, &text))
		ret = np_json_set_str(json, "atMetadata", np_buf_str(&text));
	np_buf_fini(&text);
	np_json_put(inner);
	return ret;
}

static int fill(struct np_json *json, const struct np_note *note, const struct np_json *stored)
{
	static const char *const dirs[] = {"received", "sent", "self"};

	return np_json_set_str(json, "id", note->id) ||
	       np_json_set_str(json, "fromAtSign", note->from) ||
	       set_time(json, "notificationDateTime", note->epoch_ms) ||
	       np_json_set_str(json, "toAtSign", note->to) ||
	       np_json_set_str(json, "notification", note->key) ||
	       set_enum(json, "type", "NotificationType", dirs[note->dir]) ||
	       set_enum(json, "opType", "OperationType", note->op) ||
	       set_enum(json, "messageType", "MessageType", note->type) ||
	       set_enum(json, "priority", "NotificationPriority", np_json_str(stored, "priority")) ||
	       set_enum(json, "notificationStatus", "NotificationStatus", states[note->status]) ||
	       set_num(json, "retryCount", note->retries) ||
	       np_json_set_str(json, "strategy", np_json_str(stored, "strategy")) ||
	       set_num(json, "depth", np_json_int(stored, "depth", 1)) ||
	       np_json_set_str(json, "notifier", np_json_str(stored, "notifier")) ||
	       set_time(json, "expiresAt", note->expires_at) ||
	       np_json_set_str(json, "atValue", note->value ? note->value : "null") ||
	       set_meta(json, stored) || set_num(json, "ttl", note->expires_at - note->epoch_ms);
}

static bool take_whole(const struct np_note *note, void *arg)
{
	struct find *f = arg;
	struct np_json *stored;

	if (!np_access_note(f->s, note->key)) {
		f->denied = true;
		return false;
	}
	if (note->expires_at && note->expires_at <= np_clock_wall_ms())
		return true;
	stored = np_json_parse(note->meta, strlen(note->meta), "notification", NULL);
	np_json_put(f->json);
	f->json = np_json_obj();
	f->failed = !f->json || !stored || fill(f->json, note, stored);
	np_json_put(stored);
	return note->dir != NP_NOTE_SENT && !f->failed;
}

void np_verb_notify_fetch(struct np_session *s, char *rest)
{
	struct find f = {.s = s};

	if (find(&f, rest, take_whole)) {
		np_json_put(f.json);
		return;
	}
	if (!f.json) {
		f.json = np_json_obj();
		f.failed = !f.json || np_json_set_str(f.json, "id", rest) ||
			   set_enum(f.json, "notificationStatus", "NotificationStatus", "expired");
	}
	if (f.failed) {
		np_json_put(f.json);
		f.json = NULL;
	}
	np_respond_json(s, f.json);
}

static bool may_remove(const struct np_note *note, void *arg)
{
	struct find *f = arg;

	f->denied = !np_access_note_change(f->s, note->key);
	return !f->denied;
}

void np_verb_notify_remove(struct np_session *s, char *rest)
{
	struct np_store *store = s->srv->store;
	struct np_err err = NP_ERR_INIT;
	struct find f = {.s = s};
	int ret;

	if (!*rest) {
		np_respond_error(s, "AT0003", "Invalid syntax. notify:remove:<id>");
		return;
	}
	if (find(&f, rest, may_remove))
		return;
	if (np_turn_begin(s->srv)) {
		np_respond_store(s);
		return;
	}
	ret = store->ops->note_del(store, s->tenant->name, rest, &err);
	if (ret && ret != -ENOENT) {
		np_turn_failed(s->srv, ret, np_err_text(&err), s->tenant->name);
		np_respond_store(s);
		return;
	}
	np_respond_str(s, "success");
}

struct list {
	struct np_session *s;
	struct np_regex *regex;
	struct np_json *out;
	int64_t until_ms;
	size_t nr_bytes;
	bool failed;
};

static bool list_one(const struct np_note *note, void *arg)
{
	struct list *list = arg;
	struct np_session *s = list->s;
	struct np_json *json;

	if (note->epoch_ms >= list->until_ms)
		return true;
	/* Another server sees what was sent to it, the owner what has come. */
	if (s->auth == NP_AUTH_POL ? strcmp(note->to, s->peer) != 0
				   : !np_access_note(s, note->key))
		return true;
	if (!np_regex_match(list->regex, note->key) &&
	    !np_regex_match(list->regex, np_atsign_bare(note->from)))
		return true;
	list->nr_bytes += note->value ? strlen(note->value) : 0;
	json = np_note_json(note);
	list->failed = !json || np_json_add(list->out, json) || list->nr_bytes > NP_COMMAND_MAX;
	return !list->failed;
}

static void list_notes(struct np_session *s, struct np_tenant *tenant,
		       const struct np_req_notify_list *req, struct np_regex *regex)
{
	struct list list = {
		.s = s, .regex = regex, .out = np_json_arr(), .until_ms = req->until_ms};
	struct np_store *store = s->srv->store;
	enum np_note_dir dir = s->auth == NP_AUTH_POL ? NP_NOTE_SENT : NP_NOTE_RECEIVED;

	np_turn_read(s->srv);
	if (!list.out || store->ops->note_list(store, tenant->name, dir, req->from_ms - 1,
					       np_clock_wall_ms(), list_one, &list))
		list.failed = true;
	if (list.failed) {
		np_json_put(list.out);
		np_respond_error(s, "AT0010", "%s",
				 list.nr_bytes > NP_COMMAND_MAX
					 ? "the list is too long, name dates or a regex"
					 : "cannot read notifications");
		return;
	}
	if (np_json_len(list.out)) {
		np_respond_json(s, list.out);
		return;
	}
	np_json_put(list.out);
	np_respond_str(s, "null");
}

void np_verb_notify_list(struct np_session *s, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	struct np_req_notify_list req;
	struct np_regex *regex = NULL;
	struct np_tenant *tenant;

	if (np_parse_notify_list(rest, &req, &err) ||
	    np_regex_new(req.regex ? req.regex : "", &regex, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return;
	}
	tenant = s->auth == NP_AUTH_NONE ? NULL : np_tenant_named(s);
	if (s->auth == NP_AUTH_NONE)
		np_respond_str(s, "null");
	else if (!tenant)
		np_respond_error(s, "AT0003",
				 "several atSigns are served here, look one of their keys up first");
	else if (!np_block_refuses(s, tenant))
		list_notes(s, tenant, &req, regex);
	np_regex_free(regex);
}
