// SPDX-License-Identifier: BSD-3-Clause
/* The SQLite back end: opening and checking the file, transactions, statements, error codes. */
#include "store/store.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * Another process (npctl) holds the write lock for milliseconds; longer than this is a fault worth
 * an error.
 */
#define BUSY_TIMEOUT_MS 5000
#define WAL_KEEP_BYTES "16777216"

int np_sqlite_code(sqlite3 *db, int rc)
{
	int sys = sqlite3_system_errno(db);

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_TOOBIG:
		return -EFBIG;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_IOERR:
		/*
		 * Only write(2) itself maps a full disk to SQLITE_FULL; growing the shared index
		 * does not.
		 */
		return sys == ENOSPC || sys == EDQUOT ? -ENOSPC : sys == EROFS ? -EROFS : -EIO;
	case SQLITE_CANTOPEN:
		return sys ? -sys : -ENOENT;
	default:
		return -EIO;
	}
}

static const char *way_out(int code)
{
	switch (code) {
	case -ENOSPC:
		return "; free space on its file system";
	case -EROFS:
		return "; it is read-only, make its file system and folder writable";
	case -EBUSY:
		return "; another process holds its write lock";
	case -EUCLEAN:
		return "; restore it from a copy";
	default:
		return "";
	}
}

int np_sqlite_fail(const struct np_sqlite *s, int rc, const char *what, struct np_err *err)
{
	int code = np_sqlite_code(s->db, rc);

	return np_fail(err, code, "store %s: cannot %s: %s%s", s->path, what, sqlite3_errmsg(s->db),
		       way_out(code));
}

int np_sqlite_take(struct np_sqlite *s, enum np_sqlite_sql id, sqlite3_stmt **out)
{
	int rc = SQLITE_OK;

	*out = s->cache[id];
	s->cache[id] = NULL;
	if (!*out)
		rc = sqlite3_prepare_v3(s->db, np_sqlite_text[id], -1, SQLITE_PREPARE_PERSISTENT,
					out, NULL);
	return np_sqlite_code(s->db, rc);
}

int np_sqlite_give(struct np_sqlite *s, enum np_sqlite_sql id, sqlite3_stmt *stmt, int ret)
{
	if (s->cache[id]) {
		sqlite3_finalize(stmt);
		return ret;
	}
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	s->cache[id] = stmt;
	return ret;
}

int np_sqlite_take_change(struct np_sqlite *s, enum np_sqlite_sql id, const char *what,
			  sqlite3_stmt **out, struct np_err *err)
{
	int ret;

	if (s->read_only)
		return np_fail(err, -EROFS, "store %s: cannot %s: it was opened read-only", s->path,
			       what);
	if (s->doomed)
		return np_fail(err, s->doomed,
			       "store %s: cannot %s: an earlier change of the same"
			       " transaction failed",
			       s->path, what);
	ret = np_sqlite_take(s, id, out);
	if (ret)
		np_sqlite_fail(s, sqlite3_errcode(s->db), what, err);
	if (ret && s->in_txn)
		s->doomed = ret;
	return ret;
}

int np_sqlite_change(struct np_sqlite *s, enum np_sqlite_sql id, sqlite3_stmt *stmt,
		     const char *what, int64_t *result, struct np_err *err)
{
	int rc, ret;

	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		if (result)
			*result = sqlite3_column_int64(stmt, 0);
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_DONE)
		return np_sqlite_give(s, id, stmt, sqlite3_changes(s->db));
	ret = np_sqlite_fail(s, rc, what, err);
	if (s->in_txn)
		s->doomed = ret;
	return np_sqlite_give(s, id, stmt, ret);
}

void np_sqlite_bind_text(sqlite3_stmt *stmt, int index, const char *text)
{
	/*
	 * Binding borrowed memory cannot fail but for a text of 1 GB, which then binds NULL and is
	 * refused.
	 */
	sqlite3_bind_text64(stmt, index, text, text ? strlen(text) : 0, SQLITE_STATIC, SQLITE_UTF8);
}

const char *np_sqlite_col_text(sqlite3_stmt *stmt, int index)
{
	return (const char *)sqlite3_column_text(stmt, index);
}

int np_sqlite_begin(struct np_store *store, struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	if (s->in_txn)
		return np_fail(err, -EINVAL, "store %s: a transaction is already open", s->path);
	ret = np_sqlite_take_change(s, SQL_BEGIN, "begin a change", &stmt, err);
	if (ret)
		return ret;
	ret = np_sqlite_change(s, SQL_BEGIN, stmt, "begin a change", NULL, err);
	if (ret < 0)
		return ret;
	s->in_txn = true;
	return 0;
}

