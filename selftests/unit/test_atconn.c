// SPDX-License-Identifier: BSD-3-Clause
#include "at/conn.h"

#include "at/directory.h"
#include "at/reply.h"
#include "atfake.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "crypto/cert.h"
#include "harness/ktap.h"
#include "tls/tls.h"

#include <errno.h>

/* --- replies ---------------------------------------------------------------------------------- */

static struct np_at_reply parse(const char *line)
{
	struct np_at_reply reply;

	np_at_reply_parse(line, strlen(line), &reply);
	return reply;
}

static void data_after_every_prompt(void)
{
	static const char *const lines[] = {"data:x:y@z", "@data:x:y@z", "@alice@data:x:y@z",
					    "@@alice@data:x:y@z"};
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct np_at_reply r = parse(lines[i]);

		KTAP_EQ(r.kind, NP_AT_REPLY_DATA);
		KTAP_STREQ(r.data, "x:y@z");
		KTAP_EQ(r.len, 5);
	}
	KTAP_EQ(parse("data:").kind, NP_AT_REPLY_DATA);
	KTAP_STREQ(parse("data:").data, "");
	KTAP_STREQ(parse("@alice@notification: {\"a\":1}").data, " {\"a\":1}");
	KTAP_EQ(parse("@alice@notification: {\"a\":1}").kind, NP_AT_REPLY_NOTIFICATION);
	KTAP_EQ(parse("").kind, NP_AT_REPLY_EMPTY);
	KTAP_EQ(parse("@").kind, NP_AT_REPLY_EMPTY);
	KTAP_EQ(parse("@alice@").kind, NP_AT_REPLY_EMPTY);
	KTAP_EQ(parse("HTTP/1.1 400 Bad Request").kind, NP_AT_REPLY_OTHER);
	KTAP_EQ(parse("@alice@HTTP").kind, NP_AT_REPLY_OTHER);
	KTAP_EQ(parse("datum:x").kind, NP_AT_REPLY_OTHER);
}

static void check_error(const char *line, int code, const char *remote, const char *part)
{
	struct np_at_reply r = parse(line);

	KTAP_EQ(r.kind, NP_AT_REPLY_ERROR);
	KTAP_EQ(r.err.code, code);
	KTAP_STREQ(r.err.remote, remote);
	if (!strstr(r.err.msg, part))
		KTAP_FAILF("'%s' is not in '%s'", part, r.err.msg);
}

static void all_error_forms(void)
{
	check_error("error:AT0015-key not found : phone@alice does not exist in keystore", -ENOENT,
		    "AT0015", "phone@alice does not exist");
	check_error("@error:AT0401-Exception: Command cannot be executed without auth", -EACCES,
		    "AT0401", "Command cannot");
	check_error("error:{\"errorCode\":\"AT0015\",\"errorDescription\":\"key not found : x\"}",
		    -ENOENT, "AT0015", "key not found : x");
	check_error("@alice@error:AT0026:enrollment_id: 6d1f is pending", -EACCES, "AT0026",
		    "is pending");
	check_error("error:AT0015-key not found : Exception: @alice:x@bob does not exist", -ENOENT,
		    "AT0015", "@bob");
	/* Damaged forms still are errors. */
	check_error("error:", -EREMOTEIO, "", "");
	check_error("error:AT", -EREMOTEIO, "", "AT");
	check_error("error:AT99999999999999-x", -EREMOTEIO, "AT9999999", "");
	check_error("error:{\"errorCode\":5}", -EREMOTEIO, "", "without a description");
	check_error("error:{", -EREMOTEIO, "", "without a description");
	check_error("error:{\"errorCode\":\"AT0015; rm\",\"errorDescription\":\"x\"}", -EREMOTEIO,
		    "", "x");
	check_error("error:AT0010-a\x1b[2Jb\xc2\x9b"
		    "c",
		    -EREMOTEIO, "AT0010", "a?[2Jb?");
}

