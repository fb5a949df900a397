/* SPDX-License-Identifier: BSD-3-Clause */
/* Where other atSigns are: in our own directory when we hold one, else the configured one is asked.
 */
#ifndef NP_ATSERVER_PEER_H
#define NP_ATSERVER_PEER_H

#include <stdint.h>

struct np_atserver;
struct np_err;
struct np_peer;

/** typedef np_peer_cb - @host is NULL on failure, then @err->remote is the code to answer with. */
typedef void (*np_peer_cb)(const char *host, uint16_t port, const struct np_err *err, void *arg);

/** np_peer_find() - the callback comes from the loop, never from inside. *@out is freed before it.
 */
int np_peer_find(struct np_atserver *srv, const char *atsign, np_peer_cb cb, void *arg,
		 struct np_peer **out);
void np_peer_cancel(struct np_peer *peer); /* NULL is accepted */
/** np_peer_forget() - nobody answered there: ask anew next time. */
void np_peer_forget(struct np_atserver *srv, const char *atsign);

#endif
