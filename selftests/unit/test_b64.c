// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/b64.h"

#include "base/buf.h"
#include "base/secret.h"
#include "crypto/rand.h"
#include "harness/ktap.h"

#include <errno.h>

static void known_texts(void)
{
	static const char *const pairs[][2] = {{"", ""},
					       {"f", "Zg=="},
					       {"fo", "Zm8="},
					       {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="},
					       {"fooba", "Zm9vYmE="},
					       {"foobar", "Zm9vYmFy"}};
	char text[32], bytes[32];
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		size_t len = strlen(pairs[i][0]);

		KTAP_EQ(np_b64_encode(pairs[i][0], len, text), NP_B64_LEN(len));
		KTAP_STREQ(text, pairs[i][1]);
		KTAP_EQ(np_b64_decode(text, strlen(text), bytes, sizeof(bytes)), len);
		KTAP_OK(!memcmp(bytes, pairs[i][0], len));
	}
}

static void refuses_everything_else(void)
{
	static const char *const bad[] = {
		"Z",	 "Zg",	     "Zg=",  "Zg===",  "=",
		"==",	 "===",	     "====", "Z===",   "Zg==Zg==",
		"Zm9v=", "Zm9v====", "Zm 9", "Zm9v\n", "Zm9\n",
		"Zm-v",	 "Zm_v",     "Z=9v", "Zm=v",   "\xff\xff\xff\xff",
		"Zh==", /* bits that no byte uses */
		"Zm9=",	 "Zv==",
	};
	char out[64];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (np_b64_decode(bad[i], strlen(bad[i]), out, sizeof(out)) != -EBADMSG)
			KTAP_FAILF("'%s' is accepted", bad[i]);
	KTAP_EQ(np_b64_decode("Zm9v\0", 5, out, sizeof(out)), -EBADMSG);
	KTAP_EQ(np_b64_decode("Zm9\0", 4, out, sizeof(out)), -EBADMSG);
}

static void never_writes_past_the_end(void)
{
	char out[3] = "xxx";

	KTAP_EQ(np_b64_decode("Zm9vYg==", 8, out, 3), -ENOSPC);
	KTAP_OK(!memcmp(out, "xxx", 3));
	KTAP_EQ(np_b64_decode("Zm9v", 4, out, 3), 3);
	KTAP_OK(!memcmp(out, "foo", 3));
}

static void random_bytes_survive(void)
{
	uint8_t in[300];
	size_t len;

	for (len = 0; len <= sizeof(in); len++) {
		struct np_buf text = NP_BUF_INIT;
		struct np_secret out = NP_SECRET_INIT;

		np_rand_bytes(in, sizeof(in));
		KTAP_EQ(np_b64_append(&text, in, len), 0);
		KTAP_EQ(np_b64_decode_secret(np_buf_str(&text), text.len, &out), 0);
		KTAP_EQ(out.len, len);
		KTAP_OK(!len || !memcmp(out.data, in, len));
		np_buf_fini(&text);
		np_secret_fini(&out);
	}
}

static void bad_secret_is_empty(void)
{
	struct np_secret out = NP_SECRET_INIT;

	KTAP_EQ(np_b64_decode_secret("!!!!", 4, &out), -EBADMSG);
	KTAP_OK(!out.data && !out.len);
}

int main(void)
{
	KTAP_RUN(known_texts);
	KTAP_RUN(refuses_everything_else);
	KTAP_RUN(never_writes_past_the_end);
	KTAP_RUN(random_bytes_survive);
	KTAP_RUN(bad_secret_is_empty);
	return ktap_done();
}