/* --- connections ------------------------------------------------------------------------------ */

struct probe {
	struct fake_world w;
	struct np_directory *dir;
	struct np_at_conn *conn;
	bool is_up, is_down, has_reply, any;
	struct np_err down, reply;
	unsigned int nr_lines, nr_replies;
	char data[4096], order[64], line[512];
	bool close_in_reply, close_in_up, close_in_down;
};

static struct probe p;

static void on_up(struct np_at_conn *conn, void *arg)
{
	(void)arg;
	KTAP_OK(np_at_conn_is_up(conn));
	p.is_up = p.any = true;
	if (p.close_in_up) {
		np_at_conn_close(p.conn);
		p.conn = NULL;
	}
}

static void on_line(struct np_at_conn *conn, const char *line, size_t len, void *arg)
{
	(void)conn;
	(void)arg;
	KTAP_EQ(strlen(line), len);
	snprintf(p.line, sizeof(p.line), "%s", line);
	p.nr_lines++;
}

static void on_down(struct np_at_conn *conn, const struct np_err *err, void *arg)
{
	(void)arg;
	KTAP_OK(!np_at_conn_is_up(conn));
	KTAP_OK(!p.is_down);
	p.is_down = p.any = true;
	p.down = *err;
	if (p.close_in_down) {
		np_at_conn_close(p.conn);
		p.conn = NULL;
	}
}

static const struct np_at_conn_ops ops = {.up = on_up, .line = on_line, .down = on_down};

static void on_reply(const struct np_err *err, const char *data, size_t len, void *arg)
{
	p.has_reply = p.any = true;
	p.nr_replies++;
	p.reply = *err;
	KTAP_OK(err->code ? !data : strlen(data) == len);
	snprintf(p.data, sizeof(p.data), "%s", data ? data : "(none)");
	strncat(p.order, arg, sizeof(p.order) - strlen(p.order) - 1);
	if (p.close_in_reply) {
		np_at_conn_close(p.conn);
		p.conn = NULL;
	}
}

static void begin(void)
{
	struct np_err err = NP_ERR_INIT;

	memset(&p, 0, sizeof(p));
	fake_open(&p.w);
	KTAP_EQ(np_directory_new(p.w.loop, p.w.client_tls, fake_root(&p.w), &p.dir, &err), 0);
}

static void end(void)
{
	np_at_conn_close(p.conn);
	np_directory_free(p.dir);
	fake_close(&p.w);
}

static void open_conn(const char *atsign, const struct np_at_keys *keys,
		      const struct np_secret *cram, unsigned int timeout_ms)
{
	struct np_at_conn_params params = {.loop = p.w.loop,
					   .tls = p.w.client_tls,
					   .dir = p.dir,
					   .atsign = atsign,
					   .keys = keys,
					   .cram = cram,
					   .timeout_ms = timeout_ms};
	struct np_err err = NP_ERR_INIT;

	KTAP_EQ(np_at_conn_open(&params, &ops, NULL, &p.conn, &err), 0);
}

static void command(const char *line, const char *mark)
{
	KTAP_EQ(np_at_conn_command(p.conn, line, strlen(line), on_reply, (void *)(uintptr_t)mark),
		0);
}

static void has_text(const char *text, const char *part)
{
	if (!strstr(text, part))
		KTAP_FAILF("'%s' is not in '%s'", part, text);
}

static bool five_replies(void *arg)
{
	(void)arg;
	return p.nr_replies == 5;
}

