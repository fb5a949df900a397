// SPDX-License-Identifier: BSD-3-Clause
/*
 * What real clients send (atprotocol.md 18.2, 19) against our server, whole and cut into single
 * bytes. Every answer is compared with its record boundaries: "[data:success|@dev@]" is one TLS
 * record with its prompt.
 */
#include "atsrv.h"

#include "base/str.h"
#include "harness/ktap.h"

static struct srv_node node;
static struct srv_client c, c2, monitor;

static void start(const char *const *atsigns)
{
	srv_node_init(&node, atsigns);
	srv_node_start(&node);
}

static void play(const struct srv_step *steps)
{
	KTAP_OK(srv_play(&c, steps));
}

/* 18.2: at_activate onboard of the Dart tools. */
static void dart_onboards(void)
{
	static const char *const atsigns[] = {"@alice", NULL};
	static const struct srv_step first[] = {
		{"scan\n", "[data:[\"signing_publickey@alice\"]|@]"},
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"cram:{cram}\n", "[data:success|@alice@]"},
		{"enroll:request:{\"appName\":\"firstApp\",\"deviceName\":\"firstDevice\","
		 "\"encryptedDefaultEncryptionPrivateKey\":\"AAA=\","
		 "\"encryptedDefaultSelfEncryptionKey\":\"BBB=\","
		 "\"apkamPublicKey\":\"{pub}\"}\n",
		 "[data:{\"enrollmentId\":\"{newid}\",\"status\":\"approved\"}|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step second[] = {
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"pkam:signingAlgo:rsa2048:hashingAlgo:sha256:enrollmentId:{id}:{sig}\n",
		 "[data:success|@alice@]"},
		{"update:isEncrypted:false:public:publickey@alice {pub}\n", "[data:2|@alice@]"},
		{"delete:privatekey:at_secret\n", "[data:-1|@alice@]"},
		{"keys:get:keyName:{id}.default_enc_private_key.__manage@alice\n",
		 "[data:{\"value\":\"AAA=\"}|@alice@]"},
		{"keys:get:keyName:{id}.default_self_enc_key.__manage@alice\n",
		 "[data:{\"value\":\"BBB=\"}|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step third[] = {
		{"scan\n", "[data:[\"firstapp.firstdevice.pkam.__pkams.__public_keys@alice\",\"publickey@"
			   "alice\",\"signing_publickey@alice\"]|@]"},
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"cram:{cram}\n",
		 "[error:AT0015-Exception: privatekey:at_secret does not exist in keystore|@]"},
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"pkam:{sig}\n",
		 "[data:success|@alice@]"}, /* legacy pkam works with the same key */
		{"@exit\n", NULL},
		{NULL, NULL}};

	start(atsigns);
	srv_connect(&c, &node, false);
	KTAP_STREQ(np_buf_str(&c.seen), "[@]");
	play(first);
	srv_hang_up(&c);
	srv_connect(&c, &node, false);
	play(second);
	srv_hang_up(&c);
	srv_connect(&c, &node, false);
	play(third);
	srv_hang_up(&c);
	srv_node_fini(&node);
}

/* 18.2: the older flow of Python and Java. */
static void python_onboards(void)
{
	static const char *const atsigns[] = {"@alice", "@bob", NULL};
	static const struct srv_step steps[] = {
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"cram:{cram}\n", "[data:success|@alice@]"},
		{"update:privatekey:at_pkam_publickey {pub}\n", "[data:-1|@alice@]"},
		{"from:@alice\n", "[data:{challenge}|@alice@]"},
		{"pkam:{sig}\n", "[data:success|@alice@]"},
		{"update:public:publickey@alice {pub}\n", "[data:2|@alice@]"},
		{"delete:privatekey:at_secret\n", "[data:-1|@alice@]"},
		{NULL, NULL}};

	start(atsigns);
	srv_connect(&c, &node, false);
	play(steps);
	srv_hang_up(&c);
	srv_node_fini(&node);
}

