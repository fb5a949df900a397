// SPDX-License-Identifier: BSD-3-Clause
#include "at/keyfile.h"

#include "atvectors.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"
#include "json/json.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[128], path[192];

/* A file as other SDKs write it, around the key of the test vectors. */
static void sealed(struct np_json *obj, const char *member, const char *text)
{
	struct np_secret key = NP_SECRET_INIT;
	struct np_buf out = NP_BUF_INIT;

	np_b64_decode_secret(VEC_AES_KEY, strlen(VEC_AES_KEY), &key);
	np_aes_encrypt_b64(&key, NULL, text, strlen(text), &out);
	np_json_set_str(obj, member, np_buf_str(&out));
	np_secret_fini(&key);
	np_buf_fini(&out);
}

static struct np_json *sdk_file(void)
{
	struct np_json *obj = np_json_obj();

	sealed(obj, "aesPkamPublicKey", VEC_RSA_PUBLIC);
	sealed(obj, "aesPkamPrivateKey", VEC_RSA_PRIVATE);
	sealed(obj, "aesEncryptPublicKey", VEC_RSA_PUBLIC);
	sealed(obj, "aesEncryptPrivateKey", VEC_RSA_PRIVATE);
	np_json_set_str(obj, "selfEncryptionKey", VEC_AES_KEY);
	np_json_set_str(obj, "@alice", VEC_AES_KEY);
	np_json_set_str(obj, "apkamSymmetricKey", VEC_AES_KEY);
	np_json_set_str(obj, "enrollmentId", "e7b0c1d2-0000-4000-8000-000000000001");
	np_json_set_str(obj, "somethingNew", "ignored");
	return obj;
}

static void write_text(const char *text, size_t len, mode_t mode)
{
	struct np_err err = NP_ERR_INIT;

	if (np_file_write_atomic(path, text, len, mode, &err))
		KTAP_FAILF("%s", err.msg);
}

static void write_file(struct np_json *obj, mode_t mode)
{
	struct np_buf text = NP_BUF_INIT;

	np_json_write_pretty(obj, &text);
	write_text(np_buf_str(&text), text.len, mode);
	np_buf_fini(&text);
	np_json_put(obj);
}

static void loads_what_sdks_write(void)
{
	struct np_at_keys *keys = NULL;
	struct np_err err = NP_ERR_INIT;

	write_file(sdk_file(), 0600);
	KTAP_EQ(np_at_keys_load(path, "@alice", &keys, &err), 0);
	if (!keys) {
		KTAP_FAILF("%s", err.msg);
		return;
	}
	KTAP_STREQ(keys->atsign, "@alice");
	KTAP_STREQ(np_buf_str(&keys->enc_public_b64), VEC_RSA_PUBLIC);
	KTAP_STREQ(keys->enrollment_id, "e7b0c1d2-0000-4000-8000-000000000001");
	KTAP_EQ(keys->self_key.len, 32);
	KTAP_EQ(keys->apkam_key.len, 32);
	KTAP_OK(np_rsa_same_key(keys->pkam, keys->enc));
	np_at_keys_free(keys);
}

static void fails_with(const char *atsign, int code, const char *part)
{
	struct np_at_keys *keys = NULL;
	struct np_err err = NP_ERR_INIT;
	int ret = np_at_keys_load(path, atsign, &keys, &err);

	KTAP_EQ(ret, code);
	KTAP_EQ(err.code, code);
	if (!strstr(err.msg, part) || !strstr(err.msg, path))
		KTAP_FAILF("'%s' lacks '%s' or the path", err.msg, part);
	/* Never content. */
	KTAP_OK(!strstr(err.msg, VEC_AES_KEY) && !strstr(err.msg, "AAECAw"));
	KTAP_OK(!keys);
	np_at_keys_free(keys);
}

