// SPDX-License-Identifier: BSD-3-Clause
/* Ping response and device info (noports.md 4.2). */
#include "noports/msg.h"

#include "base/buf.h"
#include "base/err.h"
#include "json/json.h"
#include "noports/msg_fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALLOWED_MAX 4096
#define ALLOWED_LEN_MAX 512

void np_ping_response_fini(struct np_ping_response *msg)
{
	size_t i;

	for (i = 0; msg->allowed && msg->allowed[i]; i++)
		free(msg->allowed[i]);
	free(msg->allowed);
	memset(msg, 0, sizeof(*msg));
}

struct feature {
	const char *name;
	size_t offset;
	bool always; /* known since the first daemon that sends features */
};

#define FEATURE(name, field, always)                                                               \
	{                                                                                          \
		name, offsetof(struct np_ping_response, field), always                             \
	}
static const struct feature features[] = {
	FEATURE("srAuth", sr_auth, true),
	FEATURE("srE2ee", sr_e2ee, true),
	FEATURE("acceptsPublicKeys", accepts_public_keys, true),
	FEATURE("supportsPortChoice", supports_port_choice, true),
	FEATURE("adjustableTimeout", adjustable_timeout, true),
	FEATURE("controlChannelHeartbeats", control_heartbeats, false),
	FEATURE("supportsRamEscr", supports_escr, false),
	FEATURE("twinKeys", twin_keys, false),
};
#define NR_FEATURES (sizeof(features) / sizeof(features[0]))

static bool *feature_of(const struct np_ping_response *msg, const struct feature *f)
{
	return (bool *)((char *)(uintptr_t)msg + f->offset);
}

static struct np_json *features_json(const struct np_ping_response *msg)
{
	struct np_json *obj = np_json_obj();
	size_t i;

	for (i = 0; i < NR_FEATURES; i++) {
		bool on = *feature_of(msg, &features[i]);

		if ((on || features[i].always) && np_json_set_bool(obj, features[i].name, on)) {
			np_json_put(obj);
			return NULL;
		}
	}
	return obj;
}

static struct np_json *allowed_json(const struct np_ping_response *msg)
{
	struct np_json *arr = np_json_arr();
	size_t i;

	for (i = 0; msg->allowed && msg->allowed[i]; i++) {
		if (np_json_add_str(arr, msg->allowed[i])) {
			np_json_put(arr);
			return NULL;
		}
	}
	return arr;
}

int np_ping_response_write(const struct np_ping_response *msg, struct np_buf *out)
{
	struct np_json *obj = np_json_obj();
	int ret = -ENOMEM;

	if (!obj || np_json_set_str(obj, "devicename", msg->device) ||
	    np_json_set_str(obj, "deviceGroupName", msg->group[0] ? msg->group : "__none__") ||
	    np_json_set_str(obj, "version", msg->version) ||
	    np_json_set_str(obj, "corePackageVersion", msg->core))
		goto out;
	if (msg->has_features && np_json_set(obj, "supportedFeatures", features_json(msg)))
		goto out;
	if (np_json_set(obj, "allowedServices", allowed_json(msg)))
		goto out;
	ret = np_json_write(obj, out);
out:
	np_json_put(obj);
	return ret;
}

/* Entries are shown to people, nothing is decided by them here: what is no text is left out. */
static int read_allowed(const struct np_json *list, struct np_ping_response *msg,
			struct np_err *err)
{
	size_t i, n = np_json_len(list), kept = 0;

	if (!np_json_is_array(list))
		return 0;
	if (n > ALLOWED_MAX)
		return np_fail(err, -EINVAL, "allowedServices has %zu entries, accepted are %d", n,
			       ALLOWED_MAX);
	msg->allowed = calloc(n + 1, sizeof(*msg->allowed));
	if (!msg->allowed)
		return np_fail(err, -ENOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		const char *text = np_json_str_value(np_json_at(list, i));

		if (!text || strlen(text) > ALLOWED_LEN_MAX)
			continue;
		msg->allowed[kept] = strdup(text);
		if (!msg->allowed[kept++])
			return np_fail(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static int read_response(const struct np_json *json, struct np_ping_response *msg,
			 struct np_err *err)
{
	const struct np_json *on = np_json_get(json, "supportedFeatures");
	const char *device = np_json_need_str(json, "devicename", 4 * NP_DEVICE_MAX, err);
	size_t i;
	int ret;

	if (!device)
		return -EINVAL;
	if ((ret = np_device_name_parse(device, msg->device, err)) ||
	    (ret = msg_text_opt(json, "deviceGroupName", msg->group, sizeof(msg->group), "__none__",
				err)) ||
	    (ret = msg_text_opt(json, "version", msg->version, sizeof(msg->version), "", err)) ||
	    (ret = msg_text_opt(json, "corePackageVersion", msg->core, sizeof(msg->core), "", err)))
		return ret;
	msg->has_features = on && np_json_is_object(on);
	for (i = 0; msg->has_features && i < NR_FEATURES; i++)
		*feature_of(msg, &features[i]) = np_json_bool(on, features[i].name, false);
	/* One that sends no features is of the v4 line, which takes public keys (4.2). */
	if (!msg->has_features)
		msg->accepts_public_keys = true;
	return read_allowed(np_json_get(json, "allowedServices"), msg, err);
}

int np_ping_response_read(const char *text, size_t len, struct np_ping_response *msg,
			  struct np_err *err)
{
	struct np_json *json = np_json_parse(text, len, "ping response", err);
	int ret;

	memset(msg, 0, sizeof(*msg));
	if (!json)
		return -EBADMSG;
	if (np_json_is_object(json))
		ret = read_response(json, msg, err);
	else
		ret = np_fail(err, -EBADMSG, "is no JSON object");
	if (ret) {
		np_err_prefix(err, "ping response");
		np_ping_response_fini(msg);
	}
	np_json_put(json);
	return ret;
}
