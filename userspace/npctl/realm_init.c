// SPDX-License-Identifier: BSD-3-Clause
/*
 * npctl realm init: a folder that atserverd starts from. Everything is checked before the first
 * file is made.
 */
#include "npctl.h"

#include "atserver/realm.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/cert.h"
#include "realm.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct cli_opt npctl_realm_init_opts[] = {
	CLI_LIST("host", 0, "HOST", struct npctl_conf, realm.hosts,
		 "name or address of the server, as everybody reaches it; the first one is "
		 "published",
		 CLI_REQUIRED),
	CLI_LIST("atsign", 0, "@ATSIGN", struct npctl_conf, realm.atsigns,
		 "atSign to host; may be repeated", 0),
	CLI_PORT("port", 0, "PORT", struct npctl_conf, realm.port,
		 "port of the atServers; 0 takes any at each start", 0),
	CLI_PORT("directory-port", 0, "PORT", struct npctl_conf, realm.directory_port,
		 "port of the atDirectory; 0 takes any at each start", 0),
	CLI_END
};

/* What a realm is made of; removed again, in the reverse order, when making it fails. */
static const char *const pieces[] = {
	NP_REALM_SECRETS,     NP_REALM_DATA_DIR, NP_REALM_DATA, NP_REALM_DATA "-wal",
	NP_REALM_DATA "-shm", NP_REALM_CA_KEY,	 NP_REALM_CA,	NP_REALM_KEY,
	NP_REALM_CERT,	      NP_REALM_CONF,
};
#define NR_PIECES (sizeof(pieces) / sizeof(pieces[0]))

struct plan {
	const struct npctl_conf *conf;
	struct realm realm;
	char (*atsigns)[NP_ATSIGN_MAX];
	size_t nr_atsigns;
	struct np_cert *ca, *server;
	bool made_dir;
};

static int plan_hosts(struct plan *plan, struct np_err *err)
{
	const struct cli_list *hosts = &plan->conf->realm.hosts;
	const struct np_cert_params ca = {.name = "NoPorts private realm CA"};
	const struct np_cert_params server = {.hosts = hosts->items, .nr_hosts = hosts->nr};
	int ret;

	if (!hosts->nr)
		return np_fail(err, -EINVAL, "--host: needs a name or an address");
	/*
	 * Certificates may carry IPv6 addresses; the directory's answer may not
	 * (atprotocol.md 2.1).
	 */
	if (strchr(hosts->items[0], ':'))
		return np_fail(
			err, -EINVAL,
			"--host %.100s: the published host is split at ':' by clients; give a"
			" name or an IPv4 address first",
			hosts->items[0]);
	ret = np_cert_make_ca(&ca, &plan->ca, err);
	if (!ret)
		ret = np_cert_make_server(plan->ca, &server, &plan->server, err);
	if (!ret && snprintf(plan->realm.host, NP_HOST_MAX, "%s", hosts->items[0]) >= NP_HOST_MAX)
		ret = np_fail(err, -EINVAL, "--host: is too long");
	return ret;
}

static int plan_atsigns(struct plan *plan, struct np_err *err)
{
	const struct cli_list *list = &plan->conf->realm.atsigns;
	size_t i, k;
	int ret;

	plan->atsigns = calloc(list->nr + 1, sizeof(*plan->atsigns));
	if (!plan->atsigns)
		return -ENOMEM;
	for (i = 0; i < list->nr; i++) {
		char *atsign = plan->atsigns[plan->nr_atsigns];

		ret = np_atsign_parse(list->items[i], atsign, err);
		if (ret)
			return ret;
		for (k = 0; k < plan->nr_atsigns && strcmp(plan->atsigns[k], atsign); k++)
			;
		plan->nr_atsigns += k == plan->nr_atsigns;
	}
	return 0;
}

