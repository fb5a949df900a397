// SPDX-License-Identifier: BSD-3-Clause
#include "conf.h"

#include "base/err.h"
#include "base/str.h"
#include "net/addr.h"

#include <errno.h>
#include <string.h>

#define DAY_MS (24ULL * 3600 * 1000)
#define FOREVER_MS (365 * DAY_MS)

const struct npt_conf npt_defaults = {
	.remote_host = "localhost",
	.local_host = "localhost",
	.root_domain = "root.atsign.org",
	.ping_timeout_s = 20,
	.timeout_ms = 30000,
	.encrypt = true,
	.per_session_storage = true,
};

#define C struct npt_conf
static const struct cli_opt opts[] = {
	CLI_STR("from", 'f', "ATSIGN", C, from_text, "your atSign", CLI_REQUIRED),
	CLI_STR("to", 't', "ATSIGN", C, to_text, "the device's atSign", CLI_REQUIRED),
	CLI_STR("device", 'd', "NAME", C, device_text, "the device's name", CLI_REQUIRED),
	CLI_STR("srvd", 'r', "ATSIGN", C, relay_text, "the relay's atSign", CLI_REQUIRED),
	CLI_PORT("remote-port", 'p', "PORT", C, remote_port, "TCP port to reach", CLI_REQUIRED,
		 .alias = "rp", .min = 1),
	CLI_STR("remote-host", 'h', "HOST", C, remote_host,
		"host to reach, as the device sees it: itself or one on its network", 0,
		.alias = "rh"),
	CLI_PORT("local-port", 'l', "PORT", C, local_port, "where to listen, 0 for any port", 0,
		 .alias = "lp"),
	CLI_STR("local-host", 0, "ADDRESS", C, local_host,
		"address to listen on; whoever reaches it reaches the device's port", 0),
	CLI_STR("key-file", 'k', "FILE", C, key_file,
		"your atKeys file (default ~/.atsign/keys/@you_key.atKeys)", 0, .alias = "keyFile"),
	CLI_DURATION("timeout", 'T', "DURATION", C, timeout_ms,
		     "end when nothing is open after so long; 0 for a year (with -K: 24h)", 0,
		     .max = 366 * DAY_MS),
	CLI_FLAG("keep-alive", 'K', C, keep_alive,
		 "start a new session on the same port whenever one ends", 0),
	CLI_FLAG("exit-when-connected", 'x', C, detach,
		 "leave the session to a process of its own; print its port and exit", 0),
	CLI_BOOL("encrypt-rvd-traffic", 0, C, encrypt, "encrypt what passes the relay", 0,
		 .alias = "et"),
	CLI_U64("daemon-ping-timeout", 0, "SECONDS", C, ping_timeout_s,
		"how long to wait for the device", 1, 3600, 0, .alias = "dpt"),
	CLI_STR("root-domain", 0, "HOST[:PORT]", C, root_domain, "the atDirectory", 0,
		.alias = "root-server"),
	CLI_STR("root-ca", 0, "FILE", C, root_ca,
		"PEM file of the CAs to trust (default: the system's), e.g. ca.pem of a private "
		"realm",
		0),
	CLI_BOOL("per-session-storage", 0, C, per_session_storage,
		 "accepted from older scripts: nothing is stored", CLI_HIDDEN, .alias = "pss"),
	CLI_FLAG("verbose", 'v', C, verbose, "say what happens", 0),
	CLI_FLAG("quiet", 'q', C, quiet, "say only what went wrong", 0),
	CLI_END};
#undef C

const struct cli_prog npt_prog = {
	.name = "npt",
	.purpose = "reach a TCP port of a device that has no open ports",
	.opts = opts,
	.footer = "Example: the device's web server at http://localhost:8080\n"
		  "  npt -f @alice -t @device -d dev1 -r @relay -p 80 -l 8080\n",
};

static int check_hosts(const struct npt_conf *conf, struct np_err *err)
{
	struct np_addr addr;

	if (strlen(conf->remote_host) >= NP_MSG_HOST_MAX ||
	    !np_str_is_charset(conf->remote_host, ".-_:%"))
		return np_fail(err, -EINVAL, "--remote-host '%.80s': is no host name or address",
			       conf->remote_host);
	if (strcmp(conf->local_host, "localhost") &&
	    np_addr_parse(conf->local_host, conf->local_port, &addr))
		return np_fail(err, -EINVAL,
			       "--local-host '%.80s': accepted are localhost and numeric addresses "
			       "of this machine",
			       conf->local_host);
	return 0;
}

static int check_names(struct npt_conf *conf, struct np_err *err)
{
	if (np_atsign_parse(conf->from_text, conf->from, err))
		return np_err_prefix(err, "--from");
	if (np_atsign_parse(conf->to_text, conf->to, err))
		return np_err_prefix(err, "--to");
	if (np_atsign_parse(conf->relay_text, conf->relay, err))
		return np_err_prefix(err, "--srvd");
	if (np_device_name_parse(conf->device_text, conf->device, err))
		return np_err_prefix(err, "--device");
	return 0;
}

int npt_conf_check(struct npt_conf *conf, const struct cli_parse *parse, struct np_err *err)
{
	int ret;

	if (conf->keep_alive && conf->detach)
		return np_fail(err, -EINVAL,
			       "--keep-alive and --exit-when-connected are mutually exclusive");
	if (conf->keep_alive && np_cli_source(parse, "timeout") == CLI_FROM_DEFAULT)
		conf->timeout_ms = DAY_MS;
	if (!conf->timeout_ms)
		conf->timeout_ms = FOREVER_MS;
	ret = check_names(conf, err);
	return ret ? ret : check_hosts(conf, err);
}
