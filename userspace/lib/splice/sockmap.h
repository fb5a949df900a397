/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the sockmap back end: what is shared by the pairs of the process, and one pair's place in
 * it.
 *
 * The program and its maps belong to the process, whatever the number of engines; they are loaded
 * by the first probe and stay until the process ends. Not for several threads.
 */
#ifndef NP_SPLICE_SOCKMAP_H
#define NP_SPLICE_SOCKMAP_H

#include "npbpf/sockmap.h"
#include "splice/lane.h"

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct np_err;
struct np_pair;

/* Outstanding bytes of one direction: what one stalled reader may cost beyond its socket. */
#define NP_SOCKMAP_LIMIT (1024 * 1024)

/**
 * struct np_way - the direction that starts at one socket of a pair.
 * @slot: counters, shared with the program
 * @nr: number of the slot
 * @preread: bytes of this direction that user space had read before the join
 * @base: what @dst's TCP had taken at the join, see np_way_taken()
 * @cleared: slot->redir when @dst had last taken everything
 * @taken: at the last look, UINT64_MAX when that found everything taken
 * @moved_at_ms: when @taken last grew
 */
struct np_way {
	struct npsm_slot *slot;
	unsigned int nr;
	int src, dst;
	uint64_t cookie;
	uint64_t preread;
	uint64_t base, cleared, taken;
	long long moved_at_ms;
};

/*
 * @is_redirecting: both sockets are in the map; otherwise user space relays, one socket being in
 * the map or none.
 */
struct np_ways {
	struct np_way way[2];
	struct np_pair *pair; /* set by its owner */
	bool is_redirecting;
	bool is_watched; /* by np_watch_add() */
};

/**
 * np_sockmap_gate() - may sockmap be used here: kernel version, load, self-test? Once per process;
 * 0 or the reason.
 */
int np_sockmap_gate(struct np_err *err);
/**
 * np_sockmap_kernel() - is this kernel known to relay without harm?
 * @release, @version: as of uname(2); @signature: /proc/version_signature or ""
 * Return: 0, or -EOPNOTSUPP with the reason.
 */
int np_sockmap_kernel(const char *release, const char *version, const char *signature,
		      struct np_err *err);
/**
 * np_sockmap_selftest() - a scratch pair goes through what broken kernels get wrong. Takes less
 * than a second.
 */
int np_sockmap_selftest(struct np_err *err);

/**
 * np_sockmap_load() - load everything; np_sockmap_unload() takes it back, no pair must be left.
 * @nr_slots: even, two for each pair; 0: as many as the process may have descriptors
 */
int np_sockmap_load(unsigned int nr_slots, struct np_err *err);
void np_sockmap_unload(void);
/** np_sockmap_shared() - limits and the common charge; NULL while nothing is loaded. */
struct npsm_shared *np_sockmap_shared(void);
unsigned int np_sockmap_nr_free(void); /* pairs that still find a place */
/** np_sockmap_sweep() - the common budget is used up: find out what of it is still true. */
void np_sockmap_sweep(void);

/**
 * np_ways_open() - put two sockets into the map; user space must not send on them meanwhile.
 * @preread: bytes that go before everything else, to be sent by user space
 * Return: 0; on failure nothing has happened. A second socket that the map refuses is no failure:
 * the first stays where it is, since taking it out could lose bytes, and @is_redirecting is false.
 */
int np_ways_open(const int fd[2], const uint64_t preread[2], struct np_ways **out,
		 struct np_err *err);
/**
 * np_ways_close() - out of the map; what is on its way is lost. The descriptors are still open.
 * NULL is accepted.
 */
void np_ways_close(struct np_ways *ways);
/** np_sockmap_ways() - who has this slot; NULL: nobody. */
struct np_ways *np_sockmap_ways(unsigned int slot);

/**
 * np_watch_add() - have np_pump_wake() called for @ways->pair when bytes are passed or a side ends,
 * so that the sockets need not be watched for every packet. Works for one loop at a time: the pairs
 * of another one, or all when descriptors run out, stay as they are.
 */
void np_watch_add(struct np_ways *ways, struct ev_loop *loop);
void np_watch_remove(struct np_ways *ways);
void np_watch_close(void);
/** np_watch_passed() - bytes of @slot were passed. */
void np_watch_passed(unsigned int slot);
int np_sockmap_events_fd(void);
void np_sockmap_read_events(void);

/** np_way_kick() - have the program judge what arrived before the socket was in the map. */
void np_way_kick(const struct np_way *way);
/** np_way_taken() - bytes that the socket's TCP has ever taken for sending; low at worst. */
uint64_t np_way_taken(int fd);
/** np_way_uncharge() - only @left is owed any more: take the rest off the common budget. */
void np_way_uncharge(struct np_way *way, uint64_t left);

#endif
