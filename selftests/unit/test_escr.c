// SPDX-License-Identifier: BSD-3-Clause
/*
 * The challenge-response proof: what is on the wire, opened layer by layer as a relay does
 * (noports.md 5.6), and the dialogue with relays that behave, cut their lines anywhere, refuse, or
 * know nothing of it.
 */
#include "noports/escr.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "crypto/aesctr.h"
#include "crypto/b64.h"
#include "crypto/rsa.h"
#include "harness/ktap.h"
#include "json/json.h"
#include "net/sock.h"
#include "noports/rdial.h"

#include <ev.h>

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define SID "a65d57ed-5efa-486d-a16f-2bc37719d5ca"
#define CHALLENGE "kX3AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxs="
#define URI "public:_apsk.primary.a.__e@alice"

static struct ev_loop *loop;
static struct np_escr escr;

static void make_escr(void)
{
	strcpy(escr.sid, SID);
	strcpy(escr.uri, URI);
	escr.is_side_a = true;
	np_secret_set(&escr.aes_key, "0123456789abcdef0123456789abcdef", 32);
	KTAP_EQ(np_rsa_generate(&escr.key, NULL), 0);
}

/* base64 of a JSON object, as it stands twice in the answer. */
static struct np_json *open_b64(const char *text, size_t len)
{
	struct np_secret raw = NP_SECRET_INIT;
	struct np_json *json;

	KTAP_EQ(np_b64_decode_secret(text, len, &raw), 0);
	json = np_json_parse(np_secret_str(&raw), raw.len, "layer", NULL);
	KTAP_OK(json);
	np_secret_fini(&raw);
	return json;
}

static struct np_json *open_line(const char *line, size_t len)
{
	struct np_secret inner = NP_SECRET_INIT;
	struct np_json *outer, *envelope;
	uint8_t iv[16];
	const char *e;

	KTAP_OK(!strncmp(line, SID ":", 37) && line[len - 1] == '\n');
	outer = open_b64(line + 37, len - 38);
	e = np_json_str(outer, "e");
	KTAP_EQ(np_b64_decode(np_json_str(outer, "iv"), 24, iv, sizeof(iv)), 16);
	KTAP_EQ(np_aes_decrypt_b64(&escr.aes_key, iv, e, strlen(e), &inner, NULL), 0);
	envelope = open_b64(np_secret_str(&inner), inner.len);
	np_secret_fini(&inner);
	np_json_put(outer);
	return envelope;
}

static void the_answer_layer_by_layer(void)
{
	static const char want[] = "{\"sid\":\"" SID "\",\"c\":\"" CHALLENGE "\",\"side\":\"a\"}";
	struct np_buf line = NP_BUF_INIT, p = NP_BUF_INIT, again = NP_BUF_INIT;
	struct np_json *envelope;
	const char *s;

	KTAP_EQ(np_escr_answer(&escr, CHALLENGE, &line), 0);
	KTAP_OK(line.len < NP_ESCR_LINE_MAX);
	envelope = open_line(np_buf_str(&line), line.len);
	KTAP_EQ(np_json_write(np_json_get(envelope, "p"), &p), 0);
	KTAP_STREQ(np_buf_str(&p), want);
	s = np_json_str(envelope, "s");
	KTAP_EQ(np_rsa_verify_b64(escr.key, NP_HASH_SHA256, want, strlen(want), s, strlen(s)), 0);
	KTAP_STREQ(np_json_str(envelope, "ha"), "sha256");
	KTAP_STREQ(np_json_str(envelope, "sa"), "rsa2048");
	KTAP_STREQ(np_json_str(envelope, "sk"), URI);
	KTAP_EQ(np_escr_answer(&escr, CHALLENGE, &again), 0);
	KTAP_OK(strcmp(np_buf_str(&again), np_buf_str(&line)));
	np_json_put(envelope);
	np_buf_fini(&line);
	np_buf_fini(&again);
	np_buf_fini(&p);
}

