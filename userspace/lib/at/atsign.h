/* SPDX-License-Identifier: BSD-3-Clause */
/* atSigns: normalisation and grammar (atprotocol.md 6.1). */
#ifndef NP_AT_ATSIGN_H
#define NP_AT_ATSIGN_H

struct np_err;

/* 55 code units of up to 3 UTF-8 bytes (4-byte characters are two code units), "@" and NUL. */
#define NP_ATSIGN_MAX 168

/**
 * np_atsign_parse() - the normal form: lower case, one leading "@", dots removed.
 * Return: 0, or -EINVAL with @err naming @text and the accepted form.
 */
int np_atsign_parse(const char *text, char out[NP_ATSIGN_MAX], struct np_err *err);
/** np_atsign_bare() - @atsign (normal form) without its "@"; points into it. */
const char *np_atsign_bare(const char *atsign);

#endif
