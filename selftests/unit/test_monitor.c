// SPDX-License-Identifier: BSD-3-Clause
#include "at/monitor.h"

#include "at/client.h"
#include "at/directory.h"
#include "at/note.h"
#include "atfake.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rand.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"
#include "json/json.h"

#include <errno.h>

/* --- the JSON --------------------------------------------------------------------------------- */

static int parse(const char *json, struct np_at_note *note, struct np_err *err)
{
	return np_at_note_parse(json, strlen(json), note, err);
}

#define LINE(id, from, to, key)                                                                    \
	"{\"id\":" id ",\"from\":\"" from "\",\"to\":\"" to "\",\"key\":\"" key                    \
	"\",\"value\":\"v\","                                                                      \
	"\"operation\":\"update\",\"epochMillis\":7,\"messageType\":\"MessageType.key\","          \
	"\"isEncrypted\":false}"

static void reads_a_notification(void)
{
	struct np_at_note note;
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(parse(LINE("\"a-1\"", "@bob", "@alice", "@alice:Ping.Dev.sshnp@bob"), &note, &err),
		0);
	KTAP_STREQ(note.id, "a-1");
	KTAP_STREQ(note.key, "@alice:ping.dev.sshnp@bob");
	KTAP_STREQ(note.name, "ping.dev.sshnp");
	KTAP_STREQ(note.from, "@bob");
	KTAP_EQ(note.epoch_ms, 7);
	KTAP_OK(!note.is_encrypted && !note.is_stats && !note.is_delete);
	np_at_note_fini(&note);
	KTAP_EQ(parse("{\"id\":\"-1\",\"from\":\"@a\",\"key\":\"statsNotification.@a\","
		      "\"epochMillis\":9}",
		      &note, &err),
		0);
	KTAP_OK(note.is_stats);
	np_at_note_fini(&note);
}

static void refuses_damaged_and_forged_ones(void)
{
	static const struct {
		const char *json;
		int code;
	} tries[] = {
		{"", -EBADMSG},
		{"{", -EBADMSG},
		{"[]", -EBADMSG},
		{"{}", -EBADMSG},
		{LINE("5", "@bob", "@alice", "@alice:x@bob"), -EBADMSG},
		{LINE("\"1\"", "@bob", "@alice", ""), -EPROTO},
		{LINE("\"1\"", "", "@alice", "@alice:x@bob"), -EBADMSG},
		{LINE("\"1\"", "@bo b", "@alice", "@alice:x@bob"), -EBADMSG},
		/* the key claims another sender, another receiver, two senders, no name */
		{LINE("\"1\"", "@bob", "@alice", "@alice:x@carol"), -EPROTO},
		{LINE("\"1\"", "@bob", "@alice", "@carol:x@bob"), -EPROTO},
		{LINE("\"1\"", "@bob", "@alice", "@alice:x@carol@bob"), -EPROTO},
		{LINE("\"1\"", "@bob", "@alice", "@alice:@bob"), -EPROTO},
		{LINE("\"1\"", "@bob", "@alice", "@alice"), -EPROTO},
	};
	struct np_at_note note;
	size_t i;

	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct np_err err = NP_ERR_INIT;
		int ret = parse(tries[i].json, &note, &err);

		if (ret != tries[i].code)
			KTAP_FAILF("%s gives %d", tries[i].json, ret);
		KTAP_OK(err.msg[0]);
		np_at_note_fini(&note);
	}
}

/* --- the connection --------------------------------------------------------------------------- */

#define MAX_NOTES 32

struct ear {
	struct np_monitor *monitor;
	unsigned int nr_notes, nr_bad, nr_up, nr_down;
	char values[MAX_NOTES][64], names[MAX_NOTES][64];
	struct np_err bad, down;
	const char *unwanted;
	bool close_in_note, close_in_state, is_open;
};

static struct fake_world w;
static struct np_directory *dir;
static struct np_at_client *alice, *bob;
static struct np_at_keys *alice_keys, *bob_keys;
static struct ear ear;

static void close_ear(void)
{
	np_monitor_close(ear.monitor);
	ear.monitor = NULL;
}

