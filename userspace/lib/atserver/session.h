/* SPDX-License-Identifier: BSD-3-Clause */
/* One inbound connection: its life, its lines, and what it waits for. */
#ifndef NP_ATSERVER_SESSION_H
#define NP_ATSERVER_SESSION_H

#include <stddef.h>

struct np_atserver;
struct np_session;
struct np_tenant;

/* Above this many unsent bytes the next command waits until the client has read. */
#define NP_SESSION_SOFT_QUEUE (256u << 10)

/** np_session_accept() - serve @fd, which is taken. */
void np_session_accept(struct np_atserver *srv, int fd);
/** np_session_end() - close after what was answered has been sent. */
void np_session_end(struct np_session *s);
/** np_session_kill() - close at the end of this turn; nothing more is sent. */
void np_session_kill(struct np_session *s);
/** np_session_destroy() - at the end of a turn only: cancel what waits, close, free. */
void np_session_destroy(struct np_session *s);
/**
 * np_session_wait() - the command at hand answers later; no further line is taken until
 * np_session_done().
 * @cancel: called with @op when the connection ends before
 */
void np_session_wait(struct np_session *s, void *op, void (*cancel)(void *op));
/** np_session_done() - the command waited for has answered (also when it failed). */
void np_session_done(struct np_session *s);
/** np_session_go_on() - lines and reading, as far as the state permits. */
void np_session_go_on(struct np_session *s);
/** np_session_wrote() - note a write for the idle limits. */
void np_session_wrote(struct np_session *s);
/** np_session_reap() - end connections that were idle too long. */
void np_session_reap(struct np_atserver *srv);
/** np_session_set_owner() - authenticated as @tenant. @enrol_id may be NULL. Return: 0 or -ENOMEM.
 */
int np_session_set_owner(struct np_session *s, struct np_tenant *tenant, const char *enrol_id);
/** np_session_set_pol() - authenticated as the other server of @peer. */
int np_session_set_pol(struct np_session *s, const char *peer);
/** np_session_reset() - back to unauthenticated, and out of monitor mode. */
void np_session_reset(struct np_session *s);

#endif
