// SPDX-License-Identifier: BSD-3-Clause
/* The commit log of the SQLite back end, and what an atSign takes as a whole. */
#include "base/err.h"
#include "store/sqlite_internal.h"

#include <string.h>

int np_sqlite_log_append(struct np_store *store, const char *tenant, const char *key, char op,
			 int64_t *commit_id, struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	const char text[2] = {op, '\0'};
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_LOG_APPEND, "write the commit log", &stmt, err);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, key);
	np_sqlite_bind_text(stmt, 3, text);
	ret = np_sqlite_change(s, SQL_LOG_APPEND, stmt, "write the commit log", commit_id, err);
	return ret < 0 ? ret : 0;
}

int np_sqlite_log_put(struct np_store *store, const char *tenant, const struct np_log_entry *entry,
		      struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	const char text[2] = {entry->op, '\0'};
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_LOG_PUT, "write the commit log", &stmt, err);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, entry->key);
	sqlite3_bind_int64(stmt, 3, entry->commit_id);
	np_sqlite_bind_text(stmt, 4, text);
	ret = np_sqlite_change(s, SQL_LOG_PUT, stmt, "write the commit log", NULL, err);
	return ret < 0 ? ret : 0;
}

int np_sqlite_log_last(struct np_store *store, const char *tenant, int64_t *commit_id)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int rc, ret;

	*commit_id = -1;
	ret = np_sqlite_take(s, SQL_LOG_LAST, &stmt);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		*commit_id = sqlite3_column_int64(stmt, 0);
	return np_sqlite_give(s, SQL_LOG_LAST, stmt, np_sqlite_code(s->db, rc));
}

/* Return: 1 to go on, 0 when the visitor had enough, negative when there was no memory. */
static int visit_entry(sqlite3_stmt *stmt, np_log_fn fn, void *arg)
{
	struct np_log_entry entry = {.commit_id = sqlite3_column_int64(stmt, 0),
				     .key = np_sqlite_col_text(stmt, 1)};
	const char *op = np_sqlite_col_text(stmt, 2);
	struct np_record rec;

	if (!entry.key || !op)
		return -1;
	entry.op = *op;
	/* The last column is a number that is NULL only when the join found no record. */
	if (sqlite3_column_type(stmt, 10) != SQLITE_NULL) {
		if (!np_sqlite_read_record(stmt, 3, &rec))
			return -1;
		entry.rec = &rec;
	}
	return fn(&entry, arg);
}

int np_sqlite_log_list(struct np_store *store, const char *tenant, int64_t after,
		       bool newest_first, np_log_fn fn, void *arg)
{
	enum np_sqlite_sql id = newest_first ? SQL_LOG_DOWN : SQL_LOG_UP;
	struct np_sqlite *s = np_sqlite_of(store);
	int rc = SQLITE_OK, ret, more = 1;
	sqlite3_stmt *stmt;

	ret = np_sqlite_take(s, id, &stmt);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	sqlite3_bind_int64(stmt, 2, after);
	while (more > 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		more = visit_entry(stmt, fn, arg);
	return np_sqlite_give(s, id, stmt, np_sqlite_code(s->db, more < 0 ? SQLITE_NOMEM : rc));
}

int np_sqlite_usage(struct np_store *store, const char *tenant, struct np_store_usage *usage)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int rc, ret;

	memset(usage, 0, sizeof(*usage));
	ret = np_sqlite_take(s, SQL_USAGE, &stmt);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		usage->nr_keys = sqlite3_column_int64(stmt, 0);
		usage->nr_bytes = sqlite3_column_int64(stmt, 1);
		usage->nr_notes = sqlite3_column_int64(stmt, 2);
	}
	return np_sqlite_give(s, SQL_USAGE, stmt, np_sqlite_code(s->db, rc));
}

int np_sqlite_purge(struct np_store *store, const char *tenant, struct np_err *err)
{
	static const enum np_sqlite_sql ids[] = {SQL_PURGE_RECORDS, SQL_PURGE_LOG, SQL_PURGE_NOTES};
	struct np_sqlite *s = np_sqlite_of(store);
	int ret = np_sqlite_begin(store, err);
	sqlite3_stmt *stmt;
	size_t i;

	if (ret)
		return ret;
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]) && ret >= 0; i++) {
		ret = np_sqlite_take_change(s, ids[i], "delete an atSign", &stmt, err);
		if (ret)
			break;
		np_sqlite_bind_text(stmt, 1, tenant);
		ret = np_sqlite_change(s, ids[i], stmt, "delete an atSign", NULL, err);
	}
	if (ret < 0) {
		np_sqlite_rollback(store);
		return ret;
	}
	return np_sqlite_commit(store, err);
}
