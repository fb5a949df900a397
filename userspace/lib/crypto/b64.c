// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/b64.h"

#include "base/buf.h"
#include "base/secret.h"

#include <openssl/evp.h>

#include <errno.h>
#include <string.h>

size_t np_b64_encode(const void *data, size_t len, char *dst)
{
	return (size_t)EVP_EncodeBlock((unsigned char *)dst, data, (int)len);
}

int np_b64_append(struct np_buf *buf, const void *data, size_t len)
{
	uint8_t *room = np_buf_reserve(buf, NP_B64_LEN(len) + 1);

	if (!room)
		return -ENOMEM;
	np_buf_commit(buf, np_b64_encode(data, len, (char *)room));
	return 0;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Own decoder: EVP_DecodeBlock() accepts white space and hides the padding length. */
long np_b64_decode(const char *text, size_t len, void *dst, size_t size)
{
	size_t pad = 0, out, i, n = 0;
	uint8_t *d = dst;

	if (len % 4)
		return -EBADMSG;
	if (!len)
		return 0;
	if (text[len - 1] == '=')
		pad = text[len - 2] == '=' ? 2 : 1;
	out = len / 4 * 3 - pad;
	if (out > size)
		return -ENOSPC;
	for (i = 0; i < len; i += 4) {
		uint32_t acc = 0;
		size_t j, have = 3;

		for (j = 0; j < 4; j++) {
			int v = i + j >= len - pad ? 0 : value_of(text[i + j]);

			if (v < 0)
				return -EBADMSG;
			acc = acc << 6 | (uint32_t)v;
		}
		if (i + 4 == len)
			have -= pad;
		/* Bits that no byte uses must be zero, else two texts mean the same bytes. */
		if (have < 3 && (acc & ((1u << (8 * (3 - have))) - 1)))
			return -EBADMSG;
		for (j = 0; j < have; j++)
			d[n++] = (uint8_t)(acc >> (16 - 8 * j));
	}
	return (long)n;
}

int np_b64_decode_secret(const char *text, size_t len, struct np_secret *out)
{
	long n;
	int ret;

	ret = np_secret_alloc(out, len / 4 * 3);
	if (ret)
		return ret;
	n = np_b64_decode(text, len, out->data, out->len);
	if (n < 0) {
		np_secret_fini(out);
		return (int)n;
	}
	out->len = (size_t)n;
	out->data[n] = '\0';
	return 0;
}
