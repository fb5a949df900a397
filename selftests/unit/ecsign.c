// SPDX-License-Identifier: BSD-3-Clause
#include "ecsign.h"

#include "base/str.h"
#include "crypto/b64.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

static void must(int ok)
{
	if (!ok)
		abort();
}

struct ec_key *ec_make(char point[EC_POINT_HEX + 1])
{
	EVP_PKEY *key = EVP_EC_gen("prime256v1");
	unsigned char raw[65];
	size_t len = 0;

	must(key && EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, raw, sizeof(raw),
						    &len));
	must(len == sizeof(raw));
	np_hex_encode(raw, len, point);
	return (struct ec_key *)key;
}

void ec_free(struct ec_key *key)
{
	EVP_PKEY_free((EVP_PKEY *)key);
}

void ec_sign(struct ec_key *key, const char *text, char out[EC_SIG_B64 + 1])
{
	unsigned char der[80], rs[64];
	const unsigned char *p = der;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof(der);
	ECDSA_SIG *sig;
	char hex[129];

	must(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, (EVP_PKEY *)key) == 1);
	must(EVP_DigestSign(ctx, der, &len, (const unsigned char *)text, strlen(text)) == 1);
	EVP_MD_CTX_free(ctx);
	sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	must(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, 32) == 32 &&
	     BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + 32, 32) == 32);
	ECDSA_SIG_free(sig);
	np_hex_encode(rs, sizeof(rs), hex);
	np_b64_encode(hex, 128, out);
}