static void logs_in_and_runs_commands_in_order(void)
{
	begin();
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	fake_put(&p.w, "x@alice", "42", NULL);
	command("llookup:x@alice", "a"); /* before it is up: waits */
	KTAP_OK(fake_run(&p.w, &p.is_up, 5000));
	command("noop:0", "b");
	command("llookup:y@alice", "c");
	command("bogus", "d");
	command("llookup:x@alice", "e");
	KTAP_OK(fake_wait(&p.w, five_replies, NULL, 5000));
	KTAP_STREQ(p.order, "abcde");
	KTAP_STREQ(p.data, "42");
	KTAP_OK(!p.is_down);
	/* The whole log-in is two commands. */
	KTAP_EQ(fake_count(&p.w, "from:@alice\n"), 1);
	KTAP_EQ(fake_count(&p.w, "pkam:signingAlgo:rsa2048:hashingAlgo:sha256:enrollmentId:e7b0:"),
		1);
	KTAP_EQ(p.w.nr_commands, 7);
	end();
}

static void survives_answers_cut_into_bytes_and_glued_prompts(void)
{
	begin();
	p.w.mood.cut = 1;
	p.w.dir_mood.cut = 1;
	p.w.mood.late_prompt = true;
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	fake_put(&p.w, "x@alice", "42", NULL);
	np_at_conn_command(p.conn, "monitor", 7, NULL, NULL);
	command("llookup:x@alice", "a");
	KTAP_OK(fake_run(&p.w, &p.has_reply, 5000));
	KTAP_STREQ(p.data, "42");
	fake_notify(&p.w, "@alice", "{\"id\":\"1\"}");
	p.any = false;
	KTAP_OK(!fake_run(&p.w, &p.any, 50));
	KTAP_EQ(p.nr_lines, 1);
	has_text(p.line, "{\"id\":\"1\"}");
	end();
}

static void errors_reach_the_command(void)
{
	begin();
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	command("llookup:none@alice", "a");
	KTAP_OK(fake_run(&p.w, &p.has_reply, 5000));
	KTAP_EQ(p.reply.code, -ENOENT);
	KTAP_STREQ(p.reply.remote, "AT0015");
	KTAP_EQ(np_at_conn_command(p.conn, "a\nb", 3, on_reply, NULL), -EINVAL);
	KTAP_EQ(np_at_conn_command(p.conn, "", 0, on_reply, NULL), -EINVAL);
	KTAP_EQ(np_at_conn_command(p.conn, "a\0b", 3, on_reply, NULL), -EINVAL);
	end();
}

static void stats_lose_their_blank(void)
{
	begin();
	p.w.mood.prefix = "stats";
	p.w.mood.answer = "data: [1]\n@alice@";
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	command("stats:3", "a");
	KTAP_OK(fake_run(&p.w, &p.has_reply, 5000));
	KTAP_STREQ(p.data, "[1]");
	end();
}

/* The server holds back every answer but that to "from" until it has seen three more lines. */
static void pipelines_only_with_servers_that_agree(void)
{
	unsigned int agree;

	for (agree = 0; agree < 2; agree++) {
		bool never = false;

		begin();
		KTAP_EQ(np_tls_ctx_set_alpn(p.w.client_tls, NP_AT_ALPN_PIPELINE), 0);
		if (agree)
			KTAP_EQ(np_tls_ctx_set_alpn(p.w.server_tls, NP_AT_ALPN_PIPELINE), 0);
		p.w.mood.hold = 3;
		fake_put(&p.w, "x@alice", "42", NULL);
		open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
		command("noop:0", "a");
		command("llookup:x@alice", "b");
		fake_run(&p.w, agree ? &p.is_up : &never, agree ? 5000 : 200);
		if (agree) {
			KTAP_OK(fake_run(&p.w, &p.has_reply, 5000));
			KTAP_STREQ(p.order, "ab");
			KTAP_STREQ(p.data, "42");
		}
		KTAP_EQ(p.w.nr_commands, agree ? 4 : 2);
		KTAP_EQ(p.is_up, agree);
		end();
	}
}

static void unauthenticated_needs_no_login(void)
{
	begin();
	fake_owner(&p.w, "@alice");
	open_conn("@alice", NULL, NULL, 0);
	command("plookup:publickey@alice", "a");
	KTAP_OK(fake_run(&p.w, &p.has_reply, 5000));
	KTAP_EQ(p.reply.code, 0);
	KTAP_EQ(p.w.nr_commands, 1);
	end();
}

