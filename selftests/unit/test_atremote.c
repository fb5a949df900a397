// SPDX-License-Identifier: BSD-3-Clause
/*
 * Two atServers with certificates of their own kind: pol both ways, delivery with retry, look-ups,
 * caches (atprotocol.md 9.4, 11.2, 11.3, 16, 19.4).
 */
#include "atsrv.h"

#include "base/clock.h"
#include "base/str.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"
#include "net/linebuf.h"
#include "net/listen.h"
#include "net/sock.h"
#include "store/store.h"
#include "tls/tls.h"

#include <unistd.h>

static struct srv_node a, b;
static struct srv_client alice, bob, monitor;

static void start(void)
{
	static const char *const on_a[] = {"@alice", NULL}, *const on_b[] = {"@bob", NULL};

	srv_node_init(&a, on_a);
	srv_node_init(&b, on_b);
	srv_node_start(&a);
	srv_node_start(&b);
	srv_node_knows(&a, "@bob", &b);
	srv_node_knows(&b, "@alice", &a);
	srv_activate(&a, "@alice");
	srv_activate(&b, "@bob");
	srv_owner(&alice, &a, "@alice");
	srv_owner(&bob, &b, "@bob");
}

static void watch(struct srv_client *c, const struct srv_node *node, const char *atsign,
		  const char *command)
{
	srv_owner(c, node, atsign);
	srv_forget(c);
	srv_send(c, command);
	srv_send(c, "noop:0\n");
	KTAP_OK(srv_want(c, "[data:ok|]"));
	srv_forget(c);
}

static void stop(void)
{
	srv_hang_up(&alice);
	srv_hang_up(&bob);
	srv_node_fini(&a);
	srv_node_fini(&b);
}

struct status {
	struct srv_client *c;
	const char *line, *want;
};

static bool has_status(void *arg)
{
	struct status *st = arg;

	return !strcmp(srv_ask(st->c, st->line), st->want);
}

static void notifies(void)
{
	struct status st = {&alice, "notify:status:aaaa-1", "[data:delivered|@alice@]"};

	start();
	watch(&monitor, &b, "@bob", "monitor:selfNotifications\n");
	KTAP_STREQ(srv_ask(&alice, "notify:id:aaaa-1:update:messageType:key:ttln:60000:ttl:10000:"
				   "ttr:-1:ccd:true:"
				   "isEncrypted:true:sharedKeyEnc:S0VZ:ivNonce:AAA=:@bob:ping."
				   "default.sshnp@alice:Y3JlZA=="),
		   "[data:aaaa-1|@alice@]");
	KTAP_OK(srv_want(&monitor, "\"id\":\"aaaa-1\""));
	KTAP_OK(srv_want(&monitor, "\"from\":\"@alice\",\"to\":\"@bob\",\"key\":\"@bob:ping."
				   "default.sshnp@alice\",\"value\":"
				   "\"Y3JlZA==\""));
	KTAP_OK(srv_want(&monitor, "\"ivNonce\":\"AAA=\""));
	KTAP_OK(srv_want(&monitor, "\"sharedKeyEnc\":\"S0VZ\""));
	KTAP_OK(srv_wait(has_status, &st));
	KTAP_STREQ(srv_ask(&bob, "llookup:cached:@bob:ping.default.sshnp@alice"),
		   "[data:Y3JlZA==|@bob@]");
	/* A text, and a delete that takes the cached copy away. */
	srv_ask(&alice, "notify:messageType:text:@bob:how are you: fine");
	KTAP_OK(srv_want(&monitor, "\"key\":\"@bob:how are you: fine\",\"value\":null"));
	srv_ask(&alice, "notify:delete:@bob:ping.default.sshnp@alice");
	KTAP_OK(srv_want(&monitor, "\"operation\":\"delete\""));
	KTAP_STREQ(srv_ask(&bob, "llookup:cached:@bob:ping.default.sshnp@alice"),
		   "[error:AT0015-key not found : cached:@bob:ping.default.sshnp@alice does not "
		   "exist in keystore|@bob@]");
	srv_hang_up(&monitor);
	stop();
}

