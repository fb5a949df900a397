/* SPDX-License-Identifier: BSD-3-Clause */
/* Signed envelopes: {"payload","signature","hashingAlgo","signingAlgo"} (noports.md 3). */
#ifndef NP_NOPORTS_ENVELOPE_H
#define NP_NOPORTS_ENVELOPE_H

#include <stddef.h>

struct np_buf;
struct np_err;
struct np_json;
struct np_rsa;

/** np_envelope_sign() - serialise @payload once, sign exactly these bytes with @key, append the
 * envelope. */
int np_envelope_sign(const struct np_json *payload, const struct np_rsa *key, struct np_buf *out);
/** np_envelope_sign_text() - as above for a payload that is already compact JSON text. */
int np_envelope_sign_text(const char *payload, size_t len, const struct np_rsa *key,
			  struct np_buf *out);

/** struct np_envelope - a parsed, not yet verified envelope; owns a copy of the text. */
struct np_envelope;
/** np_envelope_parse() - -EBADMSG with a message when it is no envelope (no object payload, wrong
 * algorithm). */
int np_envelope_parse(const char *text, size_t len, struct np_envelope **out, struct np_err *err);
void np_envelope_free(struct np_envelope *env);				  /* NULL is accepted */
const struct np_json *np_envelope_payload(const struct np_envelope *env); /* borrowed */
/**
 * np_envelope_verify() - over the raw payload bytes, else over the compact re-serialisation in
 * received order. Return: 0, -EBADMSG.
 */
int np_envelope_verify(const struct np_envelope *env, const struct np_rsa *key, struct np_err *err);
/** np_envelope_verify_text() - the signature of @env over bytes that the verifier made itself
 * (relay, 5.5). */
int np_envelope_verify_text(const struct np_envelope *env, const struct np_rsa *key,
			    const char *text, size_t len, struct np_err *err);

#endif
