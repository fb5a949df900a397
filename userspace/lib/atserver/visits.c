// SPDX-License-Identifier: BSD-3-Clause
/*
 * A fixed table per atSign. A name that is not in a full table takes over the least frequent entry
 * with its count plus one ("space saving"), so that what is frequent stays in it.
 */
#include "atserver/visits.h"

#include "atserver/internal.h"
#include "base/str.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 16
#define SHOWN 5
#define NAME_MAX_LEN 128

struct table {
	struct {
		char name[NAME_MAX_LEN];
		uint64_t nr;
	} entries[ENTRIES];
};

struct np_visits {
	struct table atsigns, keys;
};

static void count(struct table *table, const char *name)
{
	size_t i, least = 0;

	if (strlen(name) >= NAME_MAX_LEN)
		return;
	for (i = 0; i < ENTRIES; i++) {
		if (!strcmp(table->entries[i].name, name))
			break;
		if (table->entries[i].nr < table->entries[least].nr)
			least = i;
	}
	if (i == ENTRIES) {
		i = least;
		np_str_copy(table->entries[i].name, NAME_MAX_LEN, name);
	}
	table->entries[i].nr++;
}

static struct np_visits *visits_of(struct np_tenant *tenant)
{
	if (!tenant->visits)
		tenant->visits = calloc(1, sizeof(*tenant->visits));
	return tenant->visits;
}

void np_visit_atsign(struct np_tenant *tenant, const char *atsign)
{
	struct np_visits *visits = visits_of(tenant);

	if (visits)
		count(&visits->atsigns, atsign);
}

void np_visit_key(struct np_tenant *tenant, const char *key)
{
	struct np_visits *visits = visits_of(tenant);

	if (visits)
		count(&visits->keys, key);
}

static struct np_json *top(const struct table *table)
{
	struct np_json *json = np_json_obj();
	uint64_t below = UINT64_MAX, best;
	size_t i, nr = 0;

	while (json && table && nr < SHOWN) {
		best = 0;
		for (i = 0; i < ENTRIES; i++)
			if (table->entries[i].nr < below && table->entries[i].nr > best)
				best = table->entries[i].nr;
		if (!best)
			break;
		for (i = 0; i < ENTRIES && nr < SHOWN; i++)
			if (table->entries[i].nr == best) {
				np_json_set_int(json, table->entries[i].name, (int64_t)best);
				nr++;
			}
		below = best;
	}
	return json;
}

struct np_json *np_visits_top_atsigns(const struct np_tenant *tenant)
{
	return top(tenant->visits ? &tenant->visits->atsigns : NULL);
}

struct np_json *np_visits_top_keys(const struct np_tenant *tenant)
{
	return top(tenant->visits ? &tenant->visits->keys : NULL);
}

void np_visits_free(struct np_visits *visits)
{
	free(visits);
}
