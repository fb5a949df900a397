/* SPDX-License-Identifier: BSD-3-Clause */
/* Digests, as lower-case hex text. */
#ifndef NP_CRYPTO_HASH_H
#define NP_CRYPTO_HASH_H

#include <stddef.h>

enum np_hash_alg { NP_HASH_MD5, NP_HASH_SHA256, NP_HASH_SHA512 };

#define NP_HASH_HEX_MAX 129

/** np_hash_hex() - digest of the concatenation of @a and @b (@b may be NULL). Return: 0 or -EIO. */
int np_hash_hex(enum np_hash_alg alg, const void *a, size_t alen, const void *b, size_t blen,
		char dst[NP_HASH_HEX_MAX]);
/** np_hash_sha256() - 32 raw bytes. */
int np_hash_sha256(const void *data, size_t len, unsigned char dst[32]);

#endif
