/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside noports/: bounded readers of single members, shared by the message files. */
#ifndef NP_NOPORTS_MSG_FIELDS_H
#define NP_NOPORTS_MSG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct np_err;
struct np_json;

/** msg_text() - a required text of 1 to @size - 1 printable bytes. Return: 0 or -EINVAL naming the
 * member. */
int msg_text(const struct np_json *obj, const char *key, char *dst, size_t size,
	     struct np_err *err);
/** msg_text_opt() - the same, but absent and null give @dflt, and an empty text is accepted. */
int msg_text_opt(const struct np_json *obj, const char *key, char *dst, size_t size,
		 const char *dflt, struct np_err *err);
/** msg_host() - a required DNS name or numeric address. */
int msg_host(const struct np_json *obj, const char *key, char *dst, size_t size,
	     struct np_err *err);
bool msg_host_ok(const char *host);
/** msg_is_ascii() - only printable ASCII: for text that did not come through the JSON parser. */
bool msg_is_ascii(const char *text);
/** msg_port() - a required whole number in 1..65535. */
int msg_port(const struct np_json *obj, const char *key, uint16_t *out, struct np_err *err);
/** msg_bool() - required; msg_bool_opt() takes absent and null as false. Other types are refused by
 * both. */
int msg_bool(const struct np_json *obj, const char *key, bool *out, struct np_err *err);
int msg_bool_opt(const struct np_json *obj, const char *key, bool *out, struct np_err *err);
/** msg_session_id() - member "sessionId" checked with np_session_id_ok(). */
int msg_session_id(const struct np_json *obj, char dst[65], struct np_err *err);
/** msg_dup_opt() - a copy of an optional text of at most @max bytes; NULL in *@out when absent or
 * null. */
int msg_dup_opt(const struct np_json *obj, const char *key, size_t max, char **out,
		struct np_err *err);
/** msg_put_text() - set @key to @text, or to null when it is empty. */
int msg_put_text(struct np_json *obj, const char *key, const char *text);

#endif
