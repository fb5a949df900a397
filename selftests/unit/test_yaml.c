// SPDX-License-Identifier: BSD-3-Clause
#include "base/err.h"
#include "base/fd.h"
#include "cli/opt.h"
#include "harness/ktap.h"

#include <errno.h>
#include <unistd.h>

struct conf {
	const char *file, *storage, *name;
	bool directory;
	uint16_t port;
	uint64_t timeout;
	struct cli_list managers;
};

static const struct cli_opt opts[] = {
	CLI_STR("config", 0, "FILE", struct conf, file, "config", CLI_CONF_YAML | CLI_NO_CONF),
	CLI_STR("storage", 0, "DIR", struct conf, storage, "where", 0),
	CLI_STR("device", 'd', "NAME", struct conf, name, "who", 0, .conf_key = "device/name"),
	CLI_BOOL("directory", 0, struct conf, directory, "serve the directory", 0),
	CLI_PORT("port", 'p', "PORT", struct conf, port, "port", 0),
	CLI_DURATION("timeout", 0, "TIME", struct conf, timeout, "time", 0),
	CLI_LIST("managers", 'm', "LIST", struct conf, managers, "who", 0,
		 .conf_key = "access/managers"),
	CLI_END
};
static const struct cli_prog prog = { .name = "prog", .opts = opts };

static struct conf conf;
static struct cli_parse parse;
static struct np_err err;
static char path[64];

static int read_file(const char *text, const char *more)
{
	char args[3][128];
	char *argv[5] = { (char *)"prog", args[0], args[1], more ? args[2] : NULL, NULL };

	if (np_file_write_atomic(path, text, strlen(text), 0600, &err))
		abort();
	snprintf(args[0], sizeof(args[0]), "--config");
	snprintf(args[1], sizeof(args[1]), "%s", path);
	if (more)
		snprintf(args[2], sizeof(args[2]), "%s", more);
	np_cli_fini(&parse);
	conf = (struct conf){ .storage = "default", .port = 64 };
	err = (struct np_err)NP_ERR_INIT;
	return np_cli_parse(&parse, &prog, more ? 4 : 3, argv, &conf, &err);
}

/*
 * A program that reads its part of another one's file passes over the rest, but not over faults in
 * its part.
 */
static void part_of_a_foreign_file(void)
{
	static const struct cli_opt part_opts[] = {
		CLI_STR("config", 0, "FILE", struct conf, file, "config",
			CLI_CONF_YAML | CLI_CONF_PART),
		CLI_PORT("port", 'p', "PORT", struct conf, port, "port", 0), CLI_END
	};
	static const struct cli_prog part = { .name = "part", .opts = part_opts };
	char option[80];
	char *argv[] = { (char *)"part", option, NULL };

	KTAP_EQ(read_file("storage: x\nport: 7\ndevice: {name: y}\n", NULL), 0);
	np_cli_fini(&parse);
	snprintf(option, sizeof(option), "--config=%s", path);
	KTAP_EQ(np_cli_parse(&parse, &part, 2, argv, &conf, &err), 0);
	KTAP_EQ(conf.port, 7);
	KTAP_EQ(np_file_write_atomic(path, "other: [1, 2]\nport: 70000\n", 26, 0600, NULL), 0);
	np_cli_fini(&parse);
	snprintf(option, sizeof(option), "--config=%s", path);
	KTAP_EQ(np_cli_parse(&parse, &part, 2, argv, &conf, &err), -EINVAL);
	KTAP_OK(strstr(err.msg, ":2:"));
}

static void values_of_every_type(void)
{
	KTAP_EQ(read_file(
			"# realm\nstorage: /var/lib/x\ndirectory: true\nport: 0\ntimeout: \"30s\"\n"
			"managers: [\"@a\", '@b,c']\n",
			NULL),
		0);
	KTAP_STREQ(conf.storage, "/var/lib/x");
	KTAP_OK(conf.directory);
	KTAP_EQ(conf.port, 0);
	KTAP_EQ(conf.timeout, 30000);
	KTAP_EQ(conf.managers.nr, 2);
	KTAP_STREQ(conf.managers.items[0], "@a");
	KTAP_STREQ(conf.managers.items[1], "@b,c");
	KTAP_EQ(np_cli_source(&parse, "port"), CLI_FROM_CONF);
}

static void lists_in_every_shape(void)
{
	KTAP_EQ(read_file("managers:\n  - '@a'\n  - '@b'\n", NULL), 0);
	KTAP_EQ(conf.managers.nr, 2);
	KTAP_EQ(read_file("managers: '@a, @b'\n", NULL), 0);
	KTAP_EQ(conf.managers.nr, 2);
	KTAP_EQ(read_file("managers: []\n", NULL), 0);
	KTAP_EQ(conf.managers.nr, 0);
	KTAP_EQ(np_cli_source(&parse, "managers"), CLI_FROM_CONF);
}

