// SPDX-License-Identifier: BSD-3-Clause
/*
 * Who may do what (atprotocol.md 8): each row is one command, asked by everybody. U is not
 * authenticated, P is the server of @carol, O the owner, E an enrolment with "buzz" (rw) and "ro"
 * (r), M one with "buzz" (rw) and "__manage" (rw). And each error code is met at least once (5).
 */
#include "atsrv.h"

#include "atserver/proof.h"
#include "base/str.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"
#include "net/sock.h"
#include "store/store.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct srv_node node, other;

enum who { U, P, O, E, M, WHO_NR };
static struct srv_client c[WHO_NR];
static const char names[] = "UPOEM";
static char ids[WHO_NR][64];

/* "AT..." is an error with that code, anything else what the answer begins with; NULL is not asked. */
struct row {
	const char *line;
	const char *want[WHO_NR];
};

#define NO_AUTH "AT0401", "AT0401"
#define OWNERS(want) NO_AUTH, want, want, want
#define ALL(want) want, want, want, want, want

static const struct row rows[] = {
	{"", {ALL("AT0003")}},
	{"nonsense", {ALL("AT0003")}},
	{"stream:init@bob x", {ALL("AT0003")}},
	{"sync:5", {ALL("AT0003")}},
	{"info", {ALL("data:{\"version\"")}},
	{"info:brief", {ALL("data:{\"version\"")}},
	{"noop:0", {ALL("data:ok")}},
	{"noop:5001", {ALL("AT0022")}},

	{"lookup:pub.buzz@alice", {"data:pub", "AT0015", "AT0015", "AT0015", "AT0015"}},
	{"lookup:pub.other@alice", {"data:pub", "AT0015", "AT0015", "AT0009", "AT0009"}},
	{"lookup:shared.buzz@alice", {"AT0015", "data:shared", "AT0015", "AT0015", "AT0015"}},
	{"lookup:forbob.buzz@alice", {"AT0015", "AT0015", "AT0015", "AT0015", "AT0015"}},
	{"lookup:self.buzz@alice", {"AT0015", "AT0015", "data:self", "data:self", "data:self"}},
	{"lookup:self.other@alice", {"AT0015", "AT0015", "data:self", "AT0009", "AT0009"}},
	{"lookup:self.ro@alice", {"AT0015", "AT0015", "data:self", "data:self", "AT0009"}},
	{"lookup:away.buzz@carol", {"AT0015", "AT0015", "data:far", "data:far", "data:far"}},
	{"lookup:away.other@carol", {"AT0015", "AT0015", "AT0015", "AT0009", "AT0009"}},
	{"lookup:publickey@alice", {"data:MIIB", "AT0015", "AT0015", "AT0015", "AT0015"}},

	{"scan \\.(buzz|ro|other)@",
	 {"data:[\"pub.buzz@alice\",\"pub.other@alice\"]", "data:[\"shared.buzz@alice\"]",
	  "data:[\"@bob:forbob.buzz@alice\",\"@carol:shared.buzz@alice\",\"public:pub.buzz@alice\","
	  "\"public:pub.other@alice\",\"self.buzz@alice\",\"self.other@alice\",\"self.ro@alice\"]",
	  "data:[\"@bob:forbob.buzz@alice\",\"@carol:shared.buzz@alice\",\"public:pub.buzz@alice\","
	  "\"public:pub.other@alice\",\"self.buzz@alice\",\"self.ro@alice\"]",
	  "data:[\"@bob:forbob.buzz@alice\",\"@carol:shared.buzz@alice\",\"public:pub.buzz@alice\","
	  "\"public:pub.other@alice\",\"self.buzz@alice\"]"}},
	{"scan:@carol", {OWNERS("data:[\"away.buzz@carol\"]")}},
	{"plookup:pub.other@alice", {OWNERS("data:pub")}},
	{"plookup:publickey@carol", {OWNERS("data:MIIB")}},
	{"llookup:self.buzz@alice", {OWNERS("data:self")}},
	{"llookup:self.other@alice", {NO_AUTH, "data:self", "AT0009", "AT0009"}},
	{"llookup:self.ro@alice", {NO_AUTH, "data:self", "data:self", "AT0009"}},
	{"llookup:public:pub.other@alice", {OWNERS("data:pub")}},
	{"llookup:@alice:signing_privatekey@alice", {OWNERS("AT0015")}},
	{"llookup:privatekey:at_pkam_publickey", {OWNERS("AT0009")}},

	{"update:new.buzz@alice 1", {OWNERS("data:")}},
	{"update:new.other@alice 1", {NO_AUTH, "data:", "AT0009", "AT0009"}},
	{"update:new.ro@alice 1", {NO_AUTH, "data:", "AT0009", "AT0009"}},
	{"update:shared_key.bob@alice 1", {OWNERS("data:")}},
	{"update:new.buzz@bob 1", {OWNERS("AT0016")}},
	{"update:meta:new.buzz@alice:ttl:0", {OWNERS("data:")}},
	{"update:meta:new.other@alice:ttl:0", {NO_AUTH, "data:", "AT0009", "AT0009"}},
	{"update:meta:new.ro@alice:ttl:0", {NO_AUTH, "data:", "AT0009", "AT0009"}},
	{"update:json:{\"atKey\":\"new.buzz@alice\",\"value\":\"1\"}", {OWNERS("data:")}},
	{"update:json:{\"atKey\":\"new.other@alice\",\"value\":\"1\"}",
	 {NO_AUTH, "data:", "AT0009", "AT0009"}},
	{"update:json:{\"atKey\":\"new.buzz\",\"sharedBy\":\"@alice\",\"sharedWith\":\"@bob\","
	 "\"value\":\"1\"}",
	 {OWNERS("data:")}},
	{"delete:new.buzz@alice", {OWNERS("data:")}},
	{"delete:new.other@alice", {NO_AUTH, "data:", "AT0009", "AT0009"}},
	{"delete:new.ro@alice", {NO_AUTH, "data:", "AT0009", "AT0009"}},
	{"delete:public:signing_publickey@alice", {OWNERS("AT0009")}},

	{"notify:@bob:n.buzz@alice:1", {"AT0401", "AT0009", "data:", "data:", "data:"}},
	{"notify:@bob:n.other@alice:1", {"AT0401", "AT0009", "data:", "AT0009", "AT0009"}},
	{"notify:@bob:n.ro@alice:1", {"AT0401", "AT0009", "data:", "AT0009", "AT0009"}},
	{"notify:id:p-1:@alice:n.buzz@carol:1",
	 {"AT0401", "data:success", "AT0009", "AT0009", "AT0009"}},
	{"notify:id:p-2:@alice:n.other@carol:1",
	 {"AT0401", "data:success", "AT0009", "AT0009", "AT0009"}},
	{"notify:id:p-3:@carol:n.buzz@carol:1", {"AT0401", "AT0009", "AT0009", "AT0009", "AT0009"}},
	{"notify:list n\\.",
	 {"data:null", "data:null", "data:[{\"id\":\"p-1\"", "data:[{\"id\":\"p-1\"",
	  "data:[{\"id\":\"p-1\""}},
	{"notify:list n\\.other@", {"data:null", "data:null", "data:[", "data:null", "data:null"}},
	{"notify:list tocarol", {"data:null", "data:[{\"id\":\"own-3\"", "data:null", "data:null"}},
	{"notify:status:own-1", {OWNERS("data:delivered")}},
	{"notify:status:own-2", {NO_AUTH, "data:delivered", "AT0009", "AT0009"}},
	{"notify:fetch:own-1", {OWNERS("data:{\"id\":\"own-1\"")}},
	{"notify:fetch:own-2", {NO_AUTH, "data:{\"id\":\"own-2\"", "AT0009", "AT0009"}},
	{"notify:remove:own-2", {NO_AUTH, NULL, "AT0009", "AT0009"}},
	{"notify:remove:own-4", {NO_AUTH, NULL, "AT0009", "AT0009"}},
	{"notify:remove:own-1", {OWNERS("data:success")}},
	{"notify:all:@bob:n.buzz@alice:1", {OWNERS("data: {\"@bob\":")}},
	{"notify:all:@bob:n.other@alice:1", {NO_AUTH, "data: {\"@bob\":", "AT0009", "AT0009"}},
	{"monitor", {NO_AUTH}},

	{"sync:from:-1:limit:5", {OWNERS("data:[{\"atKey\"")}},
	{"sync:from:-1:limit:5:self.other",
	 {NO_AUTH, "data:[{\"atKey\"", "data:[{\"atKey\"", "data:[{\"atKey\""}},
	{"batch:[{\"id\":1,\"command\":\"llookup:self.buzz@alice\"}]",
	 {OWNERS("data:[{\"id\":1,\"response\":{\"data\":\"self\"}}]")}},
	{"batch:[{\"id\":1,\"command\":\"llookup:self.other@alice\"}]",
	 {NO_AUTH, "data:[{\"id\":1,\"response\":{\"data\":\"self\"}}]",
	  "data:[{\"id\":1,\"response\":{\"error_code\":\"AT0009\"",
	  "data:[{\"id\":1,\"response\":{\"error_code\":\"AT0009\""}},
	{"stats:3", {OWNERS("data: [{\"id\":\"3\"")}},
	{"config:block:show", {OWNERS("data:null")}},
	{"config:set:x=1", {OWNERS("data:testing")}},

	{"otp:get", {OWNERS("data:")}},
	{"otp:put:abcdef", {NO_AUTH, "data:ok", "AT0011", "data:ok"}},
	{"enroll:list", {OWNERS("data:{")}},
	{"enroll:request:{}", {"AT0022", "AT0401", "AT0022", "AT0022", "AT0022"}},
	{"enroll:approve:{\"enrollmentId\":\"{id}\"}",
	 {NO_AUTH, "AT0022", "AT0009", "AT0022"}},
	{"enroll:deny:{\"enrollmentId\":\"nobody\"}", {OWNERS("AT0028")}},
	{"enroll:revoke:{\"enrollmentId\":\"{id}\"}", {NO_AUTH, "AT0011", "AT0009", "AT0011"}},
	{"enroll:unrevoke:{\"enrollmentId\":\"{id}\"}", {NO_AUTH, "AT0011", "AT0009", "AT0011"}},
	{"enroll:delete:{\"enrollmentId\":\"{id}\"}", {NO_AUTH, "AT0011", "AT0009", "AT0011"}},
	{"enroll:deny:{\"enrollmentId\":\"{id}\"}", {NO_AUTH, NULL, "AT0009", "data:{\"status\""}},
	{"keys:get:self", {NO_AUTH, "AT0401", "data:[]", "data:[]"}},
	{"keys:put:self:namespace:buzz:appName:a:deviceName:{id}:keyName:k v",
	 {NO_AUTH, "AT0401", "data:-1", "AT0009"}},
	{"keys:put:self:namespace:ro:appName:a:deviceName:d:keyName:k v",
	 {NO_AUTH, "AT0401", "AT0009", "AT0009"}},
	{"keys:put:self:namespace:__manage:appName:a:deviceName:d:keyName:k v",
	 {NO_AUTH, "AT0401", "AT0009", "AT0009"}},
};

