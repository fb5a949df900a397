// SPDX-License-Identifier: BSD-3-Clause
/*
 *	RESOLVE -> DIAL -> HANDSHAKE -+-> FROM -> LOGIN -> UP       with keys or a CRAM secret
 *	                              +-> UP                        without
 *	any of them -> DOWN (reported once)
 *
 * "from:" leaves together with the end of the TLS handshake: the server's prompt is not awaited, it
 * is skipped when it comes. Then one command at a time is under way, because servers may take two
 * in one read for one (3.2); or, with a server that agreed to pipelining, NP_AT_PIPELINE_MAX of
 * them, beginning in LOGIN.
 */
#include "at/conn.h"

#include "at/directory.h"
#include "at/keyfile.h"
#include "at/reply.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/hash.h"
#include "crypto/rsa.h"
#include "net/dial.h"
#include "net/linebuf.h"
#include "tls/tls.h"

#include <ev.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 10000
#define LINE_MAX_BYTES 10240000
#define CHALLENGE_MAX 512

enum state { RESOLVE, DIAL, HANDSHAKE, FROM, LOGIN, UP, DOWN };

struct command {
	struct command *next;
	np_at_reply_cb cb;
	void *arg;
	bool is_sent, has_answer, has_blank; /* has_blank: the answer is "data: ..." (4.1) */
	size_t len;			     /* with the LF */
	char line[];
};

struct np_at_conn {
	struct np_at_conn_params params;
	const struct np_at_conn_ops *ops;
	void *arg;
	struct np_dial *dial;
	struct np_tls *tls;
	struct np_linebuf lines;
	struct command *first, *last;
	ev_timer timer; /* until up; then for the command under way */
	enum state state;
	bool *gone; /* set while inside a callback of the owner */
	uint16_t port;
	char host[NP_HOST_MAX];
};

static const struct np_tls_ops tls_ops;

/* --- failing ---------------------------------------------------------------------------------- */

static void drop_transport(struct np_at_conn *conn)
{
	np_directory_cancel(conn->params.dir, conn);
	np_dial_cancel(conn->dial);
	conn->dial = NULL;
	np_tls_close(conn->tls);
	conn->tls = NULL;
	ev_timer_stop(conn->params.loop, &conn->timer);
}

static struct command *take_command(struct np_at_conn *conn)
{
	struct command *cmd = conn->first;

	conn->first = cmd->next;
	if (!conn->first)
		conn->last = NULL;
	return cmd;
}

void np_at_conn_close(struct np_at_conn *conn)
{
	if (!conn)
		return;
	if (conn->gone)
		*conn->gone = true;
	drop_transport(conn);
	while (conn->first)
		free(take_command(conn));
	np_linebuf_fini(&conn->lines);
	free(conn);
}

/* All pending commands learn why, then the owner. The connection may be gone on return. */
static void go_down(struct np_at_conn *conn, const struct np_err *why)
{
	struct np_err err = *why;
	bool gone = false;

	if (conn->state == DOWN)
		return;
	/* The place may have moved. What answered us, even with a refusal, is the right place. */
	if (conn->state < LOGIN && conn->state != RESOLVE)
		np_directory_forget(conn->params.dir, conn->params.atsign);
	conn->state = DOWN;
	drop_transport(conn);
	conn->gone = &gone;
	while (conn->first) {
		struct command *cmd = take_command(conn);

		if (cmd->cb)
			cmd->cb(&err, NULL, 0, cmd->arg);
		free(cmd);
		if (gone)
			return;
	}
	conn->ops->down(conn, &err, conn->arg);
	if (gone)
		return;
	conn->gone = NULL;
}

static void fail_there(struct np_at_conn *conn, const struct np_err *why)
{
	struct np_err err = *why;

	np_err_prefix(&err, "atServer of %s (%s:%u)", conn->params.atsign, conn->host, conn->port);
	go_down(conn, &err);
}

static void fail_text(struct np_at_conn *conn, int code, const char *text)
{
	struct np_err err = NP_ERR_INIT;

	np_fail(&err, code, "%s", text);
	fail_there(conn, &err);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	static const char *const doing[] = {
		[DIAL] = "TCP connection",    [HANDSHAKE] = "TLS handshake",
		[FROM] = "answer to 'from'",  [LOGIN] = "answer to the log-in",
		[UP] = "answer to a command",
	};
	struct np_at_conn *conn = w->data;
	struct np_err err = NP_ERR_INIT;

	(void)loop;
	(void)revents;
	np_fail(&err, -ETIMEDOUT, "no %s within %u ms; is it up and reachable from here?",
		doing[conn->state], conn->params.timeout_ms);
	fail_there(conn, &err);
}

