/* SPDX-License-Identifier: BSD-3-Clause */
/* What every client program needs: keys, TLS, directory and the client of our atSign. */
#ifndef NP_NOPORTS_LINK_H
#define NP_NOPORTS_LINK_H

#include <stdbool.h>

struct ev_loop;
struct np_at_client;
struct np_at_keys;
struct np_directory;
struct np_err;
struct np_tls_ctx;

struct np_link {
	struct ev_loop *loop;
	struct np_tls_ctx *tls;
	struct np_directory *dir;
	struct np_at_keys *keys;
	struct np_at_client *client;
};

/**
 * struct np_link_params - who we are and whom we trust. Borrowed for the call.
 * @key_file: NULL for the default place
 * @root_ca: PEM file, NULL for the system's
 * @root_domain: the atDirectory, HOST[:PORT]
 */
struct np_link_params {
	struct ev_loop *loop;
	const char *from, *key_file, *root_ca, *root_domain;
};
/** np_link_open() - load keys and start connecting; @on_state hears when the atServer is reached or
 * lost. */
int np_link_open(struct np_link *link, const struct np_link_params *p,
		 void (*on_state)(bool up, const struct np_err *err, void *arg), void *arg,
		 struct np_err *err);
void np_link_close(struct np_link *link);

#endif