static bool copy_value(const char *key, const struct np_record *rec, void *arg)
{
	(void)key;
	np_buf_append(arg, rec->value, rec->value_len);
	return true;
}

/* The server of @carol as a client: its proof is published as it would do it itself. */
static void pol_as_carol(struct srv_client *client)
{
	struct np_buf text = NP_BUF_INIT, sig = NP_BUF_INIT;
	struct np_rsa *key = NULL;
	const char *uuid;
	char name[128];

	srv_connect(client, &node, true);
	KTAP_OK(srv_match("[data:proof:{challenge}|@]", srv_ask(client, "from:@carol")));
	uuid = strchr(world.challenge, ':') + 1;
	other.store->ops->get(other.store, "@carol", "@carol:signing_privatekey@carol", copy_value,
			      &text);
	KTAP_EQ(np_rsa_load_private(np_buf_str(&text), text.len, &key, NULL), 0);
	np_rsa_sign_b64(key, NP_HASH_SHA256, uuid, strlen(uuid), &sig);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(world.challenge, ":"), world.challenge);
	KTAP_EQ(np_proof_keep(other.srv, name, np_buf_str(&sig)), 0);
	KTAP_STREQ(srv_ask(client, "pol"), "[@carol@]");
	np_rsa_free(key);
	np_buf_fini(&sig);
	np_buf_fini(&text);
}

