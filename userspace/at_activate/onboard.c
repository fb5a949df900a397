// SPDX-License-Identifier: BSD-3-Clause
/*
 * The order of things (atprotocol.md 18.2) is chosen so that an interruption anywhere loses
 * nothing:
 *
 *	no key file there yet, its folder can be written     before the server hears of us
 *	scan: not activated yet
 *	cram, enroll:request                                 the server knows our log-in key
 *	write the key file                                   from here on --resume can finish
 *	pkam with it, publish the encryption key
 *	delete the CRAM secret                               last: it cannot be taken back
 */
#include "activate.h"

#include "at/keyfile.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"
#include "json/json.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_MAX 4096

static void say(const char *text)
{
	fprintf(stderr, "at_activate: %s\n", text);
}

/* --- the secret ------------------------------------------------------------------------------- */

/* One line from a terminal, unseen. */
static int read_terminal(const char *atsign, struct np_secret *secret)
{
	struct termios old, quiet;
	size_t n = 0;
	ssize_t got;
	int ret;

	ret = np_secret_alloc(secret, SECRET_MAX);
	if (ret)
		return ret;
	if (tcgetattr(STDIN_FILENO, &old) < 0)
		return -errno;
	quiet = old;
	quiet.c_lflag &=
		~(tcflag_t)(ECHO | ISIG); /* an interrupt must not leave the terminal mute */
	fprintf(stderr, "CRAM secret of %s: ", atsign);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	do {
		got = read(STDIN_FILENO, secret->data + n, SECRET_MAX - n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 && n < SECRET_MAX && !memchr(secret->data, '\n', n));
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	fputc('\n', stderr);
	secret->len = n;
	secret->data[n] = '\0';
	return got < 0 ? -EIO : 0;
}

static int read_secret(const struct activate_conf *conf, struct np_secret *secret,
		       struct np_err *err)
{
	bool use_stdin = !conf->cram_key && (!conf->cram_file || !strcmp(conf->cram_file, "-"));
	int fd, ret;

	if (conf->cram_key) {
		ret = np_secret_set(secret, conf->cram_key, strlen(conf->cram_key));
	} else if (use_stdin && isatty(STDIN_FILENO)) {
		ret = read_terminal(conf->atsign, secret);
	} else if (use_stdin) {
		ret = np_secret_read(secret, STDIN_FILENO, SECRET_MAX);
	} else {
		fd = np_fd_open_private(conf->cram_file, err);
		if (fd < 0)
			return np_err_prefix(err, "CRAM secret");
		ret = np_secret_read(secret, fd, SECRET_MAX);
		np_fd_close(&fd);
	}
	if (ret)
		return np_fail_errno(err, ret, "CRAM secret: cannot be read");
	np_secret_trim(secret);
	if (!secret->len)
		return np_fail(err, -EINVAL,
			       "CRAM secret: is empty; give it with --cram-file FILE or on "
			       "standard input");
	return 0;
}

/* --- the key file ----------------------------------------------------------------------------- */

static int check_path(const struct activate_conf *conf, struct np_err *err)
{
	char copy[PATH_MAX];
	const char *dir;
	int ret;

	if (access(conf->path, F_OK) == 0)
		return np_fail(err, -EEXIST,
			       "%s exists already and is not overwritten; see what it is worth "
			       "with 'at_activate status', "
			       "finish an interrupted activation with --resume, or move it away",
			       conf->path);
	memcpy(copy, conf->path, sizeof(copy));
	dir = dirname(copy);
	ret = np_dir_make(dir, 0700, err);
	if (!ret && access(dir, W_OK) < 0)
		ret = np_fail_errno(err, errno, "%s: cannot be written", dir);
	return ret ? np_err_prefix(err, "key file %s", conf->path) : 0;
}

/* --- the enrolment ---------------------------------------------------------------------------- */

static int set_sealed(struct np_json *obj, const char *member, const struct np_secret *key,
		      const void *text, size_t len)
{
	struct np_buf b64 = NP_BUF_INIT;
	int ret;

	ret = np_aes_encrypt_b64(key, NULL, text, len, &b64);
	if (!ret)
		ret = np_json_set_str(obj, member, np_buf_str(&b64));
	np_buf_fini(&b64);
	return ret;
}

static int fill_request(const struct np_at_keys *keys, const char *device, struct np_json *obj)
{
	char self_text[NP_B64_LEN(NP_AES_KEY_LEN) + 1];
	struct np_secret priv = NP_SECRET_INIT;
	struct np_buf pub = NP_BUF_INIT;
	int ret;

	np_b64_encode(keys->self_key.data, keys->self_key.len, self_text);
	ret = np_json_set_str(obj, "appName", "firstApp");
	if (!ret)
		ret = np_json_set_str(obj, "deviceName", device);
	if (!ret)
		ret = np_rsa_private_b64(keys->enc, &priv);
	if (!ret)
		ret = set_sealed(obj, "encryptedDefaultEncryptionPrivateKey", &keys->apkam_key,
				 priv.data, priv.len);
	if (!ret)
		ret = set_sealed(obj, "encryptedDefaultSelfEncryptionKey", &keys->apkam_key,
				 self_text, strlen(self_text));
	if (!ret)
		ret = np_rsa_public_b64(keys->pkam, &pub);
	if (!ret)
		ret = np_json_set_str(obj, "apkamPublicKey", np_buf_str(&pub));
	np_wipe(self_text, sizeof(self_text));
	np_secret_fini(&priv);
	np_buf_fini(&pub);
	return ret;
}

static int take_enrollment_id(struct np_at_keys *keys, struct talk *t)
{
	struct np_json *obj =
		np_json_parse(t->answer, strlen(t->answer), "answer to the enrolment", &t->err);
	const char *id = np_json_str(obj, "enrollmentId"), *state = np_json_str(obj, "status");
	int ret = 0;

	if (!id || !np_str_is_charset(id, "-_") || !state || strcmp(state, "approved") ||
	    np_str_copy(keys->enrollment_id, sizeof(keys->enrollment_id), id))
		ret = np_fail(&t->err, -EPROTO, "atServer of %s: enrolment was not approved",
			      keys->atsign);
	np_json_put(obj);
	return ret;
}

/*
 * Servers without enrolment take the log-in key as a record; then the key file names no enrolment.
 */
static int enroll_legacy(struct np_at_keys *keys, struct talk *t)
{
	struct np_buf line = NP_BUF_INIT;
	int ret;

	np_secret_fini(&keys->apkam_key);
	ret = np_buf_append_str(&line, "update:privatekey:at_pkam_publickey ");
	if (!ret)
		ret = np_rsa_public_b64(keys->pkam, &line);
	ret = ret ? np_fail_errno(&t->err, ret, "cannot register the log-in key")
		  : talk_ask(t, np_buf_str(&line), "register the log-in key");
	np_buf_fini(&line);
	return ret;
}

static int ask_enrollment(struct np_at_keys *keys, const char *device, struct talk *t)
{
	struct np_json *obj = np_json_obj();
	struct np_buf line = NP_BUF_INIT;
	int ret;

	ret = obj ? fill_request(keys, device, obj) : -ENOMEM;
	if (!ret)
		ret = np_buf_append_str(&line, "enroll:request:");
	if (!ret)
		ret = np_json_write(obj, &line);
	np_json_put(obj);
	ret = ret ? np_fail_errno(&t->err, ret, "cannot enrol")
		  : talk_ask(t, np_buf_str(&line), "enrol");
	np_buf_fini(&line);
	return ret ? ret : take_enrollment_id(keys, t);
}

static int enroll(struct np_at_keys *keys, struct talk *t)
{
	char device[64], uuid[NP_UUID_SIZE];
	int ret;

	ret = ask_enrollment(keys, "firstDevice", t);
	/*
	 * An attempt that was interrupted before its key file was written has left this name
	 * behind.
	 */
	if (ret && strstr(t->err.msg, "Another enrollment") && !np_rand_uuid4(uuid)) {
		snprintf(device, sizeof(device), "firstDevice-%.8s", uuid);
		ret = ask_enrollment(keys, device, t);
	}
	if (ret && !strcmp(t->err.remote, "AT0003"))
		ret = enroll_legacy(keys, t);
	return ret;
}

/* --- the flow --------------------------------------------------------------------------------- */

/* Also what --resume does: every step may be repeated. */
static int finish(const struct np_at_keys *keys, struct talk *t)
{
	struct np_buf line = NP_BUF_INIT;
	int ret;

	ret = talk_login(t, keys->atsign, keys, NULL);
	if (ret)
		return ret;
	ret = np_buf_printf(&line, "update:isEncrypted:false:public:publickey%s %s", keys->atsign,
			    np_buf_str(&keys->enc_public_b64));
	ret = ret ? np_fail_errno(&t->err, ret, "cannot publish the public key")
		  : talk_ask(t, np_buf_str(&line), "publish the public key");
	np_buf_fini(&line);
	if (!ret)
		ret = talk_ask(t, "delete:privatekey:at_secret", "delete the used CRAM secret");
	return ret;
}

static int begin(const struct activate_conf *conf, const struct np_secret *secret,
		 struct np_at_keys **keys, struct talk *t)
{
	int ret;

	ret = is_activated(t, conf->atsign);
	if (ret < 0)
		return ret;
	if (ret)
		return np_fail(&t->err, -EALREADY,
			       "%s is activated already; its key file was written then, copy that "
			       "one. A second activation "
			       "would make everything encrypted so far unreadable",
			       conf->atsign);
	ret = np_at_keys_generate(conf->atsign, keys, &t->err);
	if (!ret)
		ret = talk_login(t, conf->atsign, NULL, secret);
	if (ret)
		return ret;
	say("CRAM secret accepted");
	ret = enroll(*keys, t);
	if (!ret)
		ret = np_at_keys_save(*keys, conf->path, &t->err);
	if (!ret)
		fprintf(stderr, "at_activate: %s written\n", conf->path);
	return ret;
}

static int activate(const struct activate_conf *conf, const struct np_secret *secret,
		    struct np_err *err)
{
	struct np_at_keys *keys = NULL;
	struct talk t = {0};
	int ret;

	ret = talk_open(&t, conf);
	if (!ret && conf->resume)
		ret = np_at_keys_load(conf->path, conf->atsign, &keys, &t.err);
	else if (!ret)
		ret = begin(conf, secret, &keys, &t);
	if (!ret) {
		ret = finish(keys, &t);
		if (ret)
			fprintf(stderr, "at_activate: not finished; the key file is kept, run this "
					"again with --resume\n");
	}
	*err = t.err;
	talk_close(&t);
	np_at_keys_free(keys);
	return ret;
}

int cmd_onboard(void *arg, const struct cli_parse *parse)
{
	struct activate_conf *conf = arg;
	struct np_secret secret = NP_SECRET_INIT;
	struct np_err err = NP_ERR_INIT;
	int ret;

	ret = conf_finish(conf, &err);
	if (!ret && conf->cram_key && conf->cram_file)
		ret = np_fail(&err, -EINVAL,
			      "options --cramkey and --cram-file exclude each other");
	if (!ret && conf->resume && (conf->cram_key || conf->cram_file))
		ret = np_fail(&err, -EINVAL, "option --resume needs no CRAM secret");
	if (ret)
		return np_cli_usage_exit(parse, &err);
	if (!conf->resume) {
		ret = check_path(conf, &err);
		if (!ret)
			ret = read_secret(conf, &secret, &err);
	}
	if (!ret)
		ret = activate(conf, &secret, &err);
	np_secret_fini(&secret);
	if (ret)
		return complain(&err);
	printf("%s is activated, its keys are in %s\n", conf->atsign, conf->path);
	return 0;
}