/* Return: 0 when @dir is absent (or empty), else why it cannot become a realm. */
static int check_dir(const char *dir, struct np_err *err)
{
	const struct dirent *entry;
	DIR *stream = opendir(dir);
	int ret = 0;

	if (!stream)
		return errno == ENOENT ? 0 : np_fail_errno(err, errno, "%s", dir);
	while (!ret && (entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			ret = -EEXIST;
	closedir(stream);
	if (!ret)
		return 0;
	if (realm_exists(dir))
		return np_fail(
			err, ret,
			"%.80s: is a realm already, nothing was changed; add atSigns with: npctl"
			" realm add %.80s @ATSIGN",
			dir, dir);
	return np_fail(err, ret, "%.150s: is not empty and no realm; name another folder", dir);
}

static int make_dirs(struct plan *plan, struct np_err *err)
{
	const char *dir = plan->realm.dir;
	char path[PATH_MAX];
	struct stat st;
	int ret;

	plan->made_dir = stat(dir, &st) != 0;
	ret = np_dir_make(dir, 0700, err);
	if (!ret && chmod(dir, 0700))
		ret = np_fail_errno(err, errno, "%s: cannot set its mode", dir);
	if (!ret)
		ret = np_realm_path(dir, NP_REALM_DATA_DIR, path, err);
	if (!ret)
		ret = np_dir_make(path, 0700, err);
	if (!ret)
		ret = np_realm_path(dir, NP_REALM_SECRETS, plan->realm.secrets, err);
	return ret ? ret : np_dir_make(plan->realm.secrets, 0700, err);
}

static int save_cert(const struct plan *plan, const struct np_cert *cert, const char *name,
		     const char *key, struct np_err *err)
{
	char cert_path[PATH_MAX], key_path[PATH_MAX];
	int ret;

	ret = np_realm_path(plan->realm.dir, name, cert_path, err);
	if (!ret)
		ret = np_realm_path(plan->realm.dir, key, key_path, err);
	return ret ? ret : np_cert_save(cert, cert_path, key_path, err);
}

static int make_store(struct plan *plan, struct np_err *err)
{
	struct realm *realm = &plan->realm;
	size_t i;
	int ret;

	ret = np_realm_path(realm->dir, NP_REALM_DATA, realm->data, err);
	if (!ret)
		ret = np_store_open_sqlite(realm->data, false, &realm->store, err);
	if (!ret)
		ret = realm->store->ops->begin(realm->store, err);
	for (i = 0; !ret && i < plan->nr_atsigns; i++) {
		ret = realm_add_tenant(realm, plan->atsigns[i], err);
		if (ret > 0)
			ret = 0;
	}
	if (!ret)
		ret = realm->store->ops->commit(realm->store, err);
	realm_close(realm);
	return ret;
}

/* Last, because it makes the folder a realm. */
static int make_conf(const struct plan *plan, struct np_err *err)
{
	struct np_buf text = NP_BUF_INIT;
	char path[PATH_MAX];
	int ret;

	ret = np_buf_printf(&text,
			    "# Every key is an option of atserverd, see: atserverd --help\n"
			    "# Relative paths start from this file's folder.\n"
			    "host: %s\n"
			    "port: %u\n"
			    "directory: true\n"
			    "directory-port: %u\n"
			    "cert: " NP_REALM_CERT "\n"
			    "key: " NP_REALM_KEY "\n"
			    "ca: " NP_REALM_CA "\n"
			    "data: " NP_REALM_DATA "\n"
			    "secrets: " NP_REALM_SECRETS "\n",
			    plan->realm.host, plan->realm.port, plan->realm.directory_port);
	if (!ret)
		ret = np_realm_path(plan->realm.dir, NP_REALM_CONF, path, err);
	if (!ret)
		ret = np_file_create_new(path, text.data, text.len, 0644, err);
	np_buf_fini(&text);
	return ret;
}

static void undo(struct plan *plan)
{
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < plan->nr_atsigns; i++)
		if (!np_realm_secret_path(plan->realm.secrets, plan->atsigns[i], path, NULL))
			unlink(path);
	for (i = NR_PIECES; i-- > 0;)
		if (!np_realm_path(plan->realm.dir, pieces[i], path, NULL))
			remove(path);
	if (plan->made_dir)
		rmdir(plan->realm.dir);
}

static int make_realm(struct plan *plan, struct np_err *err)
{
	int ret;

	ret = make_dirs(plan, err);
	if (!ret)
		ret = save_cert(plan, plan->ca, NP_REALM_CA, NP_REALM_CA_KEY, err);
	if (!ret)
		ret = save_cert(plan, plan->server, NP_REALM_CERT, NP_REALM_KEY, err);
	if (!ret)
		ret = make_store(plan, err);
	if (!ret)
		ret = make_conf(plan, err);
	if (ret)
		undo(plan);
	return ret;
}

static void print_ports(const struct realm *realm)
{
	char at[16], dir[16];

	snprintf(at, sizeof(at), realm->port ? "port %u" : "any port", realm->port);
	snprintf(dir, sizeof(dir), realm->directory_port ? "port %u" : "any port",
		 realm->directory_port);
	printf("  %-14s atServers on %s, atDirectory on %s\n", NP_REALM_CONF, at, dir);
}

static void print_made(const struct plan *plan)
{
	const struct cli_list *hosts = &plan->conf->realm.hosts;
	size_t i;

	printf("realm made in %s\n", plan->realm.dir);
	printf("  %-14s every client, device and relay needs a copy (--root-ca)\n", NP_REALM_CA);
	printf("  %-14s signs server certificates; keep it private\n", NP_REALM_CA_KEY);
	printf("  %-14s valid for %d days, for", NP_REALM_CERT, NP_CERT_SERVER_DAYS);
	for (i = 0; i < hosts->nr; i++)
		printf("%s %s", i ? "," : "", hosts->items[i]);
	printf("\n");
	print_ports(&plan->realm);
	for (i = 0; i < plan->nr_atsigns; i++)
		printf("  %s/%s.cram: hand it to the owner of %s, once and privately\n",
		       NP_REALM_SECRETS, plan->atsigns[i], plan->atsigns[i]);
	printf("next:\n  atserverd --config %s/%s\n", plan->realm.dir, NP_REALM_CONF);
	for (i = 0; i < plan->nr_atsigns; i++)
		realm_print_activation(&plan->realm, plan->atsigns[i]);
	if (!plan->nr_atsigns)
		printf("  npctl realm add %s @ATSIGN\n", plan->realm.dir);
}

int npctl_realm_init(void *arg, const struct cli_parse *parse)
{
	const struct npctl_conf *conf = arg;
	struct plan plan = {.conf = conf,
			    .realm = {.dir = parse->args[0],
				      .port = conf->realm.port,
				      .directory_port = conf->realm.directory_port}};
	struct np_err err = NP_ERR_INIT;
	int ret;

	ret = check_dir(plan.realm.dir, &err);
	if (!ret)
		ret = plan_atsigns(&plan, &err);
	if (!ret)
		ret = plan_hosts(&plan, &err);
	if (!ret)
		ret = make_realm(&plan, &err);
	if (ret) {
		err.code = ret;
		ret = npctl_fail(&err);
	} else {
		print_made(&plan);
	}
	np_cert_free(plan.server);
	np_cert_free(plan.ca);
	free(plan.atsigns);
	return ret;
}
