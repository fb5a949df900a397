// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/hash.h"

#include "base/str.h"

#include <openssl/evp.h>

#include <errno.h>

int np_hash_hex(enum np_hash_alg alg, const void *a, size_t alen, const void *b, size_t blen,
		char dst[NP_HASH_HEX_MAX])
{
	const EVP_MD *md = alg == NP_HASH_MD5	 ? EVP_md5() :
			   alg == NP_HASH_SHA256 ? EVP_sha256() :
						   EVP_sha512();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok;

	ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, a, alen) &&
	     (!b || EVP_DigestUpdate(ctx, b, blen)) && EVP_DigestFinal_ex(ctx, digest, &len);
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -EIO;
	np_hex_encode(digest, len, dst);
	return 0;
}

int np_hash_sha256(const void *data, size_t len, unsigned char dst[32])
{
	return EVP_Digest(data, len, dst, NULL, EVP_sha256(), NULL) ? 0 : -EIO;
}