static void start_timer(struct np_at_conn *conn)
{
	ev_now_update(conn->params.loop);
	ev_timer_stop(conn->params.loop, &conn->timer);
	ev_timer_set(&conn->timer, conn->params.timeout_ms / 1000., 0.);
	ev_timer_start(conn->params.loop, &conn->timer);
}

/* --- commands --------------------------------------------------------------------------------- */

static bool pipelines(const struct np_at_conn *conn)
{
	return conn->tls && np_tls_has_alpn(conn->tls);
}

unsigned int np_at_conn_may_send(const struct np_at_conn *conn)
{
	bool many = (conn->state == UP || conn->state == LOGIN) && pipelines(conn);

	return many ? NP_AT_PIPELINE_MAX : conn->state == UP;
}

/*
 * Commands without an answer leave the queue as soon as they are sent. Return: 0, or negative
 * errno.
 */
static int send_next(struct np_at_conn *conn)
{
	struct command **at = &conn->first, *prev = NULL;
	unsigned int room = np_at_conn_may_send(conn);

	while (*at && room) {
		struct command *cmd = *at;
		int ret = cmd->is_sent ? 0 : np_tls_write(conn->tls, cmd->line, cmd->len);

		if (ret)
			return ret;
		if (!cmd->has_answer) {
			*at = cmd->next;
			if (conn->last == cmd)
				conn->last = prev;
			free(cmd);
			continue;
		}
		cmd->is_sent = true;
		room--;
		prev = cmd;
		at = &cmd->next;
	}
	if (conn->first && conn->first->is_sent && conn->state == UP && !ev_is_active(&conn->timer))
		start_timer(conn);
	return 0;
}

bool np_at_conn_is_up(const struct np_at_conn *conn)
{
	return conn->state == UP;
}

int np_at_conn_command(struct np_at_conn *conn, const char *line, size_t len, np_at_reply_cb cb,
		       void *arg)
{
	struct command *cmd;

	if (!len || len >= LINE_MAX_BYTES || memchr(line, '\n', len) || memchr(line, '\0', len))
		return -EINVAL;
	if (conn->state == DOWN)
		return -ENOTCONN;
	cmd = calloc(1, sizeof(*cmd) + len + 1);
	if (!cmd)
		return -ENOMEM;
	memcpy(cmd->line, line, len);
	cmd->line[len] = '\n';
	cmd->len = len + 1;
	cmd->cb = cb;
	cmd->arg = arg;
	cmd->has_answer = cb != NULL;
	cmd->has_blank = !strncmp(cmd->line, "stats", 5) || !strncmp(cmd->line, "notify:all", 10);
	if (conn->last)
		conn->last->next = cmd;
	else
		conn->first = cmd;
	conn->last = cmd;
	/*
	 * A write that fails here is reported by the TLS layer from the loop, and then to the
	 * command.
	 */
	(void)send_next(conn);
	return 0;
}

/*
 * The next command leaves before the callback, which may close everything. Return: false when it
 * did.
 */
static bool finish_command(struct np_at_conn *conn, const struct np_at_reply *reply)
{
	struct command *cmd = take_command(conn);
	const char *data = reply->data;
	size_t len = reply->len;
	bool gone = false;

	ev_timer_stop(conn->params.loop, &conn->timer);
	(void)send_next(conn);
	if (data && cmd->has_blank && *data == ' ') {
		data++;
		len--;
	}
	conn->gone = &gone;
	cmd->cb(&reply->err, data, len, cmd->arg);
	free(cmd);
	if (!gone)
		conn->gone = NULL;
	return !gone;
}

/* --- logging in ------------------------------------------------------------------------------- */

static bool become_up(struct np_at_conn *conn)
{
	bool gone = false;

	ev_timer_stop(conn->params.loop, &conn->timer);
	conn->state = UP;
	(void)send_next(conn);
	conn->gone = &gone;
	conn->ops->up(conn, conn->arg);
	if (!gone)
		conn->gone = NULL;
	return !gone;
}

static int build_pkam(const struct np_at_keys *keys, const char *challenge, size_t len,
		      struct np_buf *out)
{
	int ret;

