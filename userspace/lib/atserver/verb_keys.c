// SPDX-License-Identifier: BSD-3-Clause
/*
 * keys:get: an enrolment fetches the keys that the approver left for it (atprotocol.md 15.5). The
 * published server lets every enrolment read every key; here it is its own only.
 */
#include "atserver/internal.h"
#include "atserver/record.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static bool is_own(const struct np_session *s, const char *key)
{
	size_t len = strlen(s->enrol_id);
	char tail[NP_ATSIGN_MAX + 16];

	snprintf(tail, sizeof(tail), ".__manage%s", s->tenant->name);
	return !strncmp(key, s->enrol_id, len) && key[len] == '.' && np_str_ends(key, tail) &&
	       !strstr(key, ".new.enrollments.");
}

void np_verb_keys(struct np_session *s, char *rest)
{
	struct np_rec rec;
	char *key;

	if (!s->enrol_id) {
		np_respond_error(s, "AT0401", "keys needs a connection with an enrolment id");
		return;
	}
	if (!np_str_starts(rest, "get:keyName:")) {
		np_respond_error(s, "AT0003", "Invalid syntax. keys:get:keyName:<key>");
		return;
	}
	key = rest + strlen("get:keyName:");
	np_str_lower(key);
	if (!is_own(s, key)) {
		np_respond_error(s, "AT0009", "%.200s does not belong to this enrolment", key);
		return;
	}
	if (np_rec_get(s->tenant, key, &rec)) {
		np_respond_missing(s, key);
		return;
	}
	np_respond_data(s, rec.value, rec.value_len);
	np_rec_fini(&rec);
}
