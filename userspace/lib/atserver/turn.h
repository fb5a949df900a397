/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One turn of the loop is one transaction. The first change opens it; at the end of the turn it is
 * committed, then the answers leave, then notifications reach monitors and the outgoing queue. When
 * the commit fails, every answer that depends on it becomes AT0002 and the rest of what was
 * gathered is dropped.
 */
#ifndef NP_ATSERVER_TURN_H
#define NP_ATSERVER_TURN_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct np_atserver;
struct np_note;
struct np_tenant;

/* A committed notification on its way to the monitors of @tenant, or (with @to) into the outgoing
 * queue. */
struct np_delivery {
	STAILQ_ENTRY(np_delivery) next;
	struct np_tenant *tenant;
	bool is_self;
	int64_t seq;
	char *key, *from; /* for the filters of monitors */
	char *to, *id;	  /* for the queue */
	char *notifier;	  /* strategy latest: only its newest @depth stay queued */
	int64_t depth;
	int64_t expires_at;
	struct np_buf line; /* "notification: ...", LF */
};

void np_turn_init(struct np_atserver *srv);
void np_turn_fini(struct np_atserver *srv);
/** np_turn_begin() - before a change. Return: 0, or why the store refuses; then answer with AT0002.
 */
int np_turn_begin(struct np_atserver *srv);
/** np_turn_read() - before a read: the answer depends on what this turn has changed so far. */
void np_turn_read(struct np_atserver *srv);
/** np_turn_failed() - a change failed with @ret: the whole turn is lost. Return: @ret. */
int np_turn_failed(struct np_atserver *srv, int ret, const char *what, const char *tenant);
/** np_turn_deliver() - hand @note to the monitors of @tenant after the commit. */
int np_turn_deliver(struct np_tenant *tenant, const struct np_note *note);
/** np_turn_send() - hand @note to the outgoing queue after the commit; @notifier as in
 * np_queue_add(). */
int np_turn_send(struct np_tenant *tenant, const struct np_note *note, const char *notifier,
		 int64_t depth);
/** np_turn_log_grew() - the monitors of @tenant hear the new commit id after the commit. */
void np_turn_log_grew(struct np_tenant *tenant, int64_t commit_id);

#endif
