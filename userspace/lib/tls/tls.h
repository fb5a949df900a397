/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS 1.2/1.3 over a non-blocking socket in the loop, for clients and servers (atprotocol.md 3.1).
 * No session tickets (some peers take a ticket for a failed connect). One np_tls_write() of up to 16 KiB
 * is one TLS record, which peers rely on (3.6).
 */
#ifndef NP_TLS_TLS_H
#define NP_TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct np_err;
struct np_tls;
struct np_tls_ctx;

/**
 * np_tls_client_ctx() - verifies servers.
 * @root_ca: PEM file of trusted CAs; NULL for the system's
 * @cert, @key: PEM files of our own certificate to present, or NULL
 */
int np_tls_client_ctx(const char *root_ca, const char *cert, const char *key, struct np_tls_ctx **out,
		      struct np_err *err);
/**
 * np_tls_server_ctx() - serves with @cert (chain) and @key; asks clients for a certificate without requiring one.
 * @client_ca: PEM file that client certificates are checked against, or NULL for the system's
 */
int np_tls_server_ctx(const char *cert, const char *key, const char *client_ca, struct np_tls_ctx **out,
		      struct np_err *err);
/**
 * np_tls_ctx_set_alpn() - offer (client) or accept (server) one application protocol (RFC 7301). A peer without ALPN
 * is served all the same; np_tls_has_alpn() tells. @proto: 1 to 255 bytes, kept by the context.
 */
int np_tls_ctx_set_alpn(struct np_tls_ctx *ctx, const char *proto);
/**
 * np_tls_ctx_reload() - present another certificate (chain) from now on. Connections that exist keep theirs.
 * Return: 0, or -EINVAL when the files do not fit; nothing has changed then.
 */
int np_tls_ctx_reload(struct np_tls_ctx *ctx, const char *cert, const char *key, struct np_err *err);
void np_tls_ctx_free(struct np_tls_ctx *ctx); /* connections keep their own reference */

/**
 * struct np_tls_ops - what the owner hears. Any of them may call np_tls_close() on the connection.
 * @ready: handshake done (may be NULL)
 * @data: plain bytes, borrowed
 * @drained: the send queue went empty after having been non-empty (may be NULL)
 * @closed: the peer closed in order (@err->code 0) or the connection failed. The owner still has to call
 *	np_tls_close().
 */
struct np_tls_ops {
	void (*ready)(struct np_tls *tls, void *arg);
	void (*data)(struct np_tls *tls, const uint8_t *data, size_t len, void *arg);
	void (*drained)(struct np_tls *tls, void *arg);
	void (*closed)(struct np_tls *tls, const struct np_err *err, void *arg);
};

/**
 * np_tls_connect() - client side over the connected socket @fd (taken, also on failure).
 * @host: name that the certificate must carry, also sent as SNI when it is a name
 */
int np_tls_connect(struct ev_loop *loop, struct np_tls_ctx *ctx, int fd, const char *host,
		   const struct np_tls_ops *ops, void *arg, struct np_tls **out, struct np_err *err);
/** np_tls_accept() - server side over @fd (taken, also on failure). */
int np_tls_accept(struct ev_loop *loop, struct np_tls_ctx *ctx, int fd, const struct np_tls_ops *ops, void *arg,
		  struct np_tls **out, struct np_err *err);
/** np_tls_close() - close_notify (best effort), close, free. No callback follows. NULL is accepted. */
void np_tls_close(struct np_tls *tls);
/**
 * np_tls_close_flush() - stop reading, send what is queued within @timeout_ms, then close and free.
 * The owner must not use @tls any more; no callback follows.
 */
void np_tls_close_flush(struct np_tls *tls, unsigned int timeout_ms);

/** np_tls_write() - queue bytes; sent at once when possible. Return: 0, -ENOMEM, -EPIPE when closed. */
int np_tls_write(struct np_tls *tls, const void *data, size_t len);
size_t np_tls_queued(const struct np_tls *tls);
/** np_tls_read_pause() - stop or resume reading, for back-pressure. */
void np_tls_read_pause(struct np_tls *tls, bool pause);
bool np_tls_is_ready(const struct np_tls *tls);
/** np_tls_has_alpn() - did both sides agree on the context's protocol? False before the handshake is done. */
bool np_tls_has_alpn(const struct np_tls *tls);
int np_tls_fd(const struct np_tls *tls);
/**
 * np_tls_peer_names_host() - does the peer's verified certificate name @host: a SAN or its common name equal to
 * it (atprotocol.md 3.1, stricter than published servers)? False without a certificate or when its chain did not verify.
 */
bool np_tls_peer_names_host(const struct np_tls *tls, const char *host);

#endif
