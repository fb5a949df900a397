/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the SQLite back end share.
 *
 * Statements are prepared once and lent: np_sqlite_take() empties the cache slot, np_sqlite_give()
 * fills it again. A visitor may therefore call the store while its own statement still steps; the
 * inner call of the same kind prepares a second statement, which is dropped on return.
 *
 * A change that fails inside a transaction dooms it: every later change and the commit fail with
 * the first code. SQLite rolls some failures back by itself, and what follows would then be
 * committed one by one.
 */
#ifndef NP_STORE_SQLITE_INTERNAL_H
#define NP_STORE_SQLITE_INTERNAL_H

#include "store/store.h"

#include <sqlite3.h>

#define NP_SQLITE_APP_ID 0x6b6e7053 /* "knpS" in the file's header: this file is ours */
#define NP_SQLITE_SCHEMA 1	    /* PRAGMA user_version */

enum np_sqlite_sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_RECORD_GET,
	SQL_RECORD_PUT,
	SQL_RECORD_DEL,
	SQL_RECORD_SCAN,
	SQL_RECORD_EXPIRED,
	SQL_LOG_LAST,
	SQL_LOG_APPEND,
	SQL_LOG_PUT,
	SQL_PURGE_RECORDS,
	SQL_PURGE_LOG,
	SQL_PURGE_NOTES,
	SQL_LOG_UP,
	SQL_LOG_DOWN,
	SQL_USAGE,
	SQL_NOTE_PUT,
	SQL_NOTE_SET_STATUS,
	SQL_NOTE_GET,
	SQL_NOTE_DEL,
	SQL_NOTE_LIST,
	SQL_NOTE_QUEUED,
	SQL_NOTE_EXPIRE,
	SQL_DIR_PUT,
	SQL_DIR_GET,
	SQL_DIR_DEL,
	SQL_DIR_LIST,
	SQL_DIR_GENERATION,
	SQL_NR
};

struct np_sqlite {
	struct np_store base; /* first: the vtable's functions cast */
	sqlite3 *db;
	char *path;
	bool read_only;
	bool in_txn;
	int doomed; /* first failure inside the open transaction */
	sqlite3_stmt *cache[SQL_NR];
};

extern const char *const np_sqlite_schema;
extern const char *const np_sqlite_text[SQL_NR];

static inline struct np_sqlite *np_sqlite_of(struct np_store *store)
{
	return (struct np_sqlite *)store;
}

/** np_sqlite_code() - negative errno for the connection's last failure, with result code @rc. */
int np_sqlite_code(sqlite3 *db, int rc);
/** np_sqlite_fail() - the same with the message "store PATH: cannot WHAT: why (way out)". */
int np_sqlite_fail(const struct np_sqlite *s, int rc, const char *what, struct np_err *err);

int np_sqlite_take(struct np_sqlite *s, enum np_sqlite_sql id, sqlite3_stmt **out);
/** np_sqlite_give() - reset and put back. Return: @ret. */
int np_sqlite_give(struct np_sqlite *s, enum np_sqlite_sql id, sqlite3_stmt *stmt, int ret);

/**
 * np_sqlite_take_change() - np_sqlite_take() for a statement that writes; refuses a read-only store
 * and a doomed transaction, with a message. @what as in "cannot WHAT".
 */
int np_sqlite_take_change(struct np_sqlite *s, enum np_sqlite_sql id, const char *what,
			  sqlite3_stmt **out, struct np_err *err);
/**
 * np_sqlite_change() - step a bound statement to its end and give it back.
 * @result: receives the integer of the first returned row, or NULL
 * Return: number of rows changed, or negative errno.
 */
int np_sqlite_change(struct np_sqlite *s, enum np_sqlite_sql id, sqlite3_stmt *stmt,
		     const char *what, int64_t *result, struct np_err *err);

/** np_sqlite_bind_text() - @text is borrowed until the statement is given back; NULL binds NULL. */
void np_sqlite_bind_text(sqlite3_stmt *stmt, int index, const char *text);
const char *np_sqlite_col_text(sqlite3_stmt *stmt, int index); /* NULL only for NULL */

int np_sqlite_begin(struct np_store *store, struct np_err *err);
int np_sqlite_commit(struct np_store *store, struct np_err *err);
void np_sqlite_rollback(struct np_store *store);

int np_sqlite_record_get(struct np_store *store, const char *tenant, const char *key,
			 np_record_fn fn, void *arg);
int np_sqlite_record_put(struct np_store *store, const char *tenant, const char *key,
			 const struct np_record *rec, struct np_err *err);
int np_sqlite_record_del(struct np_store *store, const char *tenant, const char *key,
			 struct np_err *err);
int np_sqlite_record_scan(struct np_store *store, const char *tenant, const char *prefix,
			  np_record_fn fn, void *arg);
int np_sqlite_record_expire(struct np_store *store, int64_t now_ms, unsigned int max,
			    bool (*fn)(const char *tenant, const char *key, void *arg), void *arg,
			    struct np_err *err);
int np_sqlite_log_append(struct np_store *store, const char *tenant, const char *key, char op,
			 int64_t *commit_id, struct np_err *err);
int np_sqlite_log_last(struct np_store *store, const char *tenant, int64_t *commit_id);
int np_sqlite_log_list(struct np_store *store, const char *tenant, int64_t after,
		       bool newest_first, np_log_fn fn, void *arg);
int np_sqlite_log_put(struct np_store *store, const char *tenant, const struct np_log_entry *entry,
		      struct np_err *err);
int np_sqlite_purge(struct np_store *store, const char *tenant, struct np_err *err);
int np_sqlite_begin_read(struct np_store *store, struct np_err *err);
void np_sqlite_end_read(struct np_store *store);
int np_sqlite_backup(struct np_store *store, const char *path, struct np_err *err);
int np_sqlite_usage(struct np_store *store, const char *tenant, struct np_store_usage *usage);

/** np_sqlite_read_record() - the record whose columns begin with the value at column @first. */
bool np_sqlite_read_record(sqlite3_stmt *stmt, int first, struct np_record *rec);

int np_sqlite_note_put(struct np_store *store, const char *tenant, const struct np_note *note,
		       int64_t *seq, struct np_err *err);
int np_sqlite_note_set_status(struct np_store *store, const char *tenant, const char *id,
			      enum np_note_dir dir, enum np_note_status status, int64_t retries,
			      struct np_err *err);
int np_sqlite_note_get(struct np_store *store, const char *tenant, const char *id, np_note_fn fn,
		       void *arg);
int np_sqlite_note_del(struct np_store *store, const char *tenant, const char *id,
		       struct np_err *err);
int np_sqlite_note_list(struct np_store *store, const char *tenant, enum np_note_dir dir,
			int64_t after_ms, int64_t now_ms, np_note_fn fn, void *arg);
int np_sqlite_note_queued(struct np_store *store, int64_t now_ms, np_note_fn fn, void *arg);
int np_sqlite_note_expire(struct np_store *store, int64_t now_ms, struct np_err *err);

int np_sqlite_dir_put(struct np_store *store, const struct np_dir_entry *entry, bool hosted,
		      struct np_err *err);
int np_sqlite_dir_get(struct np_store *store, const char *atsign, np_dir_fn fn, void *arg);
int np_sqlite_dir_del(struct np_store *store, const char *atsign, struct np_err *err);
int np_sqlite_dir_list(struct np_store *store, bool hosted_only, np_dir_fn fn, void *arg);
int np_sqlite_dir_generation(struct np_store *store, int64_t *generation);

#endif
