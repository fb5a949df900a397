/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AES-256-CTR twice: as the keystream of a tunnel (no padding, no framing; noports.md 6.2), and as the value
 * encryption of the atProtocol (PKCS#7 padding before CTR, base64 around; atprotocol.md 17.2).
 */
#ifndef NP_CRYPTO_AESCTR_H
#define NP_CRYPTO_AESCTR_H

#include <stddef.h>
#include <stdint.h>

struct np_buf;
struct np_err;
struct np_secret;
struct np_aesctr;

#define NP_AES_KEY_LEN 32
#define NP_AES_IV_LEN 16

/** np_aesctr_new() - a keystream that starts at byte 0 of counter block @iv. The key is not kept by reference. */
int np_aesctr_new(const uint8_t key[NP_AES_KEY_LEN], const uint8_t iv[NP_AES_IV_LEN], struct np_aesctr **out);
void np_aesctr_free(struct np_aesctr *ctr);
/** np_aesctr_xor() - XOR @len bytes in place and advance. Encrypts and decrypts. */
int np_aesctr_xor(struct np_aesctr *ctr, void *data, size_t len);

/**
 * np_aes_encrypt_b64() - pad, encrypt, append base64 to @out.
 * @iv: NULL for sixteen zero bytes
 */
int np_aes_encrypt_b64(const struct np_secret *key, const uint8_t *iv, const void *plain, size_t len,
		       struct np_buf *out);
/**
 * np_aes_decrypt_b64() - the reverse. -EBADMSG for bad base64, length or padding.
 * @out: receives the plain text
 */
int np_aes_decrypt_b64(const struct np_secret *key, const uint8_t *iv, const char *text, size_t len,
		       struct np_secret *out, struct np_err *err);

#endif
