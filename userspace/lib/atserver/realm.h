/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The folder of a private realm (Documentation/realm.md), as npctl makes it and atserverd starts
 * from it:
 *
 *	ca.pem ca.key            the realm's CA; ca.key is needed only to issue certificates
 *	server.pem server.key    what the servers present
 *	atserverd.yaml           its relative paths start from this folder
 *	secrets/@a.cram          one line: the CRAM secret of @a, until @a is activated
 *	data/realm.db            everything the servers store
 */
#ifndef NP_ATSERVER_REALM_H
#define NP_ATSERVER_REALM_H

#include <limits.h>

struct np_err;
struct np_secret;

#define NP_REALM_CA "ca.pem"
#define NP_REALM_CA_KEY "ca.key"
#define NP_REALM_CERT "server.pem"
#define NP_REALM_KEY "server.key"
#define NP_REALM_CONF "atserverd.yaml"
#define NP_REALM_SECRETS "secrets"
#define NP_REALM_DATA_DIR "data"
#define NP_REALM_DATA "data/realm.db"

#define NP_REALM_PORT 6464   /* atserverd, when nothing else is said */
#define NP_REALM_DIR_PORT 64 /* the atDirectory (atprotocol.md section 2) */
#define NP_CRAM_SECRET_LEN 128 /* hex digits of those that npctl makes; any line is accepted */

/** np_realm_path() - "@dir/@name". -ENAMETOOLONG. */
int np_realm_path(const char *dir, const char *name, char out[PATH_MAX], struct np_err *err);
/**
 * np_realm_resolve() - @path as meant in the config file @conf_path: relative to the file's
 * folder.
 */
int np_realm_resolve(const char *conf_path, const char *path, char out[PATH_MAX],
		     struct np_err *err);
/** np_realm_secret_path() - "@secrets_dir/@atsign.cram"; @atsign in normal form, with @. */
int np_realm_secret_path(const char *secrets_dir, const char *atsign, char out[PATH_MAX],
			 struct np_err *err);
/**
 * np_realm_read_secret() - the CRAM secret of @atsign, without the line's end.
 * Return: 0, -ENOENT when there is no such file, -EPERM when others can read it, -EBADMSG when it
 * is not one line of text.
 */
int np_realm_read_secret(const char *secrets_dir, const char *atsign, struct np_secret *out,
			 struct np_err *err);

#endif
