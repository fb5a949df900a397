// SPDX-License-Identifier: BSD-3-Clause
/* Directory entries of the SQLite back end. */
#include "base/err.h"
#include "store/sqlite_internal.h"

#include <errno.h>

static int visit(struct np_sqlite *s, enum np_sqlite_sql id, sqlite3_stmt *stmt, np_dir_fn fn,
		 void *arg)
{
	struct np_dir_entry entry;
	bool more = true;
	int rc = SQLITE_OK, nr = 0;

	while (more && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		entry.atsign = np_sqlite_col_text(stmt, 0);
		entry.host = np_sqlite_col_text(stmt, 1);
		entry.port = (uint16_t)sqlite3_column_int(stmt, 2);
		entry.hosted = sqlite3_column_int(stmt, 3);
		if (!entry.atsign || !entry.host) {
			rc = SQLITE_NOMEM;
			break;
		}
		nr++;
		more = fn(&entry, arg);
	}
	rc = np_sqlite_code(s->db, rc);
	return np_sqlite_give(s, id, stmt, rc ? rc : nr);
}

int np_sqlite_dir_put(struct np_store *store, const struct np_dir_entry *entry, bool hosted,
		      struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_DIR_PUT, "write the directory", &stmt, err);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, entry->atsign);
	np_sqlite_bind_text(stmt, 2, entry->host);
	sqlite3_bind_int(stmt, 3, entry->port);
	sqlite3_bind_int(stmt, 4, hosted);
	ret = np_sqlite_change(s, SQL_DIR_PUT, stmt, "write the directory", NULL, err);
	return ret < 0 ? ret : 0;
}

int np_sqlite_dir_get(struct np_store *store, const char *atsign, np_dir_fn fn, void *arg)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take(s, SQL_DIR_GET, &stmt);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, atsign);
	ret = visit(s, SQL_DIR_GET, stmt, fn, arg);
	return ret > 0 ? 0 : ret ? ret : -ENOENT;
}

int np_sqlite_dir_del(struct np_store *store, const char *atsign, struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_DIR_DEL, "write the directory", &stmt, err);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, atsign);
	ret = np_sqlite_change(s, SQL_DIR_DEL, stmt, "write the directory", NULL, err);
	if (!ret)
		return np_fail(err, -ENOENT, "%s: is not in the directory", atsign);
	return ret < 0 ? ret : 0;
}

int np_sqlite_dir_list(struct np_store *store, bool hosted_only, np_dir_fn fn, void *arg)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take(s, SQL_DIR_LIST, &stmt);
	if (ret)
		return ret;
	sqlite3_bind_int(stmt, 1, hosted_only ? 1 : 0);
	ret = visit(s, SQL_DIR_LIST, stmt, fn, arg);
	return ret < 0 ? ret : 0;
}

int np_sqlite_dir_generation(struct np_store *store, int64_t *generation)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int rc, ret;

	ret = np_sqlite_take(s, SQL_DIR_GENERATION, &stmt);
	if (ret)
		return ret;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*generation = sqlite3_column_int64(stmt, 0);
	ret = rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -EIO : np_sqlite_code(s->db, rc);
	return np_sqlite_give(s, SQL_DIR_GENERATION, stmt, ret);
}
