/* SPDX-License-Identifier: BSD-3-Clause */
/* The atKey grammar: which kind of key a text is, and its normal form (atprotocol.md 6.2, 6.3). */
#ifndef NP_ATSERVER_KEY_H
#define NP_ATSERVER_KEY_H

#include "at/atsign.h"

#include <stdbool.h>
#include <stddef.h>

struct np_err;

#define NP_KEY_CHARS 248	/* longest key in characters */
#define NP_KEY_CACHED_CHARS 255 /* the same for one that begins with "cached:" */
#define NP_KEY_MAX 1024		/* bytes of the longest key and a NUL */

enum np_key_type {
	NP_KEY_PUBLIC,	      /* public:name@owner */
	NP_KEY_SHARED,	      /* @with:name@owner */
	NP_KEY_SELF,	      /* name@owner, @owner:name@owner */
	NP_KEY_PRIVATE,	      /* private:[@with:]name@owner */
	NP_KEY_CACHED_PUBLIC, /* cached:public:name@owner */
	NP_KEY_CACHED_SHARED, /* cached:@me:name@owner */
	NP_KEY_PRIVATEKEY,    /* privatekey:name, without an owner */
};

struct np_key {
	enum np_key_type type;
	char text[NP_KEY_MAX];	   /* the normal form: lower case, complete */
	char name[NP_KEY_MAX];	   /* the entity, namespace included */
	char with[NP_ATSIGN_MAX];  /* "" when none */
	char owner[NP_ATSIGN_MAX]; /* "" for privatekey: */
};

/**
 * np_key_parse() - classify @text and bring it into normal form.
 * @dflt_owner: the owner when @text names none; NULL makes that an error
 * Return: 0, or -EINVAL with the reason.
 */
int np_key_parse(const char *text, const char *dflt_owner, struct np_key *out, struct np_err *err);
/** np_key_is_name() - is @text an entity: its characters allowed, not empty? */
bool np_key_is_name(const char *text);
/** np_key_namespace() - what follows the last dot of @name, "" without one; points into it. */
const char *np_key_namespace(const char *name);
/** np_key_is_reserved() - keys that every enrolment may use (6.2, 15.3). */
bool np_key_is_reserved(const struct np_key *key);
/** np_key_is_kept() - was @text written by keys:put (15.5)? Nothing else may change it. */
bool np_key_is_kept(const char *text);
/** np_key_is_logged() - does a change of the key @text get an entry in the commit log (13.1)? */
bool np_key_is_logged(const char *text);

#endif
