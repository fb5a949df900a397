// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/ecdsa.h"

#include "crypto/b64.h"
#include "ecsign.h"
#include "harness/ktap.h"

#include <string.h>

static struct ec_key *key;
static char point[EC_POINT_HEX + 1], sig[EC_SIG_B64 + 1];

static int verify(const char *text)
{
	return np_ecdsa_verify_b64(point, text, strlen(text), sig, strlen(sig));
}

static void good_signatures(void)
{
	int i;

	for (i = 0; i < 50; i++) {
		ec_sign(key, "challenge", sig);
		KTAP_EQ(verify("challenge"), 0);
		KTAP_OK(verify("challengE") < 0);
	}
}

/* Every digit counts, and nothing but 128 digits is a signature. */
static void bad_signatures(void)
{
	char hex[EC_SIG_B64], saved;
	size_t i;

	ec_sign(key, "x", sig);
	KTAP_EQ(np_b64_decode(sig, strlen(sig), hex, sizeof(hex)), 128);
	for (i = 0; i < 128; i++) {
		saved = hex[i];
		hex[i] = saved == '0' ? '1' : '0';
		np_b64_encode(hex, 128, sig);
		KTAP_OK(verify("x") < 0);
		hex[i] = 'g';
		np_b64_encode(hex, 128, sig);
		KTAP_OK(verify("x") < 0);
		hex[i] = saved;
		np_b64_encode(hex, i, sig);
		KTAP_OK(verify("x") < 0);
	}
	strcpy(sig, "*");
	KTAP_OK(verify("x") < 0);
}

/* r and s of zero, and beyond the order of the curve. */
static void extreme_numbers(void)
{
	char hex[128];

	memset(hex, '0', sizeof(hex));
	np_b64_encode(hex, sizeof(hex), sig);
	KTAP_OK(verify("x") < 0);
	memset(hex, 'f', sizeof(hex));
	np_b64_encode(hex, sizeof(hex), sig);
	KTAP_OK(verify("x") < 0);
}

static void points(void)
{
	char bad[EC_POINT_HEX + 2];

	KTAP_OK(np_ecdsa_is_public(point));
	KTAP_OK(!np_ecdsa_is_public(""));
	strcpy(bad, point);
	bad[1] = '5';
	KTAP_OK(!np_ecdsa_is_public(bad));
	strcpy(bad, point);
	bad[EC_POINT_HEX - 1] = bad[EC_POINT_HEX - 1] == '0' ? '1' : '0'; /* off the curve */
	KTAP_OK(!np_ecdsa_is_public(bad));
	bad[EC_POINT_HEX - 1] = 'g';
	KTAP_OK(!np_ecdsa_is_public(bad));
	strcpy(bad, point);
	strcat(bad, "0");
	KTAP_OK(!np_ecdsa_is_public(bad));
	bad[EC_POINT_HEX - 2] = '\0';
	KTAP_OK(!np_ecdsa_is_public(bad));
}

int main(void)
{
	key = ec_make(point);
	KTAP_RUN(good_signatures);
	KTAP_RUN(bad_signatures);
	KTAP_RUN(extreme_numbers);
	KTAP_RUN(points);
	ec_free(key);
	return ktap_done();
}
