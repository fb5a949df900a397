/* SPDX-License-Identifier: BSD-3-Clause */
/* Base64, standard alphabet with padding, no line breaks (atprotocol.md 17.1). */
#ifndef NP_CRYPTO_B64_H
#define NP_CRYPTO_B64_H

#include <stddef.h>
#include <stdint.h>

struct np_buf;
struct np_secret;

#define NP_B64_LEN(n) (((n) + 2) / 3 * 4)

/** np_b64_encode() - NUL-terminated text into @dst (NP_B64_LEN(len) + 1 bytes). Return: its length. */
size_t np_b64_encode(const void *data, size_t len, char *dst);
int np_b64_append(struct np_buf *buf, const void *data, size_t len);
/**
 * np_b64_decode() - strict: length a multiple of four, padding only at the end, no other character.
 * @size: room in @dst. Return: bytes written, -EBADMSG, -ENOSPC.
 */
long np_b64_decode(const char *text, size_t len, void *dst, size_t size);
int np_b64_decode_secret(const char *text, size_t len, struct np_secret *out);

#endif
