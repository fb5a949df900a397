// SPDX-License-Identifier: BSD-3-Clause
/* cram and pkam: the owner answers the challenge of `from` (atprotocol.md 9.2, 9.3). */
#include "atserver/enrol.h"
#include "atserver/internal.h"
#include "atserver/quota.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/session.h"
#include "atserver/tenant.h"
#include "atserver/verb.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/ecdsa.h"
#include "crypto/hash.h"
#include "crypto/rsa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHALLENGE_TEXT_MAX (2 * NP_UUID_SIZE + NP_ATSIGN_MAX + 4)

/* The text that is signed: what stood between "data:" and the line feed. NULL when there is none in
 * force. */
static struct np_tenant *take_challenge(struct np_session *s, char text[CHALLENGE_TEXT_MAX])
{
	const struct np_challenge *ch = s->challenge;

	if (!ch || ch->foreign || ch->until_ms < np_clock_mono_ms())
		return NULL;
	snprintf(text, CHALLENGE_TEXT_MAX, "%s%s:%s", ch->sid, ch->atsign, ch->uuid);
	return np_tenant_find(s->srv, ch->atsign);
}

/* A challenge is good for one success. */
static void succeed(struct np_session *s, struct np_tenant *tenant, const char *enrol_id, bool cram)
{
	/* Who is in already may prove it again. */
	if ((s->auth != NP_AUTH_OWNER || s->tenant != tenant) &&
	    !np_quota_has_connection(tenant)) {
		np_respond_error(s, "AT0012", "quota: %s has %u connections, no more are possible"
				 " here", tenant->name, tenant->nr_owners);
		return;
	}
	if (np_session_set_owner(s, tenant, enrol_id)) {
		np_respond_error(s, "AT0010", "out of memory");
		return;
	}
	s->cram = cram;
	tenant->login_at = np_clock_wall_ms();
	if (!cram)
		tenant->pkam_at = tenant->login_at;
	s->challenge->until_ms = 0;
	np_respond_str(s, "success");
}

void np_verb_cram(struct np_session *s, char *rest)
{
	char text[CHALLENGE_TEXT_MAX], want[NP_HASH_HEX_MAX];
	struct np_tenant *tenant = take_challenge(s, text);
	struct np_secret secret = NP_SECRET_INIT;

	if (!tenant) {
		np_respond_error(s, "AT0401", "Authentication Failed");
		return;
	}
	if (np_tenant_secret(tenant, &secret)) {
		np_respond_missing(s, "privatekey:at_secret");
		goto out;
	}
	if (np_hash_hex(NP_HASH_SHA512, secret.data, secret.len, text, strlen(text), want) ||
	    !np_secret_equal(want, strlen(want), rest, strlen(rest)))
		np_respond_error(s, "AT0401", "Authentication Failed");
	else
		succeed(s, tenant, NULL, true);
	np_wipe(want, sizeof(want));
out:
	np_secret_fini(&secret);
}

static bool is_ecc(const struct np_req_pkam *req)
{
	return req->signing && !strcmp(req->signing, "ecc_secp256r1");
}

/* Is it the signature of @text by the key @b64, which is hex for ECC? */
static bool verifies(const char *b64, const struct np_req_pkam *req, const char *text)
{
	enum np_hash_alg alg =
		req->hashing && !strcmp(req->hashing, "sha512") ? NP_HASH_SHA512 : NP_HASH_SHA256;
	struct np_rsa *key = NULL;
	bool good;

	if (is_ecc(req))
		return !np_ecdsa_verify_b64(b64, text, strlen(text), req->signature,
					    strlen(req->signature));
	if (np_rsa_load_public(b64, strlen(b64), &key, NULL))
		return false;
	good = !np_rsa_verify_b64(key, alg, text, strlen(text), req->signature,
				  strlen(req->signature));
	np_rsa_free(key);
	return good;
}

static void finish_pkam(struct np_session *s, struct np_tenant *tenant,
			const struct np_req_pkam *req, const char *public_key, const char *text)
{
	if (public_key && verifies(public_key, req, text))
		succeed(s, tenant, req->enrollment_id, false);
	else
		np_respond_error(s, "AT0401", "pkam authentication failed");
}

/* These four are searched for in their colon form by the onboarding tools (4.2 form 4). */
static void pkam_enrolled(struct np_session *s, struct np_tenant *tenant,
			  const struct np_req_pkam *req, const char *text)
{
	const struct np_enrol *enrol = np_enrol_get(tenant, req->enrollment_id);
	const char *id = req->enrollment_id;

	if (!enrol) {
		np_respond_colon(s, "AT0028", "enrollment_id: %.100s is expired or invalid", id);
		return;
	}
	switch (enrol->state) {
	case NP_ENROL_DENIED:
		np_respond_colon(s, "AT0025", "enrollment_id: %s is denied", id);
		break;
	case NP_ENROL_PENDING:
		np_respond_colon(s, "AT0026", "enrollment_id: %s is pending", id);
		break;
	case NP_ENROL_REVOKED:
		np_respond_colon(s, "AT0027", "enrollment_id: %s is revoked", id);
		break;
	default:
		finish_pkam(s, tenant, req, enrol->public_key, text);
		break;
	}
}

static bool known_algorithms(const struct np_req_pkam *req)
{
	if (is_ecc(req))
		return !req->hashing || !strcmp(req->hashing, "sha256");
	if (req->signing && strcmp(req->signing, "rsa2048"))
		return false;
	return !req->hashing || !strcmp(req->hashing, "sha256") || !strcmp(req->hashing, "sha512");
}

void np_verb_pkam(struct np_session *s, char *rest)
{
	char text[CHALLENGE_TEXT_MAX];
	struct np_err err = NP_ERR_INIT;
	struct np_tenant *tenant;
	struct np_req_pkam req;
	struct np_rec rec;

	if (np_parse_pkam(rest, &req, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return;
	}
	if (!known_algorithms(&req)) {
		np_respond_error(s, "AT0022", "pkam accepts rsa2048 with sha256 or sha512, and "
					     "ecc_secp256r1 with sha256");
		return;
	}
	tenant = take_challenge(s, text);
	if (!tenant) {
		np_respond_error(s, "AT0401", "pkam authentication failed");
		return;
	}
	if (req.enrollment_id) {
		pkam_enrolled(s, tenant, &req, text);
		return;
	}
	if (np_rec_get(tenant, "privatekey:at_pkam_publickey", &rec)) {
		np_respond_error(s, "AT0401", "pkam authentication failed");
		return;
	}
	finish_pkam(s, tenant, &req, rec.value, text);
	np_rec_fini(&rec);
}
