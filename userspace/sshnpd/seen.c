// SPDX-License-Identifier: BSD-3-Clause
/* Session ids that were used: a request is served once (noports.md 1, 4.4). */
#include "daemon.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_MS 3600000
#define KEEP_MAX 4096

struct seen_id {
	struct seen_id *next;
	long long at_ms;
	char sid[];
};

static void drop_first(struct daemon *d)
{
	struct seen_id *first = d->seen_first;

	d->seen_first = first->next;
	if (!d->seen_first)
		d->seen_last = NULL;
	d->nr_seen--;
	free(first);
}

bool seen_before(struct daemon *d, const char *sid)
{
	long long now = np_clock_mono_ms();
	size_t size = strlen(sid) + 1;
	struct seen_id *s;

	while (d->seen_first && (now - d->seen_first->at_ms > KEEP_MS || d->nr_seen >= KEEP_MAX))
		drop_first(d);
	for (s = d->seen_first; s; s = s->next)
		if (!strcmp(s->sid, sid))
			return true;
	s = calloc(1, sizeof(*s) + size);
	/* What cannot be remembered is not served either. */
	if (!s)
		return true;
	memcpy(s->sid, sid, size);
	s->at_ms = now;
	if (d->seen_last)
		d->seen_last->next = s;
	else
		d->seen_first = s;
	d->seen_last = s;
	d->nr_seen++;
	return false;
}

void seen_fini(struct daemon *d)
{
	while (d->seen_first)
		drop_first(d);
}
