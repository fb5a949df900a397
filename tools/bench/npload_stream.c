// SPDX-License-Identifier: BSD-3-Clause
/*
 * A byte of a stream depends on nothing but the seed and its position, so the receiver needs no
 * copy to compare with, and loss, duplication and reordering all show as a wrong byte.
 */
#include "npload.h"

#include <errno.h>
#include <string.h>

#define GOLDEN		0x9e3779b97f4a7c15ULL
#define CHUNK_MAX	65536

uint64_t mix64(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ (x >> 33);
}

void vstream_init(struct vstream *s, uint64_t seed, uint64_t total)
{
	memset(s, 0, sizeof(*s));
	s->seed = seed;
	s->total = total;
	s->first_bad = NO_BAD_BYTE;
	s->chunk_state = mix64(seed ^ total);
}

void vstream_fill(uint64_t seed, uint64_t pos, uint8_t *buf, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint64_t at = pos + i;
		uint64_t word = mix64(seed + (at >> 3) * GOLDEN);
		unsigned int skip = at & 7;
		size_t n = 8 - skip;

		if (!skip && len - i >= 8) {
			memcpy(buf + i, &word, 8);
			i += 8;
			continue;
		}
		if (n > len - i)
			n = len - i;
		memcpy(buf + i, (uint8_t *)&word + skip, n);
		i += n;
	}
}

/* Compares the next @len received bytes and moves on; remembers only the first difference. */
void vstream_check(struct vstream *s, const uint8_t *buf, size_t len)
{
	static uint8_t want[LOAD_BUF];
	size_t i;

	vstream_fill(s->seed, s->pos, want, len);
	if (s->first_bad == NO_BAD_BYTE && memcmp(buf, want, len)) {
		for (i = 0; buf[i] == want[i]; i++)
			;
		s->first_bad = s->pos + i;
	}
	s->pos += len;
}

/* A new random size for the next system call, 1 byte to 64 KiB. */
size_t vstream_chunk(struct vstream *s)
{
	s->chunk_state = mix64(s->chunk_state + GOLDEN);
	return 1 + s->chunk_state % CHUNK_MAX;
}

/* One send of random size. Returns 0 on progress or when the socket is full, or -errno. */
int vstream_send(struct vstream *s, int fd)
{
	static uint8_t buf[CHUNK_MAX];
	size_t len = vstream_chunk(s);
	ssize_t n;

	if (len > s->total - s->pos)
		len = s->total - s->pos;
	if (!len)
		return 0;
	vstream_fill(s->seed, s->pos, buf, len);
	n = send(fd, buf, len, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	s->pos += n;
	return 0;
}
