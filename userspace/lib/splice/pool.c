// SPDX-License-Identifier: BSD-3-Clause
#include "splice/pool.h"

#include "base/buf.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Up to here a copy is cheaper than tying up a whole buffer. */
#define SHORT_TAIL (16 * 1024)
/*
 * A pipe below this size (the user's budget is used up) would cost more calls than recv and send.
 */
#define USELESS_PIPE (64 * 1024)

void np_pool_fini(struct np_pool *pool)
{
	while (pool->nr_bufs)
		free(pool->bufs[--pool->nr_bufs]);
	while (pool->nr_pipes) {
		struct np_pipe *pipe = &pool->pipes[--pool->nr_pipes];

		np_fd_close(&pipe->fd[0]);
		np_fd_close(&pipe->fd[1]);
	}
}

/* The shared buffer is the top of the stack of free ones. */
uint8_t *np_pool_buf(struct np_pool *pool)
{
	if (!pool->nr_bufs) {
		/* One byte more: np_buf wants room for a NUL behind its data. */
		pool->bufs[0] = malloc(NP_POOL_BUF_SIZE + 1);
		if (!pool->bufs[0])
			return NULL;
		pool->nr_bufs = 1;
	}
	return pool->bufs[pool->nr_bufs - 1];
}

int np_pool_lend_tail(struct np_pool *pool, size_t from, size_t to, struct np_buf *queue)
{
	uint8_t *base = np_pool_buf(pool);

	if (!base)
		return -ENOMEM;
	if (to - from <= SHORT_TAIL)
		return np_buf_append(queue, base + from, to - from);
	np_buf_fini(queue);
	queue->data = base + from;
	queue->off = from;
	queue->len = to - from;
	queue->cap = NP_POOL_BUF_SIZE + 1;
	pool->nr_bufs--;
	return 0;
}

void np_pool_take_back(struct np_pool *pool, struct np_buf *queue)
{
	if (queue->cap != NP_POOL_BUF_SIZE + 1 || pool->nr_bufs == NP_POOL_BUFS) {
		np_buf_fini(queue);
		return;
	}
	pool->bufs[pool->nr_bufs++] = queue->data - queue->off;
	*queue = (struct np_buf)NP_BUF_INIT;
}

/* As far as the user's budget goes. Return: the size now. */
static int enlarge(int fd)
{
	int want, size;

	for (want = NP_POOL_PIPE_SIZE; want > USELESS_PIPE; want /= 4) {
		size = fcntl(fd, F_SETPIPE_SZ, want);
		if (size > 0)
			return size;
	}
	return fcntl(fd, F_GETPIPE_SZ);
}

int np_pool_pipe_get(struct np_pool *pool, struct np_pipe *out)
{
	int size;

	if (pool->nr_pipes) {
		*out = pool->pipes[--pool->nr_pipes];
		return 0;
	}
	if (pipe2(out->fd, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	size = enlarge(out->fd[1]);
	if (size < USELESS_PIPE) {
		np_fd_close(&out->fd[0]);
		np_fd_close(&out->fd[1]);
		return -ENOBUFS;
	}
	out->size = (size_t)size;
	out->len = 0;
	return 0;
}

void np_pool_pipe_put(struct np_pool *pool, struct np_pipe *pipe)
{
	if (pipe->fd[0] >= 0 && !pipe->len && pool->nr_pipes < NP_POOL_PIPES) {
		pool->pipes[pool->nr_pipes++] = *pipe;
	} else {
		np_fd_close(&pipe->fd[0]);
		np_fd_close(&pipe->fd[1]);
	}
	*pipe = (struct np_pipe)NP_PIPE_INIT;
}
