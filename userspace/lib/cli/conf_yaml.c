// SPDX-License-Identifier: BSD-3-Clause
/*
 * The YAML config file: keys are long option names ("listen-port: 64") or the option's conf_key
 * path, which may nest ("access: {managers: [...]}" is access/managers). A scalar gives one value,
 * a sequence of scalars a list. Everything else, and every unknown or repeated key, is an error
 * with its position.
 */
#include "cli/parse.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

#define MAX_DEPTH 8

struct reader {
	struct cli_parse *parse;
	yaml_document_t doc;
	const char *file;
	struct np_err *err;
};

static int fail_at(struct reader *rd, const yaml_node_t *node, const char *key, const char *what)
{
	return np_fail(rd->err, -EINVAL, "%.100s:%zu:%zu: %s%.60s%s", rd->file,
		       node->start_mark.line + 1, node->start_mark.column + 1, what, key ? key : "",
		       key ? "'" : "");
}

static const struct cli_opt *find_key(const struct cli_parse *parse, const char *key)
{
	const struct cli_opt *opt = NULL;

	while ((opt = np_cli_next_opt(parse, opt)))
		if (!(opt->flags & (CLI_NO_CONF | CLI_CONF_YAML)) &&
		    (!strcmp(opt->name, key) || (opt->conf_key && !strcmp(opt->conf_key, key))))
			return opt;
	return NULL;
}

static bool is_group(const struct cli_parse *parse, const char *key)
{
	const struct cli_opt *opt = NULL;
	size_t len = strlen(key);

	while ((opt = np_cli_next_opt(parse, opt)))
		if (opt->conf_key && !strncmp(opt->conf_key, key, len) && opt->conf_key[len] == '/')
			return true;
	return false;
}

static bool is_others_file(const struct cli_parse *parse)
{
	const struct cli_opt *opt = NULL;

	while ((opt = np_cli_next_opt(parse, opt)))
		if (opt->flags & CLI_CONF_PART)
			return true;
	return false;
}

static const char *scalar(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;

	return strlen(text) == node->data.scalar.length ? text : NULL;
}

static int take_scalar(struct reader *rd, const struct cli_opt *opt, const yaml_node_t *node,
		       bool whole)
{
	struct cli_where where = { CLI_FROM_CONF, "" };
	const char *text = node->type == YAML_SCALAR_NODE ? scalar(node) : NULL;
	int ret;

	if (!text)
		return fail_at(rd, node, opt->name, "a plain value is wanted for '");
	snprintf(where.text, sizeof(where.text), "%.80s:%zu:%zu: %s", rd->file,
		 node->start_mark.line + 1, node->start_mark.column + 1, opt->name);
	ret = np_cli_value_add(rd->parse, opt, text, &where, rd->err);
	if (!ret)
		rd->parse->values[rd->parse->nr_values - 1].whole = whole;
	return ret;
}

static int take_value(struct reader *rd, const struct cli_opt *opt, const yaml_node_t *node)
{
	struct cli_where where = { CLI_FROM_CONF, "" };
	const yaml_node_item_t *item;
	int ret = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return take_scalar(rd, opt, node, false);
	if (opt->type != CLI_T_LIST)
		return fail_at(rd, node, opt->name, "a list is not accepted for '");
	/* "managers: []" is given, and empty. */
	if (node->data.sequence.items.start == node->data.sequence.items.top)
		return np_cli_value_add(rd->parse, opt, "", &where, rd->err);
	for (item = node->data.sequence.items.start; !ret && item < node->data.sequence.items.top;
	     item++)
		ret = take_scalar(rd, opt, yaml_document_get_node(&rd->doc, *item), true);
	return ret;
}

static bool has_conf_value(const struct cli_parse *parse, const struct cli_opt *opt)
{
	size_t i;

	for (i = 0; i < parse->nr_values; i++)
		if (parse->values[i].opt == opt && parse->values[i].source == CLI_FROM_CONF)
			return true;
	return false;
}

static int take_mapping(struct reader *rd, const yaml_node_t *map, const char *prefix,
			unsigned int depth);

static int take_pair(struct reader *rd, const yaml_node_pair_t *pair, const char *prefix,
		     unsigned int depth)
{
	const yaml_node_t *knode = yaml_document_get_node(&rd->doc, pair->key);
	const yaml_node_t *vnode = yaml_document_get_node(&rd->doc, pair->value);
	const char *text = knode->type == YAML_SCALAR_NODE ? scalar(knode) : NULL;
	const struct cli_opt *opt;
	char key[128];

	if (!text)
		return fail_at(rd, knode, NULL, "a key must be plain text");
	if ((size_t)snprintf(key, sizeof(key), "%s%s%s", prefix, *prefix ? "/" : "", text) >=
	    sizeof(key))
		return fail_at(rd, knode, text, "unknown key '");
	if (vnode->type == YAML_MAPPING_NODE && depth < MAX_DEPTH && is_group(rd->parse, key))
		return take_mapping(rd, vnode, key, depth + 1);
	opt = find_key(rd->parse, key);
	if (opt && has_conf_value(rd->parse, opt))
		return fail_at(rd, knode, key, "repeated key '");
	if (opt)
		return take_value(rd, opt, vnode);
	if (is_others_file(rd->parse))
		return 0;
	return fail_at(rd, knode, key, "unknown key '");
}

static int take_mapping(struct reader *rd, const yaml_node_t *map, const char *prefix,
			unsigned int depth)
{
	const yaml_node_pair_t *pair;
	int ret = 0;

	for (pair = map->data.mapping.pairs.start; !ret && pair < map->data.mapping.pairs.top;
	     pair++)
		ret = take_pair(rd, pair, prefix, depth);
	return ret;
}

static int take_document(struct reader *rd)
{
	const yaml_node_t *root = yaml_document_get_root_node(&rd->doc);

	if (!root)
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return fail_at(rd, root, NULL, "'key: value' lines are wanted here");
	return take_mapping(rd, root, "", 0);
}

int np_cli_conf_read_yaml(struct cli_parse *parse, const char *path, struct np_err *err)
{
	struct reader rd = { .parse = parse, .file = path, .err = err };
	struct np_buf text = NP_BUF_INIT;
	yaml_parser_t parser;
	int ret;

	ret = np_file_read(path, CLI_CONF_MAX, &text, err);
	if (ret)
		goto out;
	if (!yaml_parser_initialize(&parser)) {
		ret = np_fail_errno(err, -ENOMEM, "%s", path);
		goto out;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)np_buf_str(&text), text.len);
	if (yaml_parser_load(&parser, &rd.doc)) {
		ret = take_document(&rd);
		yaml_document_delete(&rd.doc);
	} else {
		ret = np_fail(err, -EINVAL, "%.100s:%zu:%zu: %s", path,
			      parser.problem_mark.line + 1, parser.problem_mark.column + 1,
			      parser.problem ? parser.problem : "not YAML");
	}
	yaml_parser_delete(&parser);
out:
	np_buf_fini(&text);
	return ret;
}
