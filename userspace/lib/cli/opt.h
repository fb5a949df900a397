/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Option tables: declared once per program; the parser, --help, config-file keys, environment
 * names, the manual's OPTIONS section and completion derive from them.
 *
 *	struct srvd_conf {
 *		const char *atsign;
 *		uint16_t port;
 *		bool auth;
 *		struct cli_list managers;
 *	};
 *	static const struct cli_opt opts[] = {
 *		CLI_STR("atsign", 'a', "ATSIGN", struct srvd_conf, atsign, "who", CLI_REQUIRED),
 *		CLI_PORT("port", 'p', "PORT", struct srvd_conf, port, "where", 0, .min = 1),
 *		CLI_BOOL("rv-auth", 0, struct srvd_conf, auth, "ask", 0, .alias = "ac"),
 *		CLI_LIST("managers", 'm', "ATSIGN,...", struct srvd_conf, managers, "whom", 0),
 *		CLI_END
 *	};
 *	static const struct cli_prog prog = { .name = "srvd", .purpose = "relay", .opts = opts };
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct srvd_conf conf = { .port = 0, .auth = true }; // defaults, --help shows them
 *		struct cli_parse parse;
 *		int status = np_cli_start(&parse, &prog, argc, argv, &conf);
 *
 *		if (status < 0)                         // CLI_GO_ON
 *			status = serve(&conf);
 *		np_cli_fini(&parse);                    // conf's strings end here
 *		return status;
 *	}
 *
 * Accepted forms: --opt VALUE, --opt=VALUE, -o VALUE, -oVALUE, grouped letters (-su), --no-opt for
 * CLI_BOOL, and every alias in place of the name. "--" ends the options. Options and positional
 * arguments may mix. The last one given wins; lists add up. Empty entries (a unit file's unset
 * variables) are ignored; where one stands as a value, a CLI_STR counts as not given and a CLI_LIST
 * as given and empty ("--opt=" is an explicit empty text). Precedence: command line, environment
 * (only where .env names one), config file, default. Nothing is stored into the conf struct unless
 * everything was accepted. --help (-h where free) and --version exist in every program.
 */
#ifndef NP_CLI_OPT_H
#define NP_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_err;

enum cli_type {
	CLI_T_STR = 1,	/* const char * */
	CLI_T_FLAG,	/* bool, true when given */
	CLI_T_BOOL_NEG, /* bool, --name and --no-name */
	CLI_T_U64,	/* uint64_t within .min..max (.max 0: no upper bound) */
	CLI_T_PORT,	/* uint16_t, .min..65535 */
	CLI_T_DURATION, /* uint64_t milliseconds: "90" and "90s", "500ms", "1h,30m" */
	CLI_T_LIST,	/* struct cli_list, repeatable and comma separated */
	CLI_T_ENUM,	/* int, index into .names */
};

struct cli_list {
	const char *const *items; /* owned by the cli_parse, or the program's own default */
	size_t nr;
};

#define CLI_REQUIRED 0x01u  /* must come from somewhere */
#define CLI_HIDDEN 0x02u    /* accepted, not shown */
#define CLI_NO_CONF 0x04u   /* not a config-file key */
#define CLI_SECRET                                                                                 \
	0x08u /* never shown; wiped from argv after parsing, and from memory by np_cli_fini() */
#define CLI_CONF_ENV                                                                               \
	0x10u /* CLI_STR whose value is a KEY=value config file to read (noports.md 12.1) */
#define CLI_CONF_YAML                                                                              \
	0x20u /* CLI_STR whose value is a YAML config file to read; unknown keys are errors... */
#define CLI_CONF_PART                                                                              \
	0x40u /* ...unless this is set too: the file is another program's, and we read our part */

