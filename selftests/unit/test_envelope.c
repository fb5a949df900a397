// SPDX-License-Identifier: BSD-3-Clause
/* Envelopes: signed over exact bytes, liberal in spacing and order, strict in everything else. */
#include "noports/envelope.h"

#include "base/buf.h"
#include "base/err.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"
#include "json/json.h"

#include <errno.h>

static struct np_rsa *key, *other;

static struct np_envelope *parse(const char *text, struct np_err *err)
{
	struct np_envelope *env = NULL;

	return np_envelope_parse(text, strlen(text), &env, err) ? NULL : env;
}

/* Builds an envelope around @sent whose signature is over @signed_text. */
static void build(const char *sent, const char *signed_text, const char *hash, const char *sign,
		  struct np_buf *out)
{
	np_buf_printf(out, "{ \"signature\" : \"");
	np_rsa_sign_b64(key, strcmp(hash, "sha512") ? NP_HASH_SHA256 : NP_HASH_SHA512, signed_text,
			strlen(signed_text), out);
	np_buf_printf(out, "\",\"hashingAlgo\":\"%s\",\n\"payload\" : %s , \"signingAlgo\":\"%s\"}",
		      hash, sent, sign);
}

static int verdict(const char *sent, const char *signed_text, const char *hash)
{
	struct np_buf text = NP_BUF_INIT;
	struct np_envelope *env;
	int ret = -1;

	build(sent, signed_text, hash, "rsa2048", &text);
	env = parse(np_buf_str(&text), NULL);
	if (env)
		ret = np_envelope_verify(env, key, NULL);
	np_envelope_free(env);
	np_buf_fini(&text);
	return ret;
}

/* noports.md 18: the relay line and the 135 bytes it is signed over. */
#define RELAY_PAYLOAD                                                                              \
	"{\"sessionId\":\"a65d57ed-5efa-486d-a16f-2bc37719d5ca\","                                 \
	"\"clientNonce\":\"2024-06-21T22:30:19.436915\",\"rvdNonce\":\"2024-06-21T22:30:21."       \
	"307026\"}"

static void signs_the_relay_line_of_the_specification(void)
{
	struct np_json *payload = np_json_obj();
	struct np_buf text = NP_BUF_INIT, again = NP_BUF_INIT;
	struct np_envelope *env;
	const char *sig;

	KTAP_EQ(strlen(RELAY_PAYLOAD), 135);
	np_json_set_str(payload, "sessionId", "a65d57ed-5efa-486d-a16f-2bc37719d5ca");
	np_json_set_str(payload, "clientNonce", "2024-06-21T22:30:19.436915");
	np_json_set_str(payload, "rvdNonce", "2024-06-21T22:30:21.307026");
	KTAP_EQ(np_envelope_sign(payload, key, &text), 0);
	KTAP_EQ(np_envelope_sign_text(RELAY_PAYLOAD, 135, key, &again), 0);
	KTAP_STREQ(np_buf_str(&text), np_buf_str(&again));
	KTAP_OK(!strncmp(np_buf_str(&text), "{\"payload\":" RELAY_PAYLOAD ",\"signature\":\"",
			 160));
	sig = strstr(np_buf_str(&text), "\"signature\":\"") + 13;
	KTAP_EQ(strcspn(sig, "\""), 344);
	KTAP_STREQ(sig + 344, "\",\"hashingAlgo\":\"sha256\",\"signingAlgo\":\"rsa2048\"}");
	env = parse(np_buf_str(&text), NULL);
	KTAP_OK(env != NULL);
	KTAP_EQ(np_envelope_verify(env, key, NULL), 0);
	KTAP_EQ(np_envelope_verify(env, other, NULL), -EBADMSG);
	KTAP_EQ(np_envelope_verify_text(env, key, RELAY_PAYLOAD, 135, NULL), 0);
	KTAP_EQ(np_envelope_verify_text(env, key, RELAY_PAYLOAD, 134, NULL), -EBADMSG);
	np_envelope_free(env);
	np_json_put(payload);
	np_buf_fini(&text);
	np_buf_fini(&again);
}

static void verifies_raw_bytes_first(void)
{
	/* Spacing, a fraction and an escape that a re-serialisation would change. */
	const char *raw = "{\"a\" : 36885.0, \"b\":\"\\u00e9\\/\", \"n\":null}";

	KTAP_EQ(verdict(raw, raw, "sha256"), 0);
	KTAP_EQ(verdict(raw, raw, "sha512"), 0);
}

static void verifies_compact_text_in_received_order(void)
{
	KTAP_EQ(verdict("{ \"z\": 1, \"aesKeyD2C\": null,\n \"a\": \"x\\/y\", \"c\":\"\\u001F\\t\" "
			"}",
			"{\"z\":1,\"aesKeyD2C\":null,\"a\":\"x/y\",\"c\":\"\\u001f\\t\"}",
			"sha256"),
		0);
	KTAP_EQ(verdict("{ \"port\": 36885, \"t\": true }", "{\"port\":36885,\"t\":true}",
			"sha256"),
		0);
}

