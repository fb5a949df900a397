/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside at/: what client.c, client_keys.c, client_ops.c and monitor.c share. */
#ifndef NP_AT_CLIENT_IMPL_H
#define NP_AT_CLIENT_IMPL_H

#include "at/client.h"
#include "at/keyfile.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"
#include "base/secret.h"
#include "crypto/hash.h"

#include <ev.h>

struct at_op;
struct at_peer;

#define MD5_HEX_SIZE 33

/*
 * Callbacks may free the client. Code that goes on after one stands inside a guard:
 *
 *	at_guard_enter(client, &guard);
 *	cb(...);
 *	if (guard.gone)
 *		return;
 *	at_guard_leave(client, &guard);
 */
struct at_guard {
	struct at_guard *outer;
	bool gone;
};

/* A command that waits for the connection or for its answer. */
struct at_command {
	struct at_command *next;
	struct np_at_client *client;
	np_at_reply_cb cb; /* NULL: the answer interests nobody (any more) */
	void *arg;
	ev_timer deadline;
	unsigned int tries;
	bool in_flight;
	size_t len;
	char line[];
};

struct np_at_client {
	struct np_at_client_params params;
	void (*on_state)(bool up, const struct np_err *err, void *arg);
	void *arg;
	struct np_at_conn *conn;
	struct at_command *first, *last;
	struct np_backoff backoff;
	ev_timer retry, noop;
	bool was_up;
	long long up_at_ms;
	struct np_err last_err;
	struct at_guard *guard;
	struct at_op *ops;
	struct np_map peers;
	struct np_map
		opened; /* RSA ciphertext -> struct np_secret *, so that each is decrypted once */
};

struct at_pubkey {
	struct np_rsa *key;
	char md5[NP_HASH_HEX_MAX]; /* pubKeyCS of the text */
	char b64[];
};

typedef void (*at_cipher_cb)(const struct np_err *err, const char *cipher, bool is_fresh,
			     void *arg);

struct at_key_waiter {
	struct at_key_waiter *next;
	np_at_key_cb on_key;	/* public key... */
	at_cipher_cb on_cipher; /* ...or encrypted AES key; both NULL: cancelled */
	void *arg;
};

enum at_share_state { SHARE_NONE, SHARE_LOADING, SHARE_READY };

/* What is known about another atSign (or our own). */
struct at_peer {
	struct np_at_client *client;
	long long used_ms; /* monotonic */
	ev_timer kick;	/* answers from the cache come from the loop */
	ev_timer check; /* is the shared key still made for the peer's present public key? */
	/* its public key */
	struct at_pubkey *pub;
	bool pub_loading;
	struct at_key_waiter *pub_waiters;
	/* the AES key from us to it */
	enum at_share_state share;
	bool must_rotate; /* the stored key was made for another public key */
	bool is_legacy;	  /* our record does not carry what saves later round trips */
	struct np_secret out_key;
	struct np_buf out_own; /* RSA ciphertext for us */
	struct np_buf out_enc; /* ... for it: sharedKeyEnc */
	char out_cs[MD5_HEX_SIZE];
	/* the AES key from it to us, RSA ciphertext */
	struct np_buf in_cipher;
	bool in_loading;
	struct at_key_waiter *in_waiters;
	char atsign[NP_ATSIGN_MAX];
};

/** at_client_commandf() - a command of at most 4 KiB, composed. */
int at_client_commandf(struct np_at_client *client, np_at_reply_cb cb, void *arg, const char *fmt,
		       ...) __attribute__((format(printf, 4, 5)));
/** at_client_own() - our own atSign. */
const char *at_client_own(const struct np_at_client *client);
void at_guard_enter(struct np_at_client *client, struct at_guard *guard);
void at_guard_leave(struct np_at_client *client, struct at_guard *guard);

/**
 * at_client_peer() - find or make, and mark as used: a pointer is good for the call and, while a
 * command or timer of the peer is under way, until its end. NULL: no memory, or all are in use.
 */
struct at_peer *at_client_peer(struct np_at_client *client, const char *atsign);
/** at_peer_touch() - it is used now; before anything that calls back with @peer in hand. */
void at_peer_touch(struct at_peer *peer);
void at_peers_fini(struct np_at_client *client);
/** at_peers_cancel() - no callback with this @arg follows. */
void at_peers_cancel(struct np_at_client *client, void *arg);

/** at_peer_want_key() - as np_at_client_public_key(). */
int at_peer_want_key(struct at_peer *peer, bool fresh, np_at_key_cb cb, void *arg);
/** at_share_note_key() - @peer->pub is news: does the key that we made for it still fit? */
void at_share_note_key(struct at_peer *peer);

/**
 * at_share_start() - get the key towards @peer; at_ops_share_done() is called when it is there or
 * cannot be had.
 */
int at_share_start(struct at_peer *peer);
/**
 * at_key_open() - decrypt an AES key that somebody encrypted for us; remembered by its ciphertext.
 * @cs: pubKeyCS of the sender's idea of our public key, or NULL
 */
int at_key_open(struct np_at_client *client, const char *cipher, const char *cs,
		const struct np_secret **out, struct np_err *err);
/** at_key_incoming() - the ciphertext of lookup:shared_key@from; @fresh goes past every cache. */
int at_key_incoming(struct np_at_client *client, const char *from, bool fresh, at_cipher_cb cb,
		    void *arg);

/* An encrypted value as notifications and records carry it. */
struct at_sealed {
	const char *from;
	const char *value;
	const char *shared_key_enc, *pub_key_cs, *iv; /* NULL when absent */
};
/**
 * at_sealed_open() - decrypt; @cipher is the looked-up key, NULL in the first try.
 * Return: 0, -EAGAIN when the key must be looked up, or negative errno with @err.
 */
int at_sealed_open(struct np_at_client *client, const struct at_sealed *sealed, const char *cipher,
		   struct np_secret *out, struct np_err *err);

void at_ops_share_done(struct at_peer *peer, const struct np_err *err);
void at_ops_cancel(struct np_at_client *client, void *arg);
void at_ops_fini(struct np_at_client *client);

#endif
