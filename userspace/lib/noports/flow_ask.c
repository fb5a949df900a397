// SPDX-License-Identifier: BSD-3-Clause
/* What the session sends: relay request, ping, public key, user name look-up, and the session
 * request itself. */
#include "noports/flow_impl.h"

#include "at/client.h"
#include "at/keyfile.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/rsa.h"
#include "json/json.h"
#include "noports/envelope.h"
#include "cli/progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RELAY_TIMEOUT_S 20.
#define ANSWER_TIMEOUT_S 15.
#define CONTROL_TTL_MS 10000
#define CONTROL_TTLN_MS 60000

static void on_sent(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct np_flow *s = arg;

	(void)data;
	(void)len;
	if (err->code && s->phase != DONE)
		flow_fail(s, err->code, "cannot send a message through our atServer: %s",
			  np_err_text(err));
}

static void send_note(struct np_flow *s, const char *to, const char *name, const char *value,
		      size_t len, bool ttl)
{
	struct np_at_put put = {
		.to = to,
		.name = name,
		.value = value,
		.value_len = len,
		.ttl_ms = ttl ? CONTROL_TTL_MS : 0,
		.ttln_ms = CONTROL_TTLN_MS,
	};
	int ret = np_at_client_notify(s->link.client, &put, on_sent, s);

	if (ret)
		flow_fail(s, ret, "cannot send %s: %s", name, strerror(-ret));
}

static void send_relay_request(struct np_flow *s)
{
	struct np_relay_request req = {
		.auth_a = s->p.auth_client,
		.auth_b = s->p.auth_device,
		.send_json_response = true,
		.multiple_acks_ok = true,
		.auth_mode = "payload",
	};
	char name[NP_DEVICE_MAX + 32];
	struct np_buf text = NP_BUF_INIT;

	snprintf(req.sid, sizeof(req.sid), "%s", s->result.sid);
	np_str_copy(req.atsign_a, sizeof(req.atsign_a), s->p.link.from);
	np_str_copy(req.atsign_b, sizeof(req.atsign_b), s->p.to);
	np_str_copy(req.client_nonce, sizeof(req.client_nonce), s->client_nonce);
	snprintf(name, sizeof(name), "%s.request_ports.sshrvd", s->p.device);
	if (np_relay_request_write(&req, &text)) {
		flow_fail(s, -ENOMEM, "out of memory");
	} else {
		np_progress("Fetching host and port from srvd");
		flow_start_timer(s, &s->relay_timer, RELAY_TIMEOUT_S);
		send_note(s, s->p.relay, name, np_buf_str(&text), text.len, true);
	}
	np_buf_fini(&text);
}

static void send_ping(struct np_flow *s)
{
	char name[NP_DEVICE_MAX + 16];

	if (!s->p.auth_device && !s->p.encrypt && !s->p.public_key && !s->p.is_npt) {
		s->have_ping = true;
		return;
	}
	snprintf(name, sizeof(name), "ping.%s.sshnp", s->p.device);
	np_progress("Sending daemon feature check request");
	flow_start_timer(s, &s->ping_timer, (double)s->p.ping_timeout_s);
	send_note(s, s->p.to, name, "ping", 4, false);
}

static void on_user(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct np_flow *s = arg;

	if (s->phase == DONE)
		return;
	if (err->code || !len || !strcmp(data, "null")) {
		flow_fail(s, -ENOENT,
			  "Remote username record not shared with the client: give the user with "
			  "-u USER%s%s",
			  err->code ? "; " : "", err->code ? np_err_text(err) : "");
		return;
	}
	/* It becomes an argument of ssh: nothing that could be an option or a second word. */
	if (data[0] == '-' || !np_str_is_charset(data, "._-@+$\\") ||
	    np_str_copy(s->result.remote_user, sizeof(s->result.remote_user), data)) {
		flow_fail(s, -EBADMSG,
			  "the device shared a user name that no system has: give the user with -u "
			  "USER");
		return;
	}
	s->have_user = true;
	flow_advance(s);
}

static void get_user(struct np_flow *s)
{
	char name[NP_DEVICE_MAX + 20];
	int ret;

	if (s->p.remote_user || !s->p.need_user) {
		np_str_copy(s->result.remote_user, sizeof(s->result.remote_user),
			    s->p.remote_user ? s->p.remote_user : "");
		s->have_user = true;
		return;
	}
	np_progress("Resolving remote username for user session");
	snprintf(name, sizeof(name), "username.%s.sshnp", s->p.device);
	ret = np_at_client_get(s->link.client, s->p.to, name, false, on_user, s);
	if (ret)
		flow_fail(s, ret, "cannot ask for the remote user name: %s", strerror(-ret));
}

static void send_public_key(struct np_flow *s)
{
	char name[NP_DEVICE_MAX + 24];

	if (!s->p.public_key)
		return;
	np_progress("Sharing ssh public key");
	snprintf(name, sizeof(name), "sshpublickey.%s.sshnp", s->p.device);
	send_note(s, s->p.to, name, s->p.public_key, strlen(s->p.public_key), true);
}

static void ask(struct np_flow *s)
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

static int build_request(struct np_flow *s, struct np_buf *text)
{
	struct np_session_request req = {
		.is_npt = s->p.is_npt,
		.target_port = s->p.target_port,
		.timeout_ms = s->p.timeout_ms,
		.auth_to_rvd = s->p.auth_device,
		.encrypt = s->p.encrypt,
		.auth_mode = "payload",
		.twin_keys = s->ping.twin_keys,
		.port = s->result.relay.port_b,
	};
	struct np_buf pk = NP_BUF_INIT;
	struct np_json *payload;
	int ret;

	snprintf(req.sid, sizeof(req.sid), "%s", s->result.sid);
	np_str_copy(req.host, sizeof(req.host), s->result.relay.address);
	if (s->p.is_npt)
		np_str_copy(req.target_host, sizeof(req.target_host), s->p.target_host);
	np_str_copy(req.client_nonce, sizeof(req.client_nonce), s->client_nonce);
	np_str_copy(req.rvd_nonce, sizeof(req.rvd_nonce), s->result.relay.rvd_nonce);
	np_str_copy(req.relay_atsign, sizeof(req.relay_atsign), s->p.relay);
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

static void send_request(struct np_flow *s)
{
	char name[NP_DEVICE_MAX + 24];
	struct np_buf text = NP_BUF_INIT;

	s->phase = REQUESTED;
	if (build_request(s, &text)) {
		flow_fail(s, -EIO, "the session request cannot be signed");
	} else {
		np_progress("Sending session request to the device daemon");
		snprintf(name, sizeof(name), "%s_request.%s.sshnp", s->p.is_npt ? "npt" : "ssh",
			 s->p.device);
		flow_start_timer(s, &s->phase_timer, ANSWER_TIMEOUT_S);
		send_note(s, s->p.to, name, np_buf_str(&text), text.len, true);
		if (s->phase == REQUESTED)
			np_progress("Waiting for response from the device daemon");
	}
	np_buf_fini(&text);
}

void flow_advance(struct np_flow *s)
{
	if (s->phase == CONNECTING && s->client_up && s->monitor_up)
		ask(s);
	if (s->phase == ASKING && s->have_relay && s->have_ping && s->have_user && s->device_pk &&
	    s->ephemeral)
		send_request(s);
}
