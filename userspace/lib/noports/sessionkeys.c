// SPDX-License-Identifier: BSD-3-Clause
#include "noports/sessionkeys.h"

#include "base/buf.h"
#include "base/err.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"
#include "noports/msg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void np_session_keys_fini(struct np_session_keys *keys)
{
	np_secret_fini(&keys->key_c2d);
	np_secret_fini(&keys->iv_c2d);
	np_secret_fini(&keys->key_d2c);
	np_secret_fini(&keys->iv_d2c);
	keys->twin = false;
}

static int random_secret(struct np_secret *secret, size_t len)
{
	int ret = np_secret_alloc(secret, len);

	return ret ? ret : np_rand_bytes(secret->data, len);
}

static int mirror(struct np_session_keys *keys)
{
	int ret = np_secret_dup(&keys->key_d2c, &keys->key_c2d);

	return ret ? ret : np_secret_dup(&keys->iv_d2c, &keys->iv_c2d);
}

int np_session_keys_generate(bool twin, struct np_session_keys *keys)
{
	int ret;

	np_session_keys_fini(keys);
	keys->twin = twin;
	if ((ret = random_secret(&keys->key_c2d, NP_AES_KEY_LEN)) ||
	    (ret = random_secret(&keys->iv_c2d, NP_AES_IV_LEN)))
		goto out;
	if (!twin)
		ret = mirror(keys);
	else if (!(ret = random_secret(&keys->key_d2c, NP_AES_KEY_LEN)))
		ret = random_secret(&keys->iv_d2c, NP_AES_IV_LEN);
out:
	if (ret)
		np_session_keys_fini(keys);
	return ret;
}

/* What travels is the RSA ciphertext of the base64 text, not of the raw bytes (trap 3). */
static int seal(const struct np_secret *secret, const struct np_rsa *pk, char **out)
{
	char text[NP_B64_LEN(NP_AES_KEY_LEN) + 1];
	struct np_buf cipher = NP_BUF_INIT;
	size_t len;
	int ret;

	if (secret->len > NP_AES_KEY_LEN)
		return -EINVAL;
	len = np_b64_encode(secret->data, secret->len, text);
	ret = np_rsa_encrypt_b64(pk, text, len, &cipher);
	np_wipe(text, sizeof(text));
	if (!ret) {
		free(*out);
		*out = strdup(np_buf_str(&cipher));
		ret = *out ? 0 : -ENOMEM;
	}
	np_buf_fini(&cipher);
	return ret;
}

int np_session_keys_seal(const struct np_session_keys *keys, const struct np_rsa *client_pk,
			 struct np_session_answer *answer)
{
	int ret;

	answer->twin_keys = keys->twin;
	if ((ret = seal(&keys->key_c2d, client_pk, &answer->key_c2d)) ||
	    (ret = seal(&keys->iv_c2d, client_pk, &answer->iv_c2d)) || !keys->twin)
		return ret;
	ret = seal(&keys->key_d2c, client_pk, &answer->key_d2c);
	return ret ? ret : seal(&keys->iv_d2c, client_pk, &answer->iv_d2c);
}

static int open_one(const char *cipher, const struct np_rsa *key, size_t want, const char *what,
		    struct np_secret *out, struct np_err *err)
{
	struct np_secret text = NP_SECRET_INIT;
	int ret;

	ret = np_rsa_decrypt_b64(key, cipher, strlen(cipher), &text, err);
	if (ret)
		np_err_prefix(err, "session answer: %s", what);
	else if (np_b64_decode_secret(np_secret_str(&text), text.len, out) || out->len != want)
		ret = np_fail(err, -EBADMSG, "session answer: %s is not base64 of %zu bytes", what,
			      want);
	np_secret_fini(&text);
	return ret;
}

int np_session_keys_open(const struct np_session_answer *answer, const struct np_rsa *ephemeral,
			 struct np_session_keys *keys, struct np_err *err)
{
	int ret;

	np_session_keys_fini(keys);
	if (!answer->key_c2d || !answer->iv_c2d)
		return np_fail(err, -EBADMSG, "session answer: holds no session key");
	keys->twin = answer->key_d2c && answer->iv_d2c;
	if ((ret = open_one(answer->key_c2d, ephemeral, NP_AES_KEY_LEN, "key", &keys->key_c2d,
			    err)) ||
	    (ret = open_one(answer->iv_c2d, ephemeral, NP_AES_IV_LEN, "IV", &keys->iv_c2d, err)))
		goto out;
	if (!keys->twin)
		ret = mirror(keys);
	else if (!(ret = open_one(answer->key_d2c, ephemeral, NP_AES_KEY_LEN, "key D2C",
				  &keys->key_d2c, err)))
		ret = open_one(answer->iv_d2c, ephemeral, NP_AES_IV_LEN, "IV D2C", &keys->iv_d2c,
			       err);
out:
	if (ret)
		np_session_keys_fini(keys);
	return ret;
}
