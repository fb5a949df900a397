// SPDX-License-Identifier: BSD-3-Clause
/* The daemon's answer to a session request (noports.md 4.4). */
#include "noports/msg.h"

#include "base/err.h"
#include "json/json.h"
#include "noports/msg_fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CIPHER_MAX 1024
#define PEM_MAX 8192

static void wipe_text(char **text)
{
	if (*text)
		np_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void np_session_answer_fini(struct np_session_answer *msg)
{
	np_secret_fini(&msg->ephemeral_private_key);
	wipe_text(&msg->key_c2d);
	wipe_text(&msg->iv_c2d);
	wipe_text(&msg->key_d2c);
	wipe_text(&msg->iv_d2c);
	memset(msg, 0, sizeof(*msg));
}

static int put_keys(struct np_json *obj, const struct np_session_answer *msg)
{
	if (!msg->twin_keys)
		return np_json_set_str(obj, "sessionAESKey", msg->key_c2d) ||
		       np_json_set_str(obj, "sessionIV", msg->iv_c2d);
	return np_json_set_str(obj, "aesKeyC2D", msg->key_c2d) ||
	       np_json_set_str(obj, "ivC2D", msg->iv_c2d) ||
	       np_json_set_str(obj, "aesKeyD2C", msg->key_d2c) ||
	       np_json_set_str(obj, "ivD2C", msg->iv_d2c) ||
	       np_json_set_null(obj, "eventLoggingConfig");
}

struct np_json *np_session_answer_payload(const struct np_session_answer *msg)
{
	struct np_json *obj = np_json_obj();

	if (!obj || np_json_set_str(obj, "status", "connected") ||
	    np_json_set_str(obj, "sessionId", msg->sid) ||
	    (msg->ephemeral_private_key.len &&
	     np_json_set_str(obj, "ephemeralPrivateKey",
			     np_secret_str(&msg->ephemeral_private_key))) ||
	    put_keys(obj, msg)) {
		np_json_put(obj);
		return NULL;
	}
	return obj;
}

/* Both generations of member names are accepted, whatever was asked for. */
static int read_either(const struct np_json *payload, const char *old_name, const char *new_name,
		       char **out, struct np_err *err)
{
	int ret = msg_dup_opt(payload, old_name, CIPHER_MAX, out, err);

	return ret || *out ? ret : msg_dup_opt(payload, new_name, CIPHER_MAX, out, err);
}

static int read_pem(const struct np_json *payload, struct np_session_answer *msg,
		    struct np_err *err)
{
	const char *text;

	if (np_json_is_null(np_json_get(payload, "ephemeralPrivateKey")))
		return 0;
	text = np_json_need_str(payload, "ephemeralPrivateKey", PEM_MAX, err);
	if (!text)
		return -EINVAL;
	return np_secret_set(&msg->ephemeral_private_key, text, strlen(text));
}

static int read_answer(const struct np_json *payload, struct np_session_answer *msg,
		       struct np_err *err)
{
	int ret;

	if ((ret = msg_session_id(payload, msg->sid, err)) || (ret = read_pem(payload, msg, err)) ||
	    (ret = read_either(payload, "sessionAESKey", "aesKeyC2D", &msg->key_c2d, err)) ||
	    (ret = read_either(payload, "sessionIV", "ivC2D", &msg->iv_c2d, err)) ||
	    (ret = msg_dup_opt(payload, "aesKeyD2C", CIPHER_MAX, &msg->key_d2c, err)) ||
	    (ret = msg_dup_opt(payload, "ivD2C", CIPHER_MAX, &msg->iv_d2c, err)))
		return ret;
	if (!msg->key_c2d != !msg->iv_c2d || !msg->key_d2c != !msg->iv_d2c ||
	    (msg->key_d2c && !msg->key_c2d))
		return np_fail(err, -EINVAL, "a key without its IV, or the other way round");
	msg->twin_keys = msg->key_d2c != NULL;
	return 0;
}

int np_session_answer_read(const struct np_json *payload, struct np_session_answer *msg,
			   struct np_err *err)
{
	int ret;

	memset(msg, 0, sizeof(*msg));
	if (np_json_is_object(payload))
		ret = read_answer(payload, msg, err);
	else
		ret = np_fail(err, -EBADMSG, "is no JSON object");
	if (ret) {
		np_err_prefix(err, "session answer");
		np_session_answer_fini(msg);
	}
	return ret;
}
