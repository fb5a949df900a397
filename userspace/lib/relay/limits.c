// SPDX-License-Identifier: BSD-3-Clause
#include "relay/limits.h"

#include "base/err.h"
#include "relay/relay.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>

/*
 * Descriptors near the limit: the last eighth is for the sessions that live already, and of that
 * the last few are for pipes and for the control plane's reconnects.
 */
#define RESERVE_PART 8
#define RESERVE_HARD 32
#define SESSION_FDS 6 /* two listeners, two pairs of sockets */

static void dflt(unsigned int *value, unsigned int if_zero)
{
	if (!*value)
		*value = if_zero;
}

void np_relay_limits_defaults(struct np_relay_limits *limits)
{
	dflt(&limits->sessions, 4096);
	dflt(&limits->per_client, 256);
	dflt(&limits->unproven, 256);
	dflt(&limits->unproven_per_ip, 64);
	dflt(&limits->queued, 512);
	dflt(&limits->grace_ms, 30000);
	dflt(&limits->auth_ms, 30000);
}

static uint64_t count_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t nr = 0;

	if (!dir)
		return 64; /* without /proc: a guess on the safe side */
	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr > 3 ? nr - 3 : 0; /* ".", ".." and the directory itself */
}

int np_relay_load_init(struct np_relay_load *load)
{
	struct rlimit rl;

	*load = (struct np_relay_load){.nr_sessions = 0};
	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return -errno;
	load->max_fds = rl.rlim_cur;
	load->nr_other_fds = count_open_fds();
	return 0;
}

void np_relay_load_fini(struct np_relay_load *load)
{
	np_map_fini(&load->clients, NULL);
}

static uintptr_t sessions_of(const struct np_relay_load *load, const char *client)
{
	return (uintptr_t)np_map_get(&load->clients, client);
}

static int set_sessions_of(struct np_relay_load *load, const char *client, uintptr_t nr)
{
	if (nr)
		return np_map_put(&load->clients, client, (void *)nr, NULL);
	np_map_remove(&load->clients, client);
	return 0;
}

int np_relay_load_add(struct np_relay_load *load, const struct np_relay_limits *limits,
		      const char *client, struct np_err *err)
{
	uint64_t used = load->nr_fds + load->nr_other_fds + SESSION_FDS;
	uintptr_t own = sessions_of(load, client);

	if (load->nr_sessions >= limits->sessions)
		return np_fail(err, -EBUSY,
			       "relay is full: %u sessions, try again later or use another relay",
			       limits->sessions);
	if (own >= limits->per_client)
		return np_fail(err, -EBUSY, "%s has %u sessions on this relay, which is the limit",
			       client, limits->per_client);
	if (used + load->max_fds / RESERVE_PART + RESERVE_HARD > load->max_fds)
		return np_fail(err, -EMFILE,
			       "relay is full: descriptors are short, try again later or use "
			       "another relay");
	if (set_sessions_of(load, client, own + 1))
		return np_fail(err, -ENOMEM, "relay is out of memory");
	load->nr_sessions++;
	return 0;
}

void np_relay_load_remove(struct np_relay_load *load, const char *client)
{
	uintptr_t own = sessions_of(load, client);

	load->nr_sessions--;
	if (own)
		set_sessions_of(load, client, own - 1); /* replacing needs no memory */
}

int np_relay_load_has_fd(const struct np_relay_load *load)
{
	return load->nr_fds + load->nr_other_fds + RESERVE_HARD < load->max_fds ? 0 : -EMFILE;
}

uint64_t np_relay_raise_fd_limit(void)
{
	struct rlimit rl, more;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 0;
	/* Root may go beyond its hard limit, others up to it. */
	more = rl;
	if (rl.rlim_max < 1048576)
		more.rlim_max = 1048576;
	more.rlim_cur = more.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &more) < 0) {
		more = rl;
		more.rlim_cur = rl.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &more) < 0)
			return rl.rlim_cur;
	}
	return more.rlim_cur;
}
