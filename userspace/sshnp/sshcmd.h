/* SPDX-License-Identifier: BSD-3-Clause */
/* The ssh commands of a session (noports.md 7, steps 13 and 14). */
#ifndef SSHNP_SSHCMD_H
#define SSHNP_SSHCMD_H

#include <stdint.h>

struct np_buf;
struct np_flow_result;
struct sshnp_conf;

#define SSHCMD_MAX_ARGS 128

/** struct sshcmd - an argument vector that owns its texts. */
struct sshcmd {
	char *argv[SSHCMD_MAX_ARGS + 1];
	unsigned int nr;
	int failed; /* a text did not fit or memory ran out: do not run */
};
void sshcmd_fini(struct sshcmd *cmd);

/** sshcmd_user() - the user's session over @local_port. */
void sshcmd_user(struct sshcmd *cmd, const struct sshnp_conf *conf, const struct np_flow_result *result,
		 uint16_t local_port);
/**
 * sshcmd_tunnel() - the tunnel session of --no-et: over @rv_port, forwarding @local_port to the device's sshd,
 * with the ephemeral key in @key_file.
 */
void sshcmd_tunnel(struct sshcmd *cmd, const struct sshnp_conf *conf, const struct np_flow_result *result,
		   uint16_t rv_port, uint16_t local_port, const char *key_file);
/** sshcmd_text() - append the command as a line for a POSIX shell. */
int sshcmd_text(const struct sshcmd *cmd, struct np_buf *out);

#endif
