// SPDX-License-Identifier: BSD-3-Clause
/*
 * keys: what an enrolment keeps on the server for itself, and the two keys that the approver left
 * for it (atprotocol.md 15.5). The published server lets every enrolment reach every key; here it
 * is its own only, told by the enrolment id in the record.
 */
#include "atserver/access.h"
#include "atserver/enrol.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/quota.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/turn.h"
#include "atserver/verb.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum kind { PUBLIC, PRIVATE, SELF, KIND_NR };

static const struct {
	const char *name, *prefix, *part;
} kinds[KIND_NR] = {
	{"public", "public:", ".__public_keys."},
	{"private", "private:", ".__private_keys."},
	{"self", "", ".__self_keys."},
};

static const char usage[] =
	"Invalid syntax. keys:(get|delete):keyName:<key>, keys:get:(public|private|self) or "
	"keys:put:(public|private|self):namespace:<ns>:appName:<a>:deviceName:<d>:keyType:<t>:"
	"encryptionKeyName:<n>:keyName:<k> <value>";

static int kind_of(const char *name)
{
	int i;

	for (i = 0; i < KIND_NR; i++)
		if (!strcasecmp(name, kinds[i].name))
			return i;
	return -1;
}

/* "<id>.default_enc_private_key.__manage@alice", written when the enrolment was approved. */
static bool is_handed_over(const struct np_session *s, const char *key)
{
	size_t len = strlen(s->enrol_id);
	char tail[NP_ATSIGN_MAX + 16];

	snprintf(tail, sizeof(tail), ".__manage%s", s->tenant->name);
	return !strncmp(key, s->enrol_id, len) && key[len] == '.' && np_str_ends(key, tail) &&
	       !strstr(key, ".new.enrollments.");
}

static bool is_of(const struct np_session *s, const char *value, size_t len)
{
	struct np_json *json = np_json_parse(value, len, "stored key", NULL);
	const char *id = np_json_str(json, "enrollmentId");
	bool yes = id && !strcmp(id, s->enrol_id);

	np_json_put(json);
	return yes;
}

/* Return: 0 with @rec, or -1 after an answer. */
static int get_own(struct np_session *s, char *key, struct np_rec *rec)
{
	int ret;

	np_str_lower(key);
	if (!is_handed_over(s, key) && !np_key_is_kept(key)) {
		np_respond_error(s, "AT0009", "%.200s does not belong to this enrolment", key);
		return -1;
	}
	ret = np_rec_get(s->tenant, key, rec);
	if (ret == -ENOENT) {
		np_respond_missing(s, key);
		return -1;
	}
	if (ret) {
		np_respond_store(s);
		return -1;
	}
	if (is_handed_over(s, key) || is_of(s, rec->value, rec->value_len))
		return 0;
	np_rec_fini(rec);
	np_respond_error(s, "AT0009", "%.200s does not belong to this enrolment", key);
	return -1;
}

static void get_one(struct np_session *s, char *key)
{
	struct np_rec rec;

	if (get_own(s, key, &rec))
		return;
	np_respond_data(s, rec.value, rec.value_len);
	np_rec_fini(&rec);
}

struct list {
	const struct np_session *s;
	const char *part;
	struct np_json *out;
};

static bool list_one(const char *key, const struct np_record *rec, void *arg)
{
	struct list *list = arg;

	if (!strstr(key, list->part) || !is_of(list->s, rec->value, rec->value_len))
		return true;
	return !np_json_add_str(list->out, key);
}

static void get_list(struct np_session *s, enum kind kind)
{
	struct list list = {.s = s, .part = kinds[kind].part, .out = np_json_arr()};
	struct np_store *store = s->srv->store;

	np_turn_read(s->srv);
	if (!list.out ||
	    store->ops->scan(store, s->tenant->name, kinds[kind].prefix, list_one, &list)) {
		np_json_put(list.out);
		np_respond_error(s, "AT0010", "cannot read the keys");
		return;
	}
	np_respond_json(s, list.out);
}

static void delete_one(struct np_session *s, char *key)
{
	struct np_rec rec;

	if (get_own(s, key, &rec))
		return;
	np_rec_fini(&rec);
	if (is_handed_over(s, key)) {
		np_respond_error(s, "AT0009", "Cannot delete protected key: '%s'", key);
		return;
	}
	if (np_rec_delete(s->tenant, key, NULL))
		np_respond_store(s);
	else
		np_respond_str(s, "-1");
}

struct put {
	const char *ns, *app, *device, *type, *encryption_key, *name;
};

