// SPDX-License-Identifier: BSD-3-Clause
#include "splice/xtable.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64

/* Peers choose their ports, not the seed of a hash that only speeds up look-ups of what was
 * authenticated. */
static size_t hash(const struct npx_key *key, size_t nr_slots)
{
	uint64_t words[5], h = 0x9e3779b97f4a7c15u;
	int i;

	memcpy(words, key, sizeof(words));
	for (i = 0; i < 5; i++) {
		h ^= words[i];
		h *= 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	return h & (nr_slots - 1);
}

void np_xtable_fini(struct np_xtable *table)
{
	free(table->slots);
	memset(table, 0, sizeof(*table));
}

struct np_xref *np_xtable_find(const struct np_xtable *table, const struct npx_key *key)
{
	struct np_xref *ref = table->nr_slots ? table->slots[hash(key, table->nr_slots)] : NULL;

	while (ref && memcmp(&ref->key, key, sizeof(*key)))
		ref = ref->next;
	return ref;
}

static int grow(struct np_xtable *table)
{
	size_t nr = table->nr_slots ? table->nr_slots * 2 : SLOTS_MIN, i, at;
	struct np_xref **slots = calloc(nr, sizeof(*slots)), *ref, *next;

	if (!slots)
		return -ENOMEM;
	for (i = 0; i < table->nr_slots; i++) {
		for (ref = table->slots[i]; ref; ref = next) {
			next = ref->next;
			at = hash(&ref->key, nr);
			ref->next = slots[at];
			slots[at] = ref;
		}
	}
	free(table->slots);
	table->slots = slots;
	table->nr_slots = nr;
	return 0;
}

int np_xtable_add(struct np_xtable *table, struct np_xref *ref)
{
	struct np_xref **slot;

	if (table->nr >= table->nr_slots && grow(table))
		return -ENOMEM;
	slot = &table->slots[hash(&ref->key, table->nr_slots)];
	ref->next = *slot;
	*slot = ref;
	table->nr++;
	return 0;
}

void np_xtable_remove(struct np_xtable *table, struct np_xref *ref)
{
	struct np_xref **at;

	if (!table->nr_slots)
		return;
	for (at = &table->slots[hash(&ref->key, table->nr_slots)]; *at; at = &(*at)->next) {
		if (*at == ref) {
			*at = ref->next;
			table->nr--;
			return;
		}
	}
}

struct npx_key np_xkey_reverse(const struct npx_key *out)
{
	struct npx_key key = {.sport = out->dport, .dport = out->sport, .family = out->family};

	memcpy(key.saddr, out->daddr, sizeof(key.saddr));
	memcpy(key.daddr, out->saddr, sizeof(key.daddr));
	return key;
}
