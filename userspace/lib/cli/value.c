// SPDX-License-Identifier: BSD-3-Clause
#include "cli/parse.h"

#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const struct cli_opt *opt, const char *text, const struct cli_where *where,
		  const char *wanted, struct np_err *err)
{
	if (opt->flags & CLI_SECRET)
		return np_fail(err, -EINVAL, "%s: the value is not %s", where->text, wanted);
	return np_fail(err, -EINVAL, "%s: '%.60s' is not %s", where->text, text, wanted);
}

static int check_number(const struct cli_opt *opt, const char *text, uint64_t *out)
{
	uint64_t max = opt->max ? opt->max : UINT64_MAX;
	uint16_t port;
	int ret;

	if (opt->type == CLI_T_U64)
		return np_str_u64(text, opt->min, max, out);
	if (opt->type == CLI_T_PORT) {
		ret = np_str_port(text, opt->min == 0, &port);
		*out = ret ? 0 : port;
	} else {
		ret = np_str_duration_ms(text, out);
	}
	return ret ? ret : *out < opt->min || *out > max ? -ERANGE : 0;
}

static void describe_number(const struct cli_opt *opt, char *dst, size_t size)
{
	if (opt->type == CLI_T_PORT)
		snprintf(dst, size, "a port (%" PRIu64 "..%" PRIu64 ")", opt->min,
			 opt->max ? opt->max : 65535);
	else if (opt->type == CLI_T_DURATION && (opt->min || opt->max))
		snprintf(dst, size,
			 "a time such as 30s, 500ms or 1h,30m (%" PRIu64 "..%" PRIu64 " ms)",
			 opt->min, opt->max ? opt->max : UINT64_MAX);
	else if (opt->type == CLI_T_DURATION)
		snprintf(dst, size, "a time such as 30s, 500ms or 1h,30m");
	else if (opt->max)
		snprintf(dst, size, "a number (%" PRIu64 "..%" PRIu64 ")", opt->min, opt->max);
	else
		snprintf(dst, size, "a number (at least %" PRIu64 ")", opt->min);
}

static int check_choice(const struct cli_opt *opt, const char *text, uint64_t *out, char *wanted,
			size_t size)
{
	size_t i, len;

	snprintf(wanted, size, "one of");
	for (i = 0; opt->names[i]; i++) {
		if (!strcmp(opt->names[i], text)) {
			*out = i;
			return 0;
		}
		len = strlen(wanted);
		snprintf(wanted + len, size - len, "%s%s", i ? ", " : " ", opt->names[i]);
	}
	return -EINVAL;
}

static int check_text(const struct cli_opt *opt, const char *text, uint64_t *num,
		      const struct cli_where *where, struct np_err *err)
{
	char wanted[128];

	switch (opt->type) {
	case CLI_T_STR:
	case CLI_T_LIST:
		return 0;
	case CLI_T_FLAG:
	case CLI_T_BOOL_NEG:
		*num = !strcmp(text, "true");
		if (*num || !strcmp(text, "false"))
			return 0;
		snprintf(wanted, sizeof(wanted), "true or false");
		break;
	case CLI_T_ENUM:
		if (!check_choice(opt, text, num, wanted, sizeof(wanted)))
			return 0;
		break;
	case CLI_T_U64:
	case CLI_T_PORT:
	case CLI_T_DURATION:
		if (!check_number(opt, text, num))
			return 0;
		describe_number(opt, wanted, sizeof(wanted));
		break;
	}
	return refuse(opt, text, where, wanted, err);
}

static struct cli_value *value_new(struct cli_parse *parse)
{
	struct cli_value *values;

	values = realloc(parse->values, (parse->nr_values + 1) * sizeof(*values));
	if (!values)
		return NULL;
	parse->values = values;
	memset(&values[parse->nr_values], 0, sizeof(*values));
	return &values[parse->nr_values++];
}

int np_cli_value_add(struct cli_parse *parse, const struct cli_opt *opt, const char *text,
		     const struct cli_where *where, struct np_err *err)
{
	struct cli_value *value;
	uint64_t num = 0;
	int ret;

	ret = check_text(opt, text, &num, where, err);
	if (ret)
		return ret;
	value = value_new(parse);
	if (!value)
		return np_fail_errno(err, -ENOMEM, "%s", where->text);
	value->opt = opt;
	value->source = where->source;
	value->num = num;
	value->text = strdup(text);
	return value->text ? 0 : np_fail_errno(err, -ENOMEM, "%s", where->text);
}