static void what_is_no_challenge_is_not_signed(void)
{
	static const char *const bad[] = {"", "a b", "a\"b", "a\x01", "Socket auth failed"};
	struct np_buf line = NP_BUF_INIT;
	char longer[200];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		KTAP_EQ(np_escr_answer(&escr, bad[i], &line), -EBADMSG);
	memset(longer, 'A', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	KTAP_EQ(np_escr_answer(&escr, longer, &line), -EBADMSG);
	KTAP_EQ(line.len, 0);
}

static void what_cannot_be_used_is_named(void)
{
	struct np_escr bad = escr;
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(np_escr_check(&escr, &err), 0);
	strcpy(bad.sid, "a\nb");
	KTAP_EQ(np_escr_check(&bad, &err), -EINVAL);
	KTAP_OK(strstr(err.msg, "session id"));
	bad = escr;
	strcpy(bad.uri, "public:x\"@a");
	KTAP_EQ(np_escr_check(&bad, &err), -EINVAL);
	KTAP_OK(strstr(err.msg, "URI"));
	bad = escr;
	bad.aes_key.len = 16;
	KTAP_EQ(np_escr_check(&bad, &err), -EINVAL);
	bad = escr;
	bad.key = NULL;
	KTAP_EQ(np_escr_check(&bad, &err), -EINVAL);
}

/* ---- the dialogue ---- */

static struct outcome {
	unsigned int nr;
	int fd;
	struct np_err err;
} out;

static void on_done(int fd, const struct np_err *err, void *arg)
{
	(void)arg;
	out.nr++;
	out.fd = fd;
	out.err = *err;
}

static void turn(void)
{
	long long until = np_clock_mono_ms() + 2;

	while (np_clock_mono_ms() < until)
		ev_run(loop, EVRUN_NOWAIT);
}

/* Dials a listener of ours. Return: the relay's end of the connection. */
static int dial(int listener, struct rdial **dialling)
{
	struct np_addr addr;
	struct rdial_params params = {.loop = loop, .host = "127.0.0.1", .escr = &escr};
	long long until = np_clock_mono_ms() + 10000;
	int fd = -1;

	memset(&out, 0, sizeof(out));
	np_sock_local(listener, &addr);
	params.port = np_addr_port(&addr);
	KTAP_EQ(rdial_start(&params, on_done, NULL, dialling), 0);
	while (fd < 0 && np_clock_mono_ms() < until) {
		ev_run(loop, EVRUN_NOWAIT);
		fd = np_sock_accept(listener, NULL);
	}
	KTAP_OK(fd >= 0);
	return fd;
}

static void until_done(void)
{
	long long until = np_clock_mono_ms() + 10000;

	while (!out.nr && np_clock_mono_ms() < until)
		ev_run(loop, EVRUN_NOWAIT);
	KTAP_EQ(out.nr, 1);
}

static void put(int fd, const char *text)
{
	KTAP_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* The answer's line from the relay's end. */
static size_t get_line(int fd, char *buf, size_t size)
{
	long long until = np_clock_mono_ms() + 10000;
	size_t len = 0;
	ssize_t n;

	while ((!len || buf[len - 1] != '\n') && np_clock_mono_ms() < until) {
		ev_run(loop, EVRUN_NOWAIT);
		n = recv(fd, buf + len, size - len, MSG_DONTWAIT);
		if (n > 0)
			len += (size_t)n;
	}
	return len;
}

static void dialogue(bool byte_by_byte)
{
	int listener = np_sock_listen("127.0.0.1", 0, 1, NULL), fd;
	static const char challenge[] = CHALLENGE "\n";
	char line[NP_ESCR_LINE_MAX], one[2] = "";
	struct np_json *envelope;
	struct rdial *dialling;
	size_t len, i;

	fd = dial(listener, &dialling);
	for (i = 0; byte_by_byte && i < sizeof(challenge) - 1; i++) {
		one[0] = challenge[i];
		put(fd, one);
		turn();
	}
	if (!byte_by_byte)
		put(fd, challenge);
	len = get_line(fd, line, sizeof(line));
	envelope = open_line(line, len);
	KTAP_STREQ(np_json_str(envelope, "sk"), URI);
	np_json_put(envelope);
	KTAP_EQ(out.nr, 0);
	put(fd, "ok\nthe session begins");
	until_done();
	KTAP_OK(out.fd >= 0);
	/* What stands behind the line is for whoever takes the socket. */
	KTAP_EQ(recv(out.fd, line, sizeof(line), 0), 18);
	KTAP_OK(!memcmp(line, "the session begins", 18));
	np_fd_close(&out.fd);
	np_fd_close(&fd);
	np_fd_close(&listener);
}

static void a_relay_that_agrees(void)
{
	dialogue(false);
}
static void its_lines_come_byte_by_byte(void)
{
	dialogue(true);
}

static void refused(const char *challenge, const char *verdict, int code)
{
	int listener = np_sock_listen("127.0.0.1", 0, 1, NULL), fd;
	char line[NP_ESCR_LINE_MAX];
	struct rdial *dialling;

	fd = dial(listener, &dialling);
	put(fd, challenge);
	if (verdict) {
		KTAP_OK(get_line(fd, line, sizeof(line)) > 0);
		put(fd, verdict);
	}
	if (!strchr(verdict ? verdict : challenge, '\n'))
		np_fd_close(&fd);
	until_done();
	KTAP_EQ(out.fd, -1);
	KTAP_EQ(out.err.code, code);
	KTAP_OK(strstr(out.err.msg, "127.0.0.1:"));
	np_fd_close(&fd);
	np_fd_close(&listener);
}

static void relays_that_do_not(void)
{
	static char flood[NP_ESCR_LINE_MAX + 2];

	refused(CHALLENGE "\n", "Socket auth failed\n", -EACCES);
	refused(CHALLENGE "\n", "okay\n", -EACCES);
	refused(CHALLENGE "\n", "ok", -ECONNRESET);
	refused(CHALLENGE, NULL, -ECONNRESET);
	refused("HTTP/1.1 400 Bad Request\n", NULL, -EPROTO);
	memset(flood, 'A', sizeof(flood) - 2);
	flood[sizeof(flood) - 2] = '\n';
	refused(flood, NULL, -EPROTO);
}

static void cancelling_leaves_nothing(void)
{
	int listener = np_sock_listen("127.0.0.1", 0, 1, NULL), fd;
	struct rdial *dialling;

	fd = dial(listener, &dialling);
	put(fd, CHALLENGE "\n");
	turn();
	rdial_cancel(dialling);
	turn();
	KTAP_EQ(out.nr, 0);
	np_fd_close(&fd);
	np_fd_close(&listener);
}

int main(void)
{
	loop = ev_default_loop(0);
	signal(SIGPIPE, SIG_IGN);
	alarm(120);
	make_escr();
	KTAP_RUN(the_answer_layer_by_layer);
	KTAP_RUN(what_is_no_challenge_is_not_signed);
	KTAP_RUN(what_cannot_be_used_is_named);
	KTAP_RUN(a_relay_that_agrees);
	KTAP_RUN(its_lines_come_byte_by_byte);
	KTAP_RUN(relays_that_do_not);
	KTAP_RUN(cancelling_leaves_nothing);
	np_escr_fini(&escr);
	return ktap_done();
}
