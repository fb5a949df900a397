/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections in monitor mode: replay of what is stored, then live notifications (atprotocol.md
 * 12). */
#ifndef NP_ATSERVER_MONITOR_H
#define NP_ATSERVER_MONITOR_H

#include "atserver/parse.h"

struct np_atserver;
struct np_delivery;
struct np_err;
struct np_monitor;
struct np_session;
struct np_tenant;

/**
 * np_monitor_start() - @s becomes a monitor at the end of this turn, so that a notification of the
 * same turn is seen exactly once: by the replay. A second monitor command replaces the first.
 */
int np_monitor_start(struct np_session *s, const struct np_req_monitor *req, struct np_err *err);
void np_monitor_free(struct np_monitor *monitor); /* NULL is accepted */
/** np_monitor_start_all() - at the end of a turn: begin the replays. */
void np_monitor_start_all(struct np_atserver *srv);
/** np_monitor_deliver() - push a committed notification to those who may see it. */
void np_monitor_deliver(struct np_tenant *tenant, const struct np_delivery *d);
/** np_monitor_drained() - the client has read: a replay goes on. */
void np_monitor_drained(struct np_monitor *monitor);
/** np_monitor_release() - a request is over: what a multiplexed monitor held back goes out. */
void np_monitor_release(struct np_monitor *monitor);
/** np_monitor_tell_stats() - the commit log of @tenant grew. */
void np_monitor_tell_stats(struct np_tenant *tenant);
/** np_monitor_tick() - statsNotification to those that are due (12.4). */
void np_monitor_tick(struct np_atserver *srv);

#endif
