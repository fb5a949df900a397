// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/rand.h"

#include "base/str.h"

#include <openssl/rand.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

int np_rand_bytes(void *dst, size_t len)
{
	return RAND_bytes(dst, (int)len) == 1 ? 0 : -EIO;
}

int np_rand_uuid4(char dst[NP_UUID_SIZE])
{
	uint8_t b[16];
	char hex[33];
	int ret;

	ret = np_rand_bytes(b, sizeof(b));
	if (ret)
		return ret;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	np_hex_encode(b, sizeof(b), hex);
	snprintf(dst, NP_UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return 0;
}
