// SPDX-License-Identifier: BSD-3-Clause
/* info and noop (atprotocol.md 14). */
#include "atserver/access.h"
#include "atserver/enrol.h"
#include "atserver/internal.h"
#include "atserver/later.h"
#include "atserver/respond.h"
#include "atserver/verb.h"
#include "base/clock.h"
#include "base/str.h"
#include "json/json.h"

#include <stdio.h>
#include <strings.h>

#define NOOP_MAX_MS 5000

static const struct {
	const char *name, *description;
} features[] = {
	{"sync:from", "changes behind a commit id, 25 at a time"},
	{"batch", "several commands, one transaction"},
	{"update:meta", "metadata without the value"},
	{"apkam", "enrolments bound to namespaces"},
	{"ecc_secp256r1", "pkam with ECDSA"},
	{"pipelining", "lines are answered in order, however many arrive at once"},
};

static int put_features(struct np_json *json)
{
	struct np_json *list = np_json_arr();
	size_t i;

	for (i = 0; list && i < sizeof(features) / sizeof(features[0]); i++) {
		struct np_json *item = np_json_obj();

		if (!item || np_json_set_str(item, "name", features[i].name) ||
		    np_json_set_str(item, "status", "GA") ||
		    np_json_set_str(item, "description", features[i].description)) {
			np_json_put(item);
			break;
		}
		if (np_json_add(list, item))
			break;
	}
	return list ? np_json_set(json, "features", list) : -1;
}

void np_verb_info(struct np_session *s, char *rest)
{
	long long up = np_clock_mono_ms() - s->srv->started_ms, sec = up / 1000;
	const struct np_enrol *enrol = np_access_enrol(s);
	struct np_json *json;
	char words[96];

	if (*rest && strcasecmp(rest, ":brief")) {
		np_respond_error(s, "AT0003", "Invalid syntax. info or info:brief");
		return;
	}
	json = np_json_obj();
	if (!json || np_json_set_str(json, "version", NP_AT_LEVEL)) {
		np_respond_json(s, NULL);
		np_json_put(json);
		return;
	}
	if (*rest) {
		np_json_set_int(json, "uptimeAsMillis", up);
	} else {
		snprintf(words, sizeof(words), "%lld hours %lld minutes %lld seconds", sec / 3600,
			 sec / 60 % 60, sec % 60);
		np_json_set_str(json, "uptimeAsWords", words);
		put_features(json);
		if (enrol)
			np_json_set(json, "apkam_metadata", np_json_ref(enrol->json));
	}
	np_respond_json(s, json);
}

static void answer_ok(struct np_session *s)
{
	np_respond_str(s, "ok");
}

void np_verb_noop(struct np_session *s, char *rest)
{
	uint64_t ms;

	if (np_str_u64(rest, 0, UINT32_MAX, &ms)) {
		np_respond_error(s, "AT0003", "Invalid syntax. noop:<durationInMillis>");
		return;
	}
	if (ms > NOOP_MAX_MS) {
		np_respond_error(
			s, "AT0022",
			"noop:<durationInMillis> where the duration maximum is 5000 milliseconds");
		return;
	}
	if (ms)
		np_later(s, (unsigned int)ms, answer_ok);
	else
		answer_ok(s);
}
