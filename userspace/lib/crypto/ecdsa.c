// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/ecdsa.h"

#include "crypto/b64.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define HALF 32
#define POINT (1 + 2 * HALF)
#define DER_MAX 80

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly @nr bytes, no more and no fewer digits. */
static int from_hex(const char *hex, size_t len, uint8_t *dst, size_t nr)
{
	size_t i;

	if (len != 2 * nr)
		return -EBADMSG;
	for (i = 0; i < nr; i++) {
		int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EBADMSG;
		dst[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* OpenSSL checks that the point is on the curve. */
static EVP_PKEY *load(const char *hex)
{
	char group[] = "prime256v1";
	uint8_t point[POINT];
	OSSL_PARAM params[3];
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key = NULL;

	if (from_hex(hex, strlen(hex), point, POINT) || point[0] != 4)
		return NULL;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, POINT);
	params[2] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return key;
}

bool np_ecdsa_is_public(const char *hex)
{
	EVP_PKEY *key = load(hex);

	EVP_PKEY_free(key);
	return key != NULL;
}

/* r and s into the DER form that OpenSSL verifies. Return: its length, or -EBADMSG. */
static int to_der(const uint8_t rs[2 * HALF], uint8_t der[DER_MAX])
{
	BIGNUM *r = BN_bin2bn(rs, HALF, NULL), *s = BN_bin2bn(rs + HALF, HALF, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	uint8_t *p = der;
	int len = -EBADMSG;

	if (r && s && sig && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* the signature's now */
		if (i2d_ECDSA_SIG(sig, NULL) <= DER_MAX)
			len = i2d_ECDSA_SIG(sig, &p);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return len > 0 ? len : -EBADMSG;
}

int np_ecdsa_verify_b64(const char *public_hex, const void *data, size_t len, const char *sig_b64,
			size_t sig_len)
{
	char hex[4 * HALF + 8];
	uint8_t rs[2 * HALF], der[DER_MAX];
	EVP_MD_CTX *ctx = NULL;
	EVP_PKEY *key;
	int der_len, ok;
	long n;

	n = np_b64_decode(sig_b64, sig_len, hex, sizeof(hex));
	if (n <= 0 || from_hex(hex, (size_t)n, rs, sizeof(rs)))
		return -EBADMSG;
	der_len = to_der(rs, der);
	key = der_len > 0 ? load(public_hex) : NULL;
	if (!key)
		return -EBADMSG;
	ctx = EVP_MD_CTX_new();
	ok = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	     EVP_DigestVerify(ctx, der, (size_t)der_len, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok ? 0 : -EBADMSG;
}
