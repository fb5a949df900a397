// SPDX-License-Identifier: BSD-3-Clause
/* Slots: who gets which, how sockets go into the map and out of it, and the common budget. */
#include "splice/sockmap.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "kern/sockmapobj.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of the machine's memory this part may be on its way between sockets, within reason. */
#define BUDGET_SHARE 64
#define BUDGET_MIN (8ll << 20)
#define BUDGET_MAX (256ll << 20)
#define SWEEP_EVERY_MS 50
#define TCP_STATE_ESTABLISHED 1

static struct {
	struct np_sockmapobj obj;
	struct np_ways **ways; /* by slot */
	unsigned int *free; /* stack of pair numbers; the slots are twice that and its neighbour */
	unsigned int nr_free;
	long long swept_at_ms;
	bool said_half;
} set;

/* A pair holds two descriptors, so there cannot be more slots in use than descriptors. */
static unsigned int slots_wanted(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) || rl.rlim_max > NPSM_MAX_SLOTS)
		return NPSM_MAX_SLOTS;
	return rl.rlim_max < 2 ? 2 : (unsigned int)rl.rlim_max & ~1u;
}

static long long budget(void)
{
	long long memory =
		(long long)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / BUDGET_SHARE;

	if (memory < BUDGET_MIN)
		return BUDGET_MIN;
	return memory > BUDGET_MAX ? BUDGET_MAX : memory;
}

int np_sockmap_load(unsigned int nr_slots, struct np_err *err)
{
	unsigned int nr = nr_slots ? nr_slots : slots_wanted(), i;
	int ret;

	ret = np_sockmapobj_open(&set.obj, nr, np_watch_passed, err);
	if (ret)
		return ret;
	set.ways = calloc(nr, sizeof(*set.ways));
	set.free = calloc(nr / 2, sizeof(*set.free));
	if (!set.ways || !set.free) {
		np_sockmap_unload();
		return np_fail(err, -ENOMEM, "sockmap: no memory");
	}
	for (i = 0; i < nr / 2; i++)
		set.free[i] = nr / 2 - 1 - i;
	set.nr_free = nr / 2;
	set.obj.shared->limit = NP_SOCKMAP_LIMIT;
	set.obj.shared->budget = budget();
	return 0;
}

void np_sockmap_unload(void)
{
	np_watch_close();
	np_sockmapobj_close(&set.obj);
	free(set.ways);
	free(set.free);
	set.ways = NULL;
	set.free = NULL;
	set.nr_free = 0;
}

struct npsm_shared *np_sockmap_shared(void)
{
	return set.obj.shared;
}

unsigned int np_sockmap_nr_free(void)
{
	return set.nr_free;
}

/*
 * Acknowledged is read first: an acknowledgement in between makes the sum too low, never too high.
 */
uint64_t np_way_taken(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int queued = 0;

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) || ioctl(fd, SIOCOUTQ, &queued))
		return 0;
	return info.tcpi_bytes_acked + (uint64_t)queued;
}

void np_way_uncharge(struct np_way *way, uint64_t left)
{
	long long surplus =
		__atomic_load_n(&way->slot->charged, __ATOMIC_RELAXED) - (long long)left;

	if (surplus <= 0)
		return;
	__atomic_fetch_sub(&way->slot->charged, (int32_t)surplus, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&set.obj.shared->charged, surplus, __ATOMIC_RELAXED);
}

struct np_ways *np_sockmap_ways(unsigned int slot)
{
	return slot < set.obj.nr_slots ? set.ways[slot] : NULL;
}

int np_sockmap_events_fd(void)
{
	return np_sockmapobj_events_fd(&set.obj);
}

void np_sockmap_read_events(void)
{
	np_sockmapobj_read_events(&set.obj);
}

void np_sockmap_sweep(void)
{
	struct npsm_shared *shared = set.obj.shared;
	long long now = np_clock_mono_ms();
	unsigned int i;

	if (__atomic_load_n(&shared->charged, __ATOMIC_RELAXED) <= shared->budget ||
	    now - set.swept_at_ms < SWEEP_EVERY_MS)
		return;
	for (i = 0; i < set.obj.nr_slots; i++) {
		struct np_way *way = set.ways[i] ? &set.ways[i]->way[i & 1] : NULL;
		uint64_t sent, taken;

		if (!way || !way->slot->charged)
			continue;
		/* Later redirections only make the difference smaller than it is. */
		sent = way->slot->redir + way->slot->consumed;
		taken = np_way_taken(way->dst) - way->base;
		np_way_uncharge(way, taken < sent ? sent - taken : 0);
	}
	set.swept_at_ms = np_clock_mono_ms();
}

