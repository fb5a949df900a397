// SPDX-License-Identifier: BSD-3-Clause
/* What the session sends: relay request, ping, public key, user name look-up, and the session request itself. */
#include "session_priv.h"

#include "at/client.h"
#include "at/keyfile.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/rsa.h"
#include "json/json.h"
#include "noports/envelope.h"
#include "progress.h"
#include "sshkeyfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RELAY_TIMEOUT_S 20.
#define ANSWER_TIMEOUT_S 15.
#define CONTROL_TTL_MS 10000
#define CONTROL_TTLN_MS 60000

static void on_sent(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct session *s = arg;

	(void)data;
	(void)len;
	if (err->code && s->phase != DONE)
		session_fail(s, err->code, "cannot send a message through our atServer: %s", np_err_text(err));
}

static void send_note(struct session *s, const char *to, const char *name, const char *value, size_t len, bool ttl)
{
	struct np_at_put put = {
		.to = to, .name = name, .value = value, .value_len = len,
		.ttl_ms = ttl ? CONTROL_TTL_MS : 0, .ttln_ms = CONTROL_TTLN_MS,
	};
	int ret = np_at_client_notify(s->link.client, &put, on_sent, s);

	if (ret)
		session_fail(s, ret, "cannot send %s: %s", name, strerror(-ret));
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
		session_fail(s, -ENOMEM, "out of memory");
	} else {
		progress("Fetching host and port from srvd");
		session_start_timer(s, &s->relay_timer, RELAY_TIMEOUT_S);
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
	session_start_timer(s, &s->ping_timer, (double)s->conf->ping_timeout_s);
	send_note(s, s->conf->to, name, "ping", 4, false);
}

static void on_user(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct session *s = arg;

	if (s->phase == DONE)
		return;
	if (err->code || !len || !strcmp(data, "null")) {
		session_fail(s, -ENOENT, "Remote username record not shared with the client: give the user with -u USER%s%s",
		     err->code ? "; " : "", err->code ? np_err_text(err) : "");
		return;
	}
	/* It becomes an argument of ssh: nothing that could be an option or a second word. */
	if (data[0] == '-' || !np_str_is_charset(data, "._-@+$\\") ||
	    np_str_copy(s->result.remote_user, sizeof(s->result.remote_user), data)) {
		session_fail(s, -EBADMSG, "the device shared a user name that no system has: give the user with -u USER");
		return;
	}
	s->have_user = true;
	session_advance(s);
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
		session_fail(s, ret, "cannot ask for the remote user name: %s", strerror(-ret));
}

static void send_public_key(struct session *s)
{
	struct np_buf line = NP_BUF_INIT;
	struct np_err err = NP_ERR_INIT;
	char name[NP_DEVICE_MAX + 24];

	if (!s->conf->send_public_key)
		return;
	if (sshkeyfile_public_line(s->conf->identity_file, &line, &err)) {
		session_finish(s, &err);
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
		session_fail(s, -EIO, "the session request cannot be signed");
	} else {
		progress("Sending session request to the device daemon");
		snprintf(name, sizeof(name), "ssh_request.%s.sshnp", s->conf->device);
		session_start_timer(s, &s->phase_timer, ANSWER_TIMEOUT_S);
		send_note(s, s->conf->to, name, np_buf_str(&text), text.len, true);
		if (s->phase == REQUESTED)
			progress("Waiting for response from the device daemon");
	}
	np_buf_fini(&text);
}

void session_advance(struct session *s)
{
	if (s->phase == CONNECTING && s->client_up && s->monitor_up)
		ask(s);
	if (s->phase == ASKING && s->have_relay && s->have_ping && s->have_user && s->device_pk && s->ephemeral)
		send_request(s);
}
