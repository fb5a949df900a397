/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines in ~/.ssh/authorized_keys, added and removed without ever showing a reader half a file
 * (noports.md 9.6, 9.7). Edits of several daemons are serialised by flock(2) on
 * ".authorized_keys.np-lock" beside the file.
 */
#ifndef NP_NOPORTS_AUTHKEYS_H
#define NP_NOPORTS_AUTHKEYS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct np_buf;
struct np_err;

struct np_authkeys {
	char path[PATH_MAX]; /* of the file, perhaps a symbolic link; the link stays one */
	char home[PATH_MAX]; /* where the check of writable folders ends, as sshd's does */
};

/** np_authkeys_init() - HOME/.ssh/authorized_keys. */
int np_authkeys_init(struct np_authkeys *keys, const char *home, struct np_err *err);
/**
 * np_authkeys_add() - append "[OPTIONS ]KEY[ COMMENT]" unless a line with the same KEY is there
 * already. Mode and owner are kept; a missing file is made with mode 0600. What sshd would not read
 * (writable by group or others, of a foreign owner, also any folder up to home) is refused with
 * -EPERM.
 * @options, @comment: may be NULL or empty. Line feeds in any part are refused.
 */
int np_authkeys_add(const struct np_authkeys *keys, const char *options, const char *key,
		    const char *comment, struct np_err *err);
/**
 * np_authkeys_remove() - drop the lines whose last word is @comment, or with @prefix begins with
 * it. Return: how many, 0 when there is no file, or negative errno.
 */
int np_authkeys_remove(const struct np_authkeys *keys, const char *comment, bool prefix,
		       struct np_err *err);

/* The edits as such, from text to text; @out is appended to. Return: lines changed, or -ENOMEM. */
bool np_authkeys_text_has(const char *text, size_t len, const char *key);
int np_authkeys_text_add(const char *text, size_t len, const char *line, struct np_buf *out);
int np_authkeys_text_remove(const char *text, size_t len, const char *comment, bool prefix,
			    struct np_buf *out);

#endif
