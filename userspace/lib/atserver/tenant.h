/* SPDX-License-Identifier: BSD-3-Clause */
/* The atSigns that are hosted here: found by name, added while the server runs. */
#ifndef NP_ATSERVER_TENANT_H
#define NP_ATSERVER_TENANT_H

#include <stdint.h>

struct np_atserver;
struct np_rsa;
struct np_secret;
struct np_session;
struct np_tenant;

/** np_tenants_reload() - read the list again when the store's directory changed. Return: 0 or
 * negative errno. */
int np_tenants_reload(struct np_atserver *srv);
void np_tenants_fini(struct np_atserver *srv);
/** np_tenants_forget() - drop what is cached of the store: a transaction was lost. */
void np_tenants_forget(struct np_atserver *srv);
/** np_tenant_find() - @atsign in normal form. An unknown one makes the list be read again. NULL:
 * not hosted. */
struct np_tenant *np_tenant_find(struct np_atserver *srv, const char *atsign);
/** np_tenant_named() - the atSign that an earlier command named, or the only one. NULL: none. */
struct np_tenant *np_tenant_named(struct np_session *s);
/**
 * np_tenant_secret() - the CRAM secret: the stored one, or the file's until onboarding has ended.
 * Return: 0, or -ENOENT.
 */
int np_tenant_secret(struct np_tenant *tenant, struct np_secret *out);
/** np_tenant_need_signing() - see that the signing key pair exists (it is made once, at first use).
 */
int np_tenant_need_signing(struct np_tenant *tenant);
/** np_tenant_signing() - the private signing key, borrowed; NULL when the store fails. */
const struct np_rsa *np_tenant_signing(struct np_tenant *tenant);
/** np_tenant_last_commit() - the newest commit id, -1 when there is none. */
int64_t np_tenant_last_commit(struct np_tenant *tenant);

#endif
