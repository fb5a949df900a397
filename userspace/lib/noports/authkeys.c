// SPDX-License-Identifier: BSD-3-Clause
/*
 * One edit: resolve the link, check as sshd does, lock, read, edit, write a temporary file beside,
 * rename. People and their tools take no part in the lock, so before the rename the file is looked
 * at again, and when it has changed the edit starts anew.
 */
#include "noports/authkeys.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypto/rand.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)
#define LOCK_TRIES 200
#define LOCK_PAUSE_NS 5000000
#define EDIT_TRIES 8

/* What is to be done: add when @line is set, else remove. */
struct edit {
	const char *key, *line;
	const char *comment;
	bool prefix;
};

int np_authkeys_init(struct np_authkeys *keys, const char *home, struct np_err *err)
{
	int n = snprintf(keys->path, sizeof(keys->path), "%s/.ssh/authorized_keys", home);

	if (n < 0 || (size_t)n >= sizeof(keys->path) ||
	    np_str_copy(keys->home, sizeof(keys->home), home))
		return np_fail(err, -ENAMETOOLONG,
			       "authorized_keys: the path of the home folder is too long");
	return 0;
}

static int check_stat(const char *path, const struct stat *st, struct np_err *err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return np_fail(err, -EPERM, "%s: belongs to another user", path);
	if (st->st_mode & 022)
		return np_fail(err, -EPERM,
			       "%s: group or others may write, so sshd would ignore it; run: chmod "
			       "go-w %s",
			       path, path);
	return 0;
}

/* Every folder from the file up to home, as sshd's StrictModes. */
static int check_folders(const struct np_authkeys *keys, const char *real, struct np_err *err)
{
	char copy[PATH_MAX], home[PATH_MAX], *dir = copy;
	struct stat st;
	int ret;

	if (!realpath(keys->home, home))
		return np_fail_errno(err, errno, "%s: cannot resolve", keys->home);
	if (np_str_copy(copy, sizeof(copy), real))
		return -ENAMETOOLONG;
	do {
		dir = dirname(dir);
		if (stat(dir, &st) < 0)
			return np_fail_errno(err, errno, "%s: cannot look at it", dir);
		ret = check_stat(dir, &st, err);
	} while (!ret && strcmp(dir, home) && strcmp(dir, "/"));
	return ret;
}

/* The file itself, wherever the link leads; a file that is missing gets its name in the real
 * folder. */
static int resolve(const struct np_authkeys *keys, bool create, char real[PATH_MAX],
		   struct np_err *err)
{
	char copy[PATH_MAX], folder[PATH_MAX];
	struct stat st;
	int ret;

	if (realpath(keys->path, real))
		return check_folders(keys, real, err);
	if (errno != ENOENT || !lstat(keys->path, &st))
		return np_fail_errno(err, errno ? errno : ENOENT, "%s: cannot resolve", keys->path);
	if (!create)
		return -ENOENT;
	if (np_str_copy(copy, sizeof(copy), keys->path))
		return -ENAMETOOLONG;
	ret = np_dir_make(dirname(copy), 0700, err);
	if (ret)
		return ret;
	if (!realpath(copy, folder))
		return np_fail_errno(err, errno, "%s: cannot resolve", copy);
	if (snprintf(real, PATH_MAX, "%.*s/authorized_keys", PATH_MAX - 32, folder) < 0)
		return -EINVAL;
	return check_folders(keys, real, err);
}