	ret = np_buf_append_str(out, "pkam:signingAlgo:rsa2048:hashingAlgo:sha256:");
	if (!ret && keys->enrollment_id[0])
		ret = np_buf_printf(out, "enrollmentId:%s:", keys->enrollment_id);
	return ret ? ret : np_rsa_sign_b64(keys->pkam, NP_HASH_SHA256, challenge, len, out);
}

static int build_cram(const struct np_secret *secret, const char *challenge, size_t len,
		      struct np_buf *out)
{
	char digest[NP_HASH_HEX_MAX];
	int ret;

	ret = np_hash_hex(NP_HASH_SHA512, secret->data, secret->len, challenge, len, digest);
	return ret ? ret : np_buf_printf(out, "cram:%s", digest);
}

/* Return: false when the connection may be gone. */
static bool answer_challenge(struct np_at_conn *conn, const char *challenge, size_t len)
{
	const struct np_at_conn_params *p = &conn->params;
	struct np_buf line = NP_BUF_INIT;
	int ret;

	if (np_str_starts(challenge, "proof:")) {
		fail_text(conn, -EPROTO,
			  "takes us for a stranger, so it serves another atSign; is the directory "
			  "right?");
		return false;
	}
	if (!len || len > CHALLENGE_MAX) {
		fail_text(conn, -EPROTO, "sent a malformed challenge");
		return false;
	}
	ret = p->cram ? build_cram(p->cram, challenge, len, &line)
		      : build_pkam(p->keys, challenge, len, &line);
	if (!ret)
		ret = np_buf_append_str(&line, "\n");
	if (!ret)
		ret = np_tls_write(conn->tls, line.data, line.len);
	np_buf_fini(&line);
	if (ret) {
		fail_text(conn, ret, "cannot send the log-in");
		return false;
	}
	conn->state = LOGIN;
	(void)send_next(conn);
	if (conn->ops->early && pipelines(conn))
		conn->ops->early(conn, conn->arg);
	return true;
}

static void login_refused(struct np_at_conn *conn, const struct np_err *why)
{
	struct np_err err = *why;
	const char *hint = "";

	if (conn->state == LOGIN && err.code == -EACCES)
		hint = conn->params.cram
			       ? "; the CRAM secret is wrong"
			       : "; the key file is not (or no longer) accepted for this atSign";
	else if (conn->state == LOGIN && conn->params.cram && err.code == -ENOENT)
		hint = "; the CRAM secret was used up: this atSign is activated already";
	np_fail(&err, err.code, "log-in refused: %.120s%s", why->msg, hint);
	fail_there(conn, &err);
}

/* Return: false when the connection may be gone. */
static bool on_login_line(struct np_at_conn *conn, const struct np_at_reply *reply)
{
	if (reply->kind == NP_AT_REPLY_EMPTY)
		return true;
	if (reply->kind == NP_AT_REPLY_ERROR) {
		login_refused(conn, &reply->err);
		return false;
	}
	if (reply->kind != NP_AT_REPLY_DATA) {
		fail_text(
			conn, -EPROTO,
			"does not answer as an atServer does; wrong port, or a proxy in between?");
		return false;
	}
	if (conn->state == FROM)
		return answer_challenge(conn, reply->data, reply->len);
	if (strcmp(reply->data, "success")) {
		fail_text(conn, -EPROTO, "answered the log-in with something else than success");
		return false;
	}
	return become_up(conn);
}

/* --- input ------------------------------------------------------------------------------------ */

static bool on_up_line(struct np_at_conn *conn, const struct np_at_reply *reply, const char *line,
		       size_t len)
{
	bool gone = false;

	switch (reply->kind) {
	case NP_AT_REPLY_EMPTY:
		return true;
	case NP_AT_REPLY_NOTIFICATION:
		conn->gone = &gone;
		conn->ops->line(conn, reply->data, reply->len, conn->arg);
		if (!gone)
			conn->gone = NULL;
		return !gone;
	case NP_AT_REPLY_ERROR:
		if (conn->first && conn->first->is_sent)
			return finish_command(conn, reply);
		fail_there(conn, &reply->err);
		return false;
	case NP_AT_REPLY_DATA:
		if (conn->first && conn->first->is_sent)
			return finish_command(conn, reply);
		/* Out of step: every later answer would go to the wrong command. */
		fail_text(conn, -EPROTO, "sent an answer that nobody asked for");
		return false;
	case NP_AT_REPLY_OTHER:
		break;
	}
	/* File transfer of old servers announces itself on any connection (14). */
	if (np_str_starts(line, "stream:") || (len > 1 && *line == '@' && strstr(line, "@stream:")))
		return true;
	fail_text(conn, -EPROTO,
		  "does not answer as an atServer does; wrong port, or a proxy in between?");
	return false;
}

