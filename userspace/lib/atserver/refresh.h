/* SPDX-License-Identifier: BSD-3-Clause */
/* Once a day, cached copies whose refreshAt has passed are fetched again; what is gone at its owner,
 * or may not be kept any more, goes here too (atprotocol.md 16.5). */
#ifndef NP_ATSERVER_REFRESH_H
#define NP_ATSERVER_REFRESH_H

struct np_atserver;
struct np_refresh;

/** np_refresh_open() - the first round is conf.refresh_after_ms away, or at a random time of the
 * coming day. */
int np_refresh_open(struct np_atserver *srv, struct np_refresh **out);
/** np_refresh_close() - before the outbound connections are closed. NULL is accepted. */
void np_refresh_close(struct np_refresh *refresh);
/** np_refresh_tick() - call about once a second. */
void np_refresh_tick(struct np_refresh *refresh);

#endif