static void looks_up(void)
{
	start();
	srv_ask(&bob, "update:ttr:100:ccd:true:isEncrypted:true:@alice:phone.buzz@bob cGhvbmU=");
	srv_ask(&bob, "update:isEncrypted:true:@alice:secret.buzz@bob c2VjcmV0");
	srv_ask(&bob, "update:isEncrypted:false:public:city.buzz@bob Paris");
	KTAP_STREQ(srv_ask(&alice, "lookup:secret.buzz@bob"), "[data:c2VjcmV0|@alice@]");
	KTAP_OK(srv_match("[data:{\"key\":\"@alice:secret.buzz@bob\",\"data\":\"c2VjcmV0\","
			  "\"metaData\":{\"createdBy\":\"@bob\","
			  "\"updatedBy\":\"@bob\",\"createdAt\":\"{time}\",\"updatedAt\":\"{time}"
			  "\",{any}}}|@alice@]",
			  srv_ask(&alice, "lookup:all:secret.buzz@bob")));
	KTAP_STREQ(srv_ask(&alice, "plookup:city.buzz@bob"), "[data:Paris|@alice@]");
	KTAP_OK(srv_match("[data:{\"key\":\"public:city.buzz@bob\",\"data\":\"Paris\",\"metaData\":"
			  "{{any}}}|@alice@]",
			  srv_ask(&alice, "plookup:all:city.buzz@bob")));
	KTAP_OK(srv_match("[data:{\"createdBy\":\"@bob\",{any}}|@alice@]",
			  srv_ask(&alice, "plookup:meta:city.buzz@bob")));
	KTAP_STREQ(srv_ask(&alice, "scan:@bob"),
		   "[data:[\"phone.buzz@bob\",\"secret.buzz@bob\"]|@alice@]");
	KTAP_STREQ(srv_ask(&alice, "scan:@bob pho.e"), "[data:[\"phone.buzz@bob\"]|@alice@]");
	KTAP_STREQ(srv_ask(&alice, "lookup:nothing.buzz@bob"),
		   "[error:AT0015-key not found : @alice:nothing.buzz@bob does not exist in "
		   "keystore|@alice@]");
	KTAP_STREQ(srv_ask(&alice, "plookup:nothing.buzz@bob"),
		   "[error:AT0015-key not found : public:nothing.buzz@bob does not exist in "
		   "keystore|@alice@]");
	KTAP_STREQ(srv_ask(&alice, "lookup:x.buzz@nobody"),
		   "[error:AT0007-Secondary server not found : @nobody has no atServer in the "
		   "directory|@alice@]");
	stop();
}

static void serves_fresh_copies(void)
{
	start();
	srv_ask(&bob, "update:ttr:1000:ccd:true:@alice:phone.buzz@bob MQ==");
	KTAP_STREQ(srv_ask(&alice, "lookup:phone.buzz@bob"), "[data:MQ==|@alice@]");
	srv_hang_up(&bob);
	srv_node_stop(&b);
	KTAP_STREQ(srv_ask(&alice, "lookup:phone.buzz@bob"), "[data:MQ==|@alice@]");
	KTAP_OK(np_str_starts(
		srv_ask(&alice, "lookup:all:phone.buzz@bob"),
		"[data:{\"key\":\"cached:@alice:phone.buzz@bob\",\"data\":\"MQ==\","));
	KTAP_OK(np_str_starts(srv_ask(&alice, "plookup:publickey@bob"), "[data:MIIB"));
	KTAP_OK(np_str_starts(srv_ask(&alice, "lookup:bypassCache:true:phone.buzz@bob"),
			      "[error:AT0021-"));
	srv_node_start(&b);
	srv_owner(&bob, &b, "@bob");
	srv_ask(&bob, "delete:@alice:phone.buzz@bob");
	stop();
}

static void waits_for_the_recipient(void)
{
	struct status st = {&alice, "notify:status:bbbb-2", "[data:delivered|@alice@]"};
	uint16_t port;

	start();
	srv_hang_up(&bob);
	port = b.port;
	srv_node_stop(&b);
	KTAP_STREQ(srv_ask(&alice, "notify:id:bbbb-1:@bob:one.buzz@alice:MQ=="),
		   "[data:bbbb-1|@alice@]");
	KTAP_STREQ(srv_ask(&alice, "notify:id:bbbb-2:@bob:two.buzz@alice:Mg=="),
		   "[data:bbbb-2|@alice@]");
	KTAP_STREQ(srv_ask(&alice, "notify:id:bbbb-3:ttln:1:@bob:late.buzz@alice:Mw=="),
		   "[data:bbbb-3|@alice@]");
	KTAP_STREQ(srv_ask(&alice, "notify:status:bbbb-1"), "[data:queued|@alice@]");
	srv_run_ms(50);
	/* The queue survives a restart of the sender. */
	srv_hang_up(&alice);
	srv_node_stop(&a);
	srv_node_start(&a);
	srv_owner(&alice, &a, "@alice");
	b.port = port;
	srv_node_start(&b);
	srv_node_knows(&b, "@alice", &a);
	watch(&monitor, &b, "@bob", "monitor:0\n");
	KTAP_OK(srv_want(&monitor, "bbbb-2"));
	KTAP_OK(srv_wait(has_status, &st));
	KTAP_OK(strstr(np_buf_str(&monitor.seen), "bbbb-1") <
		strstr(np_buf_str(&monitor.seen), "bbbb-2"));
	KTAP_OK(!strstr(np_buf_str(&monitor.seen), "bbbb-3"));
	srv_hang_up(&monitor);
	srv_owner(&bob, &b, "@bob");
	stop();
}

