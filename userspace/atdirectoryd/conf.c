// SPDX-License-Identifier: BSD-3-Clause
#include "conf.h"

#include "atserver/realm.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>

#define C struct atdirectoryd_conf

static const char *const log_formats[] = {"text", "json", NULL};

static const struct cli_opt opts[] = {
	CLI_STR("config", 0, "FILE", C, config, "YAML file with these options as keys",
		CLI_CONF_YAML | CLI_NO_CONF),
	CLI_STR("data", 0, "FILE", C, data, "the realm's store (DIR/data/realm.db); only read",
		CLI_REQUIRED),
	CLI_STR("cert", 0, "FILE", C, cert, "PEM certificate to present", CLI_REQUIRED),
	CLI_STR("key", 0, "FILE", C, key, "its PEM private key", CLI_REQUIRED),
	CLI_STR("listen", 0, "ADDRESS", C, listen,
		"numeric address to listen on; * is all of IPv6 and IPv4", 0),
	CLI_PORT("port", 'p', "PORT", C, port, "port to listen on; 0 takes any", 0),
	CLI_U64("ready-fd", 0, "N", C, ready_fd,
		"write one JSON line with the real address to this descriptor when serving", 1,
		INT_MAX, CLI_NO_CONF),
	CLI_ENUM("log-format", 0, "FORMAT", C, log_format, "text or json lines on stderr",
		 log_formats),
	CLI_FLAG("verbose", 'v', C, verbose, "log more", 0),
	CLI_END
};

const struct cli_prog atdirectoryd_prog = {
	.name = "atdirectoryd",
	.purpose = "the atDirectory alone: tells where an atSign is served",
	.opts = opts,
	.footer = "With atserverd --directory the atDirectory is part of atserverd, and this\n"
		  "program is not needed.\n"
		  "\n"
		  "  atdirectoryd --data realm/data/realm.db \\\n"
		  "    --cert realm/server.pem --key realm/server.key\n",
};

const struct atdirectoryd_conf atdirectoryd_defaults = {.listen = "*", .port = NP_REALM_DIR_PORT};

static int resolve(const struct cli_parse *parse, const char *config, const char *name,
		   const char *value, char out[PATH_MAX], struct np_err *err)
{
	if (np_cli_source(parse, name) == CLI_FROM_CONF)
		return np_realm_resolve(config, value, out, err);
	if ((size_t)snprintf(out, PATH_MAX, "%s", value) >= PATH_MAX)
		return np_fail(err, -ENAMETOOLONG, "--%s: path too long", name);
	return 0;
}

int atdirectoryd_conf_resolve(struct atdirectoryd_conf *conf, const struct cli_parse *parse,
			      struct np_err *err)
{
	int ret;

	ret = resolve(parse, conf->config, "data", conf->data, conf->data_path, err);
	if (!ret)
		ret = resolve(parse, conf->config, "cert", conf->cert, conf->cert_path, err);
	return ret ? ret : resolve(parse, conf->config, "key", conf->key, conf->key_path, err);
}
