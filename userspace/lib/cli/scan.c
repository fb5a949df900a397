// SPDX-License-Identifier: BSD-3-Clause
/* Reading argv: which option an entry names, what its value is, which command the words choose. */
#include "cli/parse.h"

#include "base/err.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Options that every program has; a program's own option of the same name or letter comes first. */
static const struct cli_opt builtin[] = {
	{ .name = "help", .letter = 'h', .type = CLI_T_FLAG, .min = CLI_ASKED_HELP },
	{ .name = "version", .type = CLI_T_FLAG, .min = CLI_ASKED_VERSION },
	{ .name = "dump-cli", .type = CLI_T_ENUM, .arg = "man|md|bash" },
	CLI_END
};

static bool is_builtin(const struct cli_opt *opt)
{
	return opt >= builtin && opt < builtin + sizeof(builtin) / sizeof(builtin[0]);
}

static const struct cli_opt *table_next(const struct cli_opt *table, const struct cli_opt *prev)
{
	const struct cli_opt *opt;

	for (opt = table; opt && opt->name; opt++)
		if (opt == prev)
			return opt[1].name ? opt + 1 : NULL;
	return NULL;
}

static bool table_holds(const struct cli_opt *table, const struct cli_opt *wanted)
{
	const struct cli_opt *opt;

	for (opt = table; opt && opt->name; opt++)
		if (opt == wanted)
			return true;
	return false;
}

const struct cli_opt *np_cli_next_opt(const struct cli_parse *parse, const struct cli_opt *prev)
{
	const struct cli_opt *own = parse->prog->opts, *cmd = parse->cmd ? parse->cmd->opts : NULL;
	const struct cli_opt *next;

	if (cmd == own || (cmd && !cmd->name))
		cmd = NULL;
	if (!prev)
		return own && own->name ? own : cmd;
	next = table_next(own, prev);
	if (next || table_holds(cmd, prev))
		return next ? next : table_next(cmd, prev);
	return cmd;
}

static bool name_matches(const struct cli_opt *opt, const char *name, size_t len)
{
	const char *cursor = opt->alias, *field;
	size_t flen;

	if (strlen(opt->name) == len && !strncmp(opt->name, name, len))
		return true;
	while ((field = np_str_next(&cursor, ',', &flen)))
		if (flen == len && !strncmp(field, name, len))
			return true;
	return false;
}

const struct cli_opt *np_cli_find(const struct cli_parse *parse, const char *name, size_t len,
				  bool *negated)
{
	const struct cli_opt *opt = NULL;

	while ((opt = np_cli_next_opt(parse, opt)))
		if (name_matches(opt, name, len))
			return opt;
	if (!negated || len < 4 || strncmp(name, "no-", 3))
		return NULL;
	while ((opt = np_cli_next_opt(parse, opt)))
		if (opt->type == CLI_T_BOOL_NEG && name_matches(opt, name + 3, len - 3)) {
			*negated = true;
			return opt;
		}
	return NULL;
}

const struct cli_opt *np_cli_find_letter(const struct cli_parse *parse, char letter)
{
	const struct cli_opt *opt = NULL;

	while ((opt = np_cli_next_opt(parse, opt)))
		if (opt->letter == letter)
			return opt;
	return NULL;
}

bool np_cli_default_cmd(struct cli_parse *parse)
{
	if (parse->cmd || parse->group || !parse->prog->cmds || parse->prog->need_cmd)
		return false;
	parse->cmd = &parse->prog->cmds[0];
	parse->cmd_implied = true;
	return true;
}

static const struct cli_opt *find_long(struct cli_parse *parse, const char *name, size_t len,
				       bool *negated)
{
	const struct cli_opt *opt = np_cli_find(parse, name, len, negated);
	size_t i;

	for (i = 0; !opt && builtin[i].name; i++)
		if (name_matches(&builtin[i], name, len))
			opt = &builtin[i];
	if (!opt && np_cli_default_cmd(parse))
		opt = np_cli_find(parse, name, len, negated);
	return opt;
}

static const struct cli_opt *find_letter(struct cli_parse *parse, char letter)
{
	const struct cli_opt *opt = np_cli_find_letter(parse, letter);

	if (!opt && np_cli_default_cmd(parse))
		opt = np_cli_find_letter(parse, letter);
	return opt || letter != 'h' ? opt : &builtin[0];
}

static bool takes_value(const struct cli_opt *opt)
{
	return opt->type != CLI_T_FLAG && opt->type != CLI_T_BOOL_NEG;
}

struct scan {
	struct cli_parse *parse;
	char **argv;
	int argc, at;
	struct np_err *err;
};