void np_sqlite_rollback(struct np_store *store)
{
	struct np_sqlite *s = np_sqlite_of(store);

	s->in_txn = false;
	s->doomed = 0;
	if (s->db && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, np_sqlite_text[SQL_ROLLBACK], NULL, NULL, NULL);
}

int np_sqlite_commit(struct np_store *store, struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	sqlite3_stmt *stmt;
	int ret;

	if (!s->in_txn)
		return np_fail(err, -EINVAL, "store %s: no transaction is open", s->path);
	ret = np_sqlite_take_change(s, SQL_COMMIT, "commit", &stmt, err);
	if (!ret)
		ret = np_sqlite_change(s, SQL_COMMIT, stmt, "commit", NULL, err);
	if (ret < 0) {
		np_sqlite_rollback(store);
		return ret;
	}
	s->in_txn = false;
	return 0;
}

static void sqlite_close(struct np_store *store)
{
	struct np_sqlite *s = np_sqlite_of(store);
	int i;

	np_sqlite_rollback(store);
	for (i = 0; i < SQL_NR; i++)
		sqlite3_finalize(s->cache[i]);
	sqlite3_close(s->db);
	free(s->path);
	free(s);
}

static const struct np_store_ops sqlite_ops = {
	.name = "sqlite",
	.close = sqlite_close,
	.begin = np_sqlite_begin,
	.commit = np_sqlite_commit,
	.rollback = np_sqlite_rollback,
	.get = np_sqlite_record_get,
	.put = np_sqlite_record_put,
	.del = np_sqlite_record_del,
	.scan = np_sqlite_record_scan,
	.log_append = np_sqlite_log_append,
	.log_last = np_sqlite_log_last,
	.log_list = np_sqlite_log_list,
	.log_put = np_sqlite_log_put,
	.purge = np_sqlite_purge,
	.usage = np_sqlite_usage,
	.expire = np_sqlite_record_expire,
	.note_put = np_sqlite_note_put,
	.note_set_status = np_sqlite_note_set_status,
	.note_get = np_sqlite_note_get,
	.note_del = np_sqlite_note_del,
	.note_list = np_sqlite_note_list,
	.note_queued = np_sqlite_note_queued,
	.note_expire = np_sqlite_note_expire,
	.dir_put = np_sqlite_dir_put,
	.dir_get = np_sqlite_dir_get,
	.dir_del = np_sqlite_dir_del,
	.dir_list = np_sqlite_dir_list,
	.dir_generation = np_sqlite_dir_generation,
	.begin_read = np_sqlite_begin_read,
	.end_read = np_sqlite_end_read,
	.backup = np_sqlite_backup,
};

