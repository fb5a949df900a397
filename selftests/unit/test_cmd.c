// SPDX-License-Identifier: BSD-3-Clause
/* Commands of one and two words, and what is answered on stdout. */
#include "base/err.h"
#include "cli/opt.h"
#include "harness/ktap.h"

#include <errno.h>
#include <unistd.h>

struct conf {
	const char *host, *cram, *root;
	bool json;
	uint64_t timeout;
	struct cli_list atsigns;
};

static const char *ran;
static struct conf conf;
static struct cli_parse parse;
static struct np_err err;

static int cmd_onboard(void *data, const struct cli_parse *p)
{
	(void)data;
	(void)p;
	ran = "onboard";
	return 0;
}

static int cmd_init(void *data, const struct cli_parse *p)
{
	struct conf *c = data;

	ran = "realm init";
	KTAP_STREQ(p->args[0], "DIR");
	KTAP_STREQ(c->host, "h");
	return 3;
}

static int cmd_add(void *data, const struct cli_parse *p)
{
	(void)data;
	(void)p;
	ran = "realm add";
	return 0;
}

static const struct cli_opt opts[] = {
	CLI_FLAG("json", 'j', struct conf, json, "print JSON", 0),
	CLI_STR("root-domain", 'r', "HOST[:PORT]", struct conf, root, "atDirectory", 0),
	CLI_END
};
static const struct cli_opt onboard_opts[] = {
	CLI_STR("cramkey", 'c', "TEXT", struct conf, cram, "the secret", CLI_SECRET),
	CLI_END
};
static const struct cli_opt init_opts[] = {
	CLI_STR("host", 'h', "HOST", struct conf, host, "name that peers reach", CLI_REQUIRED),
	CLI_LIST("atsign", 'a', "ATSIGN", struct conf, atsigns,
		 "members; give it often enough that this text wraps", 0),
	CLI_DURATION("timeout", 0, "TIME", struct conf, timeout, "patience", 0),
	CLI_STR("internal", 0, "X", struct conf, cram, "not to be seen", CLI_HIDDEN),
	CLI_END
};
static const struct cli_cmd cmds[] = {
	CLI_CMD("onboard", cmd_onboard, onboard_opts, "first use of an atSign"),
	CLI_CMD("realm init", cmd_init, init_opts, "make a realm", .args = "DIR", .min_args = 1,
		.max_args = 1),
	CLI_CMD("realm add", cmd_add, NULL, "add an atSign", .args = "DIR ATSIGN", .min_args = 2,
		.max_args = 2),
	CLI_CMD_END
};
static const struct cli_prog prog = {
	.name = "prog", .purpose = "tests", .opts = opts, .cmds = cmds
};
static const struct cli_prog strict = {
	.name = "strict", .opts = opts, .cmds = cmds, .need_cmd = true
};

static char out[16384];