struct cli_opt {
	const char *name; /* long name, without dashes; NULL ends the table */
	char letter;	  /* or 0 */
	enum cli_type type;
	unsigned int flags;
	const char *arg; /* the value's name in help */
	size_t offset;	 /* of the field in the conf struct */
	const char *help;
	const char *alias;	  /* more long names, comma separated */
	const char *env;	  /* environment variable to fall back to */
	const char *conf_key; /* YAML path when it is not the long name, e.g. "access/managers" */
	const char *const *names; /* CLI_T_ENUM, NULL terminated */
	uint64_t min, max;
};

/*
 * The field must have exactly the type that the option stores: a comparison of distinct pointers is
 * refused.
 */
#define CLI_AT(conf_, field_, type_)                                                               \
	(offsetof(conf_, field_) + 0 * sizeof((type_ *)0 == &((conf_ *)0)->field_))
#define CLI_ROW(name_, letter_, type_, arg_, offset_, help_)                                       \
	.name = (name_), .letter = (letter_), .type = (type_), .arg = (arg_), .offset = (offset_), \
	.help = (help_)

/*
 * The trailing arguments: flags (0 for none), then members by name, e.g. 0, .alias = "dpt", .env =
 * "X".
 */
#define CLI_STR(name_, letter_, arg_, conf_, field_, help_, ...)                                   \
	{                                                                                          \
		CLI_ROW(name_, letter_, CLI_T_STR, arg_, CLI_AT(conf_, field_, const char *),      \
			help_), .flags = __VA_ARGS__                                               \
	}
#define CLI_FLAG(name_, letter_, conf_, field_, help_, ...)                                        \
	{                                                                                          \
		CLI_ROW(name_, letter_, CLI_T_FLAG, NULL, CLI_AT(conf_, field_, bool), help_),     \
			.flags = __VA_ARGS__                                                       \
	}
#define CLI_BOOL(name_, letter_, conf_, field_, help_, ...)                                        \
	{                                                                                          \
		CLI_ROW(name_, letter_, CLI_T_BOOL_NEG, NULL, CLI_AT(conf_, field_, bool), help_), \
			.flags = __VA_ARGS__                                                       \
	}
#define CLI_U64(name_, letter_, arg_, conf_, field_, help_, min_, max_, ...)                       \
	{                                                                                          \
		CLI_ROW(name_, letter_, CLI_T_U64, arg_, CLI_AT(conf_, field_, uint64_t), help_),  \
			.min = (min_), .max = (max_), .flags = __VA_ARGS__                         \
	}
#define CLI_PORT(name_, letter_, arg_, conf_, field_, help_, ...)                                  \
	{                                                                                          \
		CLI_ROW(name_, letter_, CLI_T_PORT, arg_, CLI_AT(conf_, field_, uint16_t), help_), \
			.flags = __VA_ARGS__                                                       \
	}
#define CLI_DURATION(name_, letter_, arg_, conf_, field_, help_, ...)                              \
	{                                                                                          \
		CLI_ROW(name_, letter_, CLI_T_DURATION, arg_, CLI_AT(conf_, field_, uint64_t),     \
			help_), .flags = __VA_ARGS__                                               \
	}
#define CLI_LIST(name_, letter_, arg_, conf_, field_, help_, ...)                                  \
	{                                                                                          \
		CLI_ROW(name_, letter_, CLI_T_LIST, arg_, CLI_AT(conf_, field_, struct cli_list),  \
			help_), .flags = __VA_ARGS__                                               \
	}
/* Trailing: the names array, then members by name, e.g. np_splice_names, .flags = CLI_NO_CONF. */
#define CLI_ENUM(name_, letter_, arg_, conf_, field_, help_, ...)                                  \
	{                                                                                          \
		CLI_ROW(name_, letter_, CLI_T_ENUM, arg_, CLI_AT(conf_, field_, int), help_),      \
			.names = __VA_ARGS__                                                       \
	}
#define CLI_END { .name = NULL }

struct cli_parse;