static int lock(const char *real, int *fd, struct np_err *err)
{
	const struct timespec pause = { 0, LOCK_PAUSE_NS };
	char path[PATH_MAX + 64], copy[PATH_MAX];
	unsigned int i;

	if (np_str_copy(copy, sizeof(copy), real))
		return -ENAMETOOLONG;
	snprintf(path, sizeof(path), "%s/.authorized_keys.np-lock", dirname(copy));
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		return np_fail_errno(err, errno, "%s: cannot open", path);
	for (i = 0; i < LOCK_TRIES; i++) {
		if (!flock(*fd, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		nanosleep(&pause, NULL);
	}
	return np_fail_errno(err, errno == EWOULDBLOCK ? EBUSY : errno, "%s: cannot lock", path);
}

/* Return: 0 with the content and what the file was, st_nlink 0 when there is none. */
static int load(const char *real, struct np_buf *text, struct stat *st, struct np_err *err)
{
	int ret;

	np_buf_fini(text);
	memset(st, 0, sizeof(*st));
	st->st_mode = 0600;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	if (lstat(real, st) < 0)
		return errno == ENOENT ? 0
				       : np_fail_errno(err, errno, "%s: cannot look at it", real);
	if (!S_ISREG(st->st_mode))
		return np_fail(err, -EPERM, "%s: is not a regular file", real);
	ret = check_stat(real, st, err);
	return ret ? ret : np_file_read(real, FILE_MAX, text, err);
}

static bool is_unchanged(const char *real, const struct stat *then)
{
	struct stat now;

	if (lstat(real, &now) < 0)
		return errno == ENOENT && !then->st_nlink;
	return now.st_ino == then->st_ino && now.st_size == then->st_size &&
	       now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == then->st_mtim.tv_nsec;
}

/* np_file_write_atomic() would not keep a foreign owner, and sshd must never see the file without
 * it. */
static int replace(const char *real, const struct np_buf *text, const struct stat *st,
		   struct np_err *err)
{
	char path[PATH_MAX + 48], id[NP_UUID_SIZE];
	int fd, ret;

	ret = np_rand_uuid4(id);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s.%s", real, id);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return np_fail_errno(err, errno, "%s: cannot create", path);
	ret = np_fd_write_all(fd, text->data, text->len);
	if (!ret && (st->st_uid != geteuid() || st->st_gid != getegid()) &&
	    fchown(fd, st->st_uid, st->st_gid) < 0)
		ret = -errno;
	if (!ret && (fchmod(fd, st->st_mode & 07777) < 0 || fsync(fd) < 0))
		ret = -errno;
	np_fd_close(&fd);
	if (!ret && !is_unchanged(real, st))
		ret = -EAGAIN;
	else if (!ret && rename(path, real) < 0)
		ret = -errno;
	if (ret) {
		unlink(path);
		return ret == -EAGAIN ? ret : np_fail_errno(err, ret, "%s: cannot replace", real);
	}
	return 0;
}

/* Return: lines changed, or negative errno; -EAGAIN when somebody else edited meanwhile. */
static int edit_once(const char *real, const struct edit *edit, struct np_err *err)
{
	struct np_buf text = NP_BUF_INIT, out = NP_BUF_INIT;
	struct stat st;
	int ret, changed = 0;

	ret = load(real, &text, &st, err);
	if (ret)
		goto out;
	if (!edit->line)
		changed = np_authkeys_text_remove(np_buf_str(&text), text.len, edit->comment,
						  edit->prefix, &out);
	else if (!np_authkeys_text_has(np_buf_str(&text), text.len, edit->key))
		changed = np_authkeys_text_add(np_buf_str(&text), text.len, edit->line, &out);
	if (changed > 0)
		ret = replace(real, &out, &st, err);
	else if (changed < 0)
		ret = np_fail_errno(err, changed, "%s: cannot edit", real);
out:
	np_buf_fini(&text);
	np_buf_fini(&out);
	return ret ? ret : changed;
}

static int run_edit(const struct np_authkeys *keys, const struct edit *edit, struct np_err *err)
{
	char real[PATH_MAX];
	int fd = -1, ret;
	unsigned int i;

	ret = resolve(keys, edit->line != NULL, real, err);
	if (ret)
		return ret == -ENOENT && !edit->line ? 0 : ret;
	ret = lock(real, &fd, err);
	for (i = 0; !ret && i < EDIT_TRIES; i++) {
		ret = edit_once(real, edit, err);
		if (ret != -EAGAIN)
			goto out;
		ret = 0;
	}
	if (!ret)
		ret = np_fail(err, -EBUSY, "%s: somebody else keeps changing it", real);
out:
	np_fd_close(&fd);
	return ret;
}

int np_authkeys_add(const struct np_authkeys *keys, const char *options, const char *key,
		    const char *comment, struct np_err *err)
{
	struct np_buf line = NP_BUF_INIT;
	struct edit edit = { .key = key };
	int ret;

	ret = np_buf_printf(&line, "%s%s%s%s%s", options ? options : "",
			    options && *options ? " " : "", key, comment && *comment ? " " : "",
			    comment ? comment : "");
	edit.line = np_buf_str(&line);
	if (ret)
		np_fail_errno(err, ret, "authorized_keys");
	else if (strpbrk(edit.line, "\r\n"))
		ret = np_fail(err, -EINVAL, "authorized_keys: an entry must be one line");
	else
		ret = run_edit(keys, &edit, err);
	np_buf_fini(&line);
	return ret < 0 ? ret : 0;
}

int np_authkeys_remove(const struct np_authkeys *keys, const char *comment, bool prefix,
		       struct np_err *err)
{
	struct edit edit = { .comment = comment, .prefix = prefix };

	return run_edit(keys, &edit, err);
}
