// SPDX-License-Identifier: BSD-3-Clause
#include "at/atsign.h"

#include "base/err.h"
#include "harness/ktap.h"

#include <errno.h>

static void gives(const char *text, const char *want)
{
	char out[NP_ATSIGN_MAX];
	struct np_err err = NP_ERR_INIT;

	if (np_atsign_parse(text, out, &err))
		KTAP_FAILF("'%s': %s", text, err.msg);
	else
		KTAP_STREQ(out, want);
}

static void refused(const char *text)
{
	char out[NP_ATSIGN_MAX] = "unchanged";
	struct np_err err = NP_ERR_INIT;

	if (np_atsign_parse(text, out, &err) != -EINVAL)
		KTAP_FAILF("'%s' is accepted as '%s'", text, out);
	KTAP_STREQ(out, "");
	KTAP_OK(strstr(err.msg, "no atSign") && strstr(err.msg, "@alice"));
}

static void normal_form(void)
{
	gives("@alice", "@alice");
	gives("alice", "@alice");
	gives("@Alice", "@alice");
	gives("@al.i.ce", "@alice");
	gives("@a_b-c9", "@a_b-c9");
	gives("9", "@9");
}

static void emoji_are_characters(void)
{
	gives("@\xf0\x9f\x98\x80x", "@\xf0\x9f\x98\x80x"); /* U+1F600 */
	gives("@\xe2\x98\x82", "@\xe2\x98\x82");	   /* U+2602 */
	gives("@\xc2\xa9", "@\xc2\xa9");		   /* U+00A9 */
	gives("@\xe2\x9d\xa4\xef\xb8\x8f",
	      "@\xe2\x9d\xa4\xef\xb8\x8f"); /* with variation selector */
}

static void what_is_no_atsign(void)
{
	static const char *const bad[] = {
		"",
		"@",
		"@@alice",
		"a@b",
		"@.",
		"@a b",
		"@a\tb",
		"@a\n",
		"@a:b",
		"@a/b",
		"@a'b",
		"@a\"b",
		"@a*",
		"@a!",
		"@a`",
		"@a(",
		"@a;",
		"@a&",
		"@a=",
		"@a+",
		"@a$",
		"@a,",
		"@a?",
		"@a#",
		"@a[",
		"@a{",
		"@a%",
		"@a\\",
		"@a|",
		"@a<",
		"@a\x7f",
		"@a\x01",
		"@\xc3\xa9",	  /* e acute */
		"@a\xe3\x80\x80", /* ideographic space */
		"@a\xe2\x80\x89", /* thin space */
		"@a\xe2\x80\xae", /* right-to-left override */
		"@a\xe2\x80\x8b", /* zero width space */
		"@a\xe2\x90\x80", /* control picture */
		"@\xe2\x84\xaa",  /* Kelvin sign, which folds to k */
		"@\xff",
		"@\xc2",
		"@\xe2\x98",
		"@\xf0\x9f\x98",
		"@\xc1\xa1", /* malformed, cut, overlong */
		"@\xf4\x90\x80\x80",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i]);
}

static void length_counts_code_units(void)
{
	char text[512] = "@";
	size_t i;

	for (i = 0; i < 55; i++)
		text[1 + i] = 'a';
	text[56] = '\0';
	gives(text, text);
	strcat(text, "a");
	refused(text);
	/*
	 * 55 characters of three bytes are the longest there is; an emoji outside the BMP counts
	 * twice
	 */
	text[1] = '\0';
	for (i = 0; i < 55; i++)
		strcat(text, "\xe2\x98\x82");
	KTAP_EQ(strlen(text), 166);
	gives(text, text);
	text[1] = '\0';
	for (i = 0; i < 27; i++)
		strcat(text, "\xf0\x9f\x98\x80");
	gives(text, text);
	strcat(text, "\xf0\x9f\x98\x80");
	refused(text);
}

static void bare_name(void)
{
	KTAP_STREQ(np_atsign_bare("@alice"), "alice");
	KTAP_STREQ(np_atsign_bare("alice"), "alice");
}

int main(void)
{
	KTAP_RUN(normal_form);
	KTAP_RUN(emoji_are_characters);
	KTAP_RUN(what_is_no_atsign);
	KTAP_RUN(length_counts_code_units);
	KTAP_RUN(bare_name);
	return ktap_done();
}
