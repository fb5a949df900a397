// SPDX-License-Identifier: BSD-3-Clause
/* Text from outside decides the cost here: length, nesting of repetitions and the kinds of node are
 * bounded. */
#include "atserver/regex.h"

#include "base/buf.h"
#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define REPEAT_PRODUCT_MAX 20000

struct np_regex {
	regex_t re;
};

struct trans {
	const char *p;
	struct np_buf out;
	unsigned long
		product; /* of all repetition bounds, an upper bound of the written-out size */
};

static int put(struct trans *t, const char *text)
{
	return np_buf_append_str(&t->out, text);
}

static int put_char(struct trans *t, char c)
{
	return np_buf_append(&t->out, &c, 1);
}

/* One escaped character inside brackets. ']' and '-' are set apart: POSIX wants them first and
 * last. */
static int bracket_escape(struct trans *t, bool *closing, bool *dash)
{
	char c = *t->p++;

	switch (c) {
	case '\0':
		return -EINVAL;
	case 'd':
		return put(t, "0-9");
	case 'w':
		return put(t, "A-Za-z0-9_");
	case 's':
		return put(t, " \t");
	case ']':
		*closing = true;
		return 0;
	case '-':
		*dash = true;
		return 0;
	default:
		return isalnum((unsigned char)c) ? -EINVAL : put_char(t, c);
	}
}

static int bracket_body(struct trans *t, bool *closing, bool *dash, bool *empty)
{
	for (*empty = true; *t->p != ']'; *empty = false) {
		int ret;

		if (*t->p == '\\') {
			t->p++;
			ret = bracket_escape(t, closing, dash);
		} else if (!*t->p || *t->p == '[') {
			ret = -EINVAL;
		} else if (*t->p == '-' && t->p[1] == ']') {
			*dash = true;
			t->p++;
			ret = 0;
		} else {
			ret = put_char(t, *t->p++);
		}
		if (ret)
			return ret;
	}
	t->p++;
	return 0;
}

static int bracket(struct trans *t)
{
	struct np_buf outer = NP_BUF_INIT;
	bool negated = *t->p == '^', closing = false, dash = false, empty = true;
	int ret;

	if (negated)
		t->p++;
	np_buf_take(&outer, &t->out);
	ret = bracket_body(t, &closing, &dash, &empty);
	/* A '^' that the reordering would bring to the front would negate. */
	if (!ret && (empty || (!negated && !closing && t->out.len && t->out.data[0] == '^')))
		ret = -EINVAL;
	if (!ret)
		ret = np_buf_append_str(&outer, negated ? "[^" : "[") ||
				      (closing && np_buf_append_str(&outer, "]")) ||
				      np_buf_append(&outer, np_buf_str(&t->out), t->out.len) ||
				      (dash && np_buf_append_str(&outer, "-")) ||
				      np_buf_append_str(&outer, "]")
			      ? -ENOMEM
			      : 0;
	np_buf_take(&t->out, &outer);
	return ret;
}

static int escape(struct trans *t)
{
	char c = *t->p++;

	if (c == 'd')
		return put(t, "[0-9]");
	if (c == 'D')
		return put(t, "[^0-9]");
	if (!c || isdigit((unsigned char)c))
		return -EINVAL;
	if (isalpha((unsigned char)c) && !strchr("wWsSbB", c))
		return -EINVAL;
	if (c == '-' || c == '/' || c == '_' || c == '@' || c == ':')
		return put_char(t, c);
	return put_char(t, '\\') || put_char(t, c) ? -ENOMEM : 0;
}

static int repetition(struct trans *t)
{
	char *end;
	unsigned long n = strtoul(t->p, &end, 10);

	if (end == t->p || !isdigit((unsigned char)*t->p))
		return -EINVAL;
	if (*end == ',' && isdigit((unsigned char)end[1]))
		n = strtoul(end + 1, &end, 10);
	else if (*end == ',')
		end++;
	if (*end != '}' || n > 255)
		return -EINVAL;
	t->product *= n ? n : 1;
	if (t->product > REPEAT_PRODUCT_MAX || put_char(t, '{') ||
	    np_buf_append(&t->out, t->p, (size_t)(end + 1 - t->p)))
		return -EINVAL;
	t->p = end + 1;
	if (*t->p == '?')
		t->p++;
	return 0;
}

static int node(struct trans *t)
{
	char c = *t->p++;

	switch (c) {
	case '\\':
		return escape(t);
	case '[':
		return bracket(t);
	case '{':
		return repetition(t);
	case '(':
		if (*t->p == '?') {
			if (t->p[1] != ':')
				return -EINVAL;
			t->p += 2;
		}
		return put_char(t, c);
	case '*':
	case '+':
	case '?':
		if (*t->p == '?')
			t->p++;
		if (*t->p == '*' || *t->p == '+')
			return -EINVAL;
		return put_char(t, c);
	default:
		return put_char(t, c);
	}
}

int np_regex_new(const char *text, struct np_regex **out, struct np_err *err)
{
	struct trans t = {.p = text, .out = NP_BUF_INIT, .product = 1};
	struct np_regex *regex = NULL;
	int ret = 0;

	*out = NULL;
	if (!*text || !strcmp(text, ".*"))
		return 0;
	if (strlen(text) > NP_REGEX_MAX)
		return np_fail(err, -EINVAL, "regular expression is longer than %d bytes",
			       NP_REGEX_MAX);
	while (!ret && *t.p)
		ret = node(&t);
	if (!ret)
		regex = calloc(1, sizeof(*regex));
	if (!ret && (!regex || regcomp(&regex->re, np_buf_str(&t.out),
				       REG_EXTENDED | REG_NOSUB | REG_ICASE))) {
		free(regex);
		ret = -EINVAL;
	}
	np_buf_fini(&t.out);
	if (ret)
		return np_fail(err, -EINVAL,
			       "regular expression '%.80s' is not valid or not supported", text);
	*out = regex;
	return 0;
}

void np_regex_free(struct np_regex *regex)
{
	if (!regex)
		return;
	regfree(&regex->re);
	free(regex);
}

bool np_regex_match(const struct np_regex *regex, const char *text)
{
	return !regex || regexec(&regex->re, text, 0, NULL, 0) == 0;
}
