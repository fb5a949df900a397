// SPDX-License-Identifier: BSD-3-Clause
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

int np_str_copy_n(char *dst, size_t size, const char *src, size_t len)
{
	if (len >= size) {
		if (size)
			dst[0] = '\0';
		return -ENAMETOOLONG;
	}
	memcpy(dst, src, len);
	dst[len] = '\0';
	return 0;
}

int np_str_copy(char *dst, size_t size, const char *src)
{
	return np_str_copy_n(dst, size, src, strlen(src));
}

void np_str_lower(char *str)
{
	for (; *str; str++)
		if (*str >= 'A' && *str <= 'Z')
			*str = (char)(*str - 'A' + 'a');
}

char *np_str_trim(char *str)
{
	size_t len;

	while (*str == ' ' || *str == '\t' || *str == '\r' || *str == '\n')
		str++;
	len = strlen(str);
	while (len && strchr(" \t\r\n", str[len - 1]))
		str[--len] = '\0';
	return str;
}

bool np_str_starts(const char *str, const char *prefix)
{
	return strncmp(str, prefix, strlen(prefix)) == 0;
}

bool np_str_ends(const char *str, const char *suffix)
{
	size_t len = strlen(str), slen = strlen(suffix);

	return len >= slen && strcmp(str + len - slen, suffix) == 0;
}

static bool is_alnum_ascii(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool np_str_is_charset(const char *str, const char *more)
{
	if (!*str)
		return false;
	for (; *str; str++)
		if (!is_alnum_ascii(*str) && !strchr(more, *str))
			return false;
	return true;
}

bool np_str_is_uuid(const char *str)
{
	size_t i;

	for (i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? str[i] != '-' : !isxdigit((unsigned char)str[i]))
			return false;
	}
	return str[36] == '\0';
}

int np_str_u64(const char *str, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t val = 0;

	if (!*str)
		return -EINVAL;
	for (; *str; str++) {
		unsigned int digit = (unsigned int)(*str - '0');

		if (digit > 9)
			return -EINVAL;
		if (val > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		val = val * 10 + digit;
	}
	if (val < min || val > max)
		return -ERANGE;
	*out = val;
	return 0;
}

int np_str_port(const char *str, bool zero_ok, uint16_t *out)
{
	uint64_t val;
	int ret;

	ret = np_str_u64(str, zero_ok ? 0 : 1, 65535, &val);
	if (!ret)
		*out = (uint16_t)val;
	return ret;
}

static int unit_ms(const char *unit, size_t len, uint64_t *ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = { { "w", 604800000 }, { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
		      { "s", 1000 },	  { "ms", 1 },	     { "", 1000 } };
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) == len && !strncmp(units[i].name, unit, len)) {
			*ms = units[i].ms;
			return 0;
		}
	}
	return -EINVAL;
}

int np_str_duration_ms(const char *str, uint64_t *out_ms)
{
	uint64_t total = 0, part, ms;
	const char *cursor = str, *field;
	size_t len, digits;
	char num[20];

	if (!*str)
		return -EINVAL;
	while ((field = np_str_next(&cursor, ',', &len))) {
		for (digits = 0; digits < len && isdigit((unsigned char)field[digits]); digits++)
			;
		if (np_str_copy_n(num, sizeof(num), field, digits) || np_str_u64(num, 0, 1ull << 40, &part) ||
		    unit_ms(field + digits, len - digits, &ms))
			return -EINVAL;
		if (part > (1ull << 50) / ms || total > (1ull << 50))
			return -EINVAL;
		total += part * ms;
	}
	*out_ms = total;
	return 0;
}

const char *np_str_next(const char **cursor, char sep, size_t *len)
{
	const char *start = *cursor, *end;

	if (!start)
		return NULL;
	end = strchr(start, sep);
	*len = end ? (size_t)(end - start) : strlen(start);
	*cursor = end ? end + 1 : NULL;
	return start;
}

void np_hex_encode(const uint8_t *data, size_t len, char *dst)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		dst[2 * i] = digits[data[i] >> 4];
		dst[2 * i + 1] = digits[data[i] & 15];
	}
	dst[2 * len] = '\0';
}
