/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notifications for other atServers: one first-in-first-out list per (our atSign, recipient), each
 * with its own retry timer, so that one dead recipient delays nobody else. The store holds the
 * notifications; here are only their ids (atprotocol.md 11.2, 11.3).
 */
#ifndef NP_ATSERVER_QUEUE_H
#define NP_ATSERVER_QUEUE_H

#include <stdint.h>

struct np_atserver;
struct np_delivery;
struct np_err;
struct np_queue;
struct np_tenant;

#define NP_QUEUE_MAX 10000 /* notifications waiting for one recipient */

/** np_queue_open() - what the store still holds as queued is taken up again. */
int np_queue_open(struct np_atserver *srv, struct np_queue **out, struct np_err *err);
void np_queue_close(struct np_queue *queue); /* NULL is accepted */
/**
 * np_queue_add() - a stored notification waits for delivery; it stays in the store when memory is
 * short. With @d->notifier, older ones of that notifier leave until @d->depth are queued (strategy
 * latest).
 */
void np_queue_add(struct np_queue *queue, const struct np_delivery *d);
/** np_queue_is_full() - does @to have too many waiting to accept another? */
int np_queue_is_full(struct np_queue *queue, struct np_tenant *tenant, const char *to);

#endif
