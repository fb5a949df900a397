// SPDX-License-Identifier: BSD-3-Clause
#include "json/json.h"

#include "base/buf.h"
#include "base/err.h"
#include "harness/ktap.h"

#include <errno.h>

static struct np_json *parse(const char *text)
{
	return np_json_parse(text, strlen(text), "test", NULL);
}

static void rewrite(const char *text, const char *want)
{
	struct np_json *json = parse(text);
	struct np_buf out = NP_BUF_INIT;

	KTAP_OK(json);
	if (json)
		KTAP_EQ(np_json_write(json, &out), 0);
	KTAP_STREQ(np_buf_str(&out), want);
	np_buf_fini(&out);
	np_json_put(json);
}

static void order_and_form_are_those_of_dart(void)
{
	rewrite("{ \"z\" : 1, \"a\" : [ 1 , 2 ], \"m\" : { } }", "{\"z\":1,\"a\":[1,2],\"m\":{}}");
	rewrite("{\"a\":null,\"b\":true}", "{\"a\":null,\"b\":true}");
	rewrite("{\"url\":\"a\\/b\"}", "{\"url\":\"a/b\"}");
	rewrite("{\"t\":\"\\u001F\\u00e4\\n\\t\\b\\f\\r\\\"\\\\\"}",
		"{\"t\":\"\\u001f\xc3\xa4\\n\\t\\b\\f\\r\\\"\\\\\"}");
	rewrite("{\"port\":36885}", "{\"port\":36885}");
	rewrite("{\"t\":\"\\uD83D\\uDE00\"}", "{\"t\":\"\xf0\x9f\x98\x80\"}");
	rewrite("[\"x\"]", "[\"x\"]");
}

static void text_that_looks_like_an_escape_stays(void)
{
	/* a backslash, then u001F: only real escapes are lowered */
	rewrite("{\"t\":\"\\\\u001F\"}", "{\"t\":\"\\\\u001F\"}");
}

static void refuses(const char *text, size_t len)
{
	struct np_err err = NP_ERR_INIT;
	struct np_json *json = np_json_parse(text, len, "subject", &err);

	if (json)
		KTAP_FAILF("'%.40s' is accepted", text);
	KTAP_OK(strstr(err.msg, "subject"));
	np_json_put(json);
}

static void bad_input_is_refused(void)
{
	static const char *const bad[] = {"",
					  "{",
					  "}",
					  "{\"a\":1,}",
					  "{\"a\":1}x",
					  "{'a':1}",
					  "{\"a\":1,\"a\":2}",
					  "\"\xff\"",
					  "nul",
					  "{\"a\":01}",
					  "{\"a\":99999999999999999999}",
					  "{\"a\":1e999}",
					  "{\"a\":\"\\ud800\"}",
					  "{\"a\":\"x\\u0000y\"}",
					  "5",
					  "\"x\""};
	static char deep[300000];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i], strlen(bad[i]));
	memset(deep, '[', sizeof(deep));
	refuses(deep, sizeof(deep));
	refuses("{\"a\":1}\0{}", 10);
}

static void getters_give_the_default(void)
{
	struct np_json *json =
		parse("{\"s\":\"x\",\"i\":5,\"b\":true,\"n\":null,\"r\":1.5,\"a\":[1,\"y\"]}");

	KTAP_OK(json);
	KTAP_STREQ(np_json_str(json, "s"), "x");
	KTAP_OK(!np_json_str(json, "i") && !np_json_str(json, "none") && !np_json_str(json, "n"));
	KTAP_EQ(np_json_int(json, "i", 9), 5);
	KTAP_EQ(np_json_int(json, "r", 9), 9);
	KTAP_EQ(np_json_int(json, "s", 9), 9);
	KTAP_OK(np_json_bool(json, "b", false) && np_json_bool(json, "s", true));
	KTAP_OK(np_json_is_null(np_json_get(json, "n")) &&
		np_json_is_null(np_json_get(json, "none")));
	KTAP_EQ(np_json_len(np_json_get(json, "a")), 2);
	KTAP_STREQ(np_json_str_value(np_json_at(np_json_get(json, "a"), 1)), "y");
	KTAP_OK(!np_json_at(np_json_get(json, "a"), 2));
	KTAP_OK(!np_json_get(NULL, "x") && !np_json_str(NULL, "x") && !np_json_len(NULL));
	np_json_put(json);
	np_json_put(NULL);
}

static void needed_members_are_named(void)
{
	struct np_json *json = parse("{\"s\":\"abcdef\",\"i\":5}");
	struct np_err err = NP_ERR_INIT;
	int64_t value = 0;

	KTAP_STREQ(np_json_need_str(json, "s", 6, &err), "abcdef");
	KTAP_OK(!np_json_need_str(json, "s", 5, &err));
	KTAP_OK(strstr(err.msg, "'s'"));
	KTAP_OK(!np_json_need_str(json, "i", 5, &err));
	KTAP_OK(strstr(err.msg, "'i'"));
	KTAP_EQ(np_json_need_int(json, "i", 0, 5, &value, &err), 0);
	KTAP_EQ(value, 5);
	KTAP_EQ(np_json_need_int(json, "i", 6, 9, &value, &err), -EINVAL);
	KTAP_OK(strstr(err.msg, "6 to 9"));
	KTAP_EQ(np_json_need_int(json, "s", 0, 9, &value, &err), -EINVAL);
	np_json_put(json);
}

static bool visit(const char *key, const struct np_json *value, void *arg)
{
	(void)value;
	strcat(arg, key);
	return strlen(arg) < 2;
}

static void builders(void)
{
	struct np_json *obj = np_json_obj(), *arr = np_json_arr();
	struct np_buf out = NP_BUF_INIT;
	char seen[8] = "";

	KTAP_EQ(np_json_set_str(obj, "b", "x/\x01"), 0);
	KTAP_EQ(np_json_set_int(obj, "a", -1), 0);
	KTAP_EQ(np_json_set_bool(obj, "c", false), 0);
	KTAP_EQ(np_json_set_str(obj, "d", NULL), 0);
	KTAP_EQ(np_json_add_str(arr, "e"), 0);
	KTAP_EQ(np_json_add(arr, np_json_ref(obj)), 0);
	KTAP_EQ(np_json_set_str(obj, "bad", "\xff"), -EINVAL);
	KTAP_EQ(np_json_add_str(arr, "\xc3"), -EINVAL);
	KTAP_EQ(np_json_write(arr, &out), 0);
	KTAP_STREQ(np_buf_str(&out),
		   "[\"e\",{\"b\":\"x/\\u0001\",\"a\":-1,\"c\":false,\"d\":null}]");
	np_json_each(obj, visit, seen);
	KTAP_STREQ(seen, "ba");
	np_buf_fini(&out);
	np_json_put(arr);
	np_json_put(obj);
}

int main(void)
{
	KTAP_RUN(order_and_form_are_those_of_dart);
	KTAP_RUN(text_that_looks_like_an_escape_stays);
	KTAP_RUN(bad_input_is_refused);
	KTAP_RUN(getters_give_the_default);
	KTAP_RUN(needed_members_are_named);
	KTAP_RUN(builders);
	return ktap_done();
}