static void on_note(const struct np_at_notification *note, void *arg)
{
	(void)arg;
	KTAP_OK(ear.nr_notes < MAX_NOTES);
	snprintf(ear.values[ear.nr_notes], 64, "%s", note->value ? note->value : "(null)");
	snprintf(ear.names[ear.nr_notes], 64, "%s", note->name);
	ear.nr_notes++;
	if (ear.close_in_note)
		close_ear();
}

static bool on_want(const char *from, const char *name, void *arg)
{
	(void)from;
	(void)arg;
	return !ear.unwanted || strcmp(name, ear.unwanted);
}

static void on_bad(const char *from, const char *key, const struct np_err *err, void *arg)
{
	(void)from;
	(void)key;
	(void)arg;
	ear.nr_bad++;
	ear.bad = *err;
}

static void on_state(bool up, const struct np_err *err, void *arg)
{
	(void)arg;
	if (up) {
		ear.nr_up++;
	} else {
		ear.nr_down++;
		ear.down = *err;
	}
	if (ear.close_in_state)
		close_ear();
}

static const struct np_monitor_ops ops = {
	.note = on_note, .want = on_want, .bad = on_bad, .state = on_state};

static struct np_at_client *new_client(struct np_at_keys *keys)
{
	struct np_at_client_params params = {
		.loop = w.loop, .tls = w.client_tls, .dir = dir, .keys = keys};
	struct np_at_client *client = NULL;

	KTAP_EQ(np_at_client_new(&params, NULL, NULL, &client, NULL), 0);
	return client;
}

static void begin(void)
{
	memset(&ear, 0, sizeof(ear));
	fake_open(&w);
	KTAP_EQ(np_directory_new(w.loop, w.client_tls, fake_root(&w), &dir, NULL), 0);
	alice_keys = fake_owner(&w, "@alice");
	bob_keys = fake_owner(&w, "@bob");
	alice = new_client(alice_keys);
	bob = new_client(bob_keys);
}

static void end(void)
{
	close_ear();
	np_at_client_free(alice);
	np_at_client_free(bob);
	np_directory_free(dir);
	fake_close(&w);
}

static void listen_to(const char *regex, unsigned int heartbeat_ms, bool replay)
{
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ((replay ? np_monitor_open_replay : np_monitor_open)(bob, regex, heartbeat_ms, &ops,
								    NULL, &ear.monitor, &err),
		0);
}

static bool is_up(void *arg)
{
	return ear.nr_up >= *(const unsigned int *)arg;
}

static bool is_down(void *arg)
{
	return ear.nr_down >= *(const unsigned int *)arg;
}

static bool has_notes(void *arg)
{
	return ear.nr_notes + ear.nr_bad >= *(const unsigned int *)arg;
}

static bool wait_for(bool (*cond)(void *), unsigned int n)
{
	return fake_wait(&w, cond, &n, 8000);
}

static bool has_a_value(void *arg)
{
	(void)arg;
	return ear.nr_notes > 0;
}

static bool is_stored(void *arg)
{
	(void)arg;
	return w.stored.len > 0;
}

static bool mood_is_over(void *arg)
{
	(void)arg;
	return !w.mood.prefix;
}

static void send_note(const char *name, const char *value)
{
	struct np_at_put put = {.to = "@bob",
				.name = name,
				.value = value,
				.value_len = strlen(value),
				.ttln_ms = 60000};

	KTAP_EQ(np_at_client_notify(alice, &put, NULL, NULL), 0);
}

static void delivers_decrypted_and_in_order(void)
{
	begin();
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	send_note("a.buzz", "one");
	send_note("b.buzz", "two");
	send_note("c.buzz", "");
	KTAP_OK(wait_for(has_notes, 3));
	KTAP_STREQ(ear.values[0], "one");
	KTAP_STREQ(ear.names[0], "a.buzz");
	KTAP_STREQ(ear.values[1], "two");
	KTAP_STREQ(ear.values[2], "");
	KTAP_EQ(ear.nr_bad, 0);
	/* the key came with them */
	KTAP_EQ(fake_count(&w, "@bob lookup:"), 0);
	KTAP_EQ(fake_count(&w, "@bob monitor\n"), 1);
	end();
}

