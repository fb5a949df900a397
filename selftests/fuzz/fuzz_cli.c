// SPDX-License-Identifier: BSD-3-Clause
/*
 * The command line and both config files. The first byte chooses: 'e' a KEY=value file, 'y' a YAML
 * file, anything else an argv whose entries are separated by line feeds.
 */
#include "base/err.h"
#include "base/fd.h"
#include "cli/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct conf {
	const char *env_file, *yaml_file, *to, *secret;
	bool flag, neg;
	uint64_t count, timeout;
	uint16_t port;
	struct cli_list list;
	int backend;
};

static const char *const backends[] = { "copy", "pipe", NULL };
static const struct cli_opt opts[] = {
	CLI_STR("env-file", 0, "FILE", struct conf, env_file, "", CLI_CONF_ENV | CLI_NO_CONF),
	CLI_STR("yaml-file", 0, "FILE", struct conf, yaml_file, "", CLI_CONF_YAML | CLI_NO_CONF),
	CLI_STR("to", 't', "ATSIGN", struct conf, to, "", 0, .conf_key = "peer/to"),
	CLI_STR("secret", 'c', "TEXT", struct conf, secret, "", CLI_SECRET),
	CLI_FLAG("flag", 'f', struct conf, flag, "", 0),
	CLI_BOOL("neg", 0, struct conf, neg, "", 0, .alias = "ng"),
	CLI_U64("count", 'n', "N", struct conf, count, "", 1, 10, 0),
	CLI_DURATION("timeout", 'T', "TIME", struct conf, timeout, "", 0),
	CLI_PORT("port", 'p', "PORT", struct conf, port, "", 0),
	CLI_LIST("list", 'l', "X,...", struct conf, list, "", 0),
	CLI_ENUM("backend", 'b', "NAME", struct conf, backend, "", backends),
	CLI_END
};
static const struct cli_cmd cmds[] = {
	CLI_CMD("show", NULL, NULL, ""),
	CLI_CMD("realm init", NULL, NULL, "", .args = "DIR", .max_args = 1),
	CLI_CMD_END
};
static const struct cli_prog prog = { .name = "fuzz", .opts = opts, .cmds = cmds };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(int argc, char **argv, struct conf *conf)
{
	struct np_err err = NP_ERR_INIT;
	struct cli_parse cli;
	size_t i, sum = 0;
	int ret;

	ret = np_cli_parse(&cli, &prog, argc, argv, conf, &err);
	if (ret < 0 && !err.msg[0])
		abort();
	if (ret == 0) {
		for (i = 0; i < conf->list.nr; i++)
			sum += strlen(conf->list.items[i]) + 1;
		for (i = 0; i < cli.nr_args; i++)
			sum += strlen(cli.args[i]);
		if (conf->count > 10 || conf->backend > 1 || (conf->list.nr && !sum))
			abort();
	}
	np_cli_fini(&cli);
}

static void parse_file(bool yaml, const uint8_t *data, size_t size)
{
	struct conf conf = { .count = 1 };
	char *argv[] = { (char *)"fuzz", NULL };
	char path[32];
	int fd;

	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || np_fd_write_all(fd, data, size))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*(yaml ? &conf.yaml_file : &conf.env_file) = path;
	parse(1, argv, &conf);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf conf = { .count = 1 };
	char *argv[64] = { (char *)"fuzz" }, *text, *p;
	int argc = 1;

	if (!size)
		return 0;
	if (*data == 'e' || *data == 'y') {
		parse_file(*data == 'y', data + 1, size - 1);
		return 0;
	}
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	/* What prints on stdout, or reads a file of the input's choice, is of no interest here. */
	if (strstr(text, "--help") || strstr(text, "--version") || strstr(text, "--dump-cli") ||
	    strstr(text, "-file") || strchr(text, 'h'))
		goto out;
	for (p = text; p && argc < 63; argc++) {
		argv[argc] = p;
		p = strchr(p, '\n');
		if (p)
			*p++ = '\0';
	}
	parse(argc, argv, &conf);
out:
	free(text);
	return 0;
}
