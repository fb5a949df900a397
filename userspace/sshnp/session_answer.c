// SPDX-License-Identifier: BSD-3-Clause
/* What the session hears: the relay's answer, the device's heartbeat and its answer to the request. */
#include "session_priv.h"

#include "at/keyfile.h"
#include "at/monitor.h"
#include "base/err.h"
#include "base/str.h"
#include "early.h"
#include "json/json.h"
#include "noports/envelope.h"
#include "progress.h"

#include <errno.h>
#include <string.h>

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
		session_fail(s, -EACCES, "relay %s refused: %s", s->conf->relay, n->value);
		return;
	}
	if (np_relay_answer_read(n->value, n->value_len, &s->result.relay, &err)) {
		session_fail(s, -EPROTO, "relay %s: answer not understood: %s", s->conf->relay, np_err_text(&err));
		return;
	}
	ev_timer_stop(s->link.loop, &s->relay_timer);
	progress("Received host and port from srvd");
	if (s->conf->auth_client && make_auth_line(s)) {
		session_fail(s, -EIO, "the relay authentication cannot be signed");
		return;
	}
	s->have_relay = true;
	/* A detached bridge (-x) makes its own connection, and an idle one would only wait for the relay's limit. */
	if (!s->conf->print_command)
		s->early = early_start(s->link.loop, s->result.relay.address, s->result.relay.port_a,
				       s->conf->auth_client ? np_buf_str(&s->result.auth_line) : NULL);
	if (!s->have_ping)
		progress("Waiting for daemon feature check response");
	session_advance(s);
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
		session_fail(s, -EPROTO, "device %s%s: ping answer not understood: %s", s->conf->device, s->conf->to,
		     np_err_text(&err));
		return;
	}
	ev_timer_stop(s->link.loop, &s->ping_timer);
	progress("Received daemon feature check response");
	missing = missing_feature(s);
	if (missing) {
		session_fail(s, -EOPNOTSUPP, "This device daemon does not %s", missing);
		return;
	}
	progress("Required daemon features are supported");
	s->have_ping = true;
	session_advance(s);
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

static void succeed(struct session *s)
{
	s->result.relay_fd = early_take(s->early);
	session_finish(s, NULL);
}

static void on_answer(struct session *s, const struct np_at_notification *n)
{
	struct np_err err = NP_ERR_INIT;

	if (s->phase != REQUESTED)
		return;
	progress("Received response from the device daemon");
	if (!n->value_len || n->value[0] != '{')
		session_fail(s, -ECONNREFUSED, "device %s%s answered: %s", s->conf->device, s->conf->to,
		     n->value ? n->value : "(nothing)");
	else if (open_answer(s, n, &err))
		session_fail(s, -EBADMSG, "device %s%s: answer refused: %s", s->conf->device, s->conf->to,
		     np_err_text(&err));
	else
		succeed(s);
}

void session_on_note(const struct np_at_notification *n, void *arg)
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
