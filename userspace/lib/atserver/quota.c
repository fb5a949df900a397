// SPDX-License-Identifier: BSD-3-Clause
/*
 * Keys and bytes are read from the store once and then kept in step with what this server writes.
 * Notifications are counted by a bucket that holds a minute's worth and fills steadily.
 */
#include "atserver/quota.h"

#include "atserver/internal.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>

#define MINUTE_MS 60000

static bool counts(const struct np_tenant *tenant)
{
	return tenant->srv->conf.quota_keys || tenant->srv->conf.quota_bytes;
}

static bool load(struct np_tenant *tenant)
{
	struct np_store *store = tenant->srv->store;
	struct np_store_usage usage;

	if (tenant->usage_known)
		return true;
	if (store->ops->usage(store, tenant->name, &usage))
		return false;
	tenant->nr_keys = usage.nr_keys;
	tenant->nr_bytes = usage.nr_bytes;
	tenant->usage_known = true;
	return true;
}

static bool measure(const char *key, const struct np_record *rec, void *arg)
{
	*(int64_t *)arg = (int64_t)(strlen(key) + rec->value_len + strlen(rec->meta));
	return false;
}

int64_t np_quota_size(struct np_tenant *tenant, const char *key)
{
	struct np_store *store = tenant->srv->store;
	int64_t size = -1;

	if (counts(tenant))
		store->ops->get(store, tenant->name, key, measure, &size);
	return size;
}

void np_quota_moved(struct np_tenant *tenant, int64_t before, int64_t after)
{
	if (!tenant->usage_known)
		return;
	tenant->nr_keys += (after >= 0) - (before >= 0);
	tenant->nr_bytes += (after > 0 ? after : 0) - (before > 0 ? before : 0);
}

int np_quota_allows(struct np_tenant *tenant, const char *key, size_t value_len,
		    struct np_err *err)
{
	const struct np_atserver_conf *conf = &tenant->srv->conf;
	int64_t before, after = (int64_t)(strlen(key) + value_len);

	if (!counts(tenant) || !load(tenant))
		return 0;
	before = np_quota_size(tenant, key);
	if (before < 0 && conf->quota_keys && tenant->nr_keys >= (int64_t)conf->quota_keys)
		return np_fail(err, -EDQUOT, "quota: %s has %lld keys, no more are possible here",
			       tenant->name, (long long)tenant->nr_keys);
	if (before < 0)
		before = 0;
	if (conf->quota_bytes && after > before &&
	    tenant->nr_bytes - before + after > (int64_t)conf->quota_bytes)
		return np_fail(err, -EDQUOT, "quota: %s may store %llu bytes here and has %lld",
			       tenant->name, (unsigned long long)conf->quota_bytes,
			       (long long)tenant->nr_bytes);
	return 0;
}

int np_quota_take_note(struct np_tenant *tenant, struct np_err *err)
{
	uint64_t max = tenant->srv->conf.quota_notes, add;
	long long now = np_clock_mono_ms();

	if (!max)
		return 0;
	if (!tenant->notes_at_ms || now - tenant->notes_at_ms >= MINUTE_MS) {
		tenant->notes_left = max;
		tenant->notes_at_ms = now;
	}
	add = (uint64_t)(now - tenant->notes_at_ms) * max / MINUTE_MS;
	if (add) {
		tenant->notes_left = tenant->notes_left + add < max ? tenant->notes_left + add : max;
		tenant->notes_at_ms = now;
	}
	if (!tenant->notes_left)
		return np_fail(err, -EDQUOT, "quota: %s has used up its %llu notifications a minute",
			       tenant->name, (unsigned long long)max);
	tenant->notes_left--;
	return 0;
}

bool np_quota_has_connection(const struct np_tenant *tenant)
{
	uint64_t max = tenant->srv->conf.quota_connections;

	return !max || tenant->nr_owners < max;
}