static void up_means_confirmed(void)
{
	begin();
	listen_to("x", 0, false);
	KTAP_OK(wait_for(is_up, 1));
	KTAP_EQ(fake_monitors(&w), 1);
	KTAP_EQ(fake_count(&w, "@bob monitor x\n@bob noop:0\n"), 1);
	end();
}

static void without_shared_key_enc_one_lookup_is_enough(void)
{
	begin();
	w.mood.drop_sharedkeyenc = true;
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	send_note("a.buzz", "one");
	send_note("b.buzz", "two");
	send_note("c.buzz", "three");
	KTAP_OK(wait_for(has_notes, 3));
	KTAP_STREQ(ear.values[0], "one");
	KTAP_STREQ(ear.values[1], "two");
	KTAP_STREQ(ear.values[2], "three");
	KTAP_EQ(fake_count(&w, "@bob lookup:shared_key@alice\n"), 1);
	end();
}

static void replay_closes_the_gap(void)
{
	begin();
	/* Sent before anybody listens, as when the answer overtakes the subscription. */
	send_note("early.buzz", "kept");
	KTAP_OK(fake_wait(&w, is_stored, NULL, 8000));
	listen_to("buzz", 0, true);
	KTAP_OK(wait_for(has_notes, 1));
	KTAP_STREQ(ear.values[0], "kept");
	KTAP_EQ(fake_count(&w, "@bob monitor:0 buzz\n"), 1);
	KTAP_EQ(ear.nr_up, 1);
	KTAP_EQ(fake_count(&w, "@bob noop:0\n"), 0);
	end();
}

static void live_ignores_what_was_before(void)
{
	bool never = false;

	begin();
	send_note("early.buzz", "old");
	KTAP_OK(fake_wait(&w, is_stored, NULL, 8000));
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	fake_run(&w, &never, 50);
	KTAP_EQ(ear.nr_notes, 0);
	end();
}

static void resumes_after_a_loss(void)
{
	char want[64];

	begin();
	listen_to("buzz", 0, false);
	KTAP_OK(wait_for(is_up, 1));
	send_note("a.buzz", "before");
	KTAP_OK(wait_for(has_notes, 1));
	fake_drop_conns(&w);
	KTAP_OK(wait_for(is_down, 1));
	KTAP_OK(strstr(ear.down.msg, "closed the connection"));
	send_note("b.buzz", "meanwhile");
	KTAP_OK(wait_for(is_up, 2));
	KTAP_OK(wait_for(has_notes, 2));
	/*
	 * The first one was replayed too (the time given is a little earlier), and dropped by its
	 * id.
	 */
	KTAP_EQ(ear.nr_notes, 2);
	KTAP_STREQ(ear.values[1], "meanwhile");
	snprintf(want, sizeof(want), "@bob monitor:%lld buzz\n", (long long)w.epoch_ms - 3);
	KTAP_EQ(fake_count(&w, want), 1);
	end();
}

static void repeated_ids_and_stats_are_dropped(void)
{
	bool never = false;

	begin();
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	fake_notify(&w, "@bob", LINE("\"same\"", "@alice", "@bob", "@bob:x@alice"));
	fake_notify(&w, "@bob", LINE("\"same\"", "@alice", "@bob", "@bob:x@alice"));
	fake_notify(&w, "@bob", LINE("\"-1\"", "@bob", "@bob", "statsNotification.@bob"));
	fake_notify(&w, "@bob", LINE("\"other\"", "@alice", "@carol", "@carol:x@alice"));
	fake_notify(&w, "@bob", LINE("\"forged\"", "@alice", "@bob", "@bob:x@carol"));
	fake_notify(&w, "@bob", "{\"id\":");
	fake_run(&w, &never, 100);
	KTAP_EQ(ear.nr_notes, 1);
	KTAP_STREQ(ear.values[0], "v");
	KTAP_EQ(ear.nr_bad, 2);
	KTAP_EQ(ear.nr_down, 0);
	end();
}

