// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/note.h"

#include "atserver/block.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/quota.h"
#include "atserver/record.h"
#include "atserver/tenant.h"
#include "atserver/turn.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SELF_TTL_MS 86400000

/* Whether the value is ciphertext is said by the sender, or follows from the kind (11.1). */
static bool is_encrypted(const struct np_note_spec *spec)
{
	if (spec->is_text)
		return np_meta_num(spec->meta, NP_META_IS_ENCRYPTED, 0);
	if (np_str_starts(spec->key, "public"))
		return false;
	return np_meta_num(spec->meta, NP_META_IS_ENCRYPTED, 1);
}

static int meta_text(const struct np_note_spec *spec, struct np_buf *buf)
{
	struct np_json *json = np_json_obj();
	struct np_meta meta = *spec->meta;
	int ret = -ENOMEM;

	np_meta_put_num(&meta, NP_META_IS_ENCRYPTED, is_encrypted(spec));
	if (json && !np_meta_to_json(&meta, json) &&
	    !np_json_set_str(json, "notifier", spec->notifier) &&
	    !np_json_set_str(json, "priority", spec->priority) &&
	    !np_json_set_str(json, "strategy", spec->is_latest ? "latest" : "all") &&
	    !np_json_set_int(json, "depth", spec->depth) &&
	    !np_json_set_int(json, "ttln", spec->ttln_ms))
		ret = np_json_write(json, buf);
	np_json_put(json);
	return ret;
}

/* Stores the notification for @tenant; *@note stays filled for what follows, @meta keeps its text.
 */
static int store_note(struct np_tenant *tenant, const struct np_note_spec *spec, const char *from,
		      const char *to, struct np_note *note, struct np_buf *meta)
{
	struct np_store *store = tenant->srv->store;
	int64_t now = np_clock_wall_ms();
	struct np_err err = NP_ERR_INIT;
	int ret = meta_text(spec, meta);

	if (ret)
		return np_turn_failed(tenant->srv, ret, "out of memory", tenant->name);
	note->id = spec->id;
	note->from = from;
	note->to = to;
	note->key = spec->key;
	note->value = spec->value;
	note->op = spec->is_delete ? "delete" : "update";
	note->type = spec->is_text ? "text" : "key";
	note->meta = np_buf_str(meta);
	note->epoch_ms = now;
	note->expires_at =
		now + (spec->ttln_ms ? spec->ttln_ms : (int64_t)tenant->srv->conf.note_ttl_ms);
	ret = store->ops->note_put(store, tenant->name, note, &note->seq, &err);
	return ret ? np_turn_failed(tenant->srv, ret, np_err_text(&err), tenant->name) : 0;
}

struct seen {
	enum np_note_dir dir;
	const char *from;
	bool same, other;
};

static bool see(const struct np_note *note, void *arg)
{
	struct seen *seen = arg;

	if (note->dir != seen->dir)
		return true;
	if (!strcmp(note->from, seen->from))
		seen->same = true;
	else
		seen->other = true;
	return true;
}

static struct seen was_seen(struct np_tenant *tenant, const char *id, enum np_note_dir dir,
			    const char *from)
{
	struct seen seen = {.dir = dir, .from = from};
	struct np_store *store = tenant->srv->store;

	store->ops->note_get(store, tenant->name, id, see, &seen);
	return seen;
}

/* The cached copy that the recipient keeps follows the record of the sender (11.2, 16.3). */
static int update_cache(struct np_tenant *tenant, const char *from, const struct np_note_spec *spec)
{
	char key[NP_KEY_MAX + 8];
	struct np_meta meta = *spec->meta;
	struct np_rec old;
	int ret = 0;

	if (spec->is_text || !spec->to ||
	    snprintf(key, sizeof(key), "cached:%s", spec->key) >= NP_KEY_MAX)
		return 0;
	if (!spec->is_delete && !np_meta_num(spec->meta, NP_META_TTR, 0))
		return 0;
	if (!spec->is_delete && spec->value &&
	    np_quota_allows(tenant, key, strlen(spec->value), NULL))
		return 0;
	if (!spec->is_delete && spec->value) {
		np_meta_put_text(&meta, NP_META_CREATED_BY, from);
		np_meta_put_text(&meta, NP_META_UPDATED_BY, from);
		if (!np_meta_has(&meta, NP_META_CCD))
			np_meta_put_num(&meta, NP_META_CCD, 0);
		return np_rec_cache(tenant, key, spec->value, &meta);
	}
	if (np_rec_get(tenant, key, &old))
		return 0;
	if (!spec->is_delete)
		ret = np_rec_update(tenant, key, NULL, &meta, '#', NULL);
	else if (np_meta_num(&old.meta, NP_META_CCD, 0))
		ret = np_rec_delete(tenant, key, NULL);
	np_rec_fini(&old);
	return ret;
}

