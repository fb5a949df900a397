// SPDX-License-Identifier: BSD-3-Clause
#include "noports/msg_fields.h"

#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "noports/msg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int np_device_name_parse(const char *text, char out[NP_DEVICE_MAX], struct np_err *err)
{
	size_t n = 0;

	for (; *text && n < NP_DEVICE_MAX - 1; n++) {
		if (strchr(" \t\r\n\v\f", *text)) {
			text += strspn(text, " \t\r\n\v\f");
			out[n] = '_';
		} else {
			out[n] = *text++;
		}
	}
	out[n] = '\0';
	np_str_lower(out);
	if (*text || n < 2 || !np_str_is_charset(out, "_-") || out[0] == '-')
		return np_fail(err, -EINVAL,
			       "Device name must be alphanumeric snake case, 2 to 36 characters. "
			       "First char must be _, a-z, or 0-9.");
	return 0;
}

bool np_session_id_ok(const char *sid)
{
	return strlen(sid) <= 64 && np_str_is_charset(sid, "-");
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

bool msg_is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

int msg_text(const struct np_json *obj, const char *key, char *dst, size_t size, struct np_err *err)
{
	const char *text = np_json_need_str(obj, key, size - 1, err);

	if (!text)
		return -EINVAL;
	if (!*text)
		return np_fail(err, -EINVAL, "member '%s' is empty", key);
	if (!is_printable(text))
		return np_fail(err, -EINVAL, "member '%s' holds control characters", key);
	return np_str_copy(dst, size, text);
}

int msg_text_opt(const struct np_json *obj, const char *key, char *dst, size_t size,
		 const char *dflt, struct np_err *err)
{
	const char *text;

	if (np_json_is_null(np_json_get(obj, key)))
		return np_str_copy(dst, size, dflt);
	text = np_json_str(obj, key);
	if (text && !*text) {
		*dst = '\0';
		return 0;
	}
	return msg_text(obj, key, dst, size, err);
}

bool msg_host_ok(const char *host)
{
	return np_str_is_charset(host, ".:_-%");
}

int msg_host(const struct np_json *obj, const char *key, char *dst, size_t size, struct np_err *err)
{
	int ret = msg_text(obj, key, dst, size, err);

	if (!ret && !msg_host_ok(dst))
		return np_fail(err, -EINVAL, "member '%s' is no host name or address", key);
	return ret;
}

int msg_port(const struct np_json *obj, const char *key, uint16_t *out, struct np_err *err)
{
	int64_t value;
	int ret = np_json_need_int(obj, key, 1, 65535, &value, err);

	if (!ret)
		*out = (uint16_t)value;
	return ret;
}

int msg_bool(const struct np_json *obj, const char *key, bool *out, struct np_err *err)
{
	*out = np_json_bool(obj, key, false);
	/* Only a real boolean answers the same whatever the default is. */
	if (np_json_bool(obj, key, true) != *out)
		return np_fail(err, -EINVAL, "member '%s' is missing or is neither true nor false",
			       key);
	return 0;
}

int msg_bool_opt(const struct np_json *obj, const char *key, bool *out, struct np_err *err)
{
	*out = false;
	return np_json_is_null(np_json_get(obj, key)) ? 0 : msg_bool(obj, key, out, err);
}

int msg_session_id(const struct np_json *obj, char dst[65], struct np_err *err)
{
	int ret = msg_text(obj, "sessionId", dst, 65, err);

	if (!ret && !np_session_id_ok(dst))
		return np_fail(err, -EINVAL,
			       "member 'sessionId' may only hold letters, digits and '-'");
	return ret;
}

int msg_dup_opt(const struct np_json *obj, const char *key, size_t max, char **out,
		struct np_err *err)
{
	const char *text;

	*out = NULL;
	if (np_json_is_null(np_json_get(obj, key)))
		return 0;
	text = np_json_need_str(obj, key, max, err);
	if (!text)
		return -EINVAL;
	*out = strdup(text);
	return *out ? 0 : np_fail(err, -ENOMEM, "out of memory");
}

int msg_put_text(struct np_json *obj, const char *key, const char *text)
{
	return np_json_set_str(obj, key, text && *text ? text : NULL);
}