static void expect_down(int code, const char *part, unsigned int ms)
{
	p.close_in_down = true;
	KTAP_OK(fake_run(&p.w, &p.is_down, ms));
	KTAP_OK(!p.is_up);
	KTAP_EQ(p.down.code, code);
	has_text(p.down.msg, part);
}

static void a_refused_login_drops_what_was_pipelined(void)
{
	struct np_at_keys *other = NULL;

	begin();
	np_tls_ctx_set_alpn(p.w.client_tls, NP_AT_ALPN_PIPELINE);
	np_tls_ctx_set_alpn(p.w.server_tls, NP_AT_ALPN_PIPELINE);
	fake_owner(&p.w, "@alice");
	KTAP_EQ(np_at_keys_generate("@alice", &other, NULL), 0);
	open_conn("@alice", other, NULL, 0);
	command("noop:0", "a");
	command("noop:0", "b");
	expect_down(-EACCES, "the key file is not", 5000);
	KTAP_STREQ(p.order, "ab");
	KTAP_EQ(p.reply.code, -EACCES);
	np_at_keys_free(other);
	end();
}

static void cram_right_and_wrong(void)
{
	struct np_secret secret = NP_SECRET_INIT;

	np_secret_set(&secret, "opensesame", 10);
	begin();
	fake_invite(&p.w, "@new", "opensesame");
	open_conn("@new", NULL, &secret, 0);
	KTAP_OK(fake_run(&p.w, &p.is_up, 5000));
	end();
	begin();
	fake_invite(&p.w, "@new", "another");
	open_conn("@new", NULL, &secret, 0);
	expect_down(-EACCES, "the CRAM secret is wrong", 5000);
	KTAP_STREQ(p.down.remote, "AT0401");
	end();
	begin();
	fake_invite(&p.w, "@new", "");
	open_conn("@new", NULL, &secret, 0);
	expect_down(-ENOENT, "activated already", 5000);
	end();
	np_secret_fini(&secret);
}

static void wrong_key_is_named(void)
{
	struct np_at_keys *other = NULL;

	begin();
	fake_owner(&p.w, "@alice");
	KTAP_EQ(np_at_keys_generate("@alice", &other, NULL), 0);
	open_conn("@alice", other, NULL, 0);
	expect_down(-EACCES, "the key file is not", 5000);
	has_text(p.down.msg, "atServer of @alice (127.0.0.1:");
	np_at_keys_free(other);
	end();
}

static void another_owner_is_noticed(void)
{
	begin();
	p.w.mood.proof = true;
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	expect_down(-EPROTO, "serves another atSign", 5000);
	end();
}

static void unknown_atsign(void)
{
	begin();
	open_conn("@nobody", NULL, NULL, 0);
	expect_down(-ENOENT, "@nobody is not in the directory 127.0.0.1:", 5000);
	end();
}

static void server_down_is_named_and_forgotten(void)
{
	struct np_at_keys *keys;

	begin();
	keys = fake_owner(&p.w, "@alice");
	open_conn("@alice", keys, NULL, 0);
	KTAP_OK(fake_run(&p.w, &p.is_up, 5000));
	np_at_conn_close(p.conn);
	fake_stop_at(&p.w);
	p.is_up = false;
	open_conn("@alice", keys, NULL, 0);
	expect_down(-ECONNREFUSED, "atServer of @alice: 127.0.0.1:", 5000);
	KTAP_EQ(p.w.nr_lookups, 1);
	/* It comes back elsewhere: the directory is asked again. */
	fake_start_at(&p.w);
	p.is_up = p.is_down = false;
	open_conn("@alice", keys, NULL, 0);
	KTAP_OK(fake_run(&p.w, &p.is_up, 5000));
	KTAP_EQ(p.w.nr_lookups, 2);
	end();
}

