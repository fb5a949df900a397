// SPDX-License-Identifier: BSD-3-Clause
/* Keys made here are keys to OpenSSH; lines of others are judged before they are added. */
#include "crypto/sshkey.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"
#include "harness/ktap.h"

#include <sys/stat.h>
#include <unistd.h>

/* Runs `ssh-keygen -y -f PATH` and gives its output without the LF. */
static bool public_of(const char *path, char *dst, size_t size)
{
	char cmd[256];
	FILE *f;
	bool ok;

	snprintf(cmd, sizeof(cmd), "ssh-keygen -y -f %s 2>&1 </dev/null", path);
	f = popen(cmd, "r");
	ok = f && fgets(dst, (int)size, f);
	dst[strcspn(dst, "\n")] = '\0';
	return f && pclose(f) == 0 && ok;
}

static void check_generated(enum np_sshkey_alg alg, const char *type)
{
	char path[] = "/tmp/np-sshkey-XXXXXX", line[2048] = "";
	struct np_secret pem = NP_SECRET_INIT;
	struct np_buf pub = NP_BUF_INIT;
	int fd;

	KTAP_EQ(np_sshkey_generate(alg, &pem, &pub, NULL), 0);
	KTAP_OK(!strncmp(np_buf_str(&pub), type, strlen(type)));
	KTAP_OK(np_sshkey_public_ok(np_buf_str(&pub), pub.len, NULL));
	KTAP_EQ(strlen(np_secret_str(&pem)), pem.len);
	if (system("command -v ssh-keygen >/dev/null")) {
		np_secret_fini(&pem);
		np_buf_fini(&pub);
		KTAP_SKIP("needs ssh-keygen");
	}
	fd = mkstemp(path);
	KTAP_EQ(np_fd_write_all(fd, pem.data, pem.len), 0);
	np_fd_close(&fd);
	KTAP_OK(public_of(path, line, sizeof(line)));
	KTAP_STREQ(line, np_buf_str(&pub));
	unlink(path);
	np_secret_fini(&pem);
	np_buf_fini(&pub);
}

static void ed25519_is_accepted_by_ssh_keygen(void)
{
	int i;

	for (i = 0; i < 4; i++)
		check_generated(NP_SSHKEY_ED25519, "ssh-ed25519 AAAA");
}

static void rsa_is_accepted_by_ssh_keygen(void)
{
	check_generated(NP_SSHKEY_RSA, "ssh-rsa AAAA");
}

static void keys_differ(void)
{
	struct np_secret pem = NP_SECRET_INIT;
	struct np_buf a = NP_BUF_INIT, b = NP_BUF_INIT;

	np_sshkey_generate(NP_SSHKEY_ED25519, &pem, &a, NULL);
	np_sshkey_generate(NP_SSHKEY_ED25519, &pem, &b, NULL);
	KTAP_OK(strcmp(np_buf_str(&a), np_buf_str(&b)) != 0);
	np_secret_fini(&pem);
	np_buf_fini(&a);
	np_buf_fini(&b);
}

#define ED "AAAAC3NzaC1lZDI1NTE5AAAAIHrz0t1aGQq2o2YVE1SnKqkWKQ5t1hvvKxu9rYwGX3RV"

static bool ok(const char *line)
{
	return np_sshkey_public_ok(line, strlen(line), NULL);
}

static void public_lines(void)
{
	KTAP_OK(ok("ssh-ed25519 " ED));
	KTAP_OK(ok("ssh-ed25519 " ED " me at home"));
	KTAP_OK(!ok(""));
	KTAP_OK(!ok("ssh-ed25519"));
	KTAP_OK(!ok("ssh-ed25519 "));
	KTAP_OK(!ok("ssh-ed25519 " ED "\nssh-rsa x"));
	KTAP_OK(!ok("ssh-ed25519 " ED "\n"));
	KTAP_OK(!ok("ssh-ed25519 " ED "\r"));
	KTAP_OK(!ok("ssh-rsa " ED));
	KTAP_OK(!ok("rsa-sha2-256 " ED));
	KTAP_OK(!ok("ssh-dss " ED));
	KTAP_OK(!ok("command=\"x\" ssh-ed25519 " ED));
	KTAP_OK(!ok(" ssh-ed25519 " ED));
	KTAP_OK(!ok("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"));
	KTAP_OK(!ok("ssh-ed25519 not*base64"));
	KTAP_OK(!ok("ssh-ed25519 /////w=="));
}

int main(void)
{
	KTAP_RUN(ed25519_is_accepted_by_ssh_keygen);
	KTAP_RUN(rsa_is_accepted_by_ssh_keygen);
	KTAP_RUN(keys_differ);
	KTAP_RUN(public_lines);
	return ktap_done();
}
