// SPDX-License-Identifier: BSD-3-Clause
/* What client and relay say to each other (noports.md 4.3). */
#include "noports/msg.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"
#include "noports/msg_fields.h"

#include <errno.h>
#include <string.h>

#define ANSWER_MAX 4096

int np_relay_request_write(const struct np_relay_request *msg, struct np_buf *out)
{
	struct np_json *obj = np_json_obj();
	int ret = -ENOMEM;

	if (!obj || np_json_set_str(obj, "sessionId", msg->sid) ||
	    np_json_set_str(obj, "atSignA", msg->atsign_a) ||
	    np_json_set_str(obj, "atSignB", msg->atsign_b) ||
	    np_json_set_bool(obj, "authenticateSocketA", msg->auth_a) ||
	    np_json_set_bool(obj, "authenticateSocketB", msg->auth_b) ||
	    np_json_set_str(obj, "clientNonce", msg->client_nonce) ||
	    np_json_set_str(obj, "relayAuthMode", msg->auth_mode[0] ? msg->auth_mode : "payload") ||
	    np_json_set_null(obj, "relayAuthAesKey") ||
	    np_json_set_bool(obj, "only443", msg->only443) ||
	    np_json_set_bool(obj, "multipleAcksOk", msg->multiple_acks_ok) ||
	    np_json_set(obj, "preFetch", np_json_arr()) ||
	    np_json_set_bool(obj, "sendJsonResponse", msg->send_json_response))
		goto out;
	ret = np_json_write(obj, out);
out:
	np_json_put(obj);
	return ret;
}

static int read_request(const struct np_json *json, struct np_relay_request *msg,
			struct np_err *err)
{
	int ret;

	if (!np_json_is_object(json))
		return np_fail(err, -EBADMSG, "is no JSON object");
	if ((ret = msg_session_id(json, msg->sid, err)) ||
	    (ret = msg_text(json, "atSignA", msg->atsign_a, sizeof(msg->atsign_a), err)) ||
	    (ret = msg_text(json, "atSignB", msg->atsign_b, sizeof(msg->atsign_b), err)) ||
	    (ret = msg_bool(json, "authenticateSocketA", &msg->auth_a, err)) ||
	    (ret = msg_bool(json, "authenticateSocketB", &msg->auth_b, err)) ||
	    (ret = msg_text(json, "clientNonce", msg->client_nonce, sizeof(msg->client_nonce),
			    err)) ||
	    (ret = msg_text_opt(json, "relayAuthMode", msg->auth_mode, sizeof(msg->auth_mode),
				"payload", err)) ||
	    (ret = msg_bool_opt(json, "only443", &msg->only443, err)) ||
	    (ret = msg_bool_opt(json, "multipleAcksOk", &msg->multiple_acks_ok, err)) ||
	    (ret = msg_bool_opt(json, "sendJsonResponse", &msg->send_json_response, err)))
		return ret;
	return 0;
}

int np_relay_request_read(const char *text, size_t len, struct np_relay_request *msg,
			  struct np_err *err)
{
	struct np_json *json = np_json_parse(text, len, "relay request", err);
	int ret;

	memset(msg, 0, sizeof(*msg));
	if (!json)
		return -EBADMSG;
	ret = read_request(json, msg, err);
	if (ret)
		np_err_prefix(err, "relay request");
	np_json_put(json);
	return ret;
}

static int write_json(const struct np_relay_answer *msg, struct np_buf *out)
{
	struct np_json *obj = np_json_obj();
	int ret = -ENOMEM;

	if (!obj || np_json_set_str(obj, "address", msg->address) ||
	    np_json_set_int(obj, "portA", msg->port_a) ||
	    np_json_set_int(obj, "portB", msg->port_b) ||
	    np_json_set_str(obj, "rvdNonce", msg->rvd_nonce) ||
	    np_json_set_bool(obj, "supportsEventLogging", false) ||
	    (msg->auto_detects && np_json_set_bool(obj, "autoDetectsRelayAuth", true)))
		goto out;
	ret = np_json_write(obj, out);
out:
	np_json_put(obj);
	return ret;
}

int np_relay_answer_write(const struct np_relay_answer *msg, bool json, struct np_buf *out)
{
	if (json)
		return write_json(msg, out);
	return np_buf_printf(out, "%s,%u,%u,%s", msg->address, msg->port_a, msg->port_b,
			     msg->rvd_nonce[0] ? msg->rvd_nonce : "null");
}

static int read_json(const char *text, size_t len, struct np_relay_answer *msg, struct np_err *err)
{
	struct np_json *json = np_json_parse(text, len, "relay answer", err);
	int ret;

	if (!json)
		return -EBADMSG;
	if ((ret = msg_host(json, "address", msg->address, sizeof(msg->address), err)) ||
	    (ret = msg_port(json, "portA", &msg->port_a, err)) ||
	    (ret = msg_port(json, "portB", &msg->port_b, err)) ||
	    (ret = msg_text_opt(json, "rvdNonce", msg->rvd_nonce, sizeof(msg->rvd_nonce), "",
				err)) ||
	    (ret = msg_bool_opt(json, "autoDetectsRelayAuth", &msg->auto_detects, err)))
		np_err_prefix(err, "relay answer");
	np_json_put(json);
	return ret;
}

static int read_csv(char *text, struct np_relay_answer *msg, struct np_err *err)
{
	char *field[4] = { NULL }, *rest = text;
	unsigned int n;

	for (n = 0; n < 4 && rest; n++)
		field[n] = strsep(&rest, ",");
	if (n < 3 || rest)
		return np_fail(err, -EBADMSG,
			       "relay answer: not of the form host,portA,portB,nonce");
	if (!msg_host_ok(field[0]) || np_str_copy(msg->address, sizeof(msg->address), field[0]))
		return np_fail(err, -EINVAL,
			       "relay answer: the address is no host name or address");
	if (np_str_port(field[1], false, &msg->port_a) ||
	    np_str_port(field[2], false, &msg->port_b))
		return np_fail(err, -EINVAL, "relay answer: a port is not in 1 to 65535");
	if (field[3] &&
	    (!msg_is_ascii(field[3]) || np_str_copy(msg->rvd_nonce, NP_NONCE_MAX, field[3])))
		return np_fail(err, -EINVAL,
			       "relay answer: the nonce is no plain text of at most %d bytes",
			       NP_NONCE_MAX - 1);
	return 0;
}

int np_relay_answer_read(const char *text, size_t len, struct np_relay_answer *msg,
			 struct np_err *err)
{
	char copy[ANSWER_MAX];

	memset(msg, 0, sizeof(*msg));
	if (len && text[0] == '{')
		return read_json(text, len, msg, err);
	if (len >= sizeof(copy) || memchr(text, '\0', len))
		return np_fail(err, -EBADMSG, "relay answer: is too long or no text");
	memcpy(copy, text, len);
	copy[len] = '\0';
	return read_csv(copy, msg, err);
}
