/* SPDX-License-Identifier: BSD-3-Clause */
/* The key pair with which a server speaks for an atSign in pol (atprotocol.md 6.2, 9.4, 17.6). */
#ifndef NP_ATSERVER_SIGNING_H
#define NP_ATSERVER_SIGNING_H

#include <stdbool.h>

struct np_err;
struct np_store;

/** np_signing_exists() - does @atsign have its pair? */
bool np_signing_exists(struct np_store *store, const char *atsign);
/**
 * np_signing_create() - make and store the pair of @atsign; tens of milliseconds. The caller may
 * have a transaction open. A provisioning tool calls this so that the server need not.
 */
int np_signing_create(struct np_store *store, const char *atsign, struct np_err *err);

#endif
