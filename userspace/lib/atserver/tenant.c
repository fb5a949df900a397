// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/tenant.h"

#include "atserver/block.h"
#include "atserver/enrol.h"
#include "atserver/internal.h"
#include "atserver/realm.h"
#include "atserver/record.h"
#include "atserver/session.h"
#include "atserver/signing.h"
#include "atserver/turn.h"
#include "atserver/visits.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/rsa.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct np_tenant *new_tenant(struct np_atserver *srv, const char *name)
{
	struct np_tenant *tenant = calloc(1, sizeof(*tenant));

	if (!tenant)
		return NULL;
	tenant->srv = srv;
	snprintf(tenant->name, sizeof(tenant->name), "%s", name);
	tenant->last_commit = -2;
	TAILQ_INIT(&tenant->monitors);
	if (np_map_put(&srv->tenants, name, tenant, NULL)) {
		free(tenant);
		return NULL;
	}
	return tenant;
}

static bool list_one(const struct np_dir_entry *entry, void *arg)
{
	struct np_atserver *srv = arg;
	struct np_tenant *tenant = np_map_get(&srv->tenants, entry->atsign);

	if (!tenant)
		tenant = new_tenant(srv, entry->atsign);
	if (!tenant)
		return false;
	tenant->listed = true;
	return true;
}

static bool unmark(const char *key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	((struct np_tenant *)value)->listed = false;
	return true;
}

static bool settle(const char *key, void *value, void *arg)
{
	struct np_tenant *tenant = value;
	struct np_atserver *srv = arg;

	if (tenant->gone != !tenant->listed)
		np_info("tenant: %s atsign=%s", tenant->listed ? "back" : "removed", key);
	tenant->gone = !tenant->listed;
	if (tenant->gone)
		return true;
	srv->only = srv->nr_tenants++ ? NULL : tenant;
	return true;
}

static void drop_removed(struct np_atserver *srv)
{
	struct np_session *s;
	int i;

	for (i = 0; i < NP_IDLE_NR; i++)
		TAILQ_FOREACH(s, &srv->idle[i], idle)
	if (s->tenant && s->tenant->gone)
		np_session_kill(s);
}

int np_tenants_reload(struct np_atserver *srv)
{
	int64_t generation = 0;
	int ret;

	ret = srv->store->ops->dir_generation(srv->store, &generation);
	if (ret || generation == srv->generation)
		return ret;
	np_map_each(&srv->tenants, unmark, NULL);
	ret = srv->store->ops->dir_list(srv->store, true, list_one, srv);
	if (ret)
		return ret;
	srv->generation = generation;
	srv->nr_tenants = 0;
	srv->only = NULL;
	np_map_each(&srv->tenants, settle, srv);
	drop_removed(srv);
	return 0;
}

struct np_tenant *np_tenant_find(struct np_atserver *srv, const char *atsign)
{
	struct np_tenant *tenant = np_map_get(&srv->tenants, atsign);

	if (!tenant || tenant->gone) {
		np_tenants_reload(srv);
		tenant = np_map_get(&srv->tenants, atsign);
	}
	return tenant && !tenant->gone ? tenant : NULL;
}

struct np_tenant *np_tenant_named(struct np_session *s)
{
	np_tenants_reload(s->srv);
	if (s->tenant && !s->tenant->gone)
		return s->tenant;
	return s->srv->only;
}

static bool forget_one(const char *key, void *value, void *arg)
{
	struct np_tenant *tenant = value;

	(void)key;
	(void)arg;
	tenant->last_commit = -2;
	tenant->signing_known = false;
	np_rsa_free(tenant->signing);
	tenant->signing = NULL;
	np_map_fini(&tenant->enrols, np_enrol_free);
	np_block_forget(tenant);
	tenant->usage_known = false;
	return true;
}

void np_tenants_forget(struct np_atserver *srv)
{
	np_map_each(&srv->tenants, forget_one, NULL);
}

static void free_tenant(void *arg)
{
	struct np_tenant *tenant = arg;

	np_visits_free(tenant->visits);
	free(tenant);
}

void np_tenants_fini(struct np_atserver *srv)
{
	np_tenants_forget(srv);
	np_map_fini(&srv->tenants, free_tenant);
}

static int secret_from_file(struct np_tenant *tenant, struct np_secret *out)
{
	const char *dir = tenant->srv->conf.secrets_dir;
	struct np_err err = NP_ERR_INIT;
	int ret;

	ret = dir ? np_realm_read_secret(dir, tenant->name, out, &err) : -ENOENT;
	if (ret && ret != -ENOENT)
		np_warn_err(&err, "tenant: CRAM secret unusable atsign=%s", tenant->name);
	return ret ? -ENOENT : 0;
}

int np_tenant_secret(struct np_tenant *tenant, struct np_secret *out)
{
	struct np_rec rec;
	int ret;

	if (!np_rec_get(tenant, "privatekey:at_secret", &rec)) {
		ret = np_secret_set(out, rec.value, rec.value_len);
		np_rec_fini(&rec);
		return ret;
	}
	/* Only a mark that is surely absent lets the file be used again. */
	ret = np_rec_get(tenant, "privatekey:at_secret_deleted", &rec);
	if (!ret)
		np_rec_fini(&rec);
	return ret == -ENOENT ? secret_from_file(tenant, out) : -ENOENT;
}

int np_tenant_need_signing(struct np_tenant *tenant)
{
	struct np_atserver *srv = tenant->srv;
	struct np_err err = NP_ERR_INIT;
	int ret;

	if (tenant->signing_known)
		return 0;
	np_turn_read(srv);
	if (!np_signing_exists(srv->store, tenant->name)) {
		ret = np_turn_begin(srv);
		if (ret)
			return ret;
		ret = np_signing_create(srv->store, tenant->name, &err);
		if (ret)
			return np_turn_failed(srv, ret, np_err_text(&err), tenant->name);
		tenant->last_commit = -2;
		np_info("tenant: signing key made atsign=%s", tenant->name);
	}
	tenant->signing_known = true;
	return 0;
}

const struct np_rsa *np_tenant_signing(struct np_tenant *tenant)
{
	struct np_err err = NP_ERR_INIT;
	char key[2 * NP_ATSIGN_MAX + 32];
	struct np_rec rec;

	if (tenant->signing)
		return tenant->signing;
	if (np_tenant_need_signing(tenant))
		return NULL;
	snprintf(key, sizeof(key), "%s:signing_privatekey%s", tenant->name, tenant->name);
	if (np_rec_get(tenant, key, &rec))
		return NULL;
	if (np_rsa_load_private(rec.value, rec.value_len, &tenant->signing, &err))
		np_warn_err(&err, "tenant: signing key unusable atsign=%s", tenant->name);
	np_rec_fini(&rec);
	return tenant->signing;
}

int64_t np_tenant_last_commit(struct np_tenant *tenant)
{
	struct np_store *store = tenant->srv->store;

	if (tenant->last_commit == -2 &&
	    store->ops->log_last(store, tenant->name, &tenant->last_commit))
		return -1;
	return tenant->last_commit;
}
