/* SPDX-License-Identifier: BSD-3-Clause */
/* What has outlived its ttl leaves the store, with an entry in the commit log (atprotocol.md 13.1).
 */
#ifndef NP_ATSERVER_EXPIRY_H
#define NP_ATSERVER_EXPIRY_H

struct np_atserver;

/** np_expiry_tick() - call about once a second; deletes a bounded number of records per call. */
void np_expiry_tick(struct np_atserver *srv);

#endif
