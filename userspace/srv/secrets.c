// SPDX-License-Identifier: BSD-3-Clause
#include "secrets.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/b64.h"
#include "crypto/rsa.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define SECRETS_MAX (16u << 10)

enum name {
	AUTH,
	AES,
	IV,
	AES_C2D,
	IV_C2D,
	AES_D2C,
	IV_D2C,
	ESCR_SID,
	ESCR_AES,
	ESCR_URI,
	ESCR_PUBLIC,
	ESCR_PRIVATE,
	ESCR_SIDE_A,
	NR_NAMES
};
static const char *const names[NR_NAMES] = {
	"RV_AUTH",
	"RV_AES",
	"RV_IV",
	"RV_AES_C2D",
	"RV_IV_C2D",
	"RV_AES_D2C",
	"RV_IV_D2C",
	"REMOTE_AUTH_ESCR_SESSION_ID",
	"REMOTE_AUTH_ESCR_AES_KEY",
	"REMOTE_AUTH_ESCR_PUB_KEY_URI",
	"REMOTE_AUTH_ESCR_SIGNING_PUBKEY",
	"REMOTE_AUTH_ESCR_SIGNING_PRIVKEY",
	"REMOTE_AUTH_ESCR_IS_SIDE_A",
};

static int store(struct np_secret *values, const char *key, size_t key_len, const char *value,
		 size_t len)
{
	unsigned int i;

	for (i = 0; i < NR_NAMES; i++)
		if (strlen(names[i]) == key_len && !memcmp(names[i], key, key_len))
			return np_secret_set(&values[i], value, len);
	return 0;
}

/* The strings lie in the memory that /proc/PID/environ shows: unsetenv() alone would leave them
 * there. */
static int take_environment(struct np_secret *values)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NR_NAMES; i++) {
		char *value = getenv(names[i]);

		if (!value)
			continue;
		if (!ret)
			ret = np_secret_set(&values[i], value, strlen(value));
		np_wipe(value, strlen(value));
		unsetenv(names[i]);
	}
	return ret;
}

static int read_lines(int fd, struct np_secret *values, struct np_err *err)
{
	struct np_secret text = NP_SECRET_INIT;
	const char *line, *end, *equals;
	unsigned int nr = 0;
	int ret;

	if (fcntl(fd, F_GETFD) < 0)
		return np_fail_errno(err, errno, "--secrets-fd %d", fd);
	ret = np_secret_read(&text, fd, SECRETS_MAX);
	np_fd_close(&fd);
	if (ret) {
		np_fail_errno(err, ret, "--secrets-fd: cannot read");
		goto out;
	}
	for (line = np_secret_str(&text); *line && !ret; line = *end ? end + 1 : end) {
		nr++;
		end = line + strcspn(line, "\n");
		if (end == line)
			continue;
		equals = memchr(line, '=', (size_t)(end - line));
		if (!equals) {
			ret = np_fail(err, -EINVAL,
				      "--secrets-fd: line %u is not of the form KEY=value", nr);
			goto out;
		}
		ret = store(values, line, (size_t)(equals - line), equals + 1,
			    (size_t)(end - equals - 1));
		if (ret)
			np_fail_errno(err, ret, "--secrets-fd: line %u", nr);
	}
out:
	np_secret_fini(&text);
	return ret;
}

static int decode(const struct np_secret *text, size_t want, const char *name,
		  struct np_secret *out, struct np_err *err)
{
	if (np_b64_decode_secret(np_secret_str(text), text->len, out) || out->len != want)
		return np_fail(err, -EINVAL, "%s is not the base64 of %zu bytes", name, want);
	return 0;
}

static int decode_pair(struct np_secret *values, enum name key_name, struct np_secret *key,
		       struct np_secret *iv, struct np_err *err)
{
	enum name iv_name = key_name + 1;
	int ret = decode(&values[key_name], 32, names[key_name], key, err);

	return ret ? ret : decode(&values[iv_name], 16, names[iv_name], iv, err);
}

