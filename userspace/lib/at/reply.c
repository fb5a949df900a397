// SPDX-License-Identifier: BSD-3-Clause
#include "at/reply.h"

#include "base/str.h"
#include "json/json.h"

#include <errno.h>
#include <string.h>

/*
 * A prompt ("@" or "@alice@") may stand in front of an answer, even several of them. They hold no
 * colon, every answer begins with a word and one, so the last "@" before the first colon ends them.
 */
static const char *skip_prompt(const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len), *end = colon ? colon : line + len, *p;

	if (*line != '@')
		return line;
	for (p = end; p > line && p[-1] != '@'; p--)
		;
	return p;
}

/* What a peer wrote ends on terminals: no control characters, neither C0 nor C1 in UTF-8. */
static void make_printable(char *text)
{
	unsigned char *p = (unsigned char *)text;

	for (; *p; p++)
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			*p = '?';
}

static int errno_of(const char *code)
{
	static const char *const refused[] = {"AT0401", "AT0009", "AT0013", "AT0025",
					      "AT0026", "AT0027", "AT0028"};
	size_t i;

	if (!strcmp(code, "AT0015"))
		return -ENOENT;
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (!strcmp(code, refused[i]))
			return -EACCES;
	return -EREMOTEIO;
}

static void set_error(struct np_err *err, const char *code, const char *text)
{
	np_fail(err, errno_of(code), "%s%s%.200s", code, *code ? ": " : "", text);
	np_str_copy(err->remote, sizeof(err->remote), code);
	make_printable(err->msg);
}

static size_t code_len(const char *text)
{
	size_t n = 2;

	if (text[0] != 'A' || text[1] != 'T')
		return 0;
	while (n < 9 && text[n] >= '0' && text[n] <= '9')
		n++;
	return n > 2 ? n : 0;
}

/* "AT0015-key not found : x", "AT0401-Exception: x", "AT0026:x" */
static void parse_plain_error(const char *text, struct np_err *err)
{
	size_t n = code_len(text);
	char code[12];

	np_str_copy_n(code, sizeof(code), text, n);
	text += n;
	if (n && (*text == '-' || *text == ':'))
		text++;
	set_error(err, code, text);
}

static void parse_json_error(const char *text, size_t len, struct np_err *err)
{
	struct np_json *json = np_json_parse(text, len, "error", NULL);
	const char *code = np_json_str(json, "errorCode"),
		   *descr = np_json_str(json, "errorDescription");

	if (!code || code_len(code) != strlen(code))
		code = "";
	set_error(err, code, descr ? descr : "error without a description");
	np_json_put(json);
}

void np_at_reply_parse(const char *line, size_t len, struct np_at_reply *out)
{
	const char *p = skip_prompt(line, len);
	const char *end = line + len;

	memset(out, 0, sizeof(*out));
	if (p == end) {
		out->kind = NP_AT_REPLY_EMPTY;
	} else if (np_str_starts(p, "data:")) {
		out->kind = NP_AT_REPLY_DATA;
		out->data = p + strlen("data:");
	} else if (np_str_starts(p, "notification:")) {
		out->kind = NP_AT_REPLY_NOTIFICATION;
		out->data = p + strlen("notification:");
	} else if (np_str_starts(p, "error:")) {
		out->kind = NP_AT_REPLY_ERROR;
		p += strlen("error:");
		if (*p == '{')
			parse_json_error(p, (size_t)(end - p), &out->err);
		else
			parse_plain_error(p, &out->err);
	} else {
		out->kind = NP_AT_REPLY_OTHER;
	}
	if (out->data)
		out->len = (size_t)(end - out->data);
}
