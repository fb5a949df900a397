// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/proof.h"

#include "atserver/internal.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PROOF_MS 60000

struct proof {
	long long until_ms;
	char text[]; /* base64 signature */
};

int np_proof_keep(struct np_atserver *srv, const char *name, const char *signature)
{
	size_t len = strlen(signature) + 1;
	struct proof *proof = malloc(sizeof(*proof) + len);
	void *old = NULL;

	if (!proof)
		return -ENOMEM;
	proof->until_ms = np_clock_mono_ms() + PROOF_MS;
	memcpy(proof->text, signature, len);
	if (np_map_put(&srv->proofs, name, proof, &old)) {
		free(proof);
		return -ENOMEM;
	}
	free(old);
	return 0;
}

const char *np_proof_get(struct np_atserver *srv, const char *name)
{
	struct proof *proof = np_map_get(&srv->proofs, name);

	return proof && proof->until_ms > np_clock_mono_ms() ? proof->text : NULL;
}

struct old_proof {
	long long now;
	const char *key;
};

static bool find_old(const char *key, void *value, void *arg)
{
	struct old_proof *old = arg;

	if (((struct proof *)value)->until_ms > old->now)
		return true;
	old->key = key;
	return false;
}

void np_proof_tick(struct np_atserver *srv)
{
	struct old_proof old = {.now = np_clock_mono_ms()};

	for (;;) {
		char key[NP_ATSIGN_MAX + 64];

		old.key = NULL;
		np_map_each(&srv->proofs, find_old, &old);
		if (!old.key || np_str_copy(key, sizeof(key), old.key))
			return;
		free(np_map_remove(&srv->proofs, key));
	}
}

void np_proof_fini(struct np_atserver *srv)
{
	np_map_fini(&srv->proofs, free);
}
