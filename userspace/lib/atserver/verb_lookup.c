// SPDX-License-Identifier: BSD-3-Clause
/* lookup, plookup, llookup: whose record is read depends on who asks (atprotocol.md 10.4 to 10.6,
 * 16). */
#include "atserver/access.h"
#include "atserver/block.h"
#include "atserver/fetch.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/proof.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/tenant.h"
#include "atserver/verb.h"
#include "atserver/visits.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define REFERENCE "atsign://"
#define REFERENCES_MAX 3

static void reply_all(struct np_session *s, struct np_tenant *tenant, const struct np_rec *rec,
		      const char *key)
{
	struct np_json *json = np_json_obj(), *meta = np_rec_meta_json(tenant, rec);

	if (json && meta && !np_json_set_str(json, "key", key) &&
	    !np_json_set_str(json, "data", rec->value) &&
	    !np_json_set(json, "metaData", np_json_ref(meta))) {
		np_respond_json(s, json);
	} else {
		np_respond_error(s, "AT0010", "out of memory");
		np_json_put(json);
	}
	np_json_put(meta);
}

static void reply(struct np_session *s, struct np_tenant *tenant, const struct np_rec *rec,
		  const char *key, const struct np_req_lookup *req)
{
	if (!np_rec_is_visible(rec))
		np_respond_str(s, "null");
	else if (req->meta)
		np_respond_json(s, np_rec_meta_json(tenant, rec));
	else if (req->all)
		reply_all(s, tenant, rec, key);
	else
		np_respond_data(s, rec->value, rec->value_len);
}

static void look_up(struct np_session *s, const struct np_key *key,
		    const struct np_req_lookup *req);

/*
 * A value "atsign://name@owner" stands for the value of another key, looked up as the same asker.
 * The number of steps is not told to other servers: two of them that point at each other would
 * never end, so only the owner's own question may go on elsewhere.
 */
static void follow(struct np_session *s, const char *key, const char *value,
		   const struct np_req_lookup *req)
{
	struct np_req_lookup next = *req;
	struct np_key target;

	if (++next.nr_followed > REFERENCES_MAX ||
	    np_key_parse(value + strlen(REFERENCE), NULL, &target, NULL) ||
	    target.type != NP_KEY_SELF || target.with[0]) {
		np_respond_missing(s, key);
		return;
	}
	look_up(s, &target, &next);
}

/* Reads @key of @tenant and answers with it. */
static void answer(struct np_session *s, struct np_tenant *tenant, const char *key,
		   const struct np_req_lookup *req)
{
	struct np_rec rec;
	int ret;

	ret = np_access_is_secret(key) ? -ENOENT : np_rec_get(tenant, key, &rec);
	if (ret == -ENOENT) {
		np_respond_missing(s, key);
		return;
	}
	if (ret) {
		np_respond_store(s);
		return;
	}
	if (req->follow && !req->meta && np_str_starts(rec.value, REFERENCE) &&
	    np_rec_is_visible(&rec))
		follow(s, key, rec.value, req);
	else
		reply(s, tenant, &rec, key, req);
	np_rec_fini(&rec);
}

/* Return: true when a fresh cached copy was served. */
static bool answer_cached(struct np_session *s, const char *key, const struct np_req_lookup *req)
{
	struct np_rec rec;
	bool fresh;

	if (req->bypass_cache || np_rec_get(s->tenant, key, &rec))
		return false;
	fresh = np_rec_is_fresh(&rec);
	if (fresh)
		reply(s, s->tenant, &rec,
		      np_str_starts(key, "cached:public:") ? key + strlen("cached:") : key, req);
	np_rec_fini(&rec);
	return fresh;
}

