// SPDX-License-Identifier: BSD-3-Clause
#include "at/atsign.h"

#include "base/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define UNITS_MAX 55

struct range {
	uint32_t from, to;
};

/* What the atProtocol calls emoji. */
static const struct range emoji[] = {
	{0xa9, 0xa9}, {0xae, 0xae}, {0x2000, 0x3300}, {0xfe00, 0xfe0f}, {0x1f000, 0x1fbff},
};

/*
 * Exceptions inside them: white space, control and format characters that nobody can see, control
 * pictures, and capitals outside ASCII, which peers would fold to another name than we do.
 */
static const struct range refused[] = {
	{0x2000, 0x200c}, {0x200e, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x2126, 0x2126},
	{0x212a, 0x212b}, {0x2132, 0x2132}, {0x2160, 0x216f}, {0x2183, 0x2183}, {0x2400, 0x243f},
	{0x24b6, 0x24cf}, {0x2c00, 0x2cff}, {0x3000, 0x3000},
};

static bool is_within(const struct range *list, size_t nr, uint32_t c)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (c >= list[i].from && c <= list[i].to)
			return true;
	return false;
}

static bool is_allowed(uint32_t c)
{
	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
	return is_within(emoji, sizeof(emoji) / sizeof(emoji[0]), c) &&
	       !is_within(refused, sizeof(refused) / sizeof(refused[0]), c);
}

/* One strictly encoded UTF-8 character. Return: its length in bytes, 0 when it is malformed. */
static size_t decode_utf8(const uint8_t *s, uint32_t *c)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80       ? 1
		     : s[0] >> 5 == 6  ? 2
		     : s[0] >> 4 == 14 ? 3
		     : s[0] >> 3 == 30 ? 4
				       : 0,
	       i;

	if (len <= 1) {
		*c = s[0];
		return len;
	}
	*c = s[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		/* The terminating NUL fails this test, so nothing behind it is read. */
		if (s[i] >> 6 != 2)
			return 0;
		*c = *c << 6 | (s[i] & 0x3fu);
	}
	return *c < least[len] ? 0 : len;
}

static int normalise(const char *text, char *out)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t units = 0, n = 0, len;
	uint32_t c;

	if (*s == '@')
		s++;
	out[n++] = '@';
	for (; *s; s += len) {
		len = decode_utf8(s, &c);
		if (c == '.' && len)
			continue;
		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (!len || !is_allowed(c))
			return -EINVAL;
		units += len == 4 ? 2 : 1;
		if (units > UNITS_MAX)
			return -EINVAL;
		memcpy(out + n, s, len);
		if (len == 1)
			out[n] = (char)c;
		n += len;
	}
	out[n] = '\0';
	return units ? 0 : -EINVAL;
}

int np_atsign_parse(const char *text, char out[NP_ATSIGN_MAX], struct np_err *err)
{
	char work[NP_ATSIGN_MAX];

	if (normalise(text, work)) {
		out[0] = '\0';
		return np_fail(err, -EINVAL,
			       "'%.80s' is no atSign; accepted are letters, digits, _ - and emoji "
			       "after an @, "
			       "at most 55 characters, e.g. @alice",
			       text);
	}
	memcpy(out, work, sizeof(work));
	return 0;
}

const char *np_atsign_bare(const char *atsign)
{
	return atsign + (*atsign == '@');
}
