// SPDX-License-Identifier: BSD-3-Clause
/* update, update:meta, update:json: own records, and telling those they are shared with
 * (atprotocol.md 10.1, 10.2). */
#include "atserver/access.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/note.h"
#include "atserver/pubkey.h"
#include "atserver/queue.h"
#include "atserver/quota.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

/* Kinds that a client may not write (10.1); of privatekey: only the legacy PKAM key. */
static bool is_writable(struct np_session *s, const struct np_key *key, struct np_err *err)
{
	switch (key->type) {
	case NP_KEY_PUBLIC:
	case NP_KEY_SHARED:
	case NP_KEY_SELF:
		if (strcmp(key->owner, s->tenant->name)) {
			np_fail(err, -1, "%s is not owned by %s", key->text, s->tenant->name);
			return false;
		}
		return true;
	case NP_KEY_PRIVATEKEY:
		if (!strcmp(key->name, "at_pkam_publickey"))
			return true;
		break;
	default:
		break;
	}
	np_fail(err, -1, "%s cannot be updated", key->text);
	return false;
}

/* What the server keeps for itself; enrolments change through enroll alone. */
static bool is_reserved_for_server(const struct np_key *key)
{
	return !strcmp(key->name, "signing_publickey") ||
	       !strcmp(key->name, "signing_privatekey") || np_str_ends(key->name, ".__manage") ||
	       np_str_ends(key->name, ".__pkams.__public_keys") || np_str_ends(key->name, ".__otp") ||
	       np_key_is_kept(key->name);
}

static bool value_differs(struct np_tenant *tenant, const char *key, const char *value)
{
	struct np_rec rec;
	bool differs;

	if (np_rec_get(tenant, key, &rec))
		return false;
	differs = strcmp(rec.value, value) != 0;
	np_rec_fini(&rec);
	return differs;
}

static int check_key(struct np_session *s, const char *text, struct np_key *key)
{
	struct np_err err = NP_ERR_INIT;

	if (np_key_parse(text, s->tenant->name, key, &err) || !is_writable(s, key, &err)) {
		np_respond_error(s, "AT0016", "%s", err.msg);
		return -1;
	}
	if (is_reserved_for_server(key) || !np_access_key(s, key, true)) {
		np_respond_error(s, "AT0009", "connection may not update %s", key->text);
		return -1;
	}
	if (key->type == NP_KEY_SHARED && np_queue_is_full(s->srv->queue, s->tenant, key->with)) {
		np_respond_error(s, "AT0011", "too many notifications wait for %s", key->with);
		return -1;
	}
	return 0;
}

static void store(struct np_session *s, const struct np_key *key, const char *value,
		  const struct np_meta *meta, char op)
{
	char public_key[NP_ATSIGN_MAX + 32];
	struct np_err err = NP_ERR_INIT;
	int64_t commit_id = -1;
	bool changed;

	if ((value && np_quota_allows(s->tenant, key->text, strlen(value), &err)) ||
	    (key->type == NP_KEY_SHARED && value && np_quota_take_note(s->tenant, &err))) {
		np_respond_error(s, "AT0011", "%s", err.msg);
		return;
	}
	snprintf(public_key, sizeof(public_key), "public:publickey%s", s->tenant->name);
	changed = value && !strcmp(key->text, public_key) &&
		  value_differs(s->tenant, key->text, value);
	if (np_rec_update(s->tenant, key->text, value, meta, op, &commit_id) ||
	    (changed && np_pubkey_changed(s->tenant)) ||
	    (value && np_note_auto(s->tenant, key->text, value, meta, false))) {
		np_respond_store(s);
		return;
	}
	np_respond_printf(s, "%lld", (long long)commit_id);
}

void np_verb_update(struct np_session *s, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	struct np_req_update req;
	struct np_key key;

	if (np_parse_update(rest, &req, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return;
	}
	if (!check_key(s, req.key, &key))
		store(s, &key, req.value, &req.meta, '*');
}

void np_verb_update_meta(struct np_session *s, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	struct np_req_update req;
	struct np_key key;

	if (np_parse_update_meta(rest, &req, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return;
	}
	if (!check_key(s, req.key, &key))
		store(s, &key, NULL, &req.meta, '#');
}

/* The builders of the SDKs put the complete key into atKey; the parts may also come apart (10.1).
 */
static int compose_key(const struct np_json *json, char *dst, size_t size)
{
	const char *key = np_json_str(json, "atKey"), *by = np_json_str(json, "sharedBy");
	const char *with = np_json_str(json, "sharedWith");
	bool is_public = np_json_bool(np_json_get(json, "metadata"), "isPublic", false);
	int len;

	if (!key)
		return -1;
	if (strchr(key, '@'))
		len = snprintf(dst, size, "%s", key);
	else
		len = snprintf(dst, size, "%s%s%s%s%s",
			       is_public ? "public:"
			       : with	 ? with
					 : "",
			       !is_public && with ? ":" : "", key, by && *by != '@' ? "@" : "",
			       by ? by : "");
	return len < 0 || (size_t)len >= size ? -1 : 0;
}

static bool has_line_feed(const char *text)
{
	return strpbrk(text, "\r\n") != NULL;
}

void np_verb_update_json(struct np_session *s, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	struct np_json *json = np_json_parse(rest, strlen(rest), "update:json", &err);
	const char *value = np_json_str(json, "value");
	char text[NP_KEY_MAX];
	struct np_meta meta;
	struct np_key key;

	if (!json || !value || !*value || has_line_feed(value) ||
	    compose_key(json, text, sizeof(text)))
		np_respond_error(s, "AT0003", "Invalid syntax. %s",
				 json ? "update:json needs atKey and a value of "
					"one line"
				      : err.msg);
	else if (!check_key(s, text, &key)) {
		np_meta_from_json(&meta, np_json_get(json, "metadata"));
		store(s, &key, value, &meta, '*');
	}
	np_json_put(json);
}
