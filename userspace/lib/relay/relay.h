/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rendezvous core: sessions of two listening ports, whose connections are joined in order of
 * arrival (noports.md section 5). It knows nothing of the control plane: who may ask, and how an
 * authentication line is checked, is the program's business.
 */
#ifndef NP_RELAY_RELAY_H
#define NP_RELAY_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ev_loop;
struct np_err;
struct np_relay;
struct np_relay_session;
struct np_splice;

#define NP_RELAY_SID_MAX 65
#define NP_RELAY_NAME_MAX 168
#define NP_RELAY_NONCE_MAX 129
#define NP_RELAY_AUTH_LINE_MAX 4096 /* without its LF */

/**
 * struct np_relay_limits - zero members get the default in brackets.
 * @sessions: in total [4096]
 * @per_client: sessions per client name [256]
 * @unproven: sockets per session and side that have not authenticated yet [256]; beyond it the
 *	oldest goes
 * @unproven_per_ip: of these from one address [64]
 * @queued: authenticated sockets per session and side that wait for a partner [512]; beyond it
 *	newcomers are refused
 * @grace_ms: how long a session may be without a connection at its start [30000] (5.2)
 * @auth_ms: from accept to a complete, valid line [30000]
 */
struct np_relay_limits {
	unsigned int sessions, per_client;
	unsigned int unproven, unproven_per_ip, queued;
	unsigned int grace_ms, auth_ms;
};

/* Side 0 is a, the client; side 1 is b, the device. */
struct np_relay_session_params {
	char sid[NP_RELAY_SID_MAX];
	char client[NP_RELAY_NAME_MAX]; /* on whose account the session goes */
	char atsign[2][NP_RELAY_NAME_MAX];
	bool auth[2]; /* this side's sockets must send an authentication line first (5.5) */
	char client_nonce[NP_RELAY_NONCE_MAX];
};

/**
 * struct np_relay_ops - asked and told from the loop.
 * @verify: is @line (NUL-terminated, without LF) a valid authentication of @side? Return: 0;
 *	-EAGAIN when that is not known yet (np_relay_session_retry() must follow); else negative
 *	errno with the reason in @err
 * @closed: the session is over and freed after the call (may be NULL)
 */
struct np_relay_ops {
	int (*verify)(struct np_relay_session *session, unsigned int side, const char *line,
		      size_t len, struct np_err *err, void *arg);
	void (*closed)(struct np_relay_session *session, void *arg);
};

struct np_relay_params {
	struct ev_loop *loop;
	struct np_splice *splice; /* borrowed */
	const char *bind_ip;	  /* where session ports listen, borrowed; NULL: everywhere */
	unsigned int mss; /* that session ports announce; 0: the kernel's choice */
	struct np_relay_limits limits;
	struct np_relay_ops ops;
	void *arg;
};
int np_relay_new(const struct np_relay_params *params, struct np_relay **out, struct np_err *err);
/**
 * np_relay_free() - closes every session (@closed is called). Connections that the kernel forwards by
 * itself (express) go on, all others are reset. NULL is accepted.
 */
void np_relay_free(struct np_relay *relay);
size_t np_relay_nr_sessions(const struct np_relay *relay);

/**
 * np_relay_open() - a session whose two ports listen when this returns.
 * Return: 0; -EINVAL for a session id with other characters than [A-Za-z0-9-]; -EEXIST when it is
 * live; -EBUSY when a limit is reached, -EMFILE when descriptors are short: both with a reason that
 * may be told.
 */
int np_relay_open(struct np_relay *relay, const struct np_relay_session_params *params,
		  struct np_relay_session **out, struct np_err *err);
/** np_relay_close() - end a session now, for @reason (logged). Not from inside @verify. */
void np_relay_close(struct np_relay_session *session, const char *reason);

const struct np_relay_session_params *
np_relay_session_params(const struct np_relay_session *session);
/** np_relay_session_nonce() - the relay's own nonce, local time as text (4.3). */
const char *np_relay_session_nonce(const struct np_relay_session *session);
uint16_t np_relay_session_port(const struct np_relay_session *session, unsigned int side);
void np_relay_session_set_context(struct np_relay_session *session, void *context);
void *np_relay_session_context(const struct np_relay_session *session);
/**
 * np_relay_session_retry() - ask @verify again for the sockets that it put off. Not from inside
 * @verify.
 */
void np_relay_session_retry(struct np_relay_session *session);

/**
 * np_relay_raise_fd_limit() - as many descriptors as this process may have.
 * Return: the limit now in force.
 */
uint64_t np_relay_raise_fd_limit(void);

#endif
