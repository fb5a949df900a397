// SPDX-License-Identifier: BSD-3-Clause
/*
 * enroll:request: on a cram connection it is onboarding and approved at once; anywhere else it
 * needs a passcode and waits for somebody to approve it (atprotocol.md 15.2, 18.2, 18.3).
 */
#include "atserver/verb_enroll.h"

#include "atserver/enrol.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/later.h"
#include "atserver/note.h"
#include "atserver/otp.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/session.h"
#include "atserver/tenant.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_MS 172800000 /* 48 h */
#define REQUESTS_PER_CONNECTION 5
#define NAME_MAX_LEN 100
#define KEY_TEXT_MAX 8192
#define NAMESPACES_MAX 50

int64_t np_enroll_expiry(int64_t ttl_ms)
{
	return ttl_ms > 0 ? np_clock_wall_ms() + ttl_ms : 0;
}

static int put_wrapped(struct np_tenant *tenant, const char *key, const char *member,
		       const char *value)
{
	struct np_json *json = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	int ret = -ENOMEM;

	if (json && !np_json_set_str(json, member, value) && !np_json_write(json, &text))
		ret = np_rec_put_raw(tenant, key, np_buf_str(&text), 0);
	np_buf_fini(&text);
	np_json_put(json);
	return ret;
}

int np_enroll_put_keys(struct np_tenant *tenant, const char *id, const char *private_key,
		       const char *self_key)
{
	char key[512];
	int ret;

	snprintf(key, sizeof(key), "%s.default_enc_private_key.__manage%s", id, tenant->name);
	ret = put_wrapped(tenant, key, "value", private_key);
	if (ret)
		return ret;
	snprintf(key, sizeof(key), "%s.default_self_enc_key.__manage%s", id, tenant->name);
	return put_wrapped(tenant, key, "value", self_key);
}

int np_enroll_put_public(struct np_tenant *tenant, const struct np_enrol *enrol)
{
	char key[512];

	snprintf(key, sizeof(key), "public:%s.%s.pkam.__pkams.__public_keys%s", enrol->app,
		 enrol->device, tenant->name);
	np_str_lower(key);
	return put_wrapped(tenant, key, "apkamPublicKey", enrol->public_key);
}

static bool copy_namespace(const char *name, const struct np_json *value, void *arg)
{
	const char *access = np_json_str_value(value);

	return access && !np_json_set_str(arg, name, access);
}

/* The first enrolment of an atSign manages the others and uses everything. */
static struct np_json *all_namespaces(const struct np_json *asked)
{
	struct np_json *json = np_json_obj();

	if (!json)
		return NULL;
	if (np_json_is_object(asked))
		np_json_each(asked, copy_namespace, json);
	if (np_json_set_str(json, "__manage", "rw") || np_json_set_str(json, "*", "rw")) {
		np_json_put(json);
		return NULL;
	}
	return json;
}

/* Takes @namespaces. Return: the value of the record (15.1), or NULL. */
static struct np_json *make_record(struct np_session *s, const struct np_json *req,
				   enum np_enrol_state state, struct np_json *namespaces)
{
	struct np_json *json = np_json_obj(), *approval = np_json_obj();
	const char *apkam_key = np_json_str(req, "encryptedAPKAMSymmetricKey");
	int64_t expiry = np_json_int(req, "apkamKeysExpiryInMillis", 0);
	bool good =
		json && approval && namespaces &&
		!np_json_set_str(json, "sessionId", s->challenge ? s->challenge->sid : "") &&
		!np_json_set_str(json, "appName", np_json_str(req, "appName")) &&
		!np_json_set_str(json, "deviceName", np_json_str(req, "deviceName")) &&
		!np_json_set(json, "namespaces", np_json_ref(namespaces)) &&
		!np_json_set_str(json, "apkamPublicKey", np_json_str(req, "apkamPublicKey")) &&
		!np_json_set_str(json, "requestType", "newEnrollment") &&
		!np_json_set_str(approval, "state", np_enrol_states[state]) &&
		!np_json_set(json, "approval", np_json_ref(approval)) &&
		(!apkam_key || !np_json_set_str(json, "encryptedAPKAMSymmetricKey", apkam_key)) &&
		!np_json_set_int(json, "apkamKeysExpiryInMillis", expiry > 0 ? expiry : 0);