static int query_int(struct np_sqlite *s, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int set_wal(struct np_sqlite *s, bool *wal)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	*wal = false;
	rc = sqlite3_prepare_v2(s->db, "pragma journal_mode = wal", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*wal = !strcmp(np_sqlite_col_text(stmt, 0), "wal");
		rc = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return rc;
}

/*
 * Is the file empty (0), ours (1), or what else? One transaction, so that half a creation is never
 * seen.
 */
static int identify(struct np_sqlite *s, struct np_err *err)
{
	int64_t app = 0, version = 0, tables = 0;
	int rc = SQLITE_OK;

	if (!s->in_txn)
		rc = sqlite3_exec(s->db, "begin", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = query_int(s, "select count(*) from sqlite_master", &tables);
	if (rc == SQLITE_OK)
		rc = query_int(s, "pragma application_id", &app);
	if (rc == SQLITE_OK)
		rc = query_int(s, "pragma user_version", &version);
	if (!s->in_txn && rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, "commit", NULL, NULL, NULL);
	if (rc == SQLITE_NOTADB)
		return np_fail(err, -EUCLEAN, "store %s: is no SQLite database; name another file",
			       s->path);
	if (rc != SQLITE_OK)
		return np_sqlite_fail(s, rc, "read it", err);
	if (!app && !version && !tables)
		return 0;
	if (app != NP_SQLITE_APP_ID)
		return np_fail(err, -EUCLEAN,
			       "store %s: is the database of another program; name"
			       " another file",
			       s->path);
	if (version > NP_SQLITE_SCHEMA)
		return np_fail(err, -EPROTONOSUPPORT,
			       "store %s: its schema %lld is newer than the %d"
			       " of this program; install the newer version",
			       s->path, (long long)version, NP_SQLITE_SCHEMA);
	return 1;
}

/*
 * Switching to WAL needs the file alone and does not wait for it, so two first starts at once may
 * meet here.
 */
static int enter_wal(struct np_sqlite *s, struct np_err *err)
{
	const struct timespec pause = {0, 20 * 1000 * 1000};
	int rc, tries = BUSY_TIMEOUT_MS / 20;
	bool wal;

	for (;;) {
		rc = set_wal(s, &wal);
		if ((rc & 0xff) != SQLITE_BUSY || !--tries)
			break;
		nanosleep(&pause, NULL);
	}
	if (rc != SQLITE_OK)
		return np_sqlite_fail(s, rc, "switch to WAL mode", err);
	if (!wal)
		return np_fail(err, -EIO,
			       "store %s: WAL mode did not take effect; its file system"
			       " must be local",
			       s->path);
	return 0;
}

static int durable(struct np_sqlite *s, struct np_err *err)
{
	int64_t level = 0;
	int rc;

	rc = sqlite3_exec(s->db, "pragma synchronous = full", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = query_int(s, "pragma synchronous", &level);
	if (rc != SQLITE_OK)
		return np_sqlite_fail(s, rc, "set synchronous=FULL", err);
	if (level < 2)
		return np_fail(err, -EIO, "store %s: synchronous=FULL did not take effect",
			       s->path);
	return 0;
}

/* Another process may have made the schema between our look and our lock, so it is looked at again. */
static int create_schema(struct np_sqlite *s, struct np_err *err)
{
	char stamp[96];
	int rc, ret;

	ret = np_sqlite_begin(&s->base, err);
	if (ret)
		return ret;
	ret = identify(s, err);
	if (ret) {
		np_sqlite_rollback(&s->base);
		return ret < 0 ? ret : 0;
	}
	sqlite3_snprintf(sizeof(stamp), stamp,
			 "pragma application_id = %d; pragma user_version = %d", NP_SQLITE_APP_ID,
			 NP_SQLITE_SCHEMA);
	rc = sqlite3_exec(s->db, np_sqlite_schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, stamp, NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		ret = np_sqlite_fail(s, rc, "create its tables", err);
		np_sqlite_rollback(&s->base);
		return ret;
	}
	return np_sqlite_commit(&s->base, err);
}

/* The file holds what only its owner may read; SQLite gives its companions the same mode. */
static int create_file(struct np_sqlite *s, struct np_err *err)
{
	int fd;

	fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return errno == EEXIST
			       ? 0
			       : np_fail_errno(err, errno, "store %s: cannot create", s->path);
	np_fd_close(&fd);
	return 0;
}

static int open_file(struct np_sqlite *s, struct np_err *err)
{
	int flags =
		SQLITE_OPEN_NOMUTEX | (s->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
	int rc, ret;

	ret = s->read_only ? 0 : create_file(s, err);
	if (ret)
		return ret;
	rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
	if (!s->db)
		return -ENOMEM;
	if (rc != SQLITE_OK)
		return np_sqlite_fail(s, rc, "open it", err);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	/*
	 * SQLite falls back to reading when the file may not be written; a server must hear that at
	 * once.
	 */
	if (!s->read_only && sqlite3_db_readonly(s->db, "main"))
		return np_fail(err, -EROFS,
			       "store %s: cannot be written; check its mode, owner and"
			       " file system",
			       s->path);
	return 0;
}

static int prepare_file(struct np_sqlite *s, struct np_err *err)
{
	int ret;

	ret = identify(s, err);
	if (ret < 0)
		return ret;
	if (!ret && s->read_only)
		return np_fail(err, -ENOENT,
			       "store %s: is empty; the server makes its tables at its"
			       " first start",
			       s->path);
	if (s->read_only)
		return 0; /* a copy of a store may be in another journal mode, and be read as well */
	if (enter_wal(s, err) || durable(s, err))
		return err->code;
	sqlite3_exec(s->db, "pragma journal_size_limit = " WAL_KEEP_BYTES, NULL, NULL, NULL);
	return ret ? 0 : create_schema(s, err);
}

int np_store_open_sqlite(const char *path, bool read_only, struct np_store **out,
			 struct np_err *err)
{
	struct np_err local = NP_ERR_INIT;
	struct np_sqlite *s;
	int ret;

	*out = NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->base.ops = &sqlite_ops;
	s->read_only = read_only;
	s->path = strdup(path);
	ret = s->path ? open_file(s, err ? err : &local) : -ENOMEM;
	if (!ret)
		ret = prepare_file(s, err ? err : &local);
	if (ret) {
		sqlite_close(&s->base);
		return ret;
	}
	*out = &s->base;
	return 0;
}
