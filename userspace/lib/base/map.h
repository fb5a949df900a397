/* SPDX-License-Identifier: BSD-3-Clause */
/* A map from text to pointers: atSigns, session ids, cached keys. Keys are copied, values are the caller's. */
#ifndef NP_BASE_MAP_H
#define NP_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct np_map_entry;

struct np_map {
	struct np_map_entry **slots;
	size_t nr_slots, nr;
};

#define NP_MAP_INIT { NULL, 0, 0 }

/** np_map_fini() - free the map; @free_value (may be NULL) is called for every value. */
void np_map_fini(struct np_map *map, void (*free_value)(void *value));
void *np_map_get(const struct np_map *map, const char *key);
/** np_map_put() - add or replace. Return: 0 and the former value (or NULL) in *@old (may be NULL), -ENOMEM. */
int np_map_put(struct np_map *map, const char *key, void *value, void **old);
/** np_map_remove() - Return: the value that was there, or NULL. */
void *np_map_remove(struct np_map *map, const char *key);
/** np_map_each() - visit every entry; the map must not change meanwhile. Stops when @fn returns false. */
void np_map_each(const struct np_map *map, bool (*fn)(const char *key, void *value, void *arg), void *arg);

#endif
