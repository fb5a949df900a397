// SPDX-License-Identifier: BSD-3-Clause
/* delete: succeeds also for what is not there; ends onboarding for privatekey:at_secret
 * (atprotocol.md 10.3). */
#include "atserver/access.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "atserver/note.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/err.h"
#include "base/str.h"

#include <string.h>

static bool is_protected(const struct np_key *key)
{
	if (key->type == NP_KEY_PRIVATEKEY)
		return strcmp(key->name, "at_secret") && strcmp(key->name, "at_pkam_publickey");
	if (key->type == NP_KEY_PRIVATE && !strcmp(key->name, "blocklist"))
		return true;
	return !strcmp(key->name, "signing_publickey") || np_key_is_kept(key->name) ||
	       !strcmp(key->name, "signing_privatekey") || np_str_ends(key->name, ".__manage") ||
	       np_str_ends(key->name, ".__pkams.__public_keys");
}

void np_verb_delete(struct np_session *s, char *rest)
{
	struct np_err err = NP_ERR_INIT;
	int64_t commit_id = -1;
	struct np_key key;
	char *text;
	bool cached;

	if (np_parse_delete(rest, &text, &err)) {
		np_respond_error(s, "AT0003", "%s", err.msg);
		return;
	}
	if (np_key_parse(text, s->tenant->name, &key, &err)) {
		np_respond_error(s, "AT0016", "%s", err.msg);
		return;
	}
	cached = key.type == NP_KEY_CACHED_PUBLIC || key.type == NP_KEY_CACHED_SHARED;
	if (!cached && key.owner[0] && strcmp(key.owner, s->tenant->name)) {
		np_respond_error(s, "AT0016", "%s is not owned by %s", key.text, s->tenant->name);
		return;
	}
	if (is_protected(&key) || !np_access_key(s, &key, true)) {
		np_respond_error(s, "AT0009", "Cannot delete protected key: '%s'", key.text);
		return;
	}
	/* The mark keeps the secret's file from being read again. */
	if ((!strcmp(key.text, "privatekey:at_secret") &&
	     np_rec_put_raw(s->tenant, "privatekey:at_secret_deleted", "true", 0)) ||
	    np_rec_delete(s->tenant, key.text, &commit_id) ||
	    np_note_auto(s->tenant, key.text, NULL, NULL, true)) {
		np_respond_store(s);
		return;
	}
	np_respond_printf(s, "%lld", (long long)commit_id);
}
