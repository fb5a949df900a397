/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may do what: namespaces of enrolments, and keys that nobody reads over the wire
 * (atprotocol.md 8, 15.3). */
#ifndef NP_ATSERVER_ACCESS_H
#define NP_ATSERVER_ACCESS_H

#include <stdbool.h>

struct np_enrol;
struct np_key;
struct np_session;
struct np_tenant;

/** np_access_enrol() - the approved enrolment of the connection; NULL when it has none or it is
 * over. */
const struct np_enrol *np_access_enrol(struct np_session *s);
/** np_access_key() - may this owner connection read (or write) @key? */
bool np_access_key(struct np_session *s, const struct np_key *key, bool write);
/** np_access_note() - may this connection see a notification with the full key @key? */
bool np_access_note(struct np_session *s, const char *key);
/** np_access_note_change() - may it send or remove a notification with the full key @key? */
bool np_access_note_change(struct np_session *s, const char *key);
/** np_access_log() - may it see the entry of the commit log for @key (13.2)? */
bool np_access_log(struct np_session *s, const char *key);
/** np_access_scan() - may this connection see the stored key @key in a scan? */
bool np_access_scan(struct np_session *s, const char *key);
/** np_access_manage() - may this owner connection decide about enrolments? */
bool np_access_manage(struct np_session *s);
/** np_access_is_secret() - server-side secrets that no verb hands out. */
bool np_access_is_secret(const char *key);

#endif
