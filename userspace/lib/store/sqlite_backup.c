// SPDX-License-Identifier: BSD-3-Clause
/*
 * Copies of a whole store. The copy is made in one step inside one read transaction: in WAL mode
 * that holds no writer up, and what it reads is one moment. It is written beside its final name and
 * renamed when it is on disk, so that a copy that exists is complete.
 */
#include "base/err.h"
#include "base/fd.h"
#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int np_sqlite_begin_read(struct np_store *store, struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	int rc;

	if (s->in_txn)
		return np_fail(err, -EINVAL, "store %s: a transaction is already open", s->path);
	/* The moment is that of the first read, so there is one at once. */
	rc = sqlite3_exec(s->db, "begin; select count(*) from counters", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return 0;
	np_sqlite_fail(s, rc, "begin to read", err);
	np_sqlite_end_read(store);
	return np_sqlite_code(s->db, rc);
}

void np_sqlite_end_read(struct np_store *store)
{
	struct np_sqlite *s = np_sqlite_of(store);

	if (!s->in_txn && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "commit", NULL, NULL, NULL);
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = fsync(fd) ? -errno : 0;
	np_fd_close(&fd);
	return ret;
}

static int sync_folder_of(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	return sync_path(dirname(copy), O_RDONLY | O_DIRECTORY);
}

/* The copy is one file without companions, whatever the journal mode of the original is. */
static int copy_into(struct np_sqlite *s, sqlite3 *to, const char *path, struct np_err *err)
{
	sqlite3_backup *copy = sqlite3_backup_init(to, "main", s->db, "main");
	int rc;

	if (!copy)
		return np_fail(err, -EIO, "%s: cannot copy: %s", path, sqlite3_errmsg(to));
	rc = sqlite3_backup_step(copy, -1);
	sqlite3_backup_finish(copy);
	if (rc == SQLITE_DONE)
		rc = sqlite3_exec(to, "pragma journal_mode = delete", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return np_fail(err, np_sqlite_code(to, rc), "%s: cannot copy: %s", path,
			       sqlite3_errmsg(to));
	return 0;
}

static int make_copy(struct np_sqlite *s, const char *temp, struct np_err *err)
{
	int fd = open(temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	sqlite3 *to = NULL;
	int ret;

	if (fd < 0)
		return np_fail_errno(err, errno, "%s: cannot create", temp);
	np_fd_close(&fd);
	if (sqlite3_open_v2(temp, &to, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		ret = np_fail(err, -EIO, "%s: cannot create", temp);
	else
		ret = copy_into(s, to, temp, err);
	sqlite3_close(to);
	if (ret)
		return ret;
	ret = sync_path(temp, O_RDONLY);
	return ret ? np_fail_errno(err, ret, "%s: cannot be written to disk", temp) : 0;
}

static int temp_name(const char *path, char temp[PATH_MAX], struct np_err *err)
{
	int len = snprintf(temp, PATH_MAX, "%s.part", path);

	return len < 0 || len >= PATH_MAX ? np_fail(err, -ENAMETOOLONG, "%.100s: path too long",
						    path)
					  : 0;
}

int np_sqlite_backup(struct np_store *store, const char *path, struct np_err *err)
{
	struct np_sqlite *s = np_sqlite_of(store);
	char temp[PATH_MAX];
	int ret;

	if (temp_name(path, temp, err))
		return -ENAMETOOLONG;
	if (!access(path, F_OK))
		return np_fail(err, -EEXIST, "%s: is there already, nothing was changed", path);
	ret = make_copy(s, temp, err);
	/* link(2) fails where a file is; rename(2) would replace one that came meanwhile. */
	if (!ret && link(temp, path))
		ret = np_fail_errno(err, errno, "%s: cannot create", path);
	unlink(temp);
	if (!ret)
		sync_folder_of(path);
	return ret;
}

/* A process that has the store open holds a lock that makes this fail. */
static int check_unused(const char *path, struct np_err *err)
{
	sqlite3 *db = NULL;
	int rc;

	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "pragma locking_mode = exclusive; begin exclusive; commit",
				  NULL, NULL, NULL);
	sqlite3_close(db);
	if ((rc & 0xff) == SQLITE_BUSY)
		return np_fail(err, -EBUSY, "store %s: is in use; stop atserverd first", path);
	return 0; /* damaged or no store at all: all the more reason to replace it */
}

static int check_sound(struct np_sqlite *s, const char *path, struct np_err *err)
{
	sqlite3_stmt *stmt = NULL;
	bool sound = false;

	if (sqlite3_prepare_v2(s->db, "pragma integrity_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		sound = !strcmp(np_sqlite_col_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	return sound ? 0 : np_fail(err, -EUCLEAN, "%s: is damaged, nothing was changed", path);
}

static void remove_companion(const char *path, const char *suffix)
{
	char name[PATH_MAX];

	if (snprintf(name, sizeof(name), "%s%s", path, suffix) < (int)sizeof(name))
		unlink(name);
}

int np_store_restore_sqlite(const char *path, const char *from, bool replace, struct np_err *err)
{
	struct np_store *source = NULL;
	char temp[PATH_MAX];
	bool there = !access(path, F_OK);
	int ret;

	if (temp_name(path, temp, err))
		return -ENAMETOOLONG;
	if (there && !replace)
		return np_fail(err, -EEXIST, "store %s: is there already, nothing was changed",
			       path);
	ret = np_store_open_sqlite(from, true, &source, err);
	if (!ret)
		ret = check_sound(np_sqlite_of(source), from, err);
	if (!ret && there)
		ret = check_unused(path, err);
	if (!ret)
		ret = make_copy(np_sqlite_of(source), temp, err);
	np_store_close(source);
	if (!ret) {
		/* The old log must not be replayed into the new file. */
		remove_companion(path, "-wal");
		remove_companion(path, "-shm");
		if (rename(temp, path))
			ret = np_fail_errno(err, errno, "store %s: cannot replace", path);
		else
			sync_folder_of(path);
	}
	if (ret)
		unlink(temp);
	return ret;
}
