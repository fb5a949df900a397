/* SPDX-License-Identifier: BSD-3-Clause */
/* atdirectoryd's options. */
#ifndef ATDIRECTORYD_CONF_H
#define ATDIRECTORYD_CONF_H

#include "cli/opt.h"

#include <limits.h>

struct np_err;

struct atdirectoryd_conf {
	const char *config;
	const char *data, *cert, *key, *listen;
	uint16_t port;
	uint64_t ready_fd; /* 0: none */
	bool verbose;
	int log_format; /* index into the option's names: text, json */
	/* The three files with relative paths resolved. */
	char data_path[PATH_MAX], cert_path[PATH_MAX], key_path[PATH_MAX];
};

extern const struct cli_prog atdirectoryd_prog;
extern const struct atdirectoryd_conf atdirectoryd_defaults;

/** atdirectoryd_conf_resolve() - paths that came from the config file start from its folder. */
int atdirectoryd_conf_resolve(struct atdirectoryd_conf *conf, const struct cli_parse *parse,
			      struct np_err *err);

#endif
