// SPDX-License-Identifier: BSD-3-Clause
/* Control messages: the published texts byte for byte, and everything that must be refused. */
#include "noports/msg.h"

#include "base/buf.h"
#include "base/err.h"
#include "harness/ktap.h"
#include "json/json.h"

#include <errno.h>

#define SID "a65d57ed-5efa-486d-a16f-2bc37719d5ca"
#define CN "2024-06-21T22:30:19.436915"
#define RN "2024-06-21T22:30:21.307026"

static void device_names(void)
{
	static const char *const good[][2] = {
		{ "dev1", "dev1" },
		{ "My  Big Box", "my_big_box" },
		{ "a-", "a-" },
		{ "__", "__" },
		{ "9x", "9x" },
		{ "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz0123456789" },
		{ " x", "_x" },
	};
	static const char *const bad[] = {
		"",    "a",	  " ",	       "-ab",
		"a.b", "dev\nx:", "d\xc3\xa9", "abcdefghijklmnopqrstuvwxyz01234567890",
		"x@y", "a:b"
	};
	char out[NP_DEVICE_MAX];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		KTAP_EQ(np_device_name_parse(good[i][0], out, NULL), 0);
		KTAP_STREQ(out, good[i][1]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct np_err err = NP_ERR_INIT;

		if (np_device_name_parse(bad[i], out, &err) != -EINVAL)
			KTAP_FAILF("accepted '%s' as '%s'", bad[i], out);
	}
}

static void session_ids(void)
{
	KTAP_OK(np_session_id_ok(SID));
	KTAP_OK(np_session_id_ok("A1-"));
	KTAP_OK(!np_session_id_ok(""));
	KTAP_OK(!np_session_id_ok("a\nb"));
	KTAP_OK(!np_session_id_ok("a.b"));
	KTAP_OK(!np_session_id_ok(
		"0123456789012345678901234567890123456789012345678901234567890123x"));
}

static void ping_response_as_published(void)
{
	static char a[] = "localhost:22", b[] = "localhost:3389";
	char *allowed[] = { a, b, NULL };
	struct np_ping_response msg = { .device = "dev1",
					.version = "5.6.3",
					.core = "6.2.0",
					.has_features = true,
					.sr_auth = true,
					.sr_e2ee = true,
					.supports_port_choice = true,
					.adjustable_timeout = true,
					.allowed = allowed };
	struct np_buf text = NP_BUF_INIT;

	KTAP_EQ(np_ping_response_write(&msg, &text), 0);
	KTAP_STREQ(
		np_buf_str(&text),
		"{\"devicename\":\"dev1\",\"deviceGroupName\":\"__none__\",\"version\":\"5.6.3\","
		"\"corePackageVersion\":\"6.2.0\",\"supportedFeatures\":{\"srAuth\":true,"
		"\"srE2ee\":true,"
		"\"acceptsPublicKeys\":false,\"supportsPortChoice\":true,\"adjustableTimeout\":"
		"true},"
		"\"allowedServices\":[\"localhost:22\",\"localhost:3389\"]}");
	np_buf_fini(&text);
}

static void ping_response_of_other_daemons(void)
{
	const char *c_daemon =
		"{\"devicename\":\"dev1\",\"version\":\"0.2.0\",\"corePackageVersion\":\"c0.1.0\","
		"\"supportedFeatures\":{\"srAuth\":true,\"twinKeys\":true,\"new\":1},"
		"\"allowedServices\":[\"*:0\",7],\"npCpVersion\":\"1.5.0\"}";
	const char *v4 = "{\"devicename\":\"dev1\",\"version\":null}";
	struct np_ping_response msg;

	KTAP_EQ(np_ping_response_read(c_daemon, strlen(c_daemon), &msg, NULL), 0);
	KTAP_STREQ(msg.group, "__none__");
	KTAP_STREQ(msg.core, "c0.1.0");
	KTAP_OK(msg.has_features && msg.sr_auth && msg.twin_keys && !msg.sr_e2ee &&
		!msg.accepts_public_keys);
	KTAP_STREQ(msg.allowed[0], "*:0");
	KTAP_OK(!msg.allowed[1]);
	np_ping_response_fini(&msg);
	KTAP_EQ(np_ping_response_read(v4, strlen(v4), &msg, NULL), 0);
	KTAP_OK(!msg.has_features && msg.accepts_public_keys && !msg.allowed);
	np_ping_response_fini(&msg);
	KTAP_EQ(np_ping_response_read("{}", 2, &msg, NULL), -EINVAL);
	KTAP_EQ(np_ping_response_read("[]", 2, &msg, NULL), -EBADMSG);
	KTAP_EQ(np_ping_response_read("ping", 4, &msg, NULL), -EBADMSG);
}

