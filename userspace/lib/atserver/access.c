// SPDX-License-Identifier: BSD-3-Clause
#include "atserver/access.h"

#include "atserver/enrol.h"
#include "atserver/internal.h"
#include "atserver/key.h"
#include "base/str.h"
#include "json/json.h"

#include <string.h>

const struct np_enrol *np_access_enrol(struct np_session *s)
{
	const struct np_enrol *enrol = s->enrol_id ? np_enrol_get(s->tenant, s->enrol_id) : NULL;

	return enrol && enrol->state == NP_ENROL_APPROVED ? enrol : NULL;
}

static bool may_use(struct np_session *s, const char *name, bool write)
{
	const struct np_enrol *enrol = np_access_enrol(s);
	bool manage;

	/* Records of enrolments are reached through enroll and keys alone. */
	return enrol && np_enrol_match(enrol, name, write, &manage) && !manage;
}

bool np_access_key(struct np_session *s, const struct np_key *key, bool write)
{
	if (!s->enrol_id || np_key_is_reserved(key))
		return true;
	return may_use(s, key->name, write);
}

/* Cuts "[...:]name[@owner]" down to its name. */
static bool cut_name(const char *key, char *dst, size_t size)
{
	const char *at = strrchr(key, '@'), *end = at ? at : key + strlen(key), *colon = end;

	while (colon > key && colon[-1] != ':')
		colon--;
	return np_str_copy_n(dst, size, colon, (size_t)(end - colon)) == 0;
}

bool np_access_note(struct np_session *s, const char *key)
{
	const struct np_enrol *enrol = np_access_enrol(s);
	char name[NP_KEY_MAX];
	bool manage;

	if (!s->enrol_id)
		return true;
	if (!enrol || !cut_name(key, name, sizeof(name)))
		return false;
	return np_enrol_match(enrol, name, false, &manage);
}

bool np_access_note_change(struct np_session *s, const char *key)
{
	char name[NP_KEY_MAX];

	return !s->enrol_id || (cut_name(key, name, sizeof(name)) && may_use(s, name, true));
}

bool np_access_log(struct np_session *s, const char *key)
{
	const struct np_enrol *enrol = np_access_enrol(s);
	char name[NP_KEY_MAX];
	const char *ns;

	if (np_access_is_secret(key))
		return false;
	if (!s->enrol_id)
		return true;
	if (!enrol || !cut_name(key, name, sizeof(name)))
		return false;
	ns = np_key_namespace(name);
	return !*ns || np_enrol_has(enrol, "*", false) || np_enrol_has(enrol, ns, false);
}

bool np_access_scan(struct np_session *s, const char *key)
{
	const struct np_enrol *enrol = np_access_enrol(s);
	char name[NP_KEY_MAX];
	const char *ns;

	if (!s->enrol_id)
		return true;
	if (!enrol || !cut_name(key, name, sizeof(name)))
		return false;
	if (np_enrol_has(enrol, "*", false) || np_str_starts(key, "public:") ||
	    np_str_starts(key, "cached:public:"))
		return true;
	ns = np_key_namespace(name);
	return *ns && strcmp(ns, "__manage") && np_enrol_has(enrol, ns, false);
}

bool np_access_manage(struct np_session *s)
{
	const struct np_enrol *enrol = np_access_enrol(s);

	return !s->enrol_id || (enrol && np_enrol_has(enrol, "__manage", true));
}

bool np_access_is_secret(const char *key)
{
	return strstr(key, ":signing_privatekey@") || !strcmp(key, "privatekey:at_secret");
}
