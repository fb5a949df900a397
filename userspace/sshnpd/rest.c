// SPDX-License-Identifier: BSD-3-Clause
/*
 * A daemon on a small device waits most of its life. Some seconds after anything happened it gives
 * back what that needed: free heap, and the pages of program code that were mapped for it. The
 * latter stay in the page cache and come back by a minor fault when their code runs again; most of
 * it (start, TLS handshakes) does not for hours.
 */
#include "daemon.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define QUIET_S 3.

/* Only code: it is never written, so dropping it loses nothing. */
static void drop_code_pages(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512], perms[5], path[2];

	if (!maps)
		return;
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %1s", &start, &end, perms, path) == 4 &&
		    !strcmp(perms, "r-xp") && path[0] == '/')
			(void)madvise((void *)start, end - start, MADV_DONTNEED);
	fclose(maps);
}

static void on_quiet(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	ev_timer_stop(loop, w);
	(void)malloc_trim(0);
	drop_code_pages();
}

void rest_init(struct daemon *d)
{
	ev_timer_init(&d->rest, on_quiet, 0., QUIET_S);
}

void rest_soon(struct daemon *d)
{
	ev_timer_again(d->loop, &d->rest);
}
