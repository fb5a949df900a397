// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/respond.h"

#include "atserver/internal.h"
#include "atserver/session.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Section 5. Those that close the connection after the line are marked (4.3). */
static const struct {
	const char *code, *text;
	bool closes;
} codes[] = {
	{"AT0001", "Server exception", false},
	{"AT0002", "DataStore exception", true},
	{"AT0003", "Invalid syntax", false},
	{"AT0004", "Socket error", false},
	{"AT0005", "Buffer limit exceeded", true},
	{"AT0006", "Outbound connection limit exceeded", false},
	{"AT0007", "Secondary server not found", false},
	{"AT0008", "Handshake failure", false},
	{"AT0009", "UnAuthorized client in request", false},
	{"AT0010", "Internal server error", false},
	{"AT0011", "Internal server exception", false},
	{"AT0012", "Inbound connection limit exceeded", true},
	{"AT0013", "Connection Exception", true},
	{"AT0015", "key not found", false},
	{"AT0016", "Invalid key", false},
	{"AT0021", "Unable to connect to secondary", false},
	{"AT0022", "Illegal arguments", false},
	{"AT0023", "Timeout waiting for response", false},
	{"AT0024", "Server is paused", true},
	{"AT0025", "Apkam Auth Denied", false},
	{"AT0026", "Apkam Auth Failed", false},
	{"AT0027", "Apkam Access Revoked", false},
	{"AT0028", "Too Many Requests", false},
	{"AT0031", "Cannot revoke self enrollment", false},
	{"AT0401", "Client authentication failed", false},
};

static const char *find_code(const char *code, bool *closes)
{
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (!strcmp(codes[i].code, code)) {
			*closes = codes[i].closes;
			return codes[i].text;
		}
	}
	*closes = false;
	return "Server exception";
}

/* Out of memory for an answer: the client cannot be told, so its connection ends instead of going
 * silent. */
static struct np_reply *new_reply(struct np_session *s, size_t len)
{
	struct np_reply *reply;

	if (s->broken || s->mute)
		return NULL;
	reply = malloc(sizeof(*reply) + len);
	if (!reply) {
		np_session_kill(s);
		return NULL;
	}
	reply->s = s;
	reply->touched = s->srv->turn.touched;
	reply->len = len;
	STAILQ_INSERT_TAIL(&s->srv->turn.replies, reply, next);
	s->turn_bytes += len;
	return reply;
}

void np_respond_raw(struct np_session *s, const void *data, size_t len)
{
	struct np_reply *reply = new_reply(s, len);

	if (reply)
		memcpy(reply->text, data, len);
}

/* No prompt in monitor mode: at_c and Python would lose the notification that follows it (12.3). */
static size_t prompt(const struct np_session *s, bool is_error, char dst[NP_ATSIGN_MAX + 1])
{
	const char *name = "";

	if (s->monitor)
		return 0;
	if (s->auth == NP_AUTH_OWNER)
		name = s->tenant->name;
	else if (s->auth == NP_AUTH_POL && !is_error)
		name = s->peer;
	return (size_t)snprintf(dst, NP_ATSIGN_MAX + 1, "%s@", name);
}

/* @code NULL: no error. Only the last answer of a command counts. */
static void capture(struct np_session *s, const char *code, const void *text, size_t len)
{
	struct np_capture *c = s->capture;

	np_buf_fini(&c->text);
	c->is_error = code != NULL;
	np_str_copy(c->code, sizeof(c->code), code ? code : "");
	if (np_buf_append(&c->text, text, len))
		np_session_kill(s);
}

static void put_line(struct np_session *s, const char *front, const void *data, size_t len,
		     bool is_error)
{
	char tail[NP_ATSIGN_MAX + 1];
	size_t nr_tail = prompt(s, is_error, tail), nr_front = strlen(front);
	struct np_reply *reply;
	char *p;

	if (s->capture) {
		capture(s, NULL, data, len);
		return;
	}
	reply = new_reply(s, nr_front + len + 1 + nr_tail);
	if (!reply)
		return;
	p = mempcpy(reply->text, front, nr_front);
	if (len)
		p = mempcpy(p, data, len);
	*p++ = '\n';
	memcpy(p, tail, nr_tail);
}

