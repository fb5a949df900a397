/* SPDX-License-Identifier: BSD-3-Clause */
/* How much one atSign may take of a server that it shares with others. Limits of 0 are none. */
#ifndef NP_ATSERVER_QUOTA_H
#define NP_ATSERVER_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_err;
struct np_session;
struct np_tenant;

/**
 * np_quota_allows() - may a record of @value_len bytes be written as @key? What makes a record
 * smaller is always allowed. Return: 0, or -EDQUOT with @err naming the limit, for AT0011.
 */
int np_quota_allows(struct np_tenant *tenant, const char *key, size_t value_len,
		    struct np_err *err);
/** np_quota_size() - what @key takes now, -1 when it is not there or nothing is counted. */
int64_t np_quota_size(struct np_tenant *tenant, const char *key);
/** np_quota_moved() - @key took @before and takes @after bytes; -1 is none. */
void np_quota_moved(struct np_tenant *tenant, int64_t before, int64_t after);
/** np_quota_take_note() - count one notification that @tenant sends or gets from another server.
 * Return: 0 or -EDQUOT. */
int np_quota_take_note(struct np_tenant *tenant, struct np_err *err);
/** np_quota_has_connection() - is there room for one more authenticated connection? */
bool np_quota_has_connection(const struct np_tenant *tenant);

#endif
