/* SPDX-License-Identifier: BSD-3-Clause */
/* RSA as the atProtocol uses it: base64 of DER keys, PKCS#1 v1.5 signatures and encryption (atprotocol.md 17). */
#ifndef NP_CRYPTO_RSA_H
#define NP_CRYPTO_RSA_H

#include "crypto/hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct np_buf;
struct np_err;
struct np_secret;
struct np_rsa; /* a public or a private key */

/** np_rsa_generate() - a new RSA-2048 key pair; takes tens of milliseconds. */
int np_rsa_generate(struct np_rsa **out, struct np_err *err);
/** np_rsa_generate_unless() - as above, but gives up with -ECANCELED soon after *@stop became true. */
int np_rsa_generate_unless(const atomic_bool *stop, struct np_rsa **out);
/** np_rsa_ref() - the same key once more, for np_rsa_free() of its own; NULL for NULL. */
struct np_rsa *np_rsa_ref(const struct np_rsa *key);
void np_rsa_free(struct np_rsa *key);
/** np_rsa_load_public() - base64 of SubjectPublicKeyInfo; refuses other key types and less than 2048 bits. */
int np_rsa_load_public(const char *b64, size_t len, struct np_rsa **out, struct np_err *err);
/** np_rsa_load_private() - base64 of PKCS#8. */
int np_rsa_load_private(const char *b64, size_t len, struct np_rsa **out, struct np_err *err);
/** np_rsa_public_b64() - append the public half as base64 SubjectPublicKeyInfo. */
int np_rsa_public_b64(const struct np_rsa *key, struct np_buf *out);
int np_rsa_private_b64(const struct np_rsa *key, struct np_secret *out);
/** np_rsa_same_key() - do both have the same public half? */
bool np_rsa_same_key(const struct np_rsa *a, const struct np_rsa *b);

/** np_rsa_sign_b64() - append base64 of the RSASSA-PKCS1-v1_5 signature over @data. */
int np_rsa_sign_b64(const struct np_rsa *key, enum np_hash_alg alg, const void *data, size_t len,
		    struct np_buf *out);
/** np_rsa_verify_b64() - Return: 0 when valid, -EBADMSG otherwise. */
int np_rsa_verify_b64(const struct np_rsa *key, enum np_hash_alg alg, const void *data, size_t len,
		      const char *sig_b64, size_t sig_len);
/** np_rsa_encrypt_b64() - append base64 of the RSAES-PKCS1-v1_5 ciphertext. */
int np_rsa_encrypt_b64(const struct np_rsa *key, const void *data, size_t len, struct np_buf *out);
int np_rsa_decrypt_b64(const struct np_rsa *key, const char *text, size_t len, struct np_secret *out,
		       struct np_err *err);

#endif
