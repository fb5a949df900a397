// SPDX-License-Identifier: BSD-3-Clause
/* npctl realm renew: a fresh server certificate for the key that the servers have. */
#include "npctl.h"

#include "atserver/realm.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/cert.h"
#include "realm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS_MAX 64

const struct cli_opt npctl_realm_renew_opts[] = {
	CLI_LIST("host", 0, "HOST", struct npctl_conf, realm.hosts,
		 "names and addresses for the certificate; default: those of the present one", 0),
	CLI_END
};

struct renewal {
	char *hosts[HOSTS_MAX];
	size_t nr;
};

static bool take_host(const char *host, void *arg)
{
	struct renewal *renewal = arg;

	if (renewal->nr < HOSTS_MAX)
		renewal->hosts[renewal->nr] = strdup(host);
	if (renewal->nr < HOSTS_MAX && renewal->hosts[renewal->nr])
		renewal->nr++;
	return renewal->nr < HOSTS_MAX;
}

static int load(const char *dir, const char *cert_name, const char *key_name, struct np_cert **out,
		struct np_err *err)
{
	char cert[PATH_MAX], key[PATH_MAX];
	int ret;

	ret = np_realm_path(dir, cert_name, cert, err);
	if (!ret)
		ret = np_realm_path(dir, key_name, key, err);
	return ret ? ret : np_cert_load(cert, key, out, err);
}

/* Only the certificate changes, by rename: a server that starts meanwhile finds a matching pair. */
static int save(const char *dir, const struct np_cert *cert, struct np_err *err)
{
	struct np_buf pem = NP_BUF_INIT;
	char path[PATH_MAX];
	int ret;

	ret = np_cert_pem(cert, &pem);
	if (!ret)
		ret = np_realm_path(dir, NP_REALM_CERT, path, err);
	if (!ret)
		ret = np_file_write_atomic(path, pem.data, pem.len, 0644, err);
	if (!ret)
		ret = realm_give_to_owner(dir, path, err);
	np_buf_fini(&pem);
	return ret;
}

static int renew(const struct realm *realm, struct renewal *renewal, struct np_err *err)
{
	struct np_cert *ca = NULL, *old = NULL, *cert = NULL;
	struct np_cert_params params = {0};
	int ret;

	ret = load(realm->dir, NP_REALM_CA, NP_REALM_CA_KEY, &ca, err);
	if (!ret)
		ret = load(realm->dir, NP_REALM_CERT, NP_REALM_KEY, &old, err);
	if (ret)
		goto out;
	if (!renewal->nr)
		np_cert_each_host(old, take_host, renewal);
	params.hosts = (const char *const *)renewal->hosts;
	params.nr_hosts = renewal->nr;
	params.key_of = old;
	ret = np_cert_make_server(ca, &params, &cert, err);
	if (!ret)
		ret = save(realm->dir, cert, err);
out:
	np_cert_free(cert);
	np_cert_free(old);
	np_cert_free(ca);
	return ret;
}

/* Clients go to the published host, so a certificate without it would end the realm. */
static int check_hosts(const struct realm *realm, const struct renewal *renewal, struct np_err *err)
{
	size_t i;

	for (i = 0; i < renewal->nr; i++)
		if (!strcmp(renewal->hosts[i], realm->host))
			return 0;
	if (!renewal->nr)
		return 0;
	return np_fail(err, -EINVAL,
		       "--host: the published host %.100s must be among them; it is set in %s",
		       realm->host, NP_REALM_CONF);
}

int npctl_realm_renew(void *arg, const struct cli_parse *parse)
{
	const struct npctl_conf *conf = arg;
	struct renewal renewal = {.nr = 0};
	struct np_err err = NP_ERR_INIT;
	struct realm realm;
	size_t i;
	int ret;

	ret = realm_open(&realm, parse->args[0], true, &err);
	for (i = 0; !ret && i < conf->realm.hosts.nr; i++)
		take_host(conf->realm.hosts.items[i], &renewal);
	if (!ret)
		ret = check_hosts(&realm, &renewal, &err);
	if (!ret)
		ret = renew(&realm, &renewal, &err);
	if (ret) {
		ret = npctl_fail(&err);
	} else {
		printf("%s/%s: valid for %d days, for", realm.dir, NP_REALM_CERT,
		       NP_CERT_SERVER_DAYS);
		for (i = 0; i < renewal.nr; i++)
			printf("%s %s", i ? "," : "", renewal.hosts[i]);
		printf("\nrunning servers present it within seconds; clients need nothing new\n");
	}
	for (i = 0; i < renewal.nr; i++)
		free(renewal.hosts[i]);
	realm_close(&realm);
	return ret;
}
