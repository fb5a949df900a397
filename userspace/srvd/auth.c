// SPDX-License-Identifier: BSD-3-Clause
/*
 * Authentication lines of relay sockets (noports.md 5.5). The keys are asked for when the session
 * is made, so that they are usually here before the first socket; a line that comes earlier is held
 * by the relay core.
 */
#include "srvd.h"

#include "base/buf.h"
#include "base/err.h"
#include "crypto/rsa.h"
#include "json/json.h"
#include "noports/envelope.h"
#include "relay/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct side_key {
	struct session_auth *auth;
	unsigned int side;
	bool is_fresh; /* the question in flight goes past the cache */
	bool is_asked; /* an answer is outstanding */
	struct np_rsa *key; /* our reference */
	struct np_err why; /* there is no key */
};

/* Of one session with authentication; lives as long as it. */
struct session_auth {
	struct srvd *srvd;
	struct np_relay_session *session;
	struct side_key side[2];
	struct np_buf text; /* what both sides sign */
};

static void ask_key(struct side_key *side, const char *atsign);

static void on_key(const struct np_err *err, const struct np_rsa *key, const char *b64, void *arg)
{
	struct side_key *side = arg;
	struct session_auth *auth = side->auth;

	(void)b64;
	side->is_asked = false;
	if (err && err->code) {
		/* An atServer that does not answer now may have answered before. */
		if (side->is_fresh && err->code != -ENOENT) {
			side->is_fresh = false;
			ask_key(side, np_relay_session_params(auth->session)->atsign[side->side]);
			return;
		}
		side->why = *err;
	} else {
		side->key = np_rsa_ref(key);
	}
	np_relay_session_retry(auth->session);
}

static void ask_key(struct side_key *side, const char *atsign)
{
	int ret = look_key(side->auth->srvd, atsign, side->is_fresh, on_key, side);

	side->is_asked = !ret;
	if (ret)
		np_fail_errno(&side->why, ret, "public key of %s: cannot be asked for", atsign);
}

/* The relay signs-checks its own text, never the sender's: same members, same order, compact. */
static int make_text(struct session_auth *auth)
{
	const struct np_relay_session_params *params = np_relay_session_params(auth->session);
	struct np_json *obj = np_json_obj();
	int ret = -ENOMEM;

	if (obj && !np_json_set_str(obj, "sessionId", params->sid) &&
	    !np_json_set_str(obj, "clientNonce", params->client_nonce) &&
	    !np_json_set_str(obj, "rvdNonce", np_relay_session_nonce(auth->session)))
		ret = np_json_write(obj, &auth->text);
	np_json_put(obj);
	return ret;
}

int srvd_auth_prepare(struct srvd *srvd, struct np_relay_session *session, struct np_err *err)
{
	const struct np_relay_session_params *params = np_relay_session_params(session);
	struct session_auth *auth;
	unsigned int side;

	if (!params->auth[0] && !params->auth[1])
		return 0;
	auth = calloc(1, sizeof(*auth));
	if (!auth)
		return np_fail(err, -ENOMEM, "no memory");
	auth->srvd = srvd;
	auth->session = session;
	np_relay_session_set_context(session, auth);
	if (make_text(auth))
		return np_fail(err, -ENOMEM, "no memory");
	for (side = 0; side < 2; side++) {
		auth->side[side].auth = auth;
		auth->side[side].side = side;
		auth->side[side].is_fresh = true;
		if (params->auth[side])
			ask_key(&auth->side[side], params->atsign[side]);
	}
	return 0;
}

static int check_nonce(const struct np_envelope *env, const char *nonce, struct np_err *err)
{
	const char *got = np_json_str(np_envelope_payload(env), "rvdNonce");

	if (!got || strcmp(got, nonce))
		return np_fail(err, -EBADMSG, "rvdNonce is not this session's");
	return 0;
}

int srvd_auth_verify(struct np_relay_session *session, unsigned int side, const char *line,
		     size_t len, struct np_err *err, void *arg)
{
	const struct session_auth *auth = np_relay_session_context(session);
	struct np_envelope *env = NULL;
	int ret;

	(void)arg;
	if (!auth)
		return np_fail(err, -EINVAL, "the session has no authentication");
	/* A bad line need not wait for the key. */
	ret = np_envelope_parse(line, len, &env, err);
	if (!ret)
		ret = check_nonce(env, np_relay_session_nonce(session), err);
	if (!ret && !auth->side[side].key) {
		if (auth->side[side].is_asked) {
			ret = -EAGAIN;
		} else {
			*err = auth->side[side].why;
			ret = err->code ? err->code : -EACCES;
		}
	}
	if (!ret)
		ret = np_envelope_verify_text(env, auth->side[side].key, np_buf_str(&auth->text),
					      auth->text.len, err);
	np_envelope_free(env);
	/* Only "not yet" may look like that. */
	return ret == -EAGAIN && !auth->side[side].is_asked ? -EACCES : ret;
}

void srvd_auth_closed(struct np_relay_session *session, void *arg)
{
	struct session_auth *auth = np_relay_session_context(session);
	struct srvd *srvd = arg;

	if (!auth)
		return;
	look_cancel(srvd, &auth->side[0]);
	look_cancel(srvd, &auth->side[1]);
	np_rsa_free(auth->side[0].key);
	np_rsa_free(auth->side[1].key);
	np_buf_fini(&auth->text);
	free(auth);
}
