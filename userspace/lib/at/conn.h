/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection to an atServer: TLS, prompt, log-in, then one command at a time (atprotocol.md 3,
 * 4, 9). It never reconnects by itself: at/client.h and at/monitor.h do.
 */
#ifndef NP_AT_CONN_H
#define NP_AT_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct np_at_conn;
struct np_at_keys;
struct np_directory;
struct np_err;
struct np_secret;
struct np_tls_ctx;

/**
 * struct np_at_conn_params - @keys NULL: stay unauthenticated; @cram: log in with this CRAM secret
 * instead. All pointers are borrowed and outlive the connection.
 */
struct np_at_conn_params {
	struct ev_loop *loop;
	struct np_tls_ctx *tls;
	struct np_directory *dir;
	const char *atsign; /* whose atServer */
	const struct np_at_keys *keys;
	const struct np_secret *cram;
	/* From the directory's answer until up, and for each command; 0: 10 s. */
	unsigned int timeout_ms;
};

/**
 * struct np_at_conn_ops - @up: logged in; @line: a notification, the JSON text behind
 * "notification:", NUL-terminated; @down: failed or closed, reported once; the owner then calls
 * np_at_conn_close(). Pending commands hear of it before. @up and @down must be there; any of them
 * may call np_at_conn_close().
 * @err->remote holds the peer's AT code when it gave one.
 */
struct np_at_conn_ops {
	void (*up)(struct np_at_conn *conn, void *arg);
	void (*line)(struct np_at_conn *conn, const char *line, size_t len, void *arg);
	void (*down)(struct np_at_conn *conn, const struct np_err *err, void *arg);
	/* The log-in was sent and the server pipelines: commands may be given (may be NULL). */
	void (*early)(struct np_at_conn *conn, void *arg);
};

/**
 * typedef np_at_reply_cb - the answer to a command.
 * @err: code 0 on success; a peer's error has its code in @err->remote (e.g. "AT0015") and
 *	errno -ENOENT for a missing key, -EACCES for refused, -EREMOTEIO for others; -ECONNRESET,
 *	-ETIMEDOUT when no answer came
 * @data: what follows "data:" (NUL-terminated), "null" included; NULL on failure
 */
typedef void (*np_at_reply_cb)(const struct np_err *err, const char *data, size_t len, void *arg);

int np_at_conn_open(const struct np_at_conn_params *params, const struct np_at_conn_ops *ops,
		    void *arg, struct np_at_conn **out, struct np_err *err);
/** np_at_conn_is_up() - logged in and alive; false in the callbacks that a failure causes. */
bool np_at_conn_is_up(const struct np_at_conn *conn);
/** np_at_conn_close() - pending commands are dropped without a callback. NULL is accepted. */
void np_at_conn_close(struct np_at_conn *conn);
/*
 * Published servers take two commands in one read for one (3.2), so one command at a time is under
 * way. A server that agrees to this ALPN protocol promises to split at LF and to answer in order:
 * commands then leave at once, from the log-in on.
 */
#define NP_AT_ALPN_PIPELINE "x-at-pipeline/1"
#define NP_AT_PIPELINE_MAX 64 /* commands under way at most */
/**
 * np_at_conn_may_send() - how many commands may be given now that would leave at once: 0, 1, or up
 * to the maximum.
 */
unsigned int np_at_conn_may_send(const struct np_at_conn *conn);

/**
 * np_at_conn_command() - queue one command line (without LF; refused with -EINVAL when it holds one
 * or a NUL). It is sent when the connection is up and every earlier command has its answer. No
 * answer within the time-out ends the connection, since a late one could not be told from the next.
 * @cb: NULL for commands without an answer (monitor)
 */
int np_at_conn_command(struct np_at_conn *conn, const char *line, size_t len, np_at_reply_cb cb,
		       void *arg);

#endif