int np_note_receive(struct np_tenant *tenant, const char *from, struct np_note_spec *spec)
{
	struct np_note note = {.dir = NP_NOTE_RECEIVED, .status = NP_NOTE_DELIVERED};
	struct np_buf meta = NP_BUF_INIT;
	struct seen seen;
	int ret;

	ret = np_turn_begin(tenant->srv);
	if (ret)
		return ret;
	seen = was_seen(tenant, spec->id, NP_NOTE_RECEIVED, from);
	if (seen.same)
		return 0;
	if (seen.other)
		return -EEXIST;
	ret = update_cache(tenant, from, spec);
	if (!ret)
		ret = store_note(tenant, spec, from, tenant->name, &note, &meta);
	if (!ret && np_turn_deliver(tenant, &note))
		ret = np_turn_failed(tenant->srv, -ENOMEM, "out of memory", tenant->name);
	np_buf_fini(&meta);
	return ret;
}

static int send_away(struct np_tenant *tenant, struct np_note_spec *spec)
{
	struct np_tenant *local = np_tenant_find(tenant->srv, spec->to);
	bool blocked = local && np_block_has(local, tenant->name);
	struct np_note note = {.dir = NP_NOTE_SENT,
			       .status = blocked ? NP_NOTE_ERRORED
					 : local ? NP_NOTE_DELIVERED
						 : NP_NOTE_QUEUED};
	struct np_buf meta = NP_BUF_INIT;
	int ret = store_note(tenant, spec, tenant->name, spec->to, &note, &meta);

	if (!ret && local && !blocked) {
		ret = np_note_receive(local, tenant->name, spec);
		/* Only a sender that guessed somebody else's id meets this; its notification is
		 * lost. */
		if (ret == -EEXIST)
			ret = 0;
	} else if (!ret && !local && np_turn_send(tenant, &note, spec->is_latest ? spec->notifier : NULL,
					spec->depth)) {
		ret = np_turn_failed(tenant->srv, -ENOMEM, "out of memory", tenant->name);
	}
	np_buf_fini(&meta);
	return ret;
}

int np_note_send(struct np_tenant *tenant, struct np_note_spec *spec)
{
	char uuid[NP_UUID_SIZE];
	int ret;

	ret = np_turn_begin(tenant->srv);
	if (ret)
		return ret;
	if (!spec->id[0]) {
		if (np_rand_uuid4(uuid))
			return np_turn_failed(tenant->srv, -EIO, "no randomness", tenant->name);
		np_str_copy(spec->id, sizeof(spec->id), uuid);
	} else if (was_seen(tenant, spec->id, NP_NOTE_SENT, tenant->name).same) {
		return 0;
	}
	if (!spec->to || !strcmp(spec->to, tenant->name))
		return np_note_receive(tenant, tenant->name, spec);
	return send_away(tenant, spec);
}

int np_note_self(struct np_tenant *tenant, const char *key, const char *value, int64_t ttl_ms)
{
	struct np_note note = {.dir = NP_NOTE_SELF, .status = NP_NOTE_DELIVERED};
	struct np_buf text = NP_BUF_INIT;
	struct np_meta meta = {0};
	struct np_note_spec spec = {.to = tenant->name,
				    .key = key,
				    .value = value,
				    .meta = &meta,
				    .depth = 1,
				    .priority = "low",
				    .notifier = "SYSTEM",
				    .ttln_ms = ttl_ms ? ttl_ms : SELF_TTL_MS};
	int ret;

	ret = np_turn_begin(tenant->srv);
	if (ret)
		return ret;
	if (np_rand_uuid4(spec.id))
		return np_turn_failed(tenant->srv, -EIO, "no randomness", tenant->name);
	np_meta_put_num(&meta, NP_META_IS_ENCRYPTED, 0);
	ret = store_note(tenant, &spec, tenant->name, tenant->name, &note, &text);
	if (!ret && np_turn_deliver(tenant, &note))
		ret = np_turn_failed(tenant->srv, -ENOMEM, "out of memory", tenant->name);
	np_buf_fini(&text);
	return ret;
}

