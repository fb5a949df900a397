/* SPDX-License-Identifier: BSD-3-Clause */
/* Strings: bounded copies, strict numbers, predicates on outside text. */
#ifndef NP_BASE_STR_H
#define NP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** np_str_copy() - copy or fail. Return: 0, or -ENAMETOOLONG and an empty @dst. */
int np_str_copy(char *dst, size_t size, const char *src);
/** np_str_copy_n() - as above for @len bytes, which must hold no NUL. */
int np_str_copy_n(char *dst, size_t size, const char *src, size_t len);
void np_str_lower(char *str); /* ASCII only; other bytes stay */
/** np_str_trim() - drop white space at both ends in place. Return: first character. */
char *np_str_trim(char *str);
bool np_str_starts(const char *str, const char *prefix);
bool np_str_ends(const char *str, const char *suffix);
/** np_str_is_charset() - non-empty and only ASCII letters, digits and bytes of @more. */
bool np_str_is_charset(const char *str, const char *more);
bool np_str_is_uuid(const char *str); /* 8-4-4-4-12 hex, either case */
/** np_str_u64() - whole decimal number within bounds, no sign, blank or leading plus. -EINVAL, -ERANGE. */
int np_str_u64(const char *str, uint64_t min, uint64_t max, uint64_t *out);
/** np_str_port() - 1..65535, or 0 too when @zero_ok. */
int np_str_port(const char *str, bool zero_ok, uint16_t *out);
/** np_str_duration_ms() - "1h,14m,30s", "500ms", plain seconds; units w d h m s ms. -EINVAL. */
int np_str_duration_ms(const char *str, uint64_t *out_ms);
/**
 * np_str_next() - iterate the fields of a list.
 * @cursor: start of the text, advanced; NULL when exhausted
 * @len: length of the field returned (not NUL terminated)
 */
const char *np_str_next(const char **cursor, char sep, size_t *len);
void np_hex_encode(const uint8_t *data, size_t len, char *dst); /* 2 * len + 1 bytes, lower case */

#endif
