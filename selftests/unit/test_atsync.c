// SPDX-License-Identifier: BSD-3-Clause
/* What ordinary apps need besides NoPorts: sync, batch, stats, config, stored notifications
 * (atprotocol.md 11.4, 13, 14). */
#include "atsrv.h"

#include "base/str.h"
#include "harness/ktap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct srv_node node;
static struct srv_client c, c2, app;

static void start(void)
{
	static const char *const atsigns[] = {"@alice", "@bob", NULL};

	srv_node_init(&node, atsigns);
	srv_node_start(&node);
	srv_activate(&node, "@alice");
	srv_activate(&node, "@bob");
	srv_owner(&c, &node, "@alice");
}

static void stop(void)
{
	srv_hang_up(&c);
	srv_node_fini(&node);
}

/* Connects @client as an enrolment of @alice for "buzz" (rw) and "ro" (r). */
static void enrol(struct srv_client *client)
{
	static const struct srv_step ask[] = {
		{"lookup:publickey@alice\n", "[data:MIIB{any}|@]"},
		{"enroll:request:{\"appName\":\"app\",\"deviceName\":\"d\",\"namespaces\":{\"buzz\":"
		 "\"rw\",\"ro\":\"r\"},\"otp\":\"SPP_code\",\"encryptedAPKAMSymmetricKey\":\"U1lN\","
		 "\"apkamPublicKey\":\"{pub}\"}\n",
		 "[data:{\"enrollmentId\":\"{newid}\",\"status\":\"pending\"}|@]"},
		{"from:@alice\n", "[data:{challenge}|@]"},
		{NULL, NULL}};
	static const struct srv_step approve[] = {
		{"enroll:approve:{\"enrollmentId\":\"{id}\",\"encryptedDefaultEncryptionPrivateKey\":"
		 "\"UFJJVg==\",\"encryptedDefaultSelfEncryptionKey\":\"U0VMRg==\"}\n",
		 "[data:{\"status\":\"approved\",{any}|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step login[] = {
		{"pkam:enrollmentId:{id}:{sig}\n", "[data:success|@alice@]"}, {NULL, NULL}};

	srv_ask(&c, "otp:put:SPP_code");
	srv_connect(client, &node, false);
	KTAP_OK(srv_play(client, ask));
	KTAP_OK(srv_play(&c, approve));
	KTAP_OK(srv_play(client, login));
}

static unsigned int count(const char *text, const char *part)
{
	unsigned int nr = 0;

	for (; (text = strstr(text, part)); text++)
		nr++;
	return nr;
}

/* --- sync */

static void sync_tells_the_newest(void)
{
	static const struct srv_step steps[] = {
		{"sync:from:2:limit:10\n", "[data:[]|@alice@]"},
		{"update:ttl:60000:isEncrypted:true:a.x@alice one\n", "[data:3|@alice@]"},
		{"update:a.x@alice two\n", "[data:4|@alice@]"},
		{"update:b.x@alice 1\n", "[data:5|@alice@]"},
		{"delete:b.x@alice\n", "[data:6|@alice@]"},
		{"update:meta:a.x@alice:ttl:0\n", "[data:7|@alice@]"},
		{"update:public:_hidden.x@alice 1\n", "[data:-1|@alice@]"},
		{"sync:from:2:limit:10\n",
		 "[data:[{\"atKey\":\"b.x@alice\",\"value\":null,\"metadata\":null,\"commitId\":6,"
		 "\"operation\":\"-\"},{\"atKey\":\"a.x@alice\",\"value\":\"two\",\"metadata\":{"
		 "\"createdBy\":\"@alice\",\"updatedBy\":\"@alice\",\"createdAt\":\"{time}\","
		 "\"updatedAt\":\"{time}\",\"status\":\"active\",\"version\":\"2\",\"ttl\":\"0\","
		 "\"isEncrypted\":\"true\"},\"commitId\":7,\"operation\":\"#\"}]|@alice@]"},
		{"sync:from:6:limit:10\n", "[data:[{\"atKey\":\"a.x@alice\",{any}|@alice@]"},
		{"sync:from:7:limit:10\n", "[data:[]|@alice@]"},
		{"sync:from:2:limit:10:^nothing\n", "[data:[]|@alice@]"},
		{"sync:from:6:limit:10:\\.x@\n", "[data:[{\"atKey\":\"a.x@alice\",{any}|@alice@]"},
		{"sync:from:2\n", "[error:AT0003-{any}|@alice@]"},
		{"sync:from:x:limit:1\n", "[error:AT0003-{any}|@alice@]"},
		{"sync:from:1:limit:x\n", "[error:AT0003-{any}|@alice@]"},
		{"sync:from:1:limit:1:(\n", "[error:AT0003-{any}|@alice@]"},
		{"sync:5\n", "[error:AT0003-Invalid syntax : invalid command|@alice@]"},
		{NULL, NULL}};
	const char *seen;

	start();
	KTAP_OK(srv_play(&c, steps));
	/* Keys that encryption needs come whatever the filter; the server's private one never. */
	srv_ask(&c, "update:shared_key.bob@alice k");
	seen = srv_ask(&c, "sync:from:-1:limit:10:^nothing");
	KTAP_OK(strstr(seen, "public:publickey@alice") && strstr(seen, "shared_key.bob@alice") &&
		strstr(seen, "public:signing_publickey@alice"));
	KTAP_OK(!strstr(seen, "signing_privatekey") && !strstr(seen, "a.x@alice"));
	KTAP_OK(!strstr(srv_ask(&c, "sync:from:-1:limit:10"), "signing_privatekey"));
	stop();
}

static void sync_comes_in_portions(void)
{
	char line[128];
	const char *seen;
	int i;

	start();
	for (i = 0; i < 40; i++) {
		snprintf(line, sizeof(line), "update:k%02d.x@alice %d", i, i);
		srv_ask(&c, line);
	}
	seen = srv_ask(&c, "sync:from:2:limit:100");
	KTAP_EQ(count(seen, "\"atKey\""), 25);
	KTAP_OK(strstr(seen, "\"commitId\":27,") && !strstr(seen, "\"commitId\":28,"));
	seen = srv_ask(&c, "sync:from:27:limit:100");
	KTAP_EQ(count(seen, "\"atKey\""), 15);
	stop();
}

/* 5 MiB are not exceeded but by a single entry. */
static void sync_is_bounded(void)
{
	size_t len = 3 << 20;
	char *line = malloc(len + 64);
	const char *seen;
	int i;

	start();
	for (i = 0; i < 3; i++) {
		size_t head = (size_t)sprintf(line, "update:big%d.x@alice ", i);

		memset(line + head, 'v', len * (i == 2 ? 2 : 1) / 2);
		line[head + len * (i == 2 ? 2 : 1) / 2] = '\0';
		KTAP_OK(srv_match("[data:{n}|@alice@]", srv_ask(&c, line)));
	}
	seen = srv_ask(&c, "sync:from:2:limit:100");
	KTAP_EQ(count(seen, "\"atKey\""), 2);
	seen = srv_ask(&c, "sync:from:4:limit:100");
	KTAP_EQ(count(seen, "\"atKey\""), 1);
	free(line);
	stop();
}

static void sync_of_an_enrolment(void)
{
	const char *seen;

	start();
	srv_ask(&c, "update:a.buzz@alice 1");
	srv_ask(&c, "update:a.ro@alice 1");
	srv_ask(&c, "update:a.other@alice 1");
	enrol(&app);
	seen = srv_ask(&app, "sync:from:-1:limit:25");
	KTAP_OK(strstr(seen, "a.buzz@alice") && strstr(seen, "a.ro@alice"));
	KTAP_OK(strstr(seen, "public:publickey@alice") != NULL);
	KTAP_OK(!strstr(seen, "a.other@alice"));
	/* The figure that the client compares with is the newest one it can reach. */
	KTAP_STREQ(srv_ask(&app, "stats:3"),
		   "[data: [{\"id\":\"3\",\"name\":\"lastCommitID\",\"value\":\"4\"}]|@alice@]");
	KTAP_STREQ(srv_ask(&c, "stats:3"),
		   "[data: [{\"id\":\"3\",\"name\":\"lastCommitID\",\"value\":\"5\"}]|@alice@]");
	srv_hang_up(&app);
	stop();
}

/* --- stats */

static void statistics(void)
{
	static const struct srv_step steps[] = {
		{"update:one.x@alice 1\n", "[data:3|@alice@]"},
		{"stats:3:^two\n", "[data: [{\"id\":\"3\",\"name\":\"lastCommitID\",\"value\":\"2\"}]|@alice@]"},
		{"stats:3:^one\n", "[data: [{\"id\":\"3\",\"name\":\"lastCommitID\",\"value\":\"3\"}]|@alice@]"},
		{"stats:15:^one\n",
		 "[data: [{\"id\":\"15\",\"name\":\"LatestCommitEntryOfEachKey\",\"value\":\"{\\\"public:"
		 "signing_publickey@alice\\\":[0,\\\"*\\\"],\\\"public:publickey@alice\\\":[2,\\\"*\\\"],"
		 "\\\"one.x@alice\\\":[3,\\\"*\\\"]}\"}]|@alice@]"},
		{"stats:1,7\n",
		 "[data: [{\"id\":\"1\",\"name\":\"activeInboundConnections\",\"value\":\"1\"},{\"id\":"
		 "\"7\",\"name\":\"secondaryServerVersion\",\"value\":\"3.0.52\"}]|@alice@]"},
		{"stats:2\n", "[data: [{\"id\":\"2\",\"name\":\"activeOutboundConnections\",\"value\":\"0\"}]|@alice@]"},
		{"stats:8,10\n",
		 "[data: [{\"id\":\"8\",\"name\":\"LastLoggedInDatetime\",\"value\":\"{time}\"},{\"id\":"
		 "\"10\",\"name\":\"LastPkam\",\"value\":\"{time}\"}]|@alice@]"},
		{"notify:@alice:me.x@alice:1\n", "[data:{uuid}|@alice@]"},
		{"stats:11\n", "[data: [{\"id\":\"11\",\"name\":\"NotificationCount\",\"value\":\"1\"}]|@alice@]"},
		{"stats:4\n", "[data: [{\"id\":\"4\",\"name\":\"secondaryStorageSize\",\"value\":\"{n}\"}]|@alice@]"},
		{"stats:0\n", "[error:AT0003:Invalid syntax. {any}|@alice@]"},
		{"stats:16\n", "[error:AT0003:Invalid syntax. {any}|@alice@]"},
		{"stats:1:x\n", "[error:AT0003:Invalid syntax. {any}|@alice@]"},
		{"stats:3:(\n", "[error:AT0003:{any}|@alice@]"},
		{NULL, NULL}};
	const char *seen;

	start();
	KTAP_OK(srv_play(&c, steps));
	srv_connect(&c2, &node, false);
	srv_ask(&c2, "lookup:publickey@alice");
	srv_ask(&c2, "lookup:publickey@alice");
	KTAP_OK(strstr(srv_ask(&c, "stats:6"), "{\\\"public:publickey@alice\\\":2}") != NULL);
	seen = srv_ask(&c, "stats");
	KTAP_EQ(count(seen, "\"id\""), 15);
	srv_hang_up(&c2);
	stop();
}

/* --- batch */

static void batches(void)
{
	static const struct srv_step steps[] = {
		{"batch:[{\"id\":1,\"command\":\"update:a.x@alice v1~NL~v2\"},{\"id\":\"two\",\"command\":"
		 "\"llookup:a.x@alice\"},{\"id\":3,\"command\":\"llookup:none.x@alice\"},{\"id\":4,"
		 "\"command\":\"delete:a.x@alice\"},{\"id\":5,\"command\":\"nonsense\"}]\n",
		 "[data:[{\"id\":1,\"response\":{\"data\":\"3\"}},{\"id\":\"two\",\"response\":{\"data\":"
		 "\"v1~NL~v2\"}},{\"id\":3,\"response\":{\"error_code\":\"AT0015\",\"error_message\":\"key "
		 "not found : none.x@alice does not exist in keystore\"}},{\"id\":4,\"response\":{"
		 "\"data\":\"4\"}},{\"id\":5,\"response\":{\"error_code\":\"AT0003\",\"error_message\":"
		 "\"Invalid syntax : invalid command\"}}]|@alice@]"},
		{"batch:[]\n", "[data:[]|@alice@]"},
		{"batch:[{\"id\":1,\"command\":\"noop:5\"},{\"id\":2,\"command\":\"monitor\"},{\"id\":3,"
		 "\"command\":\"from:@bob\"},{\"id\":4,\"command\":\"batch:[]\"},{\"id\":5,\"command\":\"@exit\"}"
		 ",{\"id\":6,\"command\":\"config:block:show\"}]\n",
		 "[data:[{\"id\":1,\"response\":{\"error_code\":\"AT0003\"{any},{\"id\":2,\"response\":{\"error"
		 "{any},{\"id\":3,\"response\":{\"error{any},{\"id\":4,\"response\":{\"error{any},{\"id\":5,"
		 "\"response\":{\"error{any},{\"id\":6,\"response\":{\"data\":\"null\"}}]|@alice@]"},
		{"batch:{}\n", "[error:AT0003-{any}|@alice@]"},
		{"batch:[1]\n", "[error:AT0003-{any}|@alice@]"},
		{"batch:[{\"id\":1}]\n", "[error:AT0003-{any}|@alice@]"},
		{"batch:[{\"command\":\"info\"}]\n", "[error:AT0003-{any}|@alice@]"},
		{"batch:[\n", "[error:AT0003-{any}|@alice@]"},
		{"noop:0\n", "[data:ok|@alice@]"},
		{NULL, NULL}};
	const char *seen;

	start();
	KTAP_OK(srv_play(&c, steps));
	enrol(&app);
	seen = srv_ask(&app, "batch:[{\"id\":1,\"command\":\"update:a.buzz@alice 1\"},"
			     "{\"id\":2,\"command\":\"update:a.ro@alice 1\"}]");
	KTAP_OK(srv_match("[data:[{\"id\":1,\"response\":{\"data\":\"{n}\"}},{\"id\":2,\"response\":{"
			  "\"error_code\":\"AT0009\"{any}}}]|@alice@]",
			  seen));
	srv_hang_up(&app);
	stop();
}

/* --- config */

static void block_list(void)
{
	static const struct srv_step steps[] = {
		{"config:block:show\n", "[data:null|@alice@]"},
		{"config:block:add:@bob @carol\n", "[data:success|@alice@]"},
		{"config:block:add:@bob\n", "[data:success|@alice@]"},
		{"config:block:remove:@carol\n", "[data:success|@alice@]"},
		{"config:block:show\n", "[data:[\"@bob\"]|@alice@]"},
		{"config:block:add:\n", "[error:AT0003-{any}|@alice@]"},
		{"config:block:add:@a@b\n", "[error:AT0003-{any}|@alice@]"},
		{"config:block:add:@alice\n", "[error:AT0022-{any}|@alice@]"},
		{"config:set:autoNotify=false\n", "[data:testing mode disabled by default|@alice@]"},
		{"config:print:autoNotify\n", "[data:testing mode disabled by default|@alice@]"},
		{"config:reset:autoNotify\n", "[data:testing mode disabled by default|@alice@]"},
		{"config:nonsense\n", "[error:AT0003-{any}|@alice@]"},
		{"delete:private:blocklist@alice\n", "[error:AT0009-{any}|@alice@]"},
		{"update:@bob:x.y@alice 1\n", "[data:{n}|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step bob[] = {
		{"lookup:x.y@alice\n", "[error:AT0008-{any}|@bob@]"},
		{"scan:@alice\n", "[error:AT0008-{any}|@bob@]"},
		{"plookup:publickey@alice\n", "[data:MIIB{any}|@bob@]"},
		{"notify:id:n-1:@alice:hi.y@bob:1\n", "[data:n-1|@bob@]"},
		{"notify:status:n-1\n", "[data:errored|@bob@]"},
		{NULL, NULL}};

	start();
	KTAP_OK(srv_play(&c, steps));
	srv_owner(&c2, &node, "@bob");
	KTAP_OK(srv_play(&c2, bob));
	KTAP_STREQ(srv_ask(&c, "notify:list"), "[data:null|@alice@]");
	/* The list outlives the server, and taking the name off opens the door again. */
	srv_hang_up(&c);
	srv_hang_up(&c2);
	srv_node_stop(&node);
	srv_node_start(&node);
	srv_owner(&c, &node, "@alice");
	KTAP_STREQ(srv_ask(&c, "config:block:show"), "[data:[\"@bob\"]|@alice@]");
	srv_ask(&c, "config:block:remove:@bob");
	srv_owner(&c2, &node, "@bob");
	KTAP_STREQ(srv_ask(&c2, "lookup:x.y@alice"), "[data:1|@bob@]");
	srv_hang_up(&c2);
	stop();
}

static bool is_closed(void *arg)
{
	return ((struct srv_client *)arg)->closed;
}

static void blocked_servers(void)
{
	start();
	srv_ask(&c, "config:block:add:@stranger");
	srv_connect(&c2, &node, false);
	srv_ask(&c2, "lookup:all:publickey@alice");
	KTAP_STREQ(srv_ask(&c2, "from:@stranger"),
		   "[error:AT0013-Exception: Unable to connect|@]");
	KTAP_OK(srv_wait(is_closed, &c2));
	srv_hang_up(&c2);
	stop();
}

/* --- stored notifications */

static void stored_notifications(void)
{
	static const struct srv_step sender[] = {
		{"notify:id:s-1:messageType:key:priority:high:strategy:latest:latestN:2:notifier:app:"
		 "ttln:60000:ttl:5000:isEncrypted:false:@bob:one.buzz@alice:v\n",
		 "[data:s-1|@alice@]"},
		{"notify:id:s-2:@bob:two.other@alice:v\n", "[data:s-2|@alice@]"},
		{"notify:status:s-1\n", "[data:delivered|@alice@]"},
		{"notify:status:none\n", "[data:null|@alice@]"},
		{"notify:fetch:s-1\n",
		 "[data:{\"id\":\"s-1\",\"fromAtSign\":\"@alice\",\"notificationDateTime\":\"{time}\","
		 "\"toAtSign\":\"@bob\",\"notification\":\"@bob:one.buzz@alice\",\"type\":"
		 "\"NotificationType.sent\",\"opType\":\"OperationType.update\",\"messageType\":"
		 "\"MessageType.key\",\"priority\":\"NotificationPriority.high\",\"notificationStatus\":"
		 "\"NotificationStatus.delivered\",\"retryCount\":\"{n}\",\"strategy\":\"latest\",\"depth\":"
		 "\"2\",\"notifier\":\"app\",\"expiresAt\":\"{time}\",\"atValue\":\"v\",\"atMetadata\":\"{"
		 "\\\"ttl\\\":5000,\\\"isEncrypted\\\":false}\",\"ttl\":\"60000\"}|@alice@]"},
		{"notify:fetch:none\n",
		 "[data:{\"id\":\"none\",\"notificationStatus\":\"NotificationStatus.expired\"}|@alice@]"},
		{"notify:list\n", "[data:null|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step receiver[] = {
		{"notify:list:^nothing\n", "[data:null|@bob@]"},
		{"notify:list:1999-01-01:1999-12-31\n", "[data:null|@bob@]"},
		{"notify:list:2999-01-01\n", "[data:null|@bob@]"},
		{"notify:list:2024-13-45\n", "[error:AT0003-{any}|@bob@]"},
		{"notify:list:2020-01-01:2999-12-31:two\n", "[data:[{\"id\":\"s-2\",{any}}]|@bob@]"},
		{"notify:list:^alice$\n", "[data:[{\"id\":\"s-1\",{any}},{\"id\":\"s-2\",{any}}]|@bob@]"},
		{"notify:list two\n", "[data:[{\"id\":\"s-2\",{any}}]|@bob@]"},
		{"notify:list:(\n", "[error:AT0003-{any}|@bob@]"},
		{"notify:remove:s-2\n", "[data:success|@bob@]"},
		{"notify:remove:s-2\n", "[data:success|@bob@]"},
		{"notify:remove:\n", "[error:AT0003-{any}|@bob@]"},
		{"notify:list\n", "[data:[{\"id\":\"s-1\",\"from\":\"@alice\",\"to\":\"@bob\",{any}}]|@bob@]"},
		{NULL, NULL}};
	static const struct srv_step few[] = {
		{"notify:fetch:s-1\n", "[data:{\"id\":\"s-1\",{any}|@alice@]"},
		{"notify:fetch:s-2\n", "[error:AT0009-{any}|@alice@]"},
		{"notify:status:s-2\n", "[error:AT0009-{any}|@alice@]"},
		{"notify:remove:s-2\n", "[error:AT0009-{any}|@alice@]"},
		{"notify:remove:s-1\n", "[data:success|@alice@]"},
		{"notify:all:@bob:x.ro@alice:1\n", "[error:AT0009-{any}|@alice@]"},
		{"notify:all:@bob:x.buzz@alice:1\n", "[data: {\"@bob\":\"{uuid}\"}|@alice@]"},
		{NULL, NULL}};

	start();
	KTAP_OK(srv_play(&c, sender));
	srv_owner(&c2, &node, "@bob");
	KTAP_OK(srv_play(&c2, receiver));
	srv_hang_up(&c2);
	srv_connect(&c2, &node, false);
	KTAP_STREQ(srv_ask(&c2, "notify:list"), "[data:null|@]");
	KTAP_OK(np_str_starts(srv_ask(&c2, "notify:status:s-1"), "[error:AT0401-"));
	srv_hang_up(&c2);
	enrol(&app);
	KTAP_OK(srv_play(&app, few));
	srv_hang_up(&app);
	stop();
}

static void notify_all(void)
{
	static const struct srv_step steps[] = {
		{"notify:all:update:ttl:1000:@bob,@alice:hi.x@alice:v\n",
		 "[data: {\"@bob\":\"{uuid}\",\"@alice\":\"{uuid}\"}|@alice@]"},
		{"notify:list\n", "[data:[{\"id\":\"{uuid}\",{any}\"key\":\"@alice:hi.x@alice\",{any}}]|@alice@]"},
		{"notify:all:messageType:text:@bob:hello there\n",
		 "[data: {\"@bob\":\"{uuid}\"}|@alice@]"},
		{"notify:all:@bob,@b@d:hi.x@alice:v\n", "[error:AT0003-{any}|@alice@]"},
		{"notify:all:@bob:hi.x@bob:v\n", "[error:AT0009-{any}|@alice@]"},
		{"notify:all:public:hi.x@alice:v\n", "[error:AT0003-{any}|@alice@]"},
		{"notify:all:@bob:no key@alice:v\n", "[error:AT0003-{any}|@alice@]"},
		{"notify:all:\n", "[error:AT0003-{any}|@alice@]"},
		{NULL, NULL}};
	const char *seen;

	start();
	KTAP_OK(srv_play(&c, steps));
	srv_owner(&c2, &node, "@bob");
	seen = srv_ask(&c2, "notify:list");
	KTAP_EQ(count(seen, "\"id\""), 2);
	KTAP_OK(strstr(seen, "@bob:hello there") && strstr(seen, "@bob:hi.x@alice"));
	srv_hang_up(&c2);
	stop();
}

int main(void)
{
	srv_open();
	KTAP_RUN(sync_tells_the_newest);
	KTAP_RUN(sync_comes_in_portions);
	KTAP_RUN(sync_is_bounded);
	KTAP_RUN(sync_of_an_enrolment);
	KTAP_RUN(statistics);
	KTAP_RUN(batches);
	KTAP_RUN(block_list);
	KTAP_RUN(blocked_servers);
	KTAP_RUN(stored_notifications);
	KTAP_RUN(notify_all);
	srv_close();
	return ktap_done();
}
