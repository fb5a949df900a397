// SPDX-License-Identifier: BSD-3-Clause
/*
 * batch: several commands, one answer (atprotocol.md 13.3). They are changes of the own store that
 * answer at once, so the whole batch is in one transaction: its answer tells what was committed.
 */
#include "atserver/internal.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/err.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define COMMANDS_MAX 1000

struct batch {
	struct np_session *s;
	struct np_json *out;
	size_t nr_bytes; /* answered so far */
	bool touched, failed;
};

static struct np_json *response(const struct np_capture *c)
{
	struct np_json *json = np_json_obj();
	const char *text = np_buf_str(&c->text);
	int ret = -1;

	if (json && c->is_error)
		ret = np_json_set_str(json, "error_code", c->code) ||
		      np_json_set_str(json, "error_message", text);
	else if (json)
		ret = np_json_set_str(json, "data", text);
	if (!ret)
		return json;
	np_json_put(json);
	return NULL;
}

static int add(struct batch *batch, const struct np_json *id, const struct np_capture *c)
{
	struct np_json *json = np_json_obj(), *inner = response(c);

	if (!json || !inner) {
		np_json_put(json);
		np_json_put(inner);
		return -1;
	}
	if (np_json_set(json, "id", np_json_ref(id)) || np_json_set(json, "response", inner)) {
		np_json_put(json);
		return -1;
	}
	return np_json_add(batch->out, json);
}

/* A line feed cannot stand in a command; "~NL~" stays in the value, and its readers turn it back. */
static void run(struct batch *batch, const struct np_json *item)
{
	struct np_capture c = {.text = NP_BUF_INIT};
	const char *command = np_json_str(item, "command");
	char *line = strdup(command);

	batch->s->capture = &c;
	if (!line)
		np_respond_error(batch->s, "AT0010", "out of memory");
	else if (batch->nr_bytes > NP_COMMAND_MAX)
		np_respond_error(batch->s, "AT0005", "the answer to this batch is too long");
	else
		np_verb_run(batch->s, line, strlen(line));
	batch->s->capture = NULL;
	free(line);
	batch->touched |= batch->s->srv->turn.touched;
	batch->nr_bytes += c.text.len;
	batch->failed |= add(batch, np_json_get(item, "id"), &c) != 0;
	np_buf_fini(&c.text);
}

static bool is_valid(const struct np_json *json)
{
	size_t i;

	if (!np_json_is_array(json) || np_json_len(json) > COMMANDS_MAX)
		return false;
	for (i = 0; i < np_json_len(json); i++)
		if (!np_json_str(np_json_at(json, i), "command") ||
		    np_json_is_null(np_json_get(np_json_at(json, i), "id")))
			return false;
	return true;
}

void np_verb_batch(struct np_session *s, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	struct np_json *json = np_json_parse(rest, strlen(rest), "batch", &err);
	struct batch batch = {.s = s};
	size_t i;

	if (!is_valid(json)) {
		np_respond_error(s, "AT0003", "Invalid syntax. %s",
				 json ? "batch:[{\"id\":<n>,\"command\":\"<command>\"},..], at most"
					" 1000 of them"
				      : err.msg);
		np_json_put(json);
		return;
	}
	batch.out = np_json_arr();
	for (i = 0; batch.out && !batch.failed && i < np_json_len(json); i++)
		run(&batch, np_json_at(json, i));
	s->srv->turn.touched = batch.touched;
	if (batch.failed) {
		np_json_put(batch.out);
		batch.out = NULL;
	}
	np_respond_json(s, batch.out);
	np_json_put(json);
}
