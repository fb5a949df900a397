/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * What the express program (bpf/express.bpf.c) and its user-space half share: TCP splice by header
 *translation.
 *
 * Two TCP connections that end in this host, one to peer X and one to peer Y, become one between X
 *and Y. Each of the two directions has an entry in the map "flows", found by the tuple of the
 *arriving segment. Its numbers are constants from the moment of the take-over on:
 *
 *	seq' = seq + dseq	ack' = ack + dack (SACK edges too)	TSval' = TSval + dtsv
 *TSecr' = TSecr - dtsv of Y window' = (window << wscale_in) >> wscale_out, at most 65535, at least
 *1 unless 0
 *
 * "Raw" numbers are those of the arriving segments. The raw numbers of Y are the translated numbers
 *of X, which is why one entry is enough to judge the other's segments. Addresses, ports and nothing
 *else are in network byte order.
 *
 * The program writes only the second half of an entry (and takes NPX_F_PARK away), and only from
 *segments of that entry's own direction.
 */
#ifndef NPBPF_EXPRESS_H
#define NPBPF_EXPRESS_H

#include <linux/types.h>

/* Part of every pinned name: another layout gets another number and lives beside the old one. */
#define NPX_LAYOUT 1

/* 131072 pairs. Entries are allocated one by one, an empty table costs its buckets only. */
#define NPX_MAX_FLOWS 262144

#define NPX_MIN_WINDOW 65536u /* how far outside of the window a segment may lie at least */

enum npx_state {
	NPX_PASS, /* the stack gets everything */
	NPX_HOLD, /* the stack gets bare ACK, RST and SYN; what carries payload or FIN waits on the
		     TAP device */
	NPX_SPLICE,
};

#define NPX_REPLAY_MARK 0x6b6e7078u /* of a held segment between the two programs */
#define NPX_REPLAY_END                                                                             \
	0x3f /* TCP flags of the frame that ends NPX_F_PARK; nothing else in it counts */

enum npx_flags {
	NPX_F_TIMESTAMPS = 1, /* both connections use them */
	NPX_F_PARK = 2, /* of splice: what was held comes first, the new wait behind it on the TAP
			   device */
};

enum npx_marks {
	NPX_M_TS_KNOWN = 1, /* dtsv is set */
	NPX_M_FIN = 2,	    /* a FIN came; fin_end is the number behind it */
	NPX_M_RST = 4,	    /* a RST came that the other end will believe */
	NPX_M_SYN = 8, /* a SYN came: what does not fit the window goes to the stack from then on */
};

struct npx_key {
	__u32 saddr[4]; /* IPv4: the first word, the others 0 */
	__u32 daddr[4];
	__u16 sport, dport;
	__u32 family; /* 4 or 6 */
};

struct npx_flow {
	/* of user space */
	struct npx_key out; /* as the segment leaves; swapped, the key of the opposite direction */
	__u32 state;
	__u32 flags;
	__u32 dseq, dack;
	__u32 tsbase;	    /* TSval' of the first segment */
	__u32 isn;	    /* raw number of the first byte after the take-over */
	__u32 oif;	    /* where it leaves */
	__u32 tap;	    /* where held segments wait */
	__u64 hold_until;   /* ktime ns: a hold ends by itself, should its owner die */
	__u64 pair_id;	    /* of the owner */
	__u64 bytes_before; /* moved in user space */
	__u64 born_wall_ms;
	__u32 owner; /* process */
	__u8 wscale_in, wscale_out;
	__u8 side; /* 0: from side a of the pair */
	__u8 reserved;

	/* of the program */
	__u64 pos;     /* bytes by sequence advance */
	__u64 packets; /* as they arrive; merged ones count once */
	__u64 last_ns; /* coarse ktime of the last new payload */
	__u32 ack;     /* highest acknowledgement sent by this peer, raw */
	__u32 edge;    /* highest right edge of its window, raw acknowledgement space */
	__u32 win_max; /* largest window in bytes */
	__u32 dtsv;
	__u32 fin_end;
	__u32 marks;
	__u32 refused; /* segments outside of the window */
	__u32 iif;     /* where a held segment came in */
};

_Static_assert(sizeof(struct npx_key) == 40, "npx_key is part of the pinned layout");
_Static_assert(sizeof(struct npx_flow) == 168, "npx_flow is part of the pinned layout");

#endif
