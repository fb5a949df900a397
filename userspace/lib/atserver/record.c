// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/record.h"

#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/quota.h"
#include "atserver/turn.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "json/json.h"
#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct read_ctx {
	struct np_rec *out;
	int ret;
};

int np_rec_copy(const struct np_record *rec, struct np_rec *out)
{
	memset(out, 0, sizeof(*out));
	out->value = malloc(rec->value_len + 1);
	out->json = np_json_parse(rec->meta, strlen(rec->meta), "stored metadata", NULL);
	if (!out->value || !out->json) {
		np_rec_fini(out);
		return -ENOMEM;
	}
	if (rec->value_len)
		memcpy(out->value, rec->value, rec->value_len);
	out->value[rec->value_len] = '\0';
	out->value_len = rec->value_len;
	np_meta_from_json(&out->meta, out->json);
	out->created_at = rec->created_at;
	out->updated_at = rec->updated_at;
	out->available_at = rec->available_at;
	out->expires_at = rec->expires_at;
	out->refresh_at = rec->refresh_at;
	out->version = rec->version;
	return 0;
}

static bool copy_record(const char *key, const struct np_record *rec, void *arg)
{
	struct read_ctx *ctx = arg;

	(void)key;
	ctx->ret = np_rec_copy(rec, ctx->out);
	return false;
}

int np_rec_get(struct np_tenant *tenant, const char *key, struct np_rec *out)
{
	struct np_store *store = tenant->srv->store;
	struct read_ctx ctx = {.out = out};
	int ret;

	memset(out, 0, sizeof(*out));
	np_turn_read(tenant->srv);
	ret = store->ops->get(store, tenant->name, key, copy_record, &ctx);
	if (!ret)
		ret = ctx.ret;
	if (ret)
		np_rec_fini(out);
	return ret;
}

void np_rec_fini(struct np_rec *rec)
{
	if (rec->value && rec->value_len)
		np_wipe(rec->value, rec->value_len);
	free(rec->value);
	np_json_put(rec->json);
	memset(rec, 0, sizeof(*rec));
}

static bool seen(const char *key, const struct np_record *rec, void *arg)
{
	(void)key;
	(void)rec;
	*(bool *)arg = true;
	return false;
}

bool np_rec_exists(struct np_tenant *tenant, const char *key)
{
	struct np_store *store = tenant->srv->store;
	bool yes = false;

	np_turn_read(tenant->srv);
	store->ops->get(store, tenant->name, key, seen, &yes);
	return yes;
}

bool np_rec_is_visible(const struct np_rec *rec)
{
	int64_t now = np_clock_wall_ms();

	return rec->available_at <= now && (!rec->expires_at || rec->expires_at > now);
}

bool np_rec_is_fresh(const struct np_rec *rec)
{
	if (!np_rec_is_visible(rec))
		return false;
	return rec->refresh_at == -1 || (rec->refresh_at && np_clock_wall_ms() <= rec->refresh_at);
}

int np_rec_log(struct np_tenant *tenant, const char *key, char op, int64_t *commit_id)
{
	struct np_store *store = tenant->srv->store;
	struct np_err err = NP_ERR_INIT;
	int64_t id = -1;
	int ret;

	if (np_key_is_logged(key)) {
		ret = store->ops->log_append(store, tenant->name, key, op, &id, &err);
		if (ret)
			return np_turn_failed(tenant->srv, ret, np_err_text(&err), tenant->name);
		np_turn_log_grew(tenant, id);
	}
	if (commit_id)
		*commit_id = id;
	return 0;
}

/* Writes @rec with @meta as its metadata. */
static int put(struct np_tenant *tenant, const char *key, struct np_record *rec,
	       const struct np_meta *meta)
{
	struct np_store *store = tenant->srv->store;
	struct np_json *json = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	struct np_err err = NP_ERR_INIT;
	int64_t before = np_quota_size(tenant, key);
	int ret = -ENOMEM;

	if (!json || np_meta_to_json(meta, json) || np_json_write(json, &text)) {
		np_fail(&err, ret, "out of memory");
		goto out;
	}
	rec->meta = np_buf_str(&text);
	ret = store->ops->put(store, tenant->name, key, rec, &err);
	if (!ret)
		np_quota_moved(tenant, before, (int64_t)(strlen(key) + rec->value_len + text.len));
out:
	np_buf_fini(&text);
	np_json_put(json);
	return ret ? np_turn_failed(tenant->srv, ret, np_err_text(&err), tenant->name) : 0;
}

/* ttl counts from birth; a stored ttl goes on with every update, a stored ttb does not hide the
 * value again. */