	np_json_put(namespaces);
	np_json_put(approval);
	if (good)
		return json;
	np_json_put(json);
	return NULL;
}

static void respond_request(struct np_session *s, const char *id, const char *status)
{
	struct np_json *json = np_json_obj();

	if (!json || np_json_set_str(json, "enrollmentId", id) ||
	    np_json_set_str(json, "status", status)) {
		np_json_put(json);
		json = NULL;
	}
	np_respond_json(s, json);
}

/* Names become part of keys. */
static bool is_part_of_key(const char *name)
{
	return np_key_is_name(name) && strlen(name) <= NAME_MAX_LEN;
}

static int need(struct np_session *s, const struct np_json *req, const char *const *members)
{
	struct np_err err = NP_ERR_INIT;

	for (; *members; members++) {
		if (!np_json_need_str(req, *members, KEY_TEXT_MAX, &err)) {
			np_respond_error(s, "AT0022", "enroll:request: %s", err.msg);
			return -1;
		}
	}
	if (is_part_of_key(np_json_str(req, "appName")) &&
	    is_part_of_key(np_json_str(req, "deviceName")))
		return 0;
	np_respond_error(s, "AT0022",
			 "enroll:request: appName and deviceName have at most %d letters, digits, "
			 "- and _",
			 NAME_MAX_LEN);
	return -1;
}

static int store_first(struct np_session *s, const struct np_json *req,
		       const struct np_json *record, const char *id)
{
	struct np_tenant *tenant = s->tenant;
	const char *public_key = np_json_str(req, "apkamPublicKey");
	const struct np_enrol *enrol;
	int ret;

	ret = np_enrol_put(tenant, id, record,
			   np_enroll_expiry(np_json_int(req, "apkamKeysExpiryInMillis", 0)));
	if (!ret)
		ret = np_enroll_put_keys(tenant, id,
					 np_json_str(req, "encryptedDefaultEncryptionPrivateKey"),
					 np_json_str(req, "encryptedDefaultSelfEncryptionKey"));
	if (!ret)
		ret = np_rec_put_raw(tenant, "privatekey:at_pkam_publickey", public_key, 0);
	enrol = ret ? NULL : np_enrol_get(tenant, id);
	return enrol ? np_enroll_put_public(tenant, enrol) : -EIO;
}

static void request_first(struct np_session *s, const struct np_json *req)
{
	static const char *const members[] = {"appName",
					      "deviceName",
					      "apkamPublicKey",
					      "encryptedDefaultEncryptionPrivateKey",
					      "encryptedDefaultSelfEncryptionKey",
					      NULL};
	struct np_json *record;
	char id[NP_UUID_SIZE];

	if (need(s, req, members))
		return;
	record = make_record(s, req, NP_ENROL_APPROVED,
			     all_namespaces(np_json_get(req, "namespaces")));
	if (!record || np_rand_uuid4(id)) {
		np_respond_error(s, "AT0010", "out of memory");
	} else if (store_first(s, req, record, id)) {
		np_respond_store(s);
	} else {
		respond_request(s, id, "approved");
		np_session_set_owner(s, s->tenant, id);
	}
	np_json_put(record);
}

struct same {
	const struct np_json *req;
	char id[128];
};

static bool find_same(const char *id, const struct np_enrol *enrol, void *arg)
{
	struct same *same = arg;
	const char *app = np_json_str(same->req, "appName"),
		   *device = np_json_str(same->req, "deviceName");

	if ((enrol->state != NP_ENROL_PENDING && enrol->state != NP_ENROL_APPROVED) ||
	    !enrol->app || !enrol->device || strcmp(app, enrol->app) ||
	    strcmp(device, enrol->device))
		return true;
	np_str_copy(same->id, sizeof(same->id), id);
	return false;
}

struct check {
	bool good;
	unsigned int nr;
};

