// SPDX-License-Identifier: BSD-3-Clause
/*
 * The command connection, kept up, and its queue.
 *
 *	DOWN -(open)-> CONNECTING -(up)-> UP -(down)-> WAITING -(back-off)-> CONNECTING
 *	with params.once and never up yet: CONNECTING -(down)-> DOWN, everything pending fails;
 *	the next command tries
 *
 * A command whose connection was lost before its answer came is sent once more on the next one:
 * everything that this library sends by itself may be repeated (records are replaced, notifications
 * carry an id).
 */
#include "at/client_impl.h"

#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MS 30000
#define BACKOFF_MIN_MS 500
#define BACKOFF_MAX_MS 30000
#define STABLE_MS 10000 /* a connection that lasted so long makes the next back-off start anew */
#define MAX_TRIES 2

static void connect_now(struct np_at_client *client);

void at_guard_enter(struct np_at_client *client, struct at_guard *guard)
{
	guard->gone = false;
	guard->outer = client->guard;
	client->guard = guard;
}

void at_guard_leave(struct np_at_client *client, struct at_guard *guard)
{
	client->guard = guard->outer;
}

static void free_command(struct at_command *cmd)
{
	ev_timer_stop(cmd->client->params.loop, &cmd->deadline);
	np_wipe(cmd->line, cmd->len);
	free(cmd);
}

static void unlink_command(struct np_at_client *client, struct at_command *cmd)
{
	struct at_command **at = &client->first, *prev = NULL;

	while (*at != cmd) {
		prev = *at;
		at = &(*at)->next;
	}
	*at = cmd->next;
	if (client->last == cmd)
		client->last = prev;
}

static void on_reply(const struct np_err *err, const char *data, size_t len, void *arg);

static void send_next(struct np_at_client *client)
{
	unsigned int room = client->conn ? np_at_conn_may_send(client->conn) : 0;
	struct at_command *cmd;

	for (cmd = client->first; cmd && room; cmd = cmd->next, room--) {
		if (cmd->in_flight)
			continue;
		if (np_at_conn_command(client->conn, cmd->line, cmd->len, on_reply, client))
			return; /* no memory; the next event or the deadline comes by */
		cmd->in_flight = true;
		cmd->tries++;
		if (client->params.noop_interval_ms)
			ev_timer_again(client->params.loop, &client->noop);
	}
}

/* Answers come in order, so this one is for the first command under way. */
static void on_reply(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct np_at_client *client = arg;
	struct at_command *cmd = client->first;
	np_at_reply_cb cb;
	void *cb_arg;

	while (!cmd->in_flight)
		cmd = cmd->next;
	cmd->in_flight = false;
	if (err->code && !np_at_conn_is_up(client->conn) && cmd->cb && cmd->tries < MAX_TRIES)
		return;
	unlink_command(client, cmd);
	cb = cmd->cb;
	cb_arg = cmd->arg;
	free_command(cmd);
	/*
	 * The connection is busy again before the callback, which may end everything, thinks about
	 * the answer.
	 */
	send_next(client);
	if (cb)
		cb(err, data, len, cb_arg);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct at_command *cmd = w->data;
	struct np_at_client *client = cmd->client;
	np_at_reply_cb cb = cmd->cb;
	void *arg = cmd->arg;
	struct np_err err = NP_ERR_INIT;

	(void)loop;
	(void)revents;
	if (client->last_err.code)
		np_fail(&err, -ETIMEDOUT, "%s", client->last_err.msg);
	else
		np_fail(&err, -ETIMEDOUT, "atServer of %s: command not answered in time",
			client->params.keys->atsign);
	cmd->cb = NULL;
	if (!cmd->in_flight) {
		unlink_command(client, cmd);
		free_command(cmd);
	}
	if (cb)
		cb(&err, NULL, 0, arg);
}

int np_at_client_command(struct np_at_client *client, const char *line, size_t len,
			 np_at_reply_cb cb, void *arg)
{
	struct at_command *cmd;

	if (!len || memchr(line, '\n', len) || memchr(line, '\0', len))
		return -EINVAL;
	cmd = calloc(1, sizeof(*cmd) + len);
	if (!cmd)
		return -ENOMEM;
	cmd->client = client;
	cmd->cb = cb;
	cmd->arg = arg;
	cmd->len = len;
	memcpy(cmd->line, line, len);
	ev_now_update(client->params.loop);
	ev_timer_init(&cmd->deadline, on_deadline, client->params.timeout_ms / 1000., 0.);
	cmd->deadline.data = cmd;
	ev_timer_start(client->params.loop, &cmd->deadline);
	if (client->last)
		client->last->next = cmd;
	else
		client->first = cmd;
	client->last = cmd;
	if (!client->conn && !ev_is_active(&client->retry))
		connect_now(client);
	send_next(client);
	return 0;
}

