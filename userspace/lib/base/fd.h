/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors and small files. */
#ifndef NP_BASE_FD_H
#define NP_BASE_FD_H

#include <stddef.h>
#include <sys/types.h>

struct np_buf;
struct np_err;

/** np_fd_close() - close *@fd unless it is -1, then set it to -1; errno is kept. */
void np_fd_close(int *fd);
int np_fd_set_nonblock(int fd);
/** np_fd_set_cloexec() - @on false lets a child inherit the descriptor. */
int np_fd_set_cloexec(int fd, int on);
/** np_fd_write_all() - blocking write of everything. Return: 0 or negative errno. */
int np_fd_write_all(int fd, const void *data, size_t len);
/**
 * np_fd_open_private() - open a file of secrets for reading.
 * Refuses (-EPERM) what is no regular file or what group or others may read or write.
 */
int np_fd_open_private(const char *path, struct np_err *err);
/** np_file_read() - the whole file, at most @max bytes (-EFBIG), appended to @buf. */
int np_file_read(const char *path, size_t max, struct np_buf *buf, struct np_err *err);
/**
 * np_file_write_atomic() - write, fsync and rename over @path, so that a reader or a crash sees the old or the
 * new content. @mode is exact (not masked). The temporary file is removed on failure.
 */
int np_file_write_atomic(const char *path, const void *data, size_t len, mode_t mode,
			 struct np_err *err);
/** np_file_create_new() - as above, but fails with -EEXIST when @path exists. */
int np_file_create_new(const char *path, const void *data, size_t len, mode_t mode,
		       struct np_err *err);
/** np_dir_make() - mkdir -p with @mode for what is created. */
int np_dir_make(const char *path, mode_t mode, struct np_err *err);

#endif
