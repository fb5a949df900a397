// SPDX-License-Identifier: BSD-3-Clause
/* npctl realm list: who is in a realm, and what is still to be done about each. */
#include "npctl.h"

#include "atserver/realm.h"
#include "base/buf.h"
#include "base/err.h"
#include "json/json.h"
#include "realm.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct listing {
	struct realm realm;
	struct np_json *rows;
	int ret;
};

static bool note_hit(const char *key, const struct np_record *rec, void *arg)
{
	(void)key;
	(void)rec;
	*(bool *)arg = true;
	return false;
}

/* The encryption public key is the last thing that onboarding writes (atprotocol.md 18.2). */
static bool is_activated(struct np_store *store, const char *atsign)
{
	char key[NP_ATSIGN_MAX + 32];
	bool hit = false;

	snprintf(key, sizeof(key), "public:publickey%s", atsign);
	store->ops->get(store, atsign, key, note_hit, &hit);
	return hit;
}

static bool add_row(const struct np_dir_entry *entry, void *arg)
{
	struct listing *listing = arg;
	struct np_store *store = listing->realm.store;
	struct np_json *row = np_json_obj();

	listing->ret = row ? np_json_set_str(row, "atsign", entry->atsign) : -ENOMEM;
	if (!listing->ret)
		listing->ret = np_json_set_str(row, "host", entry->host);
	if (!listing->ret)
		listing->ret = np_json_set_int(row, "port", entry->port);
	if (!listing->ret)
		listing->ret = np_json_set_bool(row, "hosted", entry->hosted);
	if (!listing->ret)
		listing->ret = entry->hosted ? np_json_set_bool(row, "activated",
								is_activated(store, entry->atsign))
					     : np_json_set_null(row, "activated");
	if (listing->ret)
		np_json_put(row);
	else
		listing->ret = np_json_add(listing->rows, row);
	return !listing->ret;
}

static void print_rows(const struct np_json *rows)
{
	size_t i;

	if (np_json_len(rows))
		printf("%-24s %-11s %s\n", "ATSIGN", "STATE", "SERVED AT");
	for (i = 0; i < np_json_len(rows); i++) {
		const struct np_json *row = np_json_at(rows, i);
		int64_t port = np_json_int(row, "port", 0);
		const char *state = !np_json_bool(row, "hosted", false)	    ? "elsewhere"
				    : np_json_bool(row, "activated", false) ? "activated"
									    : "new";

		printf("%-24s %-11s %s:", np_json_str(row, "atsign"), state,
		       np_json_str(row, "host"));
		if (port)
			printf("%lld\n", (long long)port);
		else
			printf("any\n");
	}
}

int npctl_realm_list(void *arg, const struct cli_parse *parse)
{
	const struct npctl_conf *conf = arg;
	struct listing listing = {.rows = np_json_arr()};
	struct np_buf text = NP_BUF_INIT;
	struct np_err err = NP_ERR_INIT;
	int ret;

	ret = realm_open(&listing.realm, parse->args[0], true, &err);
	if (!ret)
		ret = listing.realm.store->ops->dir_list(listing.realm.store, false, add_row,
							 &listing);
	if (!ret)
		ret = listing.rows ? listing.ret : -ENOMEM;
	if (!ret && conf->json)
		ret = np_json_write_pretty(listing.rows, &text);
	if (ret) {
		err.code = ret;
		ret = npctl_fail(&err);
	} else if (conf->json) {
		printf("%s\n", np_buf_str(&text));
	} else {
		print_rows(listing.rows);
	}
	realm_close(&listing.realm);
	np_json_put(listing.rows);
	np_buf_fini(&text);
	return ret;
}
