// SPDX-License-Identifier: BSD-3-Clause
#include "json/jcanon.h"

#include "harness/ktap.h"
#include "json/json.h"

#include <errno.h>

static void finds(const char *text, const char *key, const char *want)
{
	const char *value = NULL;
	char got[256];
	size_t len = 0;
	struct np_json *json = np_json_parse(text, strlen(text), "test", NULL);

	KTAP_OK(json); /* only well-formed text is promised */
	np_json_put(json);
	KTAP_EQ(np_jcanon_member(text, strlen(text), key, &value, &len), 0);
	snprintf(got, sizeof(got), "%.*s", (int)len, value ? value : "");
	KTAP_STREQ(got, want);
}

static void raw_bytes_of_every_kind(void)
{
	finds("{\"a\":1}", "a", "1");
	finds(" { \"a\" : 1 } ", "a", "1");
	finds("{\"x\":0,\"a\":\"t\"}", "a", "\"t\"");
	finds("{\"a\": { \"b\" : [1, 2] } ,\"c\":3}", "a", "{ \"b\" : [1, 2] }");
	finds("{\"a\": { \"b\" : [1, 2] } ,\"c\":3}", "c", "3");
	finds("{\"a\":[{\"c\":1}],\"c\":[ ]\n}", "c", "[ ]");
	finds("{\"a\":null}", "a", "null");
	finds("{\"a\":-1.5e3\t,\"b\":true}", "a", "-1.5e3");
	finds("{\"a\":-1.5e3\t,\"b\":true}", "b", "true");
}

static void text_does_not_mislead(void)
{
	finds("{\"x\":\"\\\"a\\\":1\",\"a\":2}", "a", "2");
	finds("{\"x\":\"}{][,\",\"a\":2}", "a", "2");
	finds("{\"x\":{\"a\":1},\"a\":2}", "a", "2");
	finds("{\"x\":\"\\\\\",\"a\":2}", "a", "2");
	finds("{\"aa\":1,\"a\":2}", "a", "2");
	finds("{\"\":1,\"a\":2}", "", "1");
	finds("{\"a\":\"\\u001F\\\\\\\"\"}", "a", "\"\\u001F\\\\\\\"\"");
}

static int member(const char *text, const char *key)
{
	const char *value;
	size_t len;

	return np_jcanon_member(text, strlen(text), key, &value, &len);
}

static void absent_and_damaged(void)
{
	KTAP_EQ(member("{}", "a"), -ENOENT);
	KTAP_EQ(member("{\"b\":1}", "a"), -ENOENT);
	KTAP_EQ(member("[1]", "a"), -EBADMSG);
	KTAP_EQ(member("", "a"), -EBADMSG);
	KTAP_EQ(member("1", "a"), -EBADMSG);
	/* Not well-formed: no promise but to stay inside the text. */
	member("{", "a");
	member("{\"", "a");
	member("{\"a", "a");
	member("{\"a\"", "a");
	member("{\"a\":", "a");
	member("{\"a\":\"", "a");
	member("{\"a\":\"\\", "a");
	member("{\"a\":[", "a");
	member("{\"a\" 1}", "a");
}

static void lowers(const char *text, const char *want)
{
	char work[64];

	snprintf(work, sizeof(work), "%s", text);
	np_jcanon_lower_escapes(work, strlen(work));
	KTAP_STREQ(work, want);
}

static void only_escapes_are_lowered(void)
{
	lowers("\"\\u001F\"", "\"\\u001f\"");
	lowers("\"\\u00AB\\u00CD\"", "\"\\u00ab\\u00cd\"");
	lowers("\"\\\\u001F\"", "\"\\\\u001F\"");
	lowers("\"ABCDEF\"", "\"ABCDEF\"");
	lowers("\\u00A", "\\u00A");
	lowers("\\", "\\");
	lowers("", "");
}

int main(void)
{
	KTAP_RUN(raw_bytes_of_every_kind);
	KTAP_RUN(text_does_not_mislead);
	KTAP_RUN(absent_and_damaged);
	KTAP_RUN(only_escapes_are_lowered);
	return ktap_done();
}