static void start_pair(void)
{
	static const char *const atsigns[] = {"@alice", "@dev", NULL};

	start(atsigns);
	srv_activate(&node, "@alice");
	srv_activate(&node, "@dev");
}

/* 19.1: command connection of sshnpd in Dart; its errors are JSON because it names its version. */
static void dart_daemon(void)
{
	static const struct srv_step steps[] = {
		{"from:@dev:clientConfig:{\"version\":\"3.3.0\",\"clientId\":\"123456\"}\n",
		 "[data:{challenge}|@]"},
		{"pkam:signingAlgo:rsa2048:hashingAlgo:sha256:{sig}\n", "[data:success|@dev@]"},
		{"plookup:all:publickey@alice\n",
		 "[data:{\"key\":\"public:publickey@alice\",\"data\":\"MIIB{any}\",\"metaData\":{"
		 "\"createdBy\":\"@alice\","
		 "\"updatedBy\":\"@alice\",\"createdAt\":\"{time}\",\"updatedAt\":\"{time}\","
		 "\"status\":\"active\","
		 "\"version\":0}}|@dev@]"},
		{"llookup:shared_key.alice@dev\n",
		 "[error:{\"errorCode\":\"AT0015\",\"errorDescription\":\"key not found : "
		 "shared_key.alice@dev does not "
		 "exist in keystore\"}|@dev@]"},
		{"delete:@alice:shared_key@dev\n", "[data:{n}|@dev@]"},
		{"update:isEncrypted:false:shared_key.alice@dev c2VsZg==\n", "[data:{n}|@dev@]"},
		{"llookup:@alice:shared_key@dev\n",
		 "[error:{\"errorCode\":\"AT0015\",\"errorDescription\":\"key not found : "
		 "@alice:shared_key@dev does not "
		 "exist in keystore\"}|@dev@]"},
		{"plookup:publickey@alice\n", "[data:MIIB{any}|@dev@]"},
		{"update:ttr:3888000:isEncrypted:false:@alice:shared_key@dev b3RoZXI=\n",
		 "[data:{n}|@dev@]"},
		{"notify:id:1f0e2c30-0000-4000-8000-000000000001:update:messageType:key:priority:"
		 "low:strategy:all:"
		 "latestN:1:notifier:SYSTEM:ttln:60000:ttr:-1:ccd:true:isEncrypted:true:"
		 "sharedKeyEnc:S0VZ:pubKeyCS:"
		 "b91c1337fd545b44b2eb1265e17a2e5e:ivNonce:oKGio6SlpqeoqaqrrK2urw==:@alice:"
		 "username.default.sshnp@dev:"
		 "dXNlcg==\n",
		 "[data:1f0e2c30-0000-4000-8000-000000000001|@dev@]"},
		{"update:ttl:2592000000:ttr:-1:ccd:true:isEncrypted:true:sharedKeyEnc:S0VZ:"
		 "pubKeyCS:"
		 "b91c1337fd545b44b2eb1265e17a2e5e:ivNonce:oKGio6SlpqeoqaqrrK2urw==:@alice:device_"
		 "info.default.sshnp@dev "
		 "aW5mbw==\n",
		 "[data:{n}|@dev@]"},
		{"noop:0\n", "[data:ok|@dev@]"},
		{"llookup:all:shared_key.alice@dev\n",
		 "[data:{\"key\":\"shared_key.alice@dev\",\"data\":\"c2VsZg==\",\"metaData\":{"
		 "\"createdBy\":\"@dev\","
		 "\"updatedBy\":\"@dev\",\"createdAt\":\"{time}\",\"updatedAt\":\"{time}\","
		 "\"status\":\"active\",\"version\":"
		 "0,\"isEncrypted\":false}}|@dev@]"},
		{NULL, NULL}};
	/* sshnp on the other side finds what was shared, and the recipient holds copies. */
	static const struct srv_step client[] = {
		{"lookup:all:device_info.default.sshnp@dev\n",
		 "[data:{\"key\":\"@alice:device_info.default.sshnp@dev\",\"data\":\"aW5mbw==\","
		 "\"metaData\":{{any}"
		 "\"ttl\":2592000000,\"ttr\":-1,\"ccd\":true,\"isEncrypted\":true,\"sharedKeyEnc\":"
		 "\"S0VZ\",\"pubKeyCS\":"
		 "\"b91c1337fd545b44b2eb1265e17a2e5e\",\"ivNonce\":\"oKGio6SlpqeoqaqrrK2urw==\"}}|@"
		 "alice@]"},
		{"scan:@dev device_info\\.[a-z0-9_][a-z0-9_\\-]{1,35}\\.sshnp\n",
		 "[data:[\"device_info.default.sshnp@dev\"]|@alice@]"},
		{"lookup:shared_key@dev\n", "[data:b3RoZXI=|@alice@]"},
		{"llookup:cached:@alice:username.default.sshnp@dev\n", "[data:dXNlcg==|@alice@]"},
		{"llookup:cached:@alice:shared_key@dev\n", "[data:b3RoZXI=|@alice@]"},
		{NULL, NULL}};
	/* Hiding the device takes the recipient's copies away, as ccd was true. */
	static const struct srv_step hide[] = {
		{"delete:@alice:username.default.sshnp@dev\n", "[data:{n}|@dev@]"},
		{"delete:@alice:device_info.default.sshnp@dev\n", "[data:{n}|@dev@]"},
		{NULL, NULL}};

	start_pair();
	srv_connect(&c, &node, false);
	play(steps);
	srv_owner(&c2, &node, "@alice");
	KTAP_OK(srv_play(&c2, client));
	play(hide);
	KTAP_STREQ(srv_ask(&c2, "llookup:cached:@alice:device_info.default.sshnp@dev"),
		   "[error:AT0015-key not found : cached:@alice:device_info.default.sshnp@dev does "
		   "not exist in "
		   "keystore|@alice@]");
	KTAP_STREQ(srv_ask(&c2, "llookup:cached:@alice:shared_key@dev"), "[data:b3RoZXI=|@alice@]");
	srv_hang_up(&c);
	srv_hang_up(&c2);
	srv_node_fini(&node);
}

