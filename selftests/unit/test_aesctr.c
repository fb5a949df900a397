// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/aesctr.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/b64.h"
#include "crypto/rand.h"
#include "harness/ktap.h"

#include <errno.h>

/* NIST SP 800-38A, F.5.5 */
static const uint8_t nist_key[32] = {0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe,
				     0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77, 0x81,
				     0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7,
				     0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4};
static const uint8_t nist_iv[16] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7,
				    0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff};
static const uint8_t nist_plain[16] = {0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96,
				       0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a};

static void nist_vector(void)
{
	struct np_aesctr *ctr = NULL;
	uint8_t work[16];
	char hex[33];

	memcpy(work, nist_plain, 16);
	KTAP_EQ(np_aesctr_new(nist_key, nist_iv, &ctr), 0);
	KTAP_EQ(np_aesctr_xor(ctr, work, 16), 0);
	np_hex_encode(work, 16, hex);
	KTAP_STREQ(hex, "601ec313775789a5b7a7f504bbf3d228");
	np_aesctr_free(ctr);
}

static void pieces_give_the_same_stream(void)
{
	struct np_aesctr *whole = NULL, *parts = NULL;
	uint8_t a[5000], b[5000];
	size_t at = 0, step = 1;

	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	np_aesctr_new(nist_key, nist_iv, &whole);
	np_aesctr_new(nist_key, nist_iv, &parts);
	KTAP_EQ(np_aesctr_xor(whole, a, sizeof(a)), 0);
	for (; at < sizeof(b); at += step, step = step % 97 + 1) {
		if (step > sizeof(b) - at)
			step = sizeof(b) - at;
		KTAP_EQ(np_aesctr_xor(parts, b + at, step), 0);
	}
	KTAP_OK(!memcmp(a, b, sizeof(a)));
	KTAP_EQ(np_aesctr_xor(parts, b, 0), 0);
	np_aesctr_free(whole);
	np_aesctr_free(parts);
}

static void every_length_comes_back(void)
{
	struct np_secret key = NP_SECRET_INIT, out = NP_SECRET_INIT;
	uint8_t plain[70], iv[16];
	size_t len;

	np_secret_set(&key, nist_key, 32);
	np_rand_bytes(iv, sizeof(iv));
	np_rand_bytes(plain, sizeof(plain));
	for (len = 0; len <= sizeof(plain); len++) {
		struct np_buf text = NP_BUF_INIT;

		KTAP_EQ(np_aes_encrypt_b64(&key, iv, plain, len, &text), 0);
		KTAP_EQ(text.len, NP_B64_LEN((len / 16 + 1) * 16));
		KTAP_EQ(np_aes_decrypt_b64(&key, iv, np_buf_str(&text), text.len, &out, NULL), 0);
		KTAP_EQ(out.len, len);
		KTAP_OK(!memcmp(out.data, plain, len) && out.data[len] == '\0');
		np_buf_fini(&text);
	}
	np_secret_fini(&key);
	np_secret_fini(&out);
}

static int decrypt(const struct np_secret *key, const char *text, struct np_err *err)
{
	struct np_secret out = NP_SECRET_INIT;
	int ret = np_aes_decrypt_b64(key, NULL, text, strlen(text), &out, err);

	KTAP_OK(!ret || !out.data);
	np_secret_fini(&out);
	return ret;
}

static void damaged_values_are_refused(void)
{
	struct np_secret key = NP_SECRET_INIT;
	struct np_err err = NP_ERR_INIT;
	struct np_buf text = NP_BUF_INIT;
	uint8_t raw[16] = {0};
	struct np_aesctr *ctr;
	unsigned int pad;

	np_secret_set(&key, nist_key, 32);
	KTAP_EQ(decrypt(&key, "not base64!!", &err), -EBADMSG);
	KTAP_OK(strstr(err.msg, "base64"));
	KTAP_EQ(decrypt(&key, "", &err), -EBADMSG);
	KTAP_EQ(decrypt(&key, "AAAA", &err), -EBADMSG);
	KTAP_OK(strstr(err.msg, "multiple of 16"));
	/* every wrong last byte: 0 and 17..255; and a padding whose bytes differ */
	for (pad = 0; pad < 256; pad++) {
		uint8_t work[16];

		memcpy(work, raw, 16);
		work[15] = (uint8_t)pad;
		ctr = NULL;
		np_aesctr_new(nist_key, raw, &ctr);
		np_aesctr_xor(ctr, work, 16);
		np_aesctr_free(ctr);
		np_buf_fini(&text);
		np_b64_append(&text, work, 16);
		/* one byte 01 is right; 02..16 would need more of them */
		KTAP_EQ(decrypt(&key, np_buf_str(&text), &err), pad == 1 ? 0 : -EBADMSG);
	}
	np_buf_fini(&text);
	np_secret_fini(&key);
}

static void wrong_key_length(void)
{
	struct np_secret key = NP_SECRET_INIT;
	struct np_buf text = NP_BUF_INIT;
	struct np_err err = NP_ERR_INIT;

	np_secret_set(&key, nist_key, 16);
	KTAP_EQ(np_aes_encrypt_b64(&key, NULL, "x", 1, &text), -EINVAL);
	KTAP_EQ(decrypt(&key, "4oAQpjpZj8C544p6zT5nkA==", &err), -EINVAL);
	np_secret_fini(&key);
	np_buf_fini(&text);
}

int main(void)
{
	KTAP_RUN(nist_vector);
	KTAP_RUN(pieces_give_the_same_stream);
	KTAP_RUN(every_length_comes_back);
	KTAP_RUN(damaged_values_are_refused);
	KTAP_RUN(wrong_key_length);
	return ktap_done();
}
