// SPDX-License-Identifier: BSD-3-Clause
/*
 * pol: the connecting server published its signature of our challenge under the session id; we
 * fetch that and its public signing key from the server that the directory names, and compare
 * (atprotocol.md 9.4).
 */
#include "atserver/internal.h"
#include "atserver/outbound.h"
#include "atserver/respond.h"
#include "atserver/session.h"
#include "atserver/verb.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/rsa.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct op {
	struct np_session *s;
	char *signature; /* once the first answer is there */
};

static void free_op(struct op *op)
{
	free(op->signature);
	free(op);
}

static void cancel(void *arg)
{
	struct op *op = arg;

	np_outbound_cancel(op->s->srv->outbound, op);
	free_op(op);
}

static void fail(struct op *op)
{
	struct np_session *s = op->s;

	free_op(op);
	s->srv->turn.touched = false;
	np_respond_error(s, "AT0401", "Pol Authentication Failed");
	np_session_done(s);
}

static void succeed(struct op *op)
{
	struct np_session *s = op->s;
	char text[NP_ATSIGN_MAX + 2];

	free_op(op);
	s->srv->turn.touched = false;
	if (np_session_set_pol(s, s->challenge->atsign)) {
		np_session_kill(s);
		return;
	}
	s->challenge->until_ms = 0;
	np_respond_raw(s, text, (size_t)snprintf(text, sizeof(text), "%s@", s->peer));
	np_session_done(s);
}

static void on_key(char *line, const struct np_err *err, void *arg)
{
	struct op *op = arg;
	const char *uuid = op->s->challenge->uuid;
	struct np_rsa *key = NULL;
	bool good = false;

	(void)err;
	if (line && np_str_starts(line, "data:") &&
	    !np_rsa_load_public(line + 5, strlen(line + 5), &key, NULL))
		good = !np_rsa_verify_b64(key, NP_HASH_SHA256, uuid, strlen(uuid), op->signature,
					  strlen(op->signature));
	np_rsa_free(key);
	if (good)
		succeed(op);
	else
		fail(op);
}

static int ask(struct op *op, const char *name, np_outbound_cb cb)
{
	const struct np_challenge *ch = op->s->challenge;
	char command[NP_ATSIGN_MAX + NP_UUID_SIZE + 32];
	struct np_request req = {.as = op->s->tenant,
				 .remote = ch->atsign,
				 .command = command,
				 .timeout_ms = NP_OUTBOUND_LOOKUP_MS,
				 .cb = cb,
				 .arg = op};

	snprintf(command, sizeof(command), "lookup:%s%s", name, ch->atsign);
	return np_outbound_send(op->s->srv->outbound, &req);
}

static void on_signature(char *line, const struct np_err *err, void *arg)
{
	struct op *op = arg;

	(void)err;
	if (line && np_str_starts(line, "data:"))
		op->signature = strdup(line + 5);
	if (!op->signature || ask(op, "signing_publickey", on_key))
		fail(op);
}

void np_verb_pol(struct np_session *s, char *rest)
{
	struct np_challenge *ch = s->challenge;
	struct op *op;

	(void)rest;
	if (!ch || !ch->foreign) {
		np_respond_error(
			s, "AT0011",
			"You must execute a from: command before you may run the pol command");
		np_session_end(s);
		return;
	}
	if (ch->until_ms < np_clock_mono_ms()) {
		np_respond_error(s, "AT0401", "Pol Authentication Failed");
		return;
	}
	op = calloc(1, sizeof(*op));
	if (!op) {
		np_respond_error(s, "AT0010", "out of memory");
		return;
	}
	op->s = s;
	np_session_wait(s, op, cancel);
	if (ask(op, ch->sid, on_signature))
		fail(op);
}
