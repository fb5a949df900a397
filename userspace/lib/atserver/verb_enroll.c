// SPDX-License-Identifier: BSD-3-Clause
/* enroll: dispatch, list, fetch and decisions about enrolments (atprotocol.md 15.2). */
#include "atserver/verb_enroll.h"

#include "atserver/access.h"
#include "atserver/enrol.h"
#include "atserver/internal.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/session.h"
#include "atserver/verb.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

static struct np_json *parse(struct np_session *s, const char *text)
{
	struct np_err err = NP_ERR_INIT;
	struct np_json *json = np_json_parse(text, strlen(text), "enroll", &err);

	if (np_json_is_object(json))
		return json;
	np_respond_error(s, "AT0003", "Invalid syntax. %s",
			 json ? "enroll needs a JSON object" : err.msg);
	np_json_put(json);
	return NULL;
}

/* Finds the enrolment that @json names, or answers why not. */
static const struct np_enrol *named(struct np_session *s, const struct np_json *json,
				    const char **id)
{
	const struct np_enrol *enrol;

	*id = np_json_str(json, "enrollmentId");
	if (!*id) {
		np_respond_error(s, "AT0022", "enrollmentId is missing");
		return NULL;
	}
	enrol = np_enrol_get(s->tenant, *id);
	if (!enrol)
		np_respond_colon(s, "AT0028", "enrollment_id: %.100s is expired or invalid", *id);
	return enrol;
}

struct cover {
	const struct np_enrol *actor;
	bool all;
};

static bool cover_one(const char *ns, const struct np_json *value, void *arg)
{
	struct cover *cover = arg;
	const char *access = np_json_str_value(value);
	bool write = !access || strcmp(access, "r");

	cover->all =
		np_enrol_has(cover->actor, "*", write) || np_enrol_has(cover->actor, ns, write);
	return cover->all;
}

/* Who decides holds __manage, and at least what is asked for. */
static bool may_decide(struct np_session *s, const struct np_enrol *enrol)
{
	struct cover cover = {.actor = np_access_enrol(s), .all = true};

	if (!np_access_manage(s))
		return false;
	if (s->enrol_id)
		np_json_each(enrol->namespaces, cover_one, &cover);
	return cover.all;
}

static void respond_status(struct np_session *s, const char *id, const char *status,
			   const char *message)
{
	struct np_json *json = np_json_obj();

	if (!json || np_json_set_str(json, "status", status) ||
	    np_json_set_str(json, "enrollmentId", id) ||
	    (message && np_json_set_str(json, "message", message))) {
		np_json_put(json);
		json = NULL;
	}
	np_respond_json(s, json);
}

/* Ends the other connections of a revoked enrolment. */
static void drop_connections(struct np_session *except, const char *id)
{
	struct np_session *s;
	int i;

	for (i = 0; i < NP_IDLE_NR; i++)
		TAILQ_FOREACH(s, &except->srv->idle[i], idle)
	if (s != except && s->tenant == except->tenant && s->enrol_id && !strcmp(s->enrol_id, id))
		np_session_kill(s);
}

/* Writes @enrol with another state. The JSON value is the cache's own, which np_enrol_put() drops.
 */
static int set_state(struct np_session *s, const char *id, const struct np_enrol *enrol,
		     enum np_enrol_state state, int64_t expires_at)
{
	struct np_json *json = np_json_ref(enrol->json), *approval = np_json_obj();
	int ret = -1;

	if (approval && !np_json_set_str(approval, "state", np_enrol_states[state]) &&
	    !np_json_set(json, "approval", np_json_ref(approval)))
		ret = np_enrol_put(s->tenant, id, json, expires_at);
	np_json_put(approval);
	np_json_put(json);
	return ret;
}

static void do_approve(struct np_session *s, const struct np_json *json, const char *id,
		       const struct np_enrol *enrol)
{
	int64_t expiry = np_json_int(enrol->json, "apkamKeysExpiryInMillis", 0);
	const char *private_key = np_json_str(json, "encryptedDefaultEncryptionPrivateKey");
	const char *self_key = np_json_str(json, "encryptedDefaultSelfEncryptionKey");

	if (!private_key || !self_key) {
		np_respond_error(s, "AT0022",
				 "encryptedDefaultEncryptionPrivateKey or "
				 "encryptedDefaultSelfEncryptionKey is missing");
		return;
	}
	if (np_enroll_put_keys(s->tenant, id, private_key, self_key) ||
	    np_enroll_put_public(s->tenant, enrol) ||
	    set_state(s, id, enrol, NP_ENROL_APPROVED, np_enroll_expiry(expiry)))
		np_respond_store(s);
	else
		respond_status(s, id, "approved", NULL);
}

static void do_revoke(struct np_session *s, const char *id, const struct np_enrol *enrol,
		      bool force)
{
	bool self = s->enrol_id && !strcmp(s->enrol_id, id);

	if (self && !force) {
		np_respond_error(s, "AT0031",
				 "Current client cannot revoke its own enrollment without force");
		return;
	}
	if (set_state(s, id, enrol, NP_ENROL_REVOKED, enrol->expires_at)) {
		np_respond_store(s);
		return;
	}
	drop_connections(s, id);
	respond_status(s, id, "revoked",
		       self ? "Enrollment is revoked. Closing the connection in 10 seconds" : NULL);
	if (self)
		np_session_end(s);
}

