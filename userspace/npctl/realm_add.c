// SPDX-License-Identifier: BSD-3-Clause
/* npctl realm add: more atSigns for a realm, also while its server runs. */
#include "npctl.h"

#include "base/err.h"
#include "realm.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct cli_opt npctl_realm_add_opts[] = {
	CLI_STR("at", 0, "HOST:PORT", struct npctl_conf, realm.at,
		"the atSign is hosted there by another server: only list it in the directory", 0),
	CLI_END
};

static int add_foreign(struct realm *realm, const char *atsign, const char *at, struct np_err *err)
{
	char host[NP_HOST_MAX];
	struct np_dir_entry entry = {.atsign = atsign, .host = host};
	int ret;

	ret = np_hostport_parse(at, 0, host, &entry.port, err);
	if (!ret && strchr(host, ':'))
		ret = np_fail(
			err, -EINVAL,
			"--at %.100s: clients split the directory's answer at ':'; give a name or"
			" an IPv4 address",
			at);
	if (!ret)
		ret = realm_hosts(realm, atsign, err);
	if (ret > 0)
		ret = np_fail(err, -EEXIST, "%s: is hosted by this realm, nothing was changed",
			      atsign);
	return ret ? ret : realm->store->ops->dir_put(realm->store, &entry, false, err);
}

static int add(struct realm *realm, const char *text, const char *at, struct np_err *err)
{
	char atsign[NP_ATSIGN_MAX];
	int ret;

	ret = np_atsign_parse(text, atsign, err);
	if (ret)
		return ret;
	if (at) {
		ret = add_foreign(realm, atsign, at, err);
		if (!ret)
			printf("%s: listed at %s\n", atsign, at);
		return ret;
	}
	ret = realm_add_tenant(realm, atsign, err);
	if (!ret)
		return np_fail(err, -EEXIST,
			       "%s: is hosted by the realm already, nothing was changed", atsign);
	if (ret < 0)
		return ret;
	printf("%s: added; hand %s/%s.cram to its owner, once and privately. Next:\n", atsign,
	       realm->secrets, atsign);
	realm_print_activation(realm, atsign);
	return 0;
}

int npctl_realm_add(void *arg, const struct cli_parse *parse)
{
	const struct npctl_conf *conf = arg;
	struct np_err err = NP_ERR_INIT;
	struct realm realm;
	int ret, status = 0;
	size_t i;

	ret = realm_open(&realm, parse->args[0], false, &err);
	if (ret)
		status = npctl_fail(&err);
	for (i = 1; !ret && i < parse->nr_args; i++) {
		memset(&err, 0, sizeof(err));
		if (add(&realm, parse->args[i], conf->realm.at, &err))
			status = npctl_fail(&err);
	}
	realm_close(&realm);
	return status;
}
