// SPDX-License-Identifier: BSD-3-Clause
/*
 * ssh_request and npt_request (noports.md 4.4, 9.4, 9.5):
 *
 *	VERIFYING --signature good, session id new, target permitted--> PROBING (npt_request) or
 *		STARTING (ssh_request; srv connects to the relay and the target)
 *	VERIFYING --signature bad, public key from the cache--> once more with a fresh key
 *	PROBING --target reached--> STARTING (srv connects to the relay). Its srv dials the target
 *		for each connection of the client, too late to tell why it is refused
 *	STARTING --start line--> RUNNING (answer sent) --srv ends--> freed
 *	any --failure--> its text is sent, freed
 *
 * What is malformed is not answered, as peers do; neither is a session id that was used before.
 */
#include "daemon.h"

#include "at/client.h"
#include "at/keyfile.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/str.h"
#include "crypto/rsa.h"
#include "json/json.h"
#include "net/dial.h"
#include "noports/envelope.h"
#include "noports/escr.h"
#include "noports/sessionkeys.h"
#include "noports/srvproc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STARTING 64
#define ANSWER_TTL_MS 10000
#define PROBE_MS 5000 /* the client waits for 15 s in all */

struct request {
	struct request *next;
	struct daemon *d;
	char from[NP_ATSIGN_MAX];
	struct np_envelope *env;
	struct np_session_request msg;
	struct np_session_answer answer;
	struct np_dial *probe;
	struct np_srv *srv;
	struct np_err failure; /* decided while srv was starting already */
	bool is_asking, is_retry, is_running;
	long long began_ms;
};

static void free_request(struct request *r)
{
	struct request **at = &r->d->requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (!r->is_running)
		r->d->nr_starting--;
	if (r->is_asking)
		np_at_client_cancel(r->d->client, r);
	np_dial_cancel(r->probe);
	np_envelope_free(r->env);
	np_session_request_fini(&r->msg);
	np_session_answer_fini(&r->answer);
	free(r);
}

/* A failure is plain text under the key of the answer: no JSON, no envelope. */
static void refuse(struct request *r, const struct np_err *why, const char *format)
{
	struct np_buf text = NP_BUF_INIT;

	np_warn_err(why, "session %s: refused from=%s", r->msg.sid, r->from);
	if (!np_buf_printf(&text, "%s%s", format, np_err_text(why)))
		(void)daemon_notify(r->d, r->from, r->msg.sid, np_buf_str(&text), text.len,
				    ANSWER_TTL_MS);
	np_buf_fini(&text);
	ephemeral_drop(r->d, r->msg.sid);
	free_request(r);
}

static void refuse_start(struct request *r, const struct np_err *why)
{
	struct np_err err = *why;

	if (!r->msg.is_npt && strstr(err.msg, "local target") && strstr(err.msg, "refused")) {
		size_t len = strlen(err.msg);

		np_str_copy(err.msg + len, sizeof(err.msg) - len,
			    "; is sshd running on the device?");
	}
	refuse(r, &err, "Failed to start up the daemon side of the srv socket tunnel : ");
}

/* ---- answer ---- */

static int send_answer(struct request *r, struct np_err *err)
{
	struct np_json *payload = np_session_answer_payload(&r->answer);
	struct np_buf text = NP_BUF_INIT;
	int ret = payload ? np_envelope_sign(payload, r->d->keys->enc, &text) : -ENOMEM;

	np_json_put(payload);
	if (!ret)
		ret = daemon_notify(r->d, r->from, r->msg.sid, np_buf_str(&text), text.len,
				    ANSWER_TTL_MS);
	if (text.data)
		np_wipe(text.data, text.len);
	np_buf_fini(&text);
	return ret ? np_fail_errno(err, ret, "the answer cannot be sent") : 0;
}

/* With encryption on, the client does not use the entry: the answer need not wait for the disk. */
static void admit_late(struct request *r)
{
	struct np_err err = NP_ERR_INIT;

	if (ephemeral_admit(r->d, r->msg.sid, &err)) {
		np_warn_err(&err, "session %s: its ssh key has no entry in authorized_keys",
			    r->msg.sid);
		ephemeral_drop(r->d, r->msg.sid);
	}
}

static void on_started(struct np_srv *srv, const struct np_err *started, void *arg)
{
	struct np_err err = NP_ERR_INIT;
	struct request *r = arg;

	rest_soon(r->d);
	if (started->code || r->failure.code) {
		r->srv = NULL;
		refuse_start(r, r->failure.code ? &r->failure : started);
		return;
	}
	r->is_running = true;
	r->d->nr_starting--;
	if (send_answer(r, &err))
		np_warn_err(&err, "session %s: started from=%s", r->msg.sid, r->from);
	else
		np_info("session %s: started from=%s relay=%s:%u srv-pid=%d ms=%lld", r->msg.sid,
			r->from, r->msg.host, r->msg.port, (int)np_srv_pid(srv),
			np_clock_mono_ms() - r->began_ms);
	np_session_answer_fini(&r->answer);
	if (r->msg.is_npt)
		return;
	if (r->msg.encrypt)
		admit_late(r);
	ephemeral_expire(r->d, r->msg.sid);
}

