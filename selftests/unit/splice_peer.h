/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The far ends of a pair, for the tests of splice/ and relay/: they send and check streams whose
 * bytes tell their place.
 */
#ifndef SELFTESTS_SPLICE_PEER_H
#define SELFTESTS_SPLICE_PEER_H

#include <ev.h>

#include <stdbool.h>
#include <stdint.h>

struct peer {
	ev_io io;
	struct ev_loop *loop;
	uint64_t tx_seed, rx_seed;
	uint64_t tx_total;   /* bytes to send */
	uint64_t tx, rx;     /* bytes sent, received */
	uint64_t rx_bad;     /* bytes that were not what their place asks for */
	unsigned int chunk;  /* upper limit of a random piece */
	bool shut_when_sent; /* half-close behind the last byte */
	bool close_when_sent;
	bool paused;	 /* does not read */
	bool eof, reset; /* what the reading found */
	bool sent_fin;
	int fd;
};

/** peer_byte() - what stands at place @pos of the stream @seed. */
uint8_t peer_byte(uint64_t seed, uint64_t pos);
void peer_fill(uint64_t seed, uint64_t pos, void *dst, size_t len);
/** peer_start() - @fd is taken; set the other members before, zero is a good start. */
void peer_start(struct ev_loop *loop, struct peer *peer, int fd);
/** peer_update() - after members were changed. */
void peer_update(struct peer *peer);
void peer_stop(struct peer *peer);  /* closes, idempotent */
void peer_reset(struct peer *peer); /* closes with RST */
unsigned int peer_random(unsigned int below);

/**
 * tcp_pair() - two ends of one loopback connection, non-blocking. @rcvbuf: of fd[1], 0 leaves it.
 */
int tcp_pair(int fd[2], int rcvbuf);
/** loop_until() - run until @done says so. Return: false when @ms passed first. */
bool loop_until(struct ev_loop *loop, bool (*done)(void *arg), void *arg, unsigned int ms);

#endif
