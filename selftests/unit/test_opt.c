// SPDX-License-Identifier: BSD-3-Clause
#include "base/err.h"
#include "base/fd.h"
#include "cli/opt.h"
#include "harness/ktap.h"

#include <errno.h>
#include <unistd.h>

struct conf {
	const char *to, *secret, *file;
	bool send, quiet, auth, crypt;
	uint64_t count, timeout;
	uint16_t port, fixed;
	struct cli_list managers;
	int backend;
};

static const char *const backends[] = { "copy", "pipe", "sockmap", NULL };
static const char *const default_list[] = { "localhost:22", "localhost:3389" };
static const struct cli_opt opts[] = {
	CLI_STR("to", 't', "ATSIGN", struct conf, to, "device atSign", 0, .env = "TEST_OPT_TO"),
	CLI_STR("secret", 'c', "TEXT", struct conf, secret, "a secret", CLI_SECRET),
	CLI_STR("config-file", 0, "FILE", struct conf, file, "config file",
		CLI_CONF_ENV | CLI_NO_CONF),
	CLI_FLAG("send", 's', struct conf, send, "send it", 0),
	CLI_FLAG("quiet", 'q', struct conf, quiet, "say less", CLI_NO_CONF),
	CLI_BOOL("authenticate-client", 0, struct conf, auth, "authenticate", 0,
		 .alias = "ac,authc"),
	CLI_BOOL("encrypt", 0, struct conf, crypt, "encrypt", 0, .alias = "et"),
	CLI_U64("count", 'n', "N", struct conf, count, "how many", 1, 10, 0,
		.env = "TEST_OPT_COUNT"),
	CLI_DURATION("timeout", 'T', "TIME", struct conf, timeout, "how long", 0, .max = 3600000),
	CLI_PORT("port", 'p', "PORT", struct conf, port, "where", 0),
	CLI_PORT("fixed", 0, "PORT", struct conf, fixed, "where, fixed", CLI_HIDDEN, .min = 1),
	CLI_LIST("managers", 'm', "ATSIGN,...", struct conf, managers, "who", 0,
		 .alias = "manager"),
	CLI_ENUM("backend", 'b', "NAME", struct conf, backend, "how", backends),
	CLI_END
};
static const struct cli_prog prog = { .name = "prog", .purpose = "tests", .opts = opts,
				      .args = "[FILE...]", .max_args = 3 };

static struct conf conf;
static struct cli_parse parse;
static struct np_err err;
/* Writable copies, as main() has them. */
static char args_mem[40][200];
static char *args[41];

static void defaults(void)
{
	conf = (struct conf){ .to = "@default",
			      .auth = true,
			      .crypt = true,
			      .timeout = 90000,
			      .count = 3,
			      .managers = { default_list, 2 } };
	err = (struct np_err)NP_ERR_INIT;
}

static int run_prog(const struct cli_prog *which, const char *const *list)
{
	int argc = 0;

	np_cli_fini(&parse);
	defaults();
	snprintf(args_mem[0], sizeof(args_mem[0]), "prog");
	args[argc++] = args_mem[0];
	for (; list && *list; list++, argc++) {
		snprintf(args_mem[argc], sizeof(args_mem[0]), "%s", *list);
		args[argc] = args_mem[argc];
	}
	args[argc] = NULL;
	return np_cli_parse(&parse, which, argc, args, &conf, &err);
}
#define ARGS(...) run_prog(&prog, (const char *const[]){ __VA_ARGS__, NULL })

static void list_is(const char *want)
{
	char got[256] = "";
	size_t i;

	for (i = 0; i < conf.managers.nr; i++) {
		strcat(got, conf.managers.items[i]);
		strcat(got, "|");
	}
	KTAP_STREQ(got, want);
}

/* One line that names the option, the value and the accepted form. */
static void refused(int ret, const char *want)
{
	KTAP_EQ(ret, -EINVAL);
	KTAP_STREQ(err.msg, want);
	KTAP_STREQ(conf.to, "@default");
	KTAP_OK(conf.auth && !conf.send && conf.count == 3);
}

