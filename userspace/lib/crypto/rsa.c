// SPDX-License-Identifier: BSD-3-Clause
/* struct np_rsa is an EVP_PKEY of type RSA. */
#include "crypto/rsa.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/b64.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <errno.h>
#include <string.h>

#define DER_MAX 4096
#define MODULUS_MAX 512

static EVP_PKEY *raw(const struct np_rsa *key)
{
	return (EVP_PKEY *)(uintptr_t)key;
}

int np_rsa_generate(struct np_rsa **out, struct np_err *err)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);

	if (!key)
		return np_fail(err, -EIO, "RSA key pair: OpenSSL cannot generate one");
	*out = (struct np_rsa *)key;
	return 0;
}

static int go_on(EVP_PKEY_CTX *ctx)
{
	return !atomic_load((const atomic_bool *)EVP_PKEY_CTX_get_app_data(ctx));
}

int np_rsa_generate_unless(const atomic_bool *stop, struct np_rsa **out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	EVP_PKEY *key = NULL;
	int ok;

	ok = ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) == 1;
	if (ok) {
		EVP_PKEY_CTX_set_app_data(ctx, (void *)(uintptr_t)stop);
		EVP_PKEY_CTX_set_cb(ctx, go_on);
		ok = EVP_PKEY_keygen(ctx, &key) == 1;
	}
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	if (!ok)
		return atomic_load(stop) ? -ECANCELED : -EIO;
	*out = (struct np_rsa *)key;
	return 0;
}

struct np_rsa *np_rsa_ref(const struct np_rsa *key)
{
	if (key)
		(void)EVP_PKEY_up_ref(raw(key));
	return (struct np_rsa *)raw(key);
}

void np_rsa_free(struct np_rsa *key)
{
	EVP_PKEY_free(raw(key));
}

static int accept_key(EVP_PKEY *key, const char *what, struct np_rsa **out, struct np_err *err)
{
	ERR_clear_error();
	if (!key)
		return np_fail(err, -EBADMSG, "%s key: is no valid DER", what);
	if (EVP_PKEY_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_bits(key) < 2048 || EVP_PKEY_bits(key) > 4096) {
		EVP_PKEY_free(key);
		return np_fail(err, -EBADMSG, "%s key: is no RSA key of 2048 to 4096 bits", what);
	}
	*out = (struct np_rsa *)key;
	return 0;
}

int np_rsa_load_public(const char *b64, size_t len, struct np_rsa **out, struct np_err *err)
{
	uint8_t der[DER_MAX];
	const uint8_t *p = der;
	long n;

	n = np_b64_decode(b64, len, der, sizeof(der));
	if (n <= 0)
		return np_fail(err, -EBADMSG, "public key: is not base64");
	return accept_key(d2i_PUBKEY(NULL, &p, n), "public", out, err);
}

int np_rsa_load_private(const char *b64, size_t len, struct np_rsa **out, struct np_err *err)
{
	struct np_secret der = NP_SECRET_INIT;
	const uint8_t *p;
	int ret;

	if (len > DER_MAX || np_b64_decode_secret(b64, len, &der))
		return np_fail(err, -EBADMSG, "private key: is not base64");
	p = der.data;
	ret = accept_key(d2i_AutoPrivateKey(NULL, &p, (long)der.len), "private", out, err);
	np_secret_fini(&der);
	return ret;
}

int np_rsa_public_b64(const struct np_rsa *key, struct np_buf *out)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(raw(key), &der), ret;

	if (len <= 0)
		return -EIO;
	ret = np_b64_append(out, der, (size_t)len);
	OPENSSL_free(der);
	return ret;
}

int np_rsa_private_b64(const struct np_rsa *key, struct np_secret *out)
{
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(raw(key));
	uint8_t *der = NULL;
	int len = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, &der) : -1, ret = -EIO;

	if (len > 0) {
		ret = np_secret_alloc(out, NP_B64_LEN((size_t)len));
		if (!ret)
			np_b64_encode(der, (size_t)len, (char *)out->data);
		OPENSSL_clear_free(der, (size_t)len);
	}
	PKCS8_PRIV_KEY_INFO_free(p8);
	return ret;
}

bool np_rsa_same_key(const struct np_rsa *a, const struct np_rsa *b)
{
	return EVP_PKEY_eq(raw(a), raw(b)) == 1;
}

static const EVP_MD *md_of(enum np_hash_alg alg)
{
	return alg == NP_HASH_SHA512 ? EVP_sha512() : EVP_sha256();
}

int np_rsa_sign_b64(const struct np_rsa *key, enum np_hash_alg alg, const void *data, size_t len,
		    struct np_buf *out)
{
	uint8_t sig[MODULUS_MAX];
	size_t sig_len = sizeof(sig);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	ok = ctx && EVP_DigestSignInit(ctx, NULL, md_of(alg), NULL, raw(key)) == 1 &&
	     EVP_DigestSign(ctx, sig, &sig_len, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? np_b64_append(out, sig, sig_len) : -EIO;
}

int np_rsa_verify_b64(const struct np_rsa *key, enum np_hash_alg alg, const void *data, size_t len,
		      const char *sig_b64, size_t sig_len)
{
	uint8_t sig[MODULUS_MAX];
	EVP_MD_CTX *ctx;
	long n;
	int ok;

	n = np_b64_decode(sig_b64, sig_len, sig, sizeof(sig));
	if (n <= 0)
		return -EBADMSG;
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestVerifyInit(ctx, NULL, md_of(alg), NULL, raw(key)) == 1 &&
	     EVP_DigestVerify(ctx, sig, (size_t)n, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? 0 : -EBADMSG;
}

int np_rsa_encrypt_b64(const struct np_rsa *key, const void *data, size_t len, struct np_buf *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(raw(key), NULL);
	uint8_t enc[MODULUS_MAX];
	size_t enc_len = sizeof(enc);
	int ok;

	ok = ctx && EVP_PKEY_encrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	     EVP_PKEY_encrypt(ctx, enc, &enc_len, data, len) == 1;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return ok ? np_b64_append(out, enc, enc_len) : -EIO;
}

int np_rsa_decrypt_b64(const struct np_rsa *key, const char *text, size_t len, struct np_secret *out,
		       struct np_err *err)
{
	uint8_t enc[MODULUS_MAX], plain[MODULUS_MAX];
	size_t plain_len = sizeof(plain);
	EVP_PKEY_CTX *ctx;
	long n;
	int ok, ret;

	n = np_b64_decode(text, len, enc, sizeof(enc));
	if (n <= 0)
		return np_fail(err, -EBADMSG, "encrypted key is not base64");
	ctx = EVP_PKEY_CTX_new(raw(key), NULL);
	ok = ctx && EVP_PKEY_decrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	     EVP_PKEY_decrypt(ctx, plain, &plain_len, enc, (size_t)n) == 1;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	if (!ok)
		return np_fail(err, -EBADMSG, "encrypted key was not made for this private key");
	ret = np_secret_set(out, plain, plain_len);
	np_wipe(plain, sizeof(plain));
	return ret;
}
