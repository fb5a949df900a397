/* SPDX-License-Identifier: BSD-3-Clause */
/* One direction of an emulated link: what happens to a frame, and when it comes out. */
#ifndef NP_LINKEM_LINK_H
#define NP_LINKEM_LINK_H

#include "linkem_conf.h"

#include <stddef.h>
#include <stdint.h>

#define LINKEM_NEVER INT64_MAX

struct linkem_frame;

struct linkem_fifo {
	struct linkem_frame *head;
	struct linkem_frame *last; /* meaningless while nr is 0 */
	uint64_t nr;
};

/*
 * in_packets + duplicated == out_packets + lost + dropped_* + refused + held, where held is what
 * is under way.
 */
struct linkem_counters {
	uint64_t in_packets, in_bytes;
	uint64_t out_packets, out_bytes;
	uint64_t lost;
	uint64_t duplicated;
	uint64_t reordered;     /* frames that did overtake another */
	uint64_t dropped_queue; /* came while limit frames were waiting, or memory was full */
	uint64_t dropped_mtu;   /* larger than the link lets through */
	uint64_t refused;       /* the receiving device did not take it, as when it is down */
};

struct linkem_dir {
	const struct linkem_shape *shape; /* borrowed; may change between calls */
	int out_fd;                       /* borrowed */
	uint64_t key;                     /* what this direction's luck comes from */
	int64_t tx_done_at;               /* when the head of queue has been sent, ns */
	struct linkem_fifo queue;         /* waiting for the rate; the head is being sent */
	struct linkem_fifo pipe;          /* sent, arriving after the delay, in order */
	uint64_t held_bytes;
	struct linkem_counters count;
};

/**
 * linkem_dir_init() - start an idle direction
 * @seed: with the same seed, the Nth frame of a direction meets the same fate
 */
void linkem_dir_init(struct linkem_dir *dir, enum linkem_side from,
		     const struct linkem_shape *shape, int out_fd, uint64_t seed);
void linkem_dir_fini(struct linkem_dir *dir);

/* Take one Ethernet frame that came in at now, in CLOCK_MONOTONIC nanoseconds. */
void linkem_dir_input(struct linkem_dir *dir, const void *data, size_t len, int64_t now);

/* Hand out all frames that are due at now. */
void linkem_dir_run(struct linkem_dir *dir, int64_t now);

/* When linkem_dir_run() is needed next, LINKEM_NEVER if nothing is under way. */
int64_t linkem_dir_next_at(const struct linkem_dir *dir);

/* Frames under way. */
uint64_t linkem_dir_nr_held(const struct linkem_dir *dir);

#endif
