// SPDX-License-Identifier: BSD-3-Clause
/*
 * The KEY=value config file of profiles (noports.md 12.1): KEY is the long name in upper case with
 * '-' as '_'. A line with other than exactly one '=' is ignored, as are unknown keys and empty
 * values; a flag is true only for the text "true".
 */
#include "cli/parse.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

static bool key_matches(const struct cli_opt *opt, const char *key)
{
	const char *name = opt->name;

	for (; *name && *key; name++, key++) {
		char c = *name;

		if (c == '-')
			c = '_';
		else if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (c != *key)
			return false;
	}
	return !*name && !*key;
}

static const struct cli_opt *find_key(const struct cli_parse *parse, const char *key)
{
	const struct cli_opt *opt = NULL;

	while ((opt = np_cli_next_opt(parse, opt)))
		if (!(opt->flags & CLI_NO_CONF) && key_matches(opt, key))
			return opt;
	return NULL;
}

static int read_line(struct cli_parse *parse, char *line, const char *path, unsigned int nr,
		     struct np_err *err)
{
	struct cli_where where = { CLI_FROM_CONF, "" };
	const struct cli_opt *opt;
	char *equals, *key, *value;

	line = np_str_trim(line);
	equals = strchr(line, '=');
	if (*line == '#' || !equals || strchr(equals + 1, '='))
		return 0;
	*equals = '\0';
	key = np_str_trim(line);
	value = np_str_trim(equals + 1);
	opt = find_key(parse, key);
	if (!opt || !*value)
		return 0;
	if (opt->type == CLI_T_FLAG || opt->type == CLI_T_BOOL_NEG)
		return np_cli_value_add_bool(parse, opt, !strcmp(value, "true"), CLI_FROM_CONF,
					     err);
	snprintf(where.text, sizeof(where.text), "%.80s:%u: %s", path, nr, key);
	return np_cli_value_add(parse, opt, value, &where, err);
}

int np_cli_conf_read_env(struct cli_parse *parse, const char *path, struct np_err *err)
{
	struct np_buf text = NP_BUF_INIT;
	unsigned int nr = 0;
	char *line, *next;
	int ret;

	ret = np_file_read(path, CLI_CONF_MAX, &text, err);
	for (line = (char *)text.data; !ret && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		ret = read_line(parse, line, path, ++nr, err);
	}
	np_buf_fini(&text);
	return ret;
}
