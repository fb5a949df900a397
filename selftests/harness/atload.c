// SPDX-License-Identifier: BSD-3-Clause
#include "atload.h"

#include "at/directory.h"
#include "at/keyfile.h"
#include "base/err.h"
#include "base/log.h"
#include "tls/tls.h"

#include <ev.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define C struct atload

static const struct cli_opt opts[] = {
	CLI_STR("root-domain", 0, "HOST:PORT", C, root_domain, "the atDirectory", CLI_REQUIRED),
	CLI_STR("root-ca", 0, "FILE", C, root_ca, "its CA", CLI_REQUIRED),
	CLI_STR("atsign", 'a', "ATSIGN", C, atsign, "who writes", CLI_REQUIRED),
	CLI_STR("keys", 'k', "FILE", C, keys_path, "its key file", CLI_REQUIRED),
	CLI_STR("to", 't', "ATSIGN", C, to, "who is notified", CLI_REQUIRED),
	CLI_STR("journal", 'j', "FILE", C, journal, "what was acknowledged", CLI_REQUIRED),
	CLI_U64("value-len", 0, "N", C, value_len, "bytes of a record's value", 1,
		ATLOAD_VALUE_MAX - 1, 0),
	CLI_END
};

static const struct cli_opt write_opts[] = {
	CLI_U64("conns", 'c', "N", C, conns, "connections that write", 1, 100, 0),
	CLI_U64("ops", 'n', "N", C, ops, "changes to make; 0: until SIGTERM", 0, 0, 0),
	CLI_END
};

static const struct cli_opt check_opts[] = {
	CLI_STR("to-keys", 0, "FILE", C, to_keys_path, "key file of who was notified",
		CLI_REQUIRED),
	CLI_DURATION("deadline", 0, "TIME", C, deadline_ms, "for everything", 0),
	CLI_END
};

void atload_value(const struct atload *load, const char *key, char dst[ATLOAD_VALUE_MAX])
{
	size_t len = strlen(key), i;

	for (i = 0; i < load->value_len; i++)
		dst[i] = key[i % len];
	dst[i] = '\0';
}

static int set_up(struct atload *load, struct np_err *err)
{
	int ret;

	load->loop = ev_default_loop(0);
	ret = np_atsign_parse(load->atsign, load->me, err);
	if (!ret)
		ret = np_atsign_parse(load->to, load->peer, err);
	if (!ret)
		ret = np_at_keys_load(load->keys_path, load->me, &load->keys, err);
	if (!ret && load->to_keys_path)
		ret = np_at_keys_load(load->to_keys_path, load->peer, &load->peer_keys, err);
	if (!ret)
		ret = np_tls_client_ctx(load->root_ca, NULL, NULL, &load->tls, err);
	return ret ? ret
		   : np_directory_new(load->loop, load->tls, load->root_domain, &load->dir, err);
}

static int run(struct atload *load, int (*fn)(struct atload *load))
{
	struct np_err err = NP_ERR_INIT;
	int status;

	if (set_up(load, &err)) {
		fprintf(stderr, "atload: %s\n", np_err_text(&err));
		status = 1;
	} else {
		status = fn(load);
	}
	np_directory_free(load->dir);
	np_tls_ctx_free(load->tls);
	np_at_keys_free(load->keys);
	np_at_keys_free(load->peer_keys);
	return status;
}

static int cmd_write(void *conf, const struct cli_parse *parse)
{
	(void)parse;
	return run(conf, atload_write);
}

static int cmd_check(void *conf, const struct cli_parse *parse)
{
	(void)parse;
	return run(conf, atload_check);
}

static const struct cli_cmd cmds[] = {
	CLI_CMD("write", cmd_write, write_opts,
		"write until told to stop, note what was acknowledged"),
	CLI_CMD("check", cmd_check, check_opts, "is all of it there?"),
	CLI_CMD_END
};

static const struct cli_prog prog = {
	.name = "atload",
	.purpose = "test writer for atServers",
	.opts = opts,
	.cmds = cmds,
	.need_cmd = true,
};

int main(int argc, char **argv)
{
	struct atload load = {.conns = 4, .value_len = 200, .deadline_ms = 60000};

	signal(SIGPIPE, SIG_IGN);
	np_log_open_stderr(false);
	return np_cli_main(&prog, argc, argv, &load);
}
