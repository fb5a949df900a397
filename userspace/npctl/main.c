// SPDX-License-Identifier: BSD-3-Clause
/* npctl: makes, shows and steers what the daemons work on. */
#include "npctl.h"

#include "atserver/realm.h"
#include "base/err.h"

#include <signal.h>
#include <stdio.h>

const struct cli_opt npctl_json_opts[] = {
	CLI_FLAG("json", 0, struct npctl_conf, json, "print JSON with stable keys", 0),
	CLI_END
};

static const struct cli_opt npctl_no_opts[] = {CLI_END};

static const struct cli_cmd cmds[] = {
	CLI_CMD("realm init", npctl_realm_init, npctl_realm_init_opts,
		"make a private realm in the folder DIR", .args = "DIR", .min_args = 1,
		.max_args = 1),
	CLI_CMD("realm add", npctl_realm_add, npctl_realm_add_opts,
		"add atSigns to a realm; a running atserverd takes them up by itself",
		.args = "DIR @ATSIGN...", .min_args = 2, .max_args = 1000),
	CLI_CMD("realm renew", npctl_realm_renew, npctl_realm_renew_opts,
		"issue a fresh server certificate", .args = "DIR", .min_args = 1, .max_args = 1),
	CLI_CMD("realm list", npctl_realm_list, npctl_json_opts, "show the atSigns of a realm",
		.args = "DIR", .min_args = 1, .max_args = 1),
	CLI_CMD("probe", npctl_probe, npctl_json_opts, "what this host can do, one line a back end"),
	CLI_CMD("express status", npctl_express_status, npctl_json_opts,
		"what the kernel relays in this network namespace"),
	CLI_CMD("express flush", npctl_express_flush, NULL,
		"end all sessions in express and remove it from every interface"),
	CLI_CMD("server backup", npctl_server_backup, npctl_no_opts,
		"copy everything that a server stores into the new FILE, also while it runs",
		.args = "DIR FILE", .min_args = 2, .max_args = 2),
	CLI_CMD("server export", npctl_server_export, npctl_no_opts,
		"write all that one atSign has into the new FILE, also while it is served",
		.args = "DIR @ATSIGN FILE", .min_args = 3, .max_args = 3),
	CLI_CMD("server import", npctl_server_import, npctl_no_opts,
		"host the atSign of an export; a running atserverd takes it up by itself",
		.args = "DIR FILE", .min_args = 2, .max_args = 2),
	CLI_CMD("server restore", npctl_server_restore, npctl_server_restore_opts,
		"put a backup back; the server must be stopped", .args = "DIR FILE", .min_args = 2,
		.max_args = 2),
	CLI_CMD_END
};

static const struct cli_prog prog = {
	.name = "npctl",
	.purpose = "private realms, their data, and what the kernel relays",
	.cmds = cmds,
	.need_cmd = true,
};

int npctl_fail(const struct np_err *err)
{
	fprintf(stderr, "npctl: %s\n", np_err_text(err));
	return 1;
}

int main(int argc, char **argv)
{
	struct npctl_conf conf = {
		.realm = {.port = NP_REALM_PORT, .directory_port = NP_REALM_DIR_PORT}};

	signal(SIGPIPE, SIG_IGN);
	return np_cli_main(&prog, argc, argv, &conf);
}
