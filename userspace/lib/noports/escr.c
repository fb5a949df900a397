// SPDX-License-Identifier: BSD-3-Clause
/*
 * The answer is wrapped three times (noports.md 5.6): the signed envelope's base64 is encrypted,
 * its base64 stands with the IV in a second object, and the base64 of that behind the session id on
 * the line.
 */
#include "noports/escr.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"
#include "json/json.h"
#include "noports/msg.h"

#include <errno.h>
#include <string.h>

#define CHALLENGE_MAX 128

void np_escr_fini(struct np_escr *escr)
{
	np_secret_fini(&escr->aes_key);
	np_rsa_free(escr->key);
	memset(escr, 0, sizeof(*escr));
}

int np_escr_check(const struct np_escr *escr, struct np_err *err)
{
	if (!np_session_id_ok(escr->sid))
		return np_fail(err, -EINVAL, "session id: is none");
	if (!np_str_starts(escr->uri, "public:") || strpbrk(escr->uri, "\"\\ \t\r\n") ||
	    !strchr(escr->uri, '@'))
		return np_fail(err, -EINVAL, "public key URI '%.80s': is not public:NAME@ATSIGN",
			       escr->uri);
	if (escr->aes_key.len != NP_AES_KEY_LEN)
		return np_fail(err, -EINVAL, "key for the relay: is not %d bytes", NP_AES_KEY_LEN);
	return escr->key ? 0 : np_fail(err, -EINVAL, "signing key: there is none");
}

/* Signed is the text as it stands in the envelope, in this order. */
static int make_envelope(const struct np_escr *escr, const char *challenge, struct np_buf *out)
{
	struct np_json *p = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	int ret = -ENOMEM;

	if (!p || np_json_set_str(p, "sid", escr->sid) || np_json_set_str(p, "c", challenge) ||
	    np_json_set_str(p, "side", escr->is_side_a ? "a" : "b") || np_json_write(p, &text))
		goto out;
	if ((ret = np_buf_printf(out, "{\"p\":%s,\"s\":\"", np_buf_str(&text))) ||
	    (ret = np_rsa_sign_b64(escr->key, NP_HASH_SHA256, text.data, text.len, out)))
		goto out;
	ret = np_buf_printf(out, "\",\"ha\":\"sha256\",\"sa\":\"rsa2048\",\"sk\":\"%s\"}",
			    escr->uri);
out:
	np_json_put(p);
	np_buf_fini(&text);
	return ret;
}

static int encrypt(const struct np_escr *escr, const struct np_buf *envelope, struct np_buf *out)
{
	char iv_text[NP_B64_LEN(NP_AES_IV_LEN) + 1];
	struct np_buf inner = NP_BUF_INIT;
	uint8_t iv[NP_AES_IV_LEN];
	int ret;

	ret = np_rand_bytes(iv, sizeof(iv));
	if (!ret)
		ret = np_b64_append(&inner, envelope->data, envelope->len);
	if (ret)
		goto out;
	np_b64_encode(iv, sizeof(iv), iv_text);
	ret = np_buf_printf(out, "{\"iv\":\"%s\",\"e\":\"", iv_text);
	if (!ret)
		ret = np_aes_encrypt_b64(&escr->aes_key, iv, inner.data, inner.len, out);
	if (!ret)
		ret = np_buf_append_str(out, "\"}");
out:
	np_buf_fini(&inner);
	return ret;
}

int np_escr_answer(const struct np_escr *escr, const char *challenge, struct np_buf *line)
{
	struct np_buf envelope = NP_BUF_INIT, sealed = NP_BUF_INIT;
	int ret;

	if (strlen(challenge) > CHALLENGE_MAX || !np_str_is_charset(challenge, "+/=-_"))
		return -EBADMSG;
	ret = make_envelope(escr, challenge, &envelope);
	if (!ret)
		ret = encrypt(escr, &envelope, &sealed);
	if (!ret)
		ret = np_buf_printf(line, "%s:", escr->sid);
	if (!ret)
		ret = np_b64_append(line, sealed.data, sealed.len);
	if (!ret)
		ret = np_buf_append_str(line, "\n");
	np_buf_fini(&envelope);
	np_buf_fini(&sealed);
	return ret;
}
