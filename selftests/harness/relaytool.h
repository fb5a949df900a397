/* SPDX-License-Identifier: BSD-3-Clause */
/* relaytool's commands. */
#ifndef SELFTESTS_RELAYTOOL_H
#define SELFTESTS_RELAYTOOL_H

#include "cli/opt.h"

struct relaytool_conf {
	const char *atsign, *relay, *device, *root_domain, *root_ca;
	const char *sid, *claim, *auth, *note_id, *mode;
	bool ancient, json, only443;
	uint64_t wait_s;
	const char *line;
	bool slow, leave;
	uint64_t count;
};

extern const struct cli_opt relaytool_ask_opts[], relaytool_talk_opts[], relaytool_flood_opts[];
int relaytool_ask(void *conf, const struct cli_parse *parse);
int relaytool_talk(void *conf, const struct cli_parse *parse);
int relaytool_flood(void *conf, const struct cli_parse *parse);

/** relaytool_connect() - blocking; exits with a message on failure. */
int relaytool_connect(const char *host, const char *port);

#endif
