// SPDX-License-Identifier: BSD-3-Clause
/* struct np_json is jansson's json_t; the cast is in one place each way. */
#include "json/json.h"

#include "base/buf.h"
#include "base/err.h"
#include "json/jcanon.h"

#include <jansson.h>

#include <errno.h>
#include <string.h>

#define MAX_TEXT (16u << 20)

static json_t *raw(const struct np_json *json)
{
	return (json_t *)(uintptr_t)json;
}

static struct np_json *wrap(json_t *json)
{
	return (struct np_json *)json;
}

struct np_json *np_json_parse(const char *text, size_t len, const char *what, struct np_err *err)
{
	json_error_t jerr;
	json_t *json;

	if (len > MAX_TEXT) {
		np_fail(err, -EFBIG, "%s: JSON of %zu bytes is too large", what, len);
		return NULL;
	}
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &jerr);
	if (!json)
		np_fail(err, -EBADMSG, "%s: not valid JSON: %s (byte %d)", what, jerr.text, jerr.position);
	return wrap(json);
}

void np_json_put(struct np_json *json)
{
	json_decref(raw(json));
}

struct np_json *np_json_ref(const struct np_json *json)
{
	return wrap(json_incref(raw(json)));
}

static int collect(const char *data, size_t len, void *arg)
{
	return np_buf_append(arg, data, len) ? -1 : 0;
}

int np_json_write(const struct np_json *json, struct np_buf *buf)
{
	size_t start = buf->len;

	if (json_dump_callback(raw(json), collect, buf, JSON_COMPACT | JSON_ENCODE_ANY))
		return -ENOMEM;
	np_jcanon_lower_escapes((char *)buf->data + start, buf->len - start);
	return 0;
}

int np_json_write_pretty(const struct np_json *json, struct np_buf *buf)
{
	return json_dump_callback(raw(json), collect, buf, JSON_INDENT(2) | JSON_ENCODE_ANY) ? -ENOMEM : 0;
}

const struct np_json *np_json_get(const struct np_json *obj, const char *key)
{
	return wrap(json_object_get(raw(obj), key));
}

/* A NUL inside text would let two readers see two different strings. */
static const char *clean_str(const json_t *val)
{
	if (!json_is_string(val) || strlen(json_string_value(val)) != json_string_length(val))
		return NULL;
	return json_string_value(val);
}

const char *np_json_str(const struct np_json *obj, const char *key)
{
	return clean_str(json_object_get(raw(obj), key));
}

bool np_json_bool(const struct np_json *obj, const char *key, bool dflt)
{
	json_t *val = json_object_get(raw(obj), key);

	return json_is_boolean(val) ? json_is_true(val) : dflt;
}

int64_t np_json_int(const struct np_json *obj, const char *key, int64_t dflt)
{
	return np_json_int_value(np_json_get(obj, key), dflt);
}

bool np_json_is_object(const struct np_json *json)
{
	return json_is_object(raw(json));
}

bool np_json_is_array(const struct np_json *json)
{
	return json_is_array(raw(json));
}

bool np_json_is_null(const struct np_json *json)
{
	return !json || json_is_null(raw(json));
}

const char *np_json_str_value(const struct np_json *json)
{
	return clean_str(raw(json));
}

int64_t np_json_int_value(const struct np_json *json, int64_t dflt)
{
	return json_is_integer(raw(json)) ? json_integer_value(raw(json)) : dflt;
}

const char *np_json_need_str(const struct np_json *obj, const char *key, size_t max, struct np_err *err)
{
	const char *text = np_json_str(obj, key);

	if (!text)
		np_fail(err, -EINVAL, "member '%s' is missing or is no text", key);
	else if (strlen(text) > max)
		np_fail(err, -EINVAL, "member '%s' is longer than %zu bytes", key, max);
	else
		return text;
	return NULL;
}

int np_json_need_int(const struct np_json *obj, const char *key, int64_t min, int64_t max, int64_t *out,
		     struct np_err *err)
{
	json_t *val = json_object_get(raw(obj), key);

	if (!json_is_integer(val))
		return np_fail(err, -EINVAL, "member '%s' is missing or is no whole number", key);
	*out = json_integer_value(val);
	if (*out < min || *out > max)
		return np_fail(err, -EINVAL, "member '%s' is %lld, accepted are %lld to %lld", key,
			       (long long)*out, (long long)min, (long long)max);
	return 0;
}

size_t np_json_len(const struct np_json *array)
{
	return json_array_size(raw(array));
}

const struct np_json *np_json_at(const struct np_json *array, size_t index)
{
	return wrap(json_array_get(raw(array), index));
}

void np_json_each(const struct np_json *obj,
		  bool (*fn)(const char *key, const struct np_json *value, void *arg), void *arg)
{
	const char *key;
	json_t *val;

	json_object_foreach(raw(obj), key, val)
		if (!fn(key, wrap(val), arg))
			return;
}

struct np_json *np_json_obj(void)
{
	return wrap(json_object());
}

struct np_json *np_json_arr(void)
{
	return wrap(json_array());
}

int np_json_set(struct np_json *obj, const char *key, struct np_json *value)
{
	if (!value)
		return -EINVAL;
	return json_object_set_new(raw(obj), key, raw(value)) ? -ENOMEM : 0;
}

int np_json_set_str(struct np_json *obj, const char *key, const char *text)
{
	return np_json_set(obj, key, wrap(text ? json_string(text) : json_null()));
}

int np_json_set_int(struct np_json *obj, const char *key, int64_t value)
{
	return np_json_set(obj, key, wrap(json_integer(value)));
}

int np_json_set_bool(struct np_json *obj, const char *key, bool value)
{
	return np_json_set(obj, key, wrap(json_boolean(value)));
}

int np_json_set_null(struct np_json *obj, const char *key)
{
	return np_json_set(obj, key, wrap(json_null()));
}

int np_json_add(struct np_json *array, struct np_json *value)
{
	if (!value)
		return -EINVAL;
	return json_array_append_new(raw(array), raw(value)) ? -ENOMEM : 0;
}

int np_json_add_str(struct np_json *array, const char *text)
{
	return np_json_add(array, wrap(json_string(text)));
}