void np_way_kick(const struct np_way *way)
{
	char byte;
	int one = 1;

	/*
	 * From 6.4 on a read has the queue judged; before, only the data-ready callback does, which
	 * this calls.
	 */
	(void)recv(way->src, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	(void)setsockopt(way->src, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one));
}

/* The map takes no other socket; most refusals are found here, before anything has been changed. */
static int check_socket(int fd, char side, struct np_err *err)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);
	int protocol = 0;
	socklen_t protocol_len = sizeof(protocol);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &protocol_len) ||
	    protocol != IPPROTO_TCP || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return np_fail(err, -EOPNOTSUPP, "side %c is not plain TCP", side);
	if (info.tcpi_state != TCP_STATE_ESTABLISHED)
		return np_fail(err, -EOPNOTSUPP, "side %c has ended its stream already", side);
	return 0;
}

static void way_init(struct np_way *way, unsigned int nr, const int fd[2], uint64_t preread)
{
	uint32_t generation = set.obj.slots[nr].generation + 1;
	socklen_t len = sizeof(way->cookie);

	way->slot = &set.obj.slots[nr];
	way->nr = nr;
	way->src = fd[nr & 1];
	way->dst = fd[!(nr & 1)];
	way->preread = preread;
	way->base = np_way_taken(way->dst);
	way->taken = UINT64_MAX;
	(void)getsockopt(way->src, SOL_SOCKET, SO_COOKIE, &way->cookie, &len);
	memset(way->slot, 0, sizeof(*way->slot));
	way->slot->generation = generation;
	way->slot->pass = preread;
	way->slot->noticed = 1; /* until the lane rests */
	way->slot->last_ns = np_clock_mono_ns();
}

static int insert(struct np_ways *ways, struct np_err *err)
{
	int i, ret = 0;

	for (i = 0; i < 2 && !ret; i++)
		ret = np_sockmapobj_refer(&set.obj, ways->way[i].cookie, ways->way[i].nr);
	if (!ret)
		ret = np_sockmapobj_insert(&set.obj, ways->way[0].nr, ways->way[0].src);
	if (ret)
		return np_fail_errno(err, ret, "the socket map does not take side a");
	ret = np_sockmapobj_insert(&set.obj, ways->way[1].nr, ways->way[1].src);
	if (!ret) {
		ways->is_redirecting = true;
	} else if (!set.said_half) {
		np_info("splice back end sockmap: the map does not take side b of a pair, user "
			"space relays it: %s",
			strerror(-ret));
		set.said_half = true;
	}
	return 0;
}

int np_ways_open(const int fd[2], const uint64_t preread[2], struct np_ways **out,
		 struct np_err *err)
{
	struct np_ways *ways;
	unsigned int pair;
	int i, ret;

	if (!set.nr_free)
		return np_fail(err, -ENOSPC, "all %u places of the socket map are taken",
			       set.obj.nr_slots);
	for (i = 0; i < 2; i++) {
		ret = check_socket(fd[i], (char)('a' + i), err);
		if (ret)
			return ret;
	}
	ways = calloc(1, sizeof(*ways));
	if (!ways)
		return np_fail(err, -ENOMEM, "sockmap: no memory");
	pair = set.free[--set.nr_free];
	for (i = 0; i < 2; i++) {
		way_init(&ways->way[i], pair * 2 + (unsigned int)i, fd, preread[i]);
		set.ways[pair * 2 + (unsigned int)i] = ways;
	}
	ret = insert(ways, err);
	if (ret) {
		np_ways_close(ways);
		return ret;
	}
	for (i = 0; i < 2 && ways->is_redirecting; i++)
		__atomic_store_n(&ways->way[i].slot->active, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++)
		np_way_kick(&ways->way[i]);
	*out = ways;
	return 0;
}

void np_ways_close(struct np_ways *ways)
{
	int i, waiting;

	if (!ways)
		return;
	np_watch_remove(ways);
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&ways->way[i].slot->active, 0, __ATOMIC_RELEASE);
		np_sockmapobj_unrefer(&set.obj, ways->way[i].cookie);
		np_sockmapobj_remove(&set.obj, ways->way[i].nr);
	}
	/*
	 * This takes the socket's lock, so that a verdict in progress is over before the slot can
	 * be used again.
	 */
	for (i = 0; i < 2; i++)
		(void)ioctl(ways->way[i].src, SIOCINQ, &waiting);
	for (i = 0; i < 2; i++) {
		np_way_uncharge(&ways->way[i], 0);
		set.ways[ways->way[i].nr] = NULL;
	}
	set.free[set.nr_free++] = ways->way[0].nr / 2;
	free(ways);
}
