/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ids that were acted upon: a second request with one of them is a replay. Bounded, the oldest are
 * forgotten.
 */
#ifndef SRVD_SEEN_H
#define SRVD_SEEN_H

#include "base/map.h"

#include <stdbool.h>

#define SEEN_MAX 8192

struct seen {
	struct np_map ids;
	char **ring; /* SEEN_MAX entries, allocated with the first id */
	size_t next;
};

void seen_fini(struct seen *seen);
/** seen_add() - Return: true when @id is new; false for a replay, and when memory ran out. */
bool seen_add(struct seen *seen, const char *id);

#endif