static void on_exit_status(struct np_srv *srv, int status, void *arg)
{
	struct request *r = arg;

	(void)srv;
	np_info("session %s: ended from=%s status=%d s=%lld", r->msg.sid, r->from, status,
		(np_clock_mono_ms() - r->began_ms) / 1000);
	r->srv = NULL;
	rest_soon(r->d);
	free_request(r);
}

/* ---- start ---- */

/* The order of these members is part of what is signed (noports.md 5.5). */
static int make_auth_line(const struct request *r, struct np_buf *line)
{
	struct np_json *obj = np_json_obj();
	int ret = -ENOMEM;

	if (obj && !np_json_set_str(obj, "sessionId", r->msg.sid) &&
	    !np_json_set_str(obj, "clientNonce", r->msg.client_nonce) &&
	    !np_json_set_str(obj, "rvdNonce", r->msg.rvd_nonce))
		ret = np_envelope_sign(obj, r->d->keys->enc, line);
	np_json_put(obj);
	return ret;
}

static int make_keys(struct request *r, struct np_session_keys *keys, struct np_err *err)
{
	struct np_rsa *pk = NULL;
	int ret;

	if (!r->msg.encrypt)
		return 0;
	ret = np_rsa_load_public(r->msg.client_pk, strlen(r->msg.client_pk), &pk, err);
	if (ret)
		return np_err_prefix(err, "clientEphemeralPK");
	ret = np_session_keys_generate(r->msg.twin_keys, keys);
	if (!ret)
		ret = np_session_keys_seal(keys, pk, &r->answer);
	np_rsa_free(pk);
	return ret ? np_fail_errno(err, ret, "session keys cannot be made") : 0;
}

static int make_escr(const struct request *r, struct np_escr *escr, struct np_err *err)
{
	int ret = np_secret_dup(&escr->aes_key, &r->msg.relay_key);

	if (ret)
		return np_fail_errno(err, ret, "the relay's question cannot be answered");
	np_str_copy(escr->sid, sizeof(escr->sid), r->msg.sid);
	np_str_copy(escr->uri, sizeof(escr->uri), r->d->signing_uri);
	escr->key = np_rsa_ref(r->d->keys->pkam);
	return np_escr_check(escr, err);
}

static int start_srv(struct request *r, struct np_err *err)
{
	struct np_escr escr = {.sid = ""};
	struct np_session_keys keys = {0};
	struct np_buf line = NP_BUF_INIT;
	struct np_srv_params params = {
		.loop = r->d->loop,
		.side = NP_BRIDGE_DAEMON,
		.relay_host = r->msg.host,
		.relay_port = r->msg.port,
		.local_host = r->msg.target_host,
		.local_port = r->msg.target_port,
		.timeout_s = (r->msg.timeout_ms + 999) / 1000,
		.multi = r->msg.is_npt,
		.keys = &keys,
		.on_started = on_started,
		.on_exit = on_exit_status,
		.arg = r,
	};
	int ret;

	ret = make_keys(r, &keys, err);
	if (!ret && r->msg.auth_to_rvd && !strcmp(r->msg.auth_mode, "escr")) {
		ret = make_escr(r, &escr, err);
		params.escr = &escr;
	} else if (!ret && r->msg.auth_to_rvd) {
		ret = make_auth_line(r, &line);
		if (ret)
			np_fail_errno(err, ret, "the relay's authentication line cannot be signed");
		params.auth_line = np_buf_str(&line);
	}
	if (!ret)
		ret = np_srv_start(&params, &r->srv, err);
	np_escr_fini(&escr);
	np_session_keys_fini(&keys);
	np_buf_fini(&line);
	return ret;
}

static void start(struct request *r)
{
	struct np_err err = NP_ERR_INIT;
	int ret;

	r->answer.twin_keys = r->msg.twin_keys && r->msg.encrypt;
	np_str_copy(r->answer.sid, sizeof(r->answer.sid), r->msg.sid);
	if (start_srv(r, &err)) {
		refuse_start(r, &err);
		return;
	}
	if (r->msg.is_npt)
		return;
	/* While srv connects: the ssh key; without encryption its entry must precede the answer. */
	ret = ephemeral_make(r->d, r->msg.sid, &r->answer.ephemeral_private_key, &err);
	if (!ret && !r->msg.encrypt)
		ret = ephemeral_admit(r->d, r->msg.sid, &err);
	if (!ret)
		return;
	if (r->msg.encrypt) {
		np_warn_err(&err, "session %s: has no ssh key of its own", r->msg.sid);
		return;
	}
	r->failure = err;
	(void)kill(np_srv_pid(r->srv), SIGTERM);
}

static void on_probed(int fd, const struct np_err *probed, void *arg)
{
	struct np_err err = *probed;
	struct request *r = arg;

	r->probe = NULL;
	if (fd >= 0) {
		np_fd_close(&fd);
		start(r);
		return;
	}
	np_err_prefix(&err, "local target");
	refuse_start(r, &err);
}

