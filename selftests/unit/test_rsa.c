// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/rsa.h"

#include "atvectors.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/b64.h"
#include "harness/ktap.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <errno.h>

static void generated_keys_work(void)
{
	struct np_rsa *key = NULL, *pub = NULL, *again = NULL, *other = NULL;
	struct np_buf text = NP_BUF_INIT, sig = NP_BUF_INIT, enc = NP_BUF_INIT;
	struct np_secret priv = NP_SECRET_INIT, dec = NP_SECRET_INIT;

	KTAP_EQ(np_rsa_generate(&key, NULL), 0);
	KTAP_EQ(np_rsa_public_b64(key, &text), 0);
	KTAP_EQ(text.len, 392);
	KTAP_EQ(np_rsa_load_public(np_buf_str(&text), text.len, &pub, NULL), 0);
	KTAP_OK(np_rsa_same_key(key, pub));
	KTAP_EQ(np_rsa_private_b64(key, &priv), 0);
	KTAP_EQ(np_rsa_load_private(np_secret_str(&priv), priv.len, &again, NULL), 0);
	KTAP_OK(np_rsa_same_key(again, pub));
	KTAP_EQ(np_rsa_sign_b64(again, NP_HASH_SHA512, "text", 4, &sig), 0);
	KTAP_EQ(np_rsa_verify_b64(pub, NP_HASH_SHA512, "text", 4, np_buf_str(&sig), sig.len), 0);
	KTAP_EQ(np_rsa_encrypt_b64(pub, "key", 3, &enc), 0);
	KTAP_EQ(np_rsa_decrypt_b64(key, np_buf_str(&enc), enc.len, &dec, NULL), 0);
	KTAP_STREQ(np_secret_str(&dec), "key");
	KTAP_EQ(np_rsa_generate(&other, NULL), 0);
	KTAP_OK(!np_rsa_same_key(other, pub));
	KTAP_EQ(np_rsa_verify_b64(other, NP_HASH_SHA512, "text", 4, np_buf_str(&sig), sig.len),
		-EBADMSG);
	np_rsa_free(key);
	np_rsa_free(pub);
	np_rsa_free(again);
	np_rsa_free(other);
	np_buf_fini(&text);
	np_buf_fini(&sig);
	np_buf_fini(&enc);
	np_secret_fini(&priv);
	np_secret_fini(&dec);
}

static void public_refused(const char *text, size_t len)
{
	struct np_rsa *key = NULL;
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(np_rsa_load_public(text, len, &key, &err), -EBADMSG);
	KTAP_OK(!key && err.msg[0]);
	np_rsa_free(key);
}

static void other_key(EVP_PKEY *key)
{
	struct np_buf text = NP_BUF_INIT;
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	np_b64_append(&text, der, (size_t)len);
	public_refused(np_buf_str(&text), text.len);
	np_buf_fini(&text);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
}

static void weak_and_foreign_keys_are_refused(void)
{
	other_key(EVP_RSA_gen(1024));
	other_key(EVP_EC_gen("P-256"));
}

static void damaged_keys_are_refused(void)
{
	char bent[512];
	size_t i;

	public_refused("", 0);
	public_refused("AAAA", 4);
	public_refused("not base64", 10);
	public_refused(VEC_RSA_PRIVATE, strlen(VEC_RSA_PRIVATE));
	for (i = 4; i < strlen(VEC_RSA_PUBLIC); i += 4)
		public_refused(VEC_RSA_PUBLIC, i);
	snprintf(bent, sizeof(bent), "%s", VEC_RSA_PUBLIC);
	bent[20] = '!';
	public_refused(bent, strlen(bent));
	{
		static char big[20000];
		struct np_rsa *key = NULL;

		memset(big, 'A', sizeof(big));
		public_refused(big, sizeof(big));
		KTAP_EQ(np_rsa_load_private(big, sizeof(big), &key, NULL), -EBADMSG);
		KTAP_EQ(np_rsa_load_private("", 0, &key, NULL), -EBADMSG);
		KTAP_EQ(np_rsa_load_private(VEC_RSA_PRIVATE, strlen(VEC_RSA_PRIVATE) - 4, &key,
					    NULL),
			-EBADMSG);
		KTAP_EQ(np_rsa_load_private(VEC_RSA_PUBLIC, strlen(VEC_RSA_PUBLIC), &key, NULL),
			-EBADMSG);
	}
}

static void damaged_ciphertexts_and_signatures(void)
{
	struct np_rsa *key = NULL;
	struct np_secret out = NP_SECRET_INIT;
	struct np_err err = NP_ERR_INIT;
	struct np_buf big = NP_BUF_INIT;
	static uint8_t bytes[600];
	char long_text[256];

	KTAP_EQ(np_rsa_load_private(VEC_RSA_PRIVATE, strlen(VEC_RSA_PRIVATE), &key, NULL), 0);
	KTAP_EQ(np_rsa_decrypt_b64(key, "AAAA", 4, &out, &err), -EBADMSG);
	KTAP_EQ(np_rsa_decrypt_b64(key, "", 0, &out, &err), -EBADMSG);
	KTAP_EQ(np_rsa_decrypt_b64(key, "no!!", 4, &out, &err), -EBADMSG);
	np_b64_append(&big, bytes, sizeof(bytes));
	KTAP_EQ(np_rsa_decrypt_b64(key, np_buf_str(&big), big.len, &out, &err), -EBADMSG);
	KTAP_EQ(np_rsa_verify_b64(key, NP_HASH_SHA256, "x", 1, np_buf_str(&big), big.len),
		-EBADMSG);
	KTAP_EQ(np_rsa_verify_b64(key, NP_HASH_SHA256, "x", 1, "", 0), -EBADMSG);
	KTAP_EQ(np_rsa_verify_b64(key, NP_HASH_SHA256, "x", 1, "AAAA", 4), -EBADMSG);
	/* more than a block can hold */
	memset(long_text, 'x', sizeof(long_text));
	np_buf_fini(&big);
	KTAP_EQ(np_rsa_encrypt_b64(key, long_text, sizeof(long_text), &big), -EIO);
	np_rsa_free(key);
	np_buf_fini(&big);
	np_secret_fini(&out);
}

int main(void)
{
	KTAP_RUN(generated_keys_work);
	KTAP_RUN(weak_and_foreign_keys_are_refused);
	KTAP_RUN(damaged_keys_are_refused);
	KTAP_RUN(damaged_ciphertexts_and_signatures);
	return ktap_done();
}
