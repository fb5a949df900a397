// SPDX-License-Identifier: BSD-3-Clause
#include "base/str.h"
#include "harness/ktap.h"

#include <errno.h>

static void copy_fits_or_fails(void)
{
	char dst[4] = "zzz";

	KTAP_EQ(np_str_copy(dst, sizeof(dst), "abc"), 0);
	KTAP_STREQ(dst, "abc");
	KTAP_EQ(np_str_copy(dst, sizeof(dst), "abcd"), -ENAMETOOLONG);
	KTAP_STREQ(dst, "");
	KTAP_EQ(np_str_copy_n(dst, sizeof(dst), "abcd", 2), 0);
	KTAP_STREQ(dst, "ab");
	KTAP_EQ(np_str_copy_n(dst, 0, "a", 1), -ENAMETOOLONG);
}

static void lower_is_ascii_only(void)
{
	char text[] = "AbZ@\xc3\x84[";

	np_str_lower(text);
	KTAP_STREQ(text, "abz@\xc3\x84[");
}

static void trim_both_ends(void)
{
	char text[] = " \t a b \r\n", blank[] = " \n", none[] = "";

	KTAP_STREQ(np_str_trim(text), "a b");
	KTAP_STREQ(np_str_trim(blank), "");
	KTAP_STREQ(np_str_trim(none), "");
}

static void starts_and_ends(void)
{
	KTAP_OK(np_str_starts("notify:x", "notify:"));
	KTAP_OK(!np_str_starts("not", "notify"));
	KTAP_OK(np_str_starts("a", ""));
	KTAP_OK(np_str_ends("a.sshnp", ".sshnp"));
	KTAP_OK(!np_str_ends("np", "sshnp"));
	KTAP_OK(np_str_ends("a", ""));
}

static void charset_is_strict(void)
{
	KTAP_OK(np_str_is_charset("aZ09-_", "-_"));
	KTAP_OK(!np_str_is_charset("", "-_"));
	KTAP_OK(!np_str_is_charset("a b", "-_"));
	KTAP_OK(!np_str_is_charset("a\n", "-_"));
	KTAP_OK(!np_str_is_charset("\xc3\xa4", ""));
}

static void uuid_shape(void)
{
	KTAP_OK(np_str_is_uuid("01234567-89ab-cdef-ABCD-EF0123456789"));
	KTAP_OK(!np_str_is_uuid("01234567-89ab-cdef-ABCD-EF012345678"));
	KTAP_OK(!np_str_is_uuid("01234567-89ab-cdef-ABCD-EF01234567890"));
	KTAP_OK(!np_str_is_uuid("01234567x89ab-cdef-ABCD-EF0123456789"));
	KTAP_OK(!np_str_is_uuid("g1234567-89ab-cdef-ABCD-EF0123456789"));
	KTAP_OK(!np_str_is_uuid(""));
}

static void numbers_are_strict(void)
{
	static const char *const bad[] = { "",	  " 1",	 "1 ",	"+1",	   "-1",
					   "0x1", "1.0", "1e3", "\xd9\xa1" };
	uint64_t val = 99;
	size_t i;

	KTAP_EQ(np_str_u64("0", 0, 10, &val), 0);
	KTAP_EQ(val, 0);
	KTAP_EQ(np_str_u64("0010", 0, 10, &val), 0);
	KTAP_EQ(val, 10);
	KTAP_EQ(np_str_u64("18446744073709551615", 0, UINT64_MAX, &val), 0);
	KTAP_OK(val == UINT64_MAX);
	val = 99;
	KTAP_EQ(np_str_u64("18446744073709551616", 0, UINT64_MAX, &val), -ERANGE);
	KTAP_EQ(np_str_u64("99999999999999999999999", 0, UINT64_MAX, &val), -ERANGE);
	KTAP_EQ(np_str_u64("11", 0, 10, &val), -ERANGE);
	KTAP_EQ(np_str_u64("1", 2, 10, &val), -ERANGE);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (np_str_u64(bad[i], 0, 100, &val) != -EINVAL)
			KTAP_FAILF("'%s' is accepted", bad[i]);
	KTAP_EQ(val, 99);
}

static void ports(void)
{
	uint16_t port = 7;

	KTAP_EQ(np_str_port("65535", false, &port), 0);
	KTAP_EQ(port, 65535);
	KTAP_EQ(np_str_port("65558", false, &port), -ERANGE);
	KTAP_EQ(np_str_port("0", false, &port), -ERANGE);
	KTAP_EQ(port, 65535);
	KTAP_EQ(np_str_port("0", true, &port), 0);
	KTAP_EQ(port, 0);
}

static void durations(void)
{
	static const struct {
		const char *text;
		long long ms; /* -1: refused */
	} cases[] = {
		{ "30", 30000 },
		{ "30s", 30000 },
		{ "500ms", 500 },
		{ "1h,14m,30s", 4470000 },
		{ "2w", 1209600000 },
		{ "365d", 31536000000 },
		{ "0", 0 },
		{ "", -1 },
		{ "s", -1 },
		{ "1x", -1 },
		{ "1h,", -1 },
		{ ",1h", -1 },
		{ "-1s", -1 },
		{ "1.5s", -1 },
		{ "1 s", -1 },
		{ "99999999999999999999s", -1 },
		{ "1099511627776w", -1 },
	};
	uint64_t ms;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ret = np_str_duration_ms(cases[i].text, &ms);

		if (cases[i].ms < 0 ? ret != -EINVAL : ret || ms != (uint64_t)cases[i].ms)
			KTAP_FAILF("'%s' gives %d, %llu", cases[i].text, ret,
				   (unsigned long long)ms);
	}
}

static void next_visits_every_field(void)
{
	const char *cursor = "a,,bc,", *field;
	char seen[32] = "";
	size_t len;

	while ((field = np_str_next(&cursor, ',', &len))) {
		strncat(seen, field, len);
		strcat(seen, "|");
	}
	KTAP_STREQ(seen, "a||bc||");
	cursor = NULL;
	KTAP_OK(!np_str_next(&cursor, ',', &len));
}

static void hex(void)
{
	static const uint8_t bytes[] = { 0x00, 0x7f, 0xff, 0xa5 };
	char dst[9];

	np_hex_encode(bytes, sizeof(bytes), dst);
	KTAP_STREQ(dst, "007fffa5");
	np_hex_encode(bytes, 0, dst);
	KTAP_STREQ(dst, "");
}

int main(void)
{
	KTAP_RUN(copy_fits_or_fails);
	KTAP_RUN(lower_is_ascii_only);
	KTAP_RUN(trim_both_ends);
	KTAP_RUN(starts_and_ends);
	KTAP_RUN(charset_is_strict);
	KTAP_RUN(uuid_shape);
	KTAP_RUN(numbers_are_strict);
	KTAP_RUN(ports);
	KTAP_RUN(durations);
	KTAP_RUN(next_visits_every_field);
	KTAP_RUN(hex);
	return ktap_done();
}
