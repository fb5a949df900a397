// SPDX-License-Identifier: BSD-3-Clause
/* One atServer: errors, durability, visibility, monitors, enrolments, limits (atprotocol.md 4, 7,
 * 8, 10 to 15). */
#include "atsrv.h"

#include "base/clock.h"
#include "base/str.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"
#include "net/listen.h"
#include "store/store.h"
#include "tls/tls.h"

#include <ev.h>

#include <errno.h>
#include <unistd.h>

static struct srv_node node;
static struct srv_client c, c2, monitor;

static void start(void)
{
	static const char *const atsigns[] = {"@alice", "@bob", NULL};

	srv_node_init(&node, atsigns);
	srv_node_start(&node);
	srv_activate(&node, "@alice");
	srv_activate(&node, "@bob");
}

static void stop(void)
{
	srv_node_fini(&node);
}

static bool is_closed(void *arg)
{
	return ((struct srv_client *)arg)->closed;
}

static void watch(struct srv_client *mon, const char *atsign, const char *command)
{
	srv_owner(mon, &node, atsign);
	srv_forget(mon);
	srv_send(mon, command);
	srv_send(mon, "noop:0\n");
	KTAP_OK(srv_want(mon, "[data:ok|]"));
	srv_forget(mon);
}

/* --- forms of errors and bad input
 * --------------------------------------------------------------------------- */

