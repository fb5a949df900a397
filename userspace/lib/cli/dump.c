// SPDX-License-Identifier: BSD-3-Clause
/*
 * What tools/gen-cli asks a program for: its manual's OPTIONS (scdoc), a Markdown table, bash
 * completion.
 */
#include "cli/parse.h"

#include <string.h>

/* scdoc(5) gives meaning to these characters. */
static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\*_<#", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void dump_option(const struct cli_opt *opt, const void *conf, FILE *out)
{
	char def[160];
	size_t i;

	if (opt->letter)
		fprintf(out, "*-%c*, ", opt->letter);
	fprintf(out, "*--%s%s*", opt->type == CLI_T_BOOL_NEG ? "[no-]" : "", opt->name);
	if (opt->arg) {
		fprintf(out, " _");
		put_escaped(out, opt->arg);
		fprintf(out, "_");
	}
	fprintf(out, "\n\t");
	put_escaped(out, opt->help);
	for (i = 0; opt->names && opt->names[i]; i++)
		fprintf(out, "%s*%s*", i ? ", " : ": ", opt->names[i]);
	np_cli_default_text(opt, conf, def, sizeof(def));
	if (opt->flags & CLI_REQUIRED)
		fprintf(out, ". Required");
	else if (def[0]) {
		fprintf(out, ". Default: ");
		put_escaped(out, def);
	}
	if (opt->env)
		fprintf(out, ". Environment: *%s*", opt->env);
	if (opt->alias) {
		fprintf(out, ". Also: ");
		put_escaped(out, opt->alias);
	}
	fprintf(out, ".\n\n");
}

static void dump_options(const struct cli_opt *opt, const void *conf, FILE *out)
{
	for (; opt && opt->name; opt++)
		if (!(opt->flags & CLI_HIDDEN))
			dump_option(opt, conf, out);
}

void np_cli_dump_man(const struct cli_parse *parse, const void *conf, FILE *out)
{
	const struct cli_prog *prog = parse->prog;
	const struct cli_cmd *cmd;

	if (prog->cmds)
		fprintf(out, "# COMMANDS\n\n");
	for (cmd = prog->cmds; cmd && cmd->name; cmd++) {
		fprintf(out, "*%s*%s", cmd->name, cmd->args ? " _" : "");
		put_escaped(out, cmd->args ? cmd->args : "");
		fprintf(out, "%s\n\t", cmd->args ? "_" : "");
		put_escaped(out, cmd->help);
		fprintf(out, ".\n\n");
	}
	fprintf(out, "# OPTIONS\n\n");
	dump_options(prog->opts, conf, out);
	for (cmd = prog->cmds; cmd && cmd->name; cmd++) {
		if (!cmd->opts || !cmd->opts->name || cmd->opts == prog->opts)
			continue;
		fprintf(out, "## %s\n\n", cmd->name);
		dump_options(cmd->opts, conf, out);
	}
}

/* A bar would end the table's cell, in code spans too. */
static void put_cell(FILE *out, const char *text)
{
	for (; *text; text++)
		fprintf(out, *text == '|' ? "\\|" : "%c", *text);
}

static void md_option(const struct cli_opt *opt, const void *conf, FILE *out)
{
	char def[160];
	size_t i;

	fprintf(out, "| `");
	if (opt->letter)
		fprintf(out, "-%c, ", opt->letter);
	fprintf(out, "--%s%s%s", opt->type == CLI_T_BOOL_NEG ? "[no-]" : "", opt->name,
		opt->arg ? " " : "");
	put_cell(out, opt->arg ? opt->arg : "");
	fprintf(out, "` | ");
	put_cell(out, opt->help);
	for (i = 0; opt->names && opt->names[i]; i++)
		fprintf(out, "%s`%s`", i ? ", " : ": ", opt->names[i]);
	np_cli_default_text(opt, conf, def, sizeof(def));
	if (opt->flags & CLI_REQUIRED)
		fprintf(out, " | required |\n");
	else
		fprintf(out, def[0] ? " | `%s` |\n" : " | %s |\n", def);
}

static void md_table(const struct cli_opt *opt, const void *conf, FILE *out)
{
	if (!opt || !opt->name)
		return;
	fprintf(out, "| Option | Meaning | Default |\n| --- | --- | --- |\n");
	for (; opt->name; opt++)
		if (!(opt->flags & CLI_HIDDEN))
			md_option(opt, conf, out);
}

void np_cli_dump_md(const struct cli_parse *parse, const void *conf, FILE *out)
{
	const struct cli_cmd *cmd;

	md_table(parse->prog->opts, conf, out);
	for (cmd = parse->prog->cmds; cmd && cmd->name; cmd++) {
		fprintf(out, "\n`%s%s%s`: %s\n", cmd->name, cmd->args ? " " : "",
			cmd->args ? cmd->args : "", cmd->help);
		if (cmd->opts && cmd->opts->name && cmd->opts != parse->prog->opts) {
			fprintf(out, "\n");
			md_table(cmd->opts, conf, out);
		}
	}
}

static void dump_words(const struct cli_opt *opt, FILE *out)
{
	for (; opt && opt->name; opt++)
		if (!(opt->flags & CLI_HIDDEN))
			fprintf(out, "--%s ", opt->name);
}

void np_cli_dump_bash(const struct cli_parse *parse, FILE *out)
{
	const struct cli_prog *prog = parse->prog;
	const struct cli_cmd *cmd;

	fprintf(out, "_knp_%s() {\n\tlocal words='", prog->name);
	for (cmd = prog->cmds; cmd && cmd->name; cmd++)
		fprintf(out, "%s ", cmd->name);
	dump_words(prog->opts, out);
	for (cmd = prog->cmds; cmd && cmd->name; cmd++)
		if (cmd->opts != prog->opts)
			dump_words(cmd->opts, out);
	fprintf(out, "--help --version'\n");
	fprintf(out,
		"\tcase ${COMP_WORDS[COMP_CWORD-1]} in\n\t--*file*|--config|-k) "
		"COMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")); return ;;\n\tesac\n");
	fprintf(out,
		"\tCOMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n");
	fprintf(out, "complete -F _knp_%s %s\n", prog->name, prog->name);
}