static void without(const char *member, const char *part)
{
	struct np_json *obj = sdk_file();

	np_json_set_null(obj, member);
	write_file(obj, 0600);
	fails_with("@alice", -EBADMSG, part);
}

static void missing_members_are_named(void)
{
	without("selfEncryptionKey", "'selfEncryptionKey' is missing");
	without("aesPkamPrivateKey", "'aesPkamPrivateKey' is missing");
	without("aesPkamPublicKey", "'aesPkamPublicKey' is missing");
	without("aesEncryptPrivateKey", "'aesEncryptPrivateKey' is missing");
	without("aesEncryptPublicKey", "'aesEncryptPublicKey' is missing");
}

static void with(const char *member, const char *value, const char *part)
{
	struct np_json *obj = sdk_file();

	np_json_set_str(obj, member, value);
	write_file(obj, 0600);
	fails_with("@alice", -EBADMSG, part);
}

static void damaged_members_are_named(void)
{
	struct np_rsa *other = NULL;
	struct np_buf text = NP_BUF_INIT;
	struct np_json *obj;

	with("selfEncryptionKey", "AAECAw==", "'selfEncryptionKey' is no base64 text of 32 bytes");
	with("selfEncryptionKey", "!", "'selfEncryptionKey' is no base64 text of 32 bytes");
	with("selfEncryptionKey",
	     "BBECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "does not decrypt");
	with("aesPkamPrivateKey", "abcd", "'aesPkamPrivateKey' does not decrypt");
	with("apkamSymmetricKey", "abcd", "'apkamSymmetricKey'");
	with("enrollmentId", "x:y", "'enrollmentId' is malformed");
	obj = sdk_file();
	sealed(obj, "aesEncryptPrivateKey", "not a key");
	write_file(obj, 0600);
	fails_with("@alice", -EBADMSG, "holds no RSA private key");
	/* two halves of different keys */
	np_rsa_generate(&other, NULL);
	np_rsa_public_b64(other, &text);
	obj = sdk_file();
	sealed(obj, "aesEncryptPublicKey", np_buf_str(&text));
	write_file(obj, 0600);
	fails_with("@alice", -EBADMSG, "are no pair");
	np_buf_fini(&text);
	np_rsa_free(other);
}

static void other_owner_is_named(void)
{
	write_file(sdk_file(), 0600);
	fails_with("@bob", -EACCES, "is of @alice, not of @bob");
}

static void a_file_without_its_atsign_is_taken(void)
{
	struct np_json *obj = np_json_obj();
	struct np_at_keys *keys = NULL;

	sealed(obj, "aesPkamPublicKey", VEC_RSA_PUBLIC);
	sealed(obj, "aesPkamPrivateKey", VEC_RSA_PRIVATE);
	sealed(obj, "aesEncryptPublicKey", VEC_RSA_PUBLIC);
	sealed(obj, "aesEncryptPrivateKey", VEC_RSA_PRIVATE);
	np_json_set_str(obj, "selfEncryptionKey", VEC_AES_KEY);
	write_file(obj, 0600);
	KTAP_EQ(np_at_keys_load(path, "@carol", &keys, NULL), 0);
	KTAP_STREQ(keys->enrollment_id, "");
	KTAP_EQ(keys->apkam_key.len, 0);
	np_at_keys_free(keys);
}

static void no_file_open_file_cut_file(void)
{
	struct np_buf text = NP_BUF_INIT;
	struct np_json *obj = sdk_file();

	unlink(path);
	fails_with("@alice", -ENOENT, "at_activate onboard -a @alice");
	np_json_write(obj, &text);
	np_json_put(obj);
	write_text(np_buf_str(&text), text.len, 0644);
	fails_with("@alice", -EPERM, "chmod 600");
	write_text(np_buf_str(&text), text.len, 0620);
	fails_with("@alice", -EPERM, "chmod 600");
	write_text(np_buf_str(&text), text.len / 2, 0600);
	fails_with("@alice", -EBADMSG, "truncated");
	write_text("", 0, 0600);
	fails_with("@alice", -EBADMSG, "truncated");
	write_text("[]", 2, 0600);
	fails_with("@alice", -EBADMSG, "no JSON object");
	np_buf_fini(&text);
	obj = NULL;
	{
		static char big[70000];

		memset(big, ' ', sizeof(big));
		write_text(big, sizeof(big), 0600);
		fails_with("@alice", -EFBIG, "cannot be read");
	}
}

static void folder_is_no_key_file(void)
{
	struct np_at_keys *keys = NULL;
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(np_at_keys_load(dir, "@alice", &keys, &err), -EPERM);
	KTAP_OK(strstr(err.msg, "not a regular file"));
}

static void saves_what_it_loads(void)
{
	struct np_at_keys *keys = NULL, *again = NULL;
	struct np_err err = NP_ERR_INIT;
	struct np_buf text = NP_BUF_INIT;
	struct stat st;

	unlink(path);
	KTAP_EQ(np_at_keys_generate("@new", &keys, &err), 0);
	KTAP_EQ(np_at_keys_save(keys, path, &err), 0);
	KTAP_EQ(stat(path, &st), 0);
	KTAP_EQ(st.st_mode & 0777, 0600);
	KTAP_EQ(np_at_keys_load(path, "@new", &again, &err), 0);
	if (!again) {
		KTAP_FAILF("%s", err.msg);
		return;
	}
	KTAP_OK(np_rsa_same_key(keys->pkam, again->pkam) && np_rsa_same_key(keys->enc, again->enc));
	KTAP_OK(!np_rsa_same_key(again->pkam, again->enc));
	KTAP_STREQ(np_buf_str(&again->enc_public_b64), np_buf_str(&keys->enc_public_b64));
	KTAP_OK(np_secret_equal(keys->self_key.data, 32, again->self_key.data, 32));
	KTAP_OK(np_secret_equal(keys->apkam_key.data, 32, again->apkam_key.data, 32));
	/* never overwritten */
	KTAP_EQ(np_at_keys_save(keys, path, &err), -EEXIST);
	KTAP_OK(strstr(err.msg, "not overwritten"));
	/* private keys stand in it only encrypted */
	KTAP_EQ(np_file_read(path, 65536, &text, &err), 0);
	KTAP_OK(!strstr(np_buf_str(&text), "MIIE") && strstr(np_buf_str(&text), "\"@new\":"));
	np_buf_fini(&text);
	np_at_keys_free(keys);
	np_at_keys_free(again);
}

static void default_place(void)
{
	char out[256], small[16];
	struct np_err err = NP_ERR_INIT;

	setenv("HOME", "/h", 1);
	KTAP_EQ(np_at_keys_default_path("@alice", out, sizeof(out), &err), 0);
	KTAP_STREQ(out, "/h/.atsign/keys/@alice_key.atKeys");
	KTAP_EQ(np_at_keys_default_path("@alice", small, sizeof(small), &err), -ENAMETOOLONG);
	unsetenv("HOME");
	KTAP_EQ(np_at_keys_default_path("@alice", out, sizeof(out), &err), -ENOENT);
	KTAP_OK(strstr(err.msg, "--keys"));
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.100s/np-keyfile.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/@alice_key.atKeys", dir);
	KTAP_RUN(loads_what_sdks_write);
	KTAP_RUN(missing_members_are_named);
	KTAP_RUN(damaged_members_are_named);
	KTAP_RUN(other_owner_is_named);
	KTAP_RUN(a_file_without_its_atsign_is_taken);
	KTAP_RUN(no_file_open_file_cut_file);
	KTAP_RUN(folder_is_no_key_file);
	KTAP_RUN(saves_what_it_loads);
	KTAP_RUN(default_place);
	unlink(path);
	rmdir(dir);
	return ktap_done();
}
