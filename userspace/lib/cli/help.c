// SPDX-License-Identifier: BSD-3-Clause
#include "cli/parse.h"

#include <inttypes.h>
#include <string.h>

#define HELP_WIDTH 80
#define HELP_COLUMN 30

static void duration_text(uint64_t ms, char *dst, size_t size)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {
		{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }
	};
	size_t i = 0;

	while (ms % units[i].ms)
		i++;
	snprintf(dst, size, "%" PRIu64 "%s", ms / units[i].ms, ms ? units[i].unit : "s");
}

static void list_text(const struct cli_list *list, char *dst, size_t size)
{
	size_t i, len;

	dst[0] = '\0';
	for (i = 0; i < list->nr; i++) {
		len = strlen(dst);
		snprintf(dst + len, size - len, "%s%s", i ? "," : "", list->items[i]);
	}
}

void np_cli_default_text(const struct cli_opt *opt, const void *conf, char *dst, size_t size)
{
	const void *field = (const char *)conf + opt->offset;
	const char *str;

	dst[0] = '\0';
	if (!conf || opt->flags & (CLI_SECRET | CLI_REQUIRED))
		return;
	switch (opt->type) {
	case CLI_T_STR:
		str = *(const char *const *)field;
		snprintf(dst, size, "%s", str ? str : "");
		break;
	case CLI_T_FLAG:
		break;
	case CLI_T_BOOL_NEG:
		snprintf(dst, size, "%s", *(const bool *)field ? "on" : "off");
		break;
	case CLI_T_U64:
		snprintf(dst, size, "%" PRIu64, *(const uint64_t *)field);
		break;
	case CLI_T_PORT:
		snprintf(dst, size, "%u", *(const uint16_t *)field);
		break;
	case CLI_T_DURATION:
		duration_text(*(const uint64_t *)field, dst, size);
		break;
	case CLI_T_LIST:
		list_text(field, dst, size);
		break;
	case CLI_T_ENUM:
		snprintf(dst, size, "%s", opt->names[*(const int *)field]);
		break;
	}
}

/* Words from @text, in a column from HELP_COLUMN on; the cursor stands at @at. */
static void put_column(FILE *out, const char *text, size_t at)
{
	size_t len;

	if (at + 2 > HELP_COLUMN)
		at = (size_t)fprintf(out, "\n") - 1;
	at += (size_t)fprintf(out, "%*s", (int)(HELP_COLUMN - at), "");
	while (*text) {
		len = strcspn(text, " ");
		if (at > HELP_COLUMN && at + 1 + len > HELP_WIDTH) {
			at = (size_t)fprintf(out, "\n%*s", HELP_COLUMN, "") - 1;
		} else if (at > HELP_COLUMN) {
			at += (size_t)fprintf(out, " ");
		}
		at += (size_t)fprintf(out, "%.*s", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
	fprintf(out, "\n");
}

static void put_option(const struct cli_opt *opt, const void *conf, FILE *out)
{
	char left[96], right[512], def[160];
	size_t i, len;

	snprintf(left, sizeof(left), "  %c%c%s --%s%s%s%s", opt->letter ? '-' : ' ',
		 opt->letter ? opt->letter : ' ', opt->letter ? "," : " ",
		 opt->type == CLI_T_BOOL_NEG ? "[no-]" : "", opt->name, opt->arg ? " " : "",
		 opt->arg ? opt->arg : "");
	snprintf(right, sizeof(right), "%s", opt->help);
	for (i = 0; opt->names && opt->names[i]; i++) {
		len = strlen(right);
		snprintf(right + len, sizeof(right) - len, "%s%s", i ? ", " : ": ", opt->names[i]);
	}
	np_cli_default_text(opt, conf, def, sizeof(def));
	len = strlen(right);
	if (opt->flags & CLI_REQUIRED)
		snprintf(right + len, sizeof(right) - len, " (required)");
	else if (def[0])
		snprintf(right + len, sizeof(right) - len, " (default %s)", def);
	len = strlen(right);
	if (opt->env)
		snprintf(right + len, sizeof(right) - len, " [env %s]", opt->env);
	fprintf(out, "%s", left);
	put_column(out, right, strlen(left));
}

static void put_command(const struct cli_cmd *cmd, FILE *out)
{
	char left[96];

	snprintf(left, sizeof(left), "  %s%s%s", cmd->name, cmd->args ? " " : "",
		 cmd->args ? cmd->args : "");
	fprintf(out, "%s", left);
	put_column(out, cmd->help, strlen(left));
}

static void put_commands(const struct cli_parse *parse, FILE *out)
{
	const struct cli_cmd *cmd;
	size_t glen = parse->group ? strlen(parse->group) : 0;

	fprintf(out, "\nCommands:\n");
	for (cmd = parse->prog->cmds; cmd->name; cmd++)
		if (!glen || (!strncmp(cmd->name, parse->group, glen) && cmd->name[glen] == ' '))
			put_command(cmd, out);
}

void np_cli_help(const struct cli_parse *parse, const void *conf, FILE *out)
{
	static const struct cli_opt none;
	const struct cli_prog *prog = parse->prog;
	const struct cli_cmd *cmd = parse->cmd;
	const struct cli_opt *opt = NULL;
	const char *args = cmd ? cmd->args : prog->args;

	fprintf(out, "Usage: %s%s%s [OPTION]...%s%s\n", prog->name, cmd ? " " : "",
		cmd ? cmd->name : prog->cmds ? " COMMAND" : "", args ? " " : "", args ? args : "");
	fprintf(out, "%s: %s\n", cmd ? cmd->name : prog->name, cmd ? cmd->help : prog->purpose);
	if (prog->cmds && !cmd)
		put_commands(parse, out);
	fprintf(out, "\nOptions:\n");
	while ((opt = np_cli_next_opt(parse, opt)))
		if (!(opt->flags & CLI_HIDDEN))
			put_option(opt, conf, out);
	put_option(&(struct cli_opt){ .name = "help",
				      .letter = np_cli_find_letter(parse, 'h') ? 0 : 'h',
				      .type = CLI_T_FLAG,
				      .help = "show this text" },
		   &none, out);
	put_option(&(struct cli_opt){ .name = "version", .type = CLI_T_FLAG,
				      .help = "show the version" }, &none, out);
	if (prog->cmds && !cmd)
		fprintf(out, "\n%s COMMAND --help shows a command's options.\n", prog->name);
	if (prog->footer && !cmd)
		fprintf(out, "\n%s", prog->footer);
}
