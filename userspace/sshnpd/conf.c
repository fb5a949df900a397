// SPDX-License-Identifier: BSD-3-Clause
#include "conf.h"

#include "base/err.h"
#include "base/str.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_MAX 63
#define PERMISSIONS_MAX 4096

static const char *const permit_defaults[] = { "localhost:22", "localhost:3389" };
static const char *const algorithm_names[] = { "ssh-ed25519", "ssh-rsa", NULL };
static const char *const log_formats[] = { "text", "json", NULL };

const struct sshnpd_conf sshnpd_defaults = {
	.device_text = "default",
	.device_group = "__none__",
	.root_domain = "root.atsign.org",
	.sshpublickey_permissions = "",
	.ephemeral_permissions = "",
	.permit_texts = { permit_defaults, 2 },
	.local_sshd_port = 22,
	.un_hide = true,
};

#define C struct sshnpd_conf
static const struct cli_opt opts[] = {
	CLI_STR("atsign", 'a', "ATSIGN", C, atsign_text, "the device's atSign", CLI_REQUIRED),
	CLI_LIST("managers", 'm', "ATSIGN,...", C, manager_texts, "who may ask for sessions", 0,
		 .alias = "manager", .conf_key = "access/managers"),
	CLI_STR("policy-manager", 'p', "ATSIGN", C, policy_manager, "policy service", CLI_HIDDEN,
		.conf_key = "access/policy"),
	CLI_STR("device", 'd', "NAME", C, device_text, "name of this device", 0,
		.conf_key = "device/name"),
	CLI_STR("device-group", 0, "NAME", C, device_group, "group shown to managers", 0,
		.alias = "dg", .conf_key = "device/group"),
	CLI_STR("key-file", 'k', "FILE", C, key_file,
		"atKeys file (default ~/.atsign/keys/@device_key.atKeys)", 0, .alias = "keyFile"),
	CLI_BOOL("sshpublickey", 's', C, accept_public_keys,
		 "let managers add their ssh public key", 0, .conf_key = "ssh/add-publickeys"),
	CLI_STR("sshpublickey-permissions", 'S', "OPTIONS", C, sshpublickey_permissions,
		"authorized_keys options in front of such a key", 0,
		.conf_key = "ssh/publickey-permissions"),
	CLI_STR("ephemeral-permissions", 0, "OPTIONS", C, ephemeral_permissions,
		"more authorized_keys options for the key of a session", 0,
		.conf_key = "ssh/ephemeral-permissions"),
	CLI_ENUM("ssh-algorithm", 0, "TYPE", C, ssh_algorithm, "type of the key of a session",
		 algorithm_names, .conf_key = "ssh/algorithm"),
	CLI_PORT("local-sshd-port", 0, "PORT", C, local_sshd_port,
		 "where sshd listens on localhost", 0, .min = 1, .conf_key = "ssh/sshd-port"),
	CLI_LIST("permit-open", 0, "HOST:PORT,...", C, permit_texts,
		 "what sessions may reach; * for any", 0, .alias = "po",
		 .conf_key = "access/permitopen"),
	CLI_FLAG("hide", 'h', C, hide, "do not share user name and device info with the managers",
		 0, .conf_key = "device/hide"),
	CLI_BOOL("un-hide", 'u', C, un_hide, "the opposite of --hide, and the default", CLI_HIDDEN,
		 .alias = "username"),
	CLI_STR("root-domain", 0, "HOST[:PORT]", C, root_domain, "the atDirectory", 0,
		.alias = "root-server"),
	CLI_STR("root-ca", 0, "FILE", C, root_ca,
		"PEM file of the CAs to trust (default: the system's)", 0),
	CLI_STR("config", 0, "FILE", C, config_file, "YAML file with these options; flags win",
		CLI_CONF_YAML | CLI_NO_CONF, .env = "SSHNPD_CONFIG"),
	CLI_U64("ready-fd", 0, "N", C, ready_fd, "write one JSON line there when serving", 3,
		INT_MAX, CLI_NO_CONF),
	CLI_ENUM("log-format", 0, "FORMAT", C, log_format, "how log lines look", log_formats),
	CLI_BOOL("verbose", 'v', C, verbose, "log what happens in each session", 0),
	CLI_END
};
#undef C