static void relay_request_old_and_new(void)
{
	const char *old =
		"{\"sessionId\":\"" SID "\",\"atSignA\":\"@alice\",\"atSignB\":\"@device\","
		"\"authenticateSocketA\":true,\"authenticateSocketB\":false,\"clientNonce\":\"" CN
		"\"}";
	struct np_relay_request msg;
	struct np_buf text = NP_BUF_INIT;

	KTAP_EQ(np_relay_request_read(old, strlen(old), &msg, NULL), 0);
	KTAP_STREQ(msg.atsign_b, "@device");
	KTAP_OK(msg.auth_a && !msg.auth_b && !msg.only443 && !msg.send_json_response);
	KTAP_STREQ(msg.auth_mode, "payload");
	KTAP_EQ(np_relay_request_write(&msg, &text), 0);
	KTAP_STREQ(
		np_buf_str(&text),
		"{\"sessionId\":\"" SID "\",\"atSignA\":\"@alice\",\"atSignB\":\"@device\","
		"\"authenticateSocketA\":true,\"authenticateSocketB\":false,\"clientNonce\":\"" CN
		"\","
		"\"relayAuthMode\":\"payload\",\"relayAuthAesKey\":null,\"only443\":false,"
		"\"multipleAcksOk\":false,\"preFetch\":[],\"sendJsonResponse\":false}");
	np_buf_fini(&text);
}

static void relay_request_refusals(void)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"\"x\"",
		"{\"sessionId\":\"a "
		"b\",\"atSignA\":\"@a\",\"atSignB\":\"@b\",\"authenticateSocketA\":true,"
		"\"authenticateSocketB\":true,\"clientNonce\":\"n\"}",
		"{\"sessionId\":\"a\\nfrom:@x\",\"atSignA\":\"@a\",\"atSignB\":\"@b\","
		"\"authenticateSocketA\":true,"
		"\"authenticateSocketB\":true,\"clientNonce\":\"n\"}",
		"{\"sessionId\":\"a\",\"atSignA\":\"@a\\n\",\"atSignB\":\"@b\","
		"\"authenticateSocketA\":true,"
		"\"authenticateSocketB\":true,\"clientNonce\":\"n\"}",
		"{\"sessionId\":\"a\",\"atSignA\":\"@a\",\"atSignB\":\"@b\","
		"\"authenticateSocketA\":\"true\","
		"\"authenticateSocketB\":true,\"clientNonce\":\"n\"}",
		"{\"sessionId\":\"a\",\"atSignA\":\"@a\",\"atSignB\":\"@b\","
		"\"authenticateSocketA\":true,"
		"\"clientNonce\":\"n\"}",
		"{\"sessionId\":\"a\",\"atSignA\":\"@a\",\"atSignB\":\"@b\","
		"\"authenticateSocketA\":true,"
		"\"authenticateSocketB\":true,\"clientNonce\":5}",
		"{\"sessionId\":\"a\",\"atSignA\":\"@a\",\"atSignB\":\"@b\","
		"\"authenticateSocketA\":true,"
		"\"authenticateSocketB\":true,\"clientNonce\":\"n\",\"only443\":1}",
	};
	struct np_relay_request msg;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct np_err err = NP_ERR_INIT;

		if (!np_relay_request_read(bad[i], strlen(bad[i]), &msg, &err))
			KTAP_FAILF("accepted: %s", bad[i]);
		KTAP_OK(!strncmp(err.msg, "relay request", 13));
	}
}

