/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside the session: its state, shared by the files that ask, answer and keep time. */
#ifndef SSHNP_SESSION_PRIV_H
#define SSHNP_SESSION_PRIV_H

#include "conf.h"
#include "link.h"
#include "session.h"

#include <ev.h>

#include <stdbool.h>

struct early;
struct np_at_notification;
struct np_monitor;
struct np_rsa;
struct np_rsagen;

enum phase { CONNECTING, ASKING, REQUESTED, DONE };

struct session {
	const struct sshnp_conf *conf;
	struct link link;
	struct np_monitor *monitor;
	struct np_rsagen *rsagen;
	struct early *early;
	struct np_rsa *ephemeral;
	const struct np_rsa *device_pk;
	struct ev_timer relay_timer, ping_timer, phase_timer;
	enum phase phase;
	bool client_up, monitor_up, have_relay, have_ping, have_user;
	char client_nonce[NP_NONCE_MAX];
	char heartbeat_name[64], answer_name[128], relay_answer_name[80];
	struct np_ping_response ping;
	struct session_result result;
	void (*on_done)(struct session_result *result, const struct np_err *err, void *arg);
	void *arg;
};

/** session_fail() - report a failure once; later ones are dropped. */
void session_fail(struct session *s, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** session_finish() - report success (@err NULL) or @err, once. */
void session_finish(struct session *s, const struct np_err *err);
/** session_start_timer() - (re)start a timer of the session. */
void session_start_timer(struct session *s, ev_timer *timer, double seconds);
/** session_advance() - send whatever has all its prerequisites now. */
void session_advance(struct session *s);
/** session_on_note() - one notification for us. */
void session_on_note(const struct np_at_notification *n, void *arg);

#endif