static void every_spelling_of_a_value(void)
{
	KTAP_EQ(ARGS("--to", "@a"), 0);
	KTAP_STREQ(conf.to, "@a");
	KTAP_EQ(ARGS("--to=@b"), 0);
	KTAP_STREQ(conf.to, "@b");
	KTAP_EQ(ARGS("-t", "@c"), 0);
	KTAP_STREQ(conf.to, "@c");
	KTAP_EQ(ARGS("-t@d"), 0);
	KTAP_STREQ(conf.to, "@d");
	KTAP_EQ(ARGS("-sqt@e"), 0);
	KTAP_STREQ(conf.to, "@e");
	KTAP_OK(conf.send && conf.quiet);
	KTAP_EQ(ARGS("-sqt", "@f"), 0);
	KTAP_STREQ(conf.to, "@f");
	KTAP_EQ(ARGS("--to=a=b"), 0);
	KTAP_STREQ(conf.to, "a=b");
	KTAP_EQ(ARGS("-t", "-L 1:2:3"), 0);
	KTAP_STREQ(conf.to, "-L 1:2:3");
}

static void the_last_one_wins(void)
{
	KTAP_EQ(ARGS("-t", "@a", "--to=@b", "--no-encrypt", "--encrypt", "--ac", "--no-ac"), 0);
	KTAP_STREQ(conf.to, "@b");
	KTAP_OK(conf.crypt);
	KTAP_OK(!conf.auth);
}

static void negation_and_aliases(void)
{
	KTAP_EQ(ARGS("--no-et", "--no-authc"), 0);
	KTAP_OK(!conf.crypt && !conf.auth);
	KTAP_EQ(ARGS("--manager", "@a"), 0);
	list_is("@a|");
	refused(ARGS("--no-send"), "unknown option --no-send");
	refused(ARGS("--no-to"), "unknown option --no-to");
	refused(ARGS("--no-"), "unknown option --no-");
}

static void types_are_checked(void)
{
	KTAP_EQ(ARGS("-n10", "-T", "1h", "-p", "65535", "-b", "sockmap", "--fixed=1"), 0);
	KTAP_EQ(conf.count, 10);
	KTAP_EQ(conf.timeout, 3600000);
	KTAP_EQ(conf.port, 65535);
	KTAP_EQ(conf.backend, 2);
	KTAP_EQ(ARGS("-p", "0"), 0);
	refused(ARGS("-n", "11"), "option -n: '11' is not a number (1..10)");
	refused(ARGS("--count=x"), "option --count: 'x' is not a number (1..10)");
	refused(ARGS("--count="), "option --count: '' is not a number (1..10)");
	refused(ARGS("-p", "65558"), "option -p: '65558' is not a port (0..65535)");
	refused(ARGS("--fixed", "0"), "option --fixed: '0' is not a port (1..65535)");
	refused(ARGS("-T", "2h"),
		"option -T: '2h' is not a time such as 30s, 500ms or 1h,30m (0..3600000 ms)");
	refused(ARGS("-b", "cop"), "option -b: 'cop' is not one of copy, pipe, sockmap");
}

static void usage_errors_name_the_flag(void)
{
	refused(ARGS("--nope"), "unknown option --nope");
	refused(ARGS("--t"), "unknown option --t");
	refused(ARGS("--nope=secret"), "unknown option --nope");
	refused(ARGS("-sz"), "unknown option -z");
	refused(ARGS("--to"), "option --to needs a value (ATSIGN)");
	refused(ARGS("-st"), "option -t needs a value (ATSIGN)");
	refused(ARGS("--send=yes"), "option --send takes no value, but 'yes' was given");
	refused(ARGS("--et=no"), "option --et takes no value; say --et or --no-encrypt");
	refused(ARGS("a", "b", "c", "d"), "unexpected argument 'd'");
}

static void nothing_is_half_applied(void)
{
	refused(ARGS("--to", "@new", "-s", "--no-ac", "-n", "5", "-p", "x"),
		"option -p: 'x' is not a port (0..65535)");
	KTAP_EQ(conf.managers.nr, 2);
}

static void lists_add_up(void)
{
	KTAP_EQ(ARGS("-s"), 0);
	list_is("localhost:22|localhost:3389|");
	KTAP_EQ(ARGS("-m", "@a,@b", "--managers= @c ,,@d", "-m@e"), 0);
	list_is("@a|@b|@c|@d|@e|");
	KTAP_EQ(ARGS("-m", ","), 0);
	list_is("");
	KTAP_EQ(ARGS("--managers="), 0);
	list_is("");
}

