// SPDX-License-Identifier: BSD-3-Clause
/* Control messages of a session with many connections, cut and glued in every way that a stream
 * allows. */
#include "noports/mux_ctl.h"

#include "base/buf.h"
#include "base/err.h"
#include "harness/ktap.h"

#include <errno.h>
#include <string.h>

#define K1 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define I1 "AAECAwQFBgcICQoLDA0ODw=="
#define K2 "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="
#define I2 "MjM0NTY3ODk6Ozw9Pj9AQQ=="
#define SINGLE "connect:" K1 ":" I1
#define TWIN SINGLE ":" K2 ":" I2

static struct np_mux_reader reader;
static struct np_err err;

static void restart(bool twin)
{
	memset(&reader, 0, sizeof(reader));
	memset(&err, 0, sizeof(err));
	reader.twin = twin;
}

static void put(const char *text, size_t len)
{
	KTAP_EQ(np_mux_reader_put(&reader, text, len), 0);
}

/* One message of the kind wanted, or -1 for none. */
static void want(int type)
{
	struct np_mux_ctl msg;
	int ret = np_mux_reader_next(&reader, &msg, &err);

	KTAP_EQ(ret, type >= 0 ? 1 : 0);
	if (ret != 1)
		return;
	KTAP_EQ(msg.type, type);
	if (msg.type == NP_MUX_CONNECT) {
		KTAP_EQ(msg.keys.key_c2d.data[31], 31);
		KTAP_EQ(msg.keys.iv_c2d.data[15], 15);
		KTAP_EQ(msg.keys.key_d2c.data[31], msg.keys.twin ? 131 : 31);
		KTAP_EQ(msg.keys.iv_d2c.data[15], msg.keys.twin ? 65 : 15);
	}
	np_mux_ctl_fini(&msg);
}

static void split_at_every_byte(const char *text, bool twin)
{
	size_t len = strlen(text), cut;

	for (cut = 0; cut <= len; cut++) {
		restart(twin);
		put(text, cut);
		/* Where all of a single-key message but its LF is there, an old peer may have ended
		 * it. */
		if (cut == len || (!twin && cut == len - 1))
			want(NP_MUX_CONNECT);
		want(-1);
		put(text + cut, len - cut);
		if (cut < len - 1 || (twin && cut == len - 1))
			want(NP_MUX_CONNECT);
		want(-1);
		KTAP_EQ(reader.len, 0);
	}
}

static void a_line_split_at_every_byte(void)
{
	split_at_every_byte(TWIN "\n", true);
	split_at_every_byte(SINGLE "\n", false);
}

static void byte_by_byte(void)
{
	static const char text[] = TWIN "\n" TWIN "\nheartbeat:2\n";
	unsigned int nr = 0;
	struct np_mux_ctl msg;
	size_t i;

	restart(true);
	for (i = 0; i < sizeof(text) - 1; i++) {
		put(text + i, 1);
		while (np_mux_reader_next(&reader, &msg, &err) == 1) {
			KTAP_OK(msg.type != NP_MUX_CONNECT || msg.keys.twin);
			np_mux_ctl_fini(&msg);
			nr++;
		}
	}
	KTAP_EQ(nr, 3);
}

static void two_lines_in_one_segment(void)
{
	restart(false);
	put(SINGLE "\n" SINGLE "\nconn", 2 * 78 + 4);
	want(NP_MUX_CONNECT);
	want(NP_MUX_CONNECT);
	want(-1);
	put("ect:no:encrypt\n", 15);
	want(NP_MUX_CLEAR);
}

static void old_peers_end_no_line(void)
{
	restart(false);
	put(SINGLE, 77);
	want(NP_MUX_CONNECT);
	want(-1);
	put(SINGLE SINGLE SINGLE, 3 * 77 - 1);
	want(NP_MUX_CONNECT);
	want(NP_MUX_CONNECT);
	want(-1);
	put("=", 1);
	want(NP_MUX_CONNECT);
	/* The first LF settles it: this peer ends its lines. */
	put("heartbeat:1\n", 12);
	want(NP_MUX_HEARTBEAT);
	put(SINGLE, 77);
	want(-1);
	put("\n", 1);
	want(NP_MUX_CONNECT);
	restart(false);
	put("connect:no:encrypt", 18);
	want(NP_MUX_CLEAR);
	put("connect:no:encryptconnect:no:encrypt\n", 37);
	want(NP_MUX_CLEAR);
	want(NP_MUX_CLEAR);
	want(-1);
}

