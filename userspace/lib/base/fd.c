// SPDX-License-Identifier: BSD-3-Clause
#include "base/fd.h"

#include "base/buf.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void np_fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int np_fd_set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int np_fd_set_cloexec(int fd, int on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int np_fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int np_fd_open_private(const char *path, struct np_err *err)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return np_fail_errno(err, errno, "%s: cannot open", path);
	if (fstat(fd, &st) < 0) {
		np_fail_errno(err, errno, "%s: cannot stat", path);
		np_fd_close(&fd);
		return -EIO;
	}
	if (S_ISREG(st.st_mode) && !(st.st_mode & 077))
		return fd;
	np_fd_close(&fd);
	if (!S_ISREG(st.st_mode))
		return np_fail(err, -EPERM, "%s: is not a regular file", path);
	return np_fail(err, -EPERM, "%s: mode %03o lets others read it; run: chmod 600 %s", path,
		       st.st_mode & 0777, path);
}

int np_file_read(const char *path, size_t max, struct np_buf *buf, struct np_err *err)
{
	size_t got = 0;
	ssize_t n = 0;
	int fd, ret = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return np_fail_errno(err, errno, "%s: cannot open", path);
	for (;;) {
		uint8_t *room = np_buf_reserve(buf, 4096);

		if (!room) {
			ret = np_fail_errno(err, -ENOMEM, "%s: cannot read", path);
			break;
		}
		n = read(fd, room, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		np_buf_commit(buf, (size_t)n);
		got += (size_t)n;
		if (got > max) {
			ret = np_fail(err, -EFBIG, "%s: larger than %zu bytes", path, max);
			break;
		}
	}
	if (!ret && n < 0)
		ret = np_fail_errno(err, errno, "%s: cannot read", path);
	np_fd_close(&fd);
	return ret;
}

static int sync_dir_of(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == dir)
		slash[1] = '\0';
	else if (slash)
		*slash = '\0';
	else
		snprintf(dir, sizeof(dir), ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fsync(fd);
	np_fd_close(&fd);
	return 0;
}

static int write_temp(const char *path, char *tmp, size_t size, const void *data, size_t len,
		      mode_t mode, struct np_err *err)
{
	int fd, ret;

	if ((size_t)snprintf(tmp, size, "%s.XXXXXX", path) >= size)
		return np_fail(err, -ENAMETOOLONG, "%s: path too long", path);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return np_fail_errno(err, errno, "%s: cannot create a temporary file beside it",
				     path);
	ret = np_fd_write_all(fd, data, len);
	if (!ret && (fchmod(fd, mode) || fsync(fd)))
		ret = -errno;
	np_fd_close(&fd);
	if (ret) {
		unlink(tmp);
		return np_fail_errno(err, ret, "%s: cannot write", path);
	}
	return 0;
}

int np_file_write_atomic(const char *path, const void *data, size_t len, mode_t mode,
			 struct np_err *err)
{
	char tmp[PATH_MAX];
	int ret;

	ret = write_temp(path, tmp, sizeof(tmp), data, len, mode, err);
	if (ret)
		return ret;
	if (rename(tmp, path) < 0) {
		ret = np_fail_errno(err, errno, "%s: cannot replace", path);
		unlink(tmp);
		return ret;
	}
	sync_dir_of(path);
	return 0;
}

int np_file_create_new(const char *path, const void *data, size_t len, mode_t mode,
		       struct np_err *err)
{
	char tmp[PATH_MAX];
	int ret;

	ret = write_temp(path, tmp, sizeof(tmp), data, len, mode, err);
	if (ret)
		return ret;
	/* link() is the only rename that refuses to overwrite on every file system. */
	if (link(tmp, path) < 0)
		ret = errno == EEXIST
			      ? np_fail(err, -EEXIST, "%s: exists already, not overwritten", path)
			      : np_fail_errno(err, errno, "%s: cannot create", path);
	unlink(tmp);
	sync_dir_of(path);
	return ret;
}

static int make_one_dir(const char *dir, mode_t mode, struct np_err *err)
{
	struct stat st;

	if (mkdir(dir, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return np_fail_errno(err, errno, "%s: cannot create", dir);
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return np_fail(err, -ENOTDIR, "%s: exists and is no directory", dir);
	return 0;
}

int np_dir_make(const char *path, mode_t mode, struct np_err *err)
{
	char dir[PATH_MAX];
	char *p;
	int ret;

	if (!*path)
		return np_fail(err, -EINVAL, "cannot create a directory without a name");
	if ((size_t)snprintf(dir, sizeof(dir), "%s", path) >= sizeof(dir))
		return np_fail(err, -ENAMETOOLONG, "%s: path too long", path);
	for (p = dir + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		ret = make_one_dir(dir, mode, err);
		if (ret)
			return ret;
		*p = '/';
	}
	return make_one_dir(dir, mode, err);
}
