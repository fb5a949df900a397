/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operator asked for (noports.md 12.3). */
#ifndef SSHNPD_CONF_H
#define SSHNPD_CONF_H

#include "at/atsign.h"
#include "cli/opt.h"
#include "noports/msg.h"
#include "noports/permit.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct sshnpd_conf {
	/* as given */
	const char *key_file, *atsign_text, *policy_manager, *device_text, *device_group;
	const char *sshpublickey_permissions, *ephemeral_permissions;
	const char *root_domain, *root_ca, *config_file;
	struct cli_list manager_texts, permit_texts;
	uint16_t local_sshd_port;
	uint64_t ready_fd;
	int ssh_algorithm, log_format;
	bool accept_public_keys, hide, un_hide, verbose;
	/* checked */
	char atsign[NP_ATSIGN_MAX], device[NP_DEVICE_MAX];
	char (*managers)[NP_ATSIGN_MAX]; /* without ourselves */
	size_t nr_managers;
	struct np_permit permit;
	char home[PATH_MAX], user[256];
};

extern const struct cli_prog sshnpd_prog;
extern const struct sshnpd_conf sshnpd_defaults;

/** sshnpd_conf_check() - fill the checked part; sshnpd_conf_fini() it in every case. */
int sshnpd_conf_check(struct sshnpd_conf *conf, struct np_err *err);
void sshnpd_conf_fini(struct sshnpd_conf *conf);
bool sshnpd_conf_is_manager(const struct sshnpd_conf *conf, const char *atsign);

#endif
