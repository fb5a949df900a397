// SPDX-License-Identifier: BSD-3-Clause
#include "atvectors.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/hash.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"

#include <errno.h>

static struct np_rsa *priv, *pub;
static struct np_secret aes = NP_SECRET_INIT;
static uint8_t iv[16];

static void load_inputs(void)
{
	KTAP_EQ(np_rsa_load_private(VEC_RSA_PRIVATE, strlen(VEC_RSA_PRIVATE), &priv, NULL), 0);
	KTAP_EQ(np_rsa_load_public(VEC_RSA_PUBLIC, strlen(VEC_RSA_PUBLIC), &pub, NULL), 0);
	KTAP_OK(np_rsa_same_key(priv, pub));
	KTAP_EQ(np_b64_decode_secret(VEC_AES_KEY, strlen(VEC_AES_KEY), &aes), 0);
	KTAP_EQ(aes.len, 32);
	KTAP_EQ(np_b64_decode(VEC_IV, strlen(VEC_IV), iv, sizeof(iv)), 16);
	KTAP_EQ(iv[0], 0xa0);
	KTAP_EQ(iv[15], 0xaf);
}

static void challenge_digest(void)
{
	char hex[NP_HASH_HEX_MAX];

	KTAP_EQ(np_hash_hex(NP_HASH_SHA256, VEC_CHALLENGE, strlen(VEC_CHALLENGE), NULL, 0, hex), 0);
	KTAP_STREQ(hex, VEC_CHALLENGE_SHA256);
}

static void cram_digests(void)
{
	char hex[NP_HASH_HEX_MAX];

	np_hash_hex(NP_HASH_SHA512, VEC_CRAM_SECRET_1, strlen(VEC_CRAM_SECRET_1), VEC_CHALLENGE,
		    strlen(VEC_CHALLENGE), hex);
	KTAP_STREQ(hex, VEC_CRAM_DIGEST_1);
	np_hash_hex(NP_HASH_SHA512, VEC_CRAM_SECRET_2, strlen(VEC_CRAM_SECRET_2), VEC_CHALLENGE,
		    strlen(VEC_CHALLENGE), hex);
	KTAP_STREQ(hex, VEC_CRAM_DIGEST_2);
}

static void keys_write_as_they_were_read(void)
{
	struct np_secret text = NP_SECRET_INIT;
	struct np_buf pub_text = NP_BUF_INIT, pub_text2 = NP_BUF_INIT;

	KTAP_EQ(np_rsa_private_b64(priv, &text), 0);
	KTAP_STREQ(np_secret_str(&text), VEC_RSA_PRIVATE);
	KTAP_EQ(np_rsa_public_b64(priv, &pub_text), 0);
	KTAP_STREQ(np_buf_str(&pub_text), VEC_RSA_PUBLIC);
	KTAP_EQ(np_rsa_public_b64(pub, &pub_text2), 0);
	KTAP_STREQ(np_buf_str(&pub_text2), VEC_RSA_PUBLIC);
	np_secret_fini(&text);
	np_buf_fini(&pub_text);
	np_buf_fini(&pub_text2);
}

static void check_signature(enum np_hash_alg alg, const char *text, const char *want)
{
	struct np_buf sig = NP_BUF_INIT;
	char bent[512];

	KTAP_EQ(np_rsa_sign_b64(priv, alg, text, strlen(text), &sig), 0);
	KTAP_STREQ(np_buf_str(&sig), want);
	np_buf_fini(&sig);
	KTAP_EQ(np_rsa_verify_b64(pub, alg, text, strlen(text), want, strlen(want)), 0);
	KTAP_EQ(np_rsa_verify_b64(pub, alg, text, strlen(text) - 1, want, strlen(want)), -EBADMSG);
	snprintf(bent, sizeof(bent), "%s", want);
	bent[10] = bent[10] == 'A' ? 'B' : 'A';
	KTAP_EQ(np_rsa_verify_b64(pub, alg, text, strlen(text), bent, strlen(bent)), -EBADMSG);
	KTAP_EQ(np_rsa_verify_b64(pub, alg == NP_HASH_SHA256 ? NP_HASH_SHA512 : NP_HASH_SHA256,
				  text, strlen(text), want, strlen(want)),
		-EBADMSG);
}

static void signatures(void)
{
	check_signature(NP_HASH_SHA256, VEC_CHALLENGE, VEC_PKAM_SHA256);
	check_signature(NP_HASH_SHA512, VEC_CHALLENGE, VEC_PKAM_SHA512);
	check_signature(NP_HASH_SHA256, VEC_POL_UUID, VEC_POL_SHA256);
	check_signature(NP_HASH_SHA256, "hello", VEC_HELLO_SHA256);
}

static void check_cipher(const char *plain, const uint8_t *with_iv, const char *want)
{
	struct np_buf enc = NP_BUF_INIT;
	struct np_secret dec = NP_SECRET_INIT;

	KTAP_EQ(np_aes_encrypt_b64(&aes, with_iv, plain, strlen(plain), &enc), 0);
	KTAP_STREQ(np_buf_str(&enc), want);
	KTAP_EQ(np_aes_decrypt_b64(&aes, with_iv, want, strlen(want), &dec, NULL), 0);
	KTAP_STREQ(np_secret_str(&dec), plain);
	KTAP_EQ(dec.len, strlen(plain));
	np_buf_fini(&enc);
	np_secret_fini(&dec);
}