static void nested_keys(void)
{
	KTAP_EQ(read_file("access:\n  managers: ['@a']\ndevice: {name: box}\n", NULL), 0);
	KTAP_EQ(conf.managers.nr, 1);
	/* The long name of the option "device" is also the group of device/name. */
	KTAP_STREQ(conf.name, "box");
	KTAP_EQ(read_file("device: box\n", NULL), 0);
	KTAP_STREQ(conf.name, "box");
}

static void command_line_wins(void)
{
	KTAP_EQ(read_file("port: 7\nstorage: file\n", "--port=8"), 0);
	KTAP_EQ(conf.port, 8);
	KTAP_STREQ(conf.storage, "file");
}

static void empty_files_say_nothing(void)
{
	KTAP_EQ(read_file("", NULL), 0);
	KTAP_EQ(read_file("# only this\n", NULL), 0);
	KTAP_EQ(read_file("{}\n", NULL), 0);
	KTAP_STREQ(conf.storage, "default");
}

static void refused(const char *text, const char *place, const char *what)
{
	char want[200];

	if (read_file(text, NULL) != -EINVAL)
		KTAP_FAILF("accepted: %s", text);
	snprintf(want, sizeof(want), "%s:%s: %s", path, place, what);
	KTAP_STREQ(err.msg, want);
	KTAP_STREQ(conf.storage, "default");
}

static void faults_have_a_place(void)
{
	refused("storage: x\nprot: 1\n", "2:1", "unknown key 'prot'");
	refused("storage: x\nport: abc\n", "2:7", "port: 'abc' is not a port (0..65535)");
	refused("access:\n  manager: x\n", "2:3", "unknown key 'access/manager'");
	refused("storage: x\naccess: x\n", "2:1", "unknown key 'access'");
	refused("storage: x\nport: 1\nport: 2\n", "3:1", "repeated key 'port'");
	refused("config: other.yaml\n", "1:1", "unknown key 'config'");
	refused("port: [1]\n", "1:7", "a list is not accepted for 'port'");
	refused("port: {a: b}\n", "1:7", "a plain value is wanted for 'port'");
	refused("managers: [[a]]\n", "1:12", "a plain value is wanted for 'managers'");
	refused("storage: \"a\\0b\"\n", "1:10", "a plain value is wanted for 'storage'");
	refused("[a]: b\n", "1:1", "a key must be plain text");
	refused("- a\n", "1:1", "'key: value' lines are wanted here");
	refused("just text\n", "1:1", "'key: value' lines are wanted here");
	refused("directory: yes\n", "1:12", "directory: 'yes' is not true or false");
}

static void broken_yaml_is_an_error(void)
{
	static const char *const texts[] = { "a: [",
					     "a: b: c",
					     "\t- x",
					     "a: *nope\n",
					     "&a [*a]\n",
					     "%YAML 9.9\n",
					     "a: \"\n",
					     "\xff\xfe\xff",
					     "a: &x {b: *x}\n",
					     "port: !!binary aa\n...\n--- \n" };
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (read_file(texts[i], NULL) >= 0)
			KTAP_FAILF("accepted: %s", texts[i]);
}

static void aliases_do_not_blow_up(void)
{
	/* Each level names the one before nine times; walking it naively takes 9^9 steps. */
	KTAP_EQ(read_file("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
			  "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nmanagers: [*c,*c,*c,*c,*c]\n",
			  NULL),
		-EINVAL);
}

static void huge_files_are_refused(void)
{
	char *text = malloc(300 * 1024 + 1);

	memset(text, '#', 300 * 1024);
	text[300 * 1024] = '\0';
	KTAP_EQ(read_file(text, NULL), -EFBIG);
	free(text);
}

int main(void)
{
	snprintf(path, sizeof(path), "/tmp/test_yaml.%d", (int)getpid());
	KTAP_RUN(values_of_every_type);
	KTAP_RUN(part_of_a_foreign_file);
	KTAP_RUN(lists_in_every_shape);
	KTAP_RUN(nested_keys);
	KTAP_RUN(command_line_wins);
	KTAP_RUN(empty_files_say_nothing);
	KTAP_RUN(faults_have_a_place);
	KTAP_RUN(broken_yaml_is_an_error);
	KTAP_RUN(aliases_do_not_blow_up);
	KTAP_RUN(huge_files_are_refused);
	np_cli_fini(&parse);
	unlink(path);
	return ktap_done();
}
