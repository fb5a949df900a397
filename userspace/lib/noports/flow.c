// SPDX-License-Identifier: BSD-3-Clause
/*
 * Everything that can run at once does:
 *
 *	CONNECTING    command and monitor connections come up; an RSA key pair is made in a thread
 *	ASKING        relay request, ping, user name, public key are out; answers in any order
 *	REQUESTED     the session request is out; the device connects to the relay, then answers
 *	DONE          result or failure was reported
 *
 * Each event sets one flag and calls advance(), which sends what has all its prerequisites.
 */
#include "noports/flow.h"

#include "at/client.h"
#include "at/monitor.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "crypto/rsa.h"
#include "crypto/rsagen.h"
#include "noports/early.h"
#include "noports/flow_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 30.

void np_flow_result_fini(struct np_flow_result *result)
{
	np_session_keys_fini(&result->keys);
	np_buf_fini(&result->auth_line);
	np_secret_fini(&result->ephemeral_key);
	np_fd_close(&result->relay_fd);
}

void flow_finish(struct np_flow *s, const struct np_err *err)
{
	if (s->phase == DONE)
		return;
	s->phase = DONE;
	ev_timer_stop(s->link.loop, &s->relay_timer);
	ev_timer_stop(s->link.loop, &s->ping_timer);
	ev_timer_stop(s->link.loop, &s->phase_timer);
	s->on_done(err ? NULL : &s->result, err, s->arg);
}

void flow_fail(struct np_flow *s, int code, const char *fmt, ...)
{
	struct np_err err = NP_ERR_INIT;
	va_list ap;

	err.code = code;
	va_start(ap, fmt);
	vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	flow_finish(s, &err);
}

void flow_start_timer(struct np_flow *s, ev_timer *timer, double seconds)
{
	ev_now_update(s->link.loop);
	ev_timer_stop(s->link.loop, timer);
	ev_timer_set(timer, seconds, 0.);
	ev_timer_start(s->link.loop, timer);
}

static void on_bad_note(const char *from, const char *key, const struct np_err *err, void *arg)
{
	(void)arg;
	np_warn_err(err, "notification %s from %s ignored", key, from);
}

static void on_client_state(bool up, const struct np_err *err, void *arg)
{
	struct np_flow *s = arg;

	if (s->phase == DONE)
		return;
	s->client_up = up;
	if (up)
		flow_advance(s);
	else if (s->phase == CONNECTING)
		flow_fail(s, err->code, "%s", np_err_text(err));
}

static void on_monitor_state(bool up, const struct np_err *err, void *arg)
{
	struct np_flow *s = arg;

	if (s->phase == DONE)
		return;
	if (!up) {
		if (s->phase == CONNECTING)
			flow_fail(s, err->code, "%s", np_err_text(err));
		return;
	}
	s->monitor_up = true;
	flow_advance(s);
}

static void on_device_key(const struct np_err *err, const struct np_rsa *key, const char *b64,
			  void *arg)
{
	struct np_flow *s = arg;

	(void)b64;
	if (s->phase == DONE)
		return;
	if (err->code) {
		flow_fail(s, err->code,
			  "device %s: its public key cannot be had, so its answer could not be "
			  "checked: %s",
			  s->p.to, np_err_text(err));
		return;
	}
	s->device_pk = np_rsa_ref(key);
	flow_advance(s);
}

static void on_rsa(struct np_rsa *key, void *arg)
{
	struct np_flow *s = arg;

	s->rsagen = NULL;
	s->ephemeral = key;
	if (s->phase == DONE)
		return;
	if (!key)
		flow_fail(s, -EIO, "no RSA key pair for the session: OpenSSL failed");
	else
		flow_advance(s);
}

static void on_relay_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_flow *s = w->data;

	(void)loop;
	(void)revents;
	flow_fail(s, -ETIMEDOUT,
		  "Connection timeout to srvd %s service: is the relay running, and is %s one of "
		  "its managers?",
		  s->p.relay, s->p.link.from);
}

