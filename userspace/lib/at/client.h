/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An atSign's client: one command connection that is kept up, and the encrypted operations on it
 * (atprotocol.md 10, 11, 17). Commands given while it is down wait for it, within their deadline.
 */
#ifndef NP_AT_CLIENT_H
#define NP_AT_CLIENT_H

#include "at/conn.h"

#include <stdbool.h>

struct np_at_client;
struct np_rsa;

struct np_at_client_params {
	struct ev_loop *loop;
	struct np_tls_ctx *tls;	       /* borrowed */
	struct np_directory *dir;      /* borrowed */
	const struct np_at_keys *keys; /* borrowed */
	unsigned int noop_interval_ms; /* noop:0 when idle for so long; 0: never */
	unsigned int timeout_ms; /* for each command, waiting for a connection included; 0: 30 s */
	bool once; /* a failed first connect fails all pending operations instead of retrying */
	/*
	 * How many other atSigns are remembered, 0: 4096. The one that was not used for the longest
	 * time makes room, when that is at least twice @timeout_ms.
	 */
	unsigned int max_peers;
};

/* @on_state (may be NULL): connection came up (@err NULL) or went down (why). */
int np_at_client_new(const struct np_at_client_params *params,
		     void (*on_state)(bool up, const struct np_err *err, void *arg), void *arg,
		     struct np_at_client **out, struct np_err *err);
void np_at_client_free(struct np_at_client *client); /* no callback follows; NULL is accepted */
/**
 * np_at_client_cancel() - no callback with this @arg follows; what was sent already still takes
 * effect.
 */
void np_at_client_cancel(struct np_at_client *client, void *arg);
const struct np_at_client_params *np_at_client_params(const struct np_at_client *client);

/**
 * np_at_client_command() - a raw verb line; @cb as in at/conn.h, once, also on time-out
 * (-ETIMEDOUT). It may be sent twice when the connection is lost before the answer came. @cb NULL:
 * the answer interests nobody.
 */
int np_at_client_command(struct np_at_client *client, const char *line, size_t len,
			 np_at_reply_cb cb, void *arg);

/*
 * Every callback below comes from the loop, never from inside the call that asked for it. A
 * negative return value means that there will be none.
 */

/**
 * typedef np_at_key_cb - @key and @b64 are borrowed for the call; np_rsa_ref() keeps the key.
 */
typedef void (*np_at_key_cb)(const struct np_err *err, const struct np_rsa *key, const char *b64,
			     void *arg);
/**
 * np_at_client_public_key() - public:publickey@atsign; from memory when it is there, unless
 * @fresh. -ENOMEM also when everything that is remembered is in use.
 */
int np_at_client_public_key(struct np_at_client *client, const char *atsign, bool fresh,
			    np_at_key_cb cb, void *arg);

/**
 * struct np_at_put - a record or notification to send; text is borrowed for the call.
 * @to: receiver; NULL for own atSign (self record, encrypted with the self key)
 * @name: key name with namespace and without "@to:" and "@me", e.g. "ping.dev1.sshnp"
 * @is_public: "public:" record in clear text (put only)
 * @ttl_ms, @ttln_ms, @ttr_s: 0 = not sent; @ttr_s may be -1; @ccd only with @ttr_s
 * @id: notification id, NULL for a fresh uuid
 */
struct np_at_put {
	const char *to;
	const char *name;
	const char *value;
	size_t value_len;
	int64_t ttl_ms, ttln_ms, ttr_s;
	bool ccd, is_public;
	const char *id;
};
/**
 * np_at_client_notify() - encrypt for @put->to and notify; @cb when our atServer has taken it
 * (data:<id>).
 */
int np_at_client_notify(struct np_at_client *client, const struct np_at_put *put, np_at_reply_cb cb,
			void *arg);
/** np_at_client_put() - update a record; shared records are encrypted for @put->to. */
int np_at_client_put(struct np_at_client *client, const struct np_at_put *put, np_at_reply_cb cb,
		     void *arg);
/**
 * np_at_client_del() - delete "@to:name@me" (or "name@me" with @to NULL). A missing key is success.
 */
int np_at_client_del(struct np_at_client *client, const char *to, const char *name,
		     np_at_reply_cb cb, void *arg);
/**
 * np_at_client_get() - lookup "@me:name@from", decrypted; the value in @data. @bypass_cache as the
 * verb's flag.
 */
int np_at_client_get(struct np_at_client *client, const char *from, const char *name,
		     bool bypass_cache, np_at_reply_cb cb, void *arg);
/**
 * np_at_client_scan() - @data is the JSON array of key names. @of: another atSign, or NULL for own.
 */
int np_at_client_scan(struct np_at_client *client, const char *of, const char *regex,
		      np_at_reply_cb cb, void *arg);
/**
 * np_at_client_warm() - get the shared AES key towards @to ready, in parallel with other work, so
 * that a later notify costs one round trip. It takes one round trip itself when this library made
 * the key, two when another one did. Errors surface in the later operation. A public key for
 * checking signatures is best asked for right after the first notify, so that its look-up runs
 * while the answer is awaited.
 */
int np_at_client_warm(struct np_at_client *client, const char *to);

#endif
