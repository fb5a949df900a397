/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proofs of ours that the other side of a pol looks up (atprotocol.md 9.4). They are readable for a
 * minute and never stored: a restart in between only makes that pol fail.
 */
#ifndef NP_ATSERVER_PROOF_H
#define NP_ATSERVER_PROOF_H

struct np_atserver;

/** np_proof_keep() - publish @signature as @name, "_<uuid>@bob". Return: 0 or -ENOMEM. */
int np_proof_keep(struct np_atserver *srv, const char *name, const char *signature);
/** np_proof_get() - NULL when there is none; valid until the next call of this module. */
const char *np_proof_get(struct np_atserver *srv, const char *name);
/** np_proof_tick() - forget old ones. */
void np_proof_tick(struct np_atserver *srv);
void np_proof_fini(struct np_atserver *srv);

#endif
