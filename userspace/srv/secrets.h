/* SPDX-License-Identifier: BSD-3-Clause */
/* What srv may not get in argv: relay authentication and tunnel keys (noports.md 6.5). */
#ifndef SRV_SECRETS_H
#define SRV_SECRETS_H

#include "noports/escr.h"
#include "noports/sessionkeys.h"

#include <stdbool.h>

struct np_err;

struct srv_secrets {
	struct np_secret auth; /* text, empty without */
	struct np_session_keys keys;
	struct np_escr escr; /* empty without */
};

/** struct srv_needs - what must be there and is decoded. */
struct srv_needs {
	bool auth, keys, escr;
	bool is_side_a; /* where the variable that says so is not there */
};

/**
 * srv_secrets_read() - take them from the environment (@fd -1) or as KEY=value lines from @fd,
 * which is closed. The environment's copies are overwritten in every case, so that
 * /proc/PID/environ does not show them. -ENOENT with the name of what is missing.
 */
int srv_secrets_read(int fd, const struct srv_needs *needs, struct srv_secrets *secrets,
		     struct np_err *err);
void srv_secrets_fini(struct srv_secrets *secrets);

#endif
