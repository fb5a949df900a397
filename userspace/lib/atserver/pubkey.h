/* SPDX-License-Identifier: BSD-3-Clause */
/* When the public key of another atSign changes, AES keys that were wrapped for the old one are
 * useless (16.1). */
#ifndef NP_ATSERVER_PUBKEY_H
#define NP_ATSERVER_PUBKEY_H

struct np_atserver;
struct np_tenant;

/** np_pubkey_refreshed() - @line is another server's answer to lookup:all:publickey@x; errors
 * change nothing. */
void np_pubkey_refreshed(struct np_tenant *tenant, const char *remote, const char *line);
/** np_pubkey_changed() - a hosted atSign got a new public key: all other tenants make new AES keys
 * for it. */
int np_pubkey_changed(struct np_tenant *owner);

#endif
