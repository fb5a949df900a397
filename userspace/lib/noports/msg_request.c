// SPDX-License-Identifier: BSD-3-Clause
/* ssh_request and npt_request (noports.md 4.4). */
#include "noports/msg.h"

#include "base/err.h"
#include "crypto/b64.h"
#include "json/json.h"
#include "noports/msg_fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_PK_MAX 1024
#define RELAY_KEY_LEN 32
#define SSH_TIMEOUT_MS 30000
#define NPT_TIMEOUT_MS 60000
#define TIMEOUT_MAX_MS (366LL * 24 * 3600 * 1000)

void np_session_request_fini(struct np_session_request *msg)
{
	free(msg->client_pk);
	np_secret_fini(&msg->relay_key);
	memset(msg, 0, sizeof(*msg));
}

static int put_ssh_target(struct np_json *obj, const struct np_session_request *msg)
{
	if (np_json_set_bool(obj, "direct", true) || np_json_set_str(obj, "sessionId", msg->sid) ||
	    np_json_set_str(obj, "host", msg->host) || np_json_set_int(obj, "port", msg->port))
		return -ENOMEM;
	return 0;
}

static int put_npt_target(struct np_json *obj, const struct np_session_request *msg)
{
	if (np_json_set_str(obj, "sessionId", msg->sid) ||
	    np_json_set_str(obj, "rvdHost", msg->host) ||
	    np_json_set_int(obj, "rvdPort", msg->port) ||
	    np_json_set_int(obj, "requestedPort", msg->target_port) ||
	    np_json_set_str(obj, "requestedHost", msg->target_host))
		return -ENOMEM;
	return 0;
}

static int put_relay_key(struct np_json *obj, const struct np_secret *key)
{
	char text[NP_B64_LEN(RELAY_KEY_LEN) + 1];
	int ret;

	if (!key->len)
		return np_json_set_null(obj, "relayAuthAesKey");
	if (key->len != RELAY_KEY_LEN)
		return -EINVAL;
	np_b64_encode(key->data, key->len, text);
	ret = np_json_set_str(obj, "relayAuthAesKey", text);
	np_wipe(text, sizeof(text));
	return ret;
}

struct np_json *np_session_request_payload(const struct np_session_request *msg)
{
	struct np_json *obj = np_json_obj();

	if (!obj || (msg->is_npt ? put_npt_target(obj, msg) : put_ssh_target(obj, msg)) ||
	    np_json_set_bool(obj, "authenticateToRvd", msg->auth_to_rvd) ||
	    np_json_set_str(obj, "relayAuthMode", msg->auth_mode[0] ? msg->auth_mode : "payload") ||
	    put_relay_key(obj, &msg->relay_key) ||
	    msg_put_text(obj, "clientNonce", msg->client_nonce) ||
	    msg_put_text(obj, "rvdNonce", msg->rvd_nonce) ||
	    np_json_set_bool(obj, "encryptRvdTraffic", msg->encrypt) ||
	    msg_put_text(obj, "clientEphemeralPK", msg->client_pk) ||
	    np_json_set_str(obj, "clientEphemeralPKType", msg->client_pk ? "rsa2048" : NULL) ||
	    (msg->is_npt && np_json_set_int(obj, "timeout", (int64_t)msg->timeout_ms)) ||
	    np_json_set_bool(obj, "twinKeys", msg->twin_keys) ||
	    msg_put_text(obj, "relayAtsign", msg->relay_atsign)) {
		np_json_put(obj);
		return NULL;
	}
	return obj;
}

static int read_ssh_target(const struct np_json *payload, struct np_session_request *msg,
			   struct np_err *err)
{
	bool direct;
	int ret;

	if ((ret = msg_bool(payload, "direct", &direct, err)) ||
	    (ret = msg_host(payload, "host", msg->host, sizeof(msg->host), err)) ||
	    (ret = msg_port(payload, "port", &msg->port, err)))
		return ret;
	if (!direct)
		return np_fail(err, -EOPNOTSUPP, "reverse ssh ('direct' false) is not available");
	msg->timeout_ms = SSH_TIMEOUT_MS;
	return 0;
}

static int read_npt_target(const struct np_json *payload, struct np_session_request *msg,
			   struct np_err *err)
{
	int64_t timeout = NPT_TIMEOUT_MS;
	int ret;

