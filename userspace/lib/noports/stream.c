// SPDX-License-Identifier: BSD-3-Clause
#include "noports/stream.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * O_NONBLOCK belongs to the open file description, which a shell or ssh shares with us. Pipes and
 * terminals can be opened a second time through /proc, which gives a description of our own; a
 * regular file cannot (it would start at its beginning) and never waits anyway.
 */
static int reopen(int fd, bool writing)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, (writing ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

void stream_open(struct stream *s, int fd, bool writing)
{
	struct stat st;
	int own;

	s->fd = fd;
	s->is_socket = s->may_wait = false;
	if (fstat(fd, &st) < 0)
		return;
	s->is_socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	own = reopen(fd, writing);
	if (own < 0) {
		s->may_wait = true;
		return;
	}
	np_fd_close(&fd);
	s->fd = own;
}

void stream_close(struct stream *s)
{
	np_fd_close(&s->fd);
}

ssize_t stream_read(const struct stream *s, void *data, size_t size)
{
	ssize_t n;

	do {
		n = s->is_socket ? recv(s->fd, data, size, MSG_DONTWAIT) : read(s->fd, data, size);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	/* A terminal whose other end has gone says EIO where a pipe says end of file. */
	return errno == EIO && !s->is_socket ? 0 : -errno;
}

ssize_t stream_write(const struct stream *s, const void *data, size_t len)
{
	ssize_t n;

	/* A pipe that is reported writable has room for PIPE_BUF bytes. */
	if (s->may_wait && len > PIPE_BUF)
		len = PIPE_BUF;
	do {
		n = s->is_socket ? send(s->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL)
				 : write(s->fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

void stream_finish(struct stream *s)
{
	if (s->is_socket)
		(void)shutdown(s->fd, SHUT_WR);
	else
		stream_close(s);
}

bool stream_is_dead(const struct stream *s)
{
	struct pollfd p = { .fd = s->fd };

	return s->is_socket && poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP));
}