static void empty_entries_are_ignored(void)
{
	KTAP_EQ(ARGS("", "-s", "", "x", ""), 0);
	KTAP_OK(conf.send);
	KTAP_EQ(parse.nr_args, 1);
	/* "-t $unset" of a unit file: the default stays, the next option is not eaten. */
	KTAP_EQ(ARGS("-t", "", "-s"), 0);
	KTAP_STREQ(conf.to, "@default");
	KTAP_OK(conf.send);
	KTAP_EQ(np_cli_source(&parse, "to"), CLI_FROM_DEFAULT);
	/* For a list of who may enter, empty must not turn into the default. */
	KTAP_EQ(ARGS("-m", ""), 0);
	list_is("");
	KTAP_EQ(ARGS("--to="), 0);
	KTAP_STREQ(conf.to, "");
	refused(ARGS("-p", ""), "option -p: '' is not a port (0..65535)");
}

static void arguments_and_options_mix(void)
{
	KTAP_EQ(ARGS("one", "-s", "-", "--", "-q"), 0);
	KTAP_OK(conf.send && !conf.quiet);
	KTAP_EQ(parse.nr_args, 3);
	KTAP_STREQ(parse.args[0], "one");
	KTAP_STREQ(parse.args[1], "-");
	KTAP_STREQ(parse.args[2], "-q");
	KTAP_OK(!parse.args[3]);
	KTAP_EQ(run_prog(&prog, NULL), 0);
	KTAP_EQ(parse.nr_args, 0);
	KTAP_OK(!parse.args[0]);
}

static void required_must_come_from_somewhere(void)
{
	static const struct cli_opt table[] = {
		CLI_STR("atsign", 'a', "ATSIGN", struct conf, to, "who", CLI_REQUIRED,
			.env = "TEST_OPT_TO"),
		CLI_STR("zone", 0, "NAME", struct conf, secret, "where", CLI_REQUIRED),
		CLI_END
	};
	static const struct cli_prog strict = { .name = "strict", .opts = table };

	KTAP_EQ(run_prog(&strict, NULL), -EINVAL);
	KTAP_STREQ(err.msg, "option --atsign (-a) ATSIGN is required");
	KTAP_EQ(run_prog(&strict, (const char *const[]){ "-a", "@x", NULL }), -EINVAL);
	KTAP_STREQ(err.msg, "option --zone NAME is required");
	KTAP_EQ(run_prog(&strict, (const char *const[]){ "-a", "", "--zone=z", NULL }), -EINVAL);
	setenv("TEST_OPT_TO", "@env", 1);
	KTAP_EQ(run_prog(&strict, (const char *const[]){ "--zone=z", NULL }), 0);
	KTAP_STREQ(conf.to, "@env");
	unsetenv("TEST_OPT_TO");
}

static void secrets_leave_argv(void)
{
	KTAP_EQ(ARGS("-c", "hunter2", "--secret=hunter3", "-chunter4"), 0);
	KTAP_STREQ(conf.secret, "hunter4");
	KTAP_STREQ(args[2], "xxxxxxx");
	KTAP_STREQ(args[3], "--secret=xxxxxxx");
	KTAP_STREQ(args[4], "-cxxxxxxx");
}

/* A config file in a fresh place; its path is good until the next call. */
static const char *file_with(const char *text)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/test_opt.%d.env", (int)getpid());
	if (np_file_write_atomic(path, text, strlen(text), 0600, NULL))
		abort();
	return path;
}

static void env_form_config_file(void)
{
	const char *path =
		file_with("# comment\n\nTO=@file\r\n SEND = true \nENCRYPT=no\n"
			  "AUTHENTICATE_CLIENT=TRUE\nMANAGERS=@a,@b\nUNKNOWN=1\nto=@lower\n"
			  "QUIET=true\nCOUNT=\nTIMEOUT=a=b\nPORT\nBACKEND=pipe");

	KTAP_EQ(ARGS("--config-file", path), 0);
	KTAP_STREQ(conf.to, "@file");
	KTAP_OK(conf.send);
	KTAP_OK(!conf.crypt);
	KTAP_OK(!conf.auth); /* true only for the text "true" */
	KTAP_OK(!conf.quiet); /* not a config-file key */
	list_is("@a|@b|");
	KTAP_EQ(conf.count, 3);
	KTAP_EQ(conf.timeout, 90000);
	KTAP_EQ(conf.backend, 1);
	KTAP_EQ(np_cli_source(&parse, "to"), CLI_FROM_CONF);
	KTAP_EQ(np_cli_source(&parse, "count"), CLI_FROM_DEFAULT);
	unlink(path);
}

