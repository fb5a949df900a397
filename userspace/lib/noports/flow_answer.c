// SPDX-License-Identifier: BSD-3-Clause
/* What the session hears: the relay's answer, the device's heartbeat and its answer to the request.
 */
#include "noports/flow_impl.h"

#include "at/keyfile.h"
#include "at/monitor.h"
#include "base/err.h"
#include "base/str.h"
#include "noports/early.h"
#include "json/json.h"
#include "noports/envelope.h"
#include "cli/progress.h"

#include <errno.h>
#include <string.h>

static int make_auth_line(struct np_flow *s)
{
	struct np_json *p = np_json_obj();
	int ret = -ENOMEM;

	/* This order is mandatory: the relay verifies over text that it makes itself
	 * (noports.md 5.5). */
	if (p && !np_json_set_str(p, "sessionId", s->result.sid) &&
	    !np_json_set_str(p, "clientNonce", s->client_nonce) &&
	    !np_json_set_str(p, "rvdNonce", s->result.relay.rvd_nonce))
		ret = np_envelope_sign(p, s->link.keys->enc, &s->result.auth_line);
	np_json_put(p);
	return ret;
}

static void on_relay_answer(struct np_flow *s, const struct np_at_notification *n)
{
	struct np_err err = NP_ERR_INIT;

	if (s->have_relay || s->phase != ASKING)
		return;
	if (np_str_starts(n->name, "nack.")) {
		flow_fail(s, -EACCES, "relay %s refused: %s", s->p.relay, n->value);
		return;
	}
	if (np_relay_answer_read(n->value, n->value_len, &s->result.relay, &err)) {
		flow_fail(s, -EPROTO, "relay %s: answer not understood: %s", s->p.relay,
			  np_err_text(&err));
		return;
	}
	ev_timer_stop(s->link.loop, &s->relay_timer);
	np_progress("Received host and port from srvd");
	if (s->p.auth_client && make_auth_line(s)) {
		flow_fail(s, -EIO, "the relay authentication cannot be signed");
		return;
	}
	s->have_relay = true;
	if (s->p.connect_early)
		s->early = np_early_start(
			s->link.loop, s->result.relay.address, s->result.relay.port_a,
			s->p.auth_client ? np_buf_str(&s->result.auth_line) : NULL);
	if (!s->have_ping)
		np_progress("Waiting for daemon feature check response");
	flow_advance(s);
}

/* What devices take when they cannot be told (noports.md 4.2). */
#define OLD_TIMEOUT_MS 30000

static const char *missing_feature(const struct np_flow *s)
{
	const struct np_ping_response *p = &s->ping;

	if (s->p.is_npt && !p->supports_port_choice)
		return "support sessions to a port of one's choice (npt); update it";
	if (s->p.is_npt && !p->adjustable_timeout && s->p.timeout_ms != OLD_TIMEOUT_MS)
		return "support a timeout other than 30 s; retry with -T 30s, or update it";
	if (s->p.auth_device && !p->sr_auth)
		return "support authentication to the relay; retry with --no-ad";
	if (s->p.encrypt && !p->sr_e2ee)
		return "support encryption of relay traffic; retry with --no-et";
	if (s->p.public_key && !p->accepts_public_keys)
		return "accept ssh public keys; start it with -s, or drop -s here";
	return NULL;
}

static void on_ping_response(struct np_flow *s, const struct np_at_notification *n)
{
	struct np_err err = NP_ERR_INIT;
	const char *missing;

	if (s->have_ping || s->phase != ASKING)
		return;
	if (np_ping_response_read(n->value, n->value_len, &s->ping, &err)) {
		flow_fail(s, -EPROTO, "device %s%s: ping answer not understood: %s", s->p.device,
			  s->p.to, np_err_text(&err));
		return;
	}
	ev_timer_stop(s->link.loop, &s->ping_timer);
	np_progress("Received daemon feature check response");
	missing = missing_feature(s);
	if (missing) {
		flow_fail(s, -EOPNOTSUPP, "This device daemon does not %s", missing);
		return;
	}
	np_progress("Required daemon features are supported");
	s->result.device_takes_heartbeats = s->ping.control_heartbeats;
	s->have_ping = true;
	flow_advance(s);
}

static int open_answer(struct np_flow *s, const struct np_at_notification *n, struct np_err *err)
{
	struct np_session_answer answer = {.sid = ""};
	struct np_envelope *env = NULL;
	int ret;

	ret = np_envelope_parse(n->value, n->value_len, &env, err);
	if (!ret)
		ret = np_envelope_verify(env, s->device_pk, err);
	if (!ret)
		ret = np_session_answer_read(np_envelope_payload(env), &answer, err);
	if (!ret && strcmp(answer.sid, s->result.sid))
		ret = np_fail(err, -EBADMSG, "it is for another session");
	if (!ret && s->p.encrypt)
		ret = np_session_keys_open(&answer, s->ephemeral, &s->result.keys, err);
	if (!ret)
		np_secret_take(&s->result.ephemeral_key, &answer.ephemeral_private_key);
	np_session_answer_fini(&answer);
	np_envelope_free(env);
	return ret;
}

static void succeed(struct np_flow *s)
{
	s->result.relay_fd = np_early_take(s->early);
	flow_finish(s, NULL);
}

static void on_answer(struct np_flow *s, const struct np_at_notification *n)
{
	struct np_err err = NP_ERR_INIT;

	if (s->phase != REQUESTED)
		return;
	np_progress("Received response from the device daemon");
	if (!n->value_len || n->value[0] != '{')
		flow_fail(s, -ECONNREFUSED, "device %s%s answered: %s", s->p.device, s->p.to,
			  n->value ? n->value : "(nothing)");
	else if (open_answer(s, n, &err))
		flow_fail(s, -EBADMSG, "device %s%s: answer refused: %s", s->p.device, s->p.to,
			  np_err_text(&err));
	else
		succeed(s);
}

void flow_on_note(const struct np_at_notification *n, void *arg)
{
	struct np_flow *s = arg;
	bool from_device = !strcmp(n->from, s->p.to), from_relay = !strcmp(n->from, s->p.relay);
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
