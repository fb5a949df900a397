// SPDX-License-Identifier: BSD-3-Clause
/*
 * Requests for sessions (noports.md 4.3, 5.1, 10). Who is not let in hears nothing; the log says
 * why. Only those who are let in and cannot be served are told.
 */
#include "srvd.h"

#include "at/client.h"
#include "at/monitor.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "noports/msg.h"
#include "relay/relay.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAMESPACE ".sshrvd"
#define ANSWER_TTL_MS 10000
#define ANSWER_TTLN_MS 60000
#define DENIALS_PER_10S 20

enum form {
	FORM_JSON,    /* <device>.request_ports.sshrvd */
	FORM_ANCIENT, /* <device>.sshrvd, the value is the session id */
	FORM_OTHER,
};

/* Device names hold no dot, so one part in front of the namespace is the ancient form. */
static enum form form_of(const char *name)
{
	size_t len = strlen(name), tail = strlen(NAMESPACE);
	char front[160];

	if (len <= tail || strcmp(name + len - tail, NAMESPACE) ||
	    np_str_copy_n(front, sizeof(front), name, len - tail))
		return FORM_OTHER;
	if (np_str_ends(front, ".request_ports"))
		return FORM_JSON;
	return strchr(front, '.') ? FORM_OTHER : FORM_ANCIENT;
}

static void deny(struct srvd *srvd, const char *from, const char *name, const struct np_err *why)
{
	if (np_log_may(&srvd->denials, DENIALS_PER_10S, 10000))
		np_warn("request denied from=%.60s name=%.120s: %s", from, name, np_err_text(why));
}

static int check_sender(const struct srvd *srvd, const char *text, char from[NP_ATSIGN_MAX],
			struct np_err *err)
{
	int ret = np_atsign_parse(text, from, err);

	if (ret)
		return np_err_prefix(err, "sender");
	if (!srvd_conf_may_ask(srvd->conf, from))
		return np_fail(err, -EACCES, "the sender is not in --manager");
	return 0;
}

bool srvd_request_is_wanted(struct srvd *srvd, const char *from, const char *name)
{
	struct np_err err = NP_ERR_INIT;
	char sender[NP_ATSIGN_MAX];

	if (form_of(name) == FORM_OTHER) {
		np_debug("notification ignored from=%.60s name=%.120s", from, name);
		return false;
	}
	if (check_sender(srvd, from, sender, &err)) {
		deny(srvd, from, name, &err);
		return false;
	}
	/*
	 * The answer needs a key towards the sender: it is made ready while the request is opened.
	 */
	np_at_client_warm(srvd->client, sender);
	return true;
}

static int read_ancient(const struct np_at_notification *note, struct np_relay_request *req,
			struct np_err *err)
{
	memset(req, 0, sizeof(*req));
	if (np_str_copy_n(req->sid, sizeof(req->sid), note->value, note->value_len) ||
	    !np_session_id_ok(req->sid))
		return np_fail(err, -EBADMSG,
			       "the session id has other characters than letters, digits and '-'");
	return np_str_copy(req->atsign_a, sizeof(req->atsign_a), note->from);
}

/* Fills @req, with atSigns in normal form. */
static int read_request(enum form form, const struct np_at_notification *note,
			struct np_relay_request *req, struct np_err *err)
{
	char text[NP_ATSIGN_MAX];
	int ret;

	if (note->is_delete || !note->value)
		return np_fail(err, -EBADMSG, "the request has no value");
	if (form == FORM_ANCIENT)
		return read_ancient(note, req, err);
	ret = np_relay_request_read(note->value, note->value_len, req, err);
	if (ret)
		return ret;
	ret = np_atsign_parse(req->atsign_a, text, err);
	if (ret)
		return np_err_prefix(err, "atSignA");
	strcpy(req->atsign_a, text);
	ret = np_atsign_parse(req->atsign_b, text, err);
	if (ret)
		return np_err_prefix(err, "atSignB");
	strcpy(req->atsign_b, text);
	return 0;
}

static int check_asker(struct srvd *srvd, const struct np_at_notification *note,
		       const struct np_relay_request *req, struct np_err *err)
{
	char from[NP_ATSIGN_MAX];
	int ret = check_sender(srvd, note->from, from, err);

	if (!ret && strcmp(from, req->atsign_a))
		ret = np_fail(err, -EACCES, "atSignA is %.60s, not the sender", req->atsign_a);
	return ret;
}

static int check_modes(const struct np_relay_request *req, struct np_err *err)
{
	if (req->only443)
		return np_fail(err, -EOPNOTSUPP,
			       "this relay has no shared port; ask without --443");
	if (req->auth_mode[0] && strcmp(req->auth_mode, "payload"))
		return np_fail(err, -EOPNOTSUPP,
			       "this relay authenticates in mode payload only, not '%s'",
			       req->auth_mode);
	return 0;
}

