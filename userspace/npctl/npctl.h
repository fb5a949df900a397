/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npctl's commands: one file each, object first. A command stores its options in the part of its
 * object.
 */
#ifndef NPCTL_NPCTL_H
#define NPCTL_NPCTL_H

#include "cli/opt.h"

struct np_err;

struct npctl_conf {
	bool json;
	struct {
		struct cli_list hosts, atsigns;
		uint16_t port, directory_port;
		const char *at; /* "host:port" of an atSign that another server hosts */
	} realm;
	struct {
		bool replace;
	} server;
};

/** npctl_fail() - print "npctl: MESSAGE" on stderr. Return: 1, the exit status. */
int npctl_fail(const struct np_err *err);

extern const struct cli_opt npctl_json_opts[]; /* --json alone */
extern const struct cli_opt npctl_realm_init_opts[];
extern const struct cli_opt npctl_realm_add_opts[];
extern const struct cli_opt npctl_realm_renew_opts[];

extern const struct cli_opt npctl_server_restore_opts[];

int npctl_realm_init(void *conf, const struct cli_parse *parse);
int npctl_realm_add(void *conf, const struct cli_parse *parse);
int npctl_realm_renew(void *conf, const struct cli_parse *parse);
int npctl_realm_list(void *conf, const struct cli_parse *parse);
int npctl_probe(void *conf, const struct cli_parse *parse);
int npctl_express_status(void *conf, const struct cli_parse *parse);
int npctl_express_flush(void *conf, const struct cli_parse *parse);
int npctl_server_backup(void *conf, const struct cli_parse *parse);
int npctl_server_export(void *conf, const struct cli_parse *parse);
int npctl_server_import(void *conf, const struct cli_parse *parse);
int npctl_server_restore(void *conf, const struct cli_parse *parse);

#endif
