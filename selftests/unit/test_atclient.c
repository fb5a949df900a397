// SPDX-License-Identifier: BSD-3-Clause
#include "at/client.h"

#include "at/directory.h"
#include "at/monitor.h"
#include "atfake.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"
#include "json/json.h"

#include <errno.h>

struct party {
	struct np_directory *dir;
	struct np_at_client *client;
	struct np_at_keys *keys;
	unsigned int nr_up, nr_down;
	struct np_err down;
};

struct answer {
	bool done;
	unsigned int nr;
	struct np_err err;
	char data[4096];
	size_t len;
};

static struct fake_world w;
static struct party alice, bob;

static void on_state(bool up, const struct np_err *err, void *arg)
{
	struct party *party = arg;

	if (up) {
		party->nr_up++;
		return;
	}
	party->nr_down++;
	party->down = *err;
}

static void join(struct party *party, const char *atsign, bool once, unsigned int timeout_ms)
{
	struct np_at_client_params params = {
		.loop = w.loop, .tls = w.client_tls, .once = once, .timeout_ms = timeout_ms};
	struct np_err err = NP_ERR_INIT;

	memset(party, 0, sizeof(*party));
	party->keys = fake_owner(&w, atsign);
	KTAP_EQ(np_directory_new(w.loop, w.client_tls, fake_root(&w), &party->dir, &err), 0);
	params.dir = party->dir;
	params.keys = party->keys;
	KTAP_EQ(np_at_client_new(&params, on_state, party, &party->client, &err), 0);
}

static void leave(struct party *party)
{
	np_at_client_free(party->client);
	np_directory_free(party->dir);
	memset(party, 0, sizeof(*party));
}

static void begin(void)
{
	fake_open(&w);
	join(&alice, "@alice", false, 0);
	join(&bob, "@bob", false, 0);
}

static void end(void)
{
	leave(&alice);
	leave(&bob);
	fake_close(&w);
}

static void on_answer(const struct np_err *err, const char *data, size_t len, void *arg)
{
	struct answer *a = arg;

	a->done = true;
	a->nr++;
	a->err = *err;
	a->len = len;
	snprintf(a->data, sizeof(a->data), "%s", data ? data : "(none)");
}

static bool wait_answer(struct answer *a)
{
	return fake_run(&w, &a->done, 8000);
}

static void put(struct party *from, const char *to, const char *name, const char *value,
		bool notify)
{
	struct np_at_put put = {.to = to,
				.name = name,
				.value = value,
				.value_len = strlen(value),
				.ttl_ms = 10000,
				.ttln_ms = 60000};
	struct answer a = {0};

	KTAP_EQ((notify ? np_at_client_notify : np_at_client_put)(from->client, &put, on_answer,
								  &a),
		0);
	KTAP_OK(wait_answer(&a));
	if (a.err.code)
		KTAP_FAILF("put: %s", a.err.msg);
}

