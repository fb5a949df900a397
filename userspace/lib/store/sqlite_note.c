// SPDX-License-Identifier: BSD-3-Clause
/* Notifications of the SQLite back end. */
#include "base/err.h"
#include "store/sqlite_internal.h"

#include <errno.h>

static bool read_note(sqlite3_stmt *stmt, struct np_note *note)
{
	note->seq = sqlite3_column_int64(stmt, 0);
	note->id = np_sqlite_col_text(stmt, 1);
	note->from = np_sqlite_col_text(stmt, 2);
	note->to = np_sqlite_col_text(stmt, 3);
	note->key = np_sqlite_col_text(stmt, 4);
	note->value = np_sqlite_col_text(stmt, 5);
	note->op = np_sqlite_col_text(stmt, 6);
	note->type = np_sqlite_col_text(stmt, 7);
	note->meta = np_sqlite_col_text(stmt, 8);
	note->dir = (enum np_note_dir)sqlite3_column_int(stmt, 9);
	note->status = (enum np_note_status)sqlite3_column_int(stmt, 10);
	note->epoch_ms = sqlite3_column_int64(stmt, 11);
	note->expires_at = sqlite3_column_int64(stmt, 12);
	note->retries = sqlite3_column_int64(stmt, 13);
	/* A NULL where the schema allows none means that there was no memory for the text. */
	return note->id && note->from && note->to && note->key && note->op && note->type &&
	       note->meta && (note->value || sqlite3_column_type(stmt, 5) == SQLITE_NULL);
}

/* Calls @fn for each row and gives the statement back. Return: number of rows, or negative errno. */
static int visit(struct np_sqlite *s, enum np_sqlite_sql id, sqlite3_stmt *stmt, np_note_fn fn,
		 void *arg)
{
	struct np_note note;
	bool more = true;
	int rc = SQLITE_OK, nr = 0;

	while (more && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (!read_note(stmt, &note)) {
			rc = SQLITE_NOMEM;
			break;
		}
		nr++;
		more = fn(&note, arg);
	}
	rc = np_sqlite_code(s->db, rc);
	return np_sqlite_give(s, id, stmt, rc ? rc : nr);
}

int np_sqlite_note_put(struct np_store *store, const char *tenant, const struct np_note *note,
		       int64_t *seq, struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_NOTE_PUT, "write a notification", &stmt, err);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, note->id);
	np_sqlite_bind_text(stmt, 3, note->from);
	np_sqlite_bind_text(stmt, 4, note->to);
	np_sqlite_bind_text(stmt, 5, note->key);
	np_sqlite_bind_text(stmt, 6, note->value);
	np_sqlite_bind_text(stmt, 7, note->op);
	np_sqlite_bind_text(stmt, 8, note->type);
	np_sqlite_bind_text(stmt, 9, note->meta ? note->meta : "{}");
	sqlite3_bind_int(stmt, 10, note->dir);
	sqlite3_bind_int(stmt, 11, note->status);
	sqlite3_bind_int64(stmt, 12, note->epoch_ms);
	sqlite3_bind_int64(stmt, 13, note->expires_at);
	sqlite3_bind_int64(stmt, 14, note->retries);
	ret = np_sqlite_change(s, SQL_NOTE_PUT, stmt, "write a notification", seq, err);
	return ret < 0 ? ret : 0;
}

int np_sqlite_note_set_status(struct np_store *store, const char *tenant, const char *id,
			      enum np_note_dir dir, enum np_note_status status, int64_t retries,
			      struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_NOTE_SET_STATUS, "update a notification", &stmt, err);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, id);
	sqlite3_bind_int(stmt, 3, dir);
	sqlite3_bind_int(stmt, 4, status);
	sqlite3_bind_int64(stmt, 5, retries);
	ret = np_sqlite_change(s, SQL_NOTE_SET_STATUS, stmt, "update a notification", NULL, err);
	if (!ret)
		return np_fail(err, -ENOENT, "%s: no such notification", id);
	return ret < 0 ? ret : 0;
}

int np_sqlite_note_get(struct np_store *store, const char *tenant, const char *id, np_note_fn fn,
		       void *arg)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take(s, SQL_NOTE_GET, &stmt);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, id);
	ret = visit(s, SQL_NOTE_GET, stmt, fn, arg);
	return ret > 0 ? 0 : ret ? ret : -ENOENT;
}

int np_sqlite_note_del(struct np_store *store, const char *tenant, const char *id,
		       struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_NOTE_DEL, "delete a notification", &stmt, err);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	np_sqlite_bind_text(stmt, 2, id);
	ret = np_sqlite_change(s, SQL_NOTE_DEL, stmt, "delete a notification", NULL, err);
	if (!ret)
		return np_fail(err, -ENOENT, "%s: no such notification", id);
	return ret < 0 ? ret : 0;
}

int np_sqlite_note_list(struct np_store *store, const char *tenant, enum np_note_dir dir,
			int64_t after_ms, int64_t now_ms, np_note_fn fn, void *arg)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take(s, SQL_NOTE_LIST, &stmt);
	if (ret)
		return ret;
	np_sqlite_bind_text(stmt, 1, tenant);
	sqlite3_bind_int(stmt, 2, dir);
	sqlite3_bind_int64(stmt, 3, after_ms);
	sqlite3_bind_int64(stmt, 4, now_ms);
	ret = visit(s, SQL_NOTE_LIST, stmt, fn, arg);
	return ret < 0 ? ret : 0;
}

int np_sqlite_note_queued(struct np_store *store, int64_t now_ms, np_note_fn fn, void *arg)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take(s, SQL_NOTE_QUEUED, &stmt);
	if (ret)
		return ret;
	sqlite3_bind_int64(stmt, 1, now_ms);
	ret = visit(s, SQL_NOTE_QUEUED, stmt, fn, arg);
	return ret < 0 ? ret : 0;
}

int np_sqlite_note_expire(struct np_store *store, int64_t now_ms, struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	ret = np_sqlite_take_change(s, SQL_NOTE_EXPIRE, "drop expired notifications", &stmt, err);
	if (ret)
		return ret;
	sqlite3_bind_int64(stmt, 1, now_ms);
	ret = np_sqlite_change(s, SQL_NOTE_EXPIRE, stmt, "drop expired notifications", NULL, err);
	return ret < 0 ? ret : 0;
}
