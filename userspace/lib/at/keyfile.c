// SPDX-License-Identifier: BSD-3-Clause
#include "at/keyfile.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYFILE_MAX 65536

struct np_at_keys *np_at_keys_new(void)
{
	return calloc(1, sizeof(struct np_at_keys));
}

void np_at_keys_free(struct np_at_keys *keys)
{
	if (!keys)
		return;
	np_rsa_free(keys->pkam);
	np_rsa_free(keys->enc);
	np_buf_fini(&keys->enc_public_b64);
	np_secret_fini(&keys->self_key);
	np_secret_fini(&keys->apkam_key);
	free(keys);
}

static int random_key(struct np_secret *key)
{
	int ret = np_secret_alloc(key, NP_AES_KEY_LEN);

	return ret ? ret : np_rand_bytes(key->data, key->len);
}

int np_at_keys_generate(const char *atsign, struct np_at_keys **out, struct np_err *err)
{
	struct np_at_keys *keys = np_at_keys_new();
	int ret;

	if (!keys)
		return np_fail(err, -ENOMEM, "keys of %s: out of memory", atsign);
	ret = np_str_copy(keys->atsign, sizeof(keys->atsign), atsign);
	if (!ret)
		ret = np_rsa_generate(&keys->pkam, err);
	if (!ret)
		ret = np_rsa_generate(&keys->enc, err);
	if (!ret)
		ret = np_rsa_public_b64(keys->enc, &keys->enc_public_b64);
	if (!ret)
		ret = random_key(&keys->self_key);
	if (!ret)
		ret = random_key(&keys->apkam_key);
	if (ret) {
		np_at_keys_free(keys);
		return np_fail_errno(err, ret, "keys of %s: cannot be generated", atsign);
	}
	*out = keys;
	return 0;
}

/* --- loading ---------------------------------------------------------------------------------- */

static const char *need_text(const struct np_json *file, const char *path, const char *member,
			     struct np_err *err)
{
	const char *text = np_json_str(file, member);

	if (!text || !*text)
		np_fail(err, -EBADMSG,
			"key file %s: member '%s' is missing; the file is damaged or no key file",
			path, member);
	return text && *text ? text : NULL;
}

static int load_aes(const char *text, const char *path, const char *member, struct np_secret *out,
		    struct np_err *err)
{
	if (np_b64_decode_secret(text, strlen(text), out) || out->len != NP_AES_KEY_LEN) {
		np_secret_fini(out);
		return np_fail(err, -EBADMSG,
			       "key file %s: member '%s' is no base64 text of 32 bytes", path,
			       member);
	}
	return 0;
}

/* The members named aes... are encrypted with the self key, zero IV. */
static int unwrap(const struct np_json *file, const char *path, const char *member,
		  const struct np_secret *self_key, struct np_secret *out, struct np_err *err)
{
	const char *text = need_text(file, path, member, err);

	if (!text)
		return -EBADMSG;
	if (np_aes_decrypt_b64(self_key, NULL, text, strlen(text), out, NULL))
		return np_fail(err, -EBADMSG,
			       "key file %s: member '%s' does not decrypt with selfEncryptionKey",
			       path, member);
	return 0;
}

static int load_pair(const struct np_json *file, const char *path, const char *const members[2],
		     const struct np_secret *self_key, struct np_rsa **out,
		     struct np_buf *public_b64, struct np_err *err)
{
	struct np_secret text = NP_SECRET_INIT;
	struct np_rsa *pub = NULL;
	int ret;

	ret = unwrap(file, path, members[0], self_key, &text, err);
	if (ret)
		return ret;
	ret = np_rsa_load_private((const char *)text.data, text.len, out, NULL);
	if (ret) {
		np_fail(err, ret, "key file %s: member '%s' holds no RSA private key", path,
			members[0]);
		goto out;
	}
	ret = unwrap(file, path, members[1], self_key, &text, err);
	if (ret)
		goto out;
	ret = np_rsa_load_public((const char *)text.data, text.len, &pub, NULL);
	if (ret)
		np_fail(err, ret, "key file %s: member '%s' holds no RSA public key", path,
			members[1]);
	else if (!np_rsa_same_key(*out, pub))
		ret = np_fail(err, -EBADMSG, "key file %s: '%s' and '%s' are no pair", path,
			      members[0], members[1]);
	else if (public_b64)
		ret = np_buf_append(public_b64, text.data, text.len);
out:
	np_rsa_free(pub);
	np_secret_fini(&text);
	return ret;
}

struct owner_check {
	const char *atsign;
	char other[NP_ATSIGN_MAX];
	bool is_named, is_ours;
};