static void set_times(struct np_record *rec, const struct np_meta *meta, bool reborn)
{
	int64_t ttl = np_meta_num(meta, NP_META_TTL, 0), ttb = np_meta_num(meta, NP_META_TTB, 0);
	int64_t ttr = np_meta_num(meta, NP_META_TTR, 0);

	if (reborn)
		rec->available_at = ttb ? rec->updated_at + ttb : 0;
	rec->expires_at = ttl ? rec->updated_at + ttl + (reborn ? ttb : 0) : 0;
	rec->refresh_at = ttr > 0 ? rec->updated_at + ttr * 1000 : ttr;
}

int np_rec_update(struct np_tenant *tenant, const char *key, const char *value,
		  const struct np_meta *patch, char op, int64_t *commit_id)
{
	int64_t now = np_clock_wall_ms();
	struct np_record rec = {.value = "", .created_at = now, .updated_at = now};
	struct np_meta meta = {0};
	struct np_rec old;
	int ret;

	ret = np_turn_begin(tenant->srv);
	if (ret)
		return ret;
	ret = np_rec_get(tenant, key, &old);
	if (ret && ret != -ENOENT)
		return np_turn_failed(tenant->srv, ret, "cannot read a record", tenant->name);
	if (!ret && (!old.expires_at || old.expires_at > now)) {
		meta = old.meta;
		rec.value = old.value;
		rec.value_len = old.value_len;
		rec.created_at = old.created_at;
		rec.available_at = old.available_at;
		rec.version = old.version + 1;
	}
	if (value) {
		rec.value = value;
		rec.value_len = strlen(value);
	}
	if (patch)
		np_meta_merge(&meta, patch);
	if (np_meta_num(&meta, NP_META_TTR, 0) && !np_meta_has(&meta, NP_META_CCD))
		np_meta_put_num(&meta, NP_META_CCD, 0);
	set_times(&rec, &meta, patch && patch->state[NP_META_TTB] != NP_META_ABSENT);
	ret = put(tenant, key, &rec, &meta);
	np_rec_fini(&old);
	return ret ? ret : np_rec_log(tenant, key, op, commit_id);
}

int np_rec_cache(struct np_tenant *tenant, const char *key, const char *value,
		 const struct np_meta *meta)
{
	int64_t now = np_clock_wall_ms();
	struct np_record rec = {
		.value = value, .value_len = strlen(value), .created_at = now, .updated_at = now};
	int ret = np_turn_begin(tenant->srv);

	if (ret)
		return ret;
	set_times(&rec, meta, true);
	ret = put(tenant, key, &rec, meta);
	return ret ? ret : np_rec_log(tenant, key, '*', NULL);
}

int np_rec_put_raw(struct np_tenant *tenant, const char *key, const char *value, int64_t expires_at)
{
	int64_t now = np_clock_wall_ms();
	struct np_record rec = {.value = value,
				.value_len = strlen(value),
				.created_at = now,
				.updated_at = now,
				.expires_at = expires_at};
	struct np_meta none = {0};
	int ret = np_turn_begin(tenant->srv);

	return ret ? ret : put(tenant, key, &rec, &none);
}

int np_rec_delete(struct np_tenant *tenant, const char *key, int64_t *commit_id)
{
	struct np_store *store = tenant->srv->store;
	struct np_err err = NP_ERR_INIT;
	int64_t before;
	int ret;

	ret = np_turn_begin(tenant->srv);
	if (ret)
		return ret;
	before = np_quota_size(tenant, key);
	ret = store->ops->del(store, tenant->name, key, &err);
	if (ret && ret != -ENOENT)
		return np_turn_failed(tenant->srv, ret, np_err_text(&err), tenant->name);
	if (!ret)
		np_quota_moved(tenant, before, -1);
	return np_rec_log(tenant, key, '-', commit_id);
}

static int put_time(struct np_json *json, const char *name, int64_t ms)
{
	char text[32];

	if (ms <= 0)
		return 0;
	np_clock_at_utc(ms, text, sizeof(text));
	return np_json_set_str(json, name, text);
}

struct np_json *np_rec_meta_json(struct np_tenant *tenant, const struct np_rec *rec)
{
	struct np_json *json = np_json_obj();
	const char *by = np_meta_text(&rec->meta, NP_META_CREATED_BY);
	const char *updated_by = np_meta_text(&rec->meta, NP_META_UPDATED_BY);

	if (!json)
		return NULL;
	if (np_json_set_str(json, "createdBy", by ? by : tenant->name) ||
	    np_json_set_str(json, "updatedBy", updated_by ? updated_by : tenant->name) ||
	    put_time(json, "createdAt", rec->created_at) ||
	    put_time(json, "updatedAt", rec->updated_at) ||
	    put_time(json, "expiresAt", rec->expires_at) ||
	    put_time(json, "refreshAt", rec->refresh_at) ||
	    put_time(json, "availableAt", rec->available_at) ||
	    np_json_set_str(json, "status", "active") ||
	    np_json_set_int(json, "version", rec->version) || np_meta_to_json(&rec->meta, json)) {
		np_json_put(json);
		return NULL;
	}
	return json;
}
