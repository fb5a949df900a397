// SPDX-License-Identifier: BSD-3-Clause
/*
 * IDLE -> (the day is over) -> one atSign after the other: its stale keys are listed, then fetched a
 * few at a time -> IDLE. A copy that cannot be fetched now stays; it is stale and not served.
 */
#include "atserver/refresh.h"

#include "atserver/fetch.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/outbound.h"
#include "atserver/record.h"
#include "atserver/tenant.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000
#define RUNNING_MAX 8
#define LOCAL_PER_TICK 500

struct stale {
	STAILQ_ENTRY(stale) next;
	struct np_refresh *refresh;
	struct np_tenant *tenant;
	char key[]; /* "cached:..." */
};

STAILQ_HEAD(stale_list, stale);

struct np_refresh {
	struct np_atserver *srv;
	long long next_ms; /* monotonic */
	struct np_tenant **tenants;
	size_t nr_tenants, at;
	struct stale_list waiting, running;
	unsigned int nr_running;
	int64_t now; /* wall clock when the round began */
	struct np_tenant *listing;
};

static void finish(struct stale *item)
{
	STAILQ_REMOVE(&item->refresh->running, item, stale, next);
	item->refresh->nr_running--;
	free(item);
}

static void on_answer(char *line, const struct np_err *err, void *arg)
{
	struct stale *item = arg;
	struct np_json *json = NULL;
	bool gone = false;

	(void)err;
	if (line)
		json = np_fetch_parse(line, &gone, NULL);
	if (json ? !np_fetch_keep(item->tenant, item->key, json) : gone)
		np_rec_delete(item->tenant, item->key, NULL);
	np_json_put(json);
	finish(item);
}

/* Return: true when the owner is hosted here, and the copy is fresh or gone. */
static bool refresh_local(struct stale *item, const struct np_key *key)
{
	struct np_tenant *owner = np_tenant_find(item->tenant->srv, key->owner);
	const char *plain = item->key + strlen("cached:");
	struct np_rec rec;
	int ret;

	if (!owner)
		return false;
	ret = np_rec_get(owner, plain, &rec);
	if (!ret && np_rec_is_visible(&rec) && np_meta_num(&rec.meta, NP_META_TTR, 0)) {
		np_meta_put_text(&rec.meta, NP_META_CREATED_BY, owner->name);
		np_meta_put_text(&rec.meta, NP_META_UPDATED_BY, owner->name);
		np_rec_cache(item->tenant, item->key, rec.value, &rec.meta);
	} else if (!ret || ret == -ENOENT) {
		np_rec_delete(item->tenant, item->key, NULL);
	}
	if (!ret)
		np_rec_fini(&rec);
	return true;
}

static void start(struct stale *item)
{
	char command[NP_KEY_MAX + NP_ATSIGN_MAX + 16];
	struct np_request req = {.as = item->tenant,
				 .command = command,
				 .timeout_ms = NP_OUTBOUND_LOOKUP_MS,
				 .cb = on_answer,
				 .arg = item};
	struct np_key key;

	if (np_key_parse(item->key, NULL, &key, NULL) || item->tenant->gone ||
	    refresh_local(item, &key)) {
		finish(item);
		return;
	}
	req.remote = key.owner;
	req.pol = key.type == NP_KEY_CACHED_SHARED;
	snprintf(command, sizeof(command), "lookup:all:%s%s", key.name, key.owner);
	if (np_outbound_send(item->refresh->srv->outbound, &req))
		finish(item);
}

static bool list_stale(const char *key, const struct np_record *rec, void *arg)
{
	struct np_refresh *refresh = arg;
	size_t len = strlen(key) + 1;
	struct stale *item;

	if (rec->refresh_at <= 0 || rec->refresh_at > refresh->now)
		return true;
	item = malloc(sizeof(*item) + len);
	if (!item)
		return false;
	item->refresh = refresh;
	item->tenant = refresh->listing;
	memcpy(item->key, key, len);
	STAILQ_INSERT_TAIL(&refresh->waiting, item, next);
	return true;
}

static bool take_tenant(const char *name, void *value, void *arg)
{
	struct np_refresh *refresh = arg;

	(void)name;
	refresh->tenants[refresh->nr_tenants++] = value;
	return true;
}

static void begin_round(struct np_refresh *refresh)
{
	struct np_map *all = &refresh->srv->tenants;

	refresh->next_ms += DAY_MS;
	refresh->now = np_clock_wall_ms();
	refresh->at = refresh->nr_tenants = 0;
	refresh->tenants = calloc(all->nr ? all->nr : 1, sizeof(struct np_tenant *));
	if (refresh->tenants)
		np_map_each(all, take_tenant, refresh);
}

static void end_round(struct np_refresh *refresh)
{
	free(refresh->tenants);
	refresh->tenants = NULL;
}

/* Lists the next atSigns until some key is stale. A tick looks at a bounded number of them. */
static void find_work(struct np_refresh *refresh)
{
	struct np_store *store = refresh->srv->store;
	unsigned int nr = 0;

	while (STAILQ_EMPTY(&refresh->waiting) && nr++ < LOCAL_PER_TICK) {
		if (refresh->at == refresh->nr_tenants) {
			end_round(refresh);
			return;
		}
		refresh->listing = refresh->tenants[refresh->at++];
		if (!refresh->listing->gone)
			store->ops->scan(store, refresh->listing->name, "cached:", list_stale,
					 refresh);
	}
}

void np_refresh_tick(struct np_refresh *refresh)
{
	struct stale *item;
	unsigned int nr = 0;

	if (!refresh->tenants && np_clock_mono_ms() >= refresh->next_ms)
		begin_round(refresh);
	if (refresh->tenants)
		find_work(refresh);
	while (refresh->nr_running < RUNNING_MAX && nr++ < LOCAL_PER_TICK &&
	       (item = STAILQ_FIRST(&refresh->waiting))) {
		STAILQ_REMOVE_HEAD(&refresh->waiting, next);
		STAILQ_INSERT_TAIL(&refresh->running, item, next);
		refresh->nr_running++;
		start(item);
	}
}

int np_refresh_open(struct np_atserver *srv, struct np_refresh **out)
{
	struct np_refresh *refresh = calloc(1, sizeof(*refresh));
	uint32_t random = 0;

	if (!refresh)
		return -ENOMEM;
	refresh->srv = srv;
	STAILQ_INIT(&refresh->waiting);
	STAILQ_INIT(&refresh->running);
	if (np_rand_bytes(&random, sizeof(random)))
		random = 0;
	refresh->next_ms = np_clock_mono_ms() +
			   (srv->conf.refresh_after_ms ? (long long)srv->conf.refresh_after_ms
						       : random % DAY_MS);
	*out = refresh;
	return 0;
}

static void drop_all(struct stale_list *list)
{
	struct stale *item;

	while ((item = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, next);
		np_outbound_cancel(item->refresh->srv->outbound, item);
		free(item);
	}
}

void np_refresh_close(struct np_refresh *refresh)
{
	if (!refresh)
		return;
	drop_all(&refresh->running);
	drop_all(&refresh->waiting);
	free(refresh->tenants);
	free(refresh);
}
