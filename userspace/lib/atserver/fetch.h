/* SPDX-License-Identifier: BSD-3-Clause */
/* A record of another server: asked for, answered with, and cached when its owner permits
 * (atprotocol.md 16). */
#ifndef NP_ATSERVER_FETCH_H
#define NP_ATSERVER_FETCH_H

#include <stdbool.h>

struct np_err;
struct np_json;
struct np_key;
struct np_req_lookup;
struct np_session;
struct np_tenant;

/**
 * np_fetch() - answer @s with what the server of @key's owner says.
 * @cached: key of our cached copy
 * @pol: as ourselves (shared data) or as nobody (public data)
 */
void np_fetch(struct np_session *s, const char *cached, const struct np_key *key,
	      const struct np_req_lookup *req, bool pol);
/**
 * np_fetch_parse() - what another server answered to lookup:all.
 * @gone: set when it says that there is no such record
 * Return: the record, or NULL with @err (may be NULL) as the reason.
 */
struct np_json *np_fetch_parse(const char *line, bool *gone, struct np_err *err);
/** np_fetch_keep() - a copy as @cached when the owner permits one. Return: whether it does. */
bool np_fetch_keep(struct np_tenant *tenant, const char *cached, const struct np_json *json);
/** np_fetch_scan() - answer @s with the keys that the server of @remote shares with us. @regex may
 * be NULL. */
void np_fetch_scan(struct np_session *s, const char *remote, const char *regex);

#endif
