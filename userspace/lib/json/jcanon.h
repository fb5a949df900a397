/* SPDX-License-Identifier: BSD-3-Clause */
/* The exact bytes of JSON values: what a signature is made and checked over (noports.md 3.2). */
#ifndef NP_JSON_JCANON_H
#define NP_JSON_JCANON_H

#include <stddef.h>

/**
 * np_jcanon_member() - find the raw bytes of a member's value in the top-level object of @text.
 * @text: well-formed JSON (np_json_parse() succeeded on it)
 * @value, @value_len: the value without surrounding white space, inside @text
 * Return: 0, -ENOENT when there is no such member, -EBADMSG when @text is no object.
 */
int np_jcanon_member(const char *text, size_t len, const char *key, const char **value, size_t *value_len);

/** np_jcanon_lower_escapes() - turn \u00XX escapes into lower-case hex, in place, outside of everything else. */
void np_jcanon_lower_escapes(char *text, size_t len);

#endif
