/* SPDX-License-Identifier: BSD-3-Clause */
/* Encrypted signed challenge-response: how a party proves to a relay who it is (noports.md 5.6). */
#ifndef NP_NOPORTS_ESCR_H
#define NP_NOPORTS_ESCR_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

struct np_buf;
struct np_err;
struct np_rsa;

#define NP_ESCR_URI_MAX 256
#define NP_ESCR_LINE_MAX 4096 /* of what the relay says, and of the answer */

/**
 * struct np_escr - one party's means of proof.
 * @uri: where the public half of @key is published, "public:_apsk.<enrolment>.a.__e@atsign"
 * @aes_key: 32 bytes that the client made and that relay, client and device know
 * @key: the (A)PKAM private key, owned
 * @is_side_a: the client
 */
struct np_escr {
	char sid[65];
	char uri[NP_ESCR_URI_MAX];
	struct np_secret aes_key;
	struct np_rsa *key;
	bool is_side_a;
};
void np_escr_fini(struct np_escr *escr);
/** np_escr_check() - -EINVAL with the member named when it cannot be used. */
int np_escr_check(const struct np_escr *escr, struct np_err *err);
/**
 * np_escr_answer() - append the line, with its LF, that answers the relay's challenge. -EBADMSG
 * when that is none.
 */
int np_escr_answer(const struct np_escr *escr, const char *challenge, struct np_buf *line);

#endif