static bool check_owner(const char *member, const struct np_json *value, void *arg)
{
	struct owner_check *check = arg;
	char name[NP_ATSIGN_MAX];

	(void)value;
	if (*member != '@' || np_atsign_parse(member, name, NULL))
		return true;
	check->is_named = true;
	check->is_ours |= !strcmp(name, check->atsign);
	memcpy(check->other, name, sizeof(name));
	return !check->is_ours;
}

static int load_members(struct np_at_keys *keys, const struct np_json *file, const char *path,
			struct np_err *err)
{
	static const char *const pkam[] = {"aesPkamPrivateKey", "aesPkamPublicKey"};
	static const char *const enc[] = {"aesEncryptPrivateKey", "aesEncryptPublicKey"};
	struct owner_check owner = {.atsign = keys->atsign};
	const char *text;
	int ret;

	np_json_each(file, check_owner, &owner);
	if (owner.is_named && !owner.is_ours)
		return np_fail(err, -EACCES, "key file %s: is of %s, not of %s", path, owner.other,
			       keys->atsign);
	text = need_text(file, path, "selfEncryptionKey", err);
	if (!text)
		return -EBADMSG;
	ret = load_aes(text, path, "selfEncryptionKey", &keys->self_key, err);
	if (!ret)
		ret = load_pair(file, path, pkam, &keys->self_key, &keys->pkam, NULL, err);
	if (!ret)
		ret = load_pair(file, path, enc, &keys->self_key, &keys->enc, &keys->enc_public_b64,
				err);
	if (ret)
		return ret;
	text = np_json_str(file, "apkamSymmetricKey");
	if (text && *text)
		ret = load_aes(text, path, "apkamSymmetricKey", &keys->apkam_key, err);
	text = np_json_str(file, "enrollmentId");
	if (!ret && text && *text &&
	    (!np_str_is_charset(text, "-_") ||
	     np_str_copy(keys->enrollment_id, sizeof(keys->enrollment_id), text)))
		ret = np_fail(err, -EBADMSG, "key file %s: member 'enrollmentId' is malformed",
			      path);
	return ret;
}

static bool wipe_text(const char *member, const struct np_json *value, void *arg)
{
	const char *text = np_json_str_value(value);

	(void)member;
	(void)arg;
	if (text)
		np_wipe((char *)(uintptr_t)text, strlen(text));
	return true;
}

static int keys_parse(struct np_at_keys *keys, const struct np_secret *text, const char *path,
		      struct np_err *err)
{
	/* The parser's own message quotes what it stumbled over, so it is not passed on. */
	struct np_json *file = np_json_parse(np_secret_str(text), text->len, "key file", NULL);
	int ret;

	if (!np_json_is_object(file))
		ret = np_fail(err, -EBADMSG,
			      "key file %s: is no JSON object; it is truncated or no key file",
			      path);
	else
		ret = load_members(keys, file, path, err);
	if (np_json_is_object(file))
		np_json_each(file, wipe_text, NULL);
	np_json_put(file);
	return ret;
}

int np_at_keys_parse(const char *text, size_t len, const char *atsign, struct np_at_keys **out,
		     struct np_err *err)
{
	struct np_secret copy = NP_SECRET_INIT;
	struct np_at_keys *keys = np_at_keys_new();
	int ret;

	if (!keys)
		return np_fail(err, -ENOMEM, "key file: out of memory");
	ret = np_secret_set(&copy, text, len);
	if (!ret)
		ret = np_str_copy(keys->atsign, sizeof(keys->atsign), atsign);
	if (!ret)
		ret = keys_parse(keys, &copy, "(memory)", err);
	np_secret_fini(&copy);
	if (ret)
		np_at_keys_free(keys);
	else
		*out = keys;
	return ret;
}

int np_at_keys_load(const char *path, const char *atsign, struct np_at_keys **out,
		    struct np_err *err)
{
	struct np_secret text = NP_SECRET_INIT;
	struct np_at_keys *keys = NULL;
	int fd, ret;

	fd = np_fd_open_private(path, err);
	if (fd == -ENOENT)
		return np_fail(
			err, fd,
			"key file %s: does not exist; make one with: at_activate onboard -a %s",
			path, atsign);
	if (fd < 0) {
		np_err_prefix(err, "key file");
		return fd;
	}
	ret = np_secret_read(&text, fd, KEYFILE_MAX);
	if (ret) {
		np_fail_errno(err, ret, "key file %s: cannot be read", path);
		goto out;
	}
	keys = np_at_keys_new();
	ret = keys ? np_str_copy(keys->atsign, sizeof(keys->atsign), atsign) : -ENOMEM;
	if (ret)
		np_fail_errno(err, ret, "key file %s: cannot be loaded", path);
	else
		ret = keys_parse(keys, &text, path, err);
out:
	np_secret_fini(&text);
	np_fd_close(&fd);
	if (ret)
		np_at_keys_free(keys);
	else
		*out = keys;
	return ret;
}

