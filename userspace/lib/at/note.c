// SPDX-License-Identifier: BSD-3-Clause
#include "at/note.h"

#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void np_at_note_fini(struct np_at_note *note)
{
	np_json_put(note->json);
	note->json = NULL;
}

static int parse_parties(struct np_at_note *note, struct np_err *err)
{
	const char *from = np_json_need_str(note->json, "from", NP_ATSIGN_MAX - 1, err), *to;

	if (!from)
		return -EBADMSG;
	to = np_json_need_str(note->json, "to", NP_ATSIGN_MAX - 1, err);
	if (!to)
		return -EBADMSG;
	if (np_atsign_parse(from, note->from, err) || np_atsign_parse(to, note->to, err))
		return -EBADMSG;
	return 0;
}

/*
 * "@to:name@from". The sender was authenticated by our server; a key that names another one is a
 * forgery.
 */
static int parse_key(struct np_at_note *note, struct np_err *err)
{
	const char *key =
		np_json_need_str(note->json, "key", note->is_text ? SIZE_MAX : NP_AT_KEY_MAX, err);
	size_t to_len = strlen(note->to), from_len = strlen(note->from), len;

	if (!key)
		return -EBADMSG;
	if (note->is_text)
		return 0;
	np_str_copy(note->key, sizeof(note->key), key);
	np_str_lower(note->key);
	len = strlen(note->key);
	if (len <= to_len + 1 + from_len || !np_str_starts(note->key, note->to) ||
	    note->key[to_len] != ':' || strcmp(note->key + len - from_len, note->from))
		return np_fail(err, -EPROTO, "key '%.120s' is not of the form %.40s:name%.40s", key,
			       note->to, note->from);
	np_str_copy_n(note->name, sizeof(note->name), note->key + to_len + 1,
		      len - to_len - 1 - from_len);
	if (strchr(note->name, '@'))
		return np_fail(err, -EPROTO, "key '%.120s' names two senders", key);
	return 0;
}

static void parse_crypto(struct np_at_note *note)
{
	const struct np_json *meta = np_json_get(note->json, "metadata");
	const char *enc = np_json_str(meta, "sharedKeyEnc"), *cs = np_json_str(meta, "pubKeyCS");
	const char *iv = np_json_str(meta, "ivNonce");

	/* Some servers write the text "null" for what is absent. */
	note->shared_key_enc = enc && *enc && strcmp(enc, "null") ? enc : NULL;
	note->pub_key_cs = cs && *cs && strcmp(cs, "null") ? cs : NULL;
	note->iv = iv && *iv && strcmp(iv, "null") ? iv : NULL;
	note->is_encrypted =
		np_json_bool(note->json, "isEncrypted", note->shared_key_enc || note->iv);
}

int np_at_note_parse(const char *text, size_t len, struct np_at_note *note, struct np_err *err)
{
	const char *type, *operation;
	int ret;

	memset(note, 0, sizeof(*note));
	note->json = np_json_parse(text, len, "notification", err);
	if (!np_json_is_object(note->json))
		return np_fail(err, -EBADMSG, "notification: is no JSON object");
	note->epoch_ms = np_json_int(note->json, "epochMillis", 0);
	note->id = np_json_need_str(note->json, "id", 248, err);
	if (!note->id)
		return -EBADMSG;
	note->is_stats = !strcmp(note->id, "-1");
	if (note->is_stats)
		return 0;
	type = np_json_str(note->json, "messageType");
	note->is_text = type && np_str_ends(type, "text");
	operation = np_json_str(note->json, "operation");
	note->is_delete = operation && np_str_ends(operation, "delete");
	note->value = np_json_str(note->json, "value");
	ret = parse_parties(note, err);
	if (!ret)
		ret = parse_key(note, err);
	parse_crypto(note);
	return ret;
}