static void dead_recipient_delays_nobody(void)
{
	struct srv_node dead = {.port = 1};

	start();
	srv_node_knows(&a, "@dead", &dead);
	watch(&monitor, &b, "@bob", "monitor\n");
	srv_ask(&alice, "notify:id:cccc-1:@dead:one.buzz@alice:MQ==");
	srv_ask(&alice, "notify:id:cccc-2:@unknown:one.buzz@alice:MQ==");
	srv_ask(&alice, "notify:id:cccc-3:@bob:one.buzz@alice:MQ==");
	KTAP_OK(srv_want(&monitor, "cccc-3"));
	KTAP_STREQ(srv_ask(&alice, "notify:status:cccc-1"), "[data:queued|@alice@]");
	srv_hang_up(&monitor);
	stop();
}

static bool set_queued(const struct np_note *note, void *arg)
{
	(void)arg;
	return note != NULL;
}

/* A lost answer makes the sender repeat itself: the receiver pushes once. */
static void repeated_id_is_pushed_once(void)
{
	struct status st = {&alice, "notify:status:dddd-1", "[data:delivered|@alice@]"};

	start();
	watch(&monitor, &b, "@bob", "monitor\n");
	srv_ask(&alice, "notify:id:dddd-1:@bob:one.buzz@alice:MQ==");
	KTAP_OK(srv_want(&monitor, "dddd-1"));
	KTAP_OK(srv_wait(has_status, &st));
	srv_forget(&monitor);
	srv_hang_up(&alice);
	srv_node_stop(&a);
	KTAP_EQ(a.store->ops->note_set_status(a.store, "@alice", "dddd-1", NP_NOTE_SENT,
					      NP_NOTE_QUEUED, 0, NULL),
		0);
	srv_node_start(&a);
	srv_owner(&alice, &a, "@alice");
	KTAP_OK(srv_wait(has_status, &st));
	srv_ask(&alice, "notify:id:dddd-2:@bob:two.buzz@alice:MQ==");
	KTAP_OK(srv_want(&monitor, "dddd-2"));
	KTAP_OK(!strstr(np_buf_str(&monitor.seen), "dddd-1"));
	KTAP_EQ(a.store->ops->note_get(a.store, "@alice", "dddd-1", set_queued, NULL), 0);
	srv_hang_up(&monitor);
	stop();
}

static bool copy_value(const char *key, const struct np_record *rec, void *arg)
{
	(void)key;
	np_buf_append(arg, rec->value, rec->value_len);
	return true;
}

/* Plays the server of @bob by hand: the proof is put where that server publishes it. */
static void pol_as_bob(struct srv_client *c, bool good)
{
	struct np_buf text = NP_BUF_INIT, sig = NP_BUF_INIT;
	struct np_rsa *key = NULL;
	char sid[64], name[128], *uuid;
	struct np_record rec = {.meta = "{}"};

	srv_connect(c, &a, true);
	KTAP_OK(srv_match("[data:proof:{challenge}|@]", srv_ask(c, "from:@bob")));
	uuid = strchr(world.challenge, ':') + 1;
	snprintf(sid, sizeof(sid), "%.*s", (int)strcspn(world.challenge, "@"), world.challenge);
	b.store->ops->get(b.store, "@bob", "@bob:signing_privatekey@bob", copy_value, &text);
	KTAP_EQ(np_rsa_load_private(np_buf_str(&text), text.len, &key, NULL), 0);
	np_rsa_sign_b64(key, NP_HASH_SHA256, good ? uuid : "x", good ? strlen(uuid) : 1, &sig);
	rec.value = np_buf_str(&sig);
	rec.value_len = sig.len;
	snprintf(name, sizeof(name), "public:%s@bob", sid);
	KTAP_EQ(b.store->ops->put(b.store, "@bob", name, &rec, NULL), 0);
	np_rsa_free(key);
	np_buf_fini(&sig);
	np_buf_fini(&text);
}

