/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An atServer for many atSigns in one event loop (atprotocol.md; profile 21.1). One object per
 * loop; nothing here is global, so a process may run several over stores of their own.
 *
 * Each turn of the loop is one transaction: the changes of all connections are committed together
 * at its end, and only then are the answers sent and the monitors served. What was acknowledged is
 * therefore on disk.
 */
#ifndef NP_ATSERVER_SERVER_H
#define NP_ATSERVER_SERVER_H

#include "net/addr.h"

#include <stdbool.h>
#include <stdint.h>

struct ev_loop;
struct np_atserver;
struct np_directory;
struct np_err;
struct np_store;
struct np_tls_ctx;

/* The level of the protocol that `info` reports: peers choose features by it. */
#define NP_AT_LEVEL "3.0.52"

/** struct np_atserver_conf - all pointers are borrowed and outlive the server. NP_ATSERVER_DEFAULTS
 * first. */
struct np_atserver_conf {
	struct np_store *store;
	struct np_tls_ctx *server_tls; /* verifies client certificates against the realm's CA */
	struct np_tls_ctx
		*client_tls; /* presents our certificate; NULL: no other servers are contacted */
	struct np_directory
		*directory;	   /* where other atSigns are; NULL: only the store's own entries */
	bool directory_in_store;   /* the store holds the directory of the realm */
	const char *secrets_dir;   /* "@a.cram" files, or NULL */
	bool client_cert_required; /* servers that speak for an atSign show its host's certificate
				      (3.1) */
	uint64_t max_connections;
	uint64_t note_ttl_ms;	    /* lifetime of a notification without ttln */
	uint64_t stats_interval_ms; /* statsNotification; 0: only after commits */
	uint64_t idle_unauth_ms, idle_auth_ms, handshake_ms;
	uint64_t max_queued; /* bytes that a connection may leave unread before it is closed */
	uint64_t retry_min_ms, retry_max_ms; /* between attempts to deliver to another server */
	/* For each atSign, 0: no limit. Notifications per minute, connections of its owner. */
	uint64_t quota_keys, quota_bytes, quota_notes, quota_connections;
	uint64_t refresh_after_ms; /* to the first daily refresh of cached keys; 0: random */
};

#define NP_ATSERVER_DEFAULTS                                                                       \
	{                                                                                          \
		.client_cert_required = true, .max_connections = 10000, .note_ttl_ms = 900000,     \
		.stats_interval_ms = 15000, .idle_unauth_ms = 600000, .idle_auth_ms = 2592000000,  \
		.handshake_ms = 30000, .max_queued = 16u << 20, .retry_min_ms = 500,               \
		.retry_max_ms = 60000                                                              \
	}

/** np_atserver_open() - load tenants and undelivered notifications. @conf is copied. */
int np_atserver_open(struct ev_loop *loop, const struct np_atserver_conf *conf,
		     struct np_atserver **out, struct np_err *err);
/** np_atserver_close() - ends every connection. NULL is accepted. */
void np_atserver_close(struct np_atserver *srv);
/** np_atserver_accept() - serve the connected socket @fd (taken, also on failure); fits
 * np_accept_cb. */
void np_atserver_accept(int fd, const struct np_addr *peer, void *srv);

/** np_atserver_hosts() - 1 when @atsign (normal form) is served here, 0 when not, negative errno.
 */
int np_atserver_hosts(struct np_atserver *srv, const char *atsign);

#endif
