// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/aesctr.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/b64.h"

#include <openssl/evp.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

static const uint8_t zero_iv[NP_AES_IV_LEN];

int np_aesctr_new(const uint8_t key[NP_AES_KEY_LEN], const uint8_t iv[NP_AES_IV_LEN], struct np_aesctr **out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx)
		return -ENOMEM;
	if (EVP_EncryptInit_ex(ctx, EVP_aes_256_ctr(), NULL, key, iv) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		return -EIO;
	}
	*out = (struct np_aesctr *)ctx;
	return 0;
}

void np_aesctr_free(struct np_aesctr *ctr)
{
	EVP_CIPHER_CTX_free((EVP_CIPHER_CTX *)ctr);
}

int np_aesctr_xor(struct np_aesctr *ctr, void *data, size_t len)
{
	uint8_t *p = data;

	while (len) {
		int part = len > (1u << 30) ? 1 << 30 : (int)len, got;

		if (EVP_EncryptUpdate((EVP_CIPHER_CTX *)ctr, p, &got, p, part) != 1 || got != part)
			return -EIO;
		p += part;
		len -= (size_t)part;
	}
	return 0;
}

static int crypt_once(const struct np_secret *key, const uint8_t *iv, void *data, size_t len)
{
	struct np_aesctr *ctr;
	int ret;

	if (key->len != NP_AES_KEY_LEN)
		return -EINVAL;
	ret = np_aesctr_new(key->data, iv ? iv : zero_iv, &ctr);
	if (ret)
		return ret;
	ret = np_aesctr_xor(ctr, data, len);
	np_aesctr_free(ctr);
	return ret;
}

int np_aes_encrypt_b64(const struct np_secret *key, const uint8_t *iv, const void *plain, size_t len,
		       struct np_buf *out)
{
	size_t pad = 16 - len % 16;
	struct np_secret work = NP_SECRET_INIT;
	int ret;

	ret = np_secret_alloc(&work, len + pad);
	if (ret)
		return ret;
	if (len)
		memcpy(work.data, plain, len);
	memset(work.data + len, (int)pad, pad);
	ret = crypt_once(key, iv, work.data, work.len);
	if (!ret)
		ret = np_b64_append(out, work.data, work.len);
	np_secret_fini(&work);
	return ret;
}

int np_aes_decrypt_b64(const struct np_secret *key, const uint8_t *iv, const char *text, size_t len,
		       struct np_secret *out, struct np_err *err)
{
	size_t pad, i;
	unsigned int bad = 0;
	int ret;

	ret = np_b64_decode_secret(text, len, out);
	if (ret)
		return np_fail(err, -EBADMSG, "encrypted value is not base64");
	if (!out->len || out->len % 16) {
		ret = np_fail(err, -EBADMSG, "encrypted value has %zu bytes, not a multiple of 16", out->len);
		goto fail;
	}
	ret = crypt_once(key, iv, out->data, out->len);
	if (ret) {
		np_fail(err, ret, "value cannot be decrypted: wrong key length or cipher failure");
		goto fail;
	}
	pad = out->data[out->len - 1];
	if (!pad || pad > 16) {
		bad = 1;
	} else {
		for (i = 1; i <= pad; i++)
			bad |= out->data[out->len - i] ^ (unsigned int)pad;
	}
	if (bad) {
		ret = np_fail(err, -EBADMSG, "value does not decrypt with this key (padding wrong)");
		goto fail;
	}
	out->len -= pad;
	out->data[out->len] = '\0';
	return 0;
fail:
	np_secret_fini(out);
	return ret;
}