static int take_keys(struct np_secret *values, struct np_session_keys *keys, const char *where,
		     struct np_err *err)
{
	enum name c2d = values[AES_C2D].len ? AES_C2D : AES;
	int ret;

	if (!values[c2d].len || !values[c2d + 1].len)
		return np_fail(err, -ENOENT, "--rv-e2ee required, but %s is not in %s",
			       names[values[c2d].len ? c2d + 1 : AES_C2D], where);
	keys->twin = values[AES_D2C].len || values[IV_D2C].len;
	ret = decode_pair(values, c2d, &keys->key_c2d, &keys->iv_c2d, err);
	if (ret)
		return ret;
	return decode_pair(values, keys->twin ? AES_D2C : c2d, &keys->key_d2c, &keys->iv_d2c, err);
}

/* The public half of the signing key is not needed: whoever verifies reads it from its record. */
static int take_escr(struct np_secret *values, const struct srv_needs *needs, struct np_escr *escr,
		     const char *where, struct np_err *err)
{
	static const enum name required[] = {ESCR_SID, ESCR_AES, ESCR_URI, ESCR_PRIVATE};
	const struct np_secret *side = &values[ESCR_SIDE_A];
	size_t i;
	int ret;

	for (i = 0; i < sizeof(required) / sizeof(required[0]); i++)
		if (!values[required[i]].len)
			return np_fail(err, -ENOENT,
				       "--relay-auth-mode escr required, but %s is not in %s",
				       names[required[i]], where);
	if (side->len && strcmp(np_secret_str(side), "true") &&
	    strcmp(np_secret_str(side), "false"))
		return np_fail(err, -EINVAL, "%s is not true or false", names[ESCR_SIDE_A]);
	escr->is_side_a = side->len ? !strcmp(np_secret_str(side), "true") : needs->is_side_a;
	if (np_str_copy(escr->sid, sizeof(escr->sid), np_secret_str(&values[ESCR_SID])) ||
	    np_str_copy(escr->uri, sizeof(escr->uri), np_secret_str(&values[ESCR_URI])))
		return np_fail(err, -EINVAL, "%s or %s is too long", names[ESCR_SID],
			       names[ESCR_URI]);
	ret = decode(&values[ESCR_AES], 32, names[ESCR_AES], &escr->aes_key, err);
	if (ret)
		return ret;
	ret = np_rsa_load_private(np_secret_str(&values[ESCR_PRIVATE]), values[ESCR_PRIVATE].len,
				  &escr->key, err);
	if (ret)
		return np_err_prefix(err, "%s", names[ESCR_PRIVATE]);
	return np_escr_check(escr, err);
}

int srv_secrets_read(int fd, const struct srv_needs *needs, struct srv_secrets *secrets,
		     struct np_err *err)
{
	const char *where = fd < 0 ? "environment" : "the lines of --secrets-fd";
	struct np_secret values[NR_NAMES] = {NP_SECRET_INIT};
	unsigned int i;
	int ret;

	ret = take_environment(values);
	if (ret) {
		np_fail(err, ret, "environment: out of memory");
		goto out;
	}
	if (fd >= 0) {
		for (i = 0; i < NR_NAMES; i++)
			np_secret_fini(&values[i]);
		ret = read_lines(fd, values, err);
	}
	if (!ret && needs->auth) {
		if (!values[AUTH].len)
			ret = np_fail(err, -ENOENT, "--rv-auth required, but RV_AUTH is not in %s",
				      where);
		np_secret_take(&secrets->auth, &values[AUTH]);
	}
	if (!ret && needs->keys)
		ret = take_keys(values, &secrets->keys, where, err);
	if (!ret && needs->escr)
		ret = take_escr(values, needs, &secrets->escr, where, err);
out:
	for (i = 0; i < NR_NAMES; i++)
		np_secret_fini(&values[i]);
	return ret;
}

void srv_secrets_fini(struct srv_secrets *secrets)
{
	np_secret_fini(&secrets->auth);
	np_session_keys_fini(&secrets->keys);
	np_escr_fini(&secrets->escr);
}
