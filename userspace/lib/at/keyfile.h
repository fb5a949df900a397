/* SPDX-License-Identifier: BSD-3-Clause */
/* The .atKeys file: all key material of one atSign on one device (atprotocol.md 18.1). */
#ifndef NP_AT_KEYFILE_H
#define NP_AT_KEYFILE_H

#include "at/atsign.h"
#include "base/buf.h"
#include "base/secret.h"

#include <stddef.h>

struct np_err;
struct np_rsa;

#define NP_ENROLLMENT_ID_MAX 64

struct np_at_keys {
	char atsign[NP_ATSIGN_MAX];
	struct np_rsa *pkam;	      /* private: signs the login challenge */
	struct np_rsa *enc;	      /* private: signs envelopes, opens AES keys */
	struct np_buf enc_public_b64; /* text of public:publickey@atsign, as published */
	struct np_secret self_key;    /* 32 bytes */
	struct np_secret apkam_key;   /* 32 bytes, empty without an enrolment */
	char enrollment_id[NP_ENROLLMENT_ID_MAX]; /* "" without one */
};

/** np_at_keys_new() - all empty, or NULL. */
struct np_at_keys *np_at_keys_new(void);
void np_at_keys_free(struct np_at_keys *keys); /* NULL is accepted */
/** np_at_keys_generate() - fresh key pairs and AES keys for @atsign (onboarding). */
int np_at_keys_generate(const char *atsign, struct np_at_keys **out, struct np_err *err);
/**
 * np_at_keys_load() - read a key file; refuses files others can read, wrong or missing members, key
 * pairs that do not belong together, and (when the file names its atSign) a file of another atSign
 * than @atsign. Messages name the file and the member, never content.
 */
int np_at_keys_load(const char *path, const char *atsign, struct np_at_keys **out,
		    struct np_err *err);
/** np_at_keys_parse() - the same from memory, without the checks of the file itself. */
int np_at_keys_parse(const char *text, size_t len, const char *atsign, struct np_at_keys **out,
		     struct np_err *err);
/**
 * np_at_keys_save() - write a new file, mode 0600, that other SDKs can load; -EEXIST rather than
 * overwrite.
 */
int np_at_keys_save(const struct np_at_keys *keys, const char *path, struct np_err *err);
/** np_at_keys_default_path() - ~/.atsign/keys/@x_key.atKeys; $HOME must be set. */
int np_at_keys_default_path(const char *atsign, char *dst, size_t size, struct np_err *err);

#endif
