// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/hash.h"

#include "base/str.h"
#include "harness/ktap.h"

static void known_digests(void)
{
	char hex[NP_HASH_HEX_MAX];

	KTAP_EQ(np_hash_hex(NP_HASH_MD5, "abc", 3, NULL, 0, hex), 0);
	KTAP_STREQ(hex, "900150983cd24fb0d6963f7d28e17f72");
	KTAP_EQ(np_hash_hex(NP_HASH_SHA256, "abc", 3, NULL, 0, hex), 0);
	KTAP_STREQ(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	KTAP_EQ(np_hash_hex(NP_HASH_SHA512, "abc", 3, NULL, 0, hex), 0);
	KTAP_STREQ(hex, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
	KTAP_EQ(np_hash_hex(NP_HASH_SHA256, "", 0, NULL, 0, hex), 0);
	KTAP_STREQ(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void two_parts_are_one_text(void)
{
	char one[NP_HASH_HEX_MAX], two[NP_HASH_HEX_MAX];

	np_hash_hex(NP_HASH_SHA512, "secretchallenge", 15, NULL, 0, one);
	np_hash_hex(NP_HASH_SHA512, "secret", 6, "challenge", 9, two);
	KTAP_STREQ(one, two);
	np_hash_hex(NP_HASH_SHA512, "", 0, "secretchallenge", 15, two);
	KTAP_STREQ(one, two);
}

static void raw_equals_hex(void)
{
	unsigned char raw[32];
	char hex[NP_HASH_HEX_MAX], want[NP_HASH_HEX_MAX];

	KTAP_EQ(np_hash_sha256("abc", 3, raw), 0);
	np_hex_encode(raw, sizeof(raw), hex);
	np_hash_hex(NP_HASH_SHA256, "abc", 3, NULL, 0, want);
	KTAP_STREQ(hex, want);
}

int main(void)
{
	KTAP_RUN(known_digests);
	KTAP_RUN(two_parts_are_one_text);
	KTAP_RUN(raw_equals_hex);
	return ktap_done();
}
