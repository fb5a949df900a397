// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/signing.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/rsa.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool found(const char *key, const struct np_record *rec, void *arg)
{
	(void)key;
	(void)rec;
	*(bool *)arg = true;
	return true;
}

bool np_signing_exists(struct np_store *store, const char *atsign)
{
	char key[256];
	bool yes = false;

	snprintf(key, sizeof(key), "public:signing_publickey%s", atsign);
	store->ops->get(store, atsign, key, found, &yes);
	return yes;
}

static int put(struct np_store *store, const char *atsign, const char *key, const char *value,
	       struct np_err *err)
{
	int64_t now = np_clock_wall_ms(), commit_id;
	struct np_record rec = {.value = value,
				.value_len = strlen(value),
				.meta = "{\"isEncrypted\":false}",
				.created_at = now,
				.updated_at = now};
	int ret = store->ops->put(store, atsign, key, &rec, err);

	if (!ret && strncmp(key, "privatekey:", 11))
		ret = store->ops->log_append(store, atsign, key, '*', &commit_id, err);
	return ret;
}

int np_signing_create(struct np_store *store, const char *atsign, struct np_err *err)
{
	char public_name[256], private_name[512];
	struct np_secret private_text = NP_SECRET_INIT;
	struct np_buf public_text = NP_BUF_INIT;
	struct np_rsa *key = NULL;
	int ret;

	snprintf(public_name, sizeof(public_name), "public:signing_publickey%s", atsign);
	snprintf(private_name, sizeof(private_name), "%s:signing_privatekey%s", atsign, atsign);
	ret = np_rsa_generate(&key, err);
	if (ret)
		return ret;
	ret = np_rsa_public_b64(key, &public_text);
	if (!ret)
		ret = np_rsa_private_b64(key, &private_text);
	if (ret) {
		np_fail(err, ret, "cannot encode the signing key of %s", atsign);
		goto out;
	}
	ret = put(store, atsign, public_name, np_buf_str(&public_text), err);
	if (!ret)
		ret = put(store, atsign, private_name, np_secret_str(&private_text), err);
	if (!ret)
		ret = put(store, atsign, "privatekey:signing_keypair_generated", "true", err);
out:
	np_rsa_free(key);
	np_secret_fini(&private_text);
	np_buf_fini(&public_text);
	return ret;
}