static void on_sent(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)data;
	(void)len;
	(void)arg;
	if (err && err->code)
		np_warn_err(err, "answer could not be sent");
}

static void send_value(struct srvd *srvd, const char *to, const char *name,
		       const struct np_buf *value)
{
	struct np_at_put put = {.to = to,
				.name = name,
				.value = np_buf_str(value),
				.value_len = value->len,
				.ttl_ms = ANSWER_TTL_MS,
				.ttln_ms = ANSWER_TTLN_MS};
	int ret = np_at_client_notify(srvd->client, &put, on_sent, NULL);

	if (ret)
		np_warn("answer could not be sent to=%s: %s", to, strerror(-ret));
}

static void send_nack(struct srvd *srvd, const struct np_relay_request *req,
		      const struct np_err *why)
{
	struct np_buf text = NP_BUF_INIT;
	char name[128];

	np_warn("request refused from=%s session=%s: %s", req->atsign_a, req->sid,
		np_err_text(why));
	snprintf(name, sizeof(name), "nack.%s" NAMESPACE, req->sid);
	if (!np_buf_append_str(&text, np_err_text(why)))
		send_value(srvd, req->atsign_a, name, &text);
	np_buf_fini(&text);
}

static void send_answer(struct srvd *srvd, enum form form, const struct np_relay_request *req,
			const struct np_relay_session *session)
{
	struct np_relay_answer answer = {.port_a = np_relay_session_port(session, 0),
					 .port_b = np_relay_session_port(session, 1)};
	struct np_buf text = NP_BUF_INIT;
	char name[128];

	np_str_copy(answer.address, sizeof(answer.address), srvd->conf->ip);
	np_str_copy(answer.rvd_nonce, sizeof(answer.rvd_nonce),
		    form == FORM_ANCIENT ? "null" : np_relay_session_nonce(session));
	snprintf(name, sizeof(name), "%s" NAMESPACE, req->sid);
	if (!np_relay_answer_write(&answer, req->send_json_response, &text))
		send_value(srvd, req->atsign_a, name, &text);
	np_buf_fini(&text);
	np_info("session %s: open from=%s device=%s ports=%u,%u auth=%s%s", req->sid, req->atsign_a,
		req->atsign_b[0] ? req->atsign_b : "unnamed", answer.port_a, answer.port_b,
		req->auth_a ? "a" : "-", req->auth_b ? "b" : "-");
}

static int open_session(struct srvd *srvd, const struct np_relay_request *req,
			struct np_relay_session **out, struct np_err *err)
{
	struct np_relay_session_params params = {.auth = {req->auth_a, req->auth_b}};
	int ret;

	if (np_str_copy(params.sid, sizeof(params.sid), req->sid) ||
	    np_str_copy(params.client, sizeof(params.client), req->atsign_a) ||
	    np_str_copy(params.atsign[0], sizeof(params.atsign[0]), req->atsign_a) ||
	    np_str_copy(params.atsign[1], sizeof(params.atsign[1]), req->atsign_b) ||
	    np_str_copy(params.client_nonce, sizeof(params.client_nonce), req->client_nonce))
		return np_fail(err, -EINVAL, "a name in the request is too long");
	ret = np_relay_open(srvd->relay, &params, out, err);
	if (ret)
		return ret;
	ret = srvd_auth_prepare(srvd, *out, err);
	if (ret)
		np_relay_close(*out, "no memory");
	return ret;
}

/* Ids are remembered only of those who may ask, so that strangers cannot push them out. */
static int check_replay(struct srvd *srvd, const struct np_at_notification *note,
			const struct np_relay_request *req, struct np_err *err)
{
	if (note->id && !seen_add(&srvd->seen, note->id))
		return np_fail(err, -EALREADY, "notification %.64s came before", note->id);
	if (!seen_add(&srvd->seen, req->sid))
		return np_fail(err, -EALREADY, "session id %s was used before", req->sid);
	return 0;
}

void srvd_request(struct srvd *srvd, const struct np_at_notification *note)
{
	enum form form = form_of(note->name);
	struct np_relay_session *session = NULL;
	struct np_err err = NP_ERR_INIT;
	struct np_relay_request req;

	if (read_request(form, note, &req, &err) || check_asker(srvd, note, &req, &err) ||
	    check_replay(srvd, note, &req, &err)) {
		deny(srvd, note->from, note->name, &err);
		return;
	}
	if (check_modes(&req, &err) || open_session(srvd, &req, &session, &err)) {
		if (err.code == -EEXIST || err.code == -EINVAL)
			deny(srvd, note->from, note->name, &err);
		else
			send_nack(srvd, &req, &err);
		return;
	}
	send_answer(srvd, form, &req, session);
}
