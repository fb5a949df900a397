/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside cli/: collected values, option look-up, the readers and printers around them. */
#ifndef NP_CLI_PARSE_H
#define NP_CLI_PARSE_H

#include "cli/opt.h"

#include <stdio.h>

#define CLI_ASKED_HELP 0x1u
#define CLI_ASKED_VERSION 0x2u
#define CLI_ASKED_DUMP_MAN 0x4u
#define CLI_ASKED_DUMP_MD 0x8u
#define CLI_ASKED_DUMP_BASH 0x10u

#define CLI_CONF_MAX (256 * 1024)

struct cli_value {
	const struct cli_opt *opt;
	enum cli_source source;
	bool whole; /* CLI_T_LIST: the text is one item, not to be split at commas */
	char *text;
	uint64_t num;	    /* every type that is no text */
	const char **items; /* CLI_T_LIST: the array handed to conf */
};

/* Where a value stands, for messages: "option --port" or "FILE:3:7: port". */
struct cli_where {
	enum cli_source source;
	char text[160];
};

/**
 * np_cli_find() - option by long name or alias; @negated tells "no-NAME", NULL refuses that form.
 */
const struct cli_opt *np_cli_find(const struct cli_parse *parse, const char *name, size_t len,
				  bool *negated);
const struct cli_opt *np_cli_find_letter(const struct cli_parse *parse, char letter);
/** np_cli_next_opt() - iterate the program's and then the command's options; @prev NULL starts. */
const struct cli_opt *np_cli_next_opt(const struct cli_parse *parse, const struct cli_opt *prev);

/** np_cli_scan() - argv into values, arguments, the command and what was asked. */
int np_cli_scan(struct cli_parse *parse, int argc, char **argv, struct np_err *err);
/**
 * np_cli_default_cmd() - choose the default command when none was named so far: an option that the
 * program itself does not know may be that command's. Return: false when there is nothing to
 * choose.
 */
bool np_cli_default_cmd(struct cli_parse *parse);

/** np_cli_value_add() - check @text (copied, NULL for flags) and keep it as a value of @opt. */
int np_cli_value_add(struct cli_parse *parse, const struct cli_opt *opt, const char *text,
		     const struct cli_where *where, struct np_err *err);
int np_cli_value_add_bool(struct cli_parse *parse, const struct cli_opt *opt, bool on,
			  enum cli_source source, struct np_err *err);
/** np_cli_value_last() - the text given last from the strongest source; NULL when none. */
const struct cli_value *np_cli_value_last(const struct cli_parse *parse, const struct cli_opt *opt);
/**
 * np_cli_values_commit() - store everything into @conf. Fails (-ENOMEM) before anything was stored.
 */
int np_cli_values_commit(struct cli_parse *parse, void *conf);

int np_cli_conf_read_env(struct cli_parse *parse, const char *path, struct np_err *err);
int np_cli_conf_read_yaml(struct cli_parse *parse, const char *path, struct np_err *err);

/**
 * np_cli_help() - usage of the program or of the command in @parse; defaults are read from @conf.
 */
void np_cli_help(const struct cli_parse *parse, const void *conf, FILE *out);
/** np_cli_default_text() - the default as shown to people; "" when there is none worth showing. */
void np_cli_default_text(const struct cli_opt *opt, const void *conf, char *dst, size_t size);
void np_cli_dump_man(const struct cli_parse *parse, const void *conf, FILE *out);
void np_cli_dump_md(const struct cli_parse *parse, const void *conf, FILE *out);
void np_cli_dump_bash(const struct cli_parse *parse, FILE *out);

#endif
