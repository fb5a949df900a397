// SPDX-License-Identifier: BSD-3-Clause
/*
 * The raw bytes of a member: for text that the parser takes, they are what the parser sees under
 * that name. The scanner alone must stay inside any text.
 */
#include "base/buf.h"
#include "json/jcanon.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct np_json *top, const char *value, size_t len)
{
	/* In an array, so that texts and numbers can be parsed by themselves too. */
	struct np_buf wrapped = NP_BUF_INIT, got = NP_BUF_INIT, want = NP_BUF_INIT;
	struct np_json *json;

	np_buf_append(&wrapped, "[", 1);
	np_buf_append(&wrapped, value, len);
	np_buf_append(&wrapped, "]", 1);
	json = np_json_parse(np_buf_str(&wrapped), wrapped.len, "member", NULL);
	if (!json || np_json_len(json) != 1)
		abort();
	np_json_write(np_json_at(json, 0), &got);
	np_json_write(np_json_get(top, "payload"), &want);
	if (got.len != want.len || memcmp(got.data, want.data, got.len))
		abort();
	np_buf_fini(&wrapped);
	np_buf_fini(&got);
	np_buf_fini(&want);
	np_json_put(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *value;
	struct np_json *json = np_json_parse(text, size, "fuzz", NULL);
	size_t len;
	int ret;

	ret = np_jcanon_member(text, size, "payload", &value, &len);
	if (ret == 0 && (value < text || value + len > text + size))
		abort();
	if (ret == 0 && json)
		compare(json, value, len);
	np_json_put(json);
	return 0;
}
