// SPDX-License-Identifier: BSD-3-Clause
#include "cli/opt.h"

#include "base/err.h"
#include "cli/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_environment(struct cli_parse *parse, struct np_err *err)
{
	struct cli_where where = { CLI_FROM_ENV, "" };
	const struct cli_opt *opt = NULL;
	const char *text;
	int ret;

	while ((opt = np_cli_next_opt(parse, opt))) {
		text = opt->env ? getenv(opt->env) : NULL;
		if (!text || !*text)
			continue;
		snprintf(where.text, sizeof(where.text), "environment variable %s", opt->env);
		ret = np_cli_value_add(parse, opt, text, &where, err);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * A config file that only the default names may be absent; one that somebody named must be there.
 */
static int read_config_file(struct cli_parse *parse, const void *conf, struct np_err *err)
{
	const struct cli_opt *opt = NULL;
	const struct cli_value *value;
	const char *path;
	int ret;

	while ((opt = np_cli_next_opt(parse, opt))) {
		if (!(opt->flags & (CLI_CONF_ENV | CLI_CONF_YAML)))
			continue;
		value = np_cli_value_last(parse, opt);
		path = value ? value->text
			     : *(const char *const *)((const char *)conf + opt->offset);
		if (!path || !*path || (!value && access(path, F_OK) < 0))
			continue;
		ret = opt->flags & CLI_CONF_ENV ? np_cli_conf_read_env(parse, path, err) :
						  np_cli_conf_read_yaml(parse, path, err);
		if (ret)
			return ret;
	}
	return 0;
}

static int check_required(const struct cli_parse *parse, struct np_err *err)
{
	const struct cli_opt *opt = NULL;

	while ((opt = np_cli_next_opt(parse, opt))) {
		if (!(opt->flags & CLI_REQUIRED) || np_cli_value_last(parse, opt))
			continue;
		if (opt->letter)
			return np_fail(err, -EINVAL, "option --%s (-%c) %s is required", opt->name,
				       opt->letter, opt->arg ? opt->arg : "");
		return np_fail(err, -EINVAL, "option --%s %s is required", opt->name,
			       opt->arg ? opt->arg : "");
	}
	return 0;
}

static int check_args(const struct cli_parse *parse, struct np_err *err)
{
	const struct cli_prog *prog = parse->prog;
	size_t min = parse->cmd ? parse->cmd->min_args : prog->min_args;
	size_t max = parse->cmd ? parse->cmd->max_args : prog->max_args;
	const char *args = parse->cmd ? parse->cmd->args : prog->args;

	if (parse->nr_args > max)
		return np_fail(err, -EINVAL, "unexpected argument '%.60s'", parse->args[max]);
	if (parse->nr_args < min)
		return np_fail(err, -EINVAL, "missing argument: %s%s%s",
			       parse->cmd ? parse->cmd->name : "", parse->cmd ? " " : "",
			       args ? args : "");
	return 0;
}

static int choose_cmd(struct cli_parse *parse, struct np_err *err)
{
	if (parse->group)
		return np_fail(err, -EINVAL, "command '%.40s' is incomplete", parse->group);
	if (parse->prog->cmds && !parse->cmd && !np_cli_default_cmd(parse))
		return np_fail(err, -EINVAL, "a command is required");
	return 0;
}

static int answer(const struct cli_parse *parse, const void *conf)
{
	if (parse->asked & CLI_ASKED_HELP)
		np_cli_help(parse, conf, stdout);
	else if (parse->asked & CLI_ASKED_VERSION)
		printf("%s %s\n", parse->prog->name, NP_VERSION);
	else if (parse->asked & CLI_ASKED_DUMP_MAN)
		np_cli_dump_man(parse, conf, stdout);
	else if (parse->asked & CLI_ASKED_DUMP_MD)
		np_cli_dump_md(parse, conf, stdout);
	else
		np_cli_dump_bash(parse, stdout);
	return CLI_DONE;
}

int np_cli_parse(struct cli_parse *parse, const struct cli_prog *prog, int argc, char **argv,
		 void *conf, struct np_err *err)
{
	int ret;

	memset(parse, 0, sizeof(*parse));
	parse->prog = prog;
	parse->args = calloc(1, sizeof(*parse->args));
	if (!parse->args)
		return np_fail_errno(err, -ENOMEM, "command line");
	ret = np_cli_scan(parse, argc, argv, err);
	if (ret)
		return ret;
	if (parse->asked)
		return answer(parse, conf);
	ret = choose_cmd(parse, err);
	if (!ret)
		ret = check_args(parse, err);
	if (!ret)
		ret = read_environment(parse, err);
	if (!ret)
		ret = read_config_file(parse, conf, err);
	if (!ret)
		ret = check_required(parse, err);
	if (ret)
		return ret;
	ret = np_cli_values_commit(parse, conf);
	return ret ? np_fail_errno(err, ret, "command line") : 0;
}

int np_cli_usage_exit(const struct cli_parse *parse, const struct np_err *err)
{
	const char *cmd = parse->cmd && !parse->cmd_implied ? parse->cmd->name : NULL;
	char line[sizeof(err->msg)], *p;

	/* Values come from files too: no control character reaches the terminal. */
	snprintf(line, sizeof(line), "%s", np_err_text(err));
	for (p = line; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "%s: %s; see %s%s%s --help\n", parse->prog->name, line, parse->prog->name,
		cmd ? " " : "", cmd ? cmd : "");
	return 2;
}

int np_cli_start(struct cli_parse *parse, const struct cli_prog *prog, int argc, char **argv,
		 void *conf)
{
	struct np_err err = NP_ERR_INIT;
	int ret;

	ret = np_cli_parse(parse, prog, argc, argv, conf, &err);
	if (ret < 0)
		return np_cli_usage_exit(parse, &err);
	if (ret == CLI_DONE)
		return fflush(stdout) ? 1 : 0;
	return CLI_GO_ON;
}

int np_cli_main(const struct cli_prog *prog, int argc, char **argv, void *conf)
{
	struct cli_parse parse;
	int status;

	status = np_cli_start(&parse, prog, argc, argv, conf);
	if (status == CLI_GO_ON)
		status = parse.cmd->fn(conf, &parse);
	np_cli_fini(&parse);
	return status;
}