/* Leaves a pending enrolment; its id is in world.id. */
static void request(struct srv_client *client, const char *device, const char *namespaces)
{
	char line[2048];

	srv_connect(client, &node, false);
	srv_ask(client, "lookup:publickey@alice");
	snprintf(line, sizeof(line),
		 "enroll:request:{\"appName\":\"app\",\"deviceName\":\"%s\",\"namespaces\":%s,"
		 "\"otp\":\"SPP_code\",\"encryptedAPKAMSymmetricKey\":\"U1lN\",\"apkamPublicKey\":"
		 "\"%s\"}",
		 device, namespaces, srv_public_key);
	KTAP_OK(srv_match("[data:{\"enrollmentId\":\"{newid}\",\"status\":\"pending\"}|@]",
			  srv_ask(client, line)));
}

static void enrol(enum who who, const char *device, const char *namespaces)
{
	static const struct srv_step approve[] = {
		{"enroll:approve:{\"enrollmentId\":\"{id}\",\"encryptedDefaultEncryptionPrivateKey\":"
		 "\"UFJJVg==\",\"encryptedDefaultSelfEncryptionKey\":\"U0VMRg==\"}\n",
		 "[data:{\"status\":\"approved\",{any}|@alice@]"},
		{NULL, NULL}};

	request(&c[who], device, namespaces);
	strcpy(ids[who], world.id);
	KTAP_OK(srv_play(&c[O], approve));
	KTAP_OK(srv_login_pkam(&c[who], "@alice", ids[who]));
}