int at_client_commandf(struct np_at_client *client, np_at_reply_cb cb, void *arg, const char *fmt,
		       ...)
{
	char line[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		return -ENAMETOOLONG;
	return np_at_client_command(client, line, (size_t)n, cb, arg);
}

const char *at_client_own(const struct np_at_client *client)
{
	return client->params.keys->atsign;
}

void np_at_client_cancel(struct np_at_client *client, void *arg)
{
	struct at_command *cmd;

	for (cmd = client->first; cmd; cmd = cmd->next)
		if (cmd->arg == arg)
			cmd->cb = NULL;
	at_ops_cancel(client, arg);
	at_peers_cancel(client, arg);
}

/* --- connection ------------------------------------------------------------------------------- */

/*
 * Those that the callbacks add are left for the next connection. Return: false when the client is
 * gone.
 */
static bool fail_all(struct np_at_client *client, const struct np_err *err)
{
	struct at_command *cmd;
	struct at_guard guard;
	size_t nr = 0;

	for (cmd = client->first; cmd; cmd = cmd->next)
		nr++;
	at_guard_enter(client, &guard);
	for (; nr && client->first; nr--) {
		np_at_reply_cb cb = client->first->cb;
		void *arg = client->first->arg;

		cmd = client->first;
		unlink_command(client, cmd);
		free_command(cmd);
		if (cb)
			cb(err, NULL, 0, arg);
		if (guard.gone)
			return false;
	}
	at_guard_leave(client, &guard);
	return true;
}

static void on_early(struct np_at_conn *conn, void *arg)
{
	(void)conn;
	send_next(arg);
}

static void on_up(struct np_at_conn *conn, void *arg)
{
	struct np_at_client *client = arg;

	(void)conn;
	client->was_up = true;
	client->up_at_ms = np_clock_mono_ms();
	client->last_err.code = 0;
	send_next(client);
	if (client->params.noop_interval_ms)
		ev_timer_again(client->params.loop, &client->noop);
	if (client->on_state)
		client->on_state(true, NULL, client->arg);
}

static void on_line(struct np_at_conn *conn, const char *line, size_t len, void *arg)
{
	/* Nobody subscribed on this connection. */
	(void)conn;
	(void)line;
	(void)len;
	(void)arg;
}

static void schedule_retry(struct np_at_client *client)
{
	if (client->up_at_ms && np_clock_mono_ms() - client->up_at_ms >= STABLE_MS)
		np_backoff_reset(&client->backoff);
	client->up_at_ms = 0;
	ev_now_update(client->params.loop);
	ev_timer_set(&client->retry, np_backoff_next_ms(&client->backoff) / 1000., 0.);
	ev_timer_start(client->params.loop, &client->retry);
}

static void lost(struct np_at_client *client, const struct np_err *why)
{
	struct np_err err = *why;

	np_at_conn_close(client->conn);
	client->conn = NULL;
	client->last_err = err;
	ev_timer_stop(client->params.loop, &client->noop);
	if (!client->params.once || client->was_up)
		schedule_retry(client);
	else if (!fail_all(client, &err))
		return;
	if (client->on_state)
		client->on_state(false, &err, client->arg);
}

static void on_down(struct np_at_conn *conn, const struct np_err *err, void *arg)
{
	(void)conn;
	lost(arg, err);
}

static const struct np_at_conn_ops conn_ops = {
	.up = on_up, .line = on_line, .down = on_down, .early = on_early};

static void connect_now(struct np_at_client *client)
{
	struct np_at_conn_params params = {
		.loop = client->params.loop,
		.tls = client->params.tls,
		.dir = client->params.dir,
		.atsign = client->params.keys->atsign,
		.keys = client->params.keys,
	};

	/* Out of memory is met with the back-off like any other failure. */
	if (np_at_conn_open(&params, &conn_ops, client, &client->conn, &client->last_err))
		schedule_retry(client);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	connect_now(w->data);
}

static void on_noop(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_at_client *client = w->data;

	(void)loop;
	(void)revents;
	if (client->conn && !client->first)
		(void)np_at_client_command(client, "noop:0", 6, NULL, NULL);
}

int np_at_client_new(const struct np_at_client_params *params,
		     void (*on_state)(bool up, const struct np_err *err, void *arg), void *arg,
		     struct np_at_client **out, struct np_err *err)
{
	struct np_at_client *client = calloc(1, sizeof(*client));

	if (!client)
		return np_fail(err, -ENOMEM, "client of %s: out of memory", params->keys->atsign);
	client->params = *params;
	if (!client->params.timeout_ms)
		client->params.timeout_ms = COMMAND_MS;
	client->on_state = on_state;
	client->arg = arg;
	client->backoff = (struct np_backoff)NP_BACKOFF_INIT(BACKOFF_MIN_MS, BACKOFF_MAX_MS);
	ev_timer_init(&client->retry, on_retry, 0., 0.);
	ev_timer_init(&client->noop, on_noop, 0., params->noop_interval_ms / 1000.);
	client->retry.data = client->noop.data = client;
	connect_now(client);
	*out = client;
	return 0;
}

void np_at_client_free(struct np_at_client *client)
{
	if (!client)
		return;
	for (; client->guard; client->guard = client->guard->outer)
		client->guard->gone = true;
	np_at_conn_close(client->conn);
	while (client->first) {
		struct at_command *cmd = client->first;

		unlink_command(client, cmd);
		free_command(cmd);
	}
	ev_timer_stop(client->params.loop, &client->retry);
	ev_timer_stop(client->params.loop, &client->noop);
	at_ops_fini(client);
	at_peers_fini(client);
	free(client);
}

const struct np_at_client_params *np_at_client_params(const struct np_at_client *client)
{
	return &client->params;
}
