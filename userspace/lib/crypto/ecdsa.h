/* SPDX-License-Identifier: BSD-3-Clause */
/* ECDSA over secp256r1 as pkam has it: keys and signatures as hex text (atprotocol.md 9.3). */
#ifndef NP_CRYPTO_ECDSA_H
#define NP_CRYPTO_ECDSA_H

#include <stdbool.h>
#include <stddef.h>

/** np_ecdsa_is_public() - is @hex an uncompressed point ("04", x, y) of the curve? */
bool np_ecdsa_is_public(const char *hex);
/**
 * np_ecdsa_verify_b64() - check the signature of @data with SHA-256.
 * @public_hex: uncompressed point
 * @sig_b64: base64 of the text of 128 hex digits, r and s
 * Return: 0 when valid, -EBADMSG otherwise.
 */
int np_ecdsa_verify_b64(const char *public_hex, const void *data, size_t len, const char *sig_b64,
			size_t sig_len);

#endif