static void relay_answer_forms(void)
{
	const char *csv = "85.239.53.170,41001,46087," RN;
	const char *json =
		"{\"address\":\"r.example\",\"portA\":1,\"portB\":65535,\"rvdNonce\":\"x\","
		"\"supportsEventLogging\":true,\"autoDetectsRelayAuth\":true}";
	struct np_relay_answer msg;
	struct np_buf text = NP_BUF_INIT;

	KTAP_EQ(np_relay_answer_read(csv, strlen(csv), &msg, NULL), 0);
	KTAP_STREQ(msg.address, "85.239.53.170");
	KTAP_EQ(msg.port_a, 41001);
	KTAP_EQ(msg.port_b, 46087);
	KTAP_STREQ(msg.rvd_nonce, RN);
	KTAP_EQ(np_relay_answer_write(&msg, false, &text), 0);
	KTAP_STREQ(np_buf_str(&text), csv);
	np_buf_fini(&text);
	KTAP_EQ(np_relay_answer_write(&msg, true, &text), 0);
	KTAP_STREQ(np_buf_str(&text),
		   "{\"address\":\"85.239.53.170\",\"portA\":41001,\"portB\":46087,"
		   "\"rvdNonce\":\"" RN "\",\"supportsEventLogging\":false}");
	np_buf_fini(&text);
	KTAP_EQ(np_relay_answer_read(json, strlen(json), &msg, NULL), 0);
	KTAP_OK(msg.auto_detects);
	KTAP_EQ(msg.port_b, 65535);
	KTAP_EQ(np_relay_answer_read("h,1,2", 5, &msg, NULL), 0);
	KTAP_STREQ(msg.rvd_nonce, "");
	KTAP_EQ(np_relay_answer_read("2001:db8::1,1,2,n", 17, &msg, NULL), 0);
	KTAP_STREQ(msg.address, "2001:db8::1");
}

static void relay_answer_refusals(void)
{
	static const char *const bad[] = {
		"",
		"h",
		"h,1",
		"h,0,2,n",
		"h,1,65536,n",
		"h,1,65558,n",
		"h,1.5,2,n",
		"h,+1,2,n",
		"h, 1,2,n",
		"h,1,2,n,m",
		",1,2,n",
		"h h,1,2,n",
		"h\n,1,2,n",
		"h,1,2,a\x10"
		"b",
		"h,1,2,\xff",
		"no relay for you",
		"{\"address\":\"h\",\"portA\":0,\"portB\":2,\"rvdNonce\":\"x\"}",
		"{\"address\":\"h\",\"portA\":1.0,\"portB\":2,\"rvdNonce\":\"x\"}",
		"{\"address\":\"h\",\"portA\":\"1\",\"portB\":2,\"rvdNonce\":\"x\"}",
		"{\"address\":\"\",\"portA\":1,\"portB\":2,\"rvdNonce\":\"x\"}",
		"{",
	};
	struct np_relay_answer msg;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!np_relay_answer_read(bad[i], strlen(bad[i]), &msg, NULL))
			KTAP_FAILF("accepted: %s", bad[i]);
}

static int read_request(const char *text, bool is_npt, struct np_session_request *msg,
			struct np_err *err)
{
	struct np_json *json = np_json_parse(text, strlen(text), "test", NULL);
	int ret = json ? np_session_request_read(json, is_npt, msg, err) : -1;

	np_json_put(json);
	return ret;
}

static void check_payload(const struct np_session_request *msg, const char *want)
{
	struct np_json *json = np_session_request_payload(msg);
	struct np_buf text = NP_BUF_INIT;

	np_json_write(json, &text);
	KTAP_STREQ(np_buf_str(&text), want);
	np_buf_fini(&text);
	np_json_put(json);
}

static void npt_request_as_published(void)
{
	const char *text =
		"{\"sessionId\":\"" SID "\",\"rvdHost\":\"85.239.53.170\",\"rvdPort\":46087,"
		"\"requestedPort\":8080,\"requestedHost\":\"localhost\",\"authenticateToRvd\":true,"
		"\"relayAuthMode\":\"payload\",\"relayAuthAesKey\":null,\"clientNonce\":\"" CN "\","
		"\"rvdNonce\":\"" RN "\",\"encryptRvdTraffic\":true,\"clientEphemeralPK\":\"MIIB\","
		"\"clientEphemeralPKType\":\"rsa2048\",\"timeout\":30000,\"twinKeys\":true,"
		"\"relayAtsign\":\"@rv_am\"}";
	struct np_session_request msg;

	KTAP_EQ(read_request(text, true, &msg, NULL), 0);
	KTAP_STREQ(msg.target_host, "localhost");
	KTAP_EQ(msg.target_port, 8080);
	KTAP_EQ(msg.timeout_ms, 30000);
	KTAP_OK(msg.twin_keys && msg.encrypt && msg.auth_to_rvd);
	check_payload(&msg, text);
	np_session_request_fini(&msg);
}

