// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/pubkey.h"

#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/record.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

/* Renaming forces clients to make a new key, and keeps the old one for old values. */
static int retire_shared_key(struct np_tenant *tenant, const char *remote)
{
	char from[NP_KEY_MAX], to[NP_KEY_MAX];
	struct np_rec rec;
	int ret;

	snprintf(from, sizeof(from), "shared_key.%s%s", np_atsign_bare(remote), tenant->name);
	snprintf(to, sizeof(to), "shared_key.%s.until.%lld%s", np_atsign_bare(remote),
		 np_clock_wall_ms(), tenant->name);
	if (np_rec_get(tenant, from, &rec))
		return 0;
	ret = np_rec_update(tenant, to, rec.value, &rec.meta, '*', NULL);
	if (!ret)
		ret = np_rec_delete(tenant, from, NULL);
	np_rec_fini(&rec);
	np_info("tenant: shared key retired atsign=%s peer=%s", tenant->name, remote);
	return ret;
}

void np_pubkey_refreshed(struct np_tenant *tenant, const char *remote, const char *line)
{
	struct np_json *json;
	struct np_rec old;
	struct np_meta meta;
	const char *value;
	char key[NP_KEY_MAX];
	bool known;

	if (!np_str_starts(line, "data:{"))
		return;
	json = np_json_parse(line + 5, strlen(line + 5), "answer of another server", NULL);
	value = np_json_str(json, "data");
	if (!value || !*value)
		goto out;
	snprintf(key, sizeof(key), "cached:public:publickey%s", remote);
	known = np_rec_get(tenant, key, &old) == 0;
	if (known && !strcmp(old.value, value)) {
		np_rec_fini(&old);
		goto out;
	}
	if (known) {
		np_rec_fini(&old);
		retire_shared_key(tenant, remote);
	}
	np_meta_from_json(&meta, np_json_get(json, "metaData"));
	np_meta_put_num(&meta, NP_META_TTR, -1);
	meta.state[NP_META_TTL] = NP_META_ABSENT;
	meta.state[NP_META_TTB] = NP_META_ABSENT;
	np_rec_cache(tenant, key, value, &meta);
out:
	np_json_put(json);
}

struct change {
	struct np_tenant *owner;
	int ret;
};

static bool retire_one(const char *name, void *value, void *arg)
{
	struct change *change = arg;
	struct np_tenant *tenant = value;

	(void)name;
	if (tenant != change->owner && !tenant->gone)
		change->ret = retire_shared_key(tenant, change->owner->name);
	return !change->ret;
}

int np_pubkey_changed(struct np_tenant *owner)
{
	struct change change = {.owner = owner};

	np_map_each(&owner->srv->tenants, retire_one, &change);
	return change.ret;
}
