// SPDX-License-Identifier: BSD-3-Clause
/*
 * The check: every line of the journal is asked for at the writer's atServer, one after the other,
 * while a monitor of the receiver replays what it was sent.
 */
#include "atload.h"

#include "at/conn.h"
#include "at/directory.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/map.h"
#include "json/json.h"

#include <ev.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL_MAX (256u << 20)
#define SHOWN 10

struct checker {
	struct atload *load;
	struct np_buf text;
	char *line, *rest; /* the journal, line by line */
	struct np_map counters, notes;
	struct np_at_conn *conn, *monitor;
	ev_timer deadline;
	unsigned long long asked, missing;
	bool asking_done;
	const char *failed;
};

static void missing(struct checker *c, const char *what, const char *got)
{
	if (c->missing++ < SHOWN)
		fprintf(stderr, "atload: acknowledged, but not there: %s (got: %.60s)\n", what,
			got);
}

static void finish(struct checker *c, const char *failed)
{
	c->failed = failed;
	ev_break(c->load->loop, EVBREAK_ALL);
}

static void finish_if_done(struct checker *c)
{
	if (c->asking_done && !c->notes.nr)
		finish(c, NULL);
}

static void ask_next(struct checker *c);

static bool is_right(struct checker *c, const char *data)
{
	char value[ATLOAD_VALUE_MAX];

	switch (c->line[0]) {
	case 'u':
		atload_value(c->load, c->line + 2, value);
		return !strcmp(data, value);
	case 'c': /* the newest one acknowledged, or one that was under way when it was cut */
		return strtoull(data, NULL, 10) >=
		       strtoull(np_map_get(&c->counters, c->line + 2), NULL, 10);
	default:
		return !strcmp(data, "queued") || !strcmp(data, "delivered");
	}
}

static void on_reply(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct checker *c = arg;

	(void)len;
	if (err->code && !err->remote[0])
		return; /* the connection went; on_down() says so */
	c->asked++;
	if (err->code || !is_right(c, data))
		missing(c, c->line, err->code ? np_err_text(err) : data);
	ask_next(c);
}

static char *next_line(struct checker *c)
{
	char *line = c->rest, *end = line ? strchr(line, '\n') : NULL;

	if (!end)
		return NULL;
	*end = '\0';
	c->rest = end + 1;
	return line;
}

static void ask_next(struct checker *c)
{
	char cmd[512], *n;
	int len;

	c->line = next_line(c);
	if (!c->line) {
		c->asking_done = true;
		finish_if_done(c);
		return;
	}
	n = c->line[0] == 'c' ? strrchr(c->line, ' ') : NULL;
	if (n)
		*n = '\0';
	len = snprintf(cmd, sizeof(cmd), "%s%s",
		       c->line[0] == 'n' ? "notify:status:" : "llookup:", c->line + 2);
	if (np_at_conn_command(c->conn, cmd, (size_t)len, on_reply, c))
		finish(c, "cannot ask");
}

static void on_up(struct np_at_conn *conn, void *arg)
{
	struct checker *c = arg;
	static const char monitor[] = "monitor:1";

	if (conn == c->conn)
		ask_next(c);
	else if (np_at_conn_command(conn, monitor, strlen(monitor), NULL, NULL))
		finish(c, "cannot monitor");
}

static void on_line(struct np_at_conn *conn, const char *line, size_t len, void *arg)
{
	struct np_json *json = np_json_parse(line, len, "notification", NULL);
	struct checker *c = arg;
	const char *id = json ? np_json_str(json, "id") : NULL;

	(void)conn;
	if (id)
		np_map_remove(&c->notes, id);
	np_json_put(json);
	finish_if_done(c);
}

static void on_down(struct np_at_conn *conn, const struct np_err *err, void *arg)
{
	struct checker *c = arg;

	fprintf(stderr, "atload: connection lost: %s\n", np_err_text(err));
	if (conn == c->conn)
		c->conn = NULL;
	else
		c->monitor = NULL;
	np_at_conn_close(conn);
	finish(c, "connection lost");
}

static const struct np_at_conn_ops ops = {.up = on_up, .line = on_line, .down = on_down};

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	finish(w->data, "deadline passed");
}

static bool tell_note(const char *key, void *value, void *arg)
{
	struct checker *c = arg;

	(void)value;
	missing(c, key, "no notification at the receiver");
	return true;
}

/* What the receiver must get, and the newest value of each counter: its last line wins. */
static int collect(struct checker *c)
{
	char *copy = strdup(np_buf_str(&c->text)), *line, *next, *n;
	int ret = copy ? 0 : -ENOMEM;

	for (line = copy; !ret && line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		n = line[0] == 'c' ? strrchr(line, ' ') : NULL;
		if (n) {
			*n++ = '\0';
			free(np_map_remove(&c->counters, line + 2));
			ret = np_map_put(&c->counters, line + 2, strdup(n), NULL);
		} else if (line[0] == 'n') {
			ret = np_map_put(&c->notes, line + 2, c, NULL);
		}
	}
	free(copy);
	return ret;
}

static int start(struct checker *c, struct np_err *err)
{
	struct atload *load = c->load;
	struct np_at_conn_params params = {.loop = load->loop,
					   .tls = load->tls,
					   .dir = load->dir,
					   .atsign = load->me,
					   .keys = load->keys,
					   .timeout_ms = 10000};
	int ret;

	ret = np_file_read(load->journal, JOURNAL_MAX, &c->text, err);
	if (!ret)
		ret = collect(c);
	if (ret)
		return ret;
	c->rest = (char *)c->text.data;
	ev_timer_init(&c->deadline, on_deadline, (double)load->deadline_ms / 1000., 0.);
	c->deadline.data = c;
	ev_timer_start(load->loop, &c->deadline);
	ret = np_at_conn_open(&params, &ops, c, &c->conn, err);
	if (ret)
		return ret;
	params.atsign = load->peer;
	params.keys = load->peer_keys;
	return np_at_conn_open(&params, &ops, c, &c->monitor, err);
}

int atload_check(struct atload *load)
{
	struct checker c = {.load = load};
	struct np_err err = NP_ERR_INIT;
	bool good;

	if (start(&c, &err)) {
		fprintf(stderr, "atload: %s\n", np_err_text(&err));
		c.failed = "cannot start";
	} else {
		ev_run(load->loop, 0);
	}
	np_map_each(&c.notes, tell_note, &c);
	good = !c.failed && !c.missing && c.asked;
	printf("{\"checked\":%llu,\"missing\":%llu,\"failed\":\"%s\"}\n", c.asked, c.missing,
	       c.failed ? c.failed : "");
	np_at_conn_close(c.conn);
	np_at_conn_close(c.monitor);
	ev_timer_stop(load->loop, &c.deadline);
	np_map_fini(&c.counters, free);
	np_map_fini(&c.notes, NULL);
	np_buf_fini(&c.text);
	return good ? 0 : 1;
}