static bool on_line(struct np_at_conn *conn, const char *line, size_t len)
{
	struct np_at_reply reply;

	if (strlen(line) != len) {
		fail_text(conn, -EPROTO, "sent a line with a NUL byte");
		return false;
	}
	np_at_reply_parse(line, len, &reply);
	if (conn->state == UP)
		return on_up_line(conn, &reply, line, len);
	return on_login_line(conn, &reply);
}

static void on_tls_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	struct np_at_conn *conn = arg;
	char *line;
	int ret;

	(void)tls;
	ret = np_linebuf_feed(&conn->lines, data, len);
	while (!ret && (ret = np_linebuf_next(&conn->lines, &line, &len)) > 0) {
		if (!on_line(conn, line, len))
			return;
		np_linebuf_drop(&conn->lines);
		ret = 0;
	}
	if (ret < 0)
		fail_text(conn, ret, "sent a line that is too long");
}

static void on_tls_ready(struct np_tls *tls, void *arg)
{
	struct np_at_conn *conn = arg;
	char from[NP_ATSIGN_MAX + 8];
	int n;

	if (!conn->params.keys && !conn->params.cram) {
		become_up(conn);
		return;
	}
	n = snprintf(from, sizeof(from), "from:%s\n", conn->params.atsign);
	conn->state = FROM;
	if (np_tls_write(tls, from, (size_t)n))
		fail_text(conn, -ENOMEM, "cannot send 'from'");
}

static void on_tls_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	(void)tls;
	if (err->code)
		fail_there(arg, err);
	else
		fail_text(arg, -ECONNRESET, "closed the connection");
}

static const struct np_tls_ops tls_ops = {
	.ready = on_tls_ready, .data = on_tls_data, .closed = on_tls_closed};

/* --- opening ---------------------------------------------------------------------------------- */

static void on_dialed(int fd, const struct np_err *err, void *arg)
{
	struct np_at_conn *conn = arg;
	struct np_err why = NP_ERR_INIT;

	conn->dial = NULL;
	if (fd < 0) {
		why = *err;
		np_err_prefix(&why, "atServer of %s", conn->params.atsign);
		go_down(conn, &why);
		return;
	}
	conn->state = HANDSHAKE;
	if (np_tls_connect(conn->params.loop, conn->params.tls, fd, conn->host, &tls_ops, conn,
			   &conn->tls, &why))
		fail_there(conn, &why);
}

static void on_place(const char *host, uint16_t port, const struct np_err *err, void *arg)
{
	struct np_at_conn *conn = arg;
	int ret;

	if (!host) {
		go_down(conn, err);
		return;
	}
	np_str_copy(conn->host, sizeof(conn->host), host);
	conn->port = port;
	conn->state = DIAL;
	/* The directory has a deadline of its own, and then the better message. */
	start_timer(conn);
	ret = np_dial_start(conn->params.loop, host, port, conn->params.timeout_ms, on_dialed, conn,
			    &conn->dial);
	if (ret)
		fail_text(conn, ret, "cannot connect");
}

int np_at_conn_open(const struct np_at_conn_params *params, const struct np_at_conn_ops *ops,
		    void *arg, struct np_at_conn **out, struct np_err *err)
{
	struct np_at_conn *conn = calloc(1, sizeof(*conn));
	int ret;

	if (!conn)
		return np_fail(err, -ENOMEM, "connection of %s: out of memory", params->atsign);
	conn->params = *params;
	if (!conn->params.timeout_ms)
		conn->params.timeout_ms = DEFAULT_TIMEOUT_MS;
	conn->ops = ops;
	conn->arg = arg;
	conn->lines = (struct np_linebuf)NP_LINEBUF_INIT(LINE_MAX_BYTES);
	ev_timer_init(&conn->timer, on_timer, 0., 0.);
	conn->timer.data = conn;
	ret = np_directory_lookup(params->dir, params->atsign, on_place, conn);
	if (ret) {
		free(conn);
		return np_fail_errno(err, ret, "connection of %s: cannot start", params->atsign);
	}
	*out = conn;
	return 0;
}
