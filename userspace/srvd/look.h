/* SPDX-License-Identifier: BSD-3-Clause */
/* Public keys for the relay, over connections of their own. */
#ifndef SRVD_LOOK_H
#define SRVD_LOOK_H

#include "at/client.h"

#define LOOKERS_MAX 4

struct look_question;
struct srvd;

struct lookers {
	struct np_at_client *client[LOOKERS_MAX]; /* made when needed */
	struct look_question *questions;	  /* without an answer yet */
};

/** look_key() - as np_at_client_public_key(). */
int look_key(struct srvd *srvd, const char *atsign, bool fresh, np_at_key_cb cb, void *arg);
/** look_cancel() - no callback with this @arg follows. */
void look_cancel(struct srvd *srvd, void *arg);
void look_fini(struct srvd *srvd);

#endif