static void silence_ends_in_a_timeout(void)
{
	long long start;

	begin();
	p.w.mood.silent = true;
	start = np_clock_mono_ms();
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 200);
	expect_down(-ETIMEDOUT, "no answer to 'from' within 200 ms", 5000);
	KTAP_OK(np_clock_mono_ms() - start < 3000);
	end();
	begin();
	p.w.mood.mute_tls = true;
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 200);
	expect_down(-ETIMEDOUT, "no TLS handshake within 200 ms", 5000);
	end();
}

static void silent_command_ends_the_connection(void)
{
	begin();
	p.w.mood.silent_noop = true;
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 300);
	command("noop:0", "a");
	command("scan", "b");
	KTAP_OK(fake_run(&p.w, &p.is_down, 5000));
	KTAP_STREQ(p.order, "ab");
	KTAP_EQ(p.reply.code, -ETIMEDOUT);
	KTAP_EQ(p.down.code, -ETIMEDOUT);
	KTAP_EQ(np_at_conn_command(p.conn, "scan", 4, on_reply, NULL), -ENOTCONN);
	end();
}

static void closed_in_the_middle(void)
{
	begin();
	p.w.mood.prefix = "scan";
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	command("scan", "a");
	KTAP_OK(fake_run(&p.w, &p.is_down, 5000));
	KTAP_STREQ(p.order, "a");
	KTAP_EQ(p.reply.code, -ECONNRESET);
	has_text(p.reply.msg, "closed the connection");
	end();
}

static void strangers_are_no_atservers(void)
{
	static const struct {
		const char *answer;
		int code;
		const char *part;
	} tries[] = {
		{"HTTP/1.1 400 Bad Request\r\n\r\n", -EPROTO, "does not answer as an atServer"},
		{"data:\n@", -EPROTO, "malformed challenge"},
		{"error:AT0012-Inbound connection limit exceeded\n", -EREMOTEIO,
		 "Inbound connection limit"},
		{"data:x\0y\n@", -ETIMEDOUT,
		 "no answer to 'from'"}, /* cut at the NUL: no line comes */
	};
	size_t i;

	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		begin();
		p.w.mood.prefix = "from:";
		p.w.mood.answer = tries[i].answer;
		open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 400);
		expect_down(tries[i].code, tries[i].part, 5000);
		end();
	}
}

static void unasked_answer_is_a_protocol_error(void)
{
	begin();
	p.w.mood.prefix = "noop";
	p.w.mood.answer = "data:ok\n@alice@data:more\n@alice@";
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	command("noop:0", "a");
	KTAP_OK(fake_run(&p.w, &p.is_down, 5000));
	KTAP_EQ(p.reply.code, 0);
	KTAP_EQ(p.down.code, -EPROTO);
	has_text(p.down.msg, "nobody asked for");
	end();
}

/* --- certificates ----------------------------------------------------------------------------- */

static void wrong_ca(void)
{
	static const struct np_cert_params params = {.name = "somebody else's CA"};
	struct np_cert *other = NULL;

	begin();
	KTAP_EQ(np_cert_make_ca(&params, &other, NULL), 0);
	fake_owner(&p.w, "@alice");
	/*
	 * The directory answers first, with the right certificate; then the atServer has the wrong
	 * one.
	 */
	open_conn("@alice", NULL, NULL, 0);
	KTAP_OK(fake_run(&p.w, &p.is_up, 5000));
	np_at_conn_close(p.conn);
	fake_serve_with(&p.w, other, "127.0.0.1", 0, 0);
	p.is_up = false;
	open_conn("@alice", NULL, NULL, 0);
	expect_down(-EACCES, "atServer of @alice (127.0.0.1:", 5000);
	has_text(p.down.msg, "certificate refused");
	has_text(p.down.msg, "--root-ca");
	np_cert_free(other);
	end();
}

