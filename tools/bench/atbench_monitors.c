// SPDX-License-Identifier: BSD-3-Clause
/*
 * Each connection: CONNECTING -(log-in, "monitor", noop answered)-> IDLE -(line "noop" on stdin)->
 * ASKED -> IDLE. A connection that is lost ends the program with status 1.
 */
#include "atbench.h"

#include "at/keyfile.h"
#include "base/err.h"

#include <ev.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct crowd;

struct idle {
	struct crowd *crowd;
	struct np_at_conn *conn;
	size_t index;
};

struct crowd {
	struct atbench *bench;
	struct atbench_who *who;
	struct idle *idle;
	size_t nr_opened, nr_up; /* up: subscription confirmed */
	size_t nr_asked, nr_answered;
	ev_io input;
	bool failed;
};

static void give_up(struct crowd *crowd, const char *what, const char *why)
{
	if (!crowd->failed)
		fprintf(stderr, "atbench: %s (%zu of %zu up): %s\n", what, crowd->nr_up,
			(size_t)crowd->bench->connections, why);
	crowd->failed = true;
	ev_break(crowd->bench->loop, EVBREAK_ALL);
}

static void open_more(struct crowd *crowd);

static void say(const char *name, size_t nr)
{
	printf("{\"%s\":%zu}\n", name, nr);
	fflush(stdout);
}

static void on_confirmed(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct crowd *crowd = ((struct idle *)arg)->crowd;

	(void)data;
	(void)len;
	if (err->code)
		return; /* on_down() says why */
	if (++crowd->nr_up == crowd->bench->connections) {
		say("up", crowd->nr_up);
		ev_io_start(crowd->bench->loop, &crowd->input);
	} else {
		open_more(crowd);
	}
}

/* What sshnpd subscribes to, each connection as a device of its own. */
static void on_up(struct np_at_conn *conn, void *arg)
{
	struct idle *idle = arg;
	char line[64];
	int len;

	len = snprintf(line, sizeof(line), "monitor dev%zu\\.sshnp@", idle->index);
	if (np_at_conn_command(conn, line, (size_t)len, NULL, NULL) ||
	    np_at_conn_command(conn, "noop:0", 6, on_confirmed, idle))
		give_up(idle->crowd, "cannot monitor", "out of memory");
}

static void on_line(struct np_at_conn *conn, const char *line, size_t len, void *arg)
{
	(void)conn;
	(void)line;
	(void)len;
	(void)arg;
}

static void on_down(struct np_at_conn *conn, const struct np_err *err, void *arg)
{
	struct idle *idle = arg;

	give_up(idle->crowd, "connection lost", np_err_text(err));
	idle->conn = NULL;
	np_at_conn_close(conn);
}

static const struct np_at_conn_ops ops = {.up = on_up, .line = on_line, .down = on_down};

static void open_more(struct crowd *crowd)
{
	struct atbench *bench = crowd->bench;
	struct np_err err = NP_ERR_INIT;

	while (!crowd->failed && crowd->nr_opened < bench->connections &&
	       crowd->nr_opened - crowd->nr_up < bench->opening) {
		struct idle *idle = &crowd->idle[crowd->nr_opened];

		idle->crowd = crowd;
		idle->index = crowd->nr_opened++;
		if (atbench_open(bench, &crowd->who[idle->index % bench->atsigns.nr], &ops, idle,
				 &idle->conn, &err))
			give_up(crowd, "cannot connect", np_err_text(&err));
	}
}

static void on_answer(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct crowd *crowd = arg;

	(void)len;
	if (err->code || strcmp(data, "ok")) {
		give_up(crowd, "noop not answered", err->code ? np_err_text(err) : data);
		return;
	}
	if (++crowd->nr_answered == crowd->nr_asked)
		say("answered", crowd->nr_answered);
}

static void ask_all(struct crowd *crowd)
{
	size_t i;

	crowd->nr_asked = crowd->nr_up;
	crowd->nr_answered = 0;
	for (i = 0; i < crowd->nr_up && !crowd->failed; i++)
		if (np_at_conn_command(crowd->idle[i].conn, "noop:0", 6, on_answer, crowd))
			give_up(crowd, "cannot ask", "out of memory");
}

static void on_input(struct ev_loop *loop, ev_io *w, int revents)
{
	struct crowd *crowd = w->data;
	char text[64];
	ssize_t n = read(w->fd, text, sizeof(text));

	(void)revents;
	if (n <= 0)
		ev_break(loop, EVBREAK_ALL);
	else if (n >= 5 && !memcmp(text, "noop\n", 5))
		ask_all(crowd);
	else
		give_up(crowd, "stdin", "the only command is 'noop'");
}

static int start(struct crowd *crowd, struct np_err *err)
{
	const struct cli_list *list = &crowd->bench->atsigns;
	size_t i;
	int ret;

	crowd->who = calloc(list->nr, sizeof(*crowd->who));
	crowd->idle = calloc(crowd->bench->connections, sizeof(*crowd->idle));
	if (!crowd->who || !crowd->idle)
		return np_fail(err, -ENOMEM, "out of memory");
	for (i = 0; i < list->nr; i++) {
		ret = atbench_load_keys(list->items[i], &crowd->who[i], err);
		if (ret)
			return ret;
	}
	ev_io_init(&crowd->input, on_input, STDIN_FILENO, EV_READ);
	crowd->input.data = crowd;
	open_more(crowd);
	return 0;
}

int atbench_monitors(struct atbench *bench)
{
	struct crowd crowd = {.bench = bench};
	struct np_err err = NP_ERR_INIT;
	size_t i;

	if (start(&crowd, &err)) {
		fprintf(stderr, "atbench: cannot start: %s\n", np_err_text(&err));
		crowd.failed = true;
	} else {
		ev_run(bench->loop, 0);
	}
	for (i = 0; crowd.idle && i < bench->connections; i++)
		np_at_conn_close(crowd.idle[i].conn);
	for (i = 0; crowd.who && i < bench->atsigns.nr; i++)
		np_at_keys_free(crowd.who[i].keys);
	free(crowd.idle);
	free(crowd.who);
	return crowd.failed ? 1 : 0;
}