static bool check_namespace(const char *name, const struct np_json *value, void *arg)
{
	const char *access = np_json_str_value(value);
	struct check *check = arg;

	check->good = access && (!strcmp(access, "r") || !strcmp(access, "rw")) &&
		      (!strcmp(name, "*") || is_part_of_key(name)) && ++check->nr <= NAMESPACES_MAX;
	return check->good;
}

static int check_namespaces(struct np_session *s, const struct np_json *asked)
{
	struct check check = {false, 0};

	if (np_json_is_object(asked))
		np_json_each(asked, check_namespace, &check);
	if (check.good)
		return 0;
	np_respond_error(
		s, "AT0022",
		"enroll:request: namespaces is an object of up to %d names, each \"r\" or \"rw\"",
		NAMESPACES_MAX);
	return -1;
}

/* What an approving app needs to decide (15.2). Both spellings are in use. */
static int tell_approvers(struct np_tenant *tenant, const char *id, const struct np_json *req)
{
	const char *wrapped = np_json_str(req, "encryptedAPKAMSymmetricKey");
	struct np_json *json = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	char key[512];
	int ret = -ENOMEM;

	np_enrol_key(tenant, id, key, sizeof(key));
	if (json && !np_json_set_str(json, "encryptedApkamSymmetricKey", wrapped) &&
	    !np_json_set_str(json, "encryptedAPKAMSymmetricKey", wrapped) &&
	    !np_json_set_str(json, "appName", np_json_str(req, "appName")) &&
	    !np_json_set_str(json, "deviceName", np_json_str(req, "deviceName")) &&
	    !np_json_set(json, "namespace", np_json_ref(np_json_get(req, "namespaces"))) &&
	    !np_json_write(json, &text))
		ret = np_note_self(tenant, key, np_buf_str(&text), 0);
	np_buf_fini(&text);
	np_json_put(json);
	return ret;
}

static void wrong_otp(struct np_session *s)
{
	np_respond_error(s, "AT0011", "invalid otp. Cannot process enroll request");
}

static void request_pending(struct np_session *s, struct np_tenant *tenant,
			    const struct np_json *req)
{
	struct same same = {.req = req};
	struct np_json *record;
	char id[NP_UUID_SIZE];
	int ret = 0;

	if (!np_otp_take(tenant, np_json_str(req, "otp"), &ret)) {
		if (ret)
			np_respond_store(s);
		else
			np_later(s, np_otp_penalty_ms(tenant), wrong_otp);
		return;
	}
	np_enrol_each(tenant, find_same, &same);
	if (same.id[0]) {
		np_respond_error(
			s, "AT0011",
			"Another enrollment with id %s exists with the app name: %s and device "
			"name: %s",
			same.id, np_json_str(req, "appName"), np_json_str(req, "deviceName"));
		return;
	}
	record = make_record(s, req, NP_ENROL_PENDING, np_json_ref(np_json_get(req, "namespaces")));
	if (!record || np_rand_uuid4(id))
		np_respond_error(s, "AT0010", "out of memory");
	else if (np_enrol_put(tenant, id, record, np_enroll_expiry(PENDING_MS)) ||
		 tell_approvers(tenant, id, req))
		np_respond_store(s);
	else
		respond_request(s, id, "pending");
	np_json_put(record);
}

void np_enroll_request(struct np_session *s, const struct np_json *req)
{
	static const char *const members[] = {
		"appName", "deviceName", "apkamPublicKey", "otp", "encryptedAPKAMSymmetricKey",
		NULL};
	struct np_tenant *tenant = s->tenant ? s->tenant : s->srv->only;

	if (s->auth == NP_AUTH_OWNER && s->cram) {
		request_first(s, req);
		return;
	}
	if (!tenant || tenant->gone) {
		np_respond_error(s, "AT0003",
				 "several atSigns are served here, send from:<atSign> first");
		return;
	}
	if (s->nr_enrolls >= REQUESTS_PER_CONNECTION) {
		np_respond_error(s, "AT0011",
				 "Enrollment requests have exceeded the limit within the specified "
				 "time frame");
		return;
	}
	s->nr_enrolls++;
	if (!need(s, req, members) && !check_namespaces(s, np_json_get(req, "namespaces")))
		request_pending(s, tenant, req);
}
