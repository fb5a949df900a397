// SPDX-License-Identifier: BSD-3-Clause
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "harness/ktap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/test_fd.XXXXXX";
static struct np_err err;

static const char *in_dir(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static unsigned int mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mode & 07777;
}

static unsigned int nr_files(void)
{
	struct dirent *entry;
	unsigned int nr = 0;
	DIR *d = opendir(dir);

	if (!d)
		return 0;
	while ((entry = readdir(d)))
		nr += entry->d_name[0] != '.';
	closedir(d);
	return nr;
}

static bool holds(const char *path, const char *text)
{
	struct np_buf buf = NP_BUF_INIT;
	bool same = !np_file_read(path, 1000, &buf, &err) && !strcmp(np_buf_str(&buf), text);

	np_buf_fini(&buf);
	return same;
}

static void close_once(void)
{
	int fd = open("/dev/null", O_RDONLY), copy = fd;

	errno = 77;
	np_fd_close(&fd);
	KTAP_EQ(errno, 77);
	KTAP_EQ(fd, -1);
	KTAP_OK(fcntl(copy, F_GETFD) < 0);
	np_fd_close(&fd);
}

static void flags(void)
{
	int fd = open("/dev/null", O_RDONLY);

	KTAP_EQ(np_fd_set_nonblock(fd), 0);
	KTAP_OK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	KTAP_EQ(np_fd_set_cloexec(fd, 1), 0);
	KTAP_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	KTAP_EQ(np_fd_set_cloexec(fd, 0), 0);
	KTAP_EQ(fcntl(fd, F_GETFD), 0);
	np_fd_close(&fd);
	KTAP_EQ(np_fd_set_nonblock(fd), -EBADF);
}

static void private_means_private(void)
{
	const char *path = in_dir("secret");
	int fd;

	KTAP_EQ(np_file_write_atomic(path, "x", 1, 0640, &err), 0);
	KTAP_EQ(np_fd_open_private(path, &err), -EPERM);
	KTAP_OK(strstr(err.msg, "chmod 600"));
	chmod(path, 0602);
	KTAP_EQ(np_fd_open_private(path, &err), -EPERM);
	chmod(path, 0600);
	fd = np_fd_open_private(path, &err);
	KTAP_OK(fd >= 0);
	KTAP_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	np_fd_close(&fd);
	KTAP_EQ(np_fd_open_private(dir, &err), -EPERM);
	unlink(path);
	KTAP_EQ(np_fd_open_private(path, &err), -ENOENT);
	/* Nobody writes into this one: opening must not wait for a writer. */
	KTAP_EQ(mkfifo(path, 0600), 0);
	KTAP_EQ(np_fd_open_private(path, &err), -EPERM);
	unlink(path);
}

static void read_is_bounded(void)
{
	const char *path = in_dir("big");
	struct np_buf buf = NP_BUF_INIT;
	char data[10000];

	memset(data, 'a', sizeof(data));
	KTAP_EQ(np_file_write_atomic(path, data, sizeof(data), 0600, &err), 0);
	KTAP_EQ(np_file_read(path, sizeof(data), &buf, &err), 0);
	KTAP_EQ(buf.len, sizeof(data));
	np_buf_fini(&buf);
	KTAP_EQ(np_file_read(path, sizeof(data) - 1, &buf, &err), -EFBIG);
	np_buf_fini(&buf);
	KTAP_EQ(np_file_read(dir, 100, &buf, &err), -EISDIR);
	KTAP_EQ(np_file_read(in_dir("none"), 100, &buf, &err), -ENOENT);
	np_buf_fini(&buf);
	unlink(in_dir("big"));
}

static void write_replaces_whole(void)
{
	const char *path = in_dir("file");
	mode_t old = umask(077);

	KTAP_EQ(np_file_write_atomic(path, "one", 3, 0644, &err), 0);
	KTAP_EQ(mode_of(path), 0644);
	KTAP_EQ(np_file_write_atomic(path, "second", 6, 0600, &err), 0);
	KTAP_EQ(mode_of(path), 0600);
	KTAP_OK(holds(path, "second"));
	KTAP_EQ(nr_files(), 1);
	umask(old);
	unlink(path);
}

static void failed_write_leaves_nothing(void)
{
	KTAP_EQ(mkdir(in_dir("d"), 0700), 0);
	KTAP_OK(np_file_write_atomic(in_dir("d"), "x", 1, 0600, &err) < 0);
	KTAP_EQ(nr_files(), 1);
	rmdir(in_dir("d"));
	KTAP_EQ(np_file_write_atomic(in_dir("none/x"), "x", 1, 0600, &err), -ENOENT);
	KTAP_OK(strstr(err.msg, "none/x"));
}

static void create_refuses_to_overwrite(void)
{
	const char *path = in_dir("new");

	KTAP_EQ(np_file_create_new(path, "one", 3, 0600, &err), 0);
	KTAP_EQ(mode_of(path), 0600);
	KTAP_EQ(np_file_create_new(path, "two", 3, 0600, &err), -EEXIST);
	KTAP_OK(holds(path, "one"));
	KTAP_EQ(nr_files(), 1);
	unlink(path);
}

static void directories(void)
{
	KTAP_EQ(np_dir_make(in_dir("a/b/c"), 0700, &err), 0);
	KTAP_EQ(mode_of(in_dir("a/b/c")), 0700);
	KTAP_EQ(np_dir_make(in_dir("a/b/c"), 0700, &err), 0);
	KTAP_EQ(np_file_write_atomic(in_dir("a/file"), "x", 1, 0600, &err), 0);
	KTAP_EQ(np_dir_make(in_dir("a/file"), 0700, &err), -ENOTDIR);
	KTAP_EQ(np_dir_make(in_dir("a/file/x"), 0700, &err), -ENOTDIR);
	KTAP_EQ(np_dir_make("", 0700, &err), -EINVAL);
	unlink(in_dir("a/file"));
	rmdir(in_dir("a/b/c"));
	rmdir(in_dir("a/b"));
	rmdir(in_dir("a"));
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	KTAP_RUN(close_once);
	KTAP_RUN(flags);
	KTAP_RUN(private_means_private);
	KTAP_RUN(read_is_bounded);
	KTAP_RUN(write_replaces_whole);
	KTAP_RUN(failed_write_leaves_nothing);
	KTAP_RUN(create_refuses_to_overwrite);
	KTAP_RUN(directories);
	rmdir(dir);
	return ktap_done();
}