static void unwanted_ones_cost_nothing(void)
{
	begin();
	ear.unwanted = "a.buzz";
	w.mood.drop_sharedkeyenc = true;
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	send_note("a.buzz", "one");
	fake_notify(&w, "@bob", LINE("\"clear\"", "@carol", "@bob", "@bob:x@carol"));
	KTAP_OK(wait_for(has_notes, 1));
	KTAP_EQ(fake_count(&w, "@bob lookup:"), 0);
	end();
}

static void one_slow_sender_does_not_hold_up_others(void)
{
	begin();
	w.mood.drop_sharedkeyenc = true;
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	w.mood.prefix = "lookup:shared_key@alice";
	w.mood.answer = ""; /* never answered */
	send_note("a.buzz", "stuck");
	KTAP_OK(fake_wait(&w, mood_is_over, NULL, 8000));
	fake_notify(&w, "@bob", LINE("\"n1\"", "@alice", "@bob", "@bob:behind@alice"));
	fake_notify(&w, "@bob", LINE("\"n2\"", "@carol", "@bob", "@bob:passing@carol"));
	KTAP_OK(wait_for(has_notes, 1));
	KTAP_STREQ(ear.names[0], "passing");
	KTAP_EQ(ear.nr_notes, 1);
	end();
}

/* Who keeps us waiting for a key uses up its own share only. */
static void one_sender_cannot_fill_the_waiting_room(void)
{
	char line[512];
	unsigned int i;

	begin();
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	w.mood.prefix = "lookup:shared_key@carol";
	w.mood.answer = ""; /* never answered */
	for (i = 0; i < 300; i++) {
		snprintf(line, sizeof(line),
			 "{\"id\":\"c%u\",\"from\":\"@carol\",\"to\":\"@bob\",\"key\":\"@bob:x@carol\","
			 "\"value\":\"AAAA\",\"isEncrypted\":true,\"metadata\":null}",
			 i);
		fake_notify(&w, "@bob", line);
	}
	send_note("a.buzz", "passes");
	KTAP_OK(fake_wait(&w, has_a_value, NULL, 8000));
	KTAP_STREQ(ear.values[0], "passes");
	KTAP_OK(ear.nr_bad >= 200);
	KTAP_OK(strstr(ear.bad.msg, "@carol"));
	end();
}

static void undecryptable_ones_are_reported(void)
{
	begin();
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	fake_notify(&w, "@bob",
		    "{\"id\":\"1\",\"from\":\"@alice\",\"to\":\"@bob\",\"key\":\"@bob:x@alice\","
		    "\"value\":\"AAAA\","
		    "\"isEncrypted\":true,\"metadata\":{\"sharedKeyEnc\":\"AAAA\",\"pubKeyCS\":"
		    "\"00\"}}");
	KTAP_OK(wait_for(has_notes, 1));
	KTAP_EQ(ear.nr_bad, 1);
	KTAP_OK(strstr(ear.bad.msg, "another public key"));
	/* No key anywhere. */
	fake_notify(&w, "@bob",
		    "{\"id\":\"2\",\"from\":\"@carol\",\"to\":\"@bob\",\"key\":\"@bob:x@carol\","
		    "\"value\":\"AAAA\","
		    "\"isEncrypted\":true,\"metadata\":null}");
	KTAP_OK(wait_for(has_notes, 2));
	KTAP_EQ(ear.nr_bad, 2);
	KTAP_EQ(ear.bad.code, -ENOENT);
	KTAP_OK(strstr(ear.bad.msg, "shared key of @carol"));
	end();
}

static void clear_and_empty_values(void)
{
	begin();
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	fake_notify(&w, "@bob",
		    "{\"id\":\"1\",\"from\":\"@alice\",\"to\":\"@bob\",\"key\":\"@bob:x@alice\","
		    "\"value\":null,"
		    "\"operation\":\"delete\",\"isEncrypted\":true,\"metadata\":{}}");
	fake_notify(&w, "@bob", LINE("\"2\"", "@alice", "@bob", "@bob:y@alice"));
	KTAP_OK(wait_for(has_notes, 2));
	KTAP_STREQ(ear.values[0], "(null)");
	KTAP_STREQ(ear.values[1], "v");
	end();
}