static void probe_target(struct request *r)
{
	int ret = np_dial_start(r->d->loop, r->msg.target_host, r->msg.target_port, PROBE_MS,
				on_probed, r, &r->probe);
	struct np_err err = NP_ERR_INIT;

	if (ret) {
		np_fail_errno(&err, ret, "local target %s:%u: cannot dial", r->msg.target_host,
			      r->msg.target_port);
		refuse_start(r, &err);
	}
}

/* Return: false with the text for the client, which names the list (noports.md 4.4). */
static bool is_permitted(const struct request *r, struct np_err *err)
{
	const struct np_permit *permit = &r->d->conf->permit;
	char list[128] = "";
	size_t i, len = 0;

	if (np_permit_allows(permit, r->msg.target_host, r->msg.target_port))
		return true;
	for (i = 0; i < permit->nr && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
					permit->entries[i]);
	/* What does not fit is said to be missing. */
	np_fail(err, -EACCES, "Connection to %.80s:%u denied based on daemon --permit-open [%s%s]",
		r->msg.target_host, r->msg.target_port, list, len >= sizeof(list) ? "..." : "");
	return false;
}

static bool may_open(const struct request *r, struct np_err *err)
{
	if (!is_permitted(r, err))
		return false;
	if (!r->msg.auth_to_rvd || !strcmp(r->msg.auth_mode, "payload"))
		return true;
	if (strcmp(r->msg.auth_mode, "escr")) {
		np_fail(err, -EOPNOTSUPP,
			"This daemon cannot authenticate to the relay in mode '%s'",
			r->msg.auth_mode);
		return false;
	}
	if (!r->d->is_key_published || !r->msg.relay_key.len) {
		np_fail(err, -EOPNOTSUPP, "Authentication to the relay in mode 'escr': %s",
			r->msg.relay_key.len ? "this daemon's signing key is not published"
					     : "the request has no relayAuthAesKey");
		return false;
	}
	return true;
}

static void verified(struct request *r)
{
	struct np_err err = NP_ERR_INIT;

	if (seen_before(r->d, r->msg.sid)) {
		np_warn("session %s: refused in silence, this id was used before: from=%s",
			r->msg.sid, r->from);
		free_request(r);
	} else if (!may_open(r, &err)) {
		refuse(r, &err, "");
	} else if (r->msg.is_npt) {
		probe_target(r);
	} else {
		start(r);
	}
}

/* ---- verify ---- */

static void ask_key(struct request *r, bool fresh);

static void on_key(const struct np_err *err, const struct np_rsa *key, const char *b64, void *arg)
{
	struct np_err own = *err;
	struct request *r = arg;

	(void)b64;
	r->is_asking = false;
	if (!own.code && !np_envelope_verify(r->env, key, &own))
		verified(r);
	else if (!err->code && !r->is_retry)
		ask_key(r, true);
	else
		refuse(r, &own, "Signature not verified: ");
}

static void ask_key(struct request *r, bool fresh)
{
	struct np_err err = NP_ERR_INIT;
	int ret;

	r->is_retry = fresh;
	ret = np_at_client_public_key(r->d->client, r->from, fresh, on_key, r);
	r->is_asking = !ret;
	if (ret) {
		np_fail_errno(&err, ret, "the public key of %s cannot be asked for", r->from);
		refuse(r, &err, "Signature not verified: ");
	}
}

static int read_request(struct request *r, const struct np_at_notification *note,
			struct np_err *err)
{
	bool is_npt = np_str_starts(note->name, "npt_request.");
	int ret = np_envelope_parse(note->value, note->value_len, &r->env, err);

	if (!ret)
		ret = np_session_request_read(np_envelope_payload(r->env), is_npt, &r->msg, err);
	if (!ret && !is_npt) {
		np_str_copy(r->msg.target_host, sizeof(r->msg.target_host), "localhost");
		r->msg.target_port = r->d->conf->local_sshd_port;
	}
	return ret;
}

void request_handle(struct daemon *d, const struct np_at_notification *note)
{
	struct request *r = calloc(1, sizeof(*r));
	struct np_err err = NP_ERR_INIT;

	if (!r)
		return;
	r->d = d;
	r->began_ms = np_clock_mono_ms();
	r->next = d->requests;
	d->requests = r;
	d->nr_starting++;
	if (np_str_copy(r->from, sizeof(r->from), note->from) || read_request(r, note, &err)) {
		np_warn_err(&err, "request: malformed, not answered: from=%s", note->from);
		free_request(r);
	} else if (d->nr_starting > MAX_STARTING) {
		np_fail(&err, -EBUSY,
			"too many sessions are starting on this device; try again in a moment");
		refuse(r, &err, "");
	} else {
		ask_key(r, false);
	}
}

void requests_fini(struct daemon *d)
{
	while (d->requests) {
		/* Nobody would hear that this one has started. */
		if (d->requests->srv && !d->requests->is_running)
			(void)kill(np_srv_pid(d->requests->srv), SIGTERM);
		np_srv_forget(d->requests->srv);
		free_request(d->requests);
	}
	ephemerals_fini(d);
	seen_fini(d);
}
