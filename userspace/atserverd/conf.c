// SPDX-License-Identifier: BSD-3-Clause
#include "conf.h"

#include "atserver/realm.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define C struct atserverd_conf

static const char *const log_formats[] = {"text", "json", NULL};

static const struct cli_opt opts[] = {
	CLI_STR("config", 0, "FILE", C, config,
		"YAML file with these options as keys (DIR/atserverd.yaml of a realm)",
		CLI_CONF_YAML | CLI_NO_CONF),
	CLI_STR("host", 0, "NAME", C, host,
		"name under which others reach this server, as in the certificate", CLI_REQUIRED),
	CLI_STR("listen", 0, "ADDRESS", C, listen,
		"numeric address to listen on; * is all of IPv6 and IPv4", 0),
	CLI_PORT("port", 'p', "PORT", C, port, "port of the atServers; 0 takes any", 0),
	CLI_STR("cert", 0, "FILE", C, cert, "PEM certificate to present, also to other servers",
		CLI_REQUIRED),
	CLI_STR("key", 0, "FILE", C, key, "its PEM private key", CLI_REQUIRED),
	CLI_STR("ca", 0, "FILE", C, ca,
		"PEM CA that certificates of other servers are checked against (default: the "
		"system's)",
		0),
	CLI_STR("data", 0, "FILE", C, data, "SQLite file, or a folder for it (realm.db)",
		CLI_REQUIRED),
	CLI_STR("secrets", 0, "DIR", C, secrets,
		"folder of CRAM secrets, @a.cram, for atSigns that are not activated", 0),
	CLI_FLAG("directory", 0, C, directory, "serve the atDirectory too", 0),
	CLI_PORT("directory-port", 0, "PORT", C, directory_port,
		 "port of the atDirectory; 0 takes any", 0),
	CLI_STR("root-domain", 0, "HOST[:PORT]", C, root_domain,
		"atDirectory to ask for atSigns that are not known here", 0),
	CLI_STR("root-ca", 0, "FILE", C, root_ca, "PEM CA of that atDirectory (default: as --ca)",
		0),
	CLI_BOOL("client-certificate-required", 0, C, client_cert,
		 "other servers must show the certificate of the host that the directory names", 0),
	CLI_U64("max-connections", 0, "N", C, max_connections, "clients and servers at a time", 1,
		1000000, 0),
	CLI_DURATION("notification-ttl", 0, "TIME", C, note_ttl_ms,
		     "lifetime of notifications that name none", 0, .min = 1000),
	CLI_DURATION("stats-interval", 0, "TIME", C, stats_ms,
		     "how often monitors hear the newest commit id; 0 only after commits", 0),
	CLI_DURATION("idle-timeout", 0, "TIME", C, idle_ms,
		     "unauthenticated connections are closed after this", 0, .min = 1000),
	CLI_U64("quota-keys", 0, "N", C, quota_keys, "records of each atSign; 0 is no limit", 0,
		INT64_MAX, 0),
	CLI_U64("quota-bytes", 0, "N", C, quota_bytes,
		"bytes of each atSign's keys, values and metadata; 0 is no limit", 0, INT64_MAX, 0),
	CLI_U64("quota-notifications", 0, "N", C, quota_notes,
		"notifications a minute of each atSign; 0 is no limit", 0, 1000000000, 0),
	CLI_U64("quota-connections", 0, "N", C, quota_connections,
		"authenticated connections of each atSign; 0 is no limit", 0, 1000000, 0),
	CLI_U64("ready-fd", 0, "N", C, ready_fd,
		"write one JSON line with the real addresses to this descriptor when serving", 1,
		INT_MAX, CLI_NO_CONF),
	CLI_ENUM("log-format", 0, "FORMAT", C, log_format, "text or json lines on stderr",
		 log_formats),
	CLI_FLAG("verbose", 'v', C, verbose, "log more", 0),
	CLI_END};

const struct cli_prog atserverd_prog = {
	.name = "atserverd",
	.purpose = "atServers of many atSigns in one process, and their atDirectory",
	.opts = opts,
	.footer =
		"Example: npctl realm init realm --host at.example --atsign @alice\n"
		"         atserverd --config realm/atserverd.yaml\n"
		"atSigns that `npctl realm add` puts into the realm are served within a second.\n",
};

const struct atserverd_conf atserverd_defaults = {
	.listen = "*",
	.port = NP_REALM_PORT,
	.directory_port = NP_REALM_DIR_PORT,
	.client_cert = true,
	.max_connections = 10000,
	.note_ttl_ms = 900000,
	.stats_ms = 15000,
	.idle_ms = 600000,
};

static int resolve(const struct cli_parse *parse, const char *config, const char *name,
		   const char *value, char out[PATH_MAX], struct np_err *err)
{
	out[0] = '\0';
	if (!value)
		return 0;
	if (np_cli_source(parse, name) == CLI_FROM_CONF)
		return np_realm_resolve(config, value, out, err);
	if ((size_t)snprintf(out, PATH_MAX, "%s", value) >= PATH_MAX)
		return np_fail(err, -ENAMETOOLONG, "--%s: path too long", name);
	return 0;
}

/* --data may name the folder. */
static int data_file(char path[PATH_MAX], struct np_err *err)
{
	char folder[PATH_MAX];
	struct stat st;

	if (stat(path, &st) || !S_ISDIR(st.st_mode))
		return 0;
	snprintf(folder, sizeof(folder), "%s", path);
	return np_realm_path(folder, "realm.db", path, err);
}

int atserverd_conf_resolve(struct atserverd_conf *conf, const struct cli_parse *parse,
			   struct np_err *err)
{
	const struct {
		const char *name, *value;
		char *out;
	} files[] = {
		{"cert", conf->cert, conf->cert_path},
		{"key", conf->key, conf->key_path},
		{"ca", conf->ca, conf->ca_path},
		{"data", conf->data, conf->data_path},
		{"secrets", conf->secrets, conf->secrets_path},
		{"root-ca", conf->root_ca, conf->root_ca_path},
	};
	size_t i;
	int ret;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		ret = resolve(parse, conf->config, files[i].name, files[i].value, files[i].out,
			      err);
		if (ret)
			return ret;
	}
	return data_file(conf->data_path, err);
}
