/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside noports/: reading and writing a descriptor of any kind without ever waiting and without
 * changing its flags, which the processes that share it would see.
 */
#ifndef NP_NOPORTS_STREAM_H
#define NP_NOPORTS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stream {
	int fd;
	bool is_socket;
	bool may_wait; /* not ours to make non-blocking: only as much is written as fits for sure */
};

#define STREAM_INIT                                                                                \
	{                                                                                          \
		-1, false, false                                                                   \
	}

/** stream_open() - take @fd; @writing tells the direction that will be used. */
void stream_open(struct stream *s, int fd, bool writing);
void stream_close(struct stream *s);
/** stream_read() - Return: bytes, 0 at the end, -EAGAIN, or negative errno. */
ssize_t stream_read(const struct stream *s, void *data, size_t size);
ssize_t stream_write(const struct stream *s, const void *data, size_t len);
/** stream_finish() - no more will be written: half-close of a socket, close of anything else. */
void stream_finish(struct stream *s);
/** stream_is_dead() - has the connection gone, so that neither direction can work any more? */
bool stream_is_dead(const struct stream *s);

#endif
