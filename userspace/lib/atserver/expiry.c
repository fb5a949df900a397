// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/expiry.h"

#include "atserver/internal.h"
#include "atserver/quota.h"
#include "atserver/record.h"
#include "atserver/tenant.h"
#include "atserver/turn.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

#define PER_TICK 500
#define NOTE_TICKS 60
#define PAUSE_TICKS 60

struct gone {
	STAILQ_ENTRY(gone) next;
	struct np_tenant *tenant;
	char key[];
};

STAILQ_HEAD(gone_list, gone);

struct collect {
	struct np_atserver *srv;
	struct gone_list list;
};

static bool collect_one(const char *atsign, const char *key, void *arg)
{
	struct collect *collect = arg;
	struct np_tenant *tenant = np_map_get(&collect->srv->tenants, atsign);
	size_t len = strlen(key) + 1;
	struct gone *gone;

	if (!tenant)
		return true;
	gone = malloc(sizeof(*gone) + len);
	if (!gone)
		return false;
	np_quota_moved(tenant, np_quota_size(tenant, key), -1);
	gone->tenant = tenant;
	memcpy(gone->key, key, len);
	STAILQ_INSERT_TAIL(&collect->list, gone, next);
	return true;
}

static void expire_records(struct np_atserver *srv)
{
	struct collect collect = {.srv = srv};
	struct np_err err = NP_ERR_INIT;
	struct gone *gone;
	int ret;

	STAILQ_INIT(&collect.list);
	ret = srv->store->ops->expire(srv->store, np_clock_wall_ms(), PER_TICK, collect_one,
				      &collect, &err);
	if (ret < 0)
		np_turn_failed(srv, ret, np_err_text(&err), NULL);
	while ((gone = STAILQ_FIRST(&collect.list))) {
		STAILQ_REMOVE_HEAD(&collect.list, next);
		if (!srv->turn.failed)
			np_rec_log(gone->tenant, gone->key, '-', NULL);
		free(gone);
	}
}

void np_expiry_tick(struct np_atserver *srv)
{
	struct np_err err = NP_ERR_INIT;
	int ret;

	if (srv->nr_ticks < srv->expiry_at)
		return;
	/* A store that refuses changes refuses these too; what expired is hidden anyway. */
	if (np_turn_begin(srv)) {
		srv->expiry_at = srv->nr_ticks + PAUSE_TICKS;
		return;
	}
	expire_records(srv);
	if (srv->nr_ticks % NOTE_TICKS || srv->turn.failed)
		return;
	ret = srv->store->ops->note_expire(srv->store, np_clock_wall_ms(), &err);
	if (ret < 0)
		np_turn_failed(srv, ret, np_err_text(&err), NULL);
}