static void on_ping_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_flow *s = w->data;

	(void)loop;
	(void)revents;
	flow_fail(s, -ETIMEDOUT,
		  "Daemon feature check timed out: no answer from device %s%s; is it online, is "
		  "its name right, and is %s one of "
		  "its managers?",
		  s->p.device, s->p.to, s->p.link.from);
}

static void on_phase_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct np_flow *s = w->data;

	(void)loop;
	(void)revents;
	if (s->phase == CONNECTING)
		flow_fail(s, -ETIMEDOUT,
			  "our atServer was not reached within %d s: check the network and "
			  "--root-domain %s",
			  (int)CONNECT_TIMEOUT_S, s->p.link.root_domain);
	else
		flow_fail(s, -ETIMEDOUT, "No response from the device daemon %s%s", s->p.device,
			  s->p.to);
}

static const struct np_monitor_ops monitor_ops = {
	.note = flow_on_note,
	.bad = on_bad_note,
	.state = on_monitor_state,
};

static int open_monitor(struct np_flow *s, struct np_err *err)
{
	char regex[256];

	snprintf(regex, sizeof(regex), "(%s|heartbeat)\\.%s\\.sshnp@|%s\\.sshrvd@", s->result.sid,
		 s->p.device, s->result.sid);
	return np_monitor_open_replay(s->link.client, regex, 10000, &monitor_ops, s, &s->monitor,
				      err);
}

static void init_names(struct np_flow *s)
{
	np_clock_local_stamp(s->client_nonce, sizeof(s->client_nonce));
	snprintf(s->heartbeat_name, sizeof(s->heartbeat_name), "heartbeat.%s.sshnp", s->p.device);
	snprintf(s->answer_name, sizeof(s->answer_name), "%s.%s.sshnp", s->result.sid, s->p.device);
	snprintf(s->relay_answer_name, sizeof(s->relay_answer_name), "%s.sshrvd", s->result.sid);
	ev_init(&s->relay_timer, on_relay_timeout);
	ev_init(&s->ping_timer, on_ping_timeout);
	ev_init(&s->phase_timer, on_phase_timeout);
	s->relay_timer.data = s->ping_timer.data = s->phase_timer.data = s;
}

int np_flow_start(const struct np_flow_params *params, struct np_flow **out, struct np_err *err)
{
	struct np_flow *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return np_fail(err, -ENOMEM, "out of memory");
	s->p = *params;
	s->on_done = params->on_done;
	s->arg = params->arg;
	s->link.loop = s->p.link.loop;
	s->result.relay_fd = -1;
	ret = np_rand_uuid4(s->result.sid);
	init_names(s);
	if (!ret)
		ret = np_link_open(&s->link, &s->p.link, on_client_state, s, err);
	if (!ret)
		ret = np_rsagen_start(s->link.loop, on_rsa, s, &s->rsagen);
	if (!ret)
		ret = open_monitor(s, err);
	if (!ret)
		ret = np_at_client_public_key(s->link.client, s->p.to, false, on_device_key, s);
	if (!ret)
		ret = np_at_client_warm(s->link.client, s->p.relay);
	if (!ret)
		ret = np_at_client_warm(s->link.client, s->p.to);
	if (ret) {
		np_flow_free(s);
		return ret;
	}
	flow_start_timer(s, &s->phase_timer, CONNECT_TIMEOUT_S);
	*out = s;
	return 0;
}

void np_flow_free(struct np_flow *s)
{
	if (!s)
		return;
	s->phase = DONE;
	ev_timer_stop(s->link.loop, &s->relay_timer);
	ev_timer_stop(s->link.loop, &s->ping_timer);
	ev_timer_stop(s->link.loop, &s->phase_timer);
	np_rsagen_cancel(s->rsagen);
	np_early_free(s->early);
	np_monitor_close(s->monitor);
	np_link_close(&s->link);
	np_rsa_free(s->ephemeral);
	np_rsa_free(s->device_pk);
	np_ping_response_fini(&s->ping);
	np_flow_result_fini(&s->result);
	free(s);
}