/* @shown is the option as typed. A NULL @text takes the next entry. */
static int take_value(struct scan *scan, const struct cli_opt *opt, const char *shown, char *text)
{
	struct cli_where where = { CLI_FROM_ARGV, "" };
	int ret;

	if (!text) {
		if (scan->at >= scan->argc)
			return np_fail(scan->err, -EINVAL, "option %.40s needs a value (%s)", shown,
				       opt->arg);
		text = scan->argv[scan->at++];
		if (!*text && opt->type == CLI_T_STR)
			return 0;
	}
	snprintf(where.text, sizeof(where.text), "option %.40s", shown);
	if (is_builtin(opt)) {
		if (!strcmp(text, "man"))
			scan->parse->asked |= CLI_ASKED_DUMP_MAN;
		else if (!strcmp(text, "md"))
			scan->parse->asked |= CLI_ASKED_DUMP_MD;
		else if (!strcmp(text, "bash"))
			scan->parse->asked |= CLI_ASKED_DUMP_BASH;
		else
			return np_fail(scan->err, -EINVAL,
				       "%s: '%.60s' is not one of man, md, bash", where.text, text);
		return 0;
	}
	ret = np_cli_value_add(scan->parse, opt, text, &where, scan->err);
	/* Another user sees the command line in ps(1) for as long as the program runs. */
	if (opt->flags & CLI_SECRET)
		memset(text, 'x', strlen(text));
	return ret;
}

static int take_flag(struct scan *scan, const struct cli_opt *opt, bool on)
{
	if (is_builtin(opt)) {
		scan->parse->asked |= (unsigned int)opt->min;
		return 0;
	}
	return np_cli_value_add_bool(scan->parse, opt, on, CLI_FROM_ARGV, scan->err);
}

static int scan_long(struct scan *scan, char *arg)
{
	char *equals = strchr(arg, '=');
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
	const struct cli_opt *opt;
	bool negated = false;
	char shown[48];

	snprintf(shown, sizeof(shown), "%.*s", (int)len, arg);
	opt = find_long(scan->parse, arg + 2, len - 2, &negated);
	if (!opt)
		return np_fail(scan->err, -EINVAL, "unknown option %.60s", shown);
	if (takes_value(opt))
		return take_value(scan, opt, shown, equals ? equals + 1 : NULL);
	if (equals && opt->type == CLI_T_BOOL_NEG)
		return np_fail(scan->err, -EINVAL, "option %s takes no value; say %s or --no-%s",
			       shown, shown, opt->name);
	if (equals)
		return np_fail(scan->err, -EINVAL,
			       "option %s takes no value, but '%.60s' was given", shown,
			       equals + 1);
	return take_flag(scan, opt, !negated);
}

static int scan_letters(struct scan *scan, char *arg)
{
	const struct cli_opt *opt;
	char shown[3] = "-x";
	int ret;

	for (arg++; *arg; arg++) {
		shown[1] = *arg;
		opt = find_letter(scan->parse, *arg);
		if (!opt)
			return np_fail(scan->err, -EINVAL, "unknown option %s", shown);
		if (takes_value(opt))
			return take_value(scan, opt, shown, arg[1] ? arg + 1 : NULL);
		ret = take_flag(scan, opt, true);
		if (ret)
			return ret;
	}
	return 0;
}

/* Return: 1 when @word was (part of) a command's name, 0 when it is an argument, negative errno. */
static int match_cmd(struct scan *scan, const char *word)
{
	struct cli_parse *parse = scan->parse;
	const struct cli_cmd *cmd;
	size_t glen = parse->group ? strlen(parse->group) : 0;
	const char *rest;

	for (cmd = parse->prog->cmds; cmd->name; cmd++) {
		rest = cmd->name;
		if (glen) {
			if (strncmp(rest, parse->group, glen) || rest[glen] != ' ')
				continue;
			rest += glen + 1;
		}
		if (!strcmp(rest, word)) {
			parse->cmd = cmd;
			parse->group = NULL;
			return 1;
		}
		if (!glen && np_str_starts(rest, word) && rest[strlen(word)] == ' ') {
			parse->group = word;
			return 1;
		}
	}
	return np_fail(scan->err, -EINVAL, "unknown command '%s%s%.40s'", glen ? parse->group : "",
		       glen ? " " : "", word);
}

static int scan_word(struct scan *scan, char *word)
{
	struct cli_parse *parse = scan->parse;
	const char **args;
	int ret;

	if (parse->prog->cmds && !parse->cmd) {
		ret = match_cmd(scan, word);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	args = realloc(parse->args, (parse->nr_args + 2) * sizeof(*args));
	if (!args)
		return np_fail_errno(scan->err, -ENOMEM, "command line");
	parse->args = args;
	args[parse->nr_args++] = word;
	args[parse->nr_args] = NULL;
	return 0;
}

int np_cli_scan(struct cli_parse *parse, int argc, char **argv, struct np_err *err)
{
	struct scan scan = { parse, argv, argc, 1, err };
	bool only_words = false;
	int ret = 0;

	while (!ret && scan.at < argc) {
		char *arg = argv[scan.at++];

		if (!*arg)
			continue;
		if (only_words || arg[0] != '-' || !arg[1])
			ret = scan_word(&scan, arg);
		else if (!strcmp(arg, "--"))
			only_words = true;
		else if (arg[1] == '-')
			ret = scan_long(&scan, arg);
		else
			ret = scan_letters(&scan, arg);
	}
	return ret;
}
