// SPDX-License-Identifier: BSD-3-Clause
#include "noports/envelope.h"

#include "base/buf.h"
#include "base/err.h"
#include "crypto/rsa.h"
#include "json/jcanon.h"
#include "json/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENVELOPE_MAX (64u << 10)
#define SIGNATURE_MAX 1024

struct np_envelope {
	struct np_json *json;
	const struct np_json *payload; /* inside json */
	const char *signature;	       /* inside json */
	enum np_hash_alg hash;
	const char *raw; /* the payload's bytes as received, inside text */
	size_t raw_len;
	char text[];
};

int np_envelope_sign_text(const char *payload, size_t len, const struct np_rsa *key,
			  struct np_buf *out)
{
	int ret;

	if ((ret = np_buf_append_str(out, "{\"payload\":")) ||
	    (ret = np_buf_append(out, payload, len)) ||
	    (ret = np_buf_append_str(out, ",\"signature\":\"")) ||
	    (ret = np_rsa_sign_b64(key, NP_HASH_SHA256, payload, len, out)))
		return ret;
	return np_buf_append_str(out, "\",\"hashingAlgo\":\"sha256\",\"signingAlgo\":\"rsa2048\"}");
}

int np_envelope_sign(const struct np_json *payload, const struct np_rsa *key, struct np_buf *out)
{
	struct np_buf text = NP_BUF_INIT;
	int ret;

	ret = np_json_write(payload, &text);
	if (!ret)
		ret = np_envelope_sign_text((const char *)text.data, text.len, key, out);
	np_buf_fini(&text);
	return ret;
}

/* "rsa2048" alone: the other names of the published enumeration have never been signed with
 * (noports.md 3.1). */
static int read_algorithms(struct np_envelope *env, struct np_err *err)
{
	const char *hash = np_json_str(env->json, "hashingAlgo");
	const char *sign = np_json_str(env->json, "signingAlgo");

	if (!hash || !sign)
		return np_fail(err, -EBADMSG, "envelope: hashingAlgo or signingAlgo is missing");
	if (strcmp(sign, "rsa2048"))
		return np_fail(err, -EBADMSG,
			       "envelope: signingAlgo '%.20s' is not accepted, only rsa2048", sign);
	if (!strcmp(hash, "sha256"))
		env->hash = NP_HASH_SHA256;
	else if (!strcmp(hash, "sha512"))
		env->hash = NP_HASH_SHA512;
	else
		return np_fail(err, -EBADMSG,
			       "envelope: hashingAlgo '%.20s' is not accepted, only sha256, sha512",
			       hash);
	return 0;
}

static int read_members(struct np_envelope *env, size_t len, struct np_err *err)
{
	int ret;

	env->json = np_json_parse(env->text, len, "envelope", err);
	if (!env->json)
		return -EBADMSG;
	env->payload = np_json_get(env->json, "payload");
	if (!env->payload || !np_json_is_object(env->payload))
		return np_fail(err, -EBADMSG, "envelope: has no payload object");
	env->signature = np_json_str(env->json, "signature");
	if (!env->signature || strlen(env->signature) > SIGNATURE_MAX)
		return np_fail(err, -EBADMSG,
			       "envelope: the signature is missing or no text of that kind");
	ret = read_algorithms(env, err);
	if (ret)
		return ret;
	/* A name written with escapes is not found here; then only the second way remains. */
	if (np_jcanon_member(env->text, len, "payload", &env->raw, &env->raw_len))
		env->raw = NULL;
	return 0;
}

int np_envelope_parse(const char *text, size_t len, struct np_envelope **out, struct np_err *err)
{
	struct np_envelope *env;
	int ret;

	if (len > ENVELOPE_MAX)
		return np_fail(err, -EBADMSG, "envelope: %zu bytes, accepted are %u", len,
			       ENVELOPE_MAX);
	env = calloc(1, sizeof(*env) + len + 1);
	if (!env)
		return np_fail(err, -ENOMEM, "envelope: out of memory");
	if (len)
		memcpy(env->text, text, len);
	ret = read_members(env, len, err);
	if (ret) {
		np_envelope_free(env);
		return ret;
	}
	*out = env;
	return 0;
}

void np_envelope_free(struct np_envelope *env)
{
	if (!env)
		return;
	np_json_put(env->json);
	free(env);
}

const struct np_json *np_envelope_payload(const struct np_envelope *env)
{
	return env->payload;
}

static int check(const struct np_envelope *env, const struct np_rsa *key, const void *data,
		 size_t len)
{
	return np_rsa_verify_b64(key, env->hash, data, len, env->signature, strlen(env->signature));
}

int np_envelope_verify_text(const struct np_envelope *env, const struct np_rsa *key,
			    const char *text, size_t len, struct np_err *err)
{
	if (check(env, key, text, len))
		return np_fail(err, -EBADMSG,
			       "envelope: the signature does not match the payload and the key");
	return 0;
}

int np_envelope_verify(const struct np_envelope *env, const struct np_rsa *key, struct np_err *err)
{
	struct np_buf text = NP_BUF_INIT;
	int ret;

	if (env->raw && !check(env, key, env->raw, env->raw_len))
		return 0;
	/* Some peers sign the compact text and send another spacing (noports.md 3.2). */
	ret = np_json_write(env->payload, &text);
	if (ret)
		ret = np_fail(err, ret, "envelope: out of memory");
	else
		ret = np_envelope_verify_text(env, key, (const char *)text.data, text.len, err);
	np_buf_fini(&text);
	return ret;
}