static void config_file_faults_have_a_place(void)
{
	char want[160];
	const char *path = file_with("TO=@file\n\nCOUNT=99\n");

	snprintf(want, sizeof(want), "%s:3: COUNT: '99' is not a number (1..10)", path);
	refused(ARGS("--config-file", path), want);
	unlink(path);
	KTAP_EQ(ARGS("--config-file", path), -ENOENT);
	KTAP_OK(strstr(err.msg, path));
}

static int run_with_default_file(const char *path, const char *const *list)
{
	static const struct cli_opt table[] = {
		CLI_STR("config", 0, "FILE", struct conf, file, "config", CLI_CONF_ENV),
		CLI_STR("to", 't', "ATSIGN", struct conf, to, "who", 0),
		CLI_END
	};
	static const struct cli_prog with = { .name = "with", .opts = table };
	int argc = 0;

	np_cli_fini(&parse);
	defaults();
	conf.file = path;
	args[argc++] = args_mem[0];
	for (; list && *list; list++, argc++) {
		snprintf(args_mem[argc], sizeof(args_mem[0]), "%s", *list);
		args[argc] = args_mem[argc];
	}
	return np_cli_parse(&parse, &with, argc, args, &conf, &err);
}

static void default_config_file_may_be_absent(void)
{
	const char *path = file_with("TO=@file\n");

	KTAP_EQ(run_with_default_file(path, NULL), 0);
	KTAP_STREQ(conf.to, "@file");
	unlink(path);
	KTAP_EQ(run_with_default_file(path, NULL), 0);
	KTAP_STREQ(conf.to, "@default");
	KTAP_EQ(run_with_default_file(path, (const char *const[]){ "--config", path, NULL }),
		-ENOENT);
}

static void precedence(void)
{
	const char *path = file_with("TO=@file\nMANAGERS=@f1,@f2\nCOUNT=7\nSEND=true\n");

	setenv("TEST_OPT_TO", "@env", 1);
	KTAP_EQ(ARGS("--config-file", path), 0);
	KTAP_STREQ(conf.to, "@env");
	KTAP_EQ(np_cli_source(&parse, "to"), CLI_FROM_ENV);
	KTAP_EQ(conf.count, 7);
	KTAP_EQ(ARGS("--config-file", path, "-t", "@argv", "-m", "@a"), 0);
	KTAP_STREQ(conf.to, "@argv");
	KTAP_EQ(np_cli_source(&parse, "to"), CLI_FROM_ARGV);
	list_is("@a|");
	KTAP_EQ(ARGS("-m", "", "--config-file", path), 0);
	list_is("");
	setenv("TEST_OPT_TO", "", 1);
	KTAP_EQ(ARGS("-s"), 0);
	KTAP_STREQ(conf.to, "@default");
	unsetenv("TEST_OPT_TO");
	setenv("TEST_OPT_COUNT", "99", 1);
	refused(ARGS("-t", "@a"),
		"environment variable TEST_OPT_COUNT: '99' is not a number (1..10)");
	unsetenv("TEST_OPT_COUNT");
	unlink(path);
}

static void secret_values_stay_out_of_messages(void)
{
	static const struct cli_opt table[] = {
		CLI_U64("pin", 0, "N", struct conf, count, "a number nobody may see", 0, 9999,
			CLI_SECRET),
		CLI_END
	};
	static const struct cli_prog pin = { .name = "pin", .opts = table };

	KTAP_EQ(run_prog(&pin, (const char *const[]){ "--pin=hunter2", NULL }), -EINVAL);
	KTAP_OK(!strstr(err.msg, "hunter2"));
	KTAP_OK(strstr(err.msg, "--pin"));
}

int main(void)
{
	KTAP_RUN(every_spelling_of_a_value);
	KTAP_RUN(the_last_one_wins);
	KTAP_RUN(negation_and_aliases);
	KTAP_RUN(types_are_checked);
	KTAP_RUN(usage_errors_name_the_flag);
	KTAP_RUN(nothing_is_half_applied);
	KTAP_RUN(lists_add_up);
	KTAP_RUN(empty_entries_are_ignored);
	KTAP_RUN(arguments_and_options_mix);
	KTAP_RUN(required_must_come_from_somewhere);
	KTAP_RUN(secrets_leave_argv);
	KTAP_RUN(env_form_config_file);
	KTAP_RUN(config_file_faults_have_a_place);
	KTAP_RUN(default_config_file_may_be_absent);
	KTAP_RUN(precedence);
	KTAP_RUN(secret_values_stay_out_of_messages);
	np_cli_fini(&parse);
	return ktap_done();
}
