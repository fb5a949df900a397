/* SPDX-License-Identifier: BSD-3-Clause */
/* Records of one atSign: reading with visibility, writing with merged metadata and a commit-log
 * entry. */
#ifndef NP_ATSERVER_RECORD_H
#define NP_ATSERVER_RECORD_H

#include "atserver/meta.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_json;
struct np_key;
struct np_record;
struct np_tenant;

/* A record read from the store; owns its memory. Times in wall-clock milliseconds, 0 = none. */
struct np_rec {
	char *value; /* NUL terminated */
	size_t value_len;
	struct np_json *json; /* meta borrows from it */
	struct np_meta meta;
	int64_t created_at, updated_at, available_at, expires_at, refresh_at, version;
};

/** np_rec_get() - also what is not visible now. Return: 0, -ENOENT, or the store's error. */
int np_rec_get(struct np_tenant *tenant, const char *key, struct np_rec *out);
/** np_rec_copy() - the same from what the store lends. Return: 0 or -ENOMEM. */
int np_rec_copy(const struct np_record *rec, struct np_rec *out);
void np_rec_fini(struct np_rec *rec); /* wipes the value */
bool np_rec_exists(struct np_tenant *tenant, const char *key);
/** np_rec_is_visible() - born and not expired. */
bool np_rec_is_visible(const struct np_rec *rec);
/** np_rec_is_fresh() - may a cached copy be served (16.2, 16.3)? */
bool np_rec_is_fresh(const struct np_rec *rec);

/**
 * np_rec_update() - write a record and its log entry.
 * @value: NULL keeps the stored value
 * @patch: metadata to lay over the stored one; NULL for none
 * @op: of the commit log, '*' or '#'
 * @commit_id: -1 when the key is not logged (13.1)
 * Return: 0 or the store's error, for which the whole turn fails.
 */
int np_rec_update(struct np_tenant *tenant, const char *key, const char *value,
		  const struct np_meta *patch, char op, int64_t *commit_id);
/** np_rec_cache() - write a copy of another atSign's record; metadata replaces what was there. */
int np_rec_cache(struct np_tenant *tenant, const char *key, const char *value,
		 const struct np_meta *meta);
/** np_rec_delete() - a log entry is made even when there was nothing to delete. */
int np_rec_delete(struct np_tenant *tenant, const char *key, int64_t *commit_id);
/** np_rec_log() - a log entry alone. */
int np_rec_log(struct np_tenant *tenant, const char *key, char op, int64_t *commit_id);
/** np_rec_meta_json() - the metaData object of replies (7.3). Return: new value or NULL. */
struct np_json *np_rec_meta_json(struct np_tenant *tenant, const struct np_rec *rec);
/** np_rec_put_raw() - value and lifetime only; for records the server keeps for itself. 0 = no
 * expiry. */
int np_rec_put_raw(struct np_tenant *tenant, const char *key, const char *value,
		   int64_t expires_at);

#endif