/*
 * A command: one or two words, object first ("status", "realm init"). Its conf struct is the
 * program's.
 */
struct cli_cmd {
	const char *name;
	int (*fn)(void *conf, const struct cli_parse *parse); /* returns the exit status */
	const struct cli_opt *opts; /* besides the program's own; may be NULL */
	const char *help;
	const char *args; /* positional arguments as shown in help, e.g. "DIR @ATSIGN..." */
	size_t min_args, max_args;
};

/*
 * Trailing: the help text, then members by name: "make a realm", .args = "DIR", .min_args = 1,
 * .max_args = 1
 */
#define CLI_CMD(name_, fn_, opts_, ...)                                                            \
	{                                                                                          \
		.name = (name_), .fn = (fn_), .opts = (opts_), .help = __VA_ARGS__                 \
	}
#define CLI_CMD_END { .name = NULL }

struct cli_prog {
	const char *name;
	const char *purpose; /* one sentence, lower case */
	const struct cli_opt *opts;
	const struct cli_cmd
		*cmds; /* NULL: a program without commands. The first one is the default... */
	bool need_cmd;		    /* ...unless this is set: then a command must be named */
	const char *args; /* without commands: the positional arguments, as in struct cli_cmd */
	size_t min_args, max_args;
	const char *footer; /* text behind the options in --help: examples, files; may be NULL */
};

enum cli_source {
	CLI_FROM_DEFAULT,
	CLI_FROM_CONF,
	CLI_FROM_ENV,
	CLI_FROM_ARGV,
};

struct cli_value;

/*
 * What was given. Members are read-only for programs; args and all strings stored in conf live
 * until fini.
 */
struct cli_parse {
	const struct cli_prog *prog;
	const struct cli_cmd *cmd; /* NULL in programs without commands */
	const char **args; /* positional arguments, command words removed; NULL terminated */
	size_t nr_args;
	/* private */
	struct cli_value *values;
	size_t nr_values;
	const char *group;     /* first word of a two-word command, while the second is awaited */
	const char *conf_path; /* file being read, for messages */
	unsigned int asked;    /* --help, --version, --dump-cli */
	bool cmd_implied;      /* the default command, not named */
};

#define CLI_DONE 1    /* np_cli_parse(): --help or the like was answered */
#define CLI_GO_ON (-1) /* np_cli_start(): run the program */

/**
 * np_cli_parse() - read the command line, the environment and the config file into @conf.
 * @parse: filled; np_cli_fini() it in every case
 * @prog: kept
 * @argv: entries of CLI_SECRET options are overwritten
 * @conf: the program's struct, holding the defaults; changed only on success
 * @err: one line that names the option or file position, the value and the accepted form
 *
 * Return: 0, CLI_DONE when something was printed on stdout instead, or negative errno.
 */
int np_cli_parse(struct cli_parse *parse, const struct cli_prog *prog, int argc, char **argv,
		 void *conf, struct np_err *err);

/**
 * np_cli_start() - np_cli_parse() with errors reported. Return: CLI_GO_ON, or the exit status (0 or
 * 2).
 */
int np_cli_start(struct cli_parse *parse, const struct cli_prog *prog, int argc, char **argv,
		 void *conf);

/**
 * np_cli_main() - the whole main() of a program with commands: parse, run, clean up. Return: exit
 * status.
 */
int np_cli_main(const struct cli_prog *prog, int argc, char **argv, void *conf);

/**
 * np_cli_usage_exit() - print "NAME: message" and where help is, on stderr. Return: 2, the exit
 * status.
 */
int np_cli_usage_exit(const struct cli_parse *parse, const struct np_err *err);

/** np_cli_source() - where the value of option @name (long name) came from. */
enum cli_source np_cli_source(const struct cli_parse *parse, const char *name);

/** np_cli_fini() - free everything that conf's strings and lists point to; secrets are wiped. */
void np_cli_fini(struct cli_parse *parse);

#endif
