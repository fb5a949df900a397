// SPDX-License-Identifier: BSD-3-Clause
/* Session keys travel as RSA ciphertext of base64 text, and both ends hold the same bytes
 * afterwards. */
#include "noports/sessionkeys.h"

#include "base/err.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"
#include "noports/msg.h"

#include <errno.h>

static struct np_rsa *key, *other;

static bool same(const struct np_secret *a, const struct np_secret *b)
{
	return a->len && np_secret_equal(a->data, a->len, b->data, b->len);
}

static void check_round_trip(bool twin)
{
	struct np_session_keys made = { 0 }, got = { 0 };
	struct np_session_answer answer = { .sid = "s" };

	KTAP_EQ(np_session_keys_generate(twin, &made), 0);
	KTAP_EQ(made.key_c2d.len, 32);
	KTAP_EQ(made.iv_c2d.len, 16);
	KTAP_EQ(same(&made.key_c2d, &made.key_d2c), !twin);
	KTAP_EQ(same(&made.iv_c2d, &made.iv_d2c), !twin);
	KTAP_EQ(np_session_keys_seal(&made, key, &answer), 0);
	KTAP_EQ(answer.twin_keys, twin);
	KTAP_EQ(strlen(answer.key_c2d), 344);
	KTAP_EQ(strlen(answer.iv_c2d), 344);
	KTAP_EQ(answer.key_d2c != NULL, twin);
	KTAP_EQ(np_session_keys_open(&answer, key, &got, NULL), 0);
	KTAP_EQ(got.twin, twin);
	KTAP_OK(same(&made.key_c2d, &got.key_c2d) && same(&made.iv_c2d, &got.iv_c2d));
	KTAP_OK(same(&made.key_d2c, &got.key_d2c) && same(&made.iv_d2c, &got.iv_d2c));
	np_session_answer_fini(&answer);
	np_session_keys_fini(&made);
	np_session_keys_fini(&got);
}

static void single_key_serves_both_directions(void)
{
	check_round_trip(false);
}

static void twin_keys_differ(void)
{
	check_round_trip(true);
}

static void what_travels_is_base64_text(void)
{
	struct np_session_keys made = { 0 };
	struct np_session_answer answer = { .sid = "s" };
	struct np_secret text = NP_SECRET_INIT;

	np_session_keys_generate(false, &made);
	np_session_keys_seal(&made, key, &answer);
	KTAP_EQ(np_rsa_decrypt_b64(key, answer.key_c2d, 344, &text, NULL), 0);
	KTAP_EQ(text.len, 44);
	KTAP_EQ(text.data[43], '=');
	KTAP_EQ(np_rsa_decrypt_b64(key, answer.iv_c2d, 344, &text, NULL), 0);
	KTAP_EQ(text.len, 24);
	np_secret_fini(&text);
	np_session_answer_fini(&answer);
	np_session_keys_fini(&made);
}

static void refuses_foreign_and_short_keys(void)
{
	struct np_session_keys made = { 0 }, got = { 0 };
	struct np_session_answer answer = { .sid = "s" };
	struct np_err err = NP_ERR_INIT;
	char *swap;

	KTAP_EQ(np_session_keys_open(&answer, key, &got, &err), -EBADMSG);
	np_session_keys_generate(true, &made);
	np_session_keys_seal(&made, key, &answer);
	KTAP_OK(np_session_keys_open(&answer, other, &got, &err) < 0);
	KTAP_OK(!got.key_c2d.len && !got.twin);
	swap = answer.key_c2d;
	answer.key_c2d = answer.iv_c2d;
	answer.iv_c2d = swap;
	KTAP_EQ(np_session_keys_open(&answer, key, &got, &err), -EBADMSG);
	KTAP_OK(strstr(err.msg, "32 bytes") != NULL);
	np_session_answer_fini(&answer);
	np_session_keys_fini(&made);
}

int main(void)
{
	if (np_rsa_generate(&key, NULL) || np_rsa_generate(&other, NULL))
		return 1;
	KTAP_RUN(single_key_serves_both_directions);
	KTAP_RUN(twin_keys_differ);
	KTAP_RUN(what_travels_is_base64_text);
	KTAP_RUN(refuses_foreign_and_short_keys);
	np_rsa_free(key);
	np_rsa_free(other);
	return ktap_done();
}
