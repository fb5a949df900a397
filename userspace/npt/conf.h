/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user asked for (noports.md 12.2). */
#ifndef NPT_CONF_H
#define NPT_CONF_H

#include "at/atsign.h"
#include "cli/opt.h"
#include "noports/msg.h"

#include <stdbool.h>
#include <stdint.h>

struct npt_conf {
	/* as given */
	const char *key_file, *from_text, *to_text, *device_text, *relay_text;
	const char *remote_host, *local_host, *root_domain, *root_ca;
	uint16_t local_port, remote_port;
	uint64_t ping_timeout_s, timeout_ms;
	bool detach, keep_alive, encrypt, per_session_storage, verbose, quiet;
	/* checked */
	char from[NP_ATSIGN_MAX], to[NP_ATSIGN_MAX], relay[NP_ATSIGN_MAX];
	char device[NP_DEVICE_MAX];
};

extern const struct cli_prog npt_prog;
extern const struct npt_conf npt_defaults;

/** npt_conf_check() - atSigns, names, combinations; the timeout that stands for none given. */
int npt_conf_check(struct npt_conf *conf, const struct cli_parse *parse, struct np_err *err);

#endif
