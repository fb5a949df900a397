/* SPDX-License-Identifier: BSD-3-Clause */
/* Notifications as they arrive: a connection of its own that is kept up and resumed (atprotocol.md 12). */
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
 * struct np_monitor_ops - @note: each notification once (repeated ids are dropped), in order of arrival;
 * @bad: one that could not be decrypted or parsed (may be NULL);
 * @state: the monitor came up (@err NULL) or lost its connection (why; it reconnects by itself) (may be NULL).
 */
struct np_monitor_ops {
	void (*note)(const struct np_at_notification *note, void *arg);
	void (*bad)(const char *from, const char *key, const struct np_err *err, void *arg);
	void (*state)(bool up, const struct np_err *err, void *arg);
};

/**
 * np_monitor_open() - start with notifications from now on; after a reconnect resume from the last one seen.
 * @client: whose atSign, keys and operations (key look-ups for decryption) are used; borrowed
 * @regex: sent to the server (no ':' in it), NULL for all
 * @heartbeat_ms: noop:0 interval; no answer in a third of it is a dead connection
 */
int np_monitor_open(struct np_at_client *client, const char *regex, unsigned int heartbeat_ms,
		    const struct np_monitor_ops *ops, void *arg, struct np_monitor **out, struct np_err *err);
void np_monitor_close(struct np_monitor *monitor); /* NULL is accepted */

#endif