static void twin_keys_are_never_taken_for_one(void)
{
	restart(true);
	put(TWIN, 77);
	want(-1);
	put(TWIN + 77, strlen(TWIN) - 77);
	want(-1);
	put("\n", 1);
	want(NP_MUX_CONNECT);
}

static void a_message_without_end(void)
{
	static char text[NP_MUX_CTL_MAX];
	struct np_mux_ctl msg;

	memset(text, 'x', sizeof(text));
	restart(true);
	put(text, sizeof(text) - 1);
	want(-1);
	put("x", 1);
	KTAP_EQ(np_mux_reader_room(&reader), 0);
	KTAP_EQ(np_mux_reader_put(&reader, "x", 1), -EMSGSIZE);
	KTAP_EQ(np_mux_reader_next(&reader, &msg, &err), -EMSGSIZE);
	KTAP_OK(err.msg[0]);
}

static void a_connect_that_cannot_be_understood(void)
{
	static const char *const bad[] = {
		"connect:\n",
		"connect:a:b\n",
		"connect:" K1 "\n",
		"connect:" K1 ":\n",
		"connect:" I1 ":" K1 "\n",
		SINGLE ":\n",
		SINGLE ":" K2 "\n",
		TWIN ":\n",
		TWIN ":x\n",
		"connect:no:encryption\n",
		"connect:!AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:" I1 "\n",
	};
	struct np_mux_ctl msg;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		restart(true);
		put(bad[i], strlen(bad[i]));
		KTAP_EQ(np_mux_reader_next(&reader, &msg, &err), -EPROTO);
		KTAP_OK(err.msg[0] && !strstr(err.msg, "AAEC"));
	}
}

static void what_is_not_known_is_passed_over(void)
{
	restart(true);
	put("\n\r\nheartbeat:x\nheartbeat:-1\nhello\nheartbeat:18446744073709551615\n", 65);
	want(NP_MUX_UNKNOWN);
	want(NP_MUX_UNKNOWN);
	want(NP_MUX_UNKNOWN);
	want(NP_MUX_HEARTBEAT);
	want(-1);
}

static void writer_has_the_published_bytes(void)
{
	struct np_mux_ctl msg = {.type = NP_MUX_CONNECT};
	struct np_buf out = NP_BUF_INIT;
	bool twin = true;

	do {
		restart(twin);
		put(TWIN "\n", strlen(TWIN) + 1);
		KTAP_EQ(np_mux_reader_next(&reader, &msg, &err), 1);
		msg.keys.twin = twin;
		KTAP_EQ(np_mux_ctl_write(&msg, &out), 0);
		KTAP_STREQ(np_buf_str(&out), twin ? TWIN "\n" : SINGLE "\n");
		KTAP_EQ(out.len, twin ? 148 : 78);
		np_mux_ctl_fini(&msg);
		np_buf_consume(&out, out.len);
		twin = !twin;
	} while (!twin);
	msg.type = NP_MUX_CLEAR;
	KTAP_EQ(np_mux_ctl_write(&msg, &out), 0);
	msg.type = NP_MUX_HEARTBEAT;
	msg.heartbeat = 7;
	KTAP_EQ(np_mux_ctl_write(&msg, &out), 0);
	KTAP_STREQ(np_buf_str(&out), "connect:no:encrypt\nheartbeat:7\n");
	np_buf_fini(&out);
}

int main(void)
{
	KTAP_RUN(a_line_split_at_every_byte);
	KTAP_RUN(byte_by_byte);
	KTAP_RUN(two_lines_in_one_segment);
	KTAP_RUN(old_peers_end_no_line);
	KTAP_RUN(twin_keys_are_never_taken_for_one);
	KTAP_RUN(a_message_without_end);
	KTAP_RUN(a_connect_that_cannot_be_understood);
	KTAP_RUN(what_is_not_known_is_passed_over);
	KTAP_RUN(writer_has_the_published_bytes);
	return ktap_done();
}
