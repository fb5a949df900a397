/* SPDX-License-Identifier: BSD-3-Clause */
/* One-time passcodes and the semi-permanent one: proof that an enrolment request is wanted
 * (atprotocol.md 15.4). */
#ifndef NP_ATSERVER_OTP_H
#define NP_ATSERVER_OTP_H

#include <stdbool.h>

struct np_tenant;

/** np_otp_take() - is @code valid? A one-time code is used up by this. *@ret is the store's error,
 * or 0. */
bool np_otp_take(struct np_tenant *tenant, const char *code, int *ret);
/** np_otp_penalty_ms() - how long the answer to one more wrong code has to wait. */
unsigned int np_otp_penalty_ms(struct np_tenant *tenant);

#endif
