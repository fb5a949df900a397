// SPDX-License-Identifier: BSD-3-Clause
/* The edits of authorized_keys as functions from text to text. */
#include "noports/authkeys.h"

#include "base/buf.h"

#include <string.h>

/* Cuts the next line off; @line_len is without LF and CR, @full with them. */
static const char *next_line(const char **text, size_t *len, size_t *line_len, size_t *full)
{
	const char *line = *text, *lf = memchr(line, '\n', *len);

	if (!*len)
		return NULL;
	*full = lf ? (size_t)(lf - line) + 1 : *len;
	*line_len = lf ? *full - 1 : *full;
	while (*line_len && line[*line_len - 1] == '\r')
		(*line_len)--;
	*text += *full;
	*len -= *full;
	return line;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool np_authkeys_text_has(const char *text, size_t len, const char *key)
{
	size_t line_len, full, klen = strlen(key);
	const char *line, *hit;

	while ((line = next_line(&text, &len, &line_len, &full))) {
		if (!line_len || line[0] == '#')
			continue;
		hit = memmem(line, line_len, key, klen);
		/* The same key is a whole word: base64 that merely begins alike is another one. */
		if (hit && (hit == line || is_blank(hit[-1])) &&
		    (hit + klen == line + line_len || is_blank(hit[klen])))
			return true;
	}
	return false;
}

int np_authkeys_text_add(const char *text, size_t len, const char *line, struct np_buf *out)
{
	int ret = np_buf_append(out, text, len);

	if (!ret && len && text[len - 1] != '\n')
		ret = np_buf_append_str(out, "\n");
	if (!ret)
		ret = np_buf_printf(out, "%s\n", line);
	return ret ? ret : 1;
}

static bool last_word_matches(const char *line, size_t len, const char *comment, bool prefix)
{
	size_t start, clen = strlen(comment);

	while (len && is_blank(line[len - 1]))
		len--;
	for (start = len; start && !is_blank(line[start - 1]); start--)
		;
	/* The first word of a line cannot be a comment, and a line that is one is the owner's. */
	if (!start || line[0] == '#')
		return false;
	if (prefix ? len - start < clen : len - start != clen)
		return false;
	return !memcmp(line + start, comment, clen);
}

int np_authkeys_text_remove(const char *text, size_t len, const char *comment, bool prefix,
			    struct np_buf *out)
{
	size_t line_len, full;
	const char *line;
	int removed = 0, ret;

	while ((line = next_line(&text, &len, &line_len, &full))) {
		if (last_word_matches(line, line_len, comment, prefix)) {
			removed++;
			continue;
		}
		ret = np_buf_append(out, line, full);
		if (ret)
			return ret;
	}
	return removed;
}
