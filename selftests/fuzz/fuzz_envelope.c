// SPDX-License-Identifier: BSD-3-Clause
/* Envelopes from outside: parsed or refused, and never valid for a key that signed nothing. */
#include "crypto/rsa.h"
#include "json/json.h"
#include "noports/envelope.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct np_rsa *key;
	struct np_envelope *env = NULL;

	if (!key && np_rsa_generate(&key, NULL))
		abort();
	if (np_envelope_parse((const char *)data, size, &env, NULL))
		return 0;
	if (!np_json_is_object(np_envelope_payload(env)) || !np_envelope_verify(env, key, NULL) ||
	    !np_envelope_verify_text(env, key, "{}", 2, NULL))
		abort();
	np_envelope_free(env);
	return 0;
}