int np_note_auto(struct np_tenant *tenant, const char *key_text, const char *value,
		 const struct np_meta *meta, bool is_delete)
{
	struct np_meta none = {0};
	struct np_note_spec spec = {.key = key_text,
				    .value = value,
				    .meta = meta ? meta : &none,
				    .depth = 1,
				    .is_delete = is_delete,
				    .priority = "low",
				    .notifier = "SYSTEM"};
	struct np_key key;

	if (np_key_parse(key_text, NULL, &key, NULL) || key.type != NP_KEY_SHARED)
		return 0;
	spec.to = key.with;
	/* A record that says nothing is plain text; a notification that says nothing is ciphertext.
	 */
	if (!np_meta_has(spec.meta, NP_META_IS_ENCRYPTED)) {
		none = *spec.meta;
		np_meta_put_num(&none, NP_META_IS_ENCRYPTED, 0);
		spec.meta = &none;
	}
	return np_note_send(tenant, &spec);
}

static int put_text(struct np_json *json, const struct np_meta *meta, const char *name,
		    enum np_meta_id id)
{
	return np_json_set_str(json, name, np_meta_text(meta, id));
}

static int put_time(struct np_json *json, const char *name, int64_t ms)
{
	char text[32] = "null";

	if (ms > 0)
		np_clock_at_utc(ms, text, sizeof(text));
	return np_json_set_str(json, name, text);
}

/* The members of the live and of the replay form together: receivers need sharedKeyEnc in both
 * (12.2). */
static struct np_json *line_meta(const struct np_note *note, const struct np_meta *meta)
{
	int64_t ttl = np_meta_num(meta, NP_META_TTL, 0), ttb = np_meta_num(meta, NP_META_TTB, 0);
	struct np_json *json = np_json_obj();

	if (!json)
		return NULL;
	if (!put_text(json, meta, "encKeyName", NP_META_ENC_KEY_NAME) &&
	    !put_text(json, meta, "encAlgo", NP_META_ENC_ALGO) &&
	    !put_text(json, meta, "ivNonce", NP_META_IV_NONCE) &&
	    !put_text(json, meta, "skeEncKeyName", NP_META_SKE_ENC_KEY_NAME) &&
	    !put_text(json, meta, "skeEncAlgo", NP_META_SKE_ENC_ALGO) &&
	    !put_text(json, meta, "sharedKeyEnc", NP_META_SHARED_KEY_ENC) &&
	    !put_time(json, "availableAt", ttb ? note->epoch_ms + ttb : 0) &&
	    !put_time(json, "expiresAt", ttl ? note->epoch_ms + ttb + ttl : 0))
		return json;
	np_json_put(json);
	return NULL;
}

struct np_json *np_note_json(const struct np_note *note)
{
	struct np_json *json = np_json_obj(), *stored, *inner = NULL;
	struct np_meta meta;

	stored = np_json_parse(note->meta, strlen(note->meta), "notification", NULL);
	if (!json || !stored)
		goto fail;
	np_meta_from_json(&meta, stored);
	inner = line_meta(note, &meta);
	if (!inner || np_json_set_str(json, "id", note->id) ||
	    np_json_set_str(json, "from", note->from) || np_json_set_str(json, "to", note->to) ||
	    np_json_set_str(json, "key", note->key) ||
	    np_json_set_str(json, "value", note->value) ||
	    np_json_set_str(json, "operation", note->op) ||
	    np_json_set_int(json, "epochMillis", note->epoch_ms) ||
	    np_json_set_str(json, "messageType",
			    note->type[0] == 't' ? "MessageType.text" : "MessageType.key") ||
	    np_json_set_bool(json, "isEncrypted", np_meta_num(&meta, NP_META_IS_ENCRYPTED, 0)) ||
	    np_json_set(json, "metadata", np_json_ref(inner)))
		goto fail;
	np_json_put(inner);
	np_json_put(stored);
	return json;
fail:
	np_json_put(inner);
	np_json_put(stored);
	np_json_put(json);
	return NULL;
}

int np_note_line(const struct np_note *note, struct np_buf *buf)
{
	struct np_json *json = np_note_json(note);
	int ret = -ENOMEM;

	if (json && !np_buf_append_str(buf, "notification: ") && !np_json_write(json, buf) &&
	    !np_buf_append_str(buf, "\n"))
		ret = 0;
	np_json_put(json);
	return ret;
}
