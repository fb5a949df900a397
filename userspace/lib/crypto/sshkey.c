// SPDX-License-Identifier: BSD-3-Clause
/*
 * The format "openssh-key-v1": base64 of
 *
 *	"openssh-key-v1\0" string cipher "none", string kdf "none", string kdfoptions "",
 *	uint32 1 key, string public blob, string private section
 *
 * where the private section is two equal random check words, the key's fields, a comment and
 * padding 1 2 3... to a multiple of eight. Integers are big-endian, strings carry their length
 * before them.
 */
#include "crypto/sshkey.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/b64.h"
#include "crypto/rand.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define RSA_BITS 3072
#define SECTION_MAX 4096
#define LINE_WIDTH 70
#define BLOB_MAX 8192

static const char magic[] = "openssh-key-v1"; /* with its NUL */

/* A writer into locked memory of fixed size; overflow is remembered and reported once. */
struct out {
	uint8_t *data;
	size_t len, size;
	bool full;
};

static void put_raw(struct out *o, const void *data, size_t len)
{
	if (o->full || len > o->size - o->len) {
		o->full = true;
		return;
	}
	if (len)
		memcpy(o->data + o->len, data, len);
	o->len += len;
}

static void put_u32(struct out *o, uint32_t v)
{
	uint8_t be[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	put_raw(o, be, sizeof(be));
}

static void put_string(struct out *o, const void *data, size_t len)
{
	put_u32(o, (uint32_t)len);
	put_raw(o, data, len);
}

static void put_text(struct out *o, const char *text)
{
	put_string(o, text, strlen(text));
}

/* A positive mpint: no superfluous zeros, one in front of a set top bit. */
static void put_bignum(struct out *o, const BIGNUM *bn)
{
	uint8_t bytes[RSA_BITS / 8 + 1];
	int len = BN_num_bytes(bn), lead = len && BN_is_bit_set(bn, 8 * len - 1);

	if ((size_t)len + 1 > sizeof(bytes)) {
		o->full = true;
		return;
	}
	bytes[0] = 0;
	BN_bn2bin(bn, bytes + lead);
	put_string(o, bytes, (size_t)(len + lead));
	np_wipe(bytes, sizeof(bytes));
}

static int put_ed25519(EVP_PKEY *key, struct out *pub, struct out *priv)
{
	uint8_t both[64]; /* seed, then public half: what OpenSSH calls the private key */
	size_t seed_len = 32, pub_len = 32;
	int ok;

	ok = EVP_PKEY_get_raw_private_key(key, both, &seed_len) == 1 &&
	     EVP_PKEY_get_raw_public_key(key, both + 32, &pub_len) == 1;
	if (ok) {
		put_text(pub, "ssh-ed25519");
		put_string(pub, both + 32, 32);
		put_text(priv, "ssh-ed25519");
		put_string(priv, both + 32, 32);
		put_string(priv, both, sizeof(both));
	}
	np_wipe(both, sizeof(both));
	return ok ? 0 : -EIO;
}

static int put_rsa(EVP_PKEY *key, struct out *pub, struct out *priv)
{
	static const char *const names[] = {
		OSSL_PKEY_PARAM_RSA_N,	     OSSL_PKEY_PARAM_RSA_E,
		OSSL_PKEY_PARAM_RSA_D,	     OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
		OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
	};
	BIGNUM *bn[6] = { NULL };
	int ret = 0;
	size_t i;

	for (i = 0; i < 6; i++)
		if (EVP_PKEY_get_bn_param(key, names[i], &bn[i]) != 1)
			ret = -EIO;
	if (!ret) {
		put_text(pub, "ssh-rsa");
		put_bignum(pub, bn[1]);
		put_bignum(pub, bn[0]);
		put_text(priv, "ssh-rsa");
		for (i = 0; i < 6; i++)
			put_bignum(priv, bn[i]);
	}
	for (i = 0; i < 6; i++)
		BN_clear_free(bn[i]);
	return ret;
}

static int write_pem(const struct out *blob, struct np_secret *pem)
{
	static const char head[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
	static const char foot[] = "-----END OPENSSH PRIVATE KEY-----\n";
	struct np_secret b64 = NP_SECRET_INIT;
	size_t len, at, part;
	struct out o;
	int ret;

	ret = np_secret_alloc(&b64, NP_B64_LEN(blob->len));
	if (ret)
		return ret;
	len = np_b64_encode(blob->data, blob->len, (char *)b64.data);
	ret = np_secret_alloc(pem, sizeof(head) + sizeof(foot) + len + len / LINE_WIDTH + 1);
	if (ret)
		goto out;
	o = (struct out){ .data = pem->data, .size = pem->len };
	put_raw(&o, head, sizeof(head) - 1);
	for (at = 0; at < len; at += part) {
		part = len - at < LINE_WIDTH ? len - at : LINE_WIDTH;
		put_raw(&o, b64.data + at, part);
		put_raw(&o, "\n", 1);
	}
	put_raw(&o, foot, sizeof(foot) - 1);
	pem->len = o.len;
	pem->data[o.len] = '\0';
out:
	np_secret_fini(&b64);
	return ret;
}

static int encode(EVP_PKEY *key, enum np_sshkey_alg alg, struct np_secret *pem,
		  struct np_buf *public_line)
{
	struct np_secret priv_mem = NP_SECRET_INIT, blob_mem = NP_SECRET_INIT;
	struct out pub = { .size = 1024 }, priv = { .size = SECTION_MAX },
		   blob = { .size = SECTION_MAX + 2048 };
	uint8_t pub_mem[1024], check[4], pad = 1;
	int ret;

	pub.data = pub_mem;
	if ((ret = np_secret_alloc(&priv_mem, priv.size)) ||
	    (ret = np_secret_alloc(&blob_mem, blob.size)) ||
	    (ret = np_rand_bytes(check, sizeof(check))))
		goto out;
	priv.data = priv_mem.data;
	blob.data = blob_mem.data;
	put_raw(&priv, check, sizeof(check));
	put_raw(&priv, check, sizeof(check));
	ret = alg == NP_SSHKEY_RSA ? put_rsa(key, &pub, &priv) : put_ed25519(key, &pub, &priv);
	if (ret)
		goto out;
	put_text(&priv, "");
	while (priv.len % 8)
		put_raw(&priv, &pad, 1), pad++;
	put_raw(&blob, magic, sizeof(magic));
	put_text(&blob, "none");
	put_text(&blob, "none");
	put_text(&blob, "");
	put_u32(&blob, 1);
	put_string(&blob, pub.data, pub.len);
	put_string(&blob, priv.data, priv.len);
	ret = pub.full || priv.full || blob.full ? -EIO : write_pem(&blob, pem);
	if (!ret)
		ret = np_buf_append_str(public_line,
					alg == NP_SSHKEY_RSA ? "ssh-rsa " : "ssh-ed25519 ");
	if (!ret)
		ret = np_b64_append(public_line, pub.data, pub.len);
out:
	np_secret_fini(&priv_mem);
	np_secret_fini(&blob_mem);
	return ret;
}

int np_sshkey_generate(enum np_sshkey_alg alg, struct np_secret *pem, struct np_buf *public_line,
		       struct np_err *err)
{
	EVP_PKEY *key = alg == NP_SSHKEY_RSA ? EVP_RSA_gen(RSA_BITS)
					     : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int ret = key ? encode(key, alg, pem, public_line) : -EIO;

	EVP_PKEY_free(key);
	ERR_clear_error();
	return ret ? np_fail_errno(err, ret, "ssh key: cannot be made") : 0;
}

static bool type_accepted(const char *type, size_t len)
{
	static const char *const prefixes[] = { "ecdsa-sha2-nistp", "rsa-sha2-", "ssh-rsa",
						"ssh-ed25519" };
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (len >= strlen(prefixes[i]) && !memcmp(type, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/* The blob begins with its type again; "rsa-sha2-*" are signatures of keys of type ssh-rsa. */
static bool blob_matches(const char *type, size_t type_len, const char *b64, size_t b64_len)
{
	uint8_t blob[BLOB_MAX];
	uint32_t len;
	long n;

	n = np_b64_decode(b64, b64_len, blob, sizeof(blob));
	if (n < 4)
		return false;
	len = (uint32_t)blob[0] << 24 | (uint32_t)blob[1] << 16 | (uint32_t)blob[2] << 8 | blob[3];
	if (len > (size_t)n - 4 || (size_t)n - 4 - len < 8)
		return false;
	if (type_len > 9 && !memcmp(type, "rsa-sha2-", 9))
		return len == 7 && !memcmp(blob + 4, "ssh-rsa", 7);
	return len == type_len && !memcmp(blob + 4, type, len);
}

bool np_sshkey_public_ok(const char *line, size_t len, struct np_err *err)
{
	const char *type_end, *b64, *b64_end, *end = line + len;
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
			np_fail(err, -EINVAL, "ssh public key: holds control characters");
			return false;
		}
	type_end = memchr(line, ' ', len);
	if (!type_end || !type_accepted(line, (size_t)(type_end - line))) {
		np_fail(err, -EINVAL, "ssh public key: its type is not accepted");
		return false;
	}
	b64 = type_end + 1;
	b64_end = memchr(b64, ' ', (size_t)(end - b64));
	if (!b64_end)
		b64_end = end;
	if (blob_matches(line, (size_t)(type_end - line), b64, (size_t)(b64_end - b64)))
		return true;
	np_fail(err, -EINVAL, "ssh public key: what follows the type is no such key");
	return false;
}
