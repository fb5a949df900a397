// SPDX-License-Identifier: BSD-3-Clause
#include "json/jcanon.h"

#include <errno.h>
#include <string.h>

static size_t skip_space(const char *t, size_t len, size_t i)
{
	while (i < len && strchr(" \t\r\n", t[i]) && t[i])
		i++;
	return i;
}

/* @i is at the opening quote; returns the index behind the closing one, or len. */
static size_t skip_string(const char *t, size_t len, size_t i)
{
	for (i++; i < len; i++) {
		if (t[i] == '\\')
			i++;
		else if (t[i] == '"')
			return i + 1;
	}
	return len;
}

static size_t skip_value(const char *t, size_t len, size_t i)
{
	size_t depth = 0;

	while (i < len) {
		char c = t[i];

		if (c == '"') {
			i = skip_string(t, len, i);
		} else if (c == '{' || c == '[') {
			depth++;
			i++;
		} else if (c == '}' || c == ']') {
			if (!depth)
				return i;
			depth--;
			i++;
		} else if (c == ',' && !depth) {
			return i;
		} else {
			i++;
		}
		if (!depth && (c == '"' || c == '}' || c == ']'))
			return i;
	}
	return len;
}

int np_jcanon_member(const char *text, size_t len, const char *key, const char **value, size_t *value_len)
{
	size_t i = skip_space(text, len, 0), klen = strlen(key), start, end;

	if (i >= len || text[i] != '{')
		return -EBADMSG;
	for (i++; (i = skip_space(text, len, i)) < len && text[i] == '"';) {
		size_t name = i + 1;
		int hit;

		i = skip_string(text, len, i);
		hit = i - 1 - name == klen && !memcmp(text + name, key, klen);
		i = skip_space(text, len, i);
		if (i >= len || text[i] != ':')
			return -EBADMSG;
		start = skip_space(text, len, i + 1);
		i = end = skip_value(text, len, start);
		while (end > start && strchr(" \t\r\n", text[end - 1]))
			end--;
		if (hit) {
			*value = text + start;
			*value_len = end - start;
			return 0;
		}
		i = skip_space(text, len, i);
		if (i < len && text[i] == ',')
			i++;
	}
	return -ENOENT;
}

void np_jcanon_lower_escapes(char *text, size_t len)
{
	size_t i, j;

	for (i = 0; i + 1 < len; i++) {
		if (text[i] != '\\')
			continue;
		if (text[i + 1] == 'u' && i + 6 <= len)
			for (j = i + 2; j < i + 6; j++)
				if (text[j] >= 'A' && text[j] <= 'F')
					text[j] = (char)(text[j] - 'A' + 'a');
		i++;
	}
}