static void expect_get(struct party *by, const char *from, const char *name, const char *value)
{
	struct answer a = {0};

	KTAP_EQ(np_at_client_get(by->client, from, name, false, on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	if (a.err.code)
		KTAP_FAILF("get %s: %s", name, a.err.msg);
	KTAP_STREQ(a.data, value);
}

/* --- sharing ---------------------------------------------------------------------------------- */

static void first_use_makes_and_stores_the_key(void)
{
	struct np_secret text = NP_SECRET_INIT, text2 = NP_SECRET_INIT;
	const char *theirs, *ours;

	begin();
	put(&alice, "@bob", "phone.buzz", "hello bob", false);
	theirs = fake_value(&w, "@bob:shared_key@alice");
	ours = fake_value(&w, "shared_key.bob@alice");
	KTAP_OK(theirs && ours);
	/* Both records hold the same 44 characters, for either side. */
	KTAP_EQ(np_rsa_decrypt_b64(bob.keys->enc, theirs, strlen(theirs), &text, NULL), 0);
	KTAP_EQ(np_rsa_decrypt_b64(alice.keys->enc, ours, strlen(ours), &text2, NULL), 0);
	KTAP_EQ(text.len, 44);
	KTAP_STREQ(np_secret_str(&text), np_secret_str(&text2));
	np_secret_fini(&text);
	np_secret_fini(&text2);
	/* llookup, plookup, delete, both updates, then the record itself. */
	KTAP_EQ(fake_count(&w, "llookup:all:shared_key.bob@alice\n"), 1);
	KTAP_EQ(fake_count(&w, "plookup:publickey@bob\n"), 1);
	KTAP_EQ(fake_count(&w, "delete:@bob:shared_key@alice\n"), 1);
	KTAP_EQ(fake_count(&w, "update:ttr:3888000:isEncrypted:false:@bob:shared_key@alice "), 1);
	KTAP_EQ(fake_count(&w, "update:isEncrypted:false:sharedKeyEnc:"), 1);
	KTAP_EQ(fake_count(&w, "update:ttl:10000:isEncrypted:true:sharedKeyEnc:"), 1);
	expect_get(&bob, "@alice", "phone.buzz", "hello bob");
	/* The second one needs nothing but itself. */
	w.nr_commands = 0;
	put(&alice, "@bob", "phone.buzz", "again", false);
	KTAP_EQ(w.nr_commands, 1);
	expect_get(&bob, "@alice", "phone.buzz", "again");
	end();
}

static void a_new_client_needs_one_lookup(void)
{
	begin();
	put(&alice, "@bob", "a.buzz", "1", false);
	np_at_client_free(alice.client);
	{
		struct np_at_client_params params = {
			.loop = w.loop, .tls = w.client_tls, .dir = alice.dir, .keys = alice.keys};

		KTAP_EQ(np_at_client_new(&params, on_state, &alice, &alice.client, NULL), 0);
	}
	w.nr_commands = 0;
	KTAP_EQ(np_at_client_warm(alice.client, "@bob"), 0);
	put(&alice, "@bob", "a.buzz", "2", true);
	/* from, pkam, llookup, notify */
	KTAP_EQ(w.nr_commands, 4);
	KTAP_EQ(fake_count(&w, "plookup:publickey@bob"), 1);
	end();
}

static void records_of_other_libraries_are_completed(void)
{
	struct np_buf own = NP_BUF_INIT, theirs = NP_BUF_INIT;
	char aes[45];
	uint8_t key[32] = {7};

	begin();
	np_b64_encode(key, sizeof(key), aes);
	KTAP_EQ(np_rsa_encrypt_b64(alice.keys->enc, aes, 44, &own), 0);
	KTAP_EQ(np_rsa_encrypt_b64(bob.keys->enc, aes, 44, &theirs), 0);
	fake_put(&w, "shared_key.bob@alice", np_buf_str(&own), "{\"isEncrypted\":false}");
	fake_put(&w, "@bob:shared_key@alice", np_buf_str(&theirs), NULL);
	put(&alice, "@bob", "a.buzz", "text", false);
	expect_get(&bob, "@alice", "a.buzz", "text");
	KTAP_EQ(fake_count(&w, "delete:"), 0);
	/* The value stays, and now carries what saves the look-up of the public key. */
	KTAP_STREQ(fake_value(&w, "shared_key.bob@alice"), np_buf_str(&own));
	KTAP_EQ(fake_count(&w, "update:isEncrypted:false:sharedKeyEnc:"), 1);
	KTAP_STREQ(fake_value(&w, "@bob:shared_key@alice"), np_buf_str(&theirs));
	np_buf_fini(&own);
	np_buf_fini(&theirs);
	end();
}

static void metadata_of_a_replaced_key_is_not_believed(void)
{
	struct np_buf own = NP_BUF_INIT, theirs = NP_BUF_INIT, meta = NP_BUF_INIT;
	char aes[45];
	uint8_t key[32] = {8};

	begin();
	np_b64_encode(key, sizeof(key), aes);
	np_rsa_encrypt_b64(alice.keys->enc, aes, 44, &own);
	np_rsa_encrypt_b64(bob.keys->enc, "some former key", 15, &theirs);
	np_buf_printf(
		&meta,
		"{\"sharedKeyEnc\":\"%s\",\"pubKeyCS\":\"%032d\",\"skeEncKeyName\":\"%032d\"}",
		np_buf_str(&theirs), 0, 0);
	fake_put(&w, "shared_key.bob@alice", np_buf_str(&own), np_buf_str(&meta));
	put(&alice, "@bob", "a.buzz", "text", false);
	expect_get(&bob, "@alice", "a.buzz", "text");
	KTAP_STREQ(fake_value(&w, "shared_key.bob@alice"), np_buf_str(&own));
	np_buf_fini(&own);
	np_buf_fini(&theirs);
	np_buf_fini(&meta);
	end();
}

static void unreadable_own_copy_is_replaced(void)
{
	begin();
	fake_put(&w, "shared_key.bob@alice", "bm90IGEga2V5", NULL);
	put(&alice, "@bob", "a.buzz", "text", false);
	expect_get(&bob, "@alice", "a.buzz", "text");
	KTAP_EQ(fake_count(&w, "delete:@bob:shared_key@alice\n"), 1);
	end();
}

static bool pubkey_seen(void *arg)
{
	(void)arg;
	return fake_count(&w, "plookup:publickey@bob") >= 2;
}

static void changed_public_key_makes_a_new_shared_key(void)
{
	struct np_at_keys *fresh = NULL;
	struct answer a = {0};

	begin();
	put(&alice, "@bob", "a.buzz", "1", false);
	np_at_client_free(alice.client);
	/* bob starts over with other keys */
	KTAP_EQ(np_at_keys_generate("@bob", &fresh, NULL), 0);
	fake_put(&w, "public:publickey@bob", np_buf_str(&fresh->enc_public_b64), NULL);
	{
		struct np_at_client_params params = {
			.loop = w.loop, .tls = w.client_tls, .dir = alice.dir, .keys = alice.keys};

		KTAP_EQ(np_at_client_new(&params, on_state, &alice, &alice.client, NULL), 0);
	}
	put(&alice, "@bob", "a.buzz", "2", false);
	KTAP_EQ(fake_count(&w, "delete:@bob:shared_key@alice\n"), 1);
	/*
	 * The check comes by itself a little later; the next record has a key that the new bob can
	 * open.
	 */
	KTAP_OK(fake_wait(&w, pubkey_seen, NULL, 8000));
	KTAP_EQ(np_at_client_command(alice.client, "noop:0", 6, on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	put(&alice, "@bob", "a.buzz", "3", false);
	KTAP_EQ(fake_count(&w, "delete:@bob:shared_key@alice\n"), 2);
	{
		const char *theirs = fake_value(&w, "@bob:shared_key@alice");
		struct np_secret text = NP_SECRET_INIT;

		KTAP_EQ(np_rsa_decrypt_b64(fresh->enc, theirs, strlen(theirs), &text, NULL), 0);
		np_secret_fini(&text);
	}
	np_at_keys_free(fresh);
	end();
}

static void unknown_receiver_leaves_nothing_behind(void)
{
	struct np_at_put put_ = {.to = "@nobody", .name = "x.buzz", .value = "v", .value_len = 1};
	struct answer a = {0};

	begin();
	KTAP_EQ(np_at_client_notify(alice.client, &put_, on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	KTAP_EQ(a.err.code, -ENOENT);
	KTAP_OK(strstr(a.err.msg, "public key of @nobody"));
	KTAP_EQ(fake_count(&w, "update:"), 0);
	end();
}

/* --- commands as written ---------------------------------------------------------------------- */

static void notify_has_the_canonical_form(void)
{
	struct np_at_put put_ = {.to = "@bob",
				 .name = "Ping.dev1.sshnp",
				 .value = "ping",
				 .value_len = 4,
				 .ttl_ms = 10000,
				 .ttln_ms = 60000,
				 .ttr_s = -1,
				 .ccd = true,
				 .id = "id-1"};
	struct answer a = {0};
	const char *line;
	char head[] = "@alice "
		      "notify:id:id-1:update:messageType:key:priority:low:strategy:all:latestN:1:"
		      "notifier:SYSTEM"
		      ":ttln:60000:ttl:10000:ttr:-1:ccd:true:isEncrypted:true:sharedKeyEnc:";

	begin();
	KTAP_EQ(np_at_client_notify(alice.client, &put_, on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	KTAP_STREQ(a.data, "id-1");
	line = strstr(np_buf_str(&w.log), "@alice notify:");
	KTAP_OK(line && !strncmp(line, head, strlen(head)));
	KTAP_OK(line && strstr(line, ":pubKeyCS:") && strstr(line, ":ivNonce:") &&
		strstr(line, ":@bob:ping.dev1.sshnp@alice:"));
	end();
}

static void a_fresh_iv_for_every_value(void)
{
	char first[256];

	begin();
	put(&alice, "@bob", "a.buzz", "same", false);
	snprintf(first, sizeof(first), "%s", fake_value(&w, "@bob:a.buzz@alice"));
	put(&alice, "@bob", "a.buzz", "same", false);
	KTAP_OK(strcmp(first, fake_value(&w, "@bob:a.buzz@alice")));
	end();
}

static void self_and_public_records(void)
{
	struct np_at_put pub = {
		.name = "location.buzz", .value = "Paris", .value_len = 5, .is_public = true};
	struct answer a = {0};

	begin();
	put(&alice, NULL, "notes.buzz", "for me only", false);
	KTAP_OK(strcmp(fake_value(&w, "notes.buzz@alice"), "for me only"));
	expect_get(&alice, NULL, "notes.buzz", "for me only");
	KTAP_EQ(np_at_client_put(alice.client, &pub, on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	KTAP_STREQ(fake_value(&w, "public:location.buzz@alice"), "Paris");
	KTAP_EQ(fake_count(&w, "update:dataSignature:"), 1);
	end();
}

static void del_and_scan(void)
{
	struct answer a = {0}, b = {0}, c = {0};

	begin();
	put(&alice, "@bob", "a.buzz", "1", false);
	KTAP_EQ(np_at_client_scan(alice.client, NULL, "a.buzz", on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	KTAP_STREQ(a.data, "[\"@bob:a.buzz@alice\"]");
	KTAP_EQ(np_at_client_del(alice.client, "@bob", "a.buzz", on_answer, &b), 0);
	KTAP_OK(wait_answer(&b));
	KTAP_EQ(b.err.code, 0);
	KTAP_OK(!fake_value(&w, "@bob:a.buzz@alice"));
	w.mood.prefix = "delete:";
	w.mood.answer = "error:AT0015-key not found : x does not exist in keystore\n@alice@";
	KTAP_EQ(np_at_client_del(alice.client, NULL, "none.buzz", on_answer, &c), 0);
	KTAP_OK(wait_answer(&c));
	KTAP_EQ(c.err.code, 0);
	end();
}

static void refuses_what_would_break_a_command(void)
{
	struct np_at_put bad[] = {
		{.to = "@bob", .name = "a b", .value = "v", .value_len = 1},
		{.to = "@bob", .name = "a:b", .value = "v", .value_len = 1},
		{.to = "@bob", .name = "a@b", .value = "v", .value_len = 1},
		{.to = "@bob", .name = "", .value = "v", .value_len = 1},
		{.to = "bob", .name = "a", .value = "v", .value_len = 1},
		{.to = "@bob:x", .name = "a", .value = "v", .value_len = 1},
		{.to = NULL,
		 .name = "a",
		 .value = "v",
		 .value_len = 1}, /* a notification needs a receiver */
		{.to = "@bob", .name = "a", .value = "v", .value_len = 1, .id = "x:y"},
	};
	struct np_at_put nl = {.name = "a", .value = "v\nscan", .value_len = 6, .is_public = true};
	struct answer a = {0};
	size_t i;

	begin();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		KTAP_EQ(np_at_client_notify(alice.client, &bad[i], on_answer, &a), -EINVAL);
	KTAP_EQ(np_at_client_put(alice.client, &nl, on_answer, &a), -EINVAL);
	KTAP_EQ(np_at_client_get(alice.client, "@bob", "x y", false, on_answer, &a), -EINVAL);
	KTAP_EQ(np_at_client_get(alice.client, "bo b", "x", false, on_answer, &a), -EINVAL);
	KTAP_EQ(np_at_client_scan(alice.client, NULL, "a\nb", on_answer, &a), -EINVAL);
	KTAP_EQ(np_at_client_command(alice.client, "a\nb", 3, on_answer, &a), -EINVAL);
	KTAP_EQ(a.nr, 0);
	end();
}

/* --- receiving -------------------------------------------------------------------------------- */

static void get_without_shared_key_enc_looks_it_up(void)
{
	struct np_buf cipher = NP_BUF_INIT, theirs = NP_BUF_INIT;
	struct np_secret key = NP_SECRET_INIT;
	uint8_t raw[32] = {9};
	char aes[45];

	begin();
	np_b64_encode(raw, sizeof(raw), aes);
	np_secret_set(&key, raw, sizeof(raw));
	KTAP_EQ(np_rsa_encrypt_b64(bob.keys->enc, aes, 44, &theirs), 0);
	KTAP_EQ(np_aes_encrypt_b64(&key, NULL, "legacy iv", 9, &cipher), 0);
	fake_put(&w, "@bob:shared_key@alice", np_buf_str(&theirs), NULL);
	fake_put(&w, "@bob:a.buzz@alice", np_buf_str(&cipher), "{\"isEncrypted\":true}");
	expect_get(&bob, "@alice", "a.buzz", "legacy iv");
	expect_get(&bob, "@alice", "a.buzz", "legacy iv");
	KTAP_EQ(fake_count(&w, "lookup:shared_key@alice"), 1);
	/* alice makes a new key: found out by the value that does not decrypt any more */
	np_buf_fini(&cipher);
	np_buf_fini(&theirs);
	raw[0] = 10;
	np_b64_encode(raw, sizeof(raw), aes);
	np_secret_set(&key, raw, sizeof(raw));
	KTAP_EQ(np_rsa_encrypt_b64(bob.keys->enc, aes, 44, &theirs), 0);
	KTAP_EQ(np_aes_encrypt_b64(&key, NULL, "new key", 7, &cipher), 0);
	fake_put(&w, "@bob:shared_key@alice", np_buf_str(&theirs), NULL);
	fake_put(&w, "@bob:a.buzz@alice", np_buf_str(&cipher), "{\"isEncrypted\":true}");
	expect_get(&bob, "@alice", "a.buzz", "new key");
	np_buf_fini(&cipher);
	np_buf_fini(&theirs);
	np_secret_fini(&key);
	end();
}

static void records_for_another_key_are_refused(void)
{
	struct answer a = {0};

	begin();
	fake_put(&w, "@bob:a.buzz@alice", "AAAA",
		 "{\"isEncrypted\":true,\"sharedKeyEnc\":\"AAAA\",\"pubKeyCS\":"
		 "\"00000000000000000000000000000000\"}");
	KTAP_EQ(np_at_client_get(bob.client, "@alice", "a.buzz", false, on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	KTAP_EQ(a.err.code, -EBADMSG);
	KTAP_OK(strstr(a.err.msg, "another public key"));
	end();
}

static void expired_and_clear_records(void)
{
	struct answer a = {0}, b = {0};

	begin();
	w.mood.prefix = "lookup:";
	w.mood.answer = "data:null\n@bob@";
	KTAP_EQ(np_at_client_get(bob.client, "@alice", "a.buzz", true, on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	KTAP_EQ(a.err.code, -ENOENT);
	KTAP_EQ(fake_count(&w, "lookup:bypassCache:true:all:a.buzz@alice\n"), 1);
	fake_put(&w, "@bob:clear.buzz@alice", "not encrypted", "{\"isEncrypted\":false}");
	expect_get(&bob, "@alice", "clear.buzz", "not encrypted");
	w.mood.prefix = "lookup:";
	w.mood.answer = "data:[1,2\n@bob@";
	KTAP_EQ(np_at_client_get(bob.client, "@alice", "a.buzz", false, on_answer, &b), 0);
	KTAP_OK(wait_answer(&b));
	KTAP_EQ(b.err.code, -EBADMSG);
	end();
}

struct key_answer {
	bool done;
	struct np_err err;
	const struct np_rsa *key;
	char b64[1024];
};

static void on_key(const struct np_err *err, const struct np_rsa *key, const char *b64, void *arg)
{
	struct key_answer *k = arg;

	k->done = true;
	k->err = *err;
	k->key = key;
	snprintf(k->b64, sizeof(k->b64), "%s", b64 ? b64 : "");
}

static void public_keys_are_cached(void)
{
	struct key_answer k[5] = {0};

	begin();
	KTAP_EQ(np_at_client_public_key(alice.client, "@bob", false, on_key, &k[0]), 0);
	KTAP_EQ(np_at_client_public_key(alice.client, "@bob", false, on_key, &k[1]), 0);
	KTAP_OK(!k[0].done && fake_run(&w, &k[0].done, 8000));
	KTAP_OK(k[1].done && k[0].key == k[1].key && k[0].key);
	KTAP_STREQ(k[0].b64, np_buf_str(&bob.keys->enc_public_b64));
	KTAP_EQ(np_at_client_public_key(alice.client, "@bob", false, on_key, &k[2]), 0);
	KTAP_OK(!k[2].done && fake_run(&w, &k[2].done, 8000));
	KTAP_EQ(fake_count(&w, "plookup:"), 1);
	KTAP_EQ(np_at_client_public_key(alice.client, "@bob", true, on_key, &k[3]), 0);
	KTAP_OK(fake_run(&w, &k[3].done, 8000));
	KTAP_EQ(fake_count(&w, "plookup:bypassCache:true:publickey@bob"), 1);
	KTAP_OK(k[3].key == k[0].key);
	/* our own needs nobody */
	KTAP_EQ(np_at_client_public_key(alice.client, "@alice", true, on_key, &k[4]), 0);
	KTAP_OK(!k[4].done && fake_run(&w, &k[4].done, 8000));
	KTAP_STREQ(k[4].b64, np_buf_str(&alice.keys->enc_public_b64));
	KTAP_EQ(fake_count(&w, "plookup:"), 2);
	end();
}

static int ask_key(struct np_at_client *client, const char *atsign, struct key_answer *k)
{
	int ret = np_at_client_public_key(client, atsign, false, on_key, k);

	return ret ? ret : fake_run(&w, &k->done, 8000) ? k->err.code : -ETIME;
}

/* A relay for everybody hears of more atSigns than it can remember. */
static void the_longest_unused_peer_makes_room(void)
{
	struct np_at_client_params params;
	struct np_at_client *client = NULL;
	struct key_answer k[6] = {0};
	bool never = false;

	begin();
	fake_owner(&w, "@carol");
	params = *np_at_client_params(alice.client);
	params.max_peers = 2;
	params.timeout_ms = 200;
	KTAP_EQ(np_at_client_new(&params, NULL, NULL, &client, NULL), 0);
	KTAP_EQ(ask_key(client, "@bob", &k[0]), 0);
	KTAP_EQ(ask_key(client, "@alice", &k[1]), 0);
	/* just used, they stay */
	KTAP_EQ(np_at_client_public_key(client, "@carol", false, on_key, &k[2]), -ENOMEM);
	fake_run(&w, &never, 450);
	KTAP_EQ(ask_key(client, "@carol", &k[3]), 0);
	KTAP_OK(k[3].key && k[3].key != k[0].key);
	/* and who had to go comes back */
	fake_run(&w, &never, 450);
	KTAP_EQ(ask_key(client, "@bob", &k[4]), 0);
	KTAP_STREQ(k[4].b64, np_buf_str(&bob.keys->enc_public_b64));
	KTAP_EQ(fake_count(&w, "plookup:publickey@bob"), 2);
	np_at_client_free(client);
	end();
}

/* --- connection keeping ----------------------------------------------------------------------- */

static bool both_up(void *arg)
{
	(void)arg;
	return alice.nr_up && bob.nr_up;
}

static void command_under_way_is_repeated_after_a_loss(void)
{
	struct answer a = {0};

	begin();
	KTAP_OK(fake_wait(&w, both_up, NULL, 8000));
	fake_put(&w, "x@alice", "42", NULL);
	w.mood.prefix = "llookup:"; /* the connection closes instead of an answer */
	KTAP_EQ(np_at_client_command(alice.client, "llookup:x@alice", 15, on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	KTAP_STREQ(a.data, "42");
	KTAP_EQ(a.nr, 1);
	KTAP_EQ(alice.nr_up, 2);
	KTAP_EQ(alice.nr_down, 1);
	KTAP_OK(strstr(alice.down.msg, "closed the connection"));
	end();
}

static void waits_for_a_server_that_comes_back_elsewhere(void)
{
	struct answer a = {0};

	begin();
	KTAP_OK(fake_wait(&w, both_up, NULL, 8000));
	fake_stop_at(&w);
	KTAP_EQ(np_at_client_command(alice.client, "noop:0", 6, on_answer, &a), 0);
	KTAP_OK(!fake_run(&w, &a.done, 700)); /* at least one attempt fails */
	fake_start_at(&w);
	KTAP_OK(wait_answer(&a));
	KTAP_EQ(a.err.code, 0);
	end();
}

static void deadline_says_what_was_wrong(void)
{
	struct answer a = {0};

	fake_open(&w);
	fake_stop_at(&w);
	join(&alice, "@alice", false, 400);
	KTAP_EQ(np_at_client_command(alice.client, "noop:0", 6, on_answer, &a), 0);
	KTAP_OK(wait_answer(&a));
	KTAP_EQ(a.err.code, -ETIMEDOUT);
	KTAP_OK(strstr(a.err.msg, "atServer of @alice: 127.0.0.1:"));
	leave(&alice);
	fake_close(&w);
}

static void once_fails_at_once(void)
{
	struct answer a = {0}, b = {0};

	fake_open(&w);
	fake_stop_at(&w);
	join(&alice, "@alice", true, 0);
	KTAP_EQ(np_at_client_command(alice.client, "noop:0", 6, on_answer, &a), 0);
	KTAP_OK(fake_run(&w, &a.done, 3000));
	KTAP_EQ(a.err.code, -ECONNREFUSED);
	KTAP_EQ(alice.nr_down, 1);
	/* Somebody who asks again gets another attempt. */
	fake_start_at(&w);
	KTAP_EQ(np_at_client_command(alice.client, "noop:0", 6, on_answer, &b), 0);
	KTAP_OK(wait_answer(&b));
	KTAP_EQ(b.err.code, 0);
	leave(&alice);
	fake_close(&w);
}

static void idle_connection_is_kept_alive(void)
{
	struct np_at_client_params params = {0};
	struct np_at_client *idle = NULL;
	bool never = false;

	begin();
	params = *np_at_client_params(alice.client);
	params.noop_interval_ms = 60;
	KTAP_EQ(np_at_client_new(&params, NULL, NULL, &idle, NULL), 0);
	fake_run(&w, &never, 500);
	KTAP_OK(fake_count(&w, "@alice noop:0\n") >= 2);
	np_at_client_free(idle);
	end();
}

static void cancelled_operations_stay_silent(void)
{
	struct np_at_put put_ = {.to = "@bob", .name = "x.buzz", .value = "v", .value_len = 1};
	struct answer a = {0}, b = {0};
	struct key_answer k = {0};

	begin();
	KTAP_EQ(np_at_client_notify(alice.client, &put_, on_answer, &a), 0);
	KTAP_EQ(np_at_client_get(alice.client, "@bob", "none", false, on_answer, &a), 0);
	KTAP_EQ(np_at_client_command(alice.client, "noop:0", 6, on_answer, &a), 0);
	KTAP_EQ(np_at_client_public_key(alice.client, "@bob", false, on_key, &k), 0);
	np_at_client_cancel(alice.client, &a);
	np_at_client_cancel(alice.client, &k);
	KTAP_EQ(np_at_client_command(alice.client, "noop:0", 6, on_answer, &b), 0);
	KTAP_OK(wait_answer(&b));
	put(&alice, "@bob", "y.buzz", "v", true);
	KTAP_EQ(a.nr, 0);
	KTAP_OK(!k.done);
	end();
}

static struct np_at_client *doomed;
static bool doom_done;

static void on_doom(const struct np_err *err, const char *data, size_t len, void *arg)
{
	(void)err;
	(void)data;
	(void)len;
	(void)arg;
	KTAP_OK(!doom_done);
	doom_done = true;
	np_at_client_free(doomed);
}

static void may_be_freed_in_any_callback(void)
{
	struct np_at_put put_ = {.to = "@bob", .name = "x.buzz", .value = "v", .value_len = 1};
	struct np_at_client_params params;
	unsigned int i;

	begin();
	KTAP_OK(fake_wait(&w, both_up, NULL, 8000));
	for (i = 0; i < 5; i++) {
		params = *np_at_client_params(alice.client);
		params.once = i == 4;
		if (i == 3)
			put_.to = "@nobody";
		if (i == 4)
			fake_stop_at(&w);
		doom_done = false;
		KTAP_EQ(np_at_client_new(&params, NULL, NULL, &doomed, NULL), 0);
		if (i == 0)
			KTAP_EQ(np_at_client_command(doomed, "noop:0", 6, on_doom, NULL), 0);
		if (i == 1)
			KTAP_EQ(np_at_client_get(doomed, "@bob", "none", false, on_doom, NULL), 0);
		/*
		 * Two wait for the same key: the first to hear frees the client under the second.
		 */
		if (i >= 2) {
			KTAP_EQ(np_at_client_notify(doomed, &put_, on_doom, NULL), 0);
			KTAP_EQ(np_at_client_notify(doomed, &put_, on_doom, NULL), 0);
		}
		KTAP_OK(fake_run(&w, &doom_done, 8000));
	}
	end();
}

int main(void)
{
	KTAP_RUN(first_use_makes_and_stores_the_key);
	KTAP_RUN(a_new_client_needs_one_lookup);
	KTAP_RUN(records_of_other_libraries_are_completed);
	KTAP_RUN(metadata_of_a_replaced_key_is_not_believed);
	KTAP_RUN(unreadable_own_copy_is_replaced);
	KTAP_RUN(changed_public_key_makes_a_new_shared_key);
	KTAP_RUN(unknown_receiver_leaves_nothing_behind);
	KTAP_RUN(notify_has_the_canonical_form);
	KTAP_RUN(a_fresh_iv_for_every_value);
	KTAP_RUN(self_and_public_records);
	KTAP_RUN(del_and_scan);
	KTAP_RUN(refuses_what_would_break_a_command);
	KTAP_RUN(get_without_shared_key_enc_looks_it_up);
	KTAP_RUN(records_for_another_key_are_refused);
	KTAP_RUN(expired_and_clear_records);
	KTAP_RUN(public_keys_are_cached);
	KTAP_RUN(the_longest_unused_peer_makes_room);
	KTAP_RUN(command_under_way_is_repeated_after_a_loss);
	KTAP_RUN(waits_for_a_server_that_comes_back_elsewhere);
	KTAP_RUN(deadline_says_what_was_wrong);
	KTAP_RUN(once_fails_at_once);
	KTAP_RUN(idle_connection_is_kept_alive);
	KTAP_RUN(cancelled_operations_stay_silent);
	KTAP_RUN(may_be_freed_in_any_callback);
	return ktap_done();
}
