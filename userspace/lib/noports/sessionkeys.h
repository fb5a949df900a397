/* SPDX-License-Identifier: BSD-3-Clause */
/* The AES keys of a tunnel: made by the daemon, carried under the client's ephemeral RSA key
 * (noports.md 4.4, 6.2). */
#ifndef NP_NOPORTS_SESSIONKEYS_H
#define NP_NOPORTS_SESSIONKEYS_H

#include "base/secret.h"

#include <stdbool.h>

struct np_err;
struct np_rsa;
struct np_session_answer;

/** struct np_session_keys - raw 32-byte keys and 16-byte IVs; all empty when the session is not
 * encrypted. */
struct np_session_keys {
	struct np_secret key_c2d, iv_c2d;
	struct np_secret key_d2c, iv_d2c; /* equal to the c2d ones without twin keys */
	bool twin;
};
void np_session_keys_fini(struct np_session_keys *keys);
int np_session_keys_generate(bool twin, struct np_session_keys *keys);
/** np_session_keys_seal() - fill the answer's four members, encrypted for @client_pk. */
int np_session_keys_seal(const struct np_session_keys *keys, const struct np_rsa *client_pk,
			 struct np_session_answer *answer);
/** np_session_keys_open() - the client's side; accepts both generations of member names. */
int np_session_keys_open(const struct np_session_answer *answer, const struct np_rsa *ephemeral,
			 struct np_session_keys *keys, struct np_err *err);

#endif