static void ssh_request_old_and_new(void)
{
	const char *old =
		"{\"direct\":true,\"sessionId\":\"" SID "\",\"host\":\"h\",\"port\":46087,"
		"\"authenticateToRvd\":null,\"clientNonce\":null,\"rvdNonce\":null,"
		"\"encryptRvdTraffic\":null,\"clientEphemeralPK\":null,\"clientEphemeralPKType\":"
		"null}";
	struct np_session_request msg;

	KTAP_EQ(read_request(old, false, &msg, NULL), 0);
	KTAP_OK(!msg.encrypt && !msg.auth_to_rvd && !msg.twin_keys && !msg.client_pk);
	KTAP_STREQ(msg.auth_mode, "payload");
	check_payload(
		&msg,
		"{\"direct\":true,\"sessionId\":\"" SID "\",\"host\":\"h\",\"port\":46087,"
		"\"authenticateToRvd\":false,\"relayAuthMode\":\"payload\",\"relayAuthAesKey\":"
		"null,"
		"\"clientNonce\":null,\"rvdNonce\":null,\"encryptRvdTraffic\":false,"
		"\"clientEphemeralPK\":null,\"clientEphemeralPKType\":null,\"twinKeys\":false,"
		"\"relayAtsign\":null}");
	np_session_request_fini(&msg);
}

/* One good ssh_request, with the member given replaced. */
static int with_member(const char *key, const char *value, struct np_err *err)
{
	static const char *const members[][2] = {
		{ "direct", "true" },
		{ "sessionId", "\"" SID "\"" },
		{ "host", "\"h\"" },
		{ "port", "46087" },
		{ "authenticateToRvd", "true" },
		{ "clientNonce", "\"" CN "\"" },
		{ "rvdNonce", "\"" RN "\"" },
		{ "encryptRvdTraffic", "true" },
		{ "clientEphemeralPK", "\"MIIB\"" },
		{ "clientEphemeralPKType", "\"rsa2048\"" },
		{ "twinKeys", "false" },
	};
	struct np_buf text = NP_BUF_INIT;
	struct np_session_request msg;
	size_t i;
	int ret;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		np_buf_printf(&text, "%c\"%s\":%s", i ? ',' : '{', members[i][0],
			      strcmp(key, members[i][0]) ? members[i][1] : value);
	np_buf_append_str(&text, "}");
	ret = read_request(np_buf_str(&text), false, &msg, err);
	if (!ret)
		np_session_request_fini(&msg);
	np_buf_fini(&text);
	return ret;
}

static void request_refusals_name_the_member(void)
{
	static const char *const bad[][2] = {
		{ "port", "0" },
		{ "port", "65536" },
		{ "port", "65558" },
		{ "port", "-1" },
		{ "port", "22.0" },
		{ "port", "22.5" },
		{ "port", "\"22\"" },
		{ "port", "null" },
		{ "port", "true" },
		{ "direct", "false" },
		{ "direct", "1" },
		{ "sessionId", "\"a\\nb\"" },
		{ "sessionId", "7" },
		{ "sessionId", "\"\"" },
		{ "host", "\"a b\"" },
		{ "host", "\"\"" },
		{ "host", "\"a\\u0000b\"" },
		{ "authenticateToRvd", "\"yes\"" },
		{ "clientNonce", "null" },
		{ "clientNonce", "\"a\\u0001\"" },
		{ "encryptRvdTraffic", "1" },
		{ "clientEphemeralPK", "null" },
		{ "clientEphemeralPK", "7" },
		{ "clientEphemeralPKType", "\"ecc\"" },
		{ "clientEphemeralPKType", "null" },
		{ "twinKeys", "\"true\"" },
	};
	size_t i;

	KTAP_EQ(with_member("none", "", NULL), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct np_err err = NP_ERR_INIT;

		if (!with_member(bad[i][0], bad[i][1], &err))
			KTAP_FAILF("accepted %s=%s", bad[i][0], bad[i][1]);
		else if (err.code && !strstr(err.msg, bad[i][0]))
			KTAP_FAILF("message does not name %s: %s", bad[i][0], err.msg);
	}
}

static void npt_request_ports_are_bounded(void)
{
	static const char *const ports[] = { "0",    "65536",  "65558", "65614",
					     "22.0", "\"22\"", "-22",	"1e2" };
	char text[512];
	struct np_session_request msg;
	size_t i;

	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		snprintf(
			text, sizeof(text),
			"{\"sessionId\":\"s\",\"rvdHost\":\"h\",\"rvdPort\":1,\"requestedPort\":%s,"
			"\"requestedHost\":\"localhost\"}",
			ports[i]);
		if (!read_request(text, true, &msg, NULL))
			KTAP_FAILF("accepted %s", ports[i]);
	}
	snprintf(text, sizeof(text),
		 "{\"sessionId\":\"s\",\"rvdHost\":\"h\",\"rvdPort\":1,\"requestedPort\":22,"
		 "\"requestedHost\":\"localhost\"}");
	KTAP_EQ(read_request(text, true, &msg, NULL), 0);
	KTAP_EQ(msg.timeout_ms, 60000);
	np_session_request_fini(&msg);
}

