/* SPDX-License-Identifier: BSD-3-Clause */
/* What every mode of sshnp needs: keys, TLS, directory and the client of our atSign. */
#ifndef SSHNP_LINK_H
#define SSHNP_LINK_H

#include <stdbool.h>

struct ev_loop;
struct np_at_client;
struct np_at_keys;
struct np_directory;
struct np_err;
struct np_tls_ctx;
struct sshnp_conf;

struct link {
	struct ev_loop *loop;
	struct np_tls_ctx *tls;
	struct np_directory *dir;
	struct np_at_keys *keys;
	struct np_at_client *client;
};

/** link_open() - load keys and start connecting; @on_state hears when the atServer is reached or lost. */
int link_open(struct link *link, struct ev_loop *loop, const struct sshnp_conf *conf,
	      void (*on_state)(bool up, const struct np_err *err, void *arg), void *arg, struct np_err *err);
void link_close(struct link *link);

#endif
