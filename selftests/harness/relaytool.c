// SPDX-License-Identifier: BSD-3-Clause
/* relaytool: plays the peers of a relay, good ones and bad ones, for the tests of srvd. */
#include "relaytool.h"

#include <signal.h>

static const struct cli_cmd cmds[] = {
	CLI_CMD("ask", relaytool_ask, relaytool_ask_opts,
		"ask a relay for a session; prints the answer and the authentication lines"),
	CLI_CMD("talk", relaytool_talk, relaytool_talk_opts,
		"connect, send the line, then stdin to the socket and the socket to stdout",
		.args = "HOST PORT", .min_args = 2, .max_args = 2),
	CLI_CMD("flood", relaytool_flood, relaytool_flood_opts,
		"open many silent connections, hold them until stdin ends, count what is left",
		.args = "HOST PORT", .min_args = 2, .max_args = 2),
	CLI_CMD_END};

static const struct cli_prog prog = {
	.name = "relaytool",
	.purpose = "plays the peers of a relay",
	.cmds = cmds,
	.need_cmd = true,
};

int main(int argc, char **argv)
{
	struct relaytool_conf conf = {.wait_s = 20, .auth = "ab", .count = 1};

	signal(SIGPIPE, SIG_IGN);
	return np_cli_main(&prog, argc, argv, &conf);
}
