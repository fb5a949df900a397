/* SPDX-License-Identifier: BSD-3-Clause */
/* Enrolments (APKAM): one record each, and which namespaces it may use (atprotocol.md 15). */
#ifndef NP_ATSERVER_ENROL_H
#define NP_ATSERVER_ENROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_json;
struct np_tenant;

enum np_enrol_state {
	NP_ENROL_PENDING,
	NP_ENROL_APPROVED,
	NP_ENROL_DENIED,
	NP_ENROL_REVOKED,
	NP_ENROL_NR
};

extern const char *const np_enrol_states[NP_ENROL_NR];

/* Parsed from the record; owned by the tenant's cache, valid until the next change or the end of
 * the turn. */
struct np_enrol {
	struct np_json *json; /* the record's value; what follows borrows from it */
	enum np_enrol_state state;
	int64_t expires_at; /* 0: never */
	const char *app, *device, *public_key, *apkam_key;
	const struct np_json *namespaces; /* {"sshnp":"rw"} */
};

/** np_enrol_get() - NULL when unknown or expired. */
const struct np_enrol *np_enrol_get(struct np_tenant *tenant, const char *id);
void np_enrol_free(void *enrol);
/** np_enrol_key() - "<id>.new.enrollments.__manage@alice" into @dst. */
void np_enrol_key(struct np_tenant *tenant, const char *id, char *dst, size_t size);
/** np_enrol_put() - write the record; the cached one is dropped. @expires_at 0: never. Return: as
 * np_turn_begin(). */
int np_enrol_put(struct np_tenant *tenant, const char *id, const struct np_json *value,
		 int64_t expires_at);
int np_enrol_del(struct np_tenant *tenant, const char *id);
/** np_enrol_has() - is @ns enrolled with at least "r", or "rw" when @write? No other rule is
 * applied. */
bool np_enrol_has(const struct np_enrol *enrol, const char *ns, bool write);
/**
 * np_enrol_match() - the access rule of 15.3 for the entity @name.
 * Return: whether it may be used; @manage tells that the match was "__manage".
 */
bool np_enrol_match(const struct np_enrol *enrol, const char *name, bool write, bool *manage);
/** np_enrol_each() - visit all enrolments of @tenant that are not expired. */
void np_enrol_each(struct np_tenant *tenant,
		   bool (*fn)(const char *id, const struct np_enrol *enrol, void *arg), void *arg);

#endif
