/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * What the sockmap program (bpf/sockmap.bpf.c) and its user-space half share.
 *
 * A pair owns two neighbouring slots, 2n for side a and 2n + 1 for side b; the peer of a slot is
 * slot ^ 1. The map "socks" holds the sockets by slot, "refs" finds the slot by socket cookie,
 * "slots" is the state, mapped into user space. For the bytes that came from one side:
 *
 *	redir		went to the peer's socket inside the kernel
 *	pass		were left for user space to read
 *	consumed	of those, were sent to the peer by user space
 *
 * The program redirects only while pass == consumed. A socket's verdicts are serialised by its
 * lock, so this one comparison keeps the order of the stream across every change between the two
 * ways.
 */
#ifndef NPBPF_SOCKMAP_H
#define NPBPF_SOCKMAP_H

#include <linux/types.h>

/*
 * At most so many slots, 32768 pairs; user space sets the real number below that, by the number of
 * descriptors that the process may open. A slot costs 8 bytes in "socks" and 64 in "slots", so 4.5
 * MiB at the most.
 */
#define NPSM_MAX_SLOTS 65536

/*
 * What a waiting packet costs besides its payload, about: its sk_buff and the unused part of its
 * page.
 */
#define NPSM_PACKET_COST 1024

/*
 * A direction that owes less is not charged to the common budget: interactive pairs share no cache
 * line.
 */
#define NPSM_FREE_COST 4096

enum npsm_marks {
	NPSM_HAS_BASE = 1,
	NPSM_HAS_NEXT = 2,
	NPSM_BROKEN = 4, /* bytes were lost: the pair has to be reset */
};

struct npsm_ref {
	__u32 slot;
	__u32 generation;
};

/* State of the direction that starts at the slot's socket. One cache line. */
struct npsm_slot {
	__u64 redir;	  /* program */
	__u64 pass;	  /* program; user space starts it with the bytes that were read before */
	__u64 consumed;	  /* user space */
	__u64 last_ns;	  /* program: ktime of the last payload */
	__s32 charged;	  /* both, atomically: part of npsm_shared.charged */
	__u32 noticed;	  /* both, atomically: user space need not be told of passed bytes */
	__u32 nr_guarded; /* program: verdicts that the limits turned into a pass */
	__u32 next;	  /* program: sequence number of the next new byte */
	__u32 generation; /* user space: a slot that is used again gets another one */
	__u32 active;	  /* user space: may redirect */
	__u32 base;	  /* program: the peer's write_seq at redir + consumed == 0 */
	__u16 marks;	  /* program: enum npsm_marks */
	__u16 nr_out;	  /* program: packets redirected since the peer had last taken everything */
} __attribute__((aligned(64)));

/* One for all pairs. */
struct npsm_shared {
	__s64 charged; /* over all slots: redirected and not yet taken, with NPSM_PACKET_COST */
	__s64 budget;  /* above this nothing is redirected */
	__u32 limit;   /* the same for one direction */
	__u32 reserved;
};

_Static_assert(sizeof(struct npsm_slot) == 64, "a slot is one cache line");
_Static_assert(sizeof(struct npsm_shared) == 24, "both sides agree on the layout");

#endif
