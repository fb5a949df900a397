// SPDX-License-Identifier: BSD-3-Clause
#include "atbench.h"

#include "at/directory.h"
#include "at/keyfile.h"
#include "base/err.h"
#include "base/log.h"
#include "tls/tls.h"

#include <ev.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define C struct atbench
static const struct cli_opt opts[] = {
	CLI_STR("root-domain", 0, "HOST:PORT", C, root_domain, "the atDirectory", CLI_REQUIRED),
	CLI_STR("root-ca", 0, "FILE", C, root_ca, "CAs to trust", 0),
	CLI_END
};

static const struct cli_opt notify_opts[] = {
	CLI_LIST("senders", 's', "ATSIGN,...", C, senders, "who notifies", CLI_REQUIRED),
	CLI_LIST("receivers", 'r', "ATSIGN,...", C, receivers,
		 "who is notified: the first sender notifies the first receiver, and so on",
		 CLI_REQUIRED),
	CLI_U64("window", 'w', "N", C, window, "notifications under way per sender", 1, 64, 0),
	CLI_U64("rate", 0, "N", C, rate,
		"notifications per second in all, at even distances; 0: as many as the window lets",
		0, 1000000, 0),
	CLI_DURATION("warmup", 0, "TIME", C, warmup_ms, "not measured yet", 0),
	CLI_DURATION("time", 't', "TIME", C, run_ms, "measured", 0),
	CLI_U64("value-len", 0, "N", C, value_len, "bytes of a value", ATBENCH_VALUE_MIN,
		ATBENCH_VALUE_MAX, 0),
	CLI_STR("latencies", 0, "FILE", C, latencies, "write each latency there, in us", 0),
	CLI_END
};

static const struct cli_opt monitors_opts[] = {
	CLI_LIST("atsigns", 'a', "ATSIGN,...", C, atsigns, "whose monitors", CLI_REQUIRED),
	CLI_U64("connections", 'c', "N", C, connections, "connections in all", 1, 1000000, 0),
	CLI_U64("opening", 0, "N", C, opening, "connections being made at a time", 1, 1000, 0),
	CLI_END
};
#undef C

int atbench_load_keys(const char *atsign, struct atbench_who *who, struct np_err *err)
{
	char path[PATH_MAX];
	int ret;

	ret = np_atsign_parse(atsign, who->name, err);
	if (!ret)
		ret = np_at_keys_default_path(who->name, path, sizeof(path), err);
	return ret ? ret : np_at_keys_load(path, who->name, &who->keys, err);
}

int atbench_open(const struct atbench *bench, const struct atbench_who *who,
		 const struct np_at_conn_ops *ops, void *arg, struct np_at_conn **out,
		 struct np_err *err)
{
	const struct np_at_conn_params params = {.loop = bench->loop,
						 .tls = bench->tls,
						 .dir = bench->dir,
						 .atsign = who->name,
						 .keys = who->keys,
						 .timeout_ms = 30000};

	return np_at_conn_open(&params, ops, arg, out, err);
}

static void raise_fd_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
}

static int run(struct atbench *bench, int (*fn)(struct atbench *bench))
{
	struct np_err err = NP_ERR_INIT;
	int ret, status = 1;

	raise_fd_limit();
	bench->loop = ev_default_loop(0);
	ret = np_tls_client_ctx(bench->root_ca, NULL, NULL, &bench->tls, &err);
	if (!ret)
		ret = np_tls_ctx_set_alpn(bench->tls, NP_AT_ALPN_PIPELINE);
	if (!ret)
		ret = np_directory_new(bench->loop, bench->tls, bench->root_domain, &bench->dir,
				       &err);
	if (ret)
		fprintf(stderr, "atbench: cannot start: %s\n", np_err_text(&err));
	else
		status = fn(bench);
	np_directory_free(bench->dir);
	np_tls_ctx_free(bench->tls);
	return status;
}

static int cmd_notify(void *conf, const struct cli_parse *parse)
{
	(void)parse;
	return run(conf, atbench_notify);
}

static int cmd_monitors(void *conf, const struct cli_parse *parse)
{
	(void)parse;
	return run(conf, atbench_monitors);
}

static const struct cli_cmd cmds[] = {
	CLI_CMD("notify", cmd_notify, notify_opts, "notifications end to end; prints one JSON line"),
	CLI_CMD("monitors", cmd_monitors, monitors_opts,
		"idle monitors; a line 'noop' on stdin asks each of them, the end of stdin ends"),
	CLI_CMD_END
};

static const struct cli_prog prog = {
	.name = "atbench",
	.purpose = "load for an atServer",
	.opts = opts,
	.cmds = cmds,
	.need_cmd = true,
};

int main(int argc, char **argv)
{
	struct atbench bench = {.root_domain = "root.atsign.org",
				.window = 32,
				.warmup_ms = 1000,
				.run_ms = 4000,
				.value_len = 256,
				.connections = 100,
				.opening = 64};

	signal(SIGPIPE, SIG_IGN);
	np_log_open_stderr(false);
	return np_cli_main(&prog, argc, argv, &bench);
}