/* 19.1: monitor connection. No answer to monitor, no prompt behind noop. */
static void dart_monitor(void)
{
	start_pair();
	srv_connect(&monitor, &node, false);
	KTAP_OK(srv_login_pkam(&monitor, "@dev", NULL));
	srv_forget(&monitor);
	srv_send(&monitor, "monitor:selfNotifications\n");
	srv_send(&monitor, "noop:0\n");
	KTAP_OK(srv_want(&monitor, "|]"));
	KTAP_STREQ(np_buf_str(&monitor.seen), "[data:ok|]");
	srv_owner(&c, &node, "@alice");
	srv_forget(&monitor);
	KTAP_STREQ(srv_ask(&c, "notify:id:773e226d-dac2-4269-b1ee-64d7ce93a42f:update:messageType:"
			       "key:ttln:60000:ttl:10000:"
			       "isEncrypted:true:sharedKeyEnc:S0VZ:ivNonce:oKGio6SlpqeoqaqrrK2urw=="
			       ":@dev:ping.default."
			       "sshnp@alice:gvlu0SZFk9yl/5Zm0SJ7jA=="),
		   "[data:773e226d-dac2-4269-b1ee-64d7ce93a42f|@alice@]");
	KTAP_OK(srv_want(&monitor, "|]"));
	KTAP_OK(srv_match("[notification: "
			  "{\"id\":\"773e226d-dac2-4269-b1ee-64d7ce93a42f\",\"from\":\"@alice\","
			  "\"to\":\"@dev\","
			  "\"key\":\"@dev:ping.default.sshnp@alice\",\"value\":\"gvlu0SZFk9yl/"
			  "5Zm0SJ7jA==\",\"operation\":"
			  "\"update\",\"epochMillis\":{n},\"messageType\":\"MessageType.key\","
			  "\"isEncrypted\":true,"
			  "\"metadata\":{\"encKeyName\":null,\"encAlgo\":null,\"ivNonce\":"
			  "\"oKGio6SlpqeoqaqrrK2urw==\","
			  "\"skeEncKeyName\":null,\"skeEncAlgo\":null,\"sharedKeyEnc\":\"S0VZ\","
			  "\"availableAt\":\"null\","
			  "\"expiresAt\":\"{time}\"}}|]",
			  np_buf_str(&monitor.seen)));
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	srv_node_fini(&node);
}

