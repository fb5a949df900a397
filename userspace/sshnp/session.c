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
#include "session.h"

#include "at/client.h"
#include "at/monitor.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "crypto/rsa.h"
#include "crypto/rsagen.h"
#include "early.h"
#include "session_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 30.

void session_result_fini(struct session_result *result)
{
	np_session_keys_fini(&result->keys);
	np_buf_fini(&result->auth_line);
	np_secret_fini(&result->ephemeral_key);
	np_fd_close(&result->relay_fd);
}

void session_finish(struct session *s, const struct np_err *err)
{
	if (s->phase == DONE)
		return;
	s->phase = DONE;
	ev_timer_stop(s->link.loop, &s->relay_timer);
	ev_timer_stop(s->link.loop, &s->ping_timer);
	ev_timer_stop(s->link.loop, &s->phase_timer);
	s->on_done(err ? NULL : &s->result, err, s->arg);
}

void session_fail(struct session *s, int code, const char *fmt, ...)
{
	struct np_err err = NP_ERR_INIT;
	va_list ap;

	err.code = code;
	va_start(ap, fmt);
	vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	session_finish(s, &err);
}

void session_start_timer(struct session *s, ev_timer *timer, double seconds)
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
	struct session *s = arg;

	if (s->phase == DONE)
		return;
	s->client_up = up;
	if (up)
		session_advance(s);
	else if (s->phase == CONNECTING)
		session_fail(s, err->code, "%s", np_err_text(err));
}

static void on_monitor_state(bool up, const struct np_err *err, void *arg)
{
	struct session *s = arg;

	if (s->phase == DONE)
		return;
	if (!up) {
		if (s->phase == CONNECTING)
			session_fail(s, err->code, "%s", np_err_text(err));
		return;
	}
	s->monitor_up = true;
	session_advance(s);
}

static void on_device_key(const struct np_err *err, const struct np_rsa *key, const char *b64, void *arg)
{
	struct session *s = arg;

	(void)b64;
	if (s->phase == DONE)
		return;
	if (err->code) {
		session_fail(s, err->code, "device %s: its public key cannot be had, so its answer could not be checked: %s",
		     s->conf->to, np_err_text(err));
		return;
	}
	s->device_pk = key;
	session_advance(s);
}

static void on_rsa(struct np_rsa *key, void *arg)
{
	struct session *s = arg;

	s->rsagen = NULL;
	s->ephemeral = key;
	if (s->phase == DONE)
		return;
	if (!key)
		session_fail(s, -EIO, "no RSA key pair for the session: OpenSSL failed");
	else
		session_advance(s);
}

static void on_relay_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	session_fail(s, -ETIMEDOUT, "Connection timeout to srvd %s service: is the relay running, and is %s one of its managers?",
	     s->conf->relay, s->conf->from);
}

static void on_ping_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	session_fail(s, -ETIMEDOUT,
	     "Daemon feature check timed out: no answer from device %s%s; is it online, is its name right, and is %s one of "
	     "its managers?", s->conf->device, s->conf->to, s->conf->from);
}

static void on_phase_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	if (s->phase == CONNECTING)
		session_fail(s, -ETIMEDOUT, "our atServer was not reached within %d s: check the network and --root-domain %s",
		     (int)CONNECT_TIMEOUT_S, s->conf->root_domain);
	else
		session_fail(s, -ETIMEDOUT, "No response from the device daemon %s%s", s->conf->device, s->conf->to);
}

static const struct np_monitor_ops monitor_ops = {
	.note = session_on_note,
	.bad = on_bad_note,
	.state = on_monitor_state,
};

static int open_monitor(struct session *s, struct np_err *err)
{
	char regex[256];

	snprintf(regex, sizeof(regex), "(%s|heartbeat)\\.%s\\.sshnp@|%s\\.sshrvd@", s->result.sid, s->conf->device,
		 s->result.sid);
	return np_monitor_open_replay(s->link.client, regex, 10000, &monitor_ops, s, &s->monitor, err);
}

static void init_names(struct session *s)
{
	np_clock_local_stamp(s->client_nonce, sizeof(s->client_nonce));
	snprintf(s->heartbeat_name, sizeof(s->heartbeat_name), "heartbeat.%s.sshnp", s->conf->device);
	snprintf(s->answer_name, sizeof(s->answer_name), "%s.%s.sshnp", s->result.sid, s->conf->device);
	snprintf(s->relay_answer_name, sizeof(s->relay_answer_name), "%s.sshrvd", s->result.sid);
	ev_init(&s->relay_timer, on_relay_timeout);
	ev_init(&s->ping_timer, on_ping_timeout);
	ev_init(&s->phase_timer, on_phase_timeout);
	s->relay_timer.data = s->ping_timer.data = s->phase_timer.data = s;
}

int session_start(struct ev_loop *loop, const struct sshnp_conf *conf,
		  void (*on_done)(struct session_result *result, const struct np_err *err, void *arg), void *arg,
		  struct session **out, struct np_err *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return np_fail(err, -ENOMEM, "out of memory");
	s->conf = conf;
	s->on_done = on_done;
	s->arg = arg;
	s->link.loop = loop;
	s->result.relay_fd = -1;
	ret = np_rand_uuid4(s->result.sid);
	init_names(s);
	if (!ret)
		ret = link_open(&s->link, loop, conf, on_client_state, s, err);
	if (!ret)
		ret = np_rsagen_start(loop, on_rsa, s, &s->rsagen);
	if (!ret)
		ret = open_monitor(s, err);
	if (!ret)
		ret = np_at_client_public_key(s->link.client, conf->to, false, on_device_key, s);
	if (!ret)
		ret = np_at_client_warm(s->link.client, conf->relay);
	if (!ret)
		ret = np_at_client_warm(s->link.client, conf->to);
	if (ret) {
		session_free(s);
		return ret;
	}
	session_start_timer(s, &s->phase_timer, CONNECT_TIMEOUT_S);
	*out = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	s->phase = DONE;
	ev_timer_stop(s->link.loop, &s->relay_timer);
	ev_timer_stop(s->link.loop, &s->ping_timer);
	ev_timer_stop(s->link.loop, &s->phase_timer);
	np_rsagen_cancel(s->rsagen);
	early_free(s->early);
	np_monitor_close(s->monitor);
	link_close(&s->link);
	np_rsa_free(s->ephemeral);
	np_ping_response_fini(&s->ping);
	session_result_fini(&s->result);
	free(s);
}
