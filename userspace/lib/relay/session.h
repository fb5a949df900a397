/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside relay/: a session, its sockets on their way to a partner, its connections. */
#ifndef NP_RELAY_SESSION_H
#define NP_RELAY_SESSION_H

#include "base/log.h"
#include "base/map.h"
#include "net/addr.h"
#include "net/linebuf.h"
#include "relay/limits.h"
#include "relay/pairing.h"
#include "relay/relay.h"

#include <ev.h>

struct np_listener;
struct np_pair;

/* A socket from accept() until it is half of a connection. */
struct np_arrival {
	struct np_waiter waiter; /* in one of the side's two lists; first member */
	ev_io io;		 /* active while the line is awaited */
	ev_timer deadline;	 /* active until authenticated */
	struct np_relay_session *session;
	unsigned int side;
	struct np_linebuf in; /* the line, then the tunnel bytes that came with it */
	char *line;	      /* complete and put off by the verifier; points into @in */
	size_t line_len;
	struct np_addr peer;
	int fd;
};

/* One connection: two sockets joined. */
struct np_relay_conn {
	struct np_relay_conn *prev, *next;
	struct np_relay_session *session;
	struct np_pair *pair;
	unsigned long nr;
};

struct np_relay_session {
	struct np_relay *relay;
	struct np_relay_session_params params;
	char nonce[32];
	struct np_listener *listener[2];
	struct np_waiters unproven[2]; /* accepted, in that order, not authenticated */
	struct np_pairing pairing;     /* authenticated */
	struct np_relay_conn *conns;
	unsigned int nr_conns;
	ev_timer grace;
	bool grace_over;
	void *context;
	long long opened_ms;
	unsigned long nr_joined;
	uint64_t bytes[2];
	struct np_log_limit log_limit;
	char listener_name[2][NP_RELAY_SID_MAX + 16];
};

struct np_relay {
	struct np_relay_params params; /* limits filled with their defaults */
	struct np_map sessions;	       /* by session id */
	struct np_relay_load load;
};

static inline char np_relay_side_name(unsigned int side)
{
	return side ? 'b' : 'a';
}

/** np_admit() - accepted: @fd is taken. */
void np_admit(struct np_relay_session *session, unsigned int side, int fd,
	      const struct np_addr *peer);
/** np_admit_retry() - ask the verifier again about put-off lines. */
void np_admit_retry(struct np_relay_session *session);
/** np_arrival_drop() - close and free, wherever it is. */
void np_arrival_drop(struct np_arrival *arrival);
/** np_session_enqueue() - @arrival is authenticated; joins it when a partner waits. */
void np_session_enqueue(struct np_arrival *arrival);

#endif