static void dead_peer_is_noticed_by_the_heartbeat(void)
{
	long long start;

	begin();
	listen_to(NULL, 150, false);
	KTAP_OK(wait_for(is_up, 1));
	start = np_clock_mono_ms();
	w.mood.silent_noop = true;
	KTAP_OK(wait_for(is_down, 1));
	KTAP_OK(np_clock_mono_ms() - start < 2000);
	KTAP_EQ(ear.down.code, -ETIMEDOUT);
	KTAP_OK(strstr(ear.down.msg, "heartbeat"));
	w.mood.silent_noop = false;
	KTAP_OK(wait_for(is_up, 2));
	end();
}

static void survives_cut_lines_and_glued_prompts(void)
{
	begin();
	w.mood.cut = 1;
	w.mood.late_prompt = true;
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	send_note("a.buzz", "one");
	send_note("b.buzz", "two");
	KTAP_OK(wait_for(has_notes, 2));
	KTAP_STREQ(ear.values[1], "two");
	KTAP_EQ(ear.nr_down, 0);
	end();
}

static bool is_closed(void *arg)
{
	(void)arg;
	return !ear.monitor;
}

static void may_be_closed_in_callbacks(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		begin();
		ear.close_in_note = i < 2;
		ear.close_in_state = i == 2;
		w.mood.drop_sharedkeyenc = i == 1;
		listen_to(NULL, 0, true);
		if (i < 2) {
			send_note("a.buzz", "one");
			send_note("b.buzz", "two");
		}
		KTAP_OK(fake_wait(&w, is_closed, NULL, 8000));
		end();
	}
	/* With a key look-up under way. */
	begin();
	w.mood.drop_sharedkeyenc = true;
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	w.mood.prefix = "lookup:shared_key@alice";
	w.mood.answer = "";
	send_note("a.buzz", "one");
	KTAP_OK(fake_wait(&w, mood_is_over, NULL, 8000));
	end();
}

static void own_atsign_uses_the_self_key(void)
{
	struct np_at_put put = {.to = "@bob", .name = "x.buzz", .value = "mine", .value_len = 4};

	begin();
	listen_to(NULL, 0, false);
	KTAP_OK(wait_for(is_up, 1));
	KTAP_EQ(np_at_client_notify(bob, &put, NULL, NULL), 0);
	KTAP_OK(wait_for(has_notes, 1));
	KTAP_STREQ(ear.values[0], "mine");
	KTAP_EQ(fake_count(&w, "shared_key"), 0);
	end();
}

static void refuses_bad_regex(void)
{
	struct np_err err = NP_ERR_INIT;

	begin();
	KTAP_EQ(np_monitor_open(bob, "a:b", 0, &ops, NULL, &ear.monitor, &err), -EINVAL);
	KTAP_EQ(np_monitor_open(bob, "a\nb", 0, &ops, NULL, &ear.monitor, &err), -EINVAL);
	end();
}

int main(void)
{
	KTAP_RUN(reads_a_notification);
	KTAP_RUN(refuses_damaged_and_forged_ones);
	KTAP_RUN(delivers_decrypted_and_in_order);
	KTAP_RUN(up_means_confirmed);
	KTAP_RUN(without_shared_key_enc_one_lookup_is_enough);
	KTAP_RUN(replay_closes_the_gap);
	KTAP_RUN(live_ignores_what_was_before);
	KTAP_RUN(resumes_after_a_loss);
	KTAP_RUN(repeated_ids_and_stats_are_dropped);
	KTAP_RUN(unwanted_ones_cost_nothing);
	KTAP_RUN(one_slow_sender_does_not_hold_up_others);
	KTAP_RUN(one_sender_cannot_fill_the_waiting_room);
	KTAP_RUN(undecryptable_ones_are_reported);
	KTAP_RUN(clear_and_empty_values);
	KTAP_RUN(dead_peer_is_noticed_by_the_heartbeat);
	KTAP_RUN(survives_cut_lines_and_glued_prompts);
	KTAP_RUN(may_be_closed_in_callbacks);
	KTAP_RUN(own_atsign_uses_the_self_key);
	KTAP_RUN(refuses_bad_regex);
	return ktap_done();
}