/* Which state an operation starts from (15.2). */
static bool wrong_state(struct np_session *s, const struct np_enrol *enrol, const char *op)
{
	enum np_enrol_state need = !strcmp(op, "revoke")     ? NP_ENROL_APPROVED
				   : !strcmp(op, "unrevoke") ? NP_ENROL_REVOKED
							     : NP_ENROL_PENDING;

	if (!strcmp(op, "delete")
		    ? enrol->state == NP_ENROL_DENIED || enrol->state == NP_ENROL_REVOKED
		    : enrol->state == need)
		return false;
	np_respond_error(s, "AT0011", "Cannot %s a %s enrollment", op,
			 np_enrol_states[enrol->state]);
	return true;
}

static void decide(struct np_session *s, const struct np_json *json, const char *op, bool force)
{
	const char *id;
	const struct np_enrol *enrol = named(s, json, &id);
	int ret;

	if (!enrol)
		return;
	if (!may_decide(s, enrol)) {
		np_respond_error(s, "AT0009", "connection may not %s this enrollment", op);
		return;
	}
	if (wrong_state(s, enrol, op))
		return;
	if (!strcmp(op, "approve")) {
		do_approve(s, json, id, enrol);
	} else if (!strcmp(op, "revoke")) {
		do_revoke(s, id, enrol, force);
	} else if (!strcmp(op, "delete")) {
		ret = np_enrol_del(s->tenant, id);
		ret ? np_respond_store(s) : respond_status(s, id, "deleted", NULL);
	} else {
		bool deny = !strcmp(op, "deny");

		ret = set_state(s, id, enrol, deny ? NP_ENROL_DENIED : NP_ENROL_APPROVED,
				enrol->expires_at);
		ret ? np_respond_store(s)
		    : respond_status(s, id, deny ? "denied" : "approved", NULL);
	}
}

static struct np_json *describe(const struct np_enrol *enrol)
{
	struct np_json *json = np_json_obj();
	struct np_json *namespaces =
		enrol->namespaces ? np_json_ref(enrol->namespaces) : np_json_obj();

	if (!json || np_json_set_str(json, "appName", enrol->app) ||
	    np_json_set_str(json, "deviceName", enrol->device) ||
	    np_json_set(json, "namespace", np_json_ref(namespaces)) ||
	    np_json_set_str(json, "encryptedAPKAMSymmetricKey", enrol->apkam_key) ||
	    np_json_set_str(json, "status", np_enrol_states[enrol->state])) {
		np_json_put(json);
		json = NULL;
	}
	np_json_put(namespaces);
	return json;
}

struct list {
	struct np_session *s;
	const struct np_json *filter;
	struct np_json *out;
	bool manage;
};

static bool passes(const struct np_json *filter, const char *status)
{
	size_t i;

	if (!np_json_is_array(filter))
		return true;
	for (i = 0; i < np_json_len(filter); i++) {
		const char *want = np_json_str_value(np_json_at(filter, i));

		if (want && !strcmp(want, status))
			return true;
	}
	return false;
}

static bool list_one(const char *id, const struct np_enrol *enrol, void *arg)
{
	struct list *list = arg;
	char key[512];

	if (!passes(list->filter, np_enrol_states[enrol->state]) ||
	    (!list->manage && strcmp(id, list->s->enrol_id)))
		return true;
	np_enrol_key(list->s->tenant, id, key, sizeof(key));
	np_json_set(list->out, key, describe(enrol));
	return true;
}

static void list_all(struct np_session *s, const char *text)
{
	struct np_json *json = *text ? parse(s, text) : np_json_obj();
	struct list list = {.s = s, .out = np_json_obj(), .manage = np_access_manage(s)};

	if (json && list.out) {
		list.filter = np_json_get(json, "enrollmentStatusFilter");
		np_enrol_each(s->tenant, list_one, &list);
		np_respond_json(s, np_json_ref(list.out));
	}
	np_json_put(list.out);
	np_json_put(json);
}

static void fetch(struct np_session *s, const struct np_json *json)
{
	const char *id;
	const struct np_enrol *enrol = named(s, json, &id);

	if (!enrol)
		return;
	if (!np_access_manage(s) && strcmp(id, s->enrol_id))
		np_respond_error(s, "AT0009", "connection may not fetch this enrollment");
	else
		np_respond_json(s, describe(enrol));
}

static bool is_decision(const char *op)
{
	static const char *const ops[] = {"approve", "deny", "revoke", "unrevoke", "delete"};
	size_t i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (!strcmp(op, ops[i]))
			return true;
	return false;
}

static void run(struct np_session *s, const char *op, const char *text, bool force)
{
	struct np_json *json = parse(s, text);

	if (!json)
		return;
	if (!strcmp(op, "request"))
		np_enroll_request(s, json);
	else if (is_decision(op))
		decide(s, json, op, force);
	else if (!strcmp(op, "fetch"))
		fetch(s, json);
	else
		np_respond_error(s, "AT0003", "Invalid syntax. enroll:%.20s", op);
	np_json_put(json);
}

void np_verb_enroll(struct np_session *s, char *rest)
{
	char *op = rest, *text = "";
	bool force = false;

	if (np_parse_take(&rest, ':')) {
		force = np_str_starts(rest, "force");
		text = force ? rest + 5 + (rest[5] == ':') : rest;
	}
	if (s->auth == NP_AUTH_NONE && strcmp(op, "request"))
		np_respond_error(s, "AT0401", "Command cannot be executed without auth");
	else if (!strcmp(op, "list"))
		list_all(s, text);
	else
		run(s, op, text, force);
}