static int take_fields(char *rest, struct put *put)
{
	const struct {
		const char *name;
		const char **out;
	} fields[] = {{"namespace", &put->ns},
		      {"appName", &put->app},
		      {"deviceName", &put->device},
		      {"keyType", &put->type},
		      {"encryptionKeyName", &put->encryption_key},
		      {"keyName", &put->name}};
	size_t i, nr = sizeof(fields) / sizeof(fields[0]);

	while (*rest) {
		char *name = np_parse_take(&rest, ':'), *value = rest;

		if (!name)
			return -1;
		if (!np_parse_take(&rest, ':'))
			rest += strlen(rest);
		for (i = 0; i < nr && strcasecmp(fields[i].name, name); i++)
			;
		if (i == nr || !*value)
			return -1;
		*fields[i].out = value;
	}
	return put->ns && put->name ? 0 : -1;
}

static int make_key(struct np_session *s, enum kind kind, const struct put *put,
		    struct np_key *key)
{
	char text[NP_KEY_MAX], own[NP_KEY_MAX] = "";
	int len;

	if (kind != PUBLIC) {
		if (!put->app || !put->device)
			return -1;
		len = snprintf(own, sizeof(own), "%s.%s.", put->app, put->device);
		if (len < 0 || (size_t)len >= sizeof(own))
			return -1;
	}
	len = snprintf(text, sizeof(text), "%s%s%s%s%s%s", kinds[kind].prefix, own, put->name,
		       kinds[kind].part, put->ns, s->tenant->name);
	if (len < 0 || (size_t)len >= sizeof(text))
		return -1;
	return np_key_parse(text, NULL, key, NULL);
}

static int write_key(struct np_session *s, const char *key, const struct put *put,
		     const char *value)
{
	struct np_json *json = np_json_obj();
	struct np_buf text = NP_BUF_INIT;
	int ret = -ENOMEM;

	if (json && !np_json_set_str(json, "value", value) &&
	    !np_json_set_str(json, "keyType", put->type) &&
	    !np_json_set_str(json, "enrollmentId", s->enrol_id) &&
	    !np_json_set_str(json, "encryptionKeyName", put->encryption_key) &&
	    !np_json_write(json, &text))
		ret = np_rec_put_raw(s->tenant, key, np_buf_str(&text), 0);
	np_buf_fini(&text);
	np_json_put(json);
	return ret;
}

static bool may_put(struct np_session *s, const struct put *put, const struct np_key *key)
{
	const struct np_enrol *enrol = np_access_enrol(s);
	struct np_rec old;
	bool own = true;

	if (!enrol || !strcmp(put->ns, "__manage") ||
	    (!np_enrol_has(enrol, put->ns, true) && !np_enrol_has(enrol, "*", true)))
		return false;
	if (np_rec_get(s->tenant, key->text, &old) == 0) {
		own = is_of(s, old.value, old.value_len);
		np_rec_fini(&old);
	}
	return own;
}

static void put_one(struct np_session *s, char *rest)
{
	char *kind_name = np_parse_take(&rest, ':'), *space = strchr(rest, ' ');
	int kind = kind_name ? kind_of(kind_name) : -1;
	struct np_err err = NP_ERR_INIT;
	struct put put = {0};
	struct np_key key;

	if (space)
		*space = '\0';
	if (kind < 0 || !space || !space[1] || take_fields(rest, &put) ||
	    make_key(s, kind, &put, &key))
		np_respond_error(s, "AT0003", "%s", usage);
	else if (!may_put(s, &put, &key))
		np_respond_error(s, "AT0009", "connection may not update %s", key.text);
	else if (np_quota_allows(s->tenant, key.text, strlen(space + 1), &err))
		np_respond_error(s, "AT0011", "%s", err.msg);
	else if (write_key(s, key.text, &put, space + 1))
		np_respond_store(s);
	else
		np_respond_str(s, "-1");
}

void np_verb_keys(struct np_session *s, char *rest)
{
	if (!s->enrol_id)
		np_respond_error(s, "AT0401", "keys needs a connection with an enrolment id");
	else if (np_str_starts(rest, "get:keyName:"))
		get_one(s, rest + strlen("get:keyName:"));
	else if (np_str_starts(rest, "delete:keyName:"))
		delete_one(s, rest + strlen("delete:keyName:"));
	else if (np_str_starts(rest, "put:"))
		put_one(s, rest + strlen("put:"));
	else if (np_str_starts(rest, "get:") && kind_of(rest + strlen("get:")) >= 0)
		get_list(s, kind_of(rest + strlen("get:")));
	else
		np_respond_error(s, "AT0003", "%s", usage);
}