const struct cli_prog sshnpd_prog = {
	.name = "sshnpd",
	.purpose = "device daemon: opens ssh and TCP sessions to this machine",
	.opts = opts,
	.footer = "Example:\n"
		  "  sshnpd -a @device -m @alice -d dev1\n",
};

bool sshnpd_conf_is_manager(const struct sshnpd_conf *conf, const char *atsign)
{
	size_t i;

	for (i = 0; i < conf->nr_managers; i++)
		if (!strcmp(conf->managers[i], atsign))
			return true;
	return false;
}

static int check_managers(struct sshnpd_conf *conf, struct np_err *err)
{
	char atsign[NP_ATSIGN_MAX];
	size_t i;

	if (conf->policy_manager && *conf->policy_manager)
		return np_fail(err, -EOPNOTSUPP,
			       "--policy-manager is not available in this version: name who may "
			       "connect with --managers");
	conf->managers = calloc(conf->manager_texts.nr + 1, sizeof(*conf->managers));
	if (!conf->managers)
		return np_fail(err, -ENOMEM, "out of memory");
	for (i = 0; i < conf->manager_texts.nr; i++) {
		if (np_atsign_parse(conf->manager_texts.items[i], atsign, err)) {
			np_err_prefix(err, "--managers");
			return -EINVAL;
		}
		/* One shared with oneself would be another kind of record (trap 22). */
		if (strcmp(atsign, conf->atsign) && !sshnpd_conf_is_manager(conf, atsign))
			memcpy(conf->managers[conf->nr_managers++], atsign, sizeof(atsign));
	}
	if (!conf->nr_managers)
		return np_fail(err, -EINVAL,
			       "nobody could connect: name who may with --managers @alice");
	return 0;
}

static int check_permit(struct sshnpd_conf *conf, struct np_err *err)
{
	size_t i;
	int ret;

	for (i = 0; i < conf->permit_texts.nr; i++) {
		ret = np_permit_add(&conf->permit, conf->permit_texts.items[i], err);
		if (ret)
			return ret;
	}
	return 0;
}

/* These texts become part of a line of authorized_keys. */
static int check_options_text(const char *text, const char *name, struct np_err *err)
{
	const char *c;

	if (strlen(text) > PERMISSIONS_MAX)
		return np_fail(err, -EINVAL, "--%s: longer than %d characters", name,
			       PERMISSIONS_MAX);
	for (c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return np_fail(err, -EINVAL,
				       "--%s: must be one line without control characters", name);
	return 0;
}

static int find_user(struct sshnpd_conf *conf, struct np_err *err)
{
	const char *home = getenv("HOME"), *user = getenv("USER");
	const struct passwd *pw = home && *home && user && *user ? NULL : getpwuid(geteuid());

	if (!home || !*home)
		home = pw ? pw->pw_dir : "";
	if (!user || !*user)
		user = pw ? pw->pw_name : "";
	if (!*home || np_str_copy(conf->home, sizeof(conf->home), home))
		return np_fail(err, -ENOENT, "HOME is not set and this user has no home folder");
	if (!*user || np_str_copy(conf->user, sizeof(conf->user), user))
		return np_fail(err, -ENOENT, "USER is not set and this user has no name");
	return 0;
}

int sshnpd_conf_check(struct sshnpd_conf *conf, struct np_err *err)
{
	int ret;

	if (!conf->un_hide)
		conf->hide = true;
	if (np_atsign_parse(conf->atsign_text, conf->atsign, err)) {
		np_err_prefix(err, "--atsign");
		return -EINVAL;
	}
	if (np_device_name_parse(conf->device_text, conf->device, err)) {
		np_err_prefix(err, "--device");
		return -EINVAL;
	}
	if (strlen(conf->device_group) > GROUP_MAX)
		return np_fail(err, -EINVAL, "--device-group: longer than %d characters",
			       GROUP_MAX);
	if ((ret = check_options_text(conf->sshpublickey_permissions, "sshpublickey-permissions",
				      err)) ||
	    (ret = check_options_text(conf->ephemeral_permissions, "ephemeral-permissions", err)) ||
	    (ret = check_options_text(conf->device_group, "device-group", err)) ||
	    (ret = check_managers(conf, err)) || (ret = check_permit(conf, err)))
		return ret;
	return find_user(conf, err);
}

void sshnpd_conf_fini(struct sshnpd_conf *conf)
{
	free(conf->managers);
	conf->managers = NULL;
	np_permit_fini(&conf->permit);
}