static void peer_is_held_to_its_name(void)
{
	static const struct srv_step steps[] = {
		{"notify:id:eeee-1:update:messageType:key:notifier:SYSTEM:ttln:60000:ttl:0:ttb:0:"
		 "isEncrypted:true:@alice:"
		 "x.buzz@bob:MQ==\n",
		 "[data:success|@bob@]"},
		{"notify:id:eeee-1:update:messageType:key:notifier:SYSTEM:ttln:60000:ttl:0:ttb:0:"
		 "isEncrypted:true:@alice:"
		 "x.buzz@bob:MQ==\n",
		 "[data:success|@bob@]"},
		{"notify:id:eeee-2:update:@alice:x.buzz@carol:MQ==\n",
		 "[error:AT0009-Exception: @bob cannot notify @alice as @carol|@]"},
		{"notify:id:eeee-3:update:@dave:x.buzz@bob:MQ==\n",
		 "[error:AT0009-Exception: @bob cannot notify @dave as @bob|@]"},
		{"lookup:secret.buzz@alice\n", "[data:Zm9yIGJvYg==|@bob@]"},
		{"lookup:private.buzz@alice\n",
		 "[error:AT0015-Exception: @bob:private.buzz@alice does not exist in keystore|@]"},
		{"scan\n", "[data:[\"secret.buzz@alice\"]|@bob@]"},
		{"update:x.buzz@alice 1\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		{"llookup:x.buzz@alice\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		{"monitor\n",
		 "[error:AT0401-Exception: Command cannot be executed without auth|@]"},
		{"noop:0\n", "[data:ok|@bob@]"},
		{NULL, NULL}};
	const char *seen;
	struct srv_client c;

	start();
	watch(&monitor, &a, "@alice", "monitor\n");
	srv_ask(&alice, "update:@bob:secret.buzz@alice Zm9yIGJvYg==");
	srv_ask(&alice, "update:private.buzz@alice MQ==");
	pol_as_bob(&c, true);
	KTAP_STREQ(srv_ask(&c, "pol"), "[@bob@]");
	KTAP_OK(srv_play(&c, steps));
	seen = srv_want(&monitor, "eeee-1");
	KTAP_OK(seen && !strstr(strstr(seen, "eeee-1") + 6, "eeee-1"));
	srv_hang_up(&c);
	pol_as_bob(&c, false);
	KTAP_STREQ(srv_ask(&c, "pol"), "[error:AT0401-Exception: Pol Authentication Failed|@]");
	KTAP_STREQ(srv_ask(&c, "noop:0"), "[data:ok|@]");
	srv_hang_up(&c);
	srv_hang_up(&monitor);
	stop();
}

static bool is_closed(void *arg)
{
	return ((struct srv_client *)arg)->closed;
}

static void certificate_is_asked_for(void)
{
	struct srv_client c;

	start();
	srv_connect(&c, &a, false);
	KTAP_STREQ(srv_ask(&c, "from:@bob"),
		   "[error:AT0401-Exception: Certificate Verification Failed|@]");
	KTAP_STREQ(srv_ask(&c, "from:@nobody"),
		   "[error:AT0007-Exception: @nobody has no atServer in the directory|@]");
	KTAP_OK(np_str_starts(srv_ask(&c, "pol"), "[error:AT0401-"));
	srv_hang_up(&c);
	srv_connect(&c, &a, false);
	KTAP_OK(np_str_starts(srv_ask(&c, "pol"), "[error:AT0011-Exception: "));
	KTAP_OK(srv_wait(is_closed, &c));
	srv_hang_up(&c);
	stop();
}

static void new_public_key_retires_shared_keys(void)
{
	start();
	srv_ask(&alice, "update:shared_key.bob@alice b2xk");
	KTAP_OK(np_str_starts(srv_ask(&alice, "plookup:publickey@bob"), "[data:MIIB"));
	srv_ask(&bob, "update:public:publickey@bob bmV3");
	srv_hang_up(&alice);
	srv_node_stop(&a); /* drops the pooled connections */
	srv_node_start(&a);
	srv_node_knows(&b, "@alice", &a);
	srv_owner(&alice, &a, "@alice");
	srv_ask(&alice, "scan:@bob");
	KTAP_STREQ(srv_ask(&alice, "plookup:publickey@bob"), "[data:bmV3|@alice@]");
	KTAP_OK(np_str_starts(srv_ask(&alice, "llookup:shared_key.bob@alice"),
			      "[error:AT0015-key not found : "));
	KTAP_OK(srv_match("[data:[\"shared_key.bob.until.{n}@alice\"]|@alice@]",
			  srv_ask(&alice, "scan ^shared_key")));
	stop();
}

/* --- a foreign server of @carol, which notes every line it gets
 * --------------------------------------------- */

struct fake {
	struct np_listener *listener;
	struct np_tls *tls;
	struct np_linebuf in;
	struct np_buf log;
	unsigned int piece; /* answers go out in pieces of this size; 0 whole */
	bool silent;
};

static struct fake fake;

static void fake_say(const char *text)
{
	size_t len = strlen(text), part = fake.piece ? fake.piece : len, at;

	for (at = 0; at < len; at += part)
		np_tls_write(fake.tls, text + at, len - at < part ? len - at : part);
}

static void fake_answer(const char *line)
{
	np_buf_printf(&fake.log, "%s|", line);
	if (fake.silent)
		return;
	if (np_str_starts(line, "lookup:all:publickey"))
		fake_say("data:{\"key\":\"public:publickey@carol\",\"data\":\"PUB\",\"metaData\":{"
			 "\"createdAt\":"
			 "\"2024-10-24 01:35:02.123Z\",\"updatedAt\":\"2024-10-24 "
			 "01:35:02.123Z\"}}\n@");
	else if (np_str_starts(line, "from:"))
		fake_say("data:proof:_4af24c03-d732-48f8-a9a2-570e8fb6a01c@alice:d6cac849-9c29-"
			 "42b0-b0c5-493db62728b9\n@");
	else if (!strcmp(line, "pol"))
		fake_say("@alice@");
	else if (np_str_starts(line, "notify:"))
		fake_say("data:success\n@alice@");
	else
		fake_say("error:AT0015-Exception: gone\n@");
}

static void fake_ready(struct np_tls *tls, void *arg)
{
	(void)tls;
	(void)arg;
	np_tls_write(fake.tls, "@", 1);
}

static void fake_data(struct np_tls *tls, const uint8_t *data, size_t len, void *arg)
{
	char *line;
	size_t nr;

	(void)tls;
	(void)arg;
	np_linebuf_feed(&fake.in, data, len);
	while (np_linebuf_next(&fake.in, &line, &nr) > 0) {
		fake_answer(line);
		np_linebuf_drop(&fake.in);
	}
}

static void fake_closed(struct np_tls *tls, const struct np_err *err, void *arg)
{
	(void)err;
	(void)arg;
	np_tls_close(tls);
	if (fake.tls == tls)
		fake.tls = NULL;
}

static const struct np_tls_ops fake_ops = {
	.ready = fake_ready, .data = fake_data, .closed = fake_closed};

static void fake_accept(int fd, const struct np_addr *peer, void *arg)
{
	(void)peer;
	(void)arg;
	np_tls_close(fake.tls);
	np_linebuf_fini(&fake.in);
	np_tls_accept(world.loop, world.server_tls, fd, &fake_ops, NULL, &fake.tls, NULL);
}

static void fake_start(void)
{
	struct srv_node carol = {.port = 0};
	int fd = np_sock_listen("127.0.0.1", 0, 16, NULL);

	memset(&fake, 0, sizeof(fake));
	fake.in = (struct np_linebuf)NP_LINEBUF_INIT(100000);
	np_listener_open(world.loop, fd, "fake", fake_accept, NULL, &fake.listener);
	carol.port = np_listener_port(fake.listener);
	srv_node_knows(&a, "@carol", &carol);
}

static void fake_stop(void)
{
	np_listener_close(fake.listener);
	np_tls_close(fake.tls);
	np_linebuf_fini(&fake.in);
	np_buf_fini(&fake.log);
}

static void speaks_like_the_published_server(void)
{
	struct status st = {&alice, "notify:status:ffff-1", "[data:delivered|@alice@]"};

	start();
	fake_start();
	srv_ask(&alice, "notify:id:ffff-1:update:messageType:key:priority:low:strategy:all:latestN:"
			"1:notifier:SYSTEM:ttln:60000:"
			"ttl:10000:ttr:-1:ccd:true:isEncrypted:true:sharedKeyEnc:S0VZ:pubKeyCS:"
			"b91c:ivNonce:AAA=:@carol:ping.default."
			"sshnp@alice:Y3JlZA==");
	KTAP_OK(srv_wait(has_status, &st));
	KTAP_OK(srv_match("lookup:all:publickey@carol|from:@alice|pol|notify:id:ffff-1:update:"
			  "messageType:key:notifier:SYSTEM:"
			  "ttln:{n}:ttl:10000:ttb:0:ttr:-1:ccd:true:isEncrypted:true:sharedKeyEnc:"
			  "S0VZ:pubKeyCS:b91c:ivNonce:"
			  "AAA=:@carol:ping.default.sshnp@alice:Y3JlZA==|",
			  np_buf_str(&fake.log)));
	np_buf_fini(&fake.log);
	/* The connection is used again. */
	st.line = "notify:status:ffff-2";
	srv_ask(&alice, "notify:id:ffff-2:messageType:text:@carol:hello there");
	KTAP_OK(srv_wait(has_status, &st));
	KTAP_OK(srv_match("notify:id:ffff-2:update:messageType:text:notifier:SYSTEM:ttln:{n}:ttl:0:"
			  "ttb:0:isEncrypted:false:@carol:"
			  "hello there|",
			  np_buf_str(&fake.log)));
	/* Public data is asked for on a connection without pol. */
	np_buf_fini(&fake.log);
	srv_ask(&alice, "plookup:city.buzz@carol");
	KTAP_STREQ(np_buf_str(&fake.log), "lookup:all:publickey@carol|lookup:all:city.buzz@carol|");
	KTAP_STREQ(srv_ask(&alice, "plookup:publickey@carol"), "[data:PUB|@alice@]");
	fake_stop();
	stop();
}

/* The proof that we publish for a pol is there for the asking, under its own name only. */
static void proof_is_published(void)
{
	struct np_buf want = NP_BUF_INIT, text = NP_BUF_INIT;
	struct srv_client c;
	struct np_rsa *key = NULL;

	start();
	fake_start();
	srv_ask(&alice, "scan:@carol");
	srv_connect(&c, &a, false);
	a.store->ops->get(a.store, "@alice", "@alice:signing_privatekey@alice", copy_value, &text);
	KTAP_EQ(np_rsa_load_private(np_buf_str(&text), text.len, &key, NULL), 0);
	np_buf_append_str(&want, "[data:");
	np_rsa_sign_b64(key, NP_HASH_SHA256, "d6cac849-9c29-42b0-b0c5-493db62728b9", 36, &want);
	np_buf_append_str(&want, "|@]");
	KTAP_STREQ(srv_ask(&c, "lookup:_4af24c03-d732-48f8-a9a2-570e8fb6a01c@alice"),
		   np_buf_str(&want));
	np_rsa_free(key);
	np_buf_fini(&want);
	np_buf_fini(&text);
	srv_hang_up(&c);
	fake_stop();
	stop();
}

static void answers_may_come_in_pieces(void)
{
	struct status st = {&alice, "notify:status:abab-1", "[data:delivered|@alice@]"};

	start();
	fake_start();
	fake.piece = 1;
	srv_ask(&alice, "notify:id:abab-1:@carol:x.buzz@alice:MQ==");
	KTAP_OK(srv_wait(has_status, &st));
	fake_stop();
	stop();
}

static void silent_server_times_out(void)
{
	long long before;

	start();
	fake_start();
	fake.silent = true;
	before = np_clock_mono_ms();
	KTAP_STREQ(srv_ask(&alice, "plookup:city.buzz@carol"),
		   "[error:AT0023-Timeout waiting for response : the atServer of @carol did not "
		   "answer in time|@alice@]");
	KTAP_OK(np_clock_mono_ms() - before < 8000);
	fake_stop();
	stop();
}

int main(void)
{
	srv_open();
	KTAP_RUN(notifies);
	KTAP_RUN(looks_up);
	KTAP_RUN(serves_fresh_copies);
	KTAP_RUN(waits_for_the_recipient);
	KTAP_RUN(dead_recipient_delays_nobody);
	KTAP_RUN(repeated_id_is_pushed_once);
	KTAP_RUN(peer_is_held_to_its_name);
	KTAP_RUN(certificate_is_asked_for);
	KTAP_RUN(new_public_key_retires_shared_keys);
	KTAP_RUN(speaks_like_the_published_server);
	KTAP_RUN(proof_is_published);
	KTAP_RUN(answers_may_come_in_pieces);
	KTAP_RUN(silent_server_times_out);
	srv_close();
	return ktap_done();
}
