// SPDX-License-Identifier: BSD-3-Clause
#include "base/map.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct np_map_entry {
	struct np_map_entry *next;
	void *value;
	uint64_t hash;
	char key[];
};

/* Keys come from outside: the seed keeps a sender from choosing colliding ones. */
static uint64_t hash_key(const char *key)
{
	static uint64_t seed;
	uint64_t h;

	while (!seed)
		if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
			seed = (uintptr_t)&seed | 1;
	for (h = seed; *key; key++) {
		h = (h ^ (uint8_t)*key) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	return h ^ (h >> 32);
}

static struct np_map_entry **find_link(const struct np_map *map, const char *key, uint64_t hash)
{
	struct np_map_entry **link;

	if (!map->nr_slots)
		return NULL;
	for (link = &map->slots[hash & (map->nr_slots - 1)]; *link; link = &(*link)->next)
		if ((*link)->hash == hash && !strcmp((*link)->key, key))
			return link;
	return NULL;
}

static int grow(struct np_map *map)
{
	size_t nr = map->nr_slots ? map->nr_slots * 2 : 16, i;
	struct np_map_entry **slots = calloc(nr, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (i = 0; i < map->nr_slots; i++) {
		struct np_map_entry *e = map->slots[i];

		while (e) {
			struct np_map_entry *next = e->next;

			e->next = slots[e->hash & (nr - 1)];
			slots[e->hash & (nr - 1)] = e;
			e = next;
		}
	}
	free(map->slots);
	map->slots = slots;
	map->nr_slots = nr;
	return 0;
}

void np_map_fini(struct np_map *map, void (*free_value)(void *value))
{
	size_t i;

	for (i = 0; i < map->nr_slots; i++) {
		while (map->slots[i]) {
			struct np_map_entry *e = map->slots[i];

			map->slots[i] = e->next;
			if (free_value)
				free_value(e->value);
			free(e);
		}
	}
	free(map->slots);
	memset(map, 0, sizeof(*map));
}

void *np_map_get(const struct np_map *map, const char *key)
{
	struct np_map_entry **link = find_link(map, key, hash_key(key));

	return link ? (*link)->value : NULL;
}

int np_map_put(struct np_map *map, const char *key, void *value, void **old)
{
	uint64_t hash = hash_key(key);
	struct np_map_entry **link = find_link(map, key, hash), *e;
	size_t len = strlen(key) + 1;

	if (old)
		*old = link ? (*link)->value : NULL;
	if (link) {
		(*link)->value = value;
		return 0;
	}
	if (map->nr >= map->nr_slots && grow(map))
		return -ENOMEM;
	e = malloc(sizeof(*e) + len);
	if (!e)
		return -ENOMEM;
	memcpy(e->key, key, len);
	e->hash = hash;
	e->value = value;
	e->next = map->slots[hash & (map->nr_slots - 1)];
	map->slots[hash & (map->nr_slots - 1)] = e;
	map->nr++;
	return 0;
}

void *np_map_remove(struct np_map *map, const char *key)
{
	struct np_map_entry **link = find_link(map, key, hash_key(key)), *e;
	void *value;

	if (!link)
		return NULL;
	e = *link;
	*link = e->next;
	value = e->value;
	free(e);
	map->nr--;
	return value;
}

void np_map_each(const struct np_map *map, bool (*fn)(const char *key, void *value, void *arg), void *arg)
{
	struct np_map_entry *e;
	size_t i;

	for (i = 0; i < map->nr_slots; i++)
		for (e = map->slots[i]; e; e = e->next)
			if (!fn(e->key, e->value, arg))
				return;
}
