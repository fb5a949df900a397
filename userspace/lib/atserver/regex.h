/* SPDX-License-Identifier: BSD-3-Clause */
/* The regular expressions of scan and monitor: Dart's syntax, as far as clients use it, on POSIX
 * regcomp(3). */
#ifndef NP_ATSERVER_REGEX_H
#define NP_ATSERVER_REGEX_H

#include <stdbool.h>

struct np_err;
struct np_regex;

#define NP_REGEX_MAX 512 /* bytes */

/**
 * np_regex_new() - compile @text; search is unanchored and ignores case, as keys are lower case
 * anyway. Escapes inside brackets, \d, (?: and lazy repetition are translated. Back references and
 * look-around are refused, and so is what would grow too large when its repetitions are written
 * out.
 * @out: NULL for an expression that matches everything ("" and ".*")
 * Return: 0 or -EINVAL.
 */
int np_regex_new(const char *text, struct np_regex **out, struct np_err *err);
void np_regex_free(struct np_regex *regex);			     /* NULL is accepted */
bool np_regex_match(const struct np_regex *regex, const char *text); /* true for NULL */

#endif
