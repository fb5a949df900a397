// SPDX-License-Identifier: BSD-3-Clause
/* permit-open: what is allowed is exactly what was written, and what cannot be read is refused by
 * name. */
#include "noports/permit.h"

#include "base/err.h"
#include "harness/ktap.h"

#include <errno.h>

static void textual_match(void)
{
	struct np_permit p = NP_PERMIT_INIT;

	KTAP_OK(!np_permit_allows(&p, "localhost", 22));
	KTAP_EQ(np_permit_add(&p, "localhost:22", NULL), 0);
	KTAP_EQ(np_permit_add(&p, "[2001:db8::1]:80", NULL), 0);
	KTAP_OK(np_permit_allows(&p, "localhost", 22));
	KTAP_OK(np_permit_allows(&p, "2001:db8::1", 80));
	KTAP_OK(!np_permit_allows(&p, "localhost", 23));
	KTAP_OK(!np_permit_allows(&p, "localhost", 0));
	KTAP_OK(!np_permit_allows(&p, "127.0.0.1", 22));
	KTAP_OK(!np_permit_allows(&p, "LOCALHOST", 22));
	KTAP_OK(!np_permit_allows(&p, "localhos", 22));
	KTAP_OK(!np_permit_allows(&p, "localhost2", 22));
	KTAP_OK(!np_permit_allows(&p, "", 22));
	KTAP_OK(!np_permit_allows(&p, "*", 22));
	KTAP_STREQ(p.entries[0], "localhost:22");
	KTAP_OK(p.entries[2] == NULL);
	KTAP_EQ(np_permit_add(&p, "localhost:22", NULL), 0);
	KTAP_EQ(p.nr, 2);
	np_permit_fini(&p);
}

static bool allows_with(const char *entry, const char *host, uint16_t port)
{
	struct np_permit p = NP_PERMIT_INIT;
	bool ok;

	KTAP_EQ(np_permit_add(&p, entry, NULL), 0);
	ok = np_permit_allows(&p, host, port);
	np_permit_fini(&p);
	return ok;
}

static void wildcards(void)
{
	KTAP_OK(allows_with("*:22", "anything", 22));
	KTAP_OK(!allows_with("*:22", "anything", 23));
	KTAP_OK(allows_with("h:*", "h", 65535));
	KTAP_OK(!allows_with("h:*", "g", 1));
	KTAP_OK(allows_with("*:*", "x", 1));
	KTAP_OK(!allows_with("*:*", "x", 0));
}

static void refusals_name_the_entry(void)
{
	static const char *const bad[] = {
		"",
		":",
		"host",
		"host:",
		":22",
		"host:0",
		"host:65536",
		"host:65558",
		"host:22x",
		"host:-1",
		"host:+22",
		"host: 22",
		" host:22",
		"host:22 ",
		"ho st:22",
		"**:22",
		"*x:22",
		"h*:22",
		"host:**",
		"host:*2",
		"h\nx:22",
		"[]:22",
		"host:22,other:23",
		"host:022222",
		"h\xc3\xa9:1",
		"host:0x16",
		"a/b:1",
	};
	struct np_permit p = NP_PERMIT_INIT;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct np_err err = NP_ERR_INIT;

		if (!np_permit_add(&p, bad[i], &err))
			KTAP_FAILF("accepted '%s'", bad[i]);
		else if (!strstr(err.msg, bad[i]))
			KTAP_FAILF("not named '%s': %s", bad[i], err.msg);
	}
	KTAP_EQ(p.nr, 0);
	np_permit_fini(&p);
}

static void bounds(void)
{
	struct np_permit p = NP_PERMIT_INIT;
	struct np_err err = NP_ERR_INIT;
	char text[600];
	int i;

	memset(text, 'a', sizeof(text));
	strcpy(text + 595, ":22");
	KTAP_EQ(np_permit_add(&p, text, &err), -EINVAL);
	KTAP_OK(strstr(err.msg, "longer than") != NULL);
	for (i = 1; i <= NP_PERMIT_ENTRIES_MAX; i++) {
		snprintf(text, sizeof(text), "h:%d", i);
		if (np_permit_add(&p, text, NULL))
			KTAP_FAILF("entry %d refused", i);
	}
	KTAP_EQ(np_permit_add(&p, "last:22", &err), -E2BIG);
	KTAP_OK(strstr(err.msg, "last:22") != NULL);
	KTAP_OK(np_permit_allows(&p, "h", NP_PERMIT_ENTRIES_MAX));
	np_permit_fini(&p);
}

int main(void)
{
	KTAP_RUN(textual_match);
	KTAP_RUN(wildcards);
	KTAP_RUN(refusals_name_the_entry);
	KTAP_RUN(bounds);
	return ktap_done();
}
