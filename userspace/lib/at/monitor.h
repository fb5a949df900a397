/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Notifications as they arrive: a connection of its own that is kept up and resumed (atprotocol.md
 * 12).
 */
#ifndef NP_AT_MONITOR_H
#define NP_AT_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_at_client;
struct np_err;
struct np_monitor;

/**
 * struct np_at_notification - one decrypted notification; all borrowed.
 * @key: full, lower-cased, "@to:name@from"; @name: the part between "@to:" and "@from"
 * @value: decrypted (or clear) text; NULL when it had none
 */
struct np_at_notification {
	const char *id, *from, *to, *key, *name;
	const char *value;
	size_t value_len;
	bool is_delete;
	int64_t epoch_ms;
};

/**
 * struct np_monitor_ops - @note: each notification once (repeated ids are dropped), in
 *	order of arrival from each sender; one whose key must be looked up first does not hold up
 *	other senders;
 * @want: asked before anything is decrypted; false drops the notification in silence (may be NULL:
 * all are wanted);
 * @bad: one that could not be decrypted or parsed; @from and @key may be empty (may be NULL);
 * @state: the monitor came up (@err NULL) or lost its connection (why; it reconnects by itself)
 * (may be NULL). Any of them may call np_monitor_close(), except @want.
 */
struct np_monitor_ops {
	void (*note)(const struct np_at_notification *note, void *arg);
	bool (*want)(const char *from, const char *name, void *arg);
	void (*bad)(const char *from, const char *key, const struct np_err *err, void *arg);
	void (*state)(bool up, const struct np_err *err, void *arg);
};

/**
 * np_monitor_open() - start with notifications from now on; after a reconnect resume from the last
 * one seen. This is for daemons: what arrived before the start is not delivered. The state up means
 * that the server has confirmed the subscription (one round trip more than the log-in); whatever
 * reaches it afterwards is delivered.
 * @client: whose atSign, keys and operations (key look-ups for decryption) are used; borrowed,
 * closed after this
 * @regex: sent to the server (no ':' in it, no capitals), NULL for all. Servers search it in key
 * and sender.
 * @heartbeat_ms: noop:0 interval; no answer in a third of it is a dead connection; 0: none
 */
int np_monitor_open(struct np_at_client *client, const char *regex, unsigned int heartbeat_ms,
		    const struct np_monitor_ops *ops, void *arg, struct np_monitor **out,
		    struct np_err *err);
/**
 * np_monitor_open_replay() - as above, but also delivers everything unexpired that the server holds
 * and @regex matches. This is for clients: with a @regex that only answers to this session match
 * (its id is in it), nothing that is sent from now on can be missed, whatever the order in which
 * this connection and the request get through. The state up comes without the extra round trip and
 * need not be awaited before the request is sent.
 */
int np_monitor_open_replay(struct np_at_client *client, const char *regex,
			   unsigned int heartbeat_ms, const struct np_monitor_ops *ops, void *arg,
			   struct np_monitor **out, struct np_err *err);
void np_monitor_close(struct np_monitor *monitor); /* NULL is accepted */

#endif
