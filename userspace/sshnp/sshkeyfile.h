/* SPDX-License-Identifier: BSD-3-Clause */
/* The user's ssh key pair on disk. */
#ifndef SSHNP_SSHKEYFILE_H
#define SSHNP_SSHKEYFILE_H

struct np_buf;
struct np_err;

/**
 * sshkeyfile_public_line() - "<type> <base64>" of the private key file @path: from PATH.pub beside it, else by
 * asking ssh-keygen. Only the types that daemons accept (noports.md 7.9).
 */
int sshkeyfile_public_line(const char *path, struct np_buf *out, struct np_err *err);

#endif
