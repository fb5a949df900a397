/* SPDX-License-Identifier: BSD-3-Clause */
/* What srv may not get in argv: relay authentication line and tunnel keys (noports.md 6.5). */
#ifndef SRV_SECRETS_H
#define SRV_SECRETS_H

#include "noports/sessionkeys.h"

#include <stdbool.h>

struct np_err;

struct srv_secrets {
	struct np_secret auth; /* text, empty without */
	struct np_session_keys keys;
};

/**
 * srv_secrets_read() - take them from the environment (@fd -1) or as KEY=value lines from @fd,
 * which is closed. The environment's copies are overwritten in every case, so that
 * /proc/PID/environ does not show them.
 * @need_auth, @need_keys: what must be there (-ENOENT with the name of what is missing) and what is
 * decoded
 */
int srv_secrets_read(int fd, bool need_auth, bool need_keys, struct srv_secrets *secrets,
		     struct np_err *err);
void srv_secrets_fini(struct srv_secrets *secrets);

#endif
