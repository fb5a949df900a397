/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's half of pkam with ecc_secp256r1, as a secure element would do it. */
#ifndef SELFTESTS_ECSIGN_H
#define SELFTESTS_ECSIGN_H

#define EC_POINT_HEX 130
#define EC_SIG_B64 172

struct ec_key;

/** ec_make() - a new key pair; the public half as hex into @point. */
struct ec_key *ec_make(char point[EC_POINT_HEX + 1]);
void ec_free(struct ec_key *key);
/** ec_sign() - base64 of the hex text of r and s. */
void ec_sign(struct ec_key *key, const char *text, char sig[EC_SIG_B64 + 1]);

#endif
