// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/realm.h"

#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"
#include "harness/ktap.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int read_text(const char *text, size_t len, mode_t mode, struct np_secret *out)
{
	struct np_err err = NP_ERR_INIT;
	char path[PATH_MAX];
	int ret;

	KTAP_EQ(np_realm_secret_path(dir, "@a", path, NULL), 0);
	KTAP_EQ(np_file_write_atomic(path, text, len, mode, &err), 0);
	ret = np_realm_read_secret(dir, "@a", out, &err);
	KTAP_OK(!ret || strstr(err.msg, "@a.cram"));
	if (ret)
		KTAP_EQ(out->len, 0);
	/* A message must never carry what was in the file. */
	KTAP_OK(!strstr(err.msg, "topsecret"));
	return ret;
}

static void secrets_are_one_line(void)
{
	struct np_secret secret = NP_SECRET_INIT;
	char big[5000];

	KTAP_EQ(read_text("topsecret\n", 10, 0600, &secret), 0);
	KTAP_STREQ(np_secret_str(&secret), "topsecret");
	KTAP_EQ(read_text("topsecret", 9, 0400, &secret), 0);
	KTAP_STREQ(np_secret_str(&secret), "topsecret");
	KTAP_EQ(read_text("topsecret \r\n", 12, 0600, &secret), 0);
	KTAP_STREQ(np_secret_str(&secret), "topsecret");
	np_secret_fini(&secret);
	KTAP_EQ(read_text("", 0, 0600, &secret), -EBADMSG);
	KTAP_EQ(read_text("\n\n", 2, 0600, &secret), -EBADMSG);
	KTAP_EQ(read_text("topsecret\ntopsecret\n", 20, 0600, &secret), -EBADMSG);
	KTAP_EQ(read_text("topsecret\0x\n", 12, 0600, &secret), -EBADMSG);
	memset(big, 'a', sizeof(big));
	KTAP_EQ(read_text(big, sizeof(big), 0600, &secret), -EFBIG);
}

static void others_must_not_read_them(void)
{
	struct np_secret secret = NP_SECRET_INIT;

	KTAP_EQ(read_text("topsecret\n", 10, 0640, &secret), -EPERM);
	KTAP_EQ(read_text("topsecret\n", 10, 0604, &secret), -EPERM);
	KTAP_EQ(np_realm_read_secret(dir, "@none", &secret, NULL), -ENOENT);
	np_secret_fini(&secret);
}

static void paths_start_from_the_config_file(void)
{
	char out[PATH_MAX], name[PATH_MAX];

	KTAP_EQ(np_realm_resolve("/r/atserverd.yaml", "data/x.db", out, NULL), 0);
	KTAP_STREQ(out, "/r/data/x.db");
	KTAP_EQ(np_realm_resolve("r/s/atserverd.yaml", "../x", out, NULL), 0);
	KTAP_STREQ(out, "r/s/../x");
	KTAP_EQ(np_realm_resolve("atserverd.yaml", "x", out, NULL), 0);
	KTAP_STREQ(out, "x");
	KTAP_EQ(np_realm_resolve("/r/atserverd.yaml", "/abs", out, NULL), 0);
	KTAP_STREQ(out, "/abs");
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	KTAP_EQ(np_realm_resolve("/r/c", name, out, NULL), -ENAMETOOLONG);
	KTAP_EQ(np_realm_path("/r", name, out, NULL), -ENAMETOOLONG);
	KTAP_EQ(np_realm_secret_path(name, "@a", out, NULL), -ENAMETOOLONG);
}

int main(void)
{
	char cmd[96];

	snprintf(dir, sizeof(dir), "/tmp/np-realm-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	KTAP_RUN(secrets_are_one_line);
	KTAP_RUN(others_must_not_read_them);
	KTAP_RUN(paths_start_from_the_config_file);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd) | ktap_done();
}