/* 19.2: sshnpd in C. CRLF everywhere, a blank line first, the atSign without @. */
static void c_daemon(void)
{
	static const struct srv_step worker[] = {
		{"\r\n", "[error:AT0003-Exception: invalid command|@]"},
		{"from:dev\r\n", "[data:{challenge}|@]"},
		{"pkam:{sig}\r\n", "[data:success|@dev@]"},
		{"llookup:shared_key.alice@dev\r\n",
		 "[error:AT0015-key not found : shared_key.alice@dev does not exist in "
		 "keystore|@dev@]"},
		{"plookup:publickey@alice\r\n", "[data:MIIB{any}|@dev@]"},
		{"update:shared_key.alice@dev c2VsZg==\r\n", "[data:{n}|@dev@]"},
		{"update:@alice:shared_key@dev b3RoZXI=\r\n", "[data:{n}|@dev@]"},
		{"update:ttl:2592000000:ttr:-1:ccd:true:isEncrypted:true:ivNonce:"
		 "oKGio6SlpqeoqaqrrK2urw==:@alice:device_info."
		 "default.sshnp@dev aW5mbw==\r\n",
		 "[data:{n}|@dev@]"},
		{"lookup:shared_key@alice\r\n",
		 "[error:AT0015-key not found : @dev:shared_key@alice does not exist in "
		 "keystore|@dev@]"},
		{"notify:update:ttl:10000:isEncrypted:true:ivNonce:oKGio6SlpqeoqaqrrK2urw==:@alice:"
		 "heartbeat.default."
		 "sshnp@dev:e30=\r\n",
		 "[data:{uuid}|@dev@]"},
		{"notify:update:message_type:key:@alice:heartbeat.default.sshnp@dev:e30=\r\n",
		 "[data:{uuid}|@dev@]"},
		{"noop:0\r\n", "[data:ok|@dev@]"},
		{NULL, NULL}};

	start_pair();
	srv_owner(&monitor, &node, "@alice");
	srv_forget(&monitor);
	srv_send(&monitor, "monitor default.sshnp@\r\n");
	srv_connect(&c, &node, false);
	play(worker);
	KTAP_OK(srv_want(&monitor, "@alice:heartbeat.default.sshnp@dev"));
	KTAP_OK(srv_want(&monitor, "@alice:device_info.default.sshnp@dev"));
	KTAP_OK(!strstr(np_buf_str(&monitor.seen), "\"key\":\"@alice:shared_key@dev\""));
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	srv_node_fini(&node);
}

