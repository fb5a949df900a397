/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the flow: its state, shared by the files that ask, answer and keep time. */
#ifndef NP_NOPORTS_FLOW_IMPL_H
#define NP_NOPORTS_FLOW_IMPL_H

#include "noports/link.h"
#include "noports/flow.h"

#include <ev.h>

#include <stdbool.h>

struct np_early;
struct np_at_notification;
struct np_monitor;
struct np_rsa;
struct np_rsagen;

enum phase { CONNECTING, ASKING, REQUESTED, DONE };

struct np_flow {
	struct np_flow_params p;
	struct np_link link;
	struct np_monitor *monitor;
	struct np_rsagen *rsagen;
	struct np_early *early;
	struct np_rsa *ephemeral;
	struct np_rsa *device_pk; /* our reference */
	struct ev_timer relay_timer, ping_timer, phase_timer;
	enum phase phase;
	bool client_up, monitor_up, have_relay, have_ping, have_user;
	char client_nonce[NP_NONCE_MAX];
	char heartbeat_name[64], answer_name[128], relay_answer_name[80];
	struct np_ping_response ping;
	struct np_flow_result result;
	void (*on_done)(struct np_flow_result *result, const struct np_err *err, void *arg);
	void *arg;
};

/** flow_fail() - report a failure once; later ones are dropped. */
void flow_fail(struct np_flow *s, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** flow_finish() - report success (@err NULL) or @err, once. */
void flow_finish(struct np_flow *s, const struct np_err *err);
/** flow_start_timer() - (re)start a timer of the session. */
void flow_start_timer(struct np_flow *s, ev_timer *timer, double seconds);
/** flow_advance() - send whatever has all its prerequisites now. */
void flow_advance(struct np_flow *s);
/** flow_on_note() - one notification for us. */
void flow_on_note(const struct np_at_notification *n, void *arg);

#endif
