/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The atDirectory: which atSign is served where (atprotocol.md section 2). One object per listening
 * socket; atserverd embeds it (--directory), atdirectoryd is nothing else.
 *
 * A request is one line of at most 255 bytes: an atSign, "@exit", or nothing. A blank line answers
 * "null" and is no miss. The first miss of a connection is answered at once, the second one a
 * second later, the third one closes it. Where the storage fails, the connection is closed without
 * an answer: "null" would mean that the atSign is unknown, and clients remember that.
 */
#ifndef NP_ATSERVER_DIRSERVE_H
#define NP_ATSERVER_DIRSERVE_H

#include "net/addr.h"

#include <stdint.h>

struct ev_loop;
struct np_dirserve;
struct np_err;
struct np_store;
struct np_tls_ctx;

#define NP_DIRSERVE_REQUEST_MAX 255
#define NP_DIRSERVE_CONNS_MAX 1024 /* beyond, the connection that was idle longest is closed */

struct np_dirserve_answer {
	char host[NP_HOST_MAX]; /* a name or an IPv4 address: clients split at the first ':' */
	uint16_t port;
};

/**
 * typedef np_dirserve_lookup - where does @atsign (normal form, with @) answer?
 * Return: 0 with @answer filled, -ENOENT when it is unknown, another negative errno when that
 * cannot be told.
 */
typedef int (*np_dirserve_lookup)(const char *atsign, struct np_dirserve_answer *answer, void *arg);

/**
 * np_dirserve_open() - start serving.
 * @ctx: server context, kept; must live until np_dirserve_close()
 * @listen_fd: listening socket, taken (also on failure)
 */
int np_dirserve_open(struct ev_loop *loop, struct np_tls_ctx *ctx, int listen_fd,
		     np_dirserve_lookup lookup, void *arg, struct np_dirserve **out,
		     struct np_err *err);
void np_dirserve_close(struct np_dirserve *ds); /* NULL is accepted */
uint16_t np_dirserve_port(const struct np_dirserve *ds);

/**
 * np_dirserve_lookup_store() - an np_dirserve_lookup over the directory entries of the struct
 * np_store in @arg. An entry without a port (a realm whose server takes any) is unknown here: only
 * that server knows its port.
 */
int np_dirserve_lookup_store(const char *atsign, struct np_dirserve_answer *answer, void *arg);

#endif
