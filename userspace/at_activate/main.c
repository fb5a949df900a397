// SPDX-License-Identifier: BSD-3-Clause
/* at_activate: makes an atSign's keys and its key file with the CRAM secret, once. */
#include "activate.h"

#include "at/keyfile.h"
#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define C struct activate_conf
static const struct cli_opt opts[] = {
	CLI_STR("atsign", 'a', "ATSIGN", C, atsign_text, "the atSign, e.g. @alice", CLI_REQUIRED),
	CLI_STR("root-domain", 'r', "HOST[:PORT]", C, root_domain, "the atDirectory", 0,
		.alias = "rootServer,root-server"),
	CLI_STR("root-ca", 0, "FILE", C, root_ca,
		"PEM file of the CAs to trust (default: the system's), e.g. ca.pem of a private "
		"realm",
		0),
	CLI_STR("keys", 'k', "FILE", C, key_path,
		"the key file (default ~/.atsign/keys/@you_key.atKeys)", 0),
	CLI_END};

static const struct cli_opt onboard_opts[] = {
	CLI_STR("cram-file", 0, "FILE", C, cram_file,
		"file that holds the CRAM secret, - for standard input", 0),
	CLI_STR("cramkey", 'c', "SECRET", C, cram_key,
		"the CRAM secret itself; unsafe: it stays in the shell's history, and other users "
		"can see it",
		CLI_SECRET),
	CLI_FLAG("resume", 0, C, resume,
		 "finish an interrupted activation with the key file that it left", 0),
	CLI_END};

static const struct cli_opt status_opts[] = {
	CLI_FLAG("json", 0, C, json, "machine-readable output", 0), CLI_END};

static const struct cli_cmd cmds[] = {
	CLI_CMD("onboard", cmd_onboard, onboard_opts, "activate an atSign and write its key file"),
	CLI_CMD("status", cmd_status, status_opts,
		"tell whether an atSign is activated and a key file is accepted"),
	CLI_CMD_END};

static const struct cli_prog prog = {
	.name = "at_activate",
	.purpose = "activate an atSign: make its keys and its key file",
	.opts = opts,
	.cmds = cmds,
	.footer = "Without -c and --cram-file, onboard reads the secret from standard input\n"
		  "(a terminal does not show it).\n"
		  "\n"
		  "  at_activate onboard -a @alice --cram-file @alice.cram \\\n"
		  "    --root-ca ca.pem -r host.example:64\n"
		  "  at_activate status -a @alice\n"
		  "\n"
		  "Exit status: 0 done (status: activated), 1 failed or not activated,\n"
		  "2 wrong usage.\n",
};

int conf_finish(struct activate_conf *conf, struct np_err *err)
{
	int ret;

	ret = np_atsign_parse(conf->atsign_text, conf->atsign, err);
	if (ret)
		return ret;
	if (!conf->key_path)
		return np_at_keys_default_path(conf->atsign, conf->path, sizeof(conf->path), err);
	if (np_str_copy(conf->path, sizeof(conf->path), conf->key_path))
		return np_fail(err, -EINVAL, "option --keys: path is too long");
	return 0;
}

int complain(const struct np_err *err)
{
	fprintf(stderr, "at_activate: %s\n", np_err_text(err));
	return 1;
}

int main(int argc, char **argv)
{
	struct activate_conf conf = {.root_domain = "root.atsign.org"};

	/* A peer that hangs up must end in a message. */
	signal(SIGPIPE, SIG_IGN);
	return np_cli_main(&prog, argc, argv, &conf);
}
