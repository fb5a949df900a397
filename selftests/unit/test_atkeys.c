// SPDX-License-Identifier: BSD-3-Clause
/* Keys of an enrolment, pkam by ECDSA, references, the daily refresh, idle limits of a full server
 * (atprotocol.md 3.4, 9.3, 10.5, 15.5, 16). */
#include "atsrv.h"

#include "base/str.h"
#include "ecsign.h"
#include "harness/ktap.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct srv_node node, other;
static struct srv_client c, c2, app;

static void start(void)
{
	static const char *const atsigns[] = {"@alice", "@bob", NULL};

	srv_node_init(&node, atsigns);
	srv_node_start(&node);
	srv_activate(&node, "@alice");
	srv_activate(&node, "@bob");
	srv_owner(&c, &node, "@alice");
	srv_ask(&c, "otp:put:SPP_code");
}

static void stop(void)
{
	srv_hang_up(&c);
	srv_node_fini(&node);
}

/* Makes an approved enrolment of @alice for "buzz"; its id is in world.id. */
static void enrol(struct srv_client *client, const char *device, const char *public_key)
{
	static const struct srv_step approve[] = {
		{"enroll:approve:{\"enrollmentId\":\"{id}\",\"encryptedDefaultEncryptionPrivateKey\":"
		 "\"UFJJVg==\",\"encryptedDefaultSelfEncryptionKey\":\"U0VMRg==\"}\n",
		 "[data:{\"status\":\"approved\",{any}|@alice@]"},
		{NULL, NULL}};
	char line[2048];

	srv_connect(client, &node, false);
	srv_ask(client, "lookup:publickey@alice");
	snprintf(line, sizeof(line),
		 "enroll:request:{\"appName\":\"app\",\"deviceName\":\"%s\",\"namespaces\":{\"buzz\":"
		 "\"rw\"},\"otp\":\"SPP_code\",\"encryptedAPKAMSymmetricKey\":\"U1lN\","
		 "\"apkamPublicKey\":\"%s\"}",
		 device, public_key);
	KTAP_OK(srv_match("[data:{\"enrollmentId\":\"{newid}\",\"status\":\"pending\"}|@]",
			  srv_ask(client, line)));
	KTAP_OK(srv_play(&c, approve));
	KTAP_OK(srv_match("[data:{challenge}|@]", srv_ask(client, "from:@alice")));
}

