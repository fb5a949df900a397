// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/enrol.h"

#include "atserver/internal.h"
#include "atserver/record.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL ".new.enrollments.__manage"

const char *const np_enrol_states[NP_ENROL_NR] = {"pending", "approved", "denied", "revoked"};

void np_enrol_key(struct np_tenant *tenant, const char *id, char *dst, size_t size)
{
	snprintf(dst, size, "%s" TAIL "%s", id, tenant->name);
}

void np_enrol_free(void *arg)
{
	struct np_enrol *enrol = arg;

	if (!enrol)
		return;
	np_json_put(enrol->json);
	free(enrol);
}

static struct np_enrol *parse(const char *value, size_t len, int64_t expires_at)
{
	struct np_enrol *enrol = calloc(1, sizeof(*enrol));
	const char *state;
	int i;

	if (!enrol)
		return NULL;
	enrol->json = np_json_parse(value, len, "enrolment", NULL);
	state = np_json_str(np_json_get(enrol->json, "approval"), "state");
	for (i = 0; i < NP_ENROL_NR; i++)
		if (state && !strcmp(state, np_enrol_states[i]))
			break;
	if (i == NP_ENROL_NR) {
		np_enrol_free(enrol);
		return NULL;
	}
	enrol->state = i;
	enrol->expires_at = expires_at;
	enrol->app = np_json_str(enrol->json, "appName");
	enrol->device = np_json_str(enrol->json, "deviceName");
	enrol->public_key = np_json_str(enrol->json, "apkamPublicKey");
	enrol->apkam_key = np_json_str(enrol->json, "encryptedAPKAMSymmetricKey");
	enrol->namespaces = np_json_get(enrol->json, "namespaces");
	return enrol;
}

static struct np_enrol *load(struct np_tenant *tenant, const char *id)
{
	char key[512];
	struct np_enrol *enrol;
	struct np_rec rec;

	np_enrol_key(tenant, id, key, sizeof(key));
	if (np_rec_get(tenant, key, &rec))
		return NULL;
	enrol = parse(rec.value, rec.value_len, rec.expires_at);
	np_rec_fini(&rec);
	if (enrol && np_map_put(&tenant->enrols, id, enrol, NULL)) {
		np_enrol_free(enrol);
		return NULL;
	}
	return enrol;
}

const struct np_enrol *np_enrol_get(struct np_tenant *tenant, const char *id)
{
	struct np_enrol *enrol;

	if (!np_str_is_charset(id, "-_") || strlen(id) > 64)
		return NULL;
	enrol = np_map_get(&tenant->enrols, id);
	if (!enrol)
		enrol = load(tenant, id);
	if (enrol && enrol->expires_at && enrol->expires_at <= np_clock_wall_ms()) {
		np_enrol_free(np_map_remove(&tenant->enrols, id));
		return NULL;
	}
	return enrol;
}

int np_enrol_put(struct np_tenant *tenant, const char *id, const struct np_json *value,
		 int64_t expires_at)
{
	struct np_buf text = NP_BUF_INIT;
	char key[512];
	int ret;

	np_enrol_key(tenant, id, key, sizeof(key));
	ret = np_json_write(value, &text);
	if (!ret)
		ret = np_rec_put_raw(tenant, key, np_buf_str(&text), expires_at);
	np_buf_fini(&text);
	np_enrol_free(np_map_remove(&tenant->enrols, id));
	return ret;
}

int np_enrol_del(struct np_tenant *tenant, const char *id)
{
	char key[512];

	np_enrol_key(tenant, id, key, sizeof(key));
	np_enrol_free(np_map_remove(&tenant->enrols, id));
	return np_rec_delete(tenant, key, NULL);
}

bool np_enrol_has(const struct np_enrol *enrol, const char *ns, bool write)
{
	const char *access = np_json_str(enrol->namespaces, ns);

	return access && (!strcmp(access, "rw") || (!write && !strcmp(access, "r")));
}

struct match {
	const char *name; /* ".<entity>" */
	const char *found;
	size_t dots;
};

/* The longest enrolled suffix wins, so that "a.b" is found before "b" whatever the order of the
 * record. */
static bool match_one(const char *ns, const struct np_json *value, void *arg)
{
	struct match *match = arg;
	size_t len = strlen(ns), have = strlen(match->name);

	(void)value;
	if (!len || !strcmp(ns, "*") || have < len + 1)
		return true;
	if (strcmp(match->name + have - len, ns) || match->name[have - len - 1] != '.')
		return true;
	if (!match->found || len > strlen(match->found))
		match->found = ns;
	return true;
}

bool np_enrol_match(const struct np_enrol *enrol, const char *name, bool write, bool *manage)
{
	struct match match = {.name = name};

	*manage = false;
	if (strchr(name, '.'))
		np_json_each(enrol->namespaces, match_one, &match);
	if (!match.found)
		match.found = "*";
	*manage = !strcmp(match.found, "__manage");
	return np_enrol_has(enrol, match.found, write);
}

struct each {
	struct np_tenant *tenant;
	bool (*fn)(const char *id, const struct np_enrol *enrol, void *arg);
	void *arg;
};

static bool each_record(const char *key, const struct np_record *rec, void *arg)
{
	struct each *each = arg;
	const char *tail = strstr(key, TAIL "@");
	struct np_enrol *enrol;
	char id[128];
	bool go_on = true;

	if (!tail || np_str_copy_n(id, sizeof(id), key, (size_t)(tail - key)) ||
	    (rec->expires_at && rec->expires_at <= np_clock_wall_ms()))
		return true;
	enrol = parse(rec->value, rec->value_len, rec->expires_at);
	if (enrol)
		go_on = each->fn(id, enrol, each->arg);
	np_enrol_free(enrol);
	return go_on;
}

void np_enrol_each(struct np_tenant *tenant,
		   bool (*fn)(const char *id, const struct np_enrol *enrol, void *arg), void *arg)
{
	struct each each = {.tenant = tenant, .fn = fn, .arg = arg};
	struct np_store *store = tenant->srv->store;

	store->ops->scan(store, tenant->name, "", each_record, &each);
}