static void fill(void)
{
	static const char *const lines[] = {
		"update:public:pub.buzz@alice pub",   "update:public:pub.other@alice pub",
		"update:@carol:shared.buzz@alice shared", "update:@bob:forbob.buzz@alice forbob",
		"update:self.buzz@alice self",	      "update:self.other@alice self",
		"update:self.ro@alice self",	      "notify:id:own-1:@bob:m.buzz@alice:1",
		"notify:id:own-2:@bob:m.other@alice:1", "notify:id:own-3:@carol:tocarol.buzz@alice:1",
		"notify:id:own-4:@bob:m.ro@alice:1",  "otp:put:SPP_code"};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		KTAP_OK(np_str_starts(srv_ask(&c[O], lines[i]), "[data:"));
}

static void start(void)
{
	static const char *const here[] = {"@alice", "@bob", NULL}, *const there[] = {"@carol", NULL};
	struct srv_client carol;

	srv_node_init(&node, here);
	srv_node_init(&other, there);
	srv_node_start(&node);
	srv_node_start(&other);
	srv_node_knows(&node, "@carol", &other);
	srv_node_knows(&other, "@alice", &node);
	srv_activate(&node, "@alice");
	srv_activate(&node, "@bob");
	srv_activate(&other, "@carol");
	srv_owner(&carol, &other, "@carol");
	srv_ask(&carol, "update:@alice:away.buzz@carol far");
	srv_hang_up(&carol);
	srv_connect(&c[U], &node, false);
	srv_ask(&c[U], "lookup:publickey@alice");
	pol_as_carol(&c[P]);
	srv_owner(&c[O], &node, "@alice");
	fill();
	enrol(E, "e", "{\"buzz\":\"rw\",\"ro\":\"r\"}");
	enrol(M, "m", "{\"buzz\":\"rw\",\"__manage\":\"rw\"}");
}

