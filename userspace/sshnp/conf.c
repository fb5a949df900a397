// SPDX-License-Identifier: BSD-3-Clause
#include "conf.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

const struct sshnp_conf sshnp_defaults = {
	.device_text = "default",
	.root_domain = "root.atsign.org",
	.remote_sshd_port = 22,
	.ping_timeout_s = 20,
	.auth_client = true,
	.auth_device = true,
	.encrypt = true,
};

#define C struct sshnp_conf
static const struct cli_opt opts[] = {
	CLI_STR("from", 'f', "ATSIGN", C, from_text, "your atSign", CLI_REQUIRED),
	CLI_STR("to", 't', "ATSIGN", C, to_text, "the device's atSign", 0),
	CLI_STR("device", 'd', "NAME", C, device_text, "the device's name", 0),
	CLI_STR("srvd", 'r', "ATSIGN", C, relay_text, "the relay's atSign", 0, .alias = "host"),
	CLI_STR("key-file", 'k', "FILE", C, key_file,
		"your atKeys file (default ~/.atsign/keys/@you_key.atKeys)", CLI_NO_CONF),
	CLI_PORT("local-port", 'l', "PORT", C, local_port, "local port of the session, 0 for any", 0),
	CLI_STR("identity-file", 'i', "FILE", C, identity_file, "ssh private key to log in with", CLI_NO_CONF),
	CLI_FLAG("send-ssh-public-key", 's', C, send_public_key,
		 "send the public half of -i to the device, which must accept keys", 0),
	CLI_LIST("local-ssh-options", 'o', "ARGS", C, ssh_options, "arguments added to the ssh command", 0),
	CLI_STR("remote-user-name", 'u', "USER", C, remote_user,
		"user on the device (default: the one that the device shares)", 0),
	CLI_STR("tunnel-user-name", 'U', "USER", C, tunnel_user,
		"user of the tunnel session of --no-et (default: as -u)", 0),
	CLI_STR("root-domain", 0, "HOST[:PORT]", C, root_domain, "the atDirectory", 0, .alias = "root-server"),
	CLI_STR("root-ca", 0, "FILE", C, root_ca,
		"PEM file of the CAs to trust (default: the system's), e.g. ca.pem of a private realm", 0),
	CLI_PORT("remote-sshd-port", 0, "PORT", C, remote_sshd_port, "sshd's port on the device, for --no-et", 0,
		 .min = 1),
	CLI_BOOL("authenticate-client-to-rvd", 0, C, auth_client, "prove to the relay who we are", 0,
		 .alias = "ac"),
	CLI_BOOL("authenticate-device-to-rvd", 0, C, auth_device, "have the device prove who it is", 0,
		 .alias = "ad"),
	CLI_BOOL("encrypt-rvd-traffic", 0, C, encrypt, "encrypt what passes the relay, besides ssh's own", 0,
		 .alias = "et"),
	CLI_U64("daemon-ping-timeout", 0, "SECONDS", C, ping_timeout_s, "how long to wait for the device", 1, 3600,
		CLI_NO_CONF, .alias = "dpt"),
	CLI_FLAG("add-forwards-to-tunnel", 0, C, add_forwards_to_tunnel,
		 "give -o to the tunnel session of --no-et instead", CLI_NO_CONF),
	CLI_FLAG("list-devices", 0, C, list_devices, "list the devices shared with you and leave", CLI_NO_CONF,
		 .alias = "ls"),
	CLI_FLAG("output-execution-command", 'x', C, print_command, "print the ssh command instead of running it",
		 CLI_NO_CONF),
	CLI_FLAG("stdio", 0, C, stdio, "carry the session on standard input and output, for ssh's ProxyCommand",
		 CLI_NO_CONF),
	CLI_STR("config-file", 0, "FILE", C, config_file, "KEY=value file; flags win", CLI_CONF_ENV | CLI_NO_CONF),
	CLI_FLAG("verbose", 'v', C, verbose, "say what happens", CLI_NO_CONF),
	CLI_FLAG("quiet", 'q', C, quiet, "say only what went wrong", CLI_NO_CONF),
	CLI_END
};
#undef C

const struct cli_prog sshnp_prog = {
	.name = "sshnp",
	.purpose = "ssh to a device that has no open ports",
	.opts = opts,
	.footer = "Examples:\n"
		  "  sshnp -f @alice -t @device -d dev1 -r @relay\n"
		  "  ssh -o ProxyCommand='sshnp --stdio -f @alice -t @device -r @relay' user@x\n",
};

static int need(const char *text, const char *flag, const char *what, struct np_err *err)
{
	if (text && *text)
		return 0;
	return np_fail(err, -EINVAL, "%s is mandatory, unless list-devices is passed: give %s", flag, what);
}

/* A user name becomes a word of ssh's command line. */
static int check_user(const char *flag, const char *user, struct np_err *err)
{
	if (!user || !*user || (user[0] != '-' && !strpbrk(user, " \t\r\n")))
		return 0;
	return np_fail(err, -EINVAL, "%s: '%s' is no user name", flag, user);
}

static int check_session_flags(struct sshnp_conf *conf, struct np_err *err)
{
	if (check_user("--remote-user-name", conf->remote_user, err) ||
	    check_user("--tunnel-user-name", conf->tunnel_user, err))
		return -EINVAL;
	if (conf->send_public_key && !conf->identity_file)
		return np_fail(err, -EINVAL, "--send-ssh-public-key needs the key: add -i FILE");
	if (conf->stdio && conf->print_command)
		return np_fail(err, -EINVAL, "--stdio and --output-execution-command exclude each other");
	if (conf->stdio && conf->local_port)
		return np_fail(err, -EINVAL, "--stdio has no local port: drop --local-port %u", conf->local_port);
	if (need(conf->to_text, "--to", "-t @device", err) || need(conf->relay_text, "--srvd", "-r @relay", err))
		return -EINVAL;
	return np_atsign_parse(conf->relay_text, conf->relay, err);
}

int sshnp_conf_check(struct sshnp_conf *conf, struct np_err *err)
{
	int ret;

	ret = np_atsign_parse(conf->from_text, conf->from, err);
	if (ret)
		return np_err_prefix(err, "--from");
	ret = np_device_name_parse(conf->device_text, conf->device, err);
	if (ret)
		return np_err_prefix(err, "--device");
	if (!conf->list_devices) {
		ret = check_session_flags(conf, err);
		if (ret)
			return ret;
	}
	if (conf->to_text && *conf->to_text) {
		ret = np_atsign_parse(conf->to_text, conf->to, err);
		if (ret)
			return np_err_prefix(err, "--to");
	}
	return 0;
}

void sshnp_conf_link(const struct sshnp_conf *conf, struct ev_loop *loop,
		     struct np_link_params *out)
{
	*out = (struct np_link_params){
		.loop = loop,
		.from = conf->from,
		.key_file = conf->key_file,
		.root_ca = conf->root_ca,
		.root_domain = conf->root_domain,
	};
}
