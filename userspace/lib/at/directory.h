/* SPDX-License-Identifier: BSD-3-Clause */
/* The atDirectory as its clients see it: which atServer answers for an atSign (atprotocol.md 2). */
#ifndef NP_AT_DIRECTORY_H
#define NP_AT_DIRECTORY_H

#include "net/addr.h"

#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct np_directory;
struct np_err;
struct np_tls_ctx;

/**
 * typedef np_directory_cb - @host is NULL on failure; -ENOENT means that the atSign does not exist.
 */
typedef void (*np_directory_cb)(const char *host, uint16_t port, const struct np_err *err,
				void *arg);

/**
 * np_directory_new() - a client of one directory, with a cache of one hour.
 * @root_domain: "host[:port]" (port 64 when absent), or "proxy:host[:port]" (port 443 when
 *	absent): then every atSign is at that address and no look-up is made
 * @tls: borrowed, must outlive the object
 */
int np_directory_new(struct ev_loop *loop, struct np_tls_ctx *tls, const char *root_domain,
		     struct np_directory **out, struct np_err *err);
void np_directory_free(struct np_directory *dir); /* no callback follows */
/**
 * np_directory_lookup() - ask for @atsign (normal form). The callback comes from the loop, never
 * from inside. One failed attempt is repeated (fresh connection) within 10 s overall.
 */
int np_directory_lookup(struct np_directory *dir, const char *atsign, np_directory_cb cb,
			void *arg);
/** np_directory_cancel() - no callback with this @arg follows. */
void np_directory_cancel(struct np_directory *dir, void *arg);
/**
 * np_directory_parse_answer() - one answer line of a directory; changed in place.
 * Return: 0 with @host and @port, -ENOENT when the atSign does not exist, -EPROTO when it is no
 * answer.
 */
int np_directory_parse_answer(char *line, size_t len, char host[NP_HOST_MAX], uint16_t *port,
			      struct np_err *err);
/** np_directory_forget() - drop the cached answer (the server did not answer there). */
void np_directory_forget(struct np_directory *dir, const char *atsign);

#endif