static void kept_keys(void)
{
#define FIELDS "namespace:buzz:appName:app:deviceName:d:keyType:rsa2048:encryptionKeyName:k0:keyName:"
	static const struct srv_step mine[] = {
		{"pkam:enrollmentId:{id}:{sig}\n", "[data:success|@alice@]"},
		{"keys:put:public:" FIELDS "k1 dmFs\n", "[data:-1|@alice@]"},
		{"keys:put:private:" FIELDS "k1 cHJpdg==\n", "[data:-1|@alice@]"},
		{"keys:put:self:" FIELDS "k1 c2VsZg==\n", "[data:-1|@alice@]"},
		{"keys:get:self\n", "[data:[\"app.d.k1.__self_keys.buzz@alice\"]|@alice@]"},
		{"keys:get:public\n", "[data:[\"public:k1.__public_keys.buzz@alice\"]|@alice@]"},
		{"keys:get:private\n",
		 "[data:[\"private:app.d.k1.__private_keys.buzz@alice\"]|@alice@]"},
		{"keys:get:keyName:app.d.k1.__self_keys.buzz@alice\n",
		 "[data:{\"value\":\"c2VsZg==\",\"keyType\":\"rsa2048\",\"enrollmentId\":\"{id}\","
		 "\"encryptionKeyName\":\"k0\"}|@alice@]"},
		{"keys:put:self:namespace:other:appName:a:deviceName:d:keyName:k1 x\n",
		 "[error:AT0009-{any}|@alice@]"},
		{"keys:put:self:namespace:__manage:appName:a:deviceName:d:keyName:k1 x\n",
		 "[error:AT0009-{any}|@alice@]"},
		{"keys:put:self:namespace:buzz:keyName:k1 x\n", "[error:AT0003-{any}|@alice@]"},
		{"keys:put:other:" FIELDS "k1 x\n", "[error:AT0003-{any}|@alice@]"},
		{"keys:put:self:" FIELDS "k1\n", "[error:AT0003-{any}|@alice@]"},
		{"keys:put:self:" FIELDS "k1 \n", "[error:AT0003-{any}|@alice@]"},
		{"keys:nonsense\n", "[error:AT0003-{any}|@alice@]"},
		{"keys:delete:keyName:{id}.default_enc_private_key.__manage@alice\n",
		 "[error:AT0009-{any}|@alice@]"},
		{"update:app.d.k1.__self_keys.buzz@alice forged\n", "[error:AT0009-{any}|@alice@]"},
		{"delete:app.d.k1.__self_keys.buzz@alice\n", "[error:AT0009-{any}|@alice@]"},
		{"delete:public:k1.__public_keys.buzz@alice\n", "[error:AT0009-{any}|@alice@]"},
		{"keys:delete:keyName:public:k1.__public_keys.buzz@alice\n", "[data:-1|@alice@]"},
		{"keys:get:public\n", "[data:[]|@alice@]"},
		{"keys:delete:keyName:public:k1.__public_keys.buzz@alice\n",
		 "[error:AT0015-{any}|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step foreign[] = {
		{"pkam:enrollmentId:{id}:{sig}\n", "[data:success|@alice@]"},
		{"keys:get:self\n", "[data:[]|@alice@]"},
		{"keys:get:keyName:app.d.k1.__self_keys.buzz@alice\n", "[error:AT0009-{any}|@alice@]"},
		{"keys:delete:keyName:app.d.k1.__self_keys.buzz@alice\n",
		 "[error:AT0009-{any}|@alice@]"},
		{"keys:put:self:" FIELDS "k1 mine\n", "[error:AT0009-{any}|@alice@]"},
		{"keys:get:keyName:x.buzz@alice\n", "[error:AT0009-{any}|@alice@]"},
		{NULL, NULL}};

	start();
	enrol(&app, "d", srv_public_key);
	KTAP_OK(srv_play(&app, mine));
	KTAP_OK(!strstr(srv_ask(&c, "sync:from:-1:limit:25"), "__self_keys"));
	enrol(&c2, "d2", srv_public_key);
	KTAP_OK(srv_play(&c2, foreign));
	srv_hang_up(&c2);
	srv_hang_up(&app);
	stop();
}

/* --- ECDSA */

static bool pkam_by_ec(struct ec_key *key, const char *text, const char *enrol_id)
{
	char sig[EC_SIG_B64 + 1], line[512];

	ec_sign(key, text, sig);
	snprintf(line, sizeof(line), "pkam:signingAlgo:ecc_secp256r1:hashingAlgo:sha256:%s%s%s%s",
		 enrol_id ? "enrollmentId:" : "", enrol_id ? enrol_id : "", enrol_id ? ":" : "",
		 sig);
	return !strcmp(srv_ask(&app, line), "[data:success|@alice@]");
}

static void ecdsa_logs_in(void)
{
	char point[EC_POINT_HEX + 1], id[64];
	struct ec_key *key = ec_make(point), *wrong;
	char unused[EC_POINT_HEX + 1];

	wrong = ec_make(unused);
	start();
	enrol(&app, "secure-element", point);
	strcpy(id, world.id);
	KTAP_OK(!pkam_by_ec(wrong, world.challenge, id));
	KTAP_OK(!pkam_by_ec(key, "something else", id));
	KTAP_OK(pkam_by_ec(key, world.challenge, id));
	/* A challenge is good for one login. */
	KTAP_OK(!pkam_by_ec(key, world.challenge, id));
	KTAP_OK(srv_match("[data:{n}|@alice@]", srv_ask(&app, "update:a.buzz@alice 1")));
	srv_hang_up(&app);
	/* The RSA key of the atSign itself does not answer for an ECDSA signature. */
	srv_connect(&app, &node, false);
	KTAP_OK(srv_match("[data:{challenge}|@]", srv_ask(&app, "from:@alice")));
	KTAP_OK(!pkam_by_ec(key, world.challenge, NULL));
	srv_hang_up(&app);
	stop();
	ec_free(key);
	ec_free(wrong);
}

/* --- references */

static void references(void)
{
	static const struct srv_step alice[] = {
		{"update:public:end.x@alice the end\n", "[data:{n}|@alice@]"},
		{"update:public:r1.x@alice atsign://end.x@alice\n", "[data:{n}|@alice@]"},
		{"update:public:r2.x@alice atsign://r1.x@alice\n", "[data:{n}|@alice@]"},
		{"update:public:r3.x@alice atsign://r2.x@alice\n", "[data:{n}|@alice@]"},
		{"update:public:r4.x@alice atsign://r3.x@alice\n", "[data:{n}|@alice@]"},
		{"update:public:loop.x@alice atsign://loop.x@alice\n", "[data:{n}|@alice@]"},
		{"update:public:bad.x@alice atsign://no key\n", "[data:{n}|@alice@]"},
		{"update:public:void.x@alice atsign://nothing.x@alice\n", "[data:{n}|@alice@]"},
		{"update:public:away.x@alice atsign://end.x@elsewhere\n", "[data:{n}|@alice@]"},
		{"update:public:bobs.x@alice atsign://end.x@bob\n", "[data:{n}|@alice@]"},
		{"update:public:secret.x@alice atsign://signing_privatekey@alice\n", "[data:{n}|@alice@]"},
		{"update:@bob:s.x@alice atsign://t.x@alice\n", "[data:{n}|@alice@]"},
		{"update:@bob:t.x@alice shared\n", "[data:{n}|@alice@]"},
		{"update:own.x@alice atsign://own2.x@alice\n", "[data:{n}|@alice@]"},
		{"update:own2.x@alice mine\n", "[data:{n}|@alice@]"},
		{"lookup:own.x@alice\n", "[data:mine|@alice@]"},
		{"llookup:own.x@alice\n", "[data:atsign://own2.x@alice|@alice@]"},
		{"lookup:meta:own.x@alice\n", "[data:{{any}}|@alice@]"},
		{NULL, NULL}};
	static const struct srv_step nobody[] = {
		{"lookup:r1.x@alice\n", "[data:the end|@]"},
		{"lookup:r3.x@alice\n", "[data:the end|@]"},
		{"lookup:all:r1.x@alice\n",
		 "[data:{\"key\":\"public:end.x@alice\",\"data\":\"the end\",{any}|@]"},
		{"lookup:r4.x@alice\n", "[error:AT0015-{any}|@]"},
		{"lookup:loop.x@alice\n", "[error:AT0015-{any}|@]"},
		{"lookup:bad.x@alice\n", "[error:AT0015-{any}|@]"},
		{"lookup:void.x@alice\n", "[error:AT0015-{any}|@]"},
		{"lookup:away.x@alice\n", "[error:AT0015-{any}|@]"},
		{"lookup:secret.x@alice\n", "[error:AT0015-{any}|@]"},
		{"lookup:bobs.x@alice\n", "[data:of bob|@]"},
		{NULL, NULL}};

	start();
	KTAP_OK(srv_play(&c, alice));
	srv_owner(&c2, &node, "@bob");
	srv_ask(&c2, "update:public:end.x@bob of bob");
	KTAP_STREQ(srv_ask(&c2, "lookup:s.x@alice"), "[data:shared|@bob@]");
	srv_hang_up(&c2);
	srv_connect(&c2, &node, false);
	KTAP_OK(srv_play(&c2, nobody));
	srv_hang_up(&c2);
	stop();
}

/* --- the daily refresh */

struct answer {
	const char *line, *want;
};

static bool answers(void *arg)
{
	struct answer *answer = arg;

	return srv_match(answer->want, srv_ask(&c, answer->line));
}

/* Behind the server's back, so that no notification tells the other side. */
static void change_quietly(struct srv_node *on, const char *atsign, const char *key,
			   const char *value)
{
	struct np_record rec = {.value = value,
				.value_len = strlen(value),
				.meta = "{\"ttr\":1,\"ccd\":false}",
				.created_at = 1,
				.updated_at = 1};

	KTAP_EQ(on->store->ops->put(on->store, atsign, key, &rec, NULL), 0);
}

static void stale_copies_are_fetched(void)
{
	static const char *const there[] = {"@carol", NULL};
	struct answer fresh = {"llookup:cached:@alice:k.x@carol", "[data:two|@alice@]"};
	struct answer gone = {"llookup:cached:@alice:g.x@carol", "[error:AT0015-{any}|@alice@]"};
	struct answer local = {"llookup:cached:@alice:l.x@bob", "[data:two|@alice@]"};

	start();
	srv_node_init(&other, there);
	srv_node_start(&other);
	srv_node_knows(&node, "@carol", &other);
	srv_node_knows(&other, "@alice", &node);
	srv_activate(&other, "@carol");
	srv_owner(&c2, &other, "@carol");
	srv_ask(&c2, "update:ttr:1:@alice:k.x@carol one");
	srv_ask(&c2, "update:ttr:1:@alice:g.x@carol one");
	srv_ask(&c2, "update:ttr:-1:@alice:stays.x@carol one");
	KTAP_STREQ(srv_ask(&c, "lookup:k.x@carol"), "[data:one|@alice@]");
	KTAP_STREQ(srv_ask(&c, "lookup:g.x@carol"), "[data:one|@alice@]");
	KTAP_STREQ(srv_ask(&c, "lookup:stays.x@carol"), "[data:one|@alice@]");
	srv_hang_up(&c2);
	srv_owner(&c2, &node, "@bob");
	srv_ask(&c2, "update:ttr:1:@alice:l.x@bob one");
	srv_hang_up(&c2);
	KTAP_STREQ(srv_ask(&c, "llookup:cached:@alice:l.x@bob"), "[data:one|@alice@]");
	change_quietly(&other, "@carol", "@alice:k.x@carol", "two");
	change_quietly(&other, "@carol", "@alice:stays.x@carol", "two");
	change_quietly(&node, "@bob", "@alice:l.x@bob", "two");
	KTAP_EQ(other.store->ops->del(other.store, "@carol", "@alice:g.x@carol", NULL), 0);
	srv_hang_up(&c);
	srv_node_stop(&node);
	srv_run_ms(1100); /* past every refreshAt */
	node.conf.refresh_after_ms = 1;
	srv_node_start(&node);
	srv_node_knows(&other, "@alice", &node);
	srv_owner(&c, &node, "@alice");
	KTAP_OK(srv_wait(answers, &fresh));
	KTAP_OK(srv_wait(answers, &gone));
	KTAP_OK(srv_wait(answers, &local));
	KTAP_STREQ(srv_ask(&c, "llookup:cached:@alice:stays.x@carol"), "[data:one|@alice@]");
	stop();
	srv_node_fini(&other);
}

/* --- connections */

static bool is_closed(void *arg)
{
	return ((struct srv_client *)arg)->closed;
}

/* With all slots taken, who says nothing for 5 s leaves; half of them taken, nobody has to. */
static void full_server_is_impatient(void)
{
	start();
	srv_node_stop(&node);
	node.conf.max_connections = 2;
	srv_node_start(&node);
	srv_connect(&app, &node, false);
	srv_connect(&c2, &node, false);
	srv_ask(&c2, "noop:0");
	KTAP_OK(srv_wait(is_closed, &app));
	srv_hang_up(&app);
	srv_hang_up(&c2);
	stop();
}

static void info_tells_features(void)
{
	start();
	KTAP_OK(srv_match("[data:{\"version\":\"3.0.52\",\"uptimeAsWords\":\"{any}\",\"features\":[{"
			  "\"name\":\"sync:from\",\"status\":\"GA\",{any}}]}|@alice@]",
			  srv_ask(&c, "info")));
	KTAP_OK(srv_match("[data:{\"version\":\"3.0.52\",\"uptimeAsMillis\":{n}}|@alice@]",
			  srv_ask(&c, "info:brief")));
	stop();
}

int main(void)
{
	srv_open();
	KTAP_RUN(kept_keys);
	KTAP_RUN(ecdsa_logs_in);
	KTAP_RUN(references);
	KTAP_RUN(stale_copies_are_fetched);
	KTAP_RUN(full_server_is_impatient);
	KTAP_RUN(info_tells_features);
	srv_close();
	return ktap_done();
}
