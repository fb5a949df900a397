// SPDX-License-Identifier: BSD-3-Clause
/* Latency histogram: 256 linear steps per power of two, constant memory for any run length. */
#include "npload.h"

#include <stdlib.h>

#define SUB_BITS	8
#define SUB		(1u << SUB_BITS)
#define EXP_MAX		40		/* 2^40 ns, 18 minutes */
#define NR_SLOTS	((EXP_MAX - SUB_BITS + 1) * SUB)

struct hist {
	uint64_t count;
	uint64_t slot[NR_SLOTS];
};

struct hist *hist_new(void)
{
	return calloc(1, sizeof(struct hist));
}

void hist_free(struct hist *h)
{
	free(h);
}

static unsigned int slot_of(uint64_t ns)
{
	unsigned int shift;

	if (ns < SUB)
		return ns;
	if (ns >> EXP_MAX)
		return NR_SLOTS - 1;
	shift = 63 - __builtin_clzll(ns) - SUB_BITS;
	return (shift + 1) * SUB + (unsigned int)((ns >> shift) - SUB);
}

static double slot_middle_ns(unsigned int slot)
{
	unsigned int row = slot / SUB;
	unsigned int col = slot % SUB;

	if (!row)
		return col;
	return (double)((uint64_t)(SUB + col) << (row - 1)) + (double)(1ULL << (row - 1)) / 2;
}

void hist_add(struct hist *h, uint64_t ns)
{
	h->slot[slot_of(ns)]++;
	h->count++;
}

uint64_t hist_count(const struct hist *h)
{
	return h->count;
}

double hist_quantile_us(const struct hist *h, double q)
{
	uint64_t rank = (uint64_t)((double)h->count * q);
	uint64_t seen = 0;
	unsigned int i;

	if (!h->count)
		return 0;
	if (rank >= h->count)
		rank = h->count - 1;
	for (i = 0; i < NR_SLOTS; i++) {
		seen += h->slot[i];
		if (seen > rank)
			break;
	}
	return slot_middle_ns(i) / 1000;
}
