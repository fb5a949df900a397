// SPDX-License-Identifier: BSD-3-Clause
/* from: who the client says it is, and the challenge it has to answer (atprotocol.md 9.1, 3.1). */
#include "atserver/block.h"
#include "atserver/internal.h"
#include "atserver/peer.h"
#include "atserver/respond.h"
#include "atserver/session.h"
#include "atserver/tenant.h"
#include "atserver/verb.h"
#include "atserver/visits.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "tls/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHALLENGE_MS 60000

struct op {
	struct np_session *s;
	struct np_peer *peer;
};

/* Errors are JSON for clients newer than 3.0.37 (4.2). */
static bool wants_json(const char *version)
{
	static const int limit[3] = {3, 0, 37};
	int have[3] = {0, 0, 0}, i;

	if (!version || sscanf(version, "%9d.%9d.%9d", &have[0], &have[1], &have[2]) < 1)
		return false;
	for (i = 0; i < 3; i++)
		if (have[i] != limit[i])
			return have[i] > limit[i];
	return false;
}

static int read_config(struct np_session *s, const char *text)
{
	struct np_err err = NP_ERR_INIT;
	struct np_json *json = np_json_parse(text, strlen(text), "clientConfig", &err);

	if (!np_json_is_object(json)) {
		np_respond_error(s, "AT0003", "Invalid syntax. %s",
				 json ? "clientConfig is no object" : err.msg);
		np_json_put(json);
		return -1;
	}
	s->json_errors = wants_json(np_json_str(json, "version"));
	np_json_put(json);
	return 0;
}

/* The session id stays the same on a connection, the UUID does not. */
static int new_challenge(struct np_session *s, const char *atsign, bool foreign)
{
	struct np_challenge *ch = s->challenge;

	if (!ch) {
		ch = calloc(1, sizeof(*ch));
		if (!ch)
			return -1;
		s->challenge = ch;
		ch->sid[0] = '_';
		if (np_rand_uuid4(ch->sid + 1))
			return -1;
	}
	if (np_rand_uuid4(ch->uuid))
		return -1;
	np_str_copy(ch->atsign, sizeof(ch->atsign), atsign);
	ch->foreign = foreign;
	ch->until_ms = np_clock_mono_ms() + CHALLENGE_MS;
	return 0;
}

static void challenge(struct np_session *s, const char *atsign, bool foreign)
{
	if (new_challenge(s, atsign, foreign)) {
		np_respond_error(s, "AT0010", "out of memory");
		return;
	}
	np_respond_printf(s, "%s%s%s:%s", foreign ? "proof:" : "", s->challenge->sid, atsign,
			  s->challenge->uuid);
}

static void cancel(void *arg)
{
	struct op *op = arg;

	np_peer_cancel(op->peer);
	free(op);
}

/* The host that the directory names for the atSign has to be in the certificate. */
static void on_found(const char *host, uint16_t port, const struct np_err *err, void *arg)
{
	struct op *op = arg;
	struct np_session *s = op->s;

	(void)port;
	free(op);
	s->srv->turn.touched = false;
	if (!host)
		np_respond_err(s, err);
	else if (!np_tls_peer_names_host(s->tls, host))
		np_respond_error(s, "AT0401", "Certificate Verification Failed");
	else
		challenge(s, s->challenge->atsign, true);
	np_session_done(s);
}

static void from_foreign(struct np_session *s, const char *atsign)
{
	struct np_tenant *named = np_tenant_named(s);
	struct op *op;

	np_session_reset(s);
	if (named && np_block_has(named, atsign)) {
		np_respond_error(s, "AT0013", "Unable to connect");
		return;
	}
	if (named)
		np_visit_atsign(named, atsign);
	if (!s->srv->conf.client_cert_required) {
		challenge(s, atsign, true);
		return;
	}
	op = calloc(1, sizeof(*op));
	if (!op || new_challenge(s, atsign, true) ||
	    np_peer_find(s->srv, atsign, on_found, op, &op->peer)) {
		free(op);
		np_respond_error(s, "AT0010", "out of memory");
		return;
	}
	s->challenge->until_ms = 0; /* none was given out yet */
	op->s = s;
	np_session_wait(s, op, cancel);
}

void np_verb_from(struct np_session *s, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	struct np_req_from req;
	struct np_tenant *tenant;
	char atsign[NP_ATSIGN_MAX];

	if (np_parse_from(rest, &req, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return;
	}
	if (np_atsign_parse(req.atsign, atsign, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		np_session_end(s);
		return;
	}
	if (req.config && read_config(s, req.config))
		return;
	tenant = np_tenant_find(s->srv, atsign);
	if (!tenant) {
		from_foreign(s, atsign);
		return;
	}
	if (s->auth != NP_AUTH_OWNER || s->tenant != tenant)
		np_session_reset(s);
	s->tenant = tenant;
	if (np_tenant_need_signing(tenant)) {
		np_respond_store(s);
		return;
	}
	challenge(s, atsign, false);
}