static void error_forms(void)
{
	static const struct srv_step none[] = {
		{"\n", "[error:AT0003-Exception: invalid command|@]"},
		{"  \t \n", "[error:AT0003-Exception: invalid command|@]"},
		{"hello\n", "[error:AT0003-Exception: invalid command|@]"},
		{"monitor\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		{"update:x@alice 1\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		{"notify:@bob:xx@alice\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		{"plookup:publickey@bob\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		{"enroll:list\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		{"otp:get\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		{"scan:@bob\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		/* Before an atSign is named, the public keys of all of them. */
		{"scan signing_publickey@alice\n", "[data:[\"signing_publickey@alice\"]|@]"},
		{"scan zzz\n", "[data:[]|@]"},
		{"lookup:nokey@alice\n",
		 "[error:AT0015-Exception: public:nokey@alice does not exist in keystore|@]"},
		{"lookup:x@nobody\n",
		 "[error:AT0015-Exception: public:x@nobody does not exist in keystore|@]"},
		{"noop:5001\n", "[error:AT0022-Exception: noop:<durationInMillis> where the "
				"duration maximum is 5000 milliseconds|@]"},
		{"noop:x\n", "[error:AT0003-Exception: Invalid syntax. noop:<durationInMillis>|@]"},
		{"cram:00\n", "[error:AT0401-Exception: Authentication Failed|@]"},
		{"pkam:AAAA\n", "[error:AT0401-Exception: pkam authentication failed|@]"},
		{"from:@alice:clientConfig:{x}\n",
		 "[error:AT0003-Exception: Invalid syntax. {any}|@]"},
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"cram:0000\n",
		 "[error:AT0015-Exception: privatekey:at_secret does not exist in keystore|@]"},
		{"pkam:AAAA\n", "[error:AT0401-Exception: pkam authentication failed|@]"},
		{"pkam:signingAlgo:ecc_secp256r1:AAAA\n",
		 "[error:AT0401-Exception: pkam authentication failed|@]"},
		{"pkam:signingAlgo:ecc_secp256r1:hashingAlgo:sha512:AAAA\n", "[error:AT0022-{any}|@]"},
		{"pkam:signingAlgo:dsa:AAAA\n",
		 "[error:AT0022-Exception: pkam accepts rsa2048 with sha256 or sha512, and "
		 "ecc_secp256r1 with sha256|@]"},
		{"pkam:enrollmentId:nope:AAAA\n",
		 "[error:AT0028:enrollment_id: nope is expired or invalid|@]"},
		{"pkam:hashingAlgo:sha512:{sig512}\n", "[data:success|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step owner[] = {
		{"\n", "[error:AT0003-Invalid syntax : invalid command|@alice@]"},
		{"llookup:phone@alice\n",
		 "[error:AT0015-key not found : phone@alice does not exist in keystore|@alice@]"},
		{"update:x@bob 1\n",
		 "[error:AT0016-Invalid key : x@bob is not owned by @alice|@alice@]"},
		{"update:cached:@bob:x@alice 1\n",
		 "[error:AT0016-Invalid key : cached:@bob:x@alice cannot be updated|@alice@]"},
		{"update:privatekey:at_secret 1\n",
		 "[error:AT0016-Invalid key : privatekey:at_secret cannot be updated|@alice@]"},
		{"update:public:signing_publickey@alice 1\n",
		 "[error:AT0009-UnAuthorized client in request : connection may not update "
		 "public:signing_publickey@alice|@alice@]"},
		{"llookup:@alice:signing_privatekey@alice\n",
		 "[error:AT0015-key not found : @alice:signing_privatekey@alice does not exist in "
		 "keystore|@alice@]"},
		{"lookup:signing_privatekey@alice\n", "[error:AT0015-{any}|@alice@]"},
		{"llookup:privatekey:at_pkam_publickey\n", "[error:AT0009-{any}|@alice@]"},
		{"notify:@bob:xx@carol:1\n", "[error:AT0009-UnAuthorized client in request : "
					     "@alice cannot notify as @carol|@alice@]"},
		{"update:ttl:-1:x@alice 1\n",
		 "[error:AT0003-Invalid syntax : Invalid syntax. ttl cannot be '-1'|@alice@]"},
		{"update:ttr:-2:x@alice 1\n",
		 "[error:AT0003-Invalid syntax : Invalid syntax. ttr cannot be '-2'|@alice@]"},
		{"scan (\n", "[error:AT0003-{any}|@alice@]"},
		{"monitor [\n", "[error:AT0003-{any}|@alice@]"},
		{"keys:get:keyName:x\n", "[error:AT0401-{any}|@alice@]"},
		{"enroll:nonsense:{}\n", "[error:AT0003-{any}|@alice@]"},
		{"enroll:request:[]\n", "[error:AT0003-{any}|@alice@]"},
		{"enroll:approve:{\"enrollmentId\":\"x\"}\n",
		 "[error:AT0028:enrollment_id: x is expired or invalid|@alice@]"},
		{"pol\n", "[error:AT0011-Internal server exception : {any}|@alice@]"},
		{NULL, NULL}};

	start();
	srv_connect(&c, &node, false);
	KTAP_OK(srv_play(&c, none));
	KTAP_OK(srv_play(&c, owner));
	KTAP_OK(srv_wait(is_closed, &c));
	srv_hang_up(&c);
	stop();
}

static void json_errors(void)
{
	static const struct srv_step steps[] = {
		{"from:@alice:clientConfig:{\"version\":\"3.0.37\"}\n", "[data:{challenge}|@]"},
		{"x\n", "[error:AT0003-Exception: invalid command|@]"},
		{"from:@alice:clientConfig:{\"version\":\"3.0.38\"}\n", "[data:{challenge}|@]"},
		{"x\n", "[error:{\"errorCode\":\"AT0003\",\"errorDescription\":\"Exception: "
			"invalid command\"}|@]"},
		{"pkam:{sig}\n", "[data:success|@alice@]"},
		{"llookup:phone@alice\n", "[error:{\"errorCode\":\"AT0015\",\"errorDescription\":"
					  "\"key not found : phone@alice does not exist in "
					  "keystore\"}|@alice@]"},
		{"from:@alice\n", "[data:{challenge}|@alice@]"},
		{"pkam:enrollmentId:nope:AAAA\n",
		 "[error:AT0028:enrollment_id: nope is expired or invalid|@alice@]"},
		{NULL, NULL}};

	start();
	srv_connect(&c, &node, false);
	KTAP_OK(srv_play(&c, steps));
	srv_hang_up(&c);
	stop();
}

static void hostile_lines(void)
{
	static const char nul[] = "llookup:x@alice\0y\n";
	char *big = malloc(20000);

	start();
	srv_connect(&c, &node, false);
	srv_forget(&c);
	np_tls_write(c.tls, nul, sizeof(nul) - 1);
	KTAP_OK(srv_want(&c, "[error:AT0003-Exception: invalid command|@]"));
	KTAP_STREQ(srv_ask(&c, "lookup:\xff\xfe@alice"),
		   "[error:AT0003-Exception: invalid command|@]");
	KTAP_OK(np_str_starts(srv_ask(&c, "from:@a@b"), "[error:AT0003-Exception: "));
	KTAP_OK(srv_wait(is_closed, &c));
	srv_hang_up(&c);
	srv_owner(&c, &node, "@alice");
	memset(big, 'k', 20000);
	memcpy(big, "llookup:", 8);
	strcpy(big + 19000, "@alice");
	KTAP_OK(np_str_starts(srv_ask(&c, big),
			      "[error:AT0016-Invalid key : key length is greater than"));
	memset(big, '{', 20000);
	memcpy(big, "update:json:", 12);
	big[19999] = '\0';
	KTAP_OK(np_str_starts(srv_ask(&c, big), "[error:AT0003-"));
	KTAP_STREQ(srv_ask(&c, "noop:0"), "[data:ok|@alice@]");
	srv_hang_up(&c);
	free(big);
	stop();
}

/* 10,240,000 bytes are one command; a byte more is AT0005 and the end of the connection (3.3). */
static void longest_command(void)
{
	static const char head[] = "update:big.x@alice ";
	size_t max = 10240000;
	char *text = malloc(max + 3);
	const char *seen;

	start();
	srv_owner(&c, &node, "@alice");
	memset(text, 'v', max + 2);
	memcpy(text, head, sizeof(head) - 1);
	text[max] = '\0';
	KTAP_OK(srv_match("[data:{n}|@alice@]", srv_ask(&c, text)));
	seen = srv_ask(&c, "llookup:big.x@alice");
	KTAP_OK(np_str_starts(seen, "[data:vvvv") && strlen(seen) > max - sizeof(head));
	text[max] = 'v';
	text[max + 1] = '\0';
	KTAP_STREQ(srv_ask(&c, text), "[error:AT0005-Buffer limit exceeded : a command is longer "
				      "than 10240000 bytes|@alice@]");
	KTAP_OK(srv_wait(is_closed, &c));
	srv_hang_up(&c);
	free(text);
	stop();
}

/* --- durability
 * ---------------------------------------------------------------------------------------------- */

static struct np_store_ops broken_ops;
static const struct np_store_ops *good_ops;
static int broken_by;

static int broken_commit(struct np_store *store, struct np_err *err)
{
	if (!broken_by)
		return good_ops->commit(store, err);
	good_ops->rollback(store);
	return broken_by;
}

static int broken_begin(struct np_store *store, struct np_err *err)
{
	return broken_by == -EROFS ? -EROFS : good_ops->begin(store, err);
}

static void break_store(void)
{
	good_ops = node.store->ops;
	broken_ops = *good_ops;
	broken_ops.commit = broken_commit;
	broken_ops.begin = broken_begin;
	node.store->ops = &broken_ops;
}

/* Nothing that was not committed is acknowledged, told to monitors, or seen later. */
static void storage_fails(int by)
{
	static const char refused[] = "[error:AT0002-DataStore exception : the server cannot store "
				      "data at present|@alice@]";

	start();
	srv_owner(&c, &node, "@alice");
	srv_owner(&c2, &node, "@alice");
	watch(&monitor, "@bob", "monitor\n");
	KTAP_STREQ(srv_ask(&c, "update:a.x@alice old"), "[data:3|@alice@]");
	break_store();
	broken_by = by;
	srv_forget(&c);
	srv_send(&c, "noop:0\nupdate:a.x@alice new\nnoop:0\nllookup:a.x@alice\n");
	KTAP_OK(srv_wait(is_closed, &c));
	KTAP_OK(srv_match("[data:ok|@alice@][error:AT0002-{any}|@alice@]", np_buf_str(&c.seen)) ||
		srv_match("[data:ok|@alice@][error:AT0002-{any}|@alice@][data:ok|@alice@]",
			  np_buf_str(&c.seen)));
	KTAP_STREQ(srv_ask(&c2, "notify:id:lost-1:@bob:hi.x@alice:1"), refused);
	srv_hang_up(&c);
	srv_hang_up(&c2);
	broken_by = 0;
	srv_owner(&c, &node, "@alice");
	KTAP_STREQ(srv_ask(&c, "llookup:a.x@alice"), "[data:old|@alice@]");
	KTAP_STREQ(srv_ask(&c, "notify:status:lost-1"), "[data:null|@alice@]");
	KTAP_STREQ(srv_ask(&c, "update:a.x@alice newer"), "[data:4|@alice@]");
	KTAP_STREQ(srv_ask(&c, "notify:id:kept-1:@bob:hi.x@alice:1"), "[data:kept-1|@alice@]");
	KTAP_OK(srv_want(&monitor, "kept-1"));
	KTAP_OK(!strstr(np_buf_str(&monitor.seen), "lost-1"));
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	node.store->ops = good_ops;
	stop();
}

static void disk_is_full(void)
{
	storage_fails(-ENOSPC);
}

static void storage_is_read_only(void)
{
	storage_fails(-EROFS);
}

/* --- records
 * -------------------------------------------------------------------------------------------------
 */

static void metadata_is_kept(void)
{
	static const struct srv_step steps[] = {
		{"update:ttl:86400000:encoding:base64:hash:ab12:algo:sha512:isEncrypted:true:"
		 "dataSignature:c2ln:public:m.x@alice one\n",
		 "[data:{n}|@alice@]"},
		{"update:encoding:null:public:m.x@alice two\n", "[data:{n}|@alice@]"},
		{"llookup:all:public:m.x@alice\n",
		 "[data:{\"key\":\"public:m.x@alice\",\"data\":\"two\",\"metaData\":{\"createdBy\":"
		 "\"@alice\",\"updatedBy\":"
		 "\"@alice\",\"createdAt\":\"{time}\",\"updatedAt\":\"{time}\",\"expiresAt\":\"{"
		 "time}\",\"status\":\"active\","
		 "\"version\":1,\"ttl\":86400000,\"isEncrypted\":true,\"dataSignature\":\"c2ln\","
		 "\"pubKeyHash\":{\"hash\":"
		 "\"ab12\",\"algo\":\"sha512\"}}}|@alice@]"},
		{"update:meta:public:m.x@alice:ttl:0:ttb:0\n", "[data:{n}|@alice@]"},
		{"llookup:public:m.x@alice\n", "[data:two|@alice@]"},
		{"llookup:meta:public:m.x@alice\n",
		 "[data:{\"createdBy\":\"@alice\",\"updatedBy\":\"@alice\",\"createdAt\":\"{time}"
		 "\",\"updatedAt\":\"{time}\","
		 "\"status\":\"active\",\"version\":2,\"ttl\":0,\"ttb\":0,\"isEncrypted\":true,"
		 "\"dataSignature\":\"c2ln\","
		 "\"pubKeyHash\":{\"hash\":\"ab12\",\"algo\":\"sha512\"}}|@alice@]"},
		{"update:json:{\"atKey\":\"@bob:j.x@alice\",\"value\":\"v\",\"sharedBy\":\"@"
		 "alice\",\"sharedWith\":\"@bob\","
		 "\"metadata\":{\"ttl\":60000,\"isEncrypted\":false}}\n",
		 "[data:{n}|@alice@]"},
		{"llookup:@bob:j.x@alice\n", "[data:v|@alice@]"},
		{"update:json:{\"atKey\":\"j.x@alice\",\"value\":\"a\\nb\"}\n",
		 "[error:AT0003-{any}|@alice@]"},
		{"lookup:m.x@alice\n", "[error:AT0015-key not found : @alice:m.x@alice does not "
				       "exist in keystore|@alice@]"},
		{"update:@alice:own.x@alice 1\n", "[data:{n}|@alice@]"},
		{"lookup:own.x@alice\n", "[data:1|@alice@]"},
		{"update:CASE.X@alice MiXeD  Value\n", "[data:{n}|@alice@]"},
		{"llookup:case.x@alice\n", "[data:MiXeD  Value|@alice@]"},
		{NULL, NULL}};

	start();
	srv_owner(&c, &node, "@alice");
	KTAP_OK(srv_play(&c, steps));
	srv_hang_up(&c);
	stop();
}

struct answer {
	const char *line, *want;
};

static bool answers(void *arg)
{
	struct answer *answer = arg;

	return srv_match(answer->want, srv_ask(&c, answer->line));
}

static void birth_and_expiry(void)
{
	struct answer born = {"llookup:b.x@alice", "[data:1|@alice@]"};
	struct answer gone = {"llookup:t.x@alice", "[data:null|@alice@]"};
	struct answer deleted = {"llookup:t.x@alice", "[error:AT0015-{any}|@alice@]"};

	start();
	srv_owner(&c, &node, "@alice");
	watch(&monitor, "@alice", "monitor\n");
	srv_ask(&c, "update:ttb:300:b.x@alice 1");
	KTAP_STREQ(srv_ask(&c, "llookup:b.x@alice"), "[data:null|@alice@]");
	KTAP_STREQ(srv_ask(&c, "scan b.x"), "[data:[]|@alice@]");
	KTAP_OK(srv_wait(answers, &born));
	srv_ask(&c, "update:ttl:200:t.x@alice 1");
	KTAP_STREQ(srv_ask(&c, "llookup:t.x@alice"), "[data:1|@alice@]");
	KTAP_OK(srv_wait(answers, &gone));
	/* The record is deleted a little later, which is an entry in the commit log of its own. */
	KTAP_OK(srv_wait(answers, &deleted));
	KTAP_OK(srv_want(&monitor, "\"value\":\"5\""));
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	stop();
}

static void scans(void)
{
	static const struct srv_step steps[] = {
		{"update:public:_hidden.x@alice 1\n", "[data:-1|@alice@]"},
		{"update:public:__veiled.x@alice 1\n", "[data:{n}|@alice@]"},
		{"update:_mine.x@alice 1\n", "[data:{n}|@alice@]"},
		{"update:@bob:shared.x@alice 1\n", "[data:{n}|@alice@]"},
		{"scan\n", "[data:[\"@bob:shared.x@alice\",\"public:publickey@alice\",\"public:"
			   "signing_publickey@alice\"]|@alice@]"},
		{"scan:showhidden:true x@alice$\n",
		 "[data:[\"@bob:shared.x@alice\",\"_mine.x@alice\",\"public:__veiled.x@alice\"]|@"
		 "alice@]"},
		{"scan:@alice ^public\n",
		 "[data:[\"public:publickey@alice\",\"public:signing_publickey@alice\"]|@alice@]"},
		{"scan:page:1 shared\n", "[data:[\"@bob:shared.x@alice\"]|@alice@]"},
		{NULL, NULL}};

	start();
	srv_owner(&c, &node, "@alice");
	KTAP_OK(srv_play(&c, steps));
	srv_owner(&c2, &node, "@bob");
	KTAP_STREQ(srv_ask(&c2, "scan:@alice"), "[data:[\"shared.x@alice\"]|@bob@]");
	srv_hang_up(&c2);
	srv_hang_up(&c);
	stop();
}

/* --- notifications and monitors
 * ------------------------------------------------------------------------------ */

static void monitor_filters(void)
{
	start();
	srv_owner(&c, &node, "@alice");
	watch(&monitor, "@bob", "monitor:strict \\.sshnp@\n");
	watch(&c2, "@bob", "monitor:strict ^alice$\n");
	srv_ask(&c, "notify:id:n-1:@bob:one.buzz@alice:1");
	srv_ask(&c, "notify:id:n-2:@bob:two.dev.sshnp@alice:1");
	srv_ask(&c, "update:public:z.x@alice 1");
	KTAP_OK(srv_want(&monitor, "n-2"));
	KTAP_OK(!strstr(np_buf_str(&monitor.seen), "n-1"));
	KTAP_OK(srv_want(&c2, "n-2"));
	KTAP_OK(strstr(np_buf_str(&c2.seen), "n-1") != NULL);
	KTAP_OK(!strstr(np_buf_str(&monitor.seen), "statsNotification"));
	srv_hang_up(&c);
	srv_hang_up(&c2);
	srv_hang_up(&monitor);
	stop();
}

static void own_notifications(void)
{
	start();
	srv_owner(&c, &node, "@alice");
	watch(&monitor, "@alice", "monitor\n");
	KTAP_STREQ(srv_ask(&c, "notify:id:o-1:@alice:me.x@alice:1"), "[data:o-1|@alice@]");
	KTAP_OK(srv_want(&monitor, "\"id\":\"o-1\",\"from\":\"@alice\",\"to\":\"@alice\",\"key\":"
				   "\"@alice:me.x@alice\""));
	KTAP_STREQ(srv_ask(&c, "notify:id:o-1:@alice:me.x@alice:1"), "[data:o-1|@alice@]");
	srv_ask(&c, "notify:id:o-2:@alice:me.x@alice:1");
	KTAP_OK(srv_want(&monitor, "o-2"));
	KTAP_OK(!strstr(strstr(np_buf_str(&monitor.seen), "o-1") + 3, "o-1"));
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	stop();
}

static int64_t epoch_of(const char *seen, const char *id)
{
	const char *p = strstr(seen, id);

	p = p ? strstr(p, "\"epochMillis\":") : NULL;
	return p ? strtoll(p + 14, NULL, 10) : -1;
}

/* Replay is of what is newer, in order, and nothing is lost or doubled where it meets the live
 * part. */
static void monitor_replays(void)
{
	char line[128];
	int64_t epoch;
	int i;

	start();
	srv_owner(&c, &node, "@alice");
	watch(&monitor, "@bob", "monitor\n");
	srv_ask(&c, "notify:id:r-0:@bob:zero.x@alice:1");
	KTAP_OK(srv_want(&monitor, "r-0"));
	epoch = epoch_of(np_buf_str(&monitor.seen), "r-0");
	srv_hang_up(&monitor);
	srv_run_ms(3);
	for (i = 1; i < 40; i++) {
		snprintf(line, sizeof(line), "notify:id:r-%d-:@bob:k%d.x@alice:1", i, i);
		srv_ask(&c, line);
	}
	srv_ask(&c, "notify:id:r-short:ttln:1:@bob:short.x@alice:1");
	srv_run_ms(5);
	srv_owner(&monitor, &node, "@bob");
	srv_forget(&monitor);
	snprintf(line, sizeof(line), "monitor:%lld .*\n", (long long)epoch);
	srv_send(&monitor, line);
	srv_ask(&c, "notify:id:r-live:@bob:live.x@alice:1");
	KTAP_OK(srv_want(&monitor, "r-live"));
	KTAP_OK(!strstr(np_buf_str(&monitor.seen), "r-0\""));
	KTAP_OK(!strstr(np_buf_str(&monitor.seen), "r-short"));
	for (i = 1; i < 40; i++) {
		const char *at;

		snprintf(line, sizeof(line), "r-%d-", i);
		at = strstr(np_buf_str(&monitor.seen), line);
		KTAP_OK(at && !strstr(at + 4, line));
		snprintf(line, sizeof(line), "r-%d-", i + 1);
		KTAP_OK(i == 39 || (at && at < strstr(np_buf_str(&monitor.seen), line)));
	}
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	stop();
}

/* A long replay waits for the client; a client that never reads live notifications is dropped. */
static void slow_monitors(void)
{
	static char line[70000];
	int i;

	start();
	srv_node_stop(&node);
	node.conf.max_queued = 1 << 20;
	srv_node_start(&node);
	srv_owner(&c, &node, "@alice");
	srv_owner(&monitor, &node, "@bob");
	np_tls_read_pause(monitor.tls, true);
	snprintf(line, sizeof(line), "notify:id:big-00:@bob:big.x@alice:");
	memset(line + strlen(line), 'v', 60000);
	for (i = 0; i < 100; i++) {
		line[14] = (char)('0' + i / 10);
		line[15] = (char)('0' + i % 10);
		KTAP_OK(np_str_starts(srv_ask(&c, line), "[data:big-"));
	}
	srv_send(&monitor, "monitor:0 .*\n");
	srv_run_ms(100);
	np_tls_read_pause(monitor.tls, false);
	KTAP_OK(srv_want(&monitor, "\"id\":\"big-99\""));
	srv_forget(&monitor);
	np_tls_read_pause(monitor.tls, true);
	for (i = 0; i < 300; i++) {
		snprintf(line, 24, "notify:id:b%05d", i);
		line[16] = ':';
		srv_ask(&c, line);
	}
	np_tls_read_pause(monitor.tls, false);
	KTAP_OK(srv_wait(is_closed, &monitor));
	KTAP_STREQ(srv_ask(&c, "noop:0"), "[data:ok|@alice@]");
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	stop();
}

static void stats_lines(void)
{
	start();
	srv_node_stop(&node);
	node.conf.stats_interval_ms = 500;
	srv_node_start(&node);
	srv_owner(&c, &node, "@alice");
	watch(&monitor, "@alice", "monitor:selfNotifications nothing\n");
	KTAP_OK(srv_want(
		&monitor,
		"[notification: {\"id\":\"-1\",\"from\":\"@alice\",\"to\":\"@alice\",\"key\":"
		"\"statsNotification.@alice\",\"value\":\"2\",\"operation\":\"update\","
		"\"epochMillis\":"));
	KTAP_OK(srv_want(
		&monitor,
		"\"messageType\":\"MessageType.key\",\"isEncrypted\":false,\"metadata\":null}|]"));
	srv_forget(&monitor);
	srv_ask(&c, "update:s.x@alice 1");
	KTAP_OK(srv_want(&monitor, "\"value\":\"3\""));
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	stop();
}

static void multiplexed_monitor(void)
{
	const char *seen;

	start();
	srv_owner(&c, &node, "@alice");
	watch(&monitor, "@bob", "monitor:strict:multiplexed\n");
	srv_send(&monitor, "noop:400\n");
	srv_run_ms(50);
	srv_ask(&c, "notify:id:x-1:@bob:one.x@alice:1");
	seen = srv_want(&monitor, "x-1");
	KTAP_OK(np_str_starts(seen, "[data:ok|][notification: "));
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	stop();
}

/* --- enrolments
 * ---------------------------------------------------------------------------------------------- */

static void enrolment(void)
{
	static const struct srv_step ask[] = {
		{"lookup:publickey@alice\n", "[data:MIIB{any}|@]"},
		{"enroll:request:{\"appName\":\"sshnpd\",\"deviceName\":\"pi1\",\"namespaces\":{"
		 "\"sshnp\":\"rw\",\"ro\":\"r\"},"
		 "\"otp\":\"{id}\",\"encryptedAPKAMSymmetricKey\":\"U1lN\",\"apkamPublicKey\":\"{"
		 "pub}\"}\n",
		 "[data:{\"enrollmentId\":\"{newid}\",\"status\":\"pending\"}|@]"},
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"pkam:enrollmentId:{id}:{sig}\n",
		 "[error:AT0026:enrollment_id: {id} is pending|@]"},
		{NULL, NULL}};
	static const struct srv_step approve[] = {
		{"enroll:list:{\"enrollmentStatusFilter\":[\"pending\"]}\n",
		 "[data:{\"{id}.new.enrollments.__manage@alice\":{\"appName\":\"sshnpd\","
		 "\"deviceName\":\"pi1\",\"namespace\":{"
		 "\"sshnp\":\"rw\",\"ro\":\"r\"},\"encryptedAPKAMSymmetricKey\":\"U1lN\","
		 "\"status\":\"pending\"}}|@alice@]"},
		{"enroll:approve:{\"enrollmentId\":\"{id}\","
		 "\"encryptedDefaultEncryptionPrivateKey\":\"UFJJVg==\","
		 "\"encryptedDefaultSelfEncryptionKey\":\"U0VMRg==\"}\n",
		 "[data:{\"status\":\"approved\",\"enrollmentId\":\"{id}\"}|@alice@]"},
		{"enroll:deny:{\"enrollmentId\":\"{id}\"}\n", "[error:AT0011-{any}|@alice@]"},
		{"update:plain.buzz@alice 1\n", "[data:{n}|@alice@]"},
		{"update:seen.ro@alice 1\n", "[data:{n}|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step use[] = {
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"pkam:enrollmentId:{id}:{sig}\n", "[data:success|@alice@]"},
		{"keys:get:keyName:{id}.default_enc_private_key.__manage@alice\n",
		 "[data:{\"value\":\"UFJJVg==\"}|@alice@]"},
		{"keys:get:keyName:other.default_enc_private_key.__manage@alice\n",
		 "[error:AT0009-{any}|@alice@]"},
		{"update:username.pi1.sshnp@alice me\n", "[data:{n}|@alice@]"},
		{"llookup:username.pi1.sshnp@alice\n", "[data:me|@alice@]"},
		{"update:x.ro@alice 1\n", "[error:AT0009-{any}|@alice@]"},
		{"llookup:seen.ro@alice\n", "[data:1|@alice@]"},
		{"llookup:plain.buzz@alice\n", "[error:AT0009-{any}|@alice@]"},
		{"delete:plain.buzz@alice\n", "[error:AT0009-{any}|@alice@]"},
		{"update:plain.buzz@alice 2\n", "[error:AT0009-{any}|@alice@]"},
		{"update:shared_key.bob@alice a2V5\n", "[data:{n}|@alice@]"},
		{"notify:@bob:hello.buzz@alice:1\n", "[error:AT0009-{any}|@alice@]"},
		{"notify:@bob:hello.pi1.sshnp@alice:1\n", "[data:{uuid}|@alice@]"},
		{"llookup:{id}.new.enrollments.__manage@alice\n", "[error:AT0009-{any}|@alice@]"},
		{"enroll:approve:{\"enrollmentId\":\"{id}\"}\n", "[error:AT0009-{any}|@alice@]"},
		{"otp:put:abcdef\n", "[error:AT0011-{any}|@alice@]"},
		{"enroll:fetch:{\"enrollmentId\":\"{id}\"}\n",
		 "[data:{\"appName\":\"sshnpd\",\"deviceName\":\"pi1\",{any}\"status\":"
		 "\"approved\"}|@alice@]"},
		{"scan x\n", "[data:[{any}]|@alice@]"},
		{"scan buzz\n", "[data:[]|@alice@]"},
		{"scan ^username\n", "[data:[\"username.pi1.sshnp@alice\"]|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step revoke[] = {
		{"enroll:revoke:{\"enrollmentId\":\"{id}\"}\n",
		 "[data:{\"status\":\"revoked\",\"enrollmentId\":\"{id}\"}|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step after[] = {{"from:@alice\n", "[data:{challenge}|@]"},
						{"pkam:enrollmentId:{id}:{sig}\n",
						 "[error:AT0027:enrollment_id: {id} is revoked|@]"},
						{NULL, NULL}};
	struct srv_client app;

	start();
	srv_owner(&c, &node, "@alice");
	watch(&monitor, "@alice", "monitor:selfNotifications .*\\.new\\.enrollments\\.__manage\n");
	srv_ask(&c, "otp:get");
	snprintf(world.id, sizeof(world.id), "%.6s", np_buf_str(&c.seen) + 6);
	srv_connect(&app, &node, false);
	KTAP_OK(srv_play(&app, ask));
	KTAP_OK(srv_want(&monitor, ".new.enrollments.__manage@alice\",\"value\":\"{"
				   "\\\"encryptedApkamSymmetricKey\\\":\\\"U1lN\\\""));
	KTAP_OK(srv_play(&c, approve));
	KTAP_OK(srv_play(&app, use));
	KTAP_OK(srv_play(&c, revoke));
	KTAP_OK(srv_wait(is_closed, &app));
	srv_hang_up(&app);
	srv_connect(&app, &node, false);
	KTAP_OK(srv_play(&app, after));
	srv_hang_up(&app);
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	stop();
}

static void passcodes(void)
{
	static const struct srv_step steps[] = {
		{"enroll:request:{\"appName\":\"a\",\"deviceName\":\"d\",\"namespaces\":{\"x\":"
		 "\"rw\"},\"otp\":\"nothing\","
		 "\"encryptedAPKAMSymmetricKey\":\"U1lN\",\"apkamPublicKey\":\"{pub}\"}\n",
		 "[error:AT0011-Exception: invalid otp. Cannot process enroll request|@]"},
		{"enroll:request:{\"appName\":\"a\",\"deviceName\":\"d\",\"namespaces\":{\"x\":"
		 "\"w\"},\"otp\":\"SPP_code\","
		 "\"encryptedAPKAMSymmetricKey\":\"U1lN\",\"apkamPublicKey\":\"{pub}\"}\n",
		 "[error:AT0022-{any}|@]"},
		{"enroll:request:{\"appName\":\"a\",\"deviceName\":\"d\",\"namespaces\":{\"x\":"
		 "\"rw\"},\"otp\":\"spp_CODE\","
		 "\"encryptedAPKAMSymmetricKey\":\"U1lN\",\"apkamPublicKey\":\"{pub}\"}\n",
		 "[data:{\"enrollmentId\":\"{newid}\",\"status\":\"pending\"}|@]"},
		{"enroll:request:{\"appName\":\"a\",\"deviceName\":\"d\",\"namespaces\":{\"x\":"
		 "\"rw\"},\"otp\":\"spp_CODE\","
		 "\"encryptedAPKAMSymmetricKey\":\"U1lN\",\"apkamPublicKey\":\"{pub}\"}\n",
		 "[error:AT0011-Exception: Another enrollment with id {id} exists{any}|@]"},
		{"enroll:request:{\"appName\":\"a\"}\n", "[error:AT0022-{any}|@]"},
		{"enroll:request:{\"appName\":\"a\"}\n",
		 "[error:AT0011-Exception: Enrollment requests have exceeded{any}|@]"},
		{NULL, NULL}};
	static const struct srv_step deny[] = {
		{"enroll:deny:{\"enrollmentId\":\"{id}\"}\n",
		 "[data:{\"status\":\"denied\",\"enrollmentId\":\"{id}\"}|@alice@]"},
		{"enroll:delete:{\"enrollmentId\":\"{id}\"}\n",
		 "[data:{\"status\":\"deleted\",\"enrollmentId\":\"{id}\"}|@alice@]"},
		{NULL, NULL}};

	start();
	srv_owner(&c, &node, "@alice");
	KTAP_STREQ(srv_ask(&c, "otp:put:SPP_code"), "[data:ok|@alice@]");
	KTAP_OK(np_str_starts(srv_ask(&c, "otp:put:short"), "[error:AT0003-"));
	srv_connect(&c2, &node, false);
	srv_ask(&c2, "lookup:publickey@alice");
	KTAP_OK(srv_play(&c2, steps));
	KTAP_OK(srv_play(&c, deny));
	srv_hang_up(&c);
	srv_hang_up(&c2);
	stop();
}

/* --- connections and tenants
 * --------------------------------------------------------------------------------- */

static void limits(void)
{
	struct srv_client idle;

	start();
	srv_node_stop(&node);
	node.conf.max_connections = 2;
	node.conf.idle_unauth_ms = 300;
	srv_node_start(&node);
	/* Who proves nothing makes room for who comes; who logged in is never the one. */
	srv_owner(&c, &node, "@alice");
	srv_connect(&idle, &node, false);
	srv_owner(&c2, &node, "@alice");
	KTAP_OK(srv_wait(is_closed, &idle));
	srv_hang_up(&idle);
	srv_connect(&idle, &node, false);
	KTAP_STREQ(np_buf_str(&idle.seen), "[error:AT0012-Inbound connection limit exceeded|]");
	KTAP_OK(srv_wait(is_closed, &idle));
	srv_hang_up(&idle);
	srv_hang_up(&c2);
	/* With room, silence alone ends it. */
	srv_connect(&idle, &node, false);
	KTAP_OK(srv_wait(is_closed, &idle));
	srv_hang_up(&idle);
	KTAP_STREQ(srv_ask(&c, "noop:0"), "[data:ok|@alice@]");
	srv_hang_up(&c);
	stop();
}

static void tenants_come_and_go(void)
{
	struct np_dir_entry entry = {"@carol", "localhost", 0, true};

	start();
	srv_connect(&c, &node, false);
	KTAP_OK(np_str_starts(srv_ask(&c, "from:@carol"), "[error:AT0007-"));
	KTAP_EQ(node.store->ops->dir_put(node.store, &entry, true, NULL), 0);
	KTAP_OK(srv_match("[data:{challenge}|@]", srv_ask(&c, "from:@carol")));
	srv_hang_up(&c);
	srv_owner(&c, &node, "@alice");
	KTAP_EQ(node.store->ops->dir_del(node.store, "@alice", NULL), 0);
	KTAP_OK(srv_wait(is_closed, &c));
	srv_hang_up(&c);
	stop();
}

/* Legacy owner connections may not become somebody else by from. */
static void from_again(void)
{
	static const struct srv_step steps[] = {
		{"from:@alice\n", "[data:{challenge}|@alice@]"},
		{"from:@bob\n", "[data:{challenge}|@]"},
		{"llookup:publickey@alice\n", "[error:AT0401-{any}|@]"},
		{"pkam:{sig}\n", "[data:success|@bob@]"},
		{"llookup:public:publickey@bob\n", "[data:MIIB{any}|@bob@]"},
		{NULL, NULL}};

	start();
	srv_owner(&c, &node, "@alice");
	KTAP_OK(srv_play(&c, steps));
	srv_hang_up(&c);
	stop();
}

/* Leaving for another atSign ends monitor mode: nothing of the former owner arrives any more. */
static void monitor_leaves(void)
{
	start();
	srv_owner(&c, &node, "@alice");
	watch(&monitor, "@bob", "monitor\n");
	watch(&c2, "@bob", "monitor\n");
	KTAP_OK(srv_match("[data:{challenge}|@]", srv_ask(&monitor, "from:@alice")));
	KTAP_STREQ(srv_ask(&monitor, "pkam:{sig}"), "[data:success|@alice@]");
	srv_ask(&c, "notify:id:m-1:@bob:one.x@alice:1");
	KTAP_OK(srv_want(&c2, "m-1"));
	srv_hang_up(&c2);
	srv_ask(&c, "notify:id:m-2:@bob:two.x@alice:1");
	KTAP_STREQ(srv_ask(&monitor, "noop:0"), "[data:ok|@alice@]");
	srv_hang_up(&monitor);
	srv_hang_up(&c);
	stop();
}

/* Thousands of lines at once: answered in order, over several turns. */
static void flood_of_lines(void)
{
	struct np_buf lines = NP_BUF_INIT;
	unsigned int i, nr = 0;
	const char *p;

	start();
	srv_owner(&c, &node, "@alice");
	for (i = 0; i < 3000; i++)
		np_buf_append_str(&lines, i % 100 == 50 ? "noop:1\n" : "noop:0\n");
	np_buf_append_str(&lines, "noop:9999\n");
	srv_forget(&c);
	srv_send(&c, np_buf_str(&lines));
	KTAP_OK(srv_want(&c, "AT0022"));
	for (p = np_buf_str(&c.seen); (p = strstr(p, "[data:ok|@alice@]")); p++)
		nr++;
	KTAP_EQ(nr, 3000);
	np_buf_fini(&lines);
	srv_hang_up(&c);
	stop();
}

int main(void)
{
	srv_open();
	KTAP_RUN(error_forms);
	KTAP_RUN(json_errors);
	KTAP_RUN(hostile_lines);
	KTAP_RUN(longest_command);
	KTAP_RUN(disk_is_full);
	KTAP_RUN(storage_is_read_only);
	KTAP_RUN(metadata_is_kept);
	KTAP_RUN(birth_and_expiry);
	KTAP_RUN(scans);
	KTAP_RUN(monitor_filters);
	KTAP_RUN(own_notifications);
	KTAP_RUN(monitor_replays);
	KTAP_RUN(slow_monitors);
	KTAP_RUN(stats_lines);
	KTAP_RUN(multiplexed_monitor);
	KTAP_RUN(enrolment);
	KTAP_RUN(passcodes);
	KTAP_RUN(limits);
	KTAP_RUN(tenants_come_and_go);
	KTAP_RUN(from_again);
	KTAP_RUN(monitor_leaves);
	KTAP_RUN(flood_of_lines);
	srv_close();
	return ktap_done();
}
