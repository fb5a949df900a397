/* SPDX-License-Identifier: BSD-3-Clause */
/* atserverd's options. */
#ifndef ATSERVERD_CONF_H
#define ATSERVERD_CONF_H

#include "cli/opt.h"

#include <limits.h>

struct np_err;

struct atserverd_conf {
	const char *config;
	const char *host, *listen, *cert, *key, *ca, *data, *secrets, *root_domain, *root_ca;
	uint16_t port, directory_port;
	bool directory, client_cert, verbose;
	uint64_t max_connections, note_ttl_ms, stats_ms, idle_ms;
	uint64_t quota_keys, quota_bytes, quota_notes, quota_connections;
	uint64_t ready_fd; /* 0: none */
	int log_format;	   /* index into the option's names: text, json */
	/* Files with relative paths resolved; "" when not given. */
	char cert_path[PATH_MAX], key_path[PATH_MAX], ca_path[PATH_MAX], data_path[PATH_MAX];
	char secrets_path[PATH_MAX], root_ca_path[PATH_MAX];
};

extern const struct cli_prog atserverd_prog;
extern const struct atserverd_conf atserverd_defaults;

/** atserverd_conf_resolve() - paths that came from the config file start from its folder. */
int atserverd_conf_resolve(struct atserverd_conf *conf, const struct cli_parse *parse,
			   struct np_err *err);

#endif