static void stop(void)
{
	enum who who;

	for (who = U; who < WHO_NR; who++)
		srv_hang_up(&c[who]);
	srv_node_fini(&node);
	srv_node_fini(&other);
}

static bool is_as_wanted(const char *want, const char *seen)
{
	char front[256];

	if (!np_str_starts(want, "AT")) {
		snprintf(front, sizeof(front), "[%s", want);
		return strlen(want) < 200 ? np_str_starts(seen, front)
					  : !strncmp(seen + 1, want, strlen(want));
	}
	snprintf(front, sizeof(front), "[error:%s", want);
	return np_str_starts(seen, front) && strchr("-:", seen[strlen(front)]);
}

static void every_row(void)
{
	struct srv_client pending;
	enum who who;
	size_t i;

	start();
	request(&pending, "p", "{\"buzz\":\"rw\"}");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (who = U; who < WHO_NR; who++) {
			const char *want = rows[i].want[who], *seen;
			bool good;

			if (!want)
				continue;
			/* A command against another server needs the atSign's name again on U and P. */
			if (who == U && np_str_starts(rows[i].line, "enroll:request"))
				srv_ask(&c[U], "lookup:publickey@alice");
			seen = srv_ask(&c[who], rows[i].line);
			good = is_as_wanted(want, seen);
			KTAP_OK(good);
			if (!good)
				printf("# %c %s\n#   want %s\n#   seen %.400s\n", names[who],
				       rows[i].line, want, seen);
		}
	}
	srv_hang_up(&pending);
	stop();
}

/* A monitor of an enrolment hears what it may read, and __manage alone hears of enrolments. */
static void monitors(void)
{
	struct srv_client bob, pending;
	enum who who;

	start();
	for (who = O; who < WHO_NR; who++) {
		srv_forget(&c[who]);
		srv_send(&c[who], "monitor:selfNotifications\n");
		srv_send(&c[who], "noop:0\n");
		KTAP_OK(srv_want(&c[who], "[data:ok|]"));
	}
	srv_owner(&bob, &node, "@bob");
	srv_ask(&bob, "notify:id:m-ro:@alice:x.ro@bob:1");
	srv_ask(&bob, "notify:id:m-other:@alice:x.other@bob:1");
	request(&pending, "p", "{\"buzz\":\"rw\"}");
	srv_ask(&bob, "notify:id:m-buzz:@alice:x.buzz@bob:1");
	for (who = O; who < WHO_NR; who++)
		KTAP_OK(srv_want(&c[who], "m-buzz"));
	KTAP_OK(strstr(np_buf_str(&c[O].seen), "m-other") && strstr(np_buf_str(&c[O].seen), "m-ro"));
	KTAP_OK(strstr(np_buf_str(&c[E].seen), "m-ro") && !strstr(np_buf_str(&c[E].seen), "m-other"));
	KTAP_OK(!strstr(np_buf_str(&c[E].seen), ".new.enrollments."));
	KTAP_OK(!strstr(np_buf_str(&c[M].seen), "m-ro") && !strstr(np_buf_str(&c[M].seen), "m-other"));
	KTAP_OK(strstr(np_buf_str(&c[M].seen), ".new.enrollments.") != NULL);
	srv_hang_up(&pending);
	srv_hang_up(&bob);
	stop();
}

/* from, cram, pkam and pol are for everybody: whoever was somebody may become somebody else. */
static void anybody_may_log_in(void)
{
	static const struct srv_step steps[] = {
		{"cram:00\n", "[error:AT0401-{any}"},
		{"pkam:AAAA\n", "[error:AT0401-{any}"},
		{"from:@bob\n", "[data:{challenge}|@]"},
		{"pkam:{sig}\n", "[data:success|@bob@]"},
		{"scan shared\n", "[data:[]|@bob@]"},
		{"from:@alice\n", "[data:{challenge}|@]"},
		{"pkam:{sig}\n", "[data:success|@alice@]"},
		{NULL, NULL}};
	enum who who;

	start();
	for (who = U; who < WHO_NR; who++)
		KTAP_OK(srv_play(&c[who], steps));
	stop();
}

