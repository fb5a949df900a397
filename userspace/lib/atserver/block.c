// SPDX-License-Identifier: BSD-3-Clause
/* The list is the record private:blocklist@alice, {"blockList":["@x"]}; the map is a cache of it. */
#include "atserver/block.h"

#include "atserver/internal.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "base/buf.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX 1000

static void key_of(const struct np_tenant *tenant, char *dst, size_t size)
{
	snprintf(dst, size, "private:blocklist%s", tenant->name);
}

static void load(struct np_tenant *tenant)
{
	char key[NP_ATSIGN_MAX + 32];
	const struct np_json *list;
	struct np_json *json;
	struct np_rec rec;
	size_t i;
	int ret;

	key_of(tenant, key, sizeof(key));
	ret = np_rec_get(tenant, key, &rec);
	tenant->blocked_known = !ret || ret == -ENOENT;
	if (ret)
		return;
	json = np_json_parse(rec.value, rec.value_len, "block list", NULL);
	list = np_json_get(json, "blockList");
	for (i = 0; i < np_json_len(list); i++) {
		const char *name = np_json_str_value(np_json_at(list, i));

		if (name && np_map_put(&tenant->blocked, name, tenant, NULL))
			tenant->blocked_known = false;
	}
	np_json_put(json);
	np_rec_fini(&rec);
}

bool np_block_has(struct np_tenant *tenant, const char *atsign)
{
	if (!tenant->blocked_known)
		load(tenant);
	return np_map_get(&tenant->blocked, atsign) != NULL;
}

bool np_block_refuses(struct np_session *s, struct np_tenant *tenant)
{
	if (s->auth != NP_AUTH_POL || !tenant || !np_block_has(tenant, s->peer))
		return false;
	np_respond_error(s, "AT0013", "Unable to connect");
	return true;
}

static bool list_one(const char *name, void *value, void *arg)
{
	(void)value;
	return !np_json_add_str(arg, name);
}

struct np_json *np_block_list(struct np_tenant *tenant)
{
	struct np_json *list = np_json_arr();

	if (!tenant->blocked_known)
		load(tenant);
	if (list)
		np_map_each(&tenant->blocked, list_one, list);
	return list;
}

static int save(struct np_tenant *tenant)
{
	struct np_json *json = np_json_obj(), *list = np_block_list(tenant);
	struct np_buf text = NP_BUF_INIT;
	char key[NP_ATSIGN_MAX + 32];
	int ret = -ENOMEM;

	key_of(tenant, key, sizeof(key));
	if (json && list && !np_json_set(json, "blockList", np_json_ref(list)) &&
	    !np_json_write(json, &text))
		ret = np_rec_put_raw(tenant, key, np_buf_str(&text), 0);
	np_buf_fini(&text);
	np_json_put(list);
	np_json_put(json);
	return ret;
}

int np_block_change(struct np_tenant *tenant, const char *atsign, bool add)
{
	if (np_block_has(tenant, atsign) == add)
		return 0;
	if (add && tenant->blocked.nr >= NAMES_MAX)
		return -ENOSPC;
	if (!add)
		np_map_remove(&tenant->blocked, atsign);
	else if (np_map_put(&tenant->blocked, atsign, tenant, NULL))
		return -ENOMEM;
	return save(tenant);
}

void np_block_forget(struct np_tenant *tenant)
{
	np_map_fini(&tenant->blocked, NULL);
	tenant->blocked_known = false;
}