void np_respond_data(struct np_session *s, const void *data, size_t len)
{
	put_line(s, "data:", data, len, false);
}

void np_respond_str(struct np_session *s, const char *text)
{
	put_line(s, "data:", text, strlen(text), false);
}

void np_respond_printf(struct np_session *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	np_respond_str(s, text);
}

static void put_json(struct np_session *s, const char *front, struct np_json *json)
{
	struct np_buf text = NP_BUF_INIT;

	if (json && !np_json_write(json, &text))
		put_line(s, front, text.data, text.len, false);
	else
		np_respond_error(s, "AT0010", "out of memory");
	np_buf_fini(&text);
	np_json_put(json);
}

void np_respond_json(struct np_session *s, struct np_json *json)
{
	put_json(s, "data:", json);
}

void np_respond_spaced(struct np_session *s, struct np_json *json)
{
	put_json(s, "data: ", json);
}

/* Texts from outside are quoted in messages; a line feed in one would end the answer early. */
static void flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			*text = ' ';
}

static void json_error(struct np_session *s, const char *code, const char *text)
{
	struct np_json *json = np_json_obj();
	struct np_buf out = NP_BUF_INIT;

	if (json && !np_json_set_str(json, "errorCode", code) &&
	    !np_json_set_str(json, "errorDescription", text) && !np_json_write(json, &out))
		put_line(s, "error:", out.data, out.len, true);
	else
		np_session_kill(s);
	np_buf_fini(&out);
	np_json_put(json);
}

/* Return: does the code end a connection? */
static bool put_error(struct np_session *s, const char *code, const char *msg)
{
	char text[1536], line[1600];
	bool closes;
	const char *desc = find_code(code, &closes);

	if (s->auth == NP_AUTH_OWNER)
		snprintf(text, sizeof(text), "%s : %s", desc, msg);
	else
		snprintf(text, sizeof(text), "Exception: %s", msg);
	flatten(text);
	if (s->capture) {
		capture(s, code, text, strlen(text));
	} else if (s->json_errors) {
		json_error(s, code, text);
	} else {
		snprintf(line, sizeof(line), "%s-%s", code, text);
		put_line(s, "error:", line, strlen(line), true);
	}
	return closes && !s->capture;
}

void np_respond_error(struct np_session *s, const char *code, const char *fmt, ...)
{
	char msg[1400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (put_error(s, code, msg))
		np_session_end(s);
}

void np_respond_err(struct np_session *s, const struct np_err *err)
{
	/* It may be about the other server's connection, not about this one. */
	put_error(s, err->remote[0] ? err->remote : "AT0010", np_err_text(err));
}

void np_respond_colon(struct np_session *s, const char *code, const char *fmt, ...)
{
	char msg[512], line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	flatten(msg);
	if (s->capture) {
		capture(s, code, msg, strlen(msg));
		return;
	}
	snprintf(line, sizeof(line), "%s:%s", code, msg);
	put_line(s, "error:", line, strlen(line), true);
}

void np_respond_missing(struct np_session *s, const char *key)
{
	np_respond_error(s, "AT0015", "%s does not exist in keystore", key);
}

void np_respond_store(struct np_session *s)
{
	np_respond_error(s, "AT0002", "the server cannot store data at present");
}

/* "AT0015-text" and "AT0026:text" differ in one character; JSON carries both parts by name (4.2).
 */
int np_respond_parse(const char *line, struct np_err *err)
{
	struct np_json *json = NULL;
	const char *code = line, *text = "";
	size_t len;

	if (np_str_starts(line, "error:"))
		code = line += strlen("error:");
	if (*line == '{') {
		json = np_json_parse(line, strlen(line), "error of another server", NULL);
		code = np_json_str(json, "errorCode");
		text = np_json_str(json, "errorDescription");
	}
	len = code ? strcspn(code, "-:") : 0;
	if (!json && code[len])
		text = code + len + 1;
	np_fail(err, -EREMOTEIO, "%s", text ? text : "");
	if (len < 6 || len > 7 || !np_str_starts(code, "AT") ||
	    np_str_copy_n(err->remote, sizeof(err->remote), code, len))
		np_str_copy(err->remote, sizeof(err->remote), "AT0010");
	np_json_put(json);
	return -EREMOTEIO;
}