/* --- saving ----------------------------------------------------------------------------------- */

static int set_wrapped(struct np_json *file, const char *member, const struct np_secret *self_key,
		       const void *text, size_t len)
{
	struct np_buf b64 = NP_BUF_INIT;
	int ret;

	ret = np_aes_encrypt_b64(self_key, NULL, text, len, &b64);
	if (!ret)
		ret = np_json_set_str(file, member, np_buf_str(&b64));
	np_buf_fini(&b64);
	return ret;
}

static int set_private(struct np_json *file, const char *member, const struct np_secret *self_key,
		       const struct np_rsa *key)
{
	struct np_secret text = NP_SECRET_INIT;
	int ret;

	ret = np_rsa_private_b64(key, &text);
	if (!ret)
		ret = set_wrapped(file, member, self_key, text.data, text.len);
	np_secret_fini(&text);
	return ret;
}

static int set_public(struct np_json *file, const char *member, const struct np_secret *self_key,
		      const struct np_rsa *key)
{
	struct np_buf text = NP_BUF_INIT;
	int ret;

	ret = np_rsa_public_b64(key, &text);
	if (!ret)
		ret = set_wrapped(file, member, self_key, text.data, text.len);
	np_buf_fini(&text);
	return ret;
}

static int set_aes(struct np_json *file, const char *member, const struct np_secret *key)
{
	char text[NP_B64_LEN(NP_AES_KEY_LEN) + 1];
	int ret;

	np_b64_encode(key->data, key->len, text);
	ret = np_json_set_str(file, member, text);
	np_wipe(text, sizeof(text));
	return ret;
}

static int fill_file(const struct np_at_keys *keys, struct np_json *file)
{
	const struct np_secret *self_key = &keys->self_key;
	int ret;

	ret = set_public(file, "aesPkamPublicKey", self_key, keys->pkam);
	if (!ret)
		ret = set_private(file, "aesPkamPrivateKey", self_key, keys->pkam);
	if (!ret)
		ret = set_wrapped(file, "aesEncryptPublicKey", self_key, keys->enc_public_b64.data,
				  keys->enc_public_b64.len);
	if (!ret)
		ret = set_private(file, "aesEncryptPrivateKey", self_key, keys->enc);
	if (!ret)
		ret = set_aes(file, "selfEncryptionKey", self_key);
	if (!ret)
		ret = set_aes(file, keys->atsign, self_key);
	if (!ret && keys->apkam_key.len)
		ret = set_aes(file, "apkamSymmetricKey", &keys->apkam_key);
	if (!ret && keys->enrollment_id[0])
		ret = np_json_set_str(file, "enrollmentId", keys->enrollment_id);
	return ret;
}

int np_at_keys_save(const struct np_at_keys *keys, const char *path, struct np_err *err)
{
	struct np_json *file = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	int ret;

	if (!file || keys->self_key.len != NP_AES_KEY_LEN) {
		np_json_put(file);
		return np_fail(err, file ? -EINVAL : -ENOMEM, "key file %s: no keys to write",
			       path);
	}
	ret = fill_file(keys, file);
	/* Room at once: a buffer that grows leaves copies of the keys behind. */
	if (!ret && !np_buf_reserve(&text, KEYFILE_MAX))
		ret = -ENOMEM;
	if (!ret)
		ret = np_json_write(file, &text);
	if (ret)
		np_fail_errno(err, ret, "key file %s: cannot be made", path);
	else
		ret = np_file_create_new(path, text.data, text.len, 0600, err);
	np_json_each(file, wipe_text, NULL);
	np_json_put(file);
	np_wipe(text.data, text.len);
	np_buf_fini(&text);
	return ret;
}

int np_at_keys_default_path(const char *atsign, char *dst, size_t size, struct np_err *err)
{
	const char *home = getenv("HOME");

	if (!home || !*home)
		return np_fail(
			err, -ENOENT,
			"HOME is not set, so there is no default key file; name one with --keys");
	if ((size_t)snprintf(dst, size, "%s/.atsign/keys/%s_key.atKeys", home, atsign) >= size)
		return np_fail(err, -ENAMETOOLONG, "default key file of %s: path too long", atsign);
	return 0;
}