static void check_answer(const struct np_session_answer *msg, const char *want)
{
	struct np_json *json = np_session_answer_payload(msg);
	struct np_buf text = NP_BUF_INIT;

	np_json_write(json, &text);
	KTAP_STREQ(np_buf_str(&text), want);
	np_buf_fini(&text);
	np_json_put(json);
}

static void answers_as_published(void)
{
	static char c[] = "C", ci[] = "CI", d[] = "D", di[] = "DI";
	struct np_session_answer msg = { .sid = SID,
					 .key_c2d = c,
					 .iv_c2d = ci,
					 .key_d2c = d,
					 .iv_d2c = di,
					 .twin_keys = true };

	check_answer(&msg,
		     "{\"status\":\"connected\",\"sessionId\":\"" SID "\",\"aesKeyC2D\":\"C\","
		     "\"ivC2D\":\"CI\",\"aesKeyD2C\":\"D\",\"ivD2C\":\"DI\",\"eventLoggingConfig\":"
		     "null}");
	msg.twin_keys = false;
	check_answer(&msg,
		     "{\"status\":\"connected\",\"sessionId\":\"" SID "\",\"sessionAESKey\":\"C\","
		     "\"sessionIV\":\"CI\"}");
	np_secret_set(&msg.ephemeral_private_key, "PEM\n", 4);
	msg.key_c2d = msg.iv_c2d = NULL;
	check_answer(&msg, "{\"status\":\"connected\",\"sessionId\":\"" SID
			   "\",\"ephemeralPrivateKey\":\"PEM\\n\","
			   "\"sessionAESKey\":null,\"sessionIV\":null}");
	np_secret_fini(&msg.ephemeral_private_key);
}

static int read_answer(const char *text, struct np_session_answer *msg)
{
	struct np_json *json = np_json_parse(text, strlen(text), "test", NULL);
	int ret = json ? np_session_answer_read(json, msg, NULL) : -1;

	np_json_put(json);
	return ret;
}

static void answers_of_both_generations(void)
{
	struct np_session_answer msg;

	/* The Python daemon's three members (trap 27). */
	KTAP_EQ(read_answer("{\"status\":\"connected\",\"sessionId\":\"s\",\"ephemeralPrivateKey\":"
			    "\"k\"}",
			    &msg),
		0);
	KTAP_STREQ(np_secret_str(&msg.ephemeral_private_key), "k");
	KTAP_OK(!msg.key_c2d && !msg.twin_keys);
	np_session_answer_fini(&msg);
	KTAP_EQ(read_answer("{\"sessionId\":\"s\",\"sessionAESKey\":null,\"aesKeyC2D\":\"a\","
			    "\"ivC2D\":\"b\","
			    "\"aesKeyD2C\":null,\"ivD2C\":null}",
			    &msg),
		0);
	KTAP_STREQ(msg.key_c2d, "a");
	KTAP_OK(!msg.twin_keys);
	np_session_answer_fini(&msg);
	KTAP_EQ(read_answer("{\"sessionId\":7}", &msg), -EINVAL);
	KTAP_EQ(read_answer("{\"status\":\"connected\"}", &msg), -EINVAL);
	KTAP_EQ(read_answer("{\"sessionId\":\"s\",\"sessionAESKey\":\"a\"}", &msg), -EINVAL);
	KTAP_EQ(read_answer("{\"sessionId\":\"s\",\"aesKeyD2C\":\"a\",\"ivD2C\":\"b\"}", &msg),
		-EINVAL);
	KTAP_EQ(read_answer("[]", &msg), -EBADMSG);
}

int main(void)
{
	KTAP_RUN(device_names);
	KTAP_RUN(session_ids);
	KTAP_RUN(ping_response_as_published);
	KTAP_RUN(ping_response_of_other_daemons);
	KTAP_RUN(relay_request_old_and_new);
	KTAP_RUN(relay_request_refusals);
	KTAP_RUN(relay_answer_forms);
	KTAP_RUN(relay_answer_refusals);
	KTAP_RUN(npt_request_as_published);
	KTAP_RUN(ssh_request_old_and_new);
	KTAP_RUN(request_refusals_name_the_member);
	KTAP_RUN(npt_request_ports_are_bounded);
	KTAP_RUN(answers_as_published);
	KTAP_RUN(answers_of_both_generations);
	return ktap_done();
}
