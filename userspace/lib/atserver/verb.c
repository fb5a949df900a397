// SPDX-License-Identifier: BSD-3-Clause
/* The dispatch: one table says which verb runs for whom (atprotocol.md 8). */
#include "atserver/verb.h"

#include "atserver/access.h"
#include "atserver/internal.h"
#include "atserver/respond.h"
#include "atserver/session.h"

#include <string.h>

#define U 1u /* unauthenticated */
#define P 2u /* authenticated as another server */
#define O 4u /* owner, with or without an enrolment */
#define B 8u /* may stand in a batch: answers at once and leaves the connection as it is */

static const struct {
	void (*run)(struct np_session *s, char *rest);
	unsigned int who;
} table[NP_VERB_NR] = {
	[NP_VERB_FROM] = {np_verb_from, U | P | O},
	[NP_VERB_CRAM] = {np_verb_cram, U | P | O},
	[NP_VERB_PKAM] = {np_verb_pkam, U | P | O},
	[NP_VERB_POL] = {np_verb_pol, U | P | O},
	[NP_VERB_UPDATE] = {np_verb_update, O | B},
	[NP_VERB_UPDATE_META] = {np_verb_update_meta, O | B},
	[NP_VERB_UPDATE_JSON] = {np_verb_update_json, O | B},
	[NP_VERB_LLOOKUP] = {np_verb_llookup, O | B},
	[NP_VERB_PLOOKUP] = {np_verb_plookup, O},
	[NP_VERB_LOOKUP] = {np_verb_lookup, U | P | O},
	[NP_VERB_SCAN] = {np_verb_scan, U | P | O},
	[NP_VERB_DELETE] = {np_verb_delete, O | B},
	[NP_VERB_MONITOR] = {np_verb_monitor, O},
	[NP_VERB_NOTIFY] = {np_verb_notify, P | O | B},
	[NP_VERB_NOTIFY_STATUS] = {np_verb_notify_status, O | B},
	[NP_VERB_NOTIFY_LIST] = {np_verb_notify_list, U | P | O},
	[NP_VERB_NOTIFY_FETCH] = {np_verb_notify_fetch, O | B},
	[NP_VERB_NOTIFY_REMOVE] = {np_verb_notify_remove, O | B},
	[NP_VERB_NOTIFY_ALL] = {np_verb_notify_all, O | B},
	[NP_VERB_INFO] = {np_verb_info, U | P | O | B},
	[NP_VERB_NOOP] = {np_verb_noop, U | P | O},
	[NP_VERB_ENROLL] = {np_verb_enroll, U | O},
	[NP_VERB_OTP] = {np_verb_otp, O},
	[NP_VERB_KEYS] = {np_verb_keys, O | B},
	[NP_VERB_SYNC] = {np_verb_sync, O},
	[NP_VERB_BATCH] = {np_verb_batch, O},
	[NP_VERB_STATS] = {np_verb_stats, O | B},
	[NP_VERB_CONFIG] = {np_verb_config, O | B},
};

static unsigned int who_is(const struct np_session *s)
{
	return s->auth == NP_AUTH_OWNER ? O : s->auth == NP_AUTH_POL ? P : U;
}

void np_verb_run(struct np_session *s, char *line, size_t len)
{
	enum np_verb verb;
	char *rest;

	s->srv->turn.touched = false;
	if (!np_parse_utf8(line, len)) {
		np_respond_error(s, "AT0003", "invalid command");
		return;
	}
	verb = np_parse_verb(line, &rest);
	if (verb == NP_VERB_EXIT && !s->capture) {
		np_session_end(s);
		return;
	}
	if (verb == NP_VERB_UNKNOWN || verb == NP_VERB_EXIT) {
		np_respond_error(s, "AT0003", "invalid command");
		return;
	}
	/* An enrolment that expired or went away ends its connections without a word (8). */
	if (s->enrol_id && !np_access_enrol(s)) {
		np_session_end(s);
		return;
	}
	if (s->capture && !(table[verb].who & B)) {
		np_respond_error(s, "AT0003", "this command is not possible in a batch");
		return;
	}
	if (!(table[verb].who & who_is(s))) {
		np_respond_error(s, "AT0401", "Command cannot be executed without auth");
		return;
	}
	table[verb].run(s, rest);
}
