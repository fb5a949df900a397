/* SPDX-License-Identifier: BSD-3-Clause */
/* Who comes most often and for what, since the server started: statistics 5 and 6 (atprotocol.md 14). */
#ifndef NP_ATSERVER_VISITS_H
#define NP_ATSERVER_VISITS_H

struct np_json;
struct np_tenant;
struct np_visits;

/** np_visit_atsign() - @atsign's server came to @tenant. Counts are dropped when memory is short. */
void np_visit_atsign(struct np_tenant *tenant, const char *atsign);
/** np_visit_key() - the public or shared key @key of @tenant was looked up. */
void np_visit_key(struct np_tenant *tenant, const char *key);
/** np_visits_top() - {"name":count,...} of the most frequent. Return: new value or NULL. */
struct np_json *np_visits_top_atsigns(const struct np_tenant *tenant);
struct np_json *np_visits_top_keys(const struct np_tenant *tenant);
void np_visits_free(struct np_visits *visits); /* NULL is accepted */

#endif