/* 19.3: Python and Java, with Python's own order of metadata and its capital letters. */
static void python_client(void)
{
	static const struct srv_step steps[] = {
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"pkam:{sig}\n", "[data:success|@alice@]"},
		{"update:ttl:60000:ttln:1000:sharedKeyEnc:S0VZ:pubKeyCS:"
		 "b91c1337fd545b44b2eb1265e17a2e5e:ttr:86400000:ccd:True:"
		 "isBinary:False:isEncrypted:True:@dev:phone.buzz@alice MTIz\n",
		 "[data:{n}|@alice@]"},
		{"llookup:meta:@dev:phone.buzz@alice\n",
		 "[data:{{any}\"ttl\":60000,\"ttr\":86400000,\"ccd\":true,\"isBinary\":false,"
		 "\"isEncrypted\":true,"
		 "\"sharedKeyEnc\":\"S0VZ\",\"pubKeyCS\":\"b91c1337fd545b44b2eb1265e17a2e5e\"}|@"
		 "alice@]"},
		{"plookup:all:publickey@dev\n",
		 "[data:{\"key\":\"public:publickey@dev\",{any}|@alice@]"},
		{"lookup:shared_key@dev\n", "[error:AT0015-key not found : @alice:shared_key@dev "
					    "does not exist in keystore|@alice@]"},
		{"scan:showHidden:true\n", "[data:[{any}]|@alice@]"},
		{NULL, NULL}};

	start_pair();
	srv_connect(&c, &node, false);
	play(steps);
	srv_owner(&monitor, &node, "@alice");
	srv_forget(&monitor);
	srv_send(&monitor, "monitor:0 .*\n");
	srv_owner(&c2, &node, "@dev");
	srv_ask(&c2, "notify:@alice:hello.buzz@dev:MTIz");
	KTAP_OK(srv_want(&monitor, "\"key\":\"@alice:hello.buzz@dev\""));
	srv_hang_up(&c);
	srv_hang_up(&c2);
	srv_hang_up(&monitor);
	srv_node_fini(&node);
}

/* 9.4 and 19.4: another server, played by hand, on a server that does not ask for its certificate.
 */
static void server_looks_up(void)
{
	static const struct srv_step steps[] = {
		{"lookup:all:publickey@alice\n",
		 "[data:{\"key\":\"public:publickey@alice\",{any}|@]"},
		{"from:@carol\n", "[data:proof:{challenge}|@]"},
		{"lookup:signing_publickey@alice\n", "[data:MIIB{any}|@]"},
		{"scan\n", "[data:[\"publickey@alice\",\"signing_publickey@alice\"]|@]"},
		{NULL, NULL}};

	start_pair();
	srv_node_stop(&node);
	node.conf.client_cert_required = false;
	srv_node_start(&node);
	srv_connect(&c, &node, true);
	play(steps);
	KTAP_OK(np_str_starts(world.challenge, "_"));
	KTAP_OK(strstr(world.challenge, "@carol:") != NULL);
	srv_hang_up(&c);
	srv_node_fini(&node);
}

/* Several lines in one record are answered in order, each in a record of its own. */
static void pipelined_lines(void)
{
	start_pair();
	srv_owner(&c, &node, "@alice");
	srv_forget(&c);
	srv_send(&c, "noop:50\nupdate:a.x@alice 1\nllookup:a.x@alice\nnoop:0\n");
	KTAP_OK(srv_want(&c, "[data:1|@alice@][data:ok|@alice@]"));
	KTAP_OK(srv_match("[data:ok|@alice@][data:{n}|@alice@][data:1|@alice@][data:ok|@alice@]",
			  np_buf_str(&c.seen)));
	srv_hang_up(&c);
	srv_node_fini(&node);
}

static void run_all(void)
{
	KTAP_RUN(dart_onboards);
	KTAP_RUN(python_onboards);
	KTAP_RUN(dart_daemon);
	KTAP_RUN(dart_monitor);
	KTAP_RUN(c_daemon);
	KTAP_RUN(python_client);
	KTAP_RUN(server_looks_up);
	KTAP_RUN(pipelined_lines);
}

int main(void)
{
	srv_open();
	printf("# whole commands\n");
	run_all();
	printf("# commands cut into single bytes\n");
	world.cut = true;
	run_all();
	srv_close();
	return ktap_done();
}