static void refuses_changed_payloads(void)
{
	KTAP_EQ(verdict("{\"port\":36886}", "{\"port\":36885}", "sha256"), -EBADMSG);
	KTAP_EQ(verdict("{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}", "sha256"), -EBADMSG);
	KTAP_EQ(verdict("{\"a\":1,\"n\":null}", "{\"a\":1}", "sha256"), -EBADMSG);
}

static void refuses_what_is_no_envelope(void)
{
	static const char *const bad[] = {
		"",
		"connected",
		"[]",
		"{}",
		"{\"payload\":{}}",
		"{\"payload\":[],\"signature\":\"AA==\"}",
		"{\"payload\":{},\"signature\":\"AA==\"}",
		"{\"payload\":{},\"signature\":7,\"hashingAlgo\":\"sha256\",\"signingAlgo\":"
		"\"rsa2048\"}",
		"{\"payload\":{},\"signature\":\"AA==\",\"hashingAlgo\":\"md5\",\"signingAlgo\":"
		"\"rsa2048\"}",
		"{\"payload\":{},\"signature\":\"AA==\",\"hashingAlgo\":\"sha256\",\"signingAlgo\":"
		"\"none\"}",
		"{\"payload\":{},\"payload\":{\"a\":1},\"signature\":\"AA==\",\"hashingAlgo\":"
		"\"sha256\","
		"\"signingAlgo\":\"rsa2048\"}",
		"{\"p\\u0061yload\":{},\"payload\":{\"a\":1},\"signature\":\"AA==\","
		"\"hashingAlgo\":\"sha256\","
		"\"signingAlgo\":\"rsa2048\"}",
		"{\"payload\":{},\"signature\":\"AA==\",\"hashingAlgo\":\"sha256\",\"signingAlgo\":"
		"\"rsa2048\"}x",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct np_err err = NP_ERR_INIT;
		struct np_envelope *env = parse(bad[i], &err);

		if (env)
			KTAP_FAILF("accepted: %s", bad[i]);
		KTAP_EQ(err.code, -EBADMSG);
		KTAP_OK(strstr(err.msg, "envelope") != NULL);
		np_envelope_free(env);
	}
}

static void refuses_oversize(void)
{
	struct np_envelope *env = NULL;
	struct np_err err = NP_ERR_INIT;
	size_t len = 70000;
	char *text = malloc(len);

	memset(text, ' ', len);
	KTAP_EQ(np_envelope_parse(text, len, &env, &err), -EBADMSG);
	KTAP_OK(strstr(err.msg, "70000") != NULL);
	free(text);
}

static void refuses_garbage_signatures(void)
{
	static const char *const sigs[] = { "", "AA==", "not base64", "AAAA" };
	size_t i;

	for (i = 0; i < 4; i++) {
		struct np_buf text = NP_BUF_INIT;
		struct np_envelope *env;

		np_buf_printf(
			&text,
			"{\"payload\":{\"a\":1},\"signature\":\"%s\",\"hashingAlgo\":\"sha256\","
			"\"signingAlgo\":\"rsa2048\"}",
			sigs[i]);
		env = parse(np_buf_str(&text), NULL);
		KTAP_OK(env != NULL);
		if (env)
			KTAP_EQ(np_envelope_verify(env, key, NULL), -EBADMSG);
		np_envelope_free(env);
		np_buf_fini(&text);
	}
}

static void control_characters_round_trip(void)
{
	struct np_json *payload = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	struct np_envelope *env;

	np_json_set_str(payload, "t", "a\"b\\c/d\b\f\n\r\t\x1b\x7f\xc3\xa9");
	np_json_set_null(payload, "n");
	KTAP_EQ(np_envelope_sign(payload, key, &text), 0);
	KTAP_OK(strstr(np_buf_str(&text),
		       "{\"t\":\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\u001b\x7f\xc3\xa9\",\"n\":null}") !=
		NULL);
	env = parse(np_buf_str(&text), NULL);
	KTAP_EQ(env ? np_envelope_verify(env, key, NULL) : -1, 0);
	if (env)
		KTAP_STREQ(np_json_str(np_envelope_payload(env), "t"),
			   "a\"b\\c/d\b\f\n\r\t\x1b\x7f\xc3\xa9");
	np_envelope_free(env);
	np_json_put(payload);
	np_buf_fini(&text);
}

int main(void)
{
	if (np_rsa_generate(&key, NULL) || np_rsa_generate(&other, NULL))
		return 1;
	KTAP_RUN(signs_the_relay_line_of_the_specification);
	KTAP_RUN(verifies_raw_bytes_first);
	KTAP_RUN(verifies_compact_text_in_received_order);
	KTAP_RUN(refuses_changed_payloads);
	KTAP_RUN(refuses_what_is_no_envelope);
	KTAP_RUN(refuses_oversize);
	KTAP_RUN(refuses_garbage_signatures);
	KTAP_RUN(control_characters_round_trip);
	np_rsa_free(key);
	np_rsa_free(other);
	return ktap_done();
}
