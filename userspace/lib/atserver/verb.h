/* SPDX-License-Identifier: BSD-3-Clause */
/* The verbs: each answers one command, now or through np_session_wait(). @rest as np_parse_verb()
 * gave it. */
#ifndef NP_ATSERVER_VERB_H
#define NP_ATSERVER_VERB_H

#include "atserver/parse.h"

struct np_session;

/** np_verb_run() - check who may, then run the verb of @line (changed in place). */
void np_verb_run(struct np_session *s, char *line, size_t len);

void np_verb_from(struct np_session *s, char *rest);
void np_verb_cram(struct np_session *s, char *rest);
void np_verb_pkam(struct np_session *s, char *rest);
void np_verb_pol(struct np_session *s, char *rest);
void np_verb_update(struct np_session *s, char *rest);
void np_verb_update_meta(struct np_session *s, char *rest);
void np_verb_update_json(struct np_session *s, char *rest);
void np_verb_delete(struct np_session *s, char *rest);
void np_verb_lookup(struct np_session *s, char *rest);
void np_verb_plookup(struct np_session *s, char *rest);
void np_verb_llookup(struct np_session *s, char *rest);
void np_verb_scan(struct np_session *s, char *rest);
void np_verb_notify(struct np_session *s, char *rest);
void np_verb_notify_status(struct np_session *s, char *rest);
void np_verb_notify_list(struct np_session *s, char *rest);
void np_verb_notify_fetch(struct np_session *s, char *rest);
void np_verb_notify_remove(struct np_session *s, char *rest);
void np_verb_notify_all(struct np_session *s, char *rest);
void np_verb_sync(struct np_session *s, char *rest);
void np_verb_batch(struct np_session *s, char *rest);
void np_verb_stats(struct np_session *s, char *rest);
void np_verb_config(struct np_session *s, char *rest);
void np_verb_monitor(struct np_session *s, char *rest);
void np_verb_info(struct np_session *s, char *rest);
void np_verb_noop(struct np_session *s, char *rest);
void np_verb_enroll(struct np_session *s, char *rest);
void np_verb_otp(struct np_session *s, char *rest);
void np_verb_keys(struct np_session *s, char *rest);

#endif