	if ((ret = msg_host(payload, "rvdHost", msg->host, sizeof(msg->host), err)) ||
	    (ret = msg_port(payload, "rvdPort", &msg->port, err)) ||
	    (ret = msg_port(payload, "requestedPort", &msg->target_port, err)) ||
	    (ret = msg_host(payload, "requestedHost", msg->target_host, sizeof(msg->target_host),
			    err)))
		return ret;
	if (!np_json_is_null(np_json_get(payload, "timeout"))) {
		ret = np_json_need_int(payload, "timeout", 1, TIMEOUT_MAX_MS, &timeout, err);
		if (ret)
			return ret;
	}
	msg->timeout_ms = (uint64_t)timeout;
	return 0;
}

static int read_client_pk(const struct np_json *payload, struct np_session_request *msg,
			  struct np_err *err)
{
	char type[32];
	int ret;

	if ((ret = msg_dup_opt(payload, "clientEphemeralPK", CLIENT_PK_MAX, &msg->client_pk,
			       err)) ||
	    (ret = msg_text_opt(payload, "clientEphemeralPKType", type, sizeof(type), "", err)))
		return ret;
	if (msg->client_pk && strcmp(type, "rsa2048"))
		return np_fail(err, -EINVAL, "clientEphemeralPKType is '%s', accepted is rsa2048",
			       type);
	if (msg->encrypt && !msg->client_pk)
		return np_fail(err, -EINVAL,
			       "encryptRvdTraffic is set and clientEphemeralPK is missing");
	return 0;
}

static int read_relay_key(const struct np_json *payload, struct np_session_request *msg,
			  struct np_err *err)
{
	char *text = NULL;
	int ret = msg_dup_opt(payload, "relayAuthAesKey", NP_B64_LEN(RELAY_KEY_LEN), &text, err);

	if (!ret && text &&
	    (np_b64_decode_secret(text, strlen(text), &msg->relay_key) ||
	     msg->relay_key.len != RELAY_KEY_LEN))
		ret = np_fail(err, -EINVAL, "relayAuthAesKey is not the base64 of %d bytes",
			      RELAY_KEY_LEN);
	if (text)
		np_wipe(text, strlen(text));
	free(text);
	return ret;
}

static int read_common(const struct np_json *payload, struct np_session_request *msg,
		       struct np_err *err)
{
	int ret;

	if ((ret = msg_session_id(payload, msg->sid, err)) ||
	    (ret = msg_bool_opt(payload, "authenticateToRvd", &msg->auth_to_rvd, err)) ||
	    (ret = msg_text_opt(payload, "relayAuthMode", msg->auth_mode, sizeof(msg->auth_mode),
				"payload", err)) ||
	    (ret = msg_text_opt(payload, "clientNonce", msg->client_nonce, NP_NONCE_MAX, "",
				err)) ||
	    (ret = msg_text_opt(payload, "rvdNonce", msg->rvd_nonce, NP_NONCE_MAX, "", err)) ||
	    (ret = msg_bool_opt(payload, "encryptRvdTraffic", &msg->encrypt, err)) ||
	    (ret = msg_bool_opt(payload, "twinKeys", &msg->twin_keys, err)) ||
	    (ret = msg_text_opt(payload, "relayAtsign", msg->relay_atsign,
				sizeof(msg->relay_atsign), "", err)))
		return ret;
	if (msg->auth_to_rvd && (!msg->client_nonce[0] || !msg->rvd_nonce[0]))
		return np_fail(err, -EINVAL,
			       "authenticateToRvd is set and clientNonce or rvdNonce is missing");
	ret = read_relay_key(payload, msg, err);
	return ret ? ret : read_client_pk(payload, msg, err);
}

int np_session_request_read(const struct np_json *payload, bool is_npt,
			    struct np_session_request *msg, struct np_err *err)
{
	const char *what = is_npt ? "npt_request" : "ssh_request";
	int ret;

	memset(msg, 0, sizeof(*msg));
	if (!np_json_is_object(payload))
		return np_fail(err, -EBADMSG, "%s: is no JSON object", what);
	msg->is_npt = is_npt;
	ret = read_common(payload, msg, err);
	if (!ret)
		ret = is_npt ? read_npt_target(payload, msg, err)
			     : read_ssh_target(payload, msg, err);
	if (ret) {
		np_err_prefix(err, "%s", what);
		np_session_request_fini(msg);
	}
	return ret;
}
