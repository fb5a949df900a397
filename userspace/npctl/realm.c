// SPDX-License-Identifier: BSD-3-Clause
#include "realm.h"

#include "atserver/realm.h"
#include "atserver/signing.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/secret.h"
#include "base/str.h"
#include "cli/opt.h"
#include "crypto/rand.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The keys of atserverd.yaml that concern npctl; the file may hold any other option of atserverd. */
struct file_conf {
	const char *config, *host, *data, *secrets;
	uint16_t port, directory_port;
	bool directory;
};

static const struct cli_opt file_opts[] = {
	CLI_STR("config", 0, "FILE", struct file_conf, config, "the file",
		CLI_CONF_YAML | CLI_CONF_PART),
	CLI_STR("host", 0, "HOST", struct file_conf, host, "published host", CLI_REQUIRED),
	CLI_PORT("port", 0, "PORT", struct file_conf, port, "of the atServers", 0),
	CLI_BOOL("directory", 0, struct file_conf, directory, "serve the atDirectory", 0),
	CLI_PORT("directory-port", 0, "PORT", struct file_conf, directory_port,
		 "of the atDirectory", 0),
	CLI_STR("data", 0, "FILE", struct file_conf, data, "storage", 0),
	CLI_STR("secrets", 0, "DIR", struct file_conf, secrets, "CRAM secrets", 0),
	CLI_END
};

static const struct cli_prog file_prog = {
	.name = "npctl", .purpose = "config file", .opts = file_opts};

bool realm_exists(const char *dir)
{
	char conf[PATH_MAX], ca[PATH_MAX];

	return !np_realm_path(dir, NP_REALM_CONF, conf, NULL) &&
	       !np_realm_path(dir, NP_REALM_CA, ca, NULL) && !access(conf, F_OK) &&
	       !access(ca, F_OK);
}

static int take_conf(struct realm *realm, const char *path, const struct file_conf *conf,
		     struct np_err *err)
{
	int ret;

	if (np_str_copy(realm->host, sizeof(realm->host), conf->host))
		return np_fail(err, -EINVAL, "%.100s: host: is too long", path);
	realm->port = conf->port;
	realm->directory_port = conf->directory_port;
	realm->directory = conf->directory;
	ret = np_realm_resolve(path, conf->secrets, realm->secrets, err);
	return ret ? ret : np_realm_resolve(path, conf->data, realm->data, err);
}

static int read_conf(struct realm *realm, const char *path, struct np_err *err)
{
	struct file_conf conf = {.port = NP_REALM_PORT,
				 .directory_port = NP_REALM_DIR_PORT,
				 .data = NP_REALM_DATA,
				 .secrets = NP_REALM_SECRETS};
	char option[PATH_MAX + 16];
	char *argv[] = {(char *)"npctl", option, NULL};
	struct cli_parse parse;
	int ret;

	snprintf(option, sizeof(option), "--config=%s", path);
	ret = np_cli_parse(&parse, &file_prog, 2, argv, &conf, err);
	if (!ret)
		ret = take_conf(realm, path, &conf, err);
	np_cli_fini(&parse);
	return ret;
}

int realm_conf(struct realm *realm, const char *dir, struct np_err *err)
{
	char path[PATH_MAX];
	int ret;

	memset(realm, 0, sizeof(*realm));
	realm->dir = dir;
	if (!realm_exists(dir))
		return np_fail(err, -ENOENT, "%.150s: is no realm; make one with: npctl realm init",
			       dir);
	ret = np_realm_path(dir, NP_REALM_CONF, path, err);
	return ret ? ret : read_conf(realm, path, err);
}

int realm_open(struct realm *realm, const char *dir, bool read_only, struct np_err *err)
{
	int ret = realm_conf(realm, dir, err);

	if (ret)
		return ret;
	/* Opening for writing would make an empty store in place of one that is not mounted, say. */
	if (access(realm->data, F_OK))
		return np_fail_errno(err, errno, "store %.150s", realm->data);
	return np_store_open_sqlite(realm->data, read_only, &realm->store, err);
}

void realm_close(struct realm *realm)
{
	np_store_close(realm->store);
	realm->store = NULL;
}

/* Made by root for a server that runs as somebody else: that one owns the folder. */
int realm_give_to_owner(const char *dir, const char *path, struct np_err *err)
{
	struct stat st;

	if (geteuid())
		return 0;
	if (stat(dir, &st) || lchown(path, st.st_uid, st.st_gid))
		return np_fail_errno(err, errno, "%s: cannot set its owner", path);
	return 0;
}

static int make_secret(const struct realm *realm, const char *atsign, struct np_err *err)
{
	char text[NP_CRAM_SECRET_LEN + 2], path[PATH_MAX];
	uint8_t bytes[NP_CRAM_SECRET_LEN / 2];
	int ret;

	ret = np_realm_secret_path(realm->secrets, atsign, path, err);
	if (ret)
		return ret;
	if (np_rand_bytes(bytes, sizeof(bytes)))
		return np_fail(err, -EIO, "OpenSSL gives no random bytes");
	np_hex_encode(bytes, sizeof(bytes), text);
	text[NP_CRAM_SECRET_LEN] = '\n';
	ret = np_file_create_new(path, text, NP_CRAM_SECRET_LEN + 1, 0600, err);
	np_wipe(bytes, sizeof(bytes));
	np_wipe(text, sizeof(text));
	if (ret == -EEXIST)
		return 0;
	return ret ? ret : realm_give_to_owner(realm->secrets, path, err);
}

static bool take_hosted(const struct np_dir_entry *entry, void *arg)
{
	*(bool *)arg = entry->hosted;
	return false;
}

int realm_hosts(const struct realm *realm, const char *atsign, struct np_err *err)
{
	bool hosted = false;
	int ret;

	ret = realm->store->ops->dir_get(realm->store, atsign, take_hosted, &hosted);
	if (ret && ret != -ENOENT)
		return np_fail_errno(err, ret, "store %.150s: cannot read the directory",
				     realm->data);
	return hosted;
}

int realm_add_tenant(struct realm *realm, const char *atsign, struct np_err *err)
{
	const struct np_dir_entry entry = {
		.atsign = atsign, .host = realm->host, .port = realm->port};
	int ret;

	ret = realm_hosts(realm, atsign, err);
	if (ret)
		return ret < 0 ? ret : 0;
	/* The entry last: it is what makes a running server look, which then need not stop to make a key pair. */
	ret = make_secret(realm, atsign, err);
	if (!ret)
		ret = np_signing_create(realm->store, atsign, err);
	if (!ret)
		ret = realm->store->ops->dir_put(realm->store, &entry, true, err);
	return ret ? ret : 1;
}

void realm_print_activation(const struct realm *realm, const char *atsign)
{
	printf("  at_activate onboard -a %s --cram-file %s/%s.cram --root-domain %s", atsign,
	       realm->secrets, atsign, realm->host);
	if (!realm->directory_port)
		printf(":PORT");
	else if (realm->directory_port != NP_REALM_DIR_PORT)
		printf(":%u", realm->directory_port);
	printf(" --root-ca %s/%s\n", realm->dir, NP_REALM_CA);
}
