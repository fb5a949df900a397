// SPDX-License-Identifier: BSD-3-Clause
/* sshnpd: the device daemon. */
#include "base/err.h"
#include "base/log.h"
#include "daemon.h"

#include <malloc.h>
#include <signal.h>

int main(int argc, char **argv)
{
	struct sshnpd_conf conf = sshnpd_defaults;
	struct np_err err = NP_ERR_INIT;
	struct cli_parse parse;
	int status;

	/* A daemon rests most of its life: one arena, and freed memory goes back. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 64 << 10);
	signal(SIGPIPE, SIG_IGN);
	status = np_cli_start(&parse, &sshnpd_prog, argc, argv, &conf);
	if (status == CLI_GO_ON) {
		np_log_open_stderr(conf.log_format == 1);
		np_log_set_level(conf.verbose ? NP_LOG_DEBUG : NP_LOG_INFO);
		if (sshnpd_conf_check(&conf, &err))
			status = np_cli_usage_exit(&parse, &err);
		else
			status = daemon_run(&conf);
	}
	sshnpd_conf_fini(&conf);
	np_cli_fini(&parse);
	return status;
}
