/* SPDX-License-Identifier: BSD-3-Clause */
/* The atSigns that an atSign does not want to hear of: config:block (atprotocol.md 14). */
#ifndef NP_ATSERVER_BLOCK_H
#define NP_ATSERVER_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

struct np_json;
struct np_session;
struct np_tenant;

/** np_block_has() - is @atsign on the block list of @tenant? */
bool np_block_has(struct np_tenant *tenant, const char *atsign);
/** np_block_refuses() - a session of a blocked atSign's server is told AT0013 and ended. */
bool np_block_refuses(struct np_session *s, struct np_tenant *tenant);
/** np_block_change() - add or take away one atSign in normal form. Return: 0 or the store's error,
 * -ENOSPC for a list that is full. */
int np_block_change(struct np_tenant *tenant, const char *atsign, bool add);
/** np_block_list() - the array of names, empty when nobody is blocked. Return: new value or NULL. */
struct np_json *np_block_list(struct np_tenant *tenant);
/** np_block_forget() - drop what is cached of the store. */
void np_block_forget(struct np_tenant *tenant);

#endif
