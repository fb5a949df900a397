/* SPDX-License-Identifier: BSD-3-Clause */
/* Randomness from OpenSSL's generator. */
#ifndef NP_CRYPTO_RAND_H
#define NP_CRYPTO_RAND_H

#include <stddef.h>

#define NP_UUID_SIZE 37

/** np_rand_bytes() - Return: 0 or -EIO; never weak bytes. */
int np_rand_bytes(void *dst, size_t len);
/** np_rand_uuid4() - canonical lower-case UUID version 4. */
int np_rand_uuid4(char dst[NP_UUID_SIZE]);

#endif
