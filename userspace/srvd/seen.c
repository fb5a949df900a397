// SPDX-License-Identifier: BSD-3-Clause
#include "seen.h"

#include <stdlib.h>
#include <string.h>

void seen_fini(struct seen *seen)
{
	np_map_fini(&seen->ids, free);
	free(seen->ring);
	seen->ring = NULL;
	seen->next = 0;
}

bool seen_add(struct seen *seen, const char *id)
{
	char *copy;

	if (np_map_get(&seen->ids, id))
		return false;
	if (!seen->ring)
		seen->ring = calloc(SEEN_MAX, sizeof(*seen->ring));
	copy = strdup(id);
	if (!seen->ring || !copy || np_map_put(&seen->ids, id, copy, NULL)) {
		free(copy);
		return false;
	}
	if (seen->ring[seen->next])
		free(np_map_remove(&seen->ids, seen->ring[seen->next]));
	seen->ring[seen->next] = copy;
	seen->next = (seen->next + 1) % SEEN_MAX;
	return true;
}
