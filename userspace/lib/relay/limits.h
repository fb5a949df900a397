/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the relay carries at the moment, and whether one session more is possible without hurting
 * the others.
 */
#ifndef NP_RELAY_LIMITS_H
#define NP_RELAY_LIMITS_H

#include "base/map.h"

#include <stdint.h>

struct np_err;
struct np_relay_limits;

struct np_relay_load {
	size_t nr_sessions;
	uint64_t nr_fds;       /* of sessions: listeners and sockets */
	uint64_t nr_other_fds; /* the rest of the process, counted at the start */
	uint64_t max_fds;
	struct np_map clients; /* name -> number of sessions, kept in the pointer */
};

void np_relay_limits_defaults(struct np_relay_limits *limits);
int np_relay_load_init(struct np_relay_load *load);
void np_relay_load_fini(struct np_relay_load *load);
/**
 * np_relay_load_add() - count one more session of @client.
 * Return: 0, -EBUSY or -EMFILE with a reason for the client; -ENOMEM. Nothing is counted on
 * failure.
 */
int np_relay_load_add(struct np_relay_load *load, const struct np_relay_limits *limits,
		      const char *client, struct np_err *err);
void np_relay_load_remove(struct np_relay_load *load, const char *client);
/** np_relay_load_has_fd() - may one more socket of a live session be kept? */
int np_relay_load_has_fd(const struct np_relay_load *load);

#endif
