// SPDX-License-Identifier: BSD-3-Clause
#include "conf.h"

#include "at/keyfile.h"
#include "base/err.h"
#include "base/str.h"
#include "net/addr.h"
#include "splice/splice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const log_formats[] = {"text", "json", NULL};

const struct srvd_conf srvd_defaults = {
	.root_domain = "root.atsign.org",
	.max_sessions = 4096,
	.max_per_client = 256,
	.mss = 1220, /* fits every IPv6 path (RFC 8200: 1280 bytes) */
};

#define C struct srvd_conf
static const struct cli_opt opts[] = {
	CLI_STR("atsign", 'a', "ATSIGN", C, atsign_text, "atSign that this relay answers for",
		CLI_REQUIRED),
	CLI_LIST("manager", 'm', "ATSIGN,...", C, managers,
		 "who may ask for sessions; 'open' lets everybody. There is no default", 0,
		 .alias = "managers"),
	CLI_STR("ip", 'i', "ADDRESS", C, ip, "address or name of this relay as given to clients",
		CLI_REQUIRED),
	CLI_STR("key-file", 'k', "FILE", C, key_file,
		"atKeys file (default ~/.atsign/keys/@relay_key.atKeys)", 0, .alias = "keyFile"),
	CLI_STR("bind", 0, "IP", C, bind,
		"where session ports listen (default: everywhere, IPv4 and IPv6)", 0),
	CLI_STR("root-domain", 0, "HOST[:PORT]", C, root_domain, "the atDirectory", 0,
		.alias = "root-server"),
	CLI_STR("root-ca", 0, "FILE", C, root_ca,
		"PEM file of the CAs to trust (default: the system's), e.g. ca.pem of a private "
		"realm",
		0),
	CLI_ENUM("backend", 0, "NAME", C, backend, "how bytes are moved", np_splice_names),
	CLI_U64("mss", 0, "BYTES", C, mss,
		"segment size that session ports announce, small enough for both paths of a pair "
		"that the kernel forwards; 0: the kernel's choice",
		0, 65495, 0),
	CLI_U64("max-sessions", 0, "N", C, max_sessions, "sessions at the same time", 1, 1000000,
		0),
	CLI_U64("max-sessions-per-client", 0, "N", C, max_per_client,
		"sessions of one atSign at the same time", 1, 1000000, 0),
	CLI_U64("ready-fd", 0, "FD", C, ready_fd, "write one line of JSON there when serving", 3,
		1023, 0),
	CLI_ENUM("log-format", 0, "FORMAT", C, log_format, "form of the log on stderr",
		 log_formats),
	CLI_BOOL("verbose", 'v', C, verbose, "log each connection", 0),
	CLI_END};
#undef C

const struct cli_prog srvd_prog = {
	.name = "srvd",
	.purpose = "relay: lets client and device meet on two ports of this machine",
	.opts = opts,
	.footer = "Example:\n  srvd -a @relay -i relay.example.org -m @alice,@bob\n",
};

static int check_managers(struct srvd_conf *conf, struct np_err *err)
{
	size_t i;
	int ret;

	if (!conf->managers.nr)
		return np_fail(err, -EINVAL,
			       "--manager: say who may use this relay, e.g. --manager @alice,@bob; "
			       "to let every "
			       "atSign in the world use it say --manager open");
	if (conf->managers.nr == 1 && !strcmp(conf->managers.items[0], "open")) {
		conf->is_open = true;
		return 0;
	}
	conf->manager = calloc(conf->managers.nr, sizeof(*conf->manager));
	if (!conf->manager)
		return np_fail(err, -ENOMEM, "no memory");
	for (i = 0; i < conf->managers.nr; i++) {
		if (!strcmp(conf->managers.items[i], "open"))
			return np_fail(err, -EINVAL,
				       "--manager: 'open' stands alone or not at all");
		ret = np_atsign_parse(conf->managers.items[i], conf->manager[i], err);
		if (ret)
			return np_err_prefix(err, "--manager");
	}
	return 0;
}

/* The address travels in a line of comma separated values. */
static int check_ip(const struct srvd_conf *conf, struct np_err *err)
{
	if (!np_str_is_charset(conf->ip, ".:-_%") || strlen(conf->ip) >= NP_HOST_MAX)
		return np_fail(err, -EINVAL, "--ip '%.100s': is no host name or address", conf->ip);
	return 0;
}

static int check_bind(const struct srvd_conf *conf, struct np_err *err)
{
	struct np_addr addr;

	if (conf->bind && strcmp(conf->bind, "*") && np_addr_parse(conf->bind, 0, &addr))
		return np_fail(err, -EINVAL, "--bind '%.100s': is no IPv4 or IPv6 address",
			       conf->bind);
	return 0;
}

int srvd_conf_check(struct srvd_conf *conf, struct np_err *err)
{
	int ret;

	ret = np_atsign_parse(conf->atsign_text, conf->atsign, err);
	if (ret)
		return np_err_prefix(err, "--atsign");
	ret = check_managers(conf, err);
	if (!ret)
		ret = check_ip(conf, err);
	if (!ret)
		ret = check_bind(conf, err);
	if (ret)
		return ret;
	if (!conf->key_file)
		return np_at_keys_default_path(conf->atsign, conf->key_path, sizeof(conf->key_path),
					       err);
	if (np_str_copy(conf->key_path, sizeof(conf->key_path), conf->key_file))
		return np_fail(err, -ENAMETOOLONG, "--key-file: the path is too long");
	return 0;
}

void srvd_conf_fini(struct srvd_conf *conf)
{
	free(conf->manager);
	conf->manager = NULL;
}

bool srvd_conf_may_ask(const struct srvd_conf *conf, const char *atsign)
{
	size_t i;

	if (conf->is_open)
		return true;
	for (i = 0; i < conf->managers.nr; i++) {
		if (!strcmp(conf->manager[i], atsign))
			return true;
	}
	return false;
}
