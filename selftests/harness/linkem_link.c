// SPDX-License-Identifier: BSD-3-Clause
/*
 *   input -> loss -> duplication -> queue (rate, limit) -> pipe (delay, jitter) -> output
 *                                                     \___ reordered frames ___/
 *
 * Both stages are first in, first out: a frame is never due before the one ahead of it, however
 * short its own jitter. A reordered frame passes by the pipe, and thus all frames in it.
 */
#include "linkem_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A full pipe of 10 Gbit/s and 200 ms; more than that is a mistake in a test's parameters. */
#define HELD_BYTES_MAX (256ULL << 20)

struct linkem_frame {
	struct linkem_frame *next;
	int64_t due_at;
	double jitter; /* -1 to 1 */
	size_t len;
	bool is_early;
	unsigned char data[];
};

enum draw { DRAW_LOSS, DRAW_DUP, DRAW_REORDER, DRAW_JITTER, NR_DRAWS };

/*
 * The splitmix64 output function over a counter: every frame has its own four numbers, so that
 * neither a parameter changed half-way nor a lost frame shifts the luck of the frames after it.
 */
static double draw(const struct linkem_dir *dir, enum draw which)
{
	uint64_t x = dir->key +
		     (dir->count.in_packets * NR_DRAWS + which) * 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	x ^= x >> 31;
	return (double)(x >> 11) * 0x1p-53;
}

static void fifo_push(struct linkem_fifo *fifo, struct linkem_frame *frame)
{
	frame->next = NULL;
	if (fifo->nr++)
		fifo->last->next = frame;
	else
		fifo->head = frame;
	fifo->last = frame;
}

static struct linkem_frame *fifo_pop(struct linkem_fifo *fifo)
{
	struct linkem_frame *frame = fifo->head;

	fifo->head = frame->next;
	fifo->nr--;
	return frame;
}

static void fifo_fini(struct linkem_fifo *fifo)
{
	while (fifo->nr)
		free(fifo_pop(fifo));
}

void linkem_dir_init(struct linkem_dir *dir, enum linkem_side from,
		     const struct linkem_shape *shape, int out_fd, uint64_t seed)
{
	*dir = (struct linkem_dir){ .shape = shape, .out_fd = out_fd };
	/* Far apart for neighbouring seeds and for the two sides: their streams do not meet. */
	dir->key = (seed * LINKEM_SIDES + from + 1) * 0xd1342543de82ef95ULL;
	dir->key ^= dir->key >> 32;
}

void linkem_dir_fini(struct linkem_dir *dir)
{
	fifo_fini(&dir->queue);
	fifo_fini(&dir->pipe);
}

static void output(struct linkem_dir *dir, struct linkem_frame *frame)
{
	ssize_t n;

	do
		n = write(dir->out_fd, frame->data, frame->len);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)frame->len) {
		dir->count.out_packets++;
		dir->count.out_bytes += frame->len;
	} else {
		dir->count.refused++;
	}
	dir->held_bytes -= frame->len;
	free(frame);
}

/* A frame has been sent at sent_at and begins its way. */
static void pipe_enter(struct linkem_dir *dir, struct linkem_frame *frame, int64_t sent_at)
{
	const struct linkem_shape *s = dir->shape;
	double delay_ms = s->delay_ms + s->jitter_ms * frame->jitter;

	if (frame->is_early) {
		if (dir->pipe.nr)
			dir->count.reordered++;
		output(dir, frame);
		return;
	}
	frame->due_at = sent_at + (delay_ms > 0 ? (int64_t)(delay_ms * 1e6) : 0);
	if (dir->pipe.nr && frame->due_at < dir->pipe.last->due_at)
		frame->due_at = dir->pipe.last->due_at;
	fifo_push(&dir->pipe, frame);
}

static void transmit_start(struct linkem_dir *dir, int64_t at)
{
	double mbit = dir->shape->rate;

	dir->tx_done_at = at;
	/* One bit at 1 Mbit/s takes 1000 ns. The rate may have been lifted meanwhile. */
	if (mbit > 0)
		dir->tx_done_at += (int64_t)((double)dir->queue.head->len * 8 * 1000 / mbit);
}

static void accept_frame(struct linkem_dir *dir, const void *data, size_t len, int64_t now)
{
	const struct linkem_shape *s = dir->shape;
	struct linkem_frame *frame = NULL;

	/* The frame that is being sent waits no longer. */
	if ((!dir->queue.nr || (double)(dir->queue.nr - 1) < s->limit) &&
	    dir->held_bytes + len <= HELD_BYTES_MAX)
		frame = malloc(sizeof(*frame) + len);
	if (!frame) {
		dir->count.dropped_queue++;
		return;
	}
	memcpy(frame->data, data, len);
	frame->len = len;
	frame->jitter = 2 * draw(dir, DRAW_JITTER) - 1;
	frame->is_early = draw(dir, DRAW_REORDER) * 100 < s->reorder;
	dir->held_bytes += len;
	if (s->rate <= 0 && !dir->queue.nr) {
		pipe_enter(dir, frame, now);
		return;
	}
	fifo_push(&dir->queue, frame);
	if (dir->queue.nr == 1)
		transmit_start(dir, now);
}

static bool fits_mtu(const struct linkem_dir *dir, const void *data, size_t len)
{
	struct ethhdr eth;
	size_t header = sizeof(eth);

	if (len >= sizeof(eth)) {
		memcpy(&eth, data, sizeof(eth));
		if (eth.h_proto == htons(ETH_P_8021Q))
			header += 4;
	}
	return (double)len <= dir->shape->mtu + (double)header;
}

void linkem_dir_input(struct linkem_dir *dir, const void *data, size_t len, int64_t now)
{
	const struct linkem_shape *s = dir->shape;

	dir->count.in_packets++;
	dir->count.in_bytes += len;
	/* Whatever was sent before now leaves the queue before its length is looked at. */
	linkem_dir_run(dir, now);
	if (!fits_mtu(dir, data, len)) {
		dir->count.dropped_mtu++;
		return;
	}
	if (draw(dir, DRAW_LOSS) * 100 < s->loss) {
		dir->count.lost++;
		return;
	}
	accept_frame(dir, data, len, now);
	if (draw(dir, DRAW_DUP) * 100 < s->dup) {
		dir->count.duplicated++;
		accept_frame(dir, data, len, now);
	}
}

void linkem_dir_run(struct linkem_dir *dir, int64_t now)
{
	/* By due time, so that a late call gives the order and rate of a punctual one. */
	for (;;) {
		bool may_send = dir->queue.nr && dir->tx_done_at <= now;
		bool may_out = dir->pipe.nr && dir->pipe.head->due_at <= now;

		if (may_out && (!may_send || dir->pipe.head->due_at <= dir->tx_done_at)) {
			output(dir, fifo_pop(&dir->pipe));
		} else if (may_send) {
			struct linkem_frame *frame = fifo_pop(&dir->queue);
			int64_t sent_at = dir->tx_done_at;

			if (dir->queue.nr)
				transmit_start(dir, sent_at);
			pipe_enter(dir, frame, sent_at);
		} else {
			return;
		}
	}
}

int64_t linkem_dir_next_at(const struct linkem_dir *dir)
{
	int64_t at = LINKEM_NEVER;

	if (dir->queue.nr)
		at = dir->tx_done_at;
	if (dir->pipe.nr && dir->pipe.head->due_at < at)
		at = dir->pipe.head->due_at;
	return at;
}

uint64_t linkem_dir_nr_held(const struct linkem_dir *dir)
{
	return dir->queue.nr + dir->pipe.nr;
}