static void expired_certificate(void)
{
	begin();
	fake_owner(&p.w, "@alice");
	fake_serve_with(&p.w, NULL, "127.0.0.1", -3600 * 48, -3600);
	open_conn("@alice", NULL, NULL, 0);
	expect_down(-EACCES, "certificate has expired", 5000);
	has_text(p.down.msg, "directory 127.0.0.1:");
	end();
}

static void not_yet_valid_certificate(void)
{
	begin();
	fake_owner(&p.w, "@alice");
	fake_serve_with(&p.w, NULL, "127.0.0.1", 3600, 7200);
	open_conn("@alice", NULL, NULL, 0);
	expect_down(-EACCES, "not yet valid", 5000);
	has_text(p.down.msg, "clock");
	end();
}

static void wrong_host_name(void)
{
	begin();
	fake_owner(&p.w, "@alice");
	open_conn("@alice", NULL, NULL, 0);
	KTAP_OK(fake_run(&p.w, &p.is_up, 5000));
	np_at_conn_close(p.conn);
	np_directory_forget(p.dir, "@alice");
	p.w.host = "localhost";
	p.is_up = false;
	open_conn("@alice", NULL, NULL, 0);
	expect_down(-EACCES, "hostname mismatch", 5000);
	has_text(p.down.msg, "(localhost:");
	end();
}

/* --- closing inside callbacks ----------------------------------------------------------------- */

static void may_close_in_every_callback(void)
{
	begin();
	p.close_in_up = true;
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	KTAP_OK(fake_run(&p.w, &p.any, 5000));
	end();
	begin();
	p.close_in_reply = true;
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	command("noop:0", "a");
	command("noop:0", "b");
	KTAP_OK(fake_run(&p.w, &p.has_reply, 5000));
	KTAP_STREQ(p.order, "a");
	end();
	begin();
	p.close_in_down = true;
	open_conn("@nobody", NULL, NULL, 0);
	KTAP_OK(fake_run(&p.w, &p.is_down, 5000));
	end();
	begin();
	p.close_in_reply = true;
	p.w.mood.prefix = "noop";
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	command("noop:0", "a");
	KTAP_OK(fake_run(&p.w, &p.has_reply, 5000));
	KTAP_OK(!p.is_down);
	end();
	/* While the directory is being asked. */
	begin();
	p.w.dir_mood.silent = true;
	open_conn("@alice", fake_owner(&p.w, "@alice"), NULL, 0);
	KTAP_OK(!fake_run(&p.w, &p.any, 100));
	end();
}

int main(void)
{
	KTAP_RUN(data_after_every_prompt);
	KTAP_RUN(all_error_forms);
	KTAP_RUN(logs_in_and_runs_commands_in_order);
	KTAP_RUN(survives_answers_cut_into_bytes_and_glued_prompts);
	KTAP_RUN(errors_reach_the_command);
	KTAP_RUN(stats_lose_their_blank);
	KTAP_RUN(pipelines_only_with_servers_that_agree);
	KTAP_RUN(a_refused_login_drops_what_was_pipelined);
	KTAP_RUN(unauthenticated_needs_no_login);
	KTAP_RUN(cram_right_and_wrong);
	KTAP_RUN(wrong_key_is_named);
	KTAP_RUN(another_owner_is_noticed);
	KTAP_RUN(unknown_atsign);
	KTAP_RUN(server_down_is_named_and_forgotten);
	KTAP_RUN(silence_ends_in_a_timeout);
	KTAP_RUN(silent_command_ends_the_connection);
	KTAP_RUN(closed_in_the_middle);
	KTAP_RUN(strangers_are_no_atservers);
	KTAP_RUN(unasked_answer_is_a_protocol_error);
	KTAP_RUN(wrong_ca);
	KTAP_RUN(expired_certificate);
	KTAP_RUN(not_yet_valid_certificate);
	KTAP_RUN(wrong_host_name);
	KTAP_RUN(may_close_in_every_callback);
	return ktap_done();
}
