// SPDX-License-Identifier: BSD-3-Clause
/*
 * How a lane that rests is woken up. The kernel wakes whoever polls a socket for reading at each
 * redirected packet too. So resting sockets are polled for ends only, in an epoll instance of their
 * own, and the program tells of passed bytes through a ring buffer: two descriptors for the loop.
 */
#include "splice/sockmap.h"

#include "base/fd.h"
#include "splice/pump.h"

#include <ev.h>

#include <sys/epoll.h>

#define BATCH 64

static struct {
	struct ev_loop *loop;
	unsigned int nr; /* pairs; the watchers run while there are any */
	int ends_fd;
	ev_io ends, passes;
} all = {.ends_fd = -1};

/* Only what the loop polls changes: the lane runs when its own loop finds the socket readable. */
static void wake(unsigned int slot)
{
	struct np_ways *ways = np_sockmap_ways(slot);

	if (ways && ways->is_watched)
		np_pump_wake(ways->pair, slot & 1);
}

void np_watch_passed(unsigned int slot)
{
	wake(slot);
}

static void on_passes(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	np_sockmap_read_events();
}

static void on_ends(struct ev_loop *loop, ev_io *w, int revents)
{
	struct epoll_event events[BATCH];
	int i, nr = epoll_wait(w->fd, events, BATCH, 0);

	(void)loop;
	(void)revents;
	for (i = 0; i < nr; i++)
		wake(events[i].data.u32);
}

static bool start(struct ev_loop *loop)
{
	if (all.ends_fd < 0)
		all.ends_fd = epoll_create1(EPOLL_CLOEXEC);
	if (all.ends_fd < 0)
		return false;
	all.loop = loop;
	ev_io_init(&all.ends, on_ends, all.ends_fd, EV_READ);
	ev_io_init(&all.passes, on_passes, np_sockmap_events_fd(), EV_READ);
	ev_io_start(loop, &all.ends);
	ev_io_start(loop, &all.passes);
	return true;
}

void np_watch_add(struct np_ways *ways, struct ev_loop *loop)
{
	struct epoll_event event;
	int i, ret = 0;

	if (all.nr ? all.loop != loop : !start(loop))
		return;
	all.nr++;
	ways->is_watched = true;
	for (i = 0; i < 2 && !ret; i++) {
		/* Edge: an end is told once, then the loop watches the socket itself. */
		event.events = EPOLLRDHUP | EPOLLET;
		event.data.u32 = ways->way[i].nr;
		ret = epoll_ctl(all.ends_fd, EPOLL_CTL_ADD, ways->way[i].src, &event);
	}
	if (ret)
		np_watch_remove(ways);
}

void np_watch_remove(struct np_ways *ways)
{
	int i;

	if (!ways->is_watched)
		return;
	for (i = 0; i < 2; i++)
		(void)epoll_ctl(all.ends_fd, EPOLL_CTL_DEL, ways->way[i].src, NULL);
	ways->is_watched = false;
	if (--all.nr)
		return;
	ev_io_stop(all.loop, &all.ends);
	ev_io_stop(all.loop, &all.passes);
}

void np_watch_close(void)
{
	np_fd_close(&all.ends_fd);
}
