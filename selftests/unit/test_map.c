// SPDX-License-Identifier: BSD-3-Clause
#include "base/map.h"
#include "harness/ktap.h"

#include <stdint.h>

#define MANY 5000

static void *as_value(size_t n)
{
	return (void *)(uintptr_t)n;
}

static void get_put_remove(void)
{
	struct np_map map = NP_MAP_INIT;
	void *old = as_value(9);

	KTAP_OK(!np_map_get(&map, "a"));
	KTAP_OK(!np_map_remove(&map, "a"));
	KTAP_EQ(np_map_put(&map, "a", as_value(1), &old), 0);
	KTAP_OK(!old);
	KTAP_EQ(np_map_put(&map, "a", as_value(2), &old), 0);
	KTAP_OK(old == as_value(1));
	KTAP_EQ(np_map_put(&map, "", as_value(3), NULL), 0);
	KTAP_EQ(map.nr, 2);
	KTAP_OK(np_map_get(&map, "a") == as_value(2));
	KTAP_OK(np_map_get(&map, "") == as_value(3));
	KTAP_OK(np_map_remove(&map, "a") == as_value(2));
	KTAP_OK(!np_map_get(&map, "a"));
	KTAP_EQ(map.nr, 1);
	np_map_fini(&map, NULL);
}

static bool count_one(const char *key, void *value, void *arg)
{
	size_t *sum = arg;

	(void)key;
	*sum += (uintptr_t)value;
	return true;
}

static void thousands_of_keys(void)
{
	struct np_map map = NP_MAP_INIT;
	size_t i, sum = 0, wrong = 0;
	char key[32];

	for (i = 1; i <= MANY; i++) {
		snprintf(key, sizeof(key), "@device%zu", i);
		KTAP_EQ(np_map_put(&map, key, as_value(i), NULL), 0);
	}
	for (i = 1; i <= MANY; i += 2) {
		snprintf(key, sizeof(key), "@device%zu", i);
		wrong += np_map_remove(&map, key) != as_value(i);
	}
	for (i = 1; i <= MANY; i++) {
		snprintf(key, sizeof(key), "@device%zu", i);
		wrong += np_map_get(&map, key) != (i % 2 ? NULL : as_value(i));
	}
	np_map_each(&map, count_one, &sum);
	KTAP_EQ(wrong, 0);
	KTAP_EQ(map.nr, MANY / 2);
	KTAP_EQ(sum, (size_t)MANY / 2 * (MANY / 2 + 1));
	np_map_fini(&map, NULL);
	KTAP_EQ(map.nr, 0);
}

static void keys_are_copied(void)
{
	struct np_map map = NP_MAP_INIT;
	char key[] = "abc";

	np_map_put(&map, key, as_value(1), NULL);
	key[0] = 'x';
	KTAP_OK(np_map_get(&map, "abc") == as_value(1));
	KTAP_OK(!np_map_get(&map, "xbc"));
	np_map_fini(&map, NULL);
}

static bool stop_at_once(const char *key, void *value, void *arg)
{
	(void)key;
	(void)value;
	++*(int *)arg;
	return false;
}

static void each_stops(void)
{
	struct np_map map = NP_MAP_INIT;
	int visits = 0;

	np_map_put(&map, "a", as_value(1), NULL);
	np_map_put(&map, "b", as_value(2), NULL);
	np_map_each(&map, stop_at_once, &visits);
	KTAP_EQ(visits, 1);
	np_map_fini(&map, NULL);
}

static void fini_frees_values(void)
{
	struct np_map map = NP_MAP_INIT;

	np_map_put(&map, "a", strdup("owned"), NULL);
	np_map_put(&map, "b", strdup("too"), NULL);
	/* LeakSanitizer fails the program otherwise. */
	np_map_fini(&map, free);
	KTAP_OK(!np_map_get(&map, "a"));
}

int main(void)
{
	KTAP_RUN(get_put_remove);
	KTAP_RUN(thousands_of_keys);
	KTAP_RUN(keys_are_copied);
	KTAP_RUN(each_stops);
	KTAP_RUN(fini_frees_values);
	return ktap_done();
}
