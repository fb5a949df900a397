/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the user-space back ends share per engine: one big buffer, and pipes. Both are lent to a
 * direction only while its bytes are stuck, so that an idle pair owns neither.
 */
#ifndef NP_SPLICE_POOL_H
#define NP_SPLICE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct np_buf;

#define NP_POOL_BUF_SIZE (256 * 1024)
#define NP_POOL_PIPE_SIZE (1024 * 1024) /* what an unprivileged user may ask for by default */
#define NP_POOL_BUFS 4 /* kept for later; more are freed */
#define NP_POOL_PIPES 16

struct np_pipe {
	int fd[2];   /* -1 while nothing is lent */
	size_t size; /* capacity as the kernel granted it */
	size_t len;  /* bytes inside */
};

#define NP_PIPE_INIT                                                                               \
	{                                                                                          \
		{-1, -1}, 0, 0                                                                     \
	}

struct np_pool {
	uint8_t *bufs[NP_POOL_BUFS];
	unsigned int nr_bufs;
	struct np_pipe pipes[NP_POOL_PIPES];
	unsigned int nr_pipes;
};

void np_pool_fini(struct np_pool *pool);
/**
 * np_pool_buf() - the shared buffer, NP_POOL_BUF_SIZE bytes; stays the pool's. NULL on no memory.
 */
uint8_t *np_pool_buf(struct np_pool *pool);
/**
 * np_pool_lend_tail() - bytes [@from, @to) of the shared buffer could not be passed on: keep them
 * in @queue (empty). A long tail takes the buffer itself along, a short one is copied.
 */
int np_pool_lend_tail(struct np_pool *pool, size_t from, size_t to, struct np_buf *queue);
/** np_pool_take_back() - free an empty @queue, or keep its memory for the next tail. */
void np_pool_take_back(struct np_pool *pool, struct np_buf *queue);

/**
 * np_pool_pipe_get() - an empty pipe. Return: 0, or negative errno (descriptors, the user's pipe
 * budget).
 */
int np_pool_pipe_get(struct np_pool *pool, struct np_pipe *out);
/** np_pool_pipe_put() - give a pipe back, whatever is in it. */
void np_pool_pipe_put(struct np_pool *pool, struct np_pipe *pipe);

#endif