static void ctr_with_pkcs7(void)
{
	uint8_t ones[16];

	check_cipher("", NULL, "4oAQpjpZj8C544p6zT5nkA==");
	check_cipher("ping", NULL, "gvlu0SZFk9yl/5Zm0SJ7jA==");
	check_cipher("hello world", NULL, "mvVs2kVp6L/bn/5v2CtyhQ==");
	check_cipher("0123456789abcdef", NULL, "wqEyhR58qeeRyvsIvkoS5uBNZr5aqY/1tuaLIVjSJi0=");
	check_cipher("", iv, "zI8R7WaobB0fW/iVGxv88A==");
	check_cipher("ping", iv, "rPZvmnq0cAEDR+SJBwfg7A==");
	check_cipher("hello world", iv, "tPptkRmYC2J9J4yADg7p5Q==");
	check_cipher("0123456789abcdef", iv, "7K4zzkKNSjo3connaG+JhvHB+wFsUYU4/Jromncgw48=");
	memset(ones, 0xff, sizeof(ones));
	check_cipher("0123456789abcdefXYZ", ones, "2ajWLniSRu1rvnAZPusyiKrJWrsnRJLdpP6XZ9Ajeo0=");
}

static void check_wrapped(const char *plain, size_t len, const char *begin, const char *sha256)
{
	struct np_buf enc = NP_BUF_INIT;
	char hex[NP_HASH_HEX_MAX];

	KTAP_EQ(np_aes_encrypt_b64(&aes, NULL, plain, strlen(plain), &enc), 0);
	KTAP_EQ(enc.len, len);
	KTAP_OK(!strncmp(np_buf_str(&enc), begin, strlen(begin)));
	np_hash_hex(NP_HASH_SHA256, enc.data, enc.len, NULL, 0, hex);
	if (sha256)
		KTAP_STREQ(hex, sha256);
	np_buf_fini(&enc);
}

static void key_file_values(void)
{
	check_wrapped(VEC_RSA_PUBLIC, 536,
		      "v9lJ9GMj3p7rlPEbtUUex8kqRuwL6Nqj57fUcgmTDnxD9fyc9kvI/kn57HRsHfT/",
		      "9c4471fcfc93f09636d588263df9812a48c8cfb0a3be1a293c0354a91b8d4b5b");
	check_wrapped(VEC_RSA_PRIVATE, 2176, "v9lJ81wu1pLot9skn0kc8Zg2H+lzzq+n56fedwmDZX5M",
		      "a0587e1a3bc0a13bece74933955d87cd01d5bd0806569e91c156fc72ae172794");
	check_wrapped(VEC_AES_KEY, 64,
		      "s9FF9Ws+zpbrlPkjnn8YzLQcRuEOwd63457WZA6Qb2VJ/t6/8lT02UDAkQgcKJWd", NULL);
}

static void rsa_wrapped_aes_key(void)
{
	struct np_secret text = NP_SECRET_INIT;
	struct np_buf again = NP_BUF_INIT;

	KTAP_EQ(np_rsa_decrypt_b64(priv, VEC_RSA_WRAPPED_AES, strlen(VEC_RSA_WRAPPED_AES), &text,
				   NULL),
		0);
	KTAP_STREQ(np_secret_str(&text), VEC_AES_KEY);
	KTAP_EQ(np_rsa_encrypt_b64(pub, text.data, text.len, &again), 0);
	KTAP_EQ(again.len, 344);
	np_secret_fini(&text);
	KTAP_EQ(np_rsa_decrypt_b64(priv, np_buf_str(&again), again.len, &text, NULL), 0);
	KTAP_STREQ(np_secret_str(&text), VEC_AES_KEY);
	np_secret_fini(&text);
	np_buf_fini(&again);
}

static void public_key_checksums(void)
{
	char hex[NP_HASH_HEX_MAX];

	np_hash_hex(NP_HASH_MD5, VEC_RSA_PUBLIC, strlen(VEC_RSA_PUBLIC), NULL, 0, hex);
	KTAP_STREQ(hex, VEC_PUBLIC_MD5);
	np_hash_hex(NP_HASH_SHA256, VEC_RSA_PUBLIC, strlen(VEC_RSA_PUBLIC), NULL, 0, hex);
	KTAP_STREQ(hex, VEC_PUBLIC_SHA256);
	np_hash_hex(NP_HASH_SHA512, VEC_RSA_PUBLIC, strlen(VEC_RSA_PUBLIC), NULL, 0, hex);
	KTAP_STREQ(hex, VEC_PUBLIC_SHA512);
}

int main(void)
{
	KTAP_RUN(load_inputs);
	KTAP_RUN(challenge_digest);
	KTAP_RUN(cram_digests);
	KTAP_RUN(keys_write_as_they_were_read);
	KTAP_RUN(signatures);
	KTAP_RUN(ctr_with_pkcs7);
	KTAP_RUN(key_file_values);
	KTAP_RUN(rsa_wrapped_aes_key);
	KTAP_RUN(public_key_checksums);
	np_rsa_free(priv);
	np_rsa_free(pub);
	np_secret_fini(&aes);
	return ktap_done();
}