/* --- every error code; those of storage, sizes and silent servers: test_atserver, test_atremote */

static bool is_closed(void *arg)
{
	return ((struct srv_client *)arg)->closed;
}

struct reach {
	enum who who;
	const char *line, *want;
};

static void error_codes(void)
{
	static const struct reach list[] = {
		{O, "lookup:x.buzz@nobody", "AT0007"},	  {O, "lookup:x.buzz@dead", "AT0021"},
		/* The pooled connection is refused, and then the next one already at its from. */
		{O, "lookup:x.buzz@carol", "AT0013"},	  {O, "lookup:x.buzz@carol", "AT0008"},
		  {O, "update:x.buzz@bob 1", "AT0016"},
		{O, "llookup:no.buzz@alice", "AT0015"},	  {O, "noop:9999", "AT0022"},
		{E, "update:x.other@alice 1", "AT0009"},  {E, "otp:put:abcdef", "AT0011"},
		{O, "enroll:deny:{\"enrollmentId\":\"x\"}", "AT0028"},
		{U, "otp:get", "AT0401"},		  {U, "hello", "AT0003"},
		{U, "from:@alice", "data:"},		  {U, "pkam:enrollmentId:x:AA==", "AT0028"},
	};
	char line[160];
	struct srv_client pending, carol;
	struct srv_node dead = {0};
	size_t i;
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	int fd = np_sock_listen("127.0.0.1", 0, 1, NULL);

	/* A port that nobody listens on any more. */
	KTAP_EQ(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	dead.port = ntohs(sin.sin_port);
	close(fd);
	start();
	srv_node_knows(&node, "@dead", &dead);
	srv_owner(&carol, &other, "@carol");
	srv_ask(&carol, "config:block:add:@alice");
	srv_hang_up(&carol);
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		const char *seen = srv_ask(&c[list[i].who], list[i].line);

		KTAP_OK(is_as_wanted(list[i].want, seen));
		if (!is_as_wanted(list[i].want, seen))
			printf("# %s: %.300s\n", list[i].line, seen);
	}
	request(&pending, "p", "{\"buzz\":\"rw\"}");
	snprintf(line, sizeof(line), "pkam:enrollmentId:%s:AA==", world.id);
	srv_ask(&pending, "from:@alice");
	KTAP_OK(is_as_wanted("AT0026", srv_ask(&pending, line)));
	snprintf(line, sizeof(line), "enroll:deny:{\"enrollmentId\":\"%s\"}", world.id);
	srv_ask(&c[M], line);
	snprintf(line, sizeof(line), "pkam:enrollmentId:%s:AA==", world.id);
	KTAP_OK(is_as_wanted("AT0025", srv_ask(&pending, line)));
	snprintf(line, sizeof(line), "enroll:revoke:{\"enrollmentId\":\"%s\"}", ids[M]);
	KTAP_OK(is_as_wanted("AT0031", srv_ask(&c[M], line)));
	snprintf(line, sizeof(line), "enroll:revoke:{\"enrollmentId\":\"%s\"}", ids[E]);
	KTAP_OK(is_as_wanted("data:", srv_ask(&c[O], line)));
	KTAP_OK(srv_wait(is_closed, &c[E]));
	snprintf(line, sizeof(line), "pkam:enrollmentId:%s:AA==", ids[E]);
	KTAP_OK(is_as_wanted("AT0027", srv_ask(&pending, line)));
	srv_ask(&c[O], "config:block:add:@carol");
	KTAP_OK(is_as_wanted("AT0013", srv_ask(&c[P], "lookup:shared.buzz@alice")));
	KTAP_OK(srv_wait(is_closed, &c[P]));
	srv_hang_up(&pending);
	stop();
}

int main(void)
{
	srv_open();
	KTAP_RUN(every_row);
	KTAP_RUN(monitors);
	KTAP_RUN(anybody_may_log_in);
	KTAP_RUN(error_codes);
	srv_close();
	return ktap_done();
}
