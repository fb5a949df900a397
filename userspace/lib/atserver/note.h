/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notifications: stored first, then (after the commit) pushed to monitors or put into the outgoing
 * queue (atprotocol.md 11, 12.2). Between two atSigns of this process no connection is made: what
 * the other server would do on receipt happens in the same transaction.
 */
#ifndef NP_ATSERVER_NOTE_H
#define NP_ATSERVER_NOTE_H

#include "atserver/meta.h"

#include <stdbool.h>
#include <stdint.h>

struct np_buf;
struct np_json;
struct np_note;
struct np_tenant;

#define NP_NOTE_ID_MAX 249

/* What a notification says; all borrowed. */
struct np_note_spec {
	char id[NP_NOTE_ID_MAX]; /* "" lets one be made */
	const char *to;		 /* "@bob"; NULL: public */
	const char *key;	 /* "@bob:name@alice", or "@bob:<text>" */
	const char *value;	 /* or NULL */
	bool is_delete, is_text, is_latest;
	int64_t depth;
	int64_t ttln_ms; /* 0: the server's default */
	const char *priority, *notifier;
	const struct np_meta *meta;
};

/**
 * np_note_send() - @tenant notifies; an id that was sent before is not sent again.
 * Return: 0, or the store's error (the turn has failed).
 */
int np_note_send(struct np_tenant *tenant, struct np_note_spec *spec);
/**
 * np_note_receive() - @from notifies @tenant: store, cache when ttr says so, push. A repeated id is
 * pushed once. Return: 0, -EEXIST when another sender has used the id, or the store's error.
 */
int np_note_receive(struct np_tenant *tenant, const char *from, struct np_note_spec *spec);
/** np_note_self() - something the server tells its own atSign, e.g. about an enrolment request. */
int np_note_self(struct np_tenant *tenant, const char *key, const char *value, int64_t ttl_ms);
/** np_note_auto() - a shared record changed: tell who it is shared with (10.1). No-op for other
 * keys. */
int np_note_auto(struct np_tenant *tenant, const char *key_text, const char *value,
		 const struct np_meta *meta, bool is_delete);
/** np_note_json() - the object of a notification line (12.2). Return: new value or NULL. */
struct np_json *np_note_json(const struct np_note *note);
/** np_note_line() - append the "notification: {...}" line of @note. */
int np_note_line(const struct np_note *note, struct np_buf *buf);

#endif