int np_cli_value_add_bool(struct cli_parse *parse, const struct cli_opt *opt, bool on,
			  enum cli_source source, struct np_err *err)
{
	struct cli_where where = { source, "" };

	return np_cli_value_add(parse, opt, on ? "true" : "false", &where, err);
}

static enum cli_source strongest(const struct cli_parse *parse, const struct cli_opt *opt)
{
	enum cli_source source = CLI_FROM_DEFAULT;
	size_t i;

	for (i = 0; i < parse->nr_values; i++)
		if (parse->values[i].opt == opt && parse->values[i].source > source)
			source = parse->values[i].source;
	return source;
}

const struct cli_value *np_cli_value_last(const struct cli_parse *parse, const struct cli_opt *opt)
{
	enum cli_source source = strongest(parse, opt);
	size_t i;

	for (i = parse->nr_values; i-- > 0;)
		if (parse->values[i].opt == opt && parse->values[i].source == source)
			return &parse->values[i];
	return NULL;
}

enum cli_source np_cli_source(const struct cli_parse *parse, const char *name)
{
	size_t i;

	for (i = 0; i < parse->nr_values; i++)
		if (!strcmp(parse->values[i].opt->name, name))
			return strongest(parse, parse->values[i].opt);
	return CLI_FROM_DEFAULT;
}

/* Splits a value's text in place; blanks around items and empty items are dropped. */
static size_t split_items(struct cli_value *value, const char **items)
{
	char *p = value->text, *comma, *item;
	size_t nr = 0;

	if (value->whole) {
		items[0] = value->text;
		return 1;
	}
	for (;;) {
		comma = strchr(p, ',');
		if (comma)
			*comma = '\0';
		item = np_str_trim(p);
		if (*item)
			items[nr++] = item;
		if (!comma)
			return nr;
		p = comma + 1;
	}
}

/* Every value of the winning source adds to the list; the array hangs on the last of them. */
static int build_list(struct cli_parse *parse, struct cli_value *last, size_t *nr)
{
	size_t room = 1, i, len;

	for (i = 0; i < parse->nr_values; i++)
		room += parse->values[i].opt == last->opt ? strlen(parse->values[i].text) / 2 + 1
							  : 0;
	free(last->items);
	last->items = calloc(room, sizeof(*last->items));
	if (!last->items)
		return -ENOMEM;
	*nr = 0;
	for (i = 0; i < parse->nr_values; i++) {
		if (parse->values[i].opt != last->opt || parse->values[i].source != last->source)
			continue;
		len = split_items(&parse->values[i], last->items + *nr);
		*nr += len;
	}
	last->num = *nr;
	return 0;
}

static void store(const struct cli_value *value, void *conf)
{
	void *field = (char *)conf + value->opt->offset;

	switch (value->opt->type) {
	case CLI_T_STR:
		*(const char **)field = value->text;
		break;
	case CLI_T_FLAG:
	case CLI_T_BOOL_NEG:
		*(bool *)field = value->num != 0;
		break;
	case CLI_T_U64:
	case CLI_T_DURATION:
		*(uint64_t *)field = value->num;
		break;
	case CLI_T_PORT:
		*(uint16_t *)field = (uint16_t)value->num;
		break;
	case CLI_T_LIST:
		*(struct cli_list *)field = (struct cli_list){ value->items, (size_t)value->num };
		break;
	case CLI_T_ENUM:
		*(int *)field = (int)value->num;
		break;
	}
}

int np_cli_values_commit(struct cli_parse *parse, void *conf)
{
	const struct cli_opt *opt = NULL;
	const struct cli_value *value;
	size_t nr;

	while ((opt = np_cli_next_opt(parse, opt))) {
		value = np_cli_value_last(parse, opt);
		if (value && opt->type == CLI_T_LIST &&
		    build_list(parse, &parse->values[value - parse->values], &nr))
			return -ENOMEM;
	}
	while ((opt = np_cli_next_opt(parse, opt))) {
		value = np_cli_value_last(parse, opt);
		if (value)
			store(value, conf);
	}
	return 0;
}

void np_cli_fini(struct cli_parse *parse)
{
	size_t i;

	for (i = 0; i < parse->nr_values; i++) {
		struct cli_value *value = &parse->values[i];

		if (value->text && value->opt->flags & CLI_SECRET)
			np_wipe(value->text, strlen(value->text));
		free(value->text);
		free(value->items);
	}
	free(parse->values);
	free(parse->args);
	memset(parse, 0, sizeof(*parse));
}
