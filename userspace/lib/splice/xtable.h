/* SPDX-License-Identifier: BSD-3-Clause */
/* Which pair does a segment or a table entry belong to? A hash of references that the pairs own. */
#ifndef NP_SPLICE_XTABLE_H
#define NP_SPLICE_XTABLE_H

#include "npbpf/express.h"

#include <stddef.h>

struct np_xpair;

struct np_xref {
	struct npx_key key; /* of the segments of one side's peer */
	struct np_xref *next;
	struct np_xpair *xp;
};

struct np_xtable {
	struct np_xref **slots;
	size_t nr_slots, nr;
};

void np_xtable_fini(struct np_xtable *table);
struct np_xref *np_xtable_find(const struct np_xtable *table, const struct npx_key *key);
/** np_xtable_add() - @ref->key is set and not there yet. 0 or -ENOMEM. */
int np_xtable_add(struct np_xtable *table, struct np_xref *ref);
void np_xtable_remove(struct np_xtable *table, struct np_xref *ref);
/** np_xkey_reverse() - the tuple of the opposite direction of what leaves as @out. */
struct npx_key np_xkey_reverse(const struct npx_key *out);

#endif
