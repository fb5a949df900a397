/* SPDX-License-Identifier: BSD-3-Clause */
/* srvd's options (noports.md 12.4). */
#ifndef SRVD_CONF_H
#define SRVD_CONF_H

#include "at/atsign.h"
#include "cli/opt.h"

#include <limits.h>

struct srvd_conf {
	/* as given */
	const char *key_file, *atsign_text, *ip, *bind, *root_domain, *root_ca;
	struct cli_list managers;
	uint64_t ready_fd, max_sessions, max_per_client, mss;
	int backend, log_format;
	bool verbose;
	/* filled by srvd_conf_check() */
	char atsign[NP_ATSIGN_MAX];
	char key_path[PATH_MAX];
	bool is_open;			/* --manager open */
	char (*manager)[NP_ATSIGN_MAX]; /* normal forms, conf->managers.nr of them */
};

extern const struct srvd_conf srvd_defaults;
extern const struct cli_prog srvd_prog;

/** srvd_conf_check() - what the option table cannot say; the message names the option. */
int srvd_conf_check(struct srvd_conf *conf, struct np_err *err);
void srvd_conf_fini(struct srvd_conf *conf);
/** srvd_conf_may_ask() - is @atsign (normal form) allowed to ask for sessions? */
bool srvd_conf_may_ask(const struct srvd_conf *conf, const char *atsign);

#endif