static int parse(struct np_session *s, char *rest, struct np_req_lookup *req, struct np_key *key)
{
	struct np_err err = NP_ERR_INIT;

	if (np_parse_lookup(rest, req, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return -1;
	}
	if (np_key_parse(req->key, s->auth == NP_AUTH_OWNER ? s->tenant->name : NULL, key, &err)) {
		np_respond_error(s, "AT0016", "%s", err.msg);
		return -1;
	}
	return 0;
}

/* lookup and plookup take the bare name: who asks decides what stands in front of it. */
static int parse_bare(struct np_session *s, char *rest, struct np_req_lookup *req,
		      struct np_key *key)
{
	if (parse(s, rest, req, key))
		return -1;
	if (key->type == NP_KEY_SELF && !key->with[0])
		return 0;
	np_respond_error(s, "AT0003",
			 "Invalid syntax. [bypassCache:<bool>:][meta:|all:]<name>@<atSign>");
	return -1;
}

static void lookup_public(struct np_session *s, const struct np_key *key,
			  const struct np_req_lookup *req)
{
	struct np_tenant *tenant = np_tenant_find(s->srv, key->owner);
	char text[NP_KEY_MAX + 16];
	const char *proof = key->name[0] == '_' ? np_proof_get(s->srv, key->text) : NULL;

	if (proof && !req->meta && !req->all) {
		np_respond_str(s, proof);
		return;
	}
	snprintf(text, sizeof(text), "public:%s", key->text);
	if (!tenant) {
		np_respond_missing(s, text);
		return;
	}
	s->tenant = tenant;
	if (!strcmp(key->name, "signing_publickey") && np_tenant_need_signing(tenant)) {
		np_respond_store(s);
		return;
	}
	np_visit_key(tenant, text);
	answer(s, tenant, text, req);
}

/* "@for:name@owner" as @tenant holds it. */
static void lookup_shared(struct np_session *s, struct np_tenant *tenant, const char *with,
			  const struct np_key *key, const struct np_req_lookup *req)
{
	char text[NP_KEY_MAX + NP_ATSIGN_MAX + 16];

	snprintf(text, sizeof(text), "%s:%s", with, key->text);
	if (!tenant) {
		np_respond_missing(s, text);
		return;
	}
	np_visit_key(tenant, text);
	answer(s, tenant, text, req);
}

static void lookup_own(struct np_session *s, const struct np_key *key,
		       const struct np_req_lookup *req)
{
	char text[NP_KEY_MAX + NP_ATSIGN_MAX + 16];

	snprintf(text, sizeof(text), "%s:%s", s->tenant->name, key->text);
	if (!np_rec_exists(s->tenant, text) && np_rec_exists(s->tenant, key->text))
		answer(s, s->tenant, key->text, req);
	else
		answer(s, s->tenant, text, req);
}

static void lookup_owner(struct np_session *s, const struct np_key *key,
			 const struct np_req_lookup *req)
{
	struct np_tenant *local;
	char cached[NP_KEY_MAX + NP_ATSIGN_MAX + 16];

	if (!np_access_key(s, key, false)) {
		np_respond_error(s, "AT0009", "connection may not read %s", key->text);
		return;
	}
	if (!strcmp(key->owner, s->tenant->name)) {
		lookup_own(s, key, req);
		return;
	}
	local = np_tenant_find(s->srv, key->owner);
	if (local && np_block_has(local, s->tenant->name)) {
		np_respond_error(s, "AT0008", "%s refuses %s", local->name, s->tenant->name);
		return;
	}
	if (local) {
		lookup_shared(s, local, s->tenant->name, key, req);
		return;
	}
	snprintf(cached, sizeof(cached), "cached:%s:%s", s->tenant->name, key->text);
	if (!answer_cached(s, cached, req))
		np_fetch(s, cached, key, req, true);
}

static void look_up(struct np_session *s, const struct np_key *key,
		    const struct np_req_lookup *req)
{
	switch (s->auth) {
	case NP_AUTH_OWNER:
		lookup_owner(s, key, req);
		break;
	case NP_AUTH_POL:
		s->tenant = np_tenant_find(s->srv, key->owner);
		if (!np_block_refuses(s, s->tenant))
			lookup_shared(s, s->tenant, s->peer, key, req);
		break;
	default:
		lookup_public(s, key, req);
		break;
	}
}

void np_verb_lookup(struct np_session *s, char *rest)
{
	struct np_req_lookup req;
	struct np_key key;

	if (parse_bare(s, rest, &req, &key))
		return;
	req.follow = true;
	look_up(s, &key, &req);
}

void np_verb_plookup(struct np_session *s, char *rest)
{
	char text[NP_KEY_MAX + 32];
	struct np_req_lookup req;
	struct np_tenant *local;
	struct np_key key;

	if (parse_bare(s, rest, &req, &key))
		return;
	local = np_tenant_find(s->srv, key.owner);
	snprintf(text, sizeof(text), "%spublic:%s", local ? "" : "cached:", key.text);
	if (local)
		answer(s, local, text, &req);
	else if (!answer_cached(s, text, &req))
		np_fetch(s, text, &key, &req, false);
}

void np_verb_llookup(struct np_session *s, char *rest)
{
	struct np_req_lookup req;
	struct np_key key;

	if (parse(s, rest, &req, &key))
		return;
	if (key.type == NP_KEY_PRIVATE || key.type == NP_KEY_PRIVATEKEY) {
		np_respond_error(s, "AT0009", "connection may not read %s", key.text);
		return;
	}
	if (key.type != NP_KEY_PUBLIC && key.type != NP_KEY_CACHED_PUBLIC &&
	    !np_access_key(s, &key, false)) {
		np_respond_error(s, "AT0009", "connection may not read %s", key.text);
		return;
	}
	answer(s, s->tenant, key.text, &req);
}
