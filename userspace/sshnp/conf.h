/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user asked for (noports.md 12.1). */
#ifndef SSHNP_CONF_H
#define SSHNP_CONF_H

#include "at/atsign.h"
#include "cli/opt.h"
#include "noports/link.h"
#include "noports/msg.h"

#include <stdbool.h>
#include <stdint.h>

struct sshnp_conf {
	/* as given */
	const char *key_file, *from_text, *to_text, *device_text, *relay_text;
	const char *identity_file, *remote_user, *tunnel_user, *root_domain, *root_ca, *config_file;
	struct cli_list ssh_options;
	uint16_t local_port, remote_sshd_port;
	uint64_t ping_timeout_s;
	bool send_public_key, verbose, quiet, print_command, list_devices, stdio, add_forwards_to_tunnel;
	bool auth_client, auth_device, encrypt;
	/* checked */
	char from[NP_ATSIGN_MAX], to[NP_ATSIGN_MAX], relay[NP_ATSIGN_MAX];
	char device[NP_DEVICE_MAX];
};

extern const struct cli_prog sshnp_prog;
extern const struct sshnp_conf sshnp_defaults;

/** sshnp_conf_check() - atSigns, device name and combinations. */
int sshnp_conf_check(struct sshnp_conf *conf, struct np_err *err);
/** sshnp_conf_link() - who we are, for the connections to the atServers; texts stay the conf's. */
void sshnp_conf_link(const struct sshnp_conf *conf, struct ev_loop *loop,
		     struct np_link_params *out);

#endif
