// SPDX-License-Identifier: BSD-3-Clause
/* Records of the SQLite back end. */
#include "base/err.h"
#include "store/sqlite_internal.h"

#include <errno.h>
#include <string.h>

bool np_sqlite_read_record(sqlite3_stmt *stmt, int first, struct np_record *rec)
{
	rec->value = np_sqlite_col_text(stmt, first);
	rec->value_len = (size_t)sqlite3_column_bytes(stmt, first);
	rec->meta = np_sqlite_col_text(stmt, first + 1);
	rec->created_at = sqlite3_column_int64(stmt, first + 2);
	rec->updated_at = sqlite3_column_int64(stmt, first + 3);
	rec->available_at = sqlite3_column_int64(stmt, first + 4);
	rec->expires_at = sqlite3_column_int64(stmt, first + 5);
	rec->refresh_at = sqlite3_column_int64(stmt, first + 6);
	rec->version = sqlite3_column_int64(stmt, first + 7);
	return rec->value && rec->meta;
}

/* Calls @fn for each row of a SELECT of the record columns and gives the statement back. */
static int visit(struct np_sqlite *s, enum np_sqlite_sql id, sqlite3_stmt *stmt, np_record_fn fn,
		 void *arg)
{
	struct np_record rec;
	int rc = SQLITE_OK, nr = 0;
	bool more = true;

	while (more && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (!np_sqlite_read_record(stmt, 1, &rec)) {
			rc = SQLITE_NOMEM;
			break;
		}
		nr++;
		more = fn(np_sqlite_col_text(stmt, 0), &rec, arg);
	}
	rc = np_sqlite_code(s->db, rc);
	return np_sqlite_give(s, id, stmt, rc ? rc : nr);
}

int np_sqlite_record_get(struct np_store *store, const char *tenant, const char *key,
			 np_record_fn fn, void *arg)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take(s, SQL_RECORD_GET, &stmt);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, key);
	ret = visit(s, SQL_RECORD_GET, stmt, fn, arg);
	return ret > 0 ? 0 : ret ? ret : -ENOENT;
}

int np_sqlite_record_scan(struct np_store *store, const char *tenant, const char *prefix,
			  np_record_fn fn, void *arg)
{
	struct np_sqlite *s = np_sqlite_of(store);
	size_t len = strlen(prefix);
	sqlite3_stmt *stmt;
	char *end;
	int ret;

	ret = np_sqlite_take(s, SQL_RECORD_SCAN, &stmt);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, prefix);
	/*
	 * The first key behind the range is the prefix with its last byte one higher. Any blob
	 * sorts behind all text, so an empty one stands for "no end".
	 */
	while (len && (unsigned char)prefix[len - 1] == 0xff)
		len--;
	end = len ? sqlite3_malloc64(len) : NULL;
	if (end) {
		memcpy(end, prefix, len);
		end[len - 1]++;
		sqlite3_bind_text64(stmt, 3, end, len, sqlite3_free, SQLITE_UTF8);
	} else if (len) {
		return np_sqlite_give(s, SQL_RECORD_SCAN, stmt, -ENOMEM);
	} else {
		sqlite3_bind_zeroblob(stmt, 3, 0);
	}
	ret = visit(s, SQL_RECORD_SCAN, stmt, fn, arg);
	return ret < 0 ? ret : 0;
}

int np_sqlite_record_put(struct np_store *store, const char *tenant, const char *key,
			 const struct np_record *rec, struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_RECORD_PUT, "write a record", &stmt, err);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, key);
	sqlite3_bind_blob64(stmt, 3, rec->value ? rec->value : "", rec->value ? rec->value_len : 0,
			    SQLITE_STATIC);
	np_sqlite_bind_text(stmt, 4, rec->meta ? rec->meta : "{}");
	sqlite3_bind_int64(stmt, 5, rec->created_at);
	sqlite3_bind_int64(stmt, 6, rec->updated_at);
	sqlite3_bind_int64(stmt, 7, rec->available_at);
	sqlite3_bind_int64(stmt, 8, rec->expires_at);
	sqlite3_bind_int64(stmt, 9, rec->refresh_at);
	sqlite3_bind_int64(stmt, 10, rec->version);
	ret = np_sqlite_change(s, SQL_RECORD_PUT, stmt, "write a record", NULL, err);
	return ret < 0 ? ret : 0;
}

int np_sqlite_record_del(struct np_store *store, const char *tenant, const char *key,
			 struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_RECORD_DEL, "delete a record", &stmt, err);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, key);
	ret = np_sqlite_change(s, SQL_RECORD_DEL, stmt, "delete a record", NULL, err);
	if (!ret)
		return np_fail(err, -ENOENT, "%s: no such record", key);
	return ret < 0 ? ret : 0;
}

/* Return: 1 when a record went, 0 when none is left or the visitor had enough. */
static int expire_one(struct np_sqlite *s, int64_t now_ms,
		      bool (*fn)(const char *tenant, const char *key, void *arg), void *arg,
		      struct np_err *err)
{
	sqlite3_stmt *stmt;
	int rc, ret;

	ret = np_sqlite_take(s, SQL_RECORD_EXPIRED, &stmt);
	if (ret)
		return np_sqlite_fail(s, sqlite3_errcode(s->db), "look for expired records", err);
	sqlite3_bind_int64(stmt, 1, now_ms);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		const char *tenant = np_sqlite_col_text(stmt, 0),
			   *key = np_sqlite_col_text(stmt, 1);

		if (!tenant || !key)
			ret = -ENOMEM;
		else if (!fn || fn(tenant, key, arg))
			ret = np_sqlite_record_del(&s->base, tenant, key, err) ?: 1;
	} else if (rc != SQLITE_DONE) {
		ret = np_sqlite_fail(s, rc, "look for expired records", err);
	}
	return np_sqlite_give(s, SQL_RECORD_EXPIRED, stmt, ret == -ENOENT ? 1 : ret);
}

int np_sqlite_record_expire(struct np_store *store, int64_t now_ms, unsigned int max,
			    bool (*fn)(const char *tenant, const char *key, void *arg), void *arg,
			    struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	bool own = !s->in_txn;
	int ret;

	ret = own ? np_sqlite_begin(store, err) : 0;
	if (ret)
		return ret;
	do {
		ret = max ? expire_one(s, now_ms, fn, arg, err) : 0;
	} while (ret > 0 && --max);
	if (ret > 0)
		ret = 0;
	if (!own)
		return ret;
	if (!ret)
		return np_sqlite_commit(store, err);
	np_sqlite_rollback(store);
	return ret;
}
