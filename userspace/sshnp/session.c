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
#include "at/keyfile.h"
#include "at/monitor.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "conf.h"
#include "crypto/rsa.h"
#include "crypto/rsagen.h"
#include "json/json.h"
#include "link.h"
#include "noports/envelope.h"
#include "progress.h"
#include "sshkeyfile.h"

#include <ev.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S 30.
#define RELAY_TIMEOUT_S 20.
#define ANSWER_TIMEOUT_S 15.
#define CONTROL_TTL_MS 10000
#define CONTROL_TTLN_MS 60000

enum phase { CONNECTING, ASKING, REQUESTED, DONE };

struct session {
	const struct sshnp_conf *conf;
	struct link link;
	struct np_monitor *monitor;
	struct np_rsagen *rsagen;
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

void session_result_fini(struct session_result *result)
{
	np_session_keys_fini(&result->keys);
	np_buf_fini(&result->auth_line);
	np_secret_fini(&result->ephemeral_key);
}

static void finish(struct session *s, const struct np_err *err)
{
	if (s->phase == DONE)
		return;
	s->phase = DONE;
	ev_timer_stop(s->link.loop, &s->relay_timer);
	ev_timer_stop(s->link.loop, &s->ping_timer);
	ev_timer_stop(s->link.loop, &s->phase_timer);
	s->on_done(err ? NULL : &s->result, err, s->arg);
}

static void fail(struct session *s, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void fail(struct session *s, int code, const char *fmt, ...)
{
	struct np_err err = NP_ERR_INIT;
	va_list ap;

	err.code = code;
	va_start(ap, fmt);
	vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	finish(s, &err);
}

static void start_timer(struct session *s, ev_timer *timer, double seconds)
{
	ev_now_update(s->link.loop);
	ev_timer_stop(s->link.loop, timer);
	ev_timer_set(timer, seconds, 0.);
	ev_timer_start(s->link.loop, timer);
}

/* ---- requests ---- */

static void on_sent(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct session *s = arg;

	(void)data;
	(void)len;
	if (err->code && s->phase != DONE)
		fail(s, err->code, "cannot send a message through our atServer: %s", np_err_text(err));
}

static void send_note(struct session *s, const char *to, const char *name, const char *value, size_t len, bool ttl)
{
	struct np_at_put put = {
		.to = to, .name = name, .value = value, .value_len = len,
		.ttl_ms = ttl ? CONTROL_TTL_MS : 0, .ttln_ms = CONTROL_TTLN_MS,
	};
	int ret = np_at_client_notify(s->link.client, &put, on_sent, s);

	if (ret)
		fail(s, ret, "cannot send %s: %s", name, strerror(-ret));
}

static void send_relay_request(struct session *s)
{
	struct np_relay_request req = {
		.auth_a = s->conf->auth_client, .auth_b = s->conf->auth_device,
		.send_json_response = true, .multiple_acks_ok = true, .auth_mode = "payload",
	};
	char name[NP_DEVICE_MAX + 32];
	struct np_buf text = NP_BUF_INIT;

	snprintf(req.sid, sizeof(req.sid), "%s", s->result.sid);
	np_str_copy(req.atsign_a, sizeof(req.atsign_a), s->conf->from);
	np_str_copy(req.atsign_b, sizeof(req.atsign_b), s->conf->to);
	np_str_copy(req.client_nonce, sizeof(req.client_nonce), s->client_nonce);
	snprintf(name, sizeof(name), "%s.request_ports.sshrvd", s->conf->device);
	if (np_relay_request_write(&req, &text)) {
		fail(s, -ENOMEM, "out of memory");
	} else {
		progress("Fetching host and port from srvd");
		start_timer(s, &s->relay_timer, RELAY_TIMEOUT_S);
		send_note(s, s->conf->relay, name, np_buf_str(&text), text.len, true);
	}
	np_buf_fini(&text);
}

static void send_ping(struct session *s)
{
	char name[NP_DEVICE_MAX + 16];

	if (!s->conf->auth_device && !s->conf->encrypt && !s->conf->send_public_key) {
		s->have_ping = true;
		return;
	}
	snprintf(name, sizeof(name), "ping.%s.sshnp", s->conf->device);
	progress("Sending daemon feature check request");
	start_timer(s, &s->ping_timer, (double)s->conf->ping_timeout_s);
	send_note(s, s->conf->to, name, "ping", 4, false);
}

static void advance(struct session *s);

static void on_user(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct session *s = arg;

	if (s->phase == DONE)
		return;
	if (err->code || !len || !strcmp(data, "null")) {
		fail(s, -ENOENT, "Remote username record not shared with the client: give the user with -u USER%s%s",
		     err->code ? "; " : "", err->code ? np_err_text(err) : "");
		return;
	}
	/* It becomes an argument of ssh: nothing that could be an option or a second word. */
	if (data[0] == '-' || !np_str_is_charset(data, "._-@+$\\") ||
	    np_str_copy(s->result.remote_user, sizeof(s->result.remote_user), data)) {
		fail(s, -EBADMSG, "the device shared a user name that no system has: give the user with -u USER");
		return;
	}
	s->have_user = true;
	advance(s);
}

static void get_user(struct session *s)
{
	char name[NP_DEVICE_MAX + 20];
	int ret;

	if (s->conf->remote_user || s->conf->stdio) {
		np_str_copy(s->result.remote_user, sizeof(s->result.remote_user),
			    s->conf->remote_user ? s->conf->remote_user : "");
		s->have_user = true;
		return;
	}
	progress("Resolving remote username for user session");
	snprintf(name, sizeof(name), "username.%s.sshnp", s->conf->device);
	ret = np_at_client_get(s->link.client, s->conf->to, name, false, on_user, s);
	if (ret)
		fail(s, ret, "cannot ask for the remote user name: %s", strerror(-ret));
}

static void send_public_key(struct session *s)
{
	struct np_buf line = NP_BUF_INIT;
	struct np_err err = NP_ERR_INIT;
	char name[NP_DEVICE_MAX + 24];

	if (!s->conf->send_public_key)
		return;
	if (sshkeyfile_public_line(s->conf->identity_file, &line, &err)) {
		finish(s, &err);
	} else {
		progress("Sharing ssh public key");
		snprintf(name, sizeof(name), "sshpublickey.%s.sshnp", s->conf->device);
		send_note(s, s->conf->to, name, np_buf_str(&line), line.len, true);
	}
	np_buf_fini(&line);
}

static void ask(struct session *s)
{
	s->phase = ASKING;
	ev_timer_stop(s->link.loop, &s->phase_timer);
	send_relay_request(s);
	if (s->phase == ASKING)
		send_ping(s);
	if (s->phase == ASKING)
		send_public_key(s);
	if (s->phase == ASKING)
		get_user(s);
}

static int build_request(struct session *s, struct np_buf *text)
{
	struct np_session_request req = {
		.auth_to_rvd = s->conf->auth_device, .encrypt = s->conf->encrypt,
		.auth_mode = "payload", .twin_keys = s->ping.twin_keys, .port = s->result.relay.port_b,
	};
	struct np_buf pk = NP_BUF_INIT;
	struct np_json *payload;
	int ret;

	snprintf(req.sid, sizeof(req.sid), "%s", s->result.sid);
	np_str_copy(req.host, sizeof(req.host), s->result.relay.address);
	np_str_copy(req.client_nonce, sizeof(req.client_nonce), s->client_nonce);
	np_str_copy(req.rvd_nonce, sizeof(req.rvd_nonce), s->result.relay.rvd_nonce);
	np_str_copy(req.relay_atsign, sizeof(req.relay_atsign), s->conf->relay);
	ret = np_rsa_public_b64(s->ephemeral, &pk);
	if (!ret) {
		req.client_pk = (char *)(uintptr_t)np_buf_str(&pk);
		payload = np_session_request_payload(&req);
		ret = payload ? np_envelope_sign(payload, s->link.keys->enc, text) : -ENOMEM;
		np_json_put(payload);
	}
	np_buf_fini(&pk);
	return ret;
}

static void send_request(struct session *s)
{
	char name[NP_DEVICE_MAX + 24];
	struct np_buf text = NP_BUF_INIT;

	s->phase = REQUESTED;
	if (build_request(s, &text)) {
		fail(s, -EIO, "the session request cannot be signed");
	} else {
		progress("Sending session request to the device daemon");
		snprintf(name, sizeof(name), "ssh_request.%s.sshnp", s->conf->device);
		start_timer(s, &s->phase_timer, ANSWER_TIMEOUT_S);
		send_note(s, s->conf->to, name, np_buf_str(&text), text.len, true);
		if (s->phase == REQUESTED)
			progress("Waiting for response from the device daemon");
	}
	np_buf_fini(&text);
}

static void advance(struct session *s)
{
	if (s->phase == CONNECTING && s->client_up && s->monitor_up)
		ask(s);
	if (s->phase == ASKING && s->have_relay && s->have_ping && s->have_user && s->device_pk && s->ephemeral)
		send_request(s);
}

/* ---- answers ---- */

static int make_auth_line(struct session *s)
{
	struct np_json *p = np_json_obj();
	int ret = -ENOMEM;

	/* This order is mandatory: the relay verifies over text that it makes itself (noports.md 5.5). */
	if (p && !np_json_set_str(p, "sessionId", s->result.sid) &&
	    !np_json_set_str(p, "clientNonce", s->client_nonce) &&
	    !np_json_set_str(p, "rvdNonce", s->result.relay.rvd_nonce))
		ret = np_envelope_sign(p, s->link.keys->enc, &s->result.auth_line);
	np_json_put(p);
	return ret;
}

static void on_relay_answer(struct session *s, const struct np_at_notification *n)
{
	struct np_err err = NP_ERR_INIT;

	if (s->have_relay || s->phase != ASKING)
		return;
	if (np_str_starts(n->name, "nack.")) {
		fail(s, -EACCES, "relay %s refused: %s", s->conf->relay, n->value);
		return;
	}
	if (np_relay_answer_read(n->value, n->value_len, &s->result.relay, &err)) {
		fail(s, -EPROTO, "relay %s: answer not understood: %s", s->conf->relay, np_err_text(&err));
		return;
	}
	ev_timer_stop(s->link.loop, &s->relay_timer);
	progress("Received host and port from srvd");
	if (s->conf->auth_client && make_auth_line(s)) {
		fail(s, -EIO, "the relay authentication cannot be signed");
		return;
	}
	s->have_relay = true;
	if (!s->have_ping)
		progress("Waiting for daemon feature check response");
	advance(s);
}

static const char *missing_feature(const struct session *s)
{
	const struct np_ping_response *p = &s->ping;

	if (s->conf->auth_device && !p->sr_auth)
		return "support authentication to the relay; retry with --no-ad";
	if (s->conf->encrypt && !p->sr_e2ee)
		return "support encryption of relay traffic; retry with --no-et";
	if (s->conf->send_public_key && !p->accepts_public_keys)
		return "accept ssh public keys; start it with -s, or drop -s here";
	return NULL;
}

static void on_ping_response(struct session *s, const struct np_at_notification *n)
{
	struct np_err err = NP_ERR_INIT;
	const char *missing;

	if (s->have_ping || s->phase != ASKING)
		return;
	if (np_ping_response_read(n->value, n->value_len, &s->ping, &err)) {
		fail(s, -EPROTO, "device %s%s: ping answer not understood: %s", s->conf->device, s->conf->to,
		     np_err_text(&err));
		return;
	}
	ev_timer_stop(s->link.loop, &s->ping_timer);
	progress("Received daemon feature check response");
	missing = missing_feature(s);
	if (missing) {
		fail(s, -EOPNOTSUPP, "This device daemon does not %s", missing);
		return;
	}
	progress("Required daemon features are supported");
	s->have_ping = true;
	advance(s);
}

static int open_answer(struct session *s, const struct np_at_notification *n, struct np_err *err)
{
	struct np_session_answer answer = { .sid = "" };
	struct np_envelope *env = NULL;
	int ret;

	ret = np_envelope_parse(n->value, n->value_len, &env, err);
	if (!ret)
		ret = np_envelope_verify(env, s->device_pk, err);
	if (!ret)
		ret = np_session_answer_read(np_envelope_payload(env), &answer, err);
	if (!ret && strcmp(answer.sid, s->result.sid))
		ret = np_fail(err, -EBADMSG, "it is for another session");
	if (!ret && s->conf->encrypt)
		ret = np_session_keys_open(&answer, s->ephemeral, &s->result.keys, err);
	if (!ret)
		np_secret_take(&s->result.ephemeral_key, &answer.ephemeral_private_key);
	np_session_answer_fini(&answer);
	np_envelope_free(env);
	return ret;
}

static void on_answer(struct session *s, const struct np_at_notification *n)
{
	struct np_err err = NP_ERR_INIT;

	if (s->phase != REQUESTED)
		return;
	progress("Received response from the device daemon");
	if (!n->value_len || n->value[0] != '{')
		fail(s, -ECONNREFUSED, "device %s%s answered: %s", s->conf->device, s->conf->to,
		     n->value ? n->value : "(nothing)");
	else if (open_answer(s, n, &err))
		fail(s, -EBADMSG, "device %s%s: answer refused: %s", s->conf->device, s->conf->to,
		     np_err_text(&err));
	else
		finish(s, NULL);
}

static void on_note(const struct np_at_notification *n, void *arg)
{
	struct session *s = arg;
	bool from_device = !strcmp(n->from, s->conf->to), from_relay = !strcmp(n->from, s->conf->relay);
	const char *relay_name = np_str_starts(n->name, "nack.") ? n->name + 5 : n->name;

	if (s->phase == DONE || n->is_delete || !n->value)
		return;
	if (from_device && !strcmp(n->name, s->answer_name))
		on_answer(s, n);
	else if (from_device && !strcmp(n->name, s->heartbeat_name))
		on_ping_response(s, n);
	else if (from_relay && !strcmp(relay_name, s->relay_answer_name))
		on_relay_answer(s, n);
}

static void on_bad_note(const char *from, const char *key, const struct np_err *err, void *arg)
{
	(void)arg;
	np_warn_err(err, "notification %s from %s ignored", key, from);
}

/* ---- connections, keys, time ---- */

static void on_client_state(bool up, const struct np_err *err, void *arg)
{
	struct session *s = arg;

	if (s->phase == DONE)
		return;
	s->client_up = up;
	if (up)
		advance(s);
	else if (s->phase == CONNECTING)
		fail(s, err->code, "%s", np_err_text(err));
}

static void on_monitor_state(bool up, const struct np_err *err, void *arg)
{
	struct session *s = arg;

	if (s->phase == DONE)
		return;
	if (!up) {
		if (s->phase == CONNECTING)
			fail(s, err->code, "%s", np_err_text(err));
		return;
	}
	s->monitor_up = true;
	advance(s);
}

static void on_device_key(const struct np_err *err, const struct np_rsa *key, const char *b64, void *arg)
{
	struct session *s = arg;

	(void)b64;
	if (s->phase == DONE)
		return;
	if (err->code) {
		fail(s, err->code, "device %s: its public key cannot be had, so its answer could not be checked: %s",
		     s->conf->to, np_err_text(err));
		return;
	}
	s->device_pk = key;
	advance(s);
}

static void on_rsa(struct np_rsa *key, void *arg)
{
	struct session *s = arg;

	s->rsagen = NULL;
	s->ephemeral = key;
	if (s->phase == DONE)
		return;
	if (!key)
		fail(s, -EIO, "no RSA key pair for the session: OpenSSL failed");
	else
		advance(s);
}

static void on_relay_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	fail(s, -ETIMEDOUT, "Connection timeout to srvd %s service: is the relay running, and is %s one of its managers?",
	     s->conf->relay, s->conf->from);
}

static void on_ping_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	fail(s, -ETIMEDOUT,
	     "Daemon feature check timed out: no answer from device %s%s; is it online, is its name right, and is %s one of "
	     "its managers?", s->conf->device, s->conf->to, s->conf->from);
}

static void on_phase_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	if (s->phase == CONNECTING)
		fail(s, -ETIMEDOUT, "our atServer was not reached within %d s: check the network and --root-domain %s",
		     (int)CONNECT_TIMEOUT_S, s->conf->root_domain);
	else
		fail(s, -ETIMEDOUT, "No response from the device daemon %s%s", s->conf->device, s->conf->to);
}

static const struct np_monitor_ops monitor_ops = {
	.note = on_note,
	.bad = on_bad_note,
	.state = on_monitor_state,
};

static int open_monitor(struct session *s, struct np_err *err)
{
	char regex[256];

	snprintf(regex, sizeof(regex), "(%s|heartbeat)\\.%s\\.sshnp@|%s\\.sshrvd@", s->result.sid, s->conf->device,
		 s->result.sid);
	return np_monitor_open(s->link.client, regex, 10000, &monitor_ops, s, &s->monitor, err);
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
	start_timer(s, &s->phase_timer, CONNECT_TIMEOUT_S);
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
	np_monitor_close(s->monitor);
	link_close(&s->link);
	np_rsa_free(s->ephemeral);
	np_ping_response_fini(&s->ping);
	session_result_fini(&s->result);
	free(s);
}
