/* SPDX-License-Identifier: BSD-3-Clause */
/* The two halves of enroll: requests, and decisions about them. */
#ifndef NP_ATSERVER_VERB_ENROLL_H
#define NP_ATSERVER_VERB_ENROLL_H

#include <stdint.h>

struct np_enrol;
struct np_json;
struct np_session;
struct np_tenant;

/** np_enroll_request() - answer enroll:request. */
void np_enroll_request(struct np_session *s, const struct np_json *json);
/** np_enroll_put_keys() - store the two keys that the enrolment fetches with keys:get. */
int np_enroll_put_keys(struct np_tenant *tenant, const char *id, const char *private_key,
		       const char *self_key);
/** np_enroll_put_public() - publish the public key of an approved enrolment. */
int np_enroll_put_public(struct np_tenant *tenant, const struct np_enrol *enrol);
/** np_enroll_expiry() - wall-clock end of a lifetime; 0 stays "never". */
int64_t np_enroll_expiry(int64_t ttl_ms);

#endif