static int with_output(int (*fn)(const struct cli_prog *, int, char **),
		       const struct cli_prog *which, int to, const char *const *list)
{
	FILE *file = tmpfile();
	char *argv[16] = { (char *)"prog" };
	int argc = 1, saved, ret;
	ssize_t n;

	for (; list && *list; list++)
		argv[argc++] = strdup(*list);
	conf = (struct conf){ .root = "root.example", .timeout = 90000 };
	err = (struct np_err)NP_ERR_INIT;
	fflush(stdout);
	saved = dup(to);
	if (!file || saved < 0)
		abort();
	dup2(fileno(file), to);
	ret = fn(which, argc, argv);
	fflush(stdout);
	dup2(saved, to);
	close(saved);
	n = pread(fileno(file), out, sizeof(out) - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	fclose(file);
	while (argc > 1)
		free(argv[--argc]);
	return ret;
}

static int do_parse(const struct cli_prog *which, int argc, char **argv)
{
	int ret;

	ran = "";
	ret = np_cli_parse(&parse, which, argc, argv, &conf, &err);
	ran = parse.cmd ? parse.cmd->name : "none";
	np_cli_fini(&parse);
	return ret;
}

static int do_main(const struct cli_prog *which, int argc, char **argv)
{
	ran = "nothing";
	return np_cli_main(which, argc, argv, &conf);
}

#define PARSE(...)                                                                                 \
	with_output(do_parse, &prog, STDOUT_FILENO, (const char *const[]){ __VA_ARGS__, NULL })
#define MAIN(...)                                                                                  \
	with_output(do_main, &prog, STDERR_FILENO, (const char *const[]){ __VA_ARGS__, NULL })

static void commands_run(void)
{
	KTAP_EQ(MAIN("realm", "init", "DIR", "--host", "h"), 3);
	KTAP_STREQ(ran, "realm init");
	KTAP_EQ(MAIN("-j", "realm", "--json", "init", "-hh", "DIR"), 3);
	KTAP_EQ(MAIN("realm", "add", "DIR", "@x"), 0);
	KTAP_STREQ(ran, "realm add");
}

static void first_command_is_the_default(void)
{
	KTAP_EQ(with_output(do_main, &prog, STDERR_FILENO, NULL), 0);
	KTAP_STREQ(ran, "onboard");
	KTAP_EQ(MAIN("-r", "x", "-c", "cram"), 0);
	KTAP_STREQ(ran, "onboard");
	KTAP_EQ(with_output(do_parse, &strict, STDOUT_FILENO, NULL), -EINVAL);
	KTAP_STREQ(err.msg, "a command is required");
	KTAP_EQ(with_output(do_parse, &strict, STDOUT_FILENO,
			    (const char *const[]){ "-c", "x", NULL }),
		-EINVAL);
	KTAP_STREQ(err.msg, "unknown option -c");
}

static void wrong_commands_are_named(void)
{
	KTAP_EQ(PARSE("realms"), -EINVAL);
	KTAP_STREQ(err.msg, "unknown command 'realms'");
	KTAP_EQ(PARSE("realm", "make"), -EINVAL);
	KTAP_STREQ(err.msg, "unknown command 'realm make'");
	KTAP_EQ(PARSE("realm"), -EINVAL);
	KTAP_STREQ(err.msg, "command 'realm' is incomplete");
	KTAP_EQ(PARSE("rea"), -EINVAL);
	KTAP_EQ(PARSE("realm", "add", "DIR"), -EINVAL);
	KTAP_STREQ(err.msg, "missing argument: realm add DIR ATSIGN");
	KTAP_EQ(PARSE("realm", "add", "DIR", "@x", "@y"), -EINVAL);
	KTAP_STREQ(err.msg, "unexpected argument '@y'");
	/* Another command's option is not this one's. */
	KTAP_EQ(PARSE("realm", "add", "--cramkey=x"), -EINVAL);
	KTAP_STREQ(err.msg, "unknown option --cramkey");
}

static void usage_error_is_one_line_and_two(void)
{
	KTAP_EQ(MAIN("realm", "init", "DIR"), 2);
	KTAP_STREQ(ran, "nothing");
	KTAP_STREQ(out, "prog: option --host (-h) HOST is required; see prog realm init --help\n");
	KTAP_EQ(MAIN("--x\033[2J\n"), 2);
	KTAP_STREQ(out, "prog: unknown option --x?[2J?; see prog --help\n");
}

static void help_shows_options_and_defaults(void)
{
	KTAP_EQ(PARSE("--help"), CLI_DONE);
	KTAP_OK(strstr(out, "Usage: prog COMMAND [OPTION]...\n"));
	KTAP_OK(strstr(out, "  realm init DIR              make a realm\n"));
	KTAP_OK(strstr(out, "  -j, --json                  print JSON\n"));
	KTAP_OK(strstr(out, "atDirectory (default root.example)"));
	KTAP_OK(strstr(out, "  -h, --help"));
	KTAP_EQ(PARSE("realm", "init", "--help"), CLI_DONE);
	KTAP_OK(strstr(out, "Usage: prog realm init [OPTION]... DIR\n"));
	KTAP_OK(strstr(out, "(required)"));
	KTAP_OK(strstr(out, "patience (default 90s)"));
	KTAP_OK(!strstr(out, "internal"));
	/* -h is this command's host. */
	KTAP_OK(!strstr(out, "-h, --help"));
	KTAP_OK(strstr(out, "      --help"));
	KTAP_EQ(PARSE("realm", "--help"), CLI_DONE);
	KTAP_OK(strstr(out, "realm add") && !strstr(out, "onboard"));
}

static void help_keeps_to_its_width(void)
{
	const char *line, *end;

	KTAP_EQ(PARSE("realm", "init", "--help"), CLI_DONE);
	for (line = out; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;
		if (end - line > 80)
			KTAP_FAILF("too wide: %.*s", (int)(end - line), line);
	}
}

static void version_is_said(void)
{
	KTAP_EQ(PARSE("--version"), CLI_DONE);
	KTAP_STREQ(out, "prog " NP_VERSION "\n");
}

static void dumps_for_manual_and_completion(void)
{
	KTAP_EQ(PARSE("--dump-cli", "man"), CLI_DONE);
	KTAP_OK(strstr(out, "# OPTIONS\n\n*-j*, *--json*\n\tprint JSON.\n"));
	KTAP_OK(strstr(
		out,
		"## realm init\n\n*-h*, *--host* _HOST_\n\tname that peers reach. Required.\n"));
	KTAP_OK(!strstr(out, "internal"));
	KTAP_EQ(PARSE("--dump-cli=md"), CLI_DONE);
	KTAP_OK(strstr(out,
		       "| `-r, --root-domain HOST[:PORT]` | atDirectory | `root.example` |\n"));
	KTAP_OK(strstr(out,
		       "\n`realm init DIR`: make a realm\n\n| Option | Meaning | Default |\n"));
	KTAP_EQ(PARSE("--dump-cli=bash"), CLI_DONE);
	KTAP_OK(strstr(out, "complete -F _knp_prog prog\n"));
	KTAP_OK(strstr(out, "--cramkey ") && !strstr(out, "--internal"));
	KTAP_EQ(PARSE("--dump-cli=x"), -EINVAL);
	KTAP_STREQ(err.msg, "option --dump-cli: 'x' is not one of man, md, bash");
}

int main(void)
{
	KTAP_RUN(commands_run);
	KTAP_RUN(first_command_is_the_default);
	KTAP_RUN(wrong_commands_are_named);
	KTAP_RUN(usage_error_is_one_line_and_two);
	KTAP_RUN(help_shows_options_and_defaults);
	KTAP_RUN(help_keeps_to_its_width);
	KTAP_RUN(version_is_said);
	KTAP_RUN(dumps_for_manual_and_completion);
	return ktap_done();
}
