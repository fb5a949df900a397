/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON through typed getters. An object keeps the order of its members, and the text written is compact and in
 * the form that Dart's jsonEncode gives (noports.md 3.2): '/' not escaped, UTF-8 raw, \u00xx in lower case.
 */
#ifndef NP_JSON_JSON_H
#define NP_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_buf;
struct np_err;
struct np_json; /* a value; reference counted below */

/**
 * np_json_parse() - parse outside text. Depth and size are bounded, duplicate members are refused.
 * @what: the subject for the message, e.g. "relay request"
 * Return: a new value (np_json_put()), or NULL with @err.
 */
struct np_json *np_json_parse(const char *text, size_t len, const char *what, struct np_err *err);
void np_json_put(struct np_json *json); /* NULL is accepted */
/** np_json_write() - append the compact text to @buf. */
int np_json_write(const struct np_json *json, struct np_buf *buf);
/** np_json_write_pretty() - append indented text, for files people read. */
int np_json_write_pretty(const struct np_json *json, struct np_buf *buf);

/* Getters borrow from @obj. A missing member, a null and a wrong type all give the default. */
const struct np_json *np_json_get(const struct np_json *obj, const char *key);
const char *np_json_str(const struct np_json *obj, const char *key); /* NULL when absent */
bool np_json_bool(const struct np_json *obj, const char *key, bool dflt);
int64_t np_json_int(const struct np_json *obj, const char *key, int64_t dflt);
bool np_json_is_object(const struct np_json *json);
bool np_json_is_array(const struct np_json *json);
bool np_json_is_null(const struct np_json *json); /* true for NULL too */
const char *np_json_str_value(const struct np_json *json); /* the value itself as text, or NULL */
int64_t np_json_int_value(const struct np_json *json, int64_t dflt);
/**
 * np_json_need_str() - a member that must be text without NUL, at most @max bytes.
 * Return: the text, or NULL with @err naming the member.
 */
const char *np_json_need_str(const struct np_json *obj, const char *key, size_t max, struct np_err *err);
/** np_json_need_int() - a member that must be a whole number in [min, max]. Return: 0 or -EINVAL. */
int np_json_need_int(const struct np_json *obj, const char *key, int64_t min, int64_t max, int64_t *out,
		     struct np_err *err);
size_t np_json_len(const struct np_json *array);
const struct np_json *np_json_at(const struct np_json *array, size_t index);
/** np_json_each() - visit the members of an object in order; stops when @fn returns false. */
void np_json_each(const struct np_json *obj,
		  bool (*fn)(const char *key, const struct np_json *value, void *arg), void *arg);

/* Builders. Setters return 0 or -ENOMEM / -EINVAL (text that is no UTF-8); a NULL @text sets null. */
struct np_json *np_json_obj(void);
struct np_json *np_json_arr(void);
int np_json_set_str(struct np_json *obj, const char *key, const char *text);
int np_json_set_int(struct np_json *obj, const char *key, int64_t value);
int np_json_set_bool(struct np_json *obj, const char *key, bool value);
int np_json_set_null(struct np_json *obj, const char *key);
/** np_json_set() - takes @value, also on failure. */
int np_json_set(struct np_json *obj, const char *key, struct np_json *value);
int np_json_add(struct np_json *array, struct np_json *value); /* takes @value */
int np_json_add_str(struct np_json *array, const char *text);
struct np_json *np_json_ref(const struct np_json *json); /* one more reference */

#endif
