/* SPDX-License-Identifier: BSD-3-Clause */
/* SSH keys made in process, and the public key lines of others (noports.md 9.6, 9.7). */
#ifndef NP_CRYPTO_SSHKEY_H
#define NP_CRYPTO_SSHKEY_H

#include <stdbool.h>
#include <stddef.h>

struct np_buf;
struct np_err;
struct np_secret;

enum np_sshkey_alg { NP_SSHKEY_ED25519, NP_SSHKEY_RSA };

/**
 * np_sshkey_generate() - a fresh key pair without passphrase.
 * @pem: the private key in OpenSSH's own format ("BEGIN OPENSSH PRIVATE KEY")
 * @public_line: "TYPE BASE64" is appended, without comment and LF
 * Ed25519 takes a tenth of a millisecond; RSA (3072 bits) tenths of a second.
 */
int np_sshkey_generate(enum np_sshkey_alg alg, struct np_secret *pem, struct np_buf *public_line,
		       struct np_err *err);

/**
 * np_sshkey_public_ok() - is @line one public key "TYPE BASE64[ COMMENT]", ready for
 * authorized_keys? The type must be one of the accepted ones and be the one inside the base64; no
 * control character may occur, so that one line stays one line.
 */
bool np_sshkey_public_ok(const char *line, size_t len, struct np_err *err);

#endif
