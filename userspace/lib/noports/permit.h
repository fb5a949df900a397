/* SPDX-License-Identifier: BSD-3-Clause */
/* The permit-open list: which targets sessions may reach (noports.md 9.3). */
#ifndef NP_NOPORTS_PERMIT_H
#define NP_NOPORTS_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_err;

struct np_permit {
	char **entries; /* "host:port", NULL terminated once something was added */
	size_t nr;
};

#define NP_PERMIT_INIT                                                                             \
	{                                                                                          \
		NULL, 0                                                                            \
	}
#define NP_PERMIT_ENTRIES_MAX 1024

void np_permit_fini(struct np_permit *permit);
/**
 * np_permit_add() - one entry "HOST:PORT"; "*" stands for every host or every port.
 * Anything else (port 0, 65536, blanks, a missing half) is refused with the entry named: a rule
 * that was misread could let everything pass. An IPv6 address may stand in brackets.
 */
int np_permit_add(struct np_permit *permit, const char *entry, struct np_err *err);
/** np_permit_allows() - textual and case-sensitive: names are not resolved. */
bool np_permit_allows(const struct np_permit *permit, const char *host, uint16_t port);

#endif
